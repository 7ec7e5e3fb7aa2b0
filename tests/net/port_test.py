#!/usr/bin/env python3
"""virtio-serial ports in QEMU: data both ways, a host that stops reading, leaves, and comes back.

usage: port_test.py IMAGE    prints TAP
"""

import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time

from net_test import COMMON, DEVICES, MACHINES, attempt, point
import net_test


def connect(path):
    end = time.time() + 10
    while True:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        try:
            s.connect(path)
            return s
        except OSError:
            s.close()
            if time.time() > end:
                raise
            time.sleep(0.05)


def exchange(s, data):
    threading.Thread(target=s.sendall, args=(data,)).start()
    received = b""
    while len(received) < len(data):
        piece = s.recv(65536)
        if not piece:
            return False
        received += piece
    return received == data


def first_echo(s):
    """The guest may not have opened its end when the first byte comes: QEMU drops those."""
    s.settimeout(0.3)
    for _ in range(40):
        s.sendall(b"?")
        try:
            if s.recv(100):
                break
        except TimeoutError:
            pass
    else:
        return False
    try:
        while s.recv(100):
            pass
    except TimeoutError:
        pass
    s.settimeout(10)
    return True


def reconnects(path):
    """Hosts that leave while the guest sends to them are not among these: QEMU (7.2 at least) may leave
    the port of such a one blocked."""
    for i in range(20):
        with connect(path) as s:
            if i % 2 and not exchange(s, random.randbytes(30000)):
                return False
        time.sleep(0.02)
    with connect(path) as s:
        return exchange(s, b"fresh")


def stalled(path, control):
    """Connected and not read for a while: the guest blocks in that port alone, and goes on later."""
    s = connect(path)
    time.sleep(0.5)
    with connect(control) as c:
        good = exchange(c, b"elsewhere" * 1000)
    total = 0
    while total < 1 << 20:
        total += len(s.recv(65536))
    return good


def run(machine, image, directory):
    kind = DEVICES[machine]
    control, flood = os.path.join(directory, "control"), os.path.join(directory, "flood")
    command = ["qemu-system-x86_64", *MACHINES[machine], *COMMON, "-kernel", image, "-append", "",
               "-device", f"virtio-serial-{kind},max_ports=4"]
    for name, path in [("org.quince.control", control), ("flood", flood)]:
        command += ["-chardev", f"socket,id={os.path.basename(path)},path={path},server=on,wait=off",
                    "-device", f"virtserialport,chardev={os.path.basename(path)},name={name}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        s = connect(control)
        attempt(f"{machine}: a byte comes back", lambda: first_echo(s))
        attempt(f"{machine}: 1 MiB comes back", lambda: exchange(s, random.randbytes(1 << 20)))
        s.close()
        attempt(f"{machine}: hosts that come and go", lambda: reconnects(control))
        attempt(f"{machine}: a host that does not read", lambda: stalled(flood, control))
        with connect(control) as c:
            c.sendall(b"exit")
            try:
                code = process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                code = None
        point(code == 1, f"{machine}: the guest ends with 0 (QEMU's {code})")
    finally:
        process.kill()
        output = process.communicate()[0]
    point("no such port" in output, f"{machine}: a port the machine does not have is not found")
    point("hung up" in output and "panic" not in output, f"{machine}: the guest saw hosts hang up")
    for line in output.splitlines()[-5:]:
        print("# " + line)


def main():
    for machine in MACHINES:
        with tempfile.TemporaryDirectory() as directory:
            run(machine, sys.argv[1], directory)
    print(f"1..{net_test.count}")
    return net_test.failed != 0


if __name__ == "__main__":
    sys.exit(main())
