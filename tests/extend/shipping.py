#!/usr/bin/env python3
"""The extensions that ship, and what the extension system promises beyond them, in a machine with real
clients. Prints TAP.

    shipping.py --image httpd.img --program program.img --sdk sdk/c --extensions build/extensions
"""
import argparse
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))
from cases import compile_c
from control import Control, Refused
from machine import Load, Machine, get
from run import Tap

MODULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "modules")


class Test:
    def __init__(self, machine, tap, args, folder):
        self.machine, self.tap, self.args, self.folder = machine, tap, args, folder
        self.control = Control(machine.control)
        self.control.request("hello")

    def shipped(self, name):
        with open(os.path.join(self.args.extensions, name + ".wasm"), "rb") as f:
            return f.read()

    def own(self, name):
        return compile_c(os.path.join(MODULES, name + ".c"), self.folder, self.args.sdk)

    def check(self, good, name, why=""):
        self.tap.check(good, name, why)

    def load(self, module, **members):
        return self.control.request("load", module, **{"grant": ["all"], **members})[0]

    def refused(self, module, **members):
        try:
            answer = self.load(module, **members)
            self.control.request("unload", name=answer["name"])
            return f"loaded: {answer}"
        except Refused as refusal:
            return str(refusal)

    def unload(self, name):
        return self.control.request("unload", name=name)[0]

    def dump(self, name, table):
        header, body = self.control.request("map.dump", name=name, map=table)
        size = header["key"] + header["value"]
        return [(body[i:i + header["key"]], body[i + header["key"]:i + size])
                for i in range(0, len(body), size)]

    def flows(self):
        self.load(self.shipped("flows"))
        good = sum(get(self.machine.http, 5) for _ in range(10))
        time.sleep(0.2)
        web = []
        for key, value in self.dump("flows", "by_flow"):
            version, protocol, port0, port1 = struct.unpack_from("<BBHH", key)
            packets0, packets1, bytes0, bytes1, first, last = struct.unpack_from("<6Q", value)
            flags0, flags1, state = value[48:51]
            if version == 4 and protocol == 6 and 80 in (port0, port1):
                web.append((packets0, packets1, bytes0, bytes1, last - first, flags0 & flags1, state))
        self.check(good == 10 and len(web) == 10, "flows: one entry per connection", web)
        self.check(all(min(f[:4]) > 0 and f[2] >= 54 * f[0] for f in web),
                   "flows: packets and bytes in both directions", web)
        self.check(all(0 < f[4] < 10e9 for f in web), "flows: durations", web)
        self.check(all(f[5] & 0x13 == 0x13 and f[6] == 4 for f in web),
                   "flows: both ends sent SYN, ACK and FIN; closed", web)
        entry = self.control.extension("flows")
        self.check(entry["verdicts"]["pass"] == entry["runs"] > 0, "flows: every packet passed", entry)
        self.check("loaded already" in self.refused(self.shipped("flows")),
                   "a name can be taken once")
        self.unload("flows")

    def stream(self, seconds):
        """Frames of the stream with the last request's id, until it is cancelled after SECONDS."""
        stream, bodies, lost = self.control.next_id, [], 0
        end, cancelled = time.monotonic() + seconds, False
        self.control.socket.settimeout(0.1)
        while True:
            if time.monotonic() > end and not cancelled:
                cancelled = True
                self.control.socket.settimeout(10)
                self.control.next_id += 1
                self.control.send({"id": self.control.next_id, "op": "cancel", "stream": stream})
            try:
                header, body = self.control.receive()
            except TimeoutError:
                continue
            if header["id"] == stream:
                bodies.append(body)
                lost += header.get("lost", 0)
                if not header.get("more"):
                    self.control.socket.settimeout(60)
                    return b"".join(bodies), lost

    def follow(self, seconds, during, op, **members):
        self.control.next_id += 1
        self.control.send({"id": self.control.next_id, "op": op, "follow": True, **members})
        during()
        return self.stream(seconds)

    def pcap(self):
        self.load(self.shipped("pcap"), config={"snaplen": "200"})
        body, lost = self.follow(0.5, lambda: [get(self.machine.http, 5) for _ in range(5)],
                                 "ring.read", name="pcap", ring="packets")
        records, at = [], 0
        while at < len(body):
            size, = struct.unpack_from("<I", body, at)
            seconds, nanoseconds, captured, length = struct.unpack_from("<4I", body, at + 4)
            records.append((seconds, nanoseconds, captured, length, body[at + 20:at + 4 + size]))
            at += 4 + size
        self.check(lost == 0 and len(records) > 30, "pcap: records of every packet",
                   f"{len(records)} records, {lost} lost")
        self.check(all(r[2] == len(r[4]) == min(r[3], 200) for r in records),
                   "pcap: cut to the snaplen that was set", [r[2:4] for r in records])
        requests = [r for r in records if b"GET / HTTP/1.1" in r[4]]
        self.check(len(requests) == 5, "pcap: every request is there", len(requests))
        now = time.time()
        self.check(all(abs(r[0] - now) < 60 and r[1] < 10**9 for r in records), "pcap: times")
        kept, _ = self.control.request("ring.read", name="pcap", ring="packets")
        self.check(kept.get("lost") == 0, "pcap: the ring can be read again from its start", kept)
        self.unload("pcap")

    def firewall(self):
        self.check("EFAULT" in self.refused(self.shipped("firewall"),
                                            config={"rule.1": "drop everything"}),
                   "firewall: a rule it cannot read ends the load")
        self.load(self.shipped("firewall"), config={
            "rule.1": "pass udp", "rule.2": "drop in ip tcp src 10.0.2.0/24 dport 79-80"})
        self.check(not get(self.machine.http, 2), "firewall: a dropped request gets no answer")
        counts = [struct.unpack("<Q", value)[0] for _, value in self.dump("firewall", "matches")]
        self.check(counts[2] > 0, "firewall: drops are counted by rule", counts[:4])
        self.check(self.control.extension("firewall")["verdicts"]["drop"] == counts[2],
                   "firewall: and by verdict")
        self.unload("firewall")
        self.check(get(self.machine.http, 10), "firewall: without it requests are answered")

    def clock(self):
        module = self.own("clock")
        self.load(module)
        cursor = 0
        deadline, entry = time.monotonic() + 10, None
        while time.monotonic() < deadline:
            entry = self.control.extension("clock")
            if entry["state"] == "quarantined":
                break
            time.sleep(0.05)
        ticks = struct.unpack("<Q", self.dump("clock", "ticks")[0][1])[0]
        self.check(entry["state"] == "quarantined" and entry["faults"] == 3 and ticks == 15,
                   "timers tick; the map outlives three instances", f"{ticks} ticks, {entry}")
        self.check("quince_timer" in entry["last_fault"] and "#0" in entry["backtrace"],
                   "the fault and its backtrace are shown", entry)
        self.unload("clock")
        header, text = self.control.request("logs")
        self.check(text.decode().count("clock: the clock starts") >= 3 and header["cursor"] > 0,
                   "it logged each of its starts", text.decode()[-500:])
        self.check("EPERM" in self.refused(module, grant=["timer", "clock", "log"]) and
                   "random" in self.refused(module, grant=["timer", "clock", "log"]),
                   "a need that is not granted is named")
        cursor = header["cursor"]
        body, _ = self.follow(0.4, lambda: None, "logs", since=cursor)
        self.check(b"random" in body and b"the clock starts" not in body,
                   "logs can be followed from a cursor", body)

    def reflect(self):
        self.load(self.own("reflect"))
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect(("127.0.0.1", self.machine.udp))
            answers = []
            for n in range(20):
                s.send(b"datagram %d " % n)
                try:
                    answers.append(s.recv(100))
                except OSError as error:
                    answers.append(str(error))
        wanted = [b"datagram %d echo" % n for n in range(20)]
        entry = self.control.extension("reflect")
        self.check(answers == wanted, "reflect: packets are changed, grown and sent back", answers)
        self.check(entry["verdicts"]["tx"] == 20, "reflect: verdicts are counted", entry)
        self.check("packet.write" in self.refused(self.own("reflect"), name="second",
                                                  grant=["net.rx"]),
                   "changing packets needs a grant")
        self.unload("reflect")

    def patient(self):
        """The machine stands still, longer than a call may take, while it is in one."""
        self.load(self.own("patient"))
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.connect(("127.0.0.1", self.machine.udp))
            for n in range(20):
                s.send(b"work")
                time.sleep(0.001 * (1 + n % 6))  # into the call, however fast the machine is
                os.kill(self.machine.process.pid, signal.SIGSTOP)
                time.sleep(0.5)
                os.kill(self.machine.process.pid, signal.SIGCONT)
                time.sleep(0.1)
                entry = self.control.extension("patient")
                if entry["longest_ns"] > 4 * entry["budget_ns"] or entry["faults"]:
                    break
        self.check(entry["longest_ns"] > 4 * entry["budget_ns"],
                   "patient: a call lasted for more than four budgets", entry)
        self.check(entry["faults"] == 0, "patient: the CPU was away, so that was not its fault", entry)
        self.unload("patient")

    def churn(self):
        """Loads and unloads under traffic: no request may fail."""
        http = Load(self.machine.http, 2)
        http.wait_for(20)
        module = self.shipped("flows")
        for n in range(30):
            self.load(module)
            if n % 2:
                http.wait_for(2)
            self.unload("flows")
        http.wait_for(10)
        http.stop()
        self.check(http.failed == 0, "thirty loads and unloads under traffic cost no request",
                   f"{http.failed} of {http.answered} failed, the slowest in {http.slowest:.2f} s")

    def run(self):
        self.check(self.machine.wait_http(60), "httpd answers")
        for part in [self.flows, self.pcap, self.firewall, self.clock, self.reflect, self.patient, self.churn]:
            try:
                part()
            except (Refused, OSError, EOFError, KeyError, IndexError, struct.error) as error:
                self.check(False, f"{part.__name__} runs to its end",
                           f"{error!r}\n" + "\n".join(self.machine.tail()))
                for entry in self.control.request("list")[0]["extensions"]:
                    self.unload(entry["name"])


def run_program(image, tap):
    """The program that uses <quince.h> prints TAP itself."""
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(image, folder)
        try:
            machine.process.wait(60)
        except subprocess.TimeoutExpired:
            pass
        machine.stop()
        lines = machine.tail(200)
    results = [line for line in lines if line.startswith(("ok ", "not ok "))]
    plan = [line for line in lines if line.startswith("1..")]
    for line in results:
        tap.check(line.startswith("ok "), "quince.h: " + line.partition(" - ")[2], "\n".join(lines))
    tap.check(plan == [f"1..{len(results)}"] and machine.process.returncode == 1,
              "quince.h: the program ran to its end",
              f"exit {machine.process.returncode}\n" + "\n".join(lines))


def main():
    parser = argparse.ArgumentParser()
    for name in ("image", "program", "sdk", "extensions"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(args.image, folder)
        try:
            Test(machine, tap, args, folder).run()
        finally:
            machine.stop()
    run_program(args.program, tap)
    sys.exit(tap.done())


if __name__ == "__main__":
    main()
