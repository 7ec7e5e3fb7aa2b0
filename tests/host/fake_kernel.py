#!/usr/bin/env python3
"""Stands in for QEMU: takes its command line and plays a kernel on the console and the control port.

What it plays is told by the kernel options on the command line:
    play=exit:N      prints a line, ends with guest exit code N
    play=serve       answers the control protocol (docs/control-protocol.md) until shut down
    play=deaf        never answers, ignores SIGTERM
    play=garbage     answers the first request with bytes that are no frame
    play=die         answers hello, dies at the next request
    play=refuse-start  complains as QEMU does and ends with 1
"""

import json
import os
import signal
import socket
import struct
import sys
import time


def option(name, otherwise=None):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else otherwise


def end(code):
    sys.stdout.flush()
    os._exit((code << 1) | 1)


class Channel:
    def __init__(self):
        chardev = next(a for a in sys.argv if a.startswith("socket,id=control,fd="))
        self.socket = socket.socket(fileno=int(chardev.rpartition("=")[2]))

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                os._exit(1)
            data += piece
        return data

    def request(self):
        magic, header, body = struct.unpack("<4sII", self.read(12))
        assert magic == b"QNC1", magic
        return json.loads(self.read(header)), self.read(body)

    def answer(self, request, body=b"", **members):
        header = json.dumps({"id": request["id"], "ok": True, **members}).encode()
        self.socket.sendall(struct.pack("<4sII", b"QNC1", len(header), len(body)) + header + body)

    def refuse(self, request, error, reason):
        header = json.dumps({"id": request["id"], "ok": False, "error": error,
                             "reason": reason}).encode()
        self.socket.sendall(struct.pack("<4sII", b"QNC1", len(header), 0) + header)


EXTENSION = {"handle": 1, "state": "attached", "hooks": [{"point": "net.rx", "prio": 10}],
             "grants": ["net.rx"], "memory_bytes": 131072, "code_bytes": 4096, "runs": 10,
             "time_ns": 5000, "verdicts": {"aborted": 0, "drop": 1, "pass": 9, "tx": 0,
                                           "redirect": 0},
             "faults": 1, "last_fault": "unreachable in \x1b[31mparse", "backtrace": "  #0 parse+0x1c",
             "loaded_ns": 1, "maps": [], "rings": []}


def pcap_record(second, length):
    data = bytes(range(length % 256))[:length].ljust(length, b"\0")
    record = struct.pack("<IIII", second, 7, length, length) + data
    return struct.pack("<I", len(record)) + record


def entries(start, count):
    return b"".join(struct.pack("<IQ", i, 1000 + i) for i in range(start, start + count))


class Kernel:
    def __init__(self, play):
        self.channel = Channel()
        self.play = play
        self.loaded = {}
        self.streams = {}

    def serve(self):
        requests = 0
        while True:
            request, body = self.channel.request()
            requests += 1
            if self.play == "garbage":
                self.channel.socket.sendall(b"this is no frame, whatever it is")
                time.sleep(60)
            if self.play == "die" and requests > 1:
                os._exit((9 << 1) | 1)
            handler = getattr(self, "op_" + request["op"].replace(".", "_"), None)
            if handler:
                handler(request, body)
            else:
                self.channel.refuse(request, "ENOSYS", f"op: there is no '{request['op']}'")

    def op_hello(self, request, _):
        self.channel.answer(request, protocol=1, version="0.1.0", image="quince", uptime_ns=1,
                            arch="x86_64", compiler=True, cpus=1)

    def op_load(self, request, body):
        name = request.get("name") or request["file"].partition(".")[0]
        if body == b"slow":
            time.sleep(0.5)
        if not body.startswith(b"\0asm"):
            self.channel.refuse(request, "EINVAL", "offset 0x0: not a module")
        elif "all" not in request["grant"] and "net.rx" not in request["grant"]:
            self.channel.refuse(request, "EPERM", "net.rx is not granted")
        else:
            self.loaded[name] = dict(EXTENSION, name=name, config=request.get("config"))
            self.channel.answer(request, name=name, handle=1, code_bytes=4096, compile_ns=2500000,
                                init_ns=1200)

    def op_unload(self, request, _):
        if self.loaded.pop(request["name"], None) is None:
            self.channel.refuse(request, "ENOENT", f"no extension '{request['name']}'")
        else:
            self.channel.answer(request, freed_bytes=135168)

    def op_list(self, request, _):
        failed = {"name": "bad", "state": "failed", "error": "EINVAL", "loaded_ns": 5,
                  "last_fault": "offset 0x43: type mismatch"}
        self.channel.answer(request, extensions=[*self.loaded.values(), failed])

    def op_stats(self, request, _):
        self.channel.answer(
            request, extensions=list(self.loaded.values()),
            machine={"uptime_ns": 61000000000,
                     "memory": {"total": 67108864, "free": 33554432, "heap_used": 4096,
                                "mapped": 8192},
                     "threads": [{"id": 1, "name": "main", "state": "running", "cpu_ns": 5000000}],
                     "net": {"eth0": {"rx_packets": 5, "rx_bytes": 500, "tx_packets": 4,
                                      "tx_bytes": 400, "rx_dropped": 0, "tx_dropped": 0}}})

    def op_logs(self, request, _):
        self.channel.answer(request, b"[0.001] first\n", cursor=1, more=True)
        if request.get("follow"):
            self.streams[request["id"]] = request
        else:
            self.channel.answer(request, b"[0.002] second\n", cursor=2)

    def op_map_list(self, request, _):
        self.channel.answer(request, maps=[{"name": "counts", "kind": "array", "key": 4,
                                            "value": 8, "max": 6, "count": 6}])

    def op_map_dump(self, request, _):
        if request["map"] != "counts":
            self.channel.refuse(request, "ENOENT", f"no map '{request['map']}'")
            return
        self.channel.answer(request, entries(0, 3), key=4, value=8, count=3, more=True)
        self.channel.answer(request, entries(3, 3), key=4, value=8, count=3)

    def op_ring_read(self, request, _):
        self.channel.answer(request, pcap_record(1, 60) + pcap_record(2, 1514), lost=2, more=True)
        self.streams[request["id"]] = request

    def op_cancel(self, request, _):
        stream = self.streams.pop(request["stream"], None)
        if stream is None:
            self.channel.refuse(request, "ENOENT", "no such stream")
            return
        self.channel.answer(request)
        self.channel.answer(stream, more=False)
        print("stream cancelled", flush=True)

    def op_shutdown(self, request, _):
        self.channel.answer(request)
        end(int(request.get("code", 0)))


def main():
    append = option("-append", "")
    play = next((w[5:] for w in append.split() if w.startswith("play=")), "serve")
    if play == "refuse-start":
        sys.stderr.write("qemu-system-x86_64: -netdev user: Could not set up host forwarding rule\n")
        os._exit(1)
    print("command line:", append, flush=True)
    if play.startswith("exit:"):
        end(int(play[5:]))
    if play == "echo":
        print("got:", sys.stdin.readline().strip(), flush=True)
        end(0)
    if play == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)
    Kernel(play).serve()


main()
