"""HTTP: requests per second through QEMU's user networking, with and without extensions, against the
same server on a Linux guest on the same machine."""

import os
import re
import socket
import subprocess
import time

import images
import linux
import qemu
from harness import ROOT, WORK, Skip, interleave

SECONDS = 4
CONNECTIONS = (1, 16)
PATH = "/index.html"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_http(port, timeout=60):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        done = subprocess.run(["curl", "-sf", "-m", "2", "-o", os.devnull,
                               f"http://127.0.0.1:{port}{PATH}"], check=False)
        if done.returncode == 0:
            return
        time.sleep(0.2)
    raise Skip("the server never answered")


def wrk(port, connections):
    """Requests per second; an error counted by wrk fails the measurement."""
    out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s",
                          f"http://127.0.0.1:{port}{PATH}"], capture_output=True, text=True,
                         check=False).stdout
    if "Socket errors" in out or "Non-2xx" in out:
        raise Skip("wrk saw errors: " + " ".join(out.split())[-200:])
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", out).group(1))


class QuinceMachine:
    """httpd on Quince, started by the command a user types, with extensions loaded."""

    def __init__(self, name, extensions=(), capture=False):
        self.name, self.port, self.helpers = name, free_port(), []
        self.call("run", "-d", "--name", name, "-m", "128", "-p", f"{self.port}:80",
                  images.httpd())
        wait_http(self.port)
        for extension in extensions:
            self.call("load", "-M", name, extension, "--grant", "all")
        if capture:
            out = os.path.join(WORK, "bench.pcap")
            self.helpers.append(subprocess.Popen(
                [images.QUINCE, "capture", "-M", name, "-w", out], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL))
            time.sleep(1)

    def call(self, *args):
        done = subprocess.run([images.QUINCE, *args], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Skip(f"quince {args[0]}: {done.stderr.strip()[-200:]}")

    def stop(self):
        for helper in self.helpers:
            helper.terminate()
            helper.wait()
        subprocess.run([images.QUINCE, "stop", self.name], capture_output=True, check=False)


class LinuxMachine:
    """The same source, static, on Debian's cloud kernel."""

    def __init__(self):
        server = os.path.join(WORK, "httpd-linux")
        source = os.path.join(ROOT, "apps", "httpd")
        subprocess.run(["gcc", "-O2", "-static", "-pthread", "-D_GNU_SOURCE", "-o", server,
                        *[os.path.join(source, f) for f in sorted(os.listdir(source))
                          if f.endswith(".c")]], check=True)
        files = {"httpd": server}
        for folder, _, names in os.walk(os.path.join(source, "files")):
            for name in names:
                path = os.path.join(folder, name)
                files[os.path.relpath(path, os.path.join(source, "files"))] = path
        initrd = linux.initramfs("http.cpio.gz", files, linux.NETWORK_MODULES)
        self.port = free_port()
        self.process = subprocess.Popen(
            qemu.command("microvm-acpi", linux.kernel(), 256,
                         linux.command_line(" -- serve"), initrd, self.port),
            stdin=subprocess.DEVNULL, stdout=open(os.path.join(WORK, "linux-httpd.log"), "wb"),
            stderr=subprocess.STDOUT)
        try:
            wait_http(self.port)
        except Skip:
            self.stop()
            raise

    def stop(self):
        self.process.kill()
        self.process.wait()


def run(results, rounds):
    """All machines stand at once and idle while one is measured: a round meets the same conditions."""
    rounds = max(5, rounds // 2)
    machines = {}
    try:
        machines["httpd"] = QuinceMachine("bench-none")
        machines["httpd with flows"] = QuinceMachine("bench-flows", ["flows"])
        machines["httpd with pcap"] = QuinceMachine("bench-pcap", capture=True)
        try:
            machines["Linux"] = LinuxMachine()
        except Skip as missing:
            results.skip("http", "httpd on Debian's cloud kernel", str(missing))
        for connections in CONNECTIONS:
            samples = interleave("http", {
                f"{name}, {connections} conn.": (lambda m=machine, c=connections: wrk(m.port, c))
                for name, machine in machines.items()}, rounds)
            base = samples[f"httpd, {connections} conn."]
            peer = samples.get(f"Linux, {connections} conn.")
            results.add("http", f"httpd, {connections} conn.", base, "req/s",
                        "Linux, same server" if peer else None, peer)
            for name in ("httpd with flows", "httpd with pcap"):
                results.add("http", f"{name}, {connections} conn.",
                            samples[f"{name}, {connections} conn."], "req/s", "httpd, no extension",
                            base)
    finally:
        for machine in machines.values():
            machine.stop()
