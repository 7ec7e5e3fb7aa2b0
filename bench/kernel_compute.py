"""Kernel compute: the programs of bench/wasm in ring 0 under QEMU, against the host build of the same
engine in a Linux guest under the same QEMU. Both guests time the calls by their own clock."""

import os
import statistics
import subprocess

import compute
import linux
import qemu
from harness import BUILD, WORK, Skip, progress

SHARE = 8  # an emulated CPU is about as many times slower
REPEAT = 3
TIMEOUT = 900


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


class Linux:
    """One boot runs every program once."""

    def __init__(self, modules):
        progress("building the engine for the Linux guest")
        compute.call("ninja", "-C", BUILD, "bench/exec-linux")
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
        self.line = qemu.command("microvm-acpi", linux.kernel(), 512, linux.command_line(" -- compute"),
                                 linux.initramfs("compute.cpio.gz", files))

    def run(self):
        """Program → (result, milliseconds)."""
        try:
            out = subprocess.run(self.line, stdin=subprocess.DEVNULL, capture_output=True,
                                 timeout=TIMEOUT, check=False).stdout.decode(errors="replace")
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


def run(results, rounds):
    os.makedirs(compute.OUT, exist_ok=True)
    modules = {name: compute.module(name, "scalar") for name in compute.PROGRAMS}
    guest, ours, theirs = Linux(modules), {}, {}
    for n in range(max(3, rounds // 5)):
        there = guest.run()
        progress(f"kernel-compute: round {n + 1}: Linux done")
        for name, wasm in modules.items():
            result, taken = in_kernel(name, wasm)
            if result != there[name][0]:
                raise Skip(f"{name}: {result} in ring 0, {there[name][0]} on Linux")
            ours.setdefault(name, []).append(taken)
            theirs.setdefault(name, []).append(there[name][1])
        progress(f"kernel-compute: round {n + 1}: ring 0 done")
    for name in modules:
        results.add("kernel-compute", name, ours[name], "ms", "Linux guest", theirs[name])
    ratios = [statistics.median(ours[n]) / statistics.median(theirs[n])
              for n in modules if compute.PROGRAMS[n][0] != "call"]
    results.add("kernel-compute", f"geometric mean ({len(ratios)} programs)",
                [compute.geometric_mean(ratios)], "ratio",
                "Linux guest", [1.0])
