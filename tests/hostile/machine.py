"""A machine in QEMU with the control channel and a forwarded HTTP port, and a load on that port."""
import http.client
import os
import socket
import subprocess
import threading
import time
import urllib.request


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Machine:
    def __init__(self, image, folder, memory=64, arguments=""):
        self.control = os.path.join(folder, "control.sock")
        self.console = os.path.join(folder, "console.txt")
        self.http = free_port()
        self.udp = free_port(socket.SOCK_DGRAM)
        if os.path.exists(self.control):
            os.unlink(self.control)
        command = [
            "qemu-system-x86_64",
            "-M", "microvm,acpi=off,x-option-roms=off,pit=off,pic=off,rtc=on,auto-kernel-cmdline=on",
            "-accel", "tcg", "-cpu", "max", "-m", str(memory),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-serial", f"file:{self.console}",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-global", "virtio-mmio.force-legacy=false",
            "-kernel", image, "-append", f"loglevel=warn {arguments}",
            "-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{self.http}-:80,"
            f"hostfwd=udp:127.0.0.1:{self.udp}-:9",
            "-device", "virtio-net-device,netdev=n",
            "-device", "virtio-serial-device",
            "-chardev", f"socket,id=c,path={self.control},server=on,wait=off",
            "-device", "virtserialport,chardev=c,name=org.quince.control",
            "-device", "virtio-rng-device",
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def running(self):
        return self.process.poll() is None

    def stop(self):
        self.process.kill()
        self.process.wait()

    def tail(self, lines=30):
        try:
            with open(self.console, errors="replace") as f:
                return f.read().splitlines()[-lines:]
        except OSError:
            return []

    def wait_http(self, patience=30):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.running():
            if get(self.http, 2):
                return True
            time.sleep(0.05)
        return False


class Simulation:
    """tests/extend/sim: the extension system in a process of the host, with packets of its own."""

    def __init__(self, program, folder):
        self.control = os.path.join(folder, "control.sock")
        if os.path.exists(self.control):
            os.unlink(self.control)
        self.errors = os.path.join(folder, "errors.txt")
        self.console = self.errors
        self.file = open(self.errors, "wb")
        self.process = subprocess.Popen([program, self.control, "-v"], stdin=subprocess.PIPE,
                                        stderr=self.file)

    running = Machine.running
    stop = Machine.stop
    tail = Machine.tail


class Datagrams:
    """Packets that leave no trace: to a port where nobody listens."""
    answered = failed = 0

    def __init__(self, port):
        self.port = port
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            while not self.stopping:
                s.sendto(b"nobody listens", ("127.0.0.1", self.port))
                time.sleep(0.005)

    def wait_for(self, more, patience=0):
        time.sleep(0.01 * more)
        return True

    def stop(self):
        self.stopping = True
        self.thread.join(5)


class NoLoad:
    """In place of requests: time, in which packets flow."""
    answered = failed = 0
    slowest = 0.0

    def wait_for(self, more, patience=0):
        time.sleep(0.01 * more)
        return True

    def stop(self):
        pass


def get(port, timeout):
    """One GET of the root on a connection of its own."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=timeout) as answer:
            return answer.status == 200 and len(answer.read()) > 0
    except OSError:
        return False


class Load:
    """Clients that ask all the time and count the answers."""

    def __init__(self, port, clients=2):
        self.port = port
        self.answered = 0
        self.failed = 0
        self.slowest = 0.0
        self.stopping = False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        """Some requests on each connection, so that both are under load: connecting and serving."""
        connection, left = None, 0
        while not self.stopping:
            start = time.monotonic()
            if left == 0:
                connection, left = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10), 10
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                good = answer.status == 200 and len(answer.read()) > 0
            except (OSError, http.client.HTTPException):
                good = False
            left = left - 1 if good else 0
            if left == 0:
                connection.close()
            took = time.monotonic() - start
            with self.lock:
                self.answered += good
                self.failed += not good
                self.slowest = max(self.slowest, took)

    def wait_for(self, more, patience=20):
        """Until MORE requests have been answered from now on."""
        target = self.answered + more
        deadline = time.monotonic() + patience
        while self.answered < target and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.answered >= target

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(15)
