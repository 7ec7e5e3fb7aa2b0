#!/usr/bin/env python3
"""Loads every hostile module into a machine whose httpd is under load. Each must end as its file says,
be shown so by `list`, and cost neither an answer of httpd nor a byte of memory. Prints TAP.

    run.py --image httpd.img --sdk sdk/c [--only NAME]
    run.py --sim extend-sim --sdk sdk/c [--only NAME]    in a process of the host, without httpd
"""
import argparse
import sys
import tempfile
import time

import cases
from control import Control, Refused
from machine import Datagrams, Load, Machine, NoLoad, Simulation

REFUSAL_LIMIT = 30   # seconds from sending a module to its refusal, most of it compiling under TCG
QUARANTINE_LIMIT = 20


class Tap:
    def __init__(self):
        self.count = self.bad = 0

    def check(self, good, name, why=""):
        self.count += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        if not good:
            for line in str(why).splitlines():
                print(f"#   {line}", flush=True)

    def done(self):
        print(f"1..{self.count}", flush=True)
        return self.bad != 0


def load(control, case):
    """The answer to the load, or the refusal."""
    try:
        return control.request("load", case.module, grant=case.grants, file=case.name)[0], None
    except Refused as refusal:
        return None, refusal


def check_refused(control, case):
    start = time.monotonic()
    answer, refusal = load(control, case)
    took = time.monotonic() - start
    if answer:
        control.request("unload", name=answer["name"])
        return f"it was loaded: {answer}"
    if (case.error and refusal.error != case.error) or case.text not in refusal.reason:
        return f"refused with {refusal}\nexpected {case.error}: …{case.text}…"
    if took > REFUSAL_LIMIT:
        return f"refused after {took:.1f} s"
    if case.name == "larger-than-memory":
        return None  # refused before it was anything to list
    shown = [e for e in control.request("list")[0]["extensions"]
             if e["state"] == "failed" and e["last_fault"] == refusal.reason]
    if not shown:
        return "not shown as failed by list"
    control.request("unload", name=shown[-1]["name"])
    return None


def check_fault(control, case, http):
    answer, refusal = load(control, case)
    if not answer:
        return f"refused with {refusal}"
    deadline = time.monotonic() + QUARANTINE_LIMIT
    entry = control.extension(answer["name"])
    while entry["state"] != "quarantined" and time.monotonic() < deadline:
        http.wait_for(1, 2)
        entry = control.extension(answer["name"])
    why = None
    if entry["state"] != "quarantined":
        why = f"not quarantined: {entry}"
    elif case.text not in entry["last_fault"]:
        why = f"last fault: {entry['last_fault']}\nexpected …{case.text}…"
    elif entry["faults"] < 3:
        why = f"{entry['faults']} faults"
    elif not entry["backtrace"]:
        why = "no backtrace"
    control.request("unload", name=answer["name"])
    return why


def check_attached(control, case, http):
    answer, refusal = load(control, case)
    if not answer:
        return f"refused with {refusal}"
    http.wait_for(5)
    entry = control.extension(answer["name"])
    control.request("unload", name=answer["name"])
    if entry["state"] != "attached" or entry["faults"]:
        return f"state {entry['state']}, {entry['faults']} faults, {entry['last_fault']}"
    if entry["hooks"] and not entry["runs"]:
        return "it was never called"
    return None


def check_case(control, case, http):
    if case.expect == "refused":
        return check_refused(control, case)
    if case.expect == "fault":
        return check_fault(control, case, http)
    return check_attached(control, case, http)


def memory(control):
    """What the kernel's allocators say, when nothing is on its way: the lowest of a few looks."""
    looks = []
    for _ in range(20):
        stats = control.request("stats")[0]["machine"]["memory"]
        looks.append((stats["heap_used"], -stats["free"], stats["mapped"]))
        time.sleep(0.02)
    return min(looks)


