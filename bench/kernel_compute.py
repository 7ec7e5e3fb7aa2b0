"""Kernel compute: the programs of bench/wasm in ring 0 under QEMU, against the host build of the same
engine in a Linux guest under the same QEMU. Both guests time the calls by their own clock. Once more
under a QEMU whose clock goes on by a nanosecond with each instruction: what that clock says is how many
were executed, interrupts included, whatever else the machine does and wherever TCG puts the code."""

import os
import shutil
import statistics
import subprocess

import compute
import linux
import qemu
from harness import BUILD, WORK, Skip, progress

SHARE = 8  # an emulated CPU is about as many times slower
REPEAT = 3
TIMEOUT = 900
COUNTING = ["-icount", "shift=0,sleep=off"]
COUNTED_KHZ = 1_000_000  # of the TSC then


def arguments(name):
    return ["--invoke", "run", "--repeat", str(REPEAT)], [str(max(1, compute.PROGRAMS[name][1] // SHARE))]


def parse(name, output):
    """The result and the fastest call in milliseconds."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    times = [float(line.split()[1]) for line in lines if line.startswith("time_ms")]
    if len(times) != REPEAT:
        raise Skip(f"{name}: {' / '.join(lines)[-200:]}")
    return int(lines[0]) & 0xFFFFFFFF, min(times)


def in_kernel(name, wasm):
    options, args = arguments(name)
    return parse(name, compute.call(compute.QUINCE, "exec", "--in-kernel", *options, wasm, *args))


class Counting:
    """While it lasts, the QEMU that `quince` finds counts."""

    def __enter__(self):
        folder = os.path.join(WORK, "counting")
        os.makedirs(folder, exist_ok=True)
        script = os.path.join(folder, "qemu-system-x86_64")
        with open(script, "w", encoding="ascii") as f:
            f.write(f'#!/bin/sh\nexec {shutil.which("qemu-system-x86_64")} "$@" {" ".join(COUNTING)}\n')
        os.chmod(script, 0o755)
        self.path = os.environ["PATH"]
        os.environ["PATH"] = folder + os.pathsep + self.path

    def __exit__(self, *_):
        os.environ["PATH"] = self.path


class Linux:
    """One boot runs every program once."""

    def __init__(self, modules):
        progress("building the engine for the Linux guest")
        compute.call("ninja", "-C", BUILD, "all", "bench/exec-linux")  # both sides of the same source
        commands = os.path.join(WORK, "commands")
        self.names = {}
        with open(commands, "w", encoding="ascii") as f:
            for name, wasm in modules.items():
                options, args = arguments(name)
                line = " ".join(["/exec", "exec", *options, f"/{os.path.basename(wasm)}", *args])
                self.names[line] = name
                f.write(line + "\n")
        files = {os.path.basename(wasm): wasm for wasm in modules.values()}
        files |= {"exec": os.path.join(BUILD, "bench", "exec-linux"), "commands": commands}
        self.files = linux.initramfs("compute.cpio.gz", files)

    def run(self, counting=False):
        """Program → (result, milliseconds)."""
        options = linux.command_line(" -- compute", COUNTED_KHZ if counting else None)
        line = qemu.command("microvm-acpi", linux.kernel(), 512, options, self.files)
        try:
            out = subprocess.run(line + (COUNTING if counting else []), stdin=subprocess.DEVNULL,
                                 capture_output=True, timeout=TIMEOUT,
                                 check=False).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            raise Skip(f"the Linux guest was not done after {TIMEOUT} s") from None
        found = {}
        for part in out.replace("\r", "").split("== ")[1:]:
            line, _, output = part.partition("\n")
            if line in self.names:
                found[self.names[line]] = parse(self.names[line], output)
        if len(found) != len(self.names):
            raise Skip(f"the Linux guest ended early: {out[-300:]}")
        return found


def check(name, ours, theirs):
    if ours != theirs:
        raise Skip(f"{name}: {ours} in ring 0, {theirs} on Linux")


def add_mean(results, group, ours, theirs, unit):
    """The geometric mean of the ratios of medians, without the empty call."""
    ratios = [statistics.median(ours[n]) / statistics.median(theirs[n])
              for n in ours if compute.PROGRAMS[n][0] != "call"]
    for name in ours:
        results.add(group, name, ours[name], unit, "Linux guest", theirs[name])
    results.add(group, f"geometric mean ({len(ratios)} programs)",
                [compute.geometric_mean(ratios)], "ratio", "Linux guest", [1.0])


def count(results, guest, modules):
    """Millions of instructions; they differ from run to run by some thousandths of a percent."""
    with Counting():
        there, ours = guest.run(counting=True), {}
        for name, wasm in modules.items():
            result, taken = in_kernel(name, wasm)
            check(name, result, there[name][0])
            ours[name] = [taken]
            progress(f"kernel-compute: {name} counted")
    add_mean(results, "kernel-instructions", ours, {n: [there[n][1]] for n in ours}, "million")


def run(results, rounds):
    os.makedirs(compute.OUT, exist_ok=True)
    modules = {name: compute.module(name, "scalar") for name in compute.PROGRAMS}
    guest, ours, theirs = Linux(modules), {}, {}
    for n in range(max(3, rounds // 5)):
        there = guest.run()
        progress(f"kernel-compute: round {n + 1}: Linux done")
        for name, wasm in modules.items():
            result, taken = in_kernel(name, wasm)
            check(name, result, there[name][0])
            ours.setdefault(name, []).append(taken)
            theirs.setdefault(name, []).append(there[name][1])
        progress(f"kernel-compute: round {n + 1}: ring 0 done")
    add_mean(results, "kernel-compute", ours, theirs, "ms")
    count(results, guest, modules)
