"""Calls across the border: from C into WebAssembly and back, against a call through a pointer in C in
the same process, on the host and in ring 0 under QEMU, and V8 between JavaScript and WebAssembly."""

import os
import subprocess

import qemu
from harness import BUILD, ROOT, Skip, progress

HOST_ROUNDS, KERNEL_ROUNDS, KERNEL_CALLS = 20, 5, 20000
WASM = os.path.join(BUILD, "bench", "calls.wasm")
KINDS = [
    ("entry0", "host → export, empty", "native0"),
    ("entry4", "host → export, 4 parameters", "native4"),
    ("wasm_call4", "host → export by wasm_call()", "native4"),
    ("host0", "export → host, empty", "native0"),
    ("host4", "export → host, 4 parameters", "native4"),
]


GOAL = "1.5 × a call by pointer + 1 ns"


def goal(samples):
    return [1.5 * value + 1 for value in samples]


def measure(samples, line):
    """Runs LINE, which prints "name value", and adds to SAMPLES: name → list."""
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)
    lines = [text.split() for text in done.stdout.decode(errors="replace").splitlines()]
    if ["done"] not in lines:
        raise Skip(f"{os.path.basename(line[0])}: {(done.stdout + done.stderr)[-200:]!r}")
    for words in lines:
        if len(words) == 2:
            samples.setdefault(words[0], []).append(float(words[1]))


def run(results, rounds):
    progress("building")
    subprocess.run(["ninja", "-C", BUILD, "bench/calls", "bench/calls.wasm", "bench/calls.img"],
                   check=True, stdout=subprocess.DEVNULL)
    image = os.path.join(BUILD, "bench", "calls.img")
    lines = {
        "": [os.path.join(BUILD, "bench", "calls"), str(HOST_ROUNDS)],
        "V8": ["node", "--no-liftoff", os.path.join(ROOT, "bench", "peers", "calls.mjs"), WASM,
               str(HOST_ROUNDS)],
        "ring 0": qemu.command("microvm", image, 64, f"-- {KERNEL_ROUNDS} {KERNEL_CALLS}"),
    }
    samples = {where: {} for where in lines}
    for n in range(rounds):
        for where, line in list(lines.items()):
            try:
                measure(samples[where], line)
            except (Skip, OSError) as why:
                results.skip("calls", where or "host", str(why))
                del lines[where]
        progress(f"calls {n + 1}/{rounds}")
    for where in ("", "ring 0"):
        got = samples[where]
        for key in ("native0", "native4"):
            if key in got:
                place = f" ({where})" if where else ""
                results.add("calls", f"call by pointer, {key[-1]} parameters{place}", got[key], "ns")
        for suffix, words in (("", ""), ("-limit", ", time limit")):
            for key, name, native in KINDS:
                if key + suffix in got:
                    place = f" ({where})" if where else ""
                    results.add("calls", name + words + place, got[key + suffix], "ns",
                                GOAL, goal(got[native]))
    for key, name, native in KINDS:
        if key in samples["V8"] and native in samples[""]:
            results.add("calls", f"V8: {name.replace('host', 'JavaScript')}", samples["V8"][key], "ns",
                        GOAL, goal(samples[""][native]))