FRAMES = [
    ("a header that is not JSON", b"{", "EINVAL"),
    ("a header that is no object", b"[1,2]", "EINVAL"),
    ("JSON nested ten thousand deep", b"[" * 10000, "EINVAL"),
    ("a request without number", b'{"op":"list"}', "EINVAL"),
    ("a request with a fraction of a number", b'{"id":0.5,"op":"list"}', "EINVAL"),
    ("an operation of another type", b'{"id":7,"op":3}', "EINVAL"),
    ("an operation that does not exist", b'{"id":7,"op":"format"}', "ENOSYS"),
    ("a name of another type", b'{"id":7,"op":"unload","name":{}}', "EINVAL"),
    ("grants of another type", b'{"id":7,"op":"load","grant":"net.rx"}', "EINVAL"),
    ("settings of another type", b'{"id":7,"op":"load","config":[1]}', "EINVAL"),
    ("a budget that is no number", b'{"id":7,"op":"load","budget_ns":-1}', "EINVAL"),
    ("a map of nobody", b'{"id":7,"op":"map.dump","name":"nobody","map":"m"}', "ENOENT"),
    ("a stream that is not there", b'{"id":7,"op":"cancel","stream":99999999999999}', "ENOENT"),
]


def check_frames(machine, control, tap):
    for name, header, error in FRAMES:
        control.send(header, b"a body that nobody wants")
        answer, _ = control.receive()
        tap.check(answer.get("ok") is False and answer.get("error") == error,
                  f"control: {name}", answer)
    control.socket.sendall(b"GET / HTTP/1.1\r\n\r\n" * 1000)
    control.close()
    time.sleep(0.3)
    control.connect()
    hello, _ = control.request("hello")
    tap.check(hello["protocol"] == 1, "control: works again after a connection of garbage", hello)


def run(machine, tap, args, folder):
    if args.image and not machine.wait_http(60):
        tap.check(False, "httpd answers before anything is loaded", "\n".join(machine.tail()))
        return
    control = Control(machine.control)
    control.request("hello")
    http = Load(machine.http) if args.image else NoLoad()
    tap.check(http.wait_for(20), "httpd answers before anything is loaded")
    chosen = [c for c in cases.all_cases(folder, args.sdk)
              if (not args.only or args.only in c.name) and (args.image or not c.machine)]
    if not args.only:
        check_frames(machine, control, tap)
    for case in chosen:
        try:
            why = check_case(control, case, http)
            if why and "time budget exceeded" in why and "time budget" not in case.text:
                # The host gave the machine no time in the middle of a call: once more.
                why = check_case(control, case, http)
        except (OSError, EOFError) as error:
            why = f"the control channel: {error}"
        failed = http.failed
        if why is None and not http.wait_for(3):
            why = "httpd does not answer"
        if why is None and failed:
            why = f"httpd failed to answer {failed} times"
        http.failed = 0
        if why:
            why += "\n" + "\n".join(machine.tail(15))
        tap.check(why is None, f"{case.name}: {case.expect} {case.error or ''} {case.text}".rstrip(),
                  why)
        if not machine.running():
            tap.check(False, "the machine goes on", "\n".join(machine.tail(200)))
            http.stop()
            return
    http.stop()
    print(f"# {http.answered} requests answered, the slowest in {http.slowest:.2f} s")


def cases_for_memory(chosen):
    kinds = {}
    for case in chosen:
        kinds.setdefault(case.expect, []).append(case)
    return [c for kind in kinds.values() for c in kind[:3] if len(c.module) < 1 << 20]


def check_memory(machine, tap, args, folder):
    """In a machine without connections, which hold memory for a while after they end. The same round
    again and again: what is left behind would add up, while what fills once (page tables of the direct
    map that code splits) comes to rest."""
    chosen = [c for c in cases.all_cases(folder, args.sdk) if args.image or not c.machine]
    control = Control(machine.control)
    control.request("hello")
    packets = Datagrams(machine.udp) if args.image else NoLoad()
    looks = []
    while len(looks) < 6 and (len(looks) < 2 or looks[-1] != looks[-2]):
        for case in cases_for_memory(chosen):
            check_case(control, case, packets)
        time.sleep(0.5)
        looks.append(memory(control))
    packets.stop()
    tap.check(looks[-1] == looks[-2], "memory: hostile modules leave nothing behind",
              "heap, -free, mapped after each round:\n" + "\n".join(map(str, looks)))


def main():
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--image")
    where.add_argument("--sim")
    parser.add_argument("--sdk", required=True)
    parser.add_argument("--only", help="cases whose name has this in it")
    args = parser.parse_args()
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        for part in [run] if args.only else [run, check_memory]:
            machine = Machine(args.image, folder) if args.image else Simulation(args.sim, folder)
            try:
                part(machine, tap, args, folder)
            finally:
                machine.stop()
    sys.exit(tap.done())


if __name__ == "__main__":
    main()
