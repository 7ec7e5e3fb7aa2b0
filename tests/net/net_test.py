#!/usr/bin/env python3
"""The network in QEMU: boots guest.c's image over virtio-mmio (microvm) and over PCI (q35), forwards the
checks it makes of itself, and talks to it from outside through QEMU's user network.

usage: net_test.py IMAGE    prints TAP
"""

import os
import queue
import random
import socket
import struct
import subprocess
import sys
import threading
import time

COMMON = [
    "-accel", "tcg", "-cpu", "max", "-m", "64", "-nodefaults", "-no-user-config", "-display", "none",
    "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
]
MACHINES = {
    "microvm": ["-M", "microvm,acpi=off,x-option-roms=off,pit=off,pic=off,rtc=on,auto-kernel-cmdline=on",
                "-global", "virtio-mmio.force-legacy=false"],
    "q35": ["-M", "q35"],
}
DEVICES = {"microvm": "device", "q35": "pci"}

count = 0
failed = 0


def point(good, what):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {what}", flush=True)


def attempt(what, function):
    try:
        point(function(), what)
    except Exception as error:  # a test that breaks is a failed one
        point(False, f"{what}: {error!r}")


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Guest:
    def __init__(self, machine, image, command_line, network):
        self.lines = queue.Queue()
        command = ["qemu-system-x86_64", *MACHINES[machine], *COMMON, "-kernel", image,
                   "-append", command_line]
        if network:
            command += ["-netdev", network, "-device", f"virtio-net-{DEVICES[machine]},netdev=n",
                        "-device", f"virtio-rng-{DEVICES[machine]}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        threading.Thread(target=self.collect, daemon=True).start()

    def collect(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip())
        self.lines.put(None)

    def forward(self, machine, seconds):
        """Passes the guest's own points on until it is ready; False: it never was."""
        end = time.time() + seconds
        seen = []
        while True:
            try:
                line = self.lines.get(timeout=max(0.1, end - time.time()))
            except queue.Empty:
                line = None
            if line is None:
                print("\n".join("# " + text for text in seen[-20:]))
                return False
            seen.append(line)
            if line == "ready":
                return True
            if line.startswith("ok - ") or line.startswith("not ok - "):
                point(line.startswith("ok"), f"{machine}: {line.split(' - ', 1)[1]}")
            else:
                print("# " + line)

    def end(self):
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.process.kill()
            self.process.wait()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def small(port):
    with connect(port) as s:
        s.sendall(b"hello")
        return s.recv(100) == b"hello"


def large(port, size):
    data = random.randbytes(size)
    with connect(port) as s:
        def send():
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        received = bytearray()
        while piece := s.recv(1 << 16):
            received += piece
        sender.join()
    return bytes(received) == data


def many(port, number):
    # QEMU's forwarding listens with a backlog of one: each is used before the next is made.
    connections = []
    for i in range(number):
        s = connect(port)
        s.sendall(b"%d" % i)
        if s.recv(20) != b"%d" % i:
            return False
        connections.append(s)
    for i, s in enumerate(connections):
        s.sendall(b"again%d" % i)
    good = all(s.recv(20) == b"again%d" % i for i, s in enumerate(connections))
    for s in connections:
        s.close()
    return good


def resets(port, number):
    for i in range(number):
        s = connect(port)
        s.sendall(b"x" * 3000)
        if i % 2:
            s.recv(1)
        reset(s)
    return small(port)


def fill(echo_port, hold_port):
    """Peers that send into connections nobody reads; others are served meanwhile."""
    holders = []
    for _ in range(20):
        s = connect(hold_port)
        s.setblocking(False)
        try:
            while True:
                s.send(b"z" * 65536)
        except BlockingIOError:
            pass
        holders.append(s)
    good = small(echo_port) and large(echo_port, 1 << 20)
    for s in holders:
        reset(s)
    return good


def datagrams(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", port))
        for size in [0, 1, 100, 1472, 1473, 9000]:
            s.send(b"u" * size)
            if len(s.recv(65536)) != size:
                return False
    return True


def upper_server():
    """A TCP server on the host's IPv6 loopback, which the guest sees as fec0::2."""
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.bind(("::1", 0))
    listener.listen(5)

    def serve():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            s.sendall(s.recv(100).upper())
            s.close()
    threading.Thread(target=serve, daemon=True).start()
    return listener


def run(machine, image):
    tcp, hold, quit_port = (free_port(socket.SOCK_STREAM) for _ in range(3))
    udp = free_port(socket.SOCK_DGRAM)
    try:
        six = upper_server()
    except OSError:
        six = None
        print(f"# {machine}: no IPv6 loopback on this host, not tested")
    network = (f"user,id=n,ipv4=on,ipv6=on,hostfwd=tcp:127.0.0.1:{tcp}-:7,hostfwd=tcp:127.0.0.1:{hold}-:9,"
               f"hostfwd=tcp:127.0.0.1:{quit_port}-:99,hostfwd=udp:127.0.0.1:{udp}-:7")
    argument = f" -- {six.getsockname()[1]}" if six else ""
    guest = Guest(machine, image, "loglevel=warn" + argument, network)
    try:
        ready = guest.forward(machine, 60)
        point(ready, f"{machine}: the guest is ready")
        if not ready:
            return
        attempt(f"{machine}: a small echo", lambda: small(tcp))
        attempt(f"{machine}: 16 MiB there and back", lambda: large(tcp, 16 << 20))
        attempt(f"{machine}: 100 connections at a time", lambda: many(tcp, 100))
        attempt(f"{machine}: 200 abrupt resets, then served as before", lambda: resets(tcp, 200))
        attempt(f"{machine}: windows filled and never read", lambda: fill(tcp, hold))
        attempt(f"{machine}: datagrams, fragmented too", lambda: datagrams(udp))
        connect(quit_port).close()
        code = guest.end()
        point(code == 1, f"{machine}: the guest ends with 0 (QEMU's {code})")
    finally:
        guest.process.kill()
        if six:
            six.close()


def run_alone(machine, image):
    """Without any network device."""
    guest = Guest(machine, image, "loglevel=warn -- alone", None)
    try:
        point(guest.forward(f"{machine} alone", 30), f"{machine}: works without a network device")
        point(guest.end() == 1, f"{machine}: and ends with 0")
    finally:
        guest.process.kill()


def main():
    image = sys.argv[1]
    for machine in MACHINES:
        run(machine, image)
    run_alone("microvm", image)
    print(f"1..{count}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
