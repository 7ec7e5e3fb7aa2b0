"""Compute: the programs of bench/wasm under every engine, in interleaved rounds of one run."""

import math
import os
import statistics
import subprocess
import sys

from harness import BUILD, ROOT, WORK, Skip, progress, wasmtime_python

sys.path.insert(0, os.path.join(ROOT, "bench", "wasm"))
from programs import PROGRAMS  # noqa: E402

SOURCE = os.path.join(ROOT, "bench", "wasm")
OUT = os.path.join(WORK, "wasm")
QUINCE = os.path.join(BUILD, "host", "quince")
VARIANTS = {"scalar": [], "simd": ["-msimd128"]}
REPEAT = 3  # calls per process: the first warms up, the fastest counts


def call(*line, cwd=None):
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise Skip(f"{os.path.basename(line[0])}: {(done.stderr or done.stdout).strip()[-200:]}")
    return done.stdout


def sqlite():
    """The folder with SQLite's amalgamation, made from the source that tools/setup fetched; once."""
    folder = os.path.join(WORK, "sqlite3")
    if not os.path.exists(os.path.join(folder, "sqlite3.c")):
        progress("making sqlite3.c")
        os.makedirs(folder, exist_ok=True)
        source = os.path.join(BUILD, "third_party", "sqlite3")
        call("sh", os.path.join(source, "configure"), "--disable-tcl", "--disable-readline", cwd=folder)
        call("make", "sqlite3.c", cwd=folder)
    return folder


def source_flags(name):
    """Third-party C: its warnings are not ours to mend."""
    return ["-w", "-I" + sqlite()] if name == "sqlite" else []


def module(name, variant):
    """The program as optimised wasm32: from text where there is one, else from C."""
    out = os.path.join(OUT, f"{name}.{variant}.wasm")
    text = os.path.join(SOURCE, name + ".wat")
    if os.path.exists(text):
        call("wat2wasm", text, "-o", out)
        return out
    # SQLite needs a C library; linked in, it leaves no imports.
    target = (["--target=wasm32-wasi", "-nostartfiles"] if name == "sqlite" else
              ["--target=wasm32", "-nostdlib"])
    call("clang", *target, "-O3", "-ffp-contract=off", "-Wl,--no-entry", *source_flags(name),
         *VARIANTS[variant], "-o", out, os.path.join(SOURCE, name + ".c"))
    call("wasm-opt", "-O3", "--enable-simd", "--enable-bulk-memory", "--enable-sign-ext", out, "-o", out)
    return out


# Each contender turns (program, variant, module) into a command that prints the result and times.

def native(name, _variant, _module):
    out = os.path.join(OUT, name + ".native")
    call("gcc", "-std=gnu17", "-O2", "-fno-math-errno", "-ffp-contract=off", *source_flags(name), "-o",
         out, os.path.join(SOURCE, name + ".c"), os.path.join(SOURCE, "native.c"))
    return [out, str(PROGRAMS[name][1]), str(REPEAT)]


def quince(name, _variant, wasm):
    return [QUINCE, "exec", "--invoke", "run", "--repeat", str(REPEAT), wasm, str(PROGRAMS[name][1])]


def v8(name, _variant, wasm):
    return ["node", "--no-liftoff", os.path.join(SOURCE, "v8.mjs"), wasm, "run",
            str(PROGRAMS[name][1]), str(REPEAT)]


def wasmtime(name, _variant, wasm):
    return [wasmtime_python(), os.path.join(SOURCE, "wasmtime_run.py"), wasm, "run", str(PROGRAMS[name][1]),
            str(REPEAT)]


def wasm2c(name, variant, wasm):
    if variant == "simd":
        raise Skip("Debian's wasm2c has no SIMD")
    base = os.path.join(OUT, name + ".w2c")
    call("wasm2c", "-n", name, wasm, "-o", base + ".c")
    call("gcc", "-O2", "-I/usr/share/wabt/wasm2c", f'-DHEADER="{base}.h"', f"-DMODULE={name}", "-o",
         base, base + ".c", os.path.join(SOURCE, "wasm2c_main.c"), os.path.join(SOURCE, "native.c"),
         "/usr/share/wabt/wasm2c/wasm-rt-impl.c", "-lm")
    return [base, str(PROGRAMS[name][1]), str(REPEAT)]


CONTENDERS = {"gcc -O2": native, "Quince": quince, "V8": v8, "Wasmtime": wasmtime,
              "wasm2c + gcc -O2": wasm2c}


JITS = ("V8", "Wasmtime")


def sample(name, line):
    """Fastest call in milliseconds; a wrong result is an error, not a time."""
    lines = call(*line).split("\n")
    if int(lines[0]) & 0xFFFFFFFF != PROGRAMS[name][2]:
        raise Skip(f"wrong result {lines[0]} instead of {PROGRAMS[name][2]}")
    return min(float(text.split()[1]) for text in lines[1:] if text.startswith("time_ms"))


def prepare(results):
    """(program, variant) → contender → command. What cannot be had is said once, by name."""
    lines, gone = {}, set()
    for variant in VARIANTS:
        for name in PROGRAMS:
            wasm = module(name, variant)
            for contender, make in CONTENDERS.items():
                if contender in gone:
                    continue
                try:
                    lines.setdefault((name, variant), {})[contender] = make(name, variant, wasm)
                except Skip as why:
                    if contender == "Wasmtime":
                        gone.add(contender)
                        results.skip("compute", contender, str(why))
    return lines


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def run(results, rounds):
    os.makedirs(OUT, exist_ok=True)
    lines, samples = prepare(results), {}
    for n in range(max(3, rounds // 5)):
        for (name, variant), contenders in lines.items():
            for contender, line in list(contenders.items()):
                try:
                    samples.setdefault((name, variant, contender), []).append(sample(name, line))
                except Skip as why:
                    results.skip("compute", f"{name} {variant} with {contender}", str(why))
                    del contenders[contender]
        progress(f"compute: round {n + 1} done")
    report(results, lines, samples)


def report(results, lines, samples):
    """The rows of each program, the geometric means, and where we stand worst."""
    peers = [c for c in CONTENDERS if c != "Quince"]
    ratios, worst = {}, {}
    for (name, variant), contenders in lines.items():
        ours = samples.get((name, variant, "Quince"))
        for peer in peers:
            theirs = samples.get((name, variant, peer))
            if ours and theirs and statistics.median(theirs) > 0:
                results.add("compute", f"{name} {variant}", ours, "ms", peer, theirs)
                ratio = statistics.median(ours) / statistics.median(theirs)
                if PROGRAMS[name][0] == "call":
                    continue
                for kind in ("all", PROGRAMS[name][0]):
                    ratios.setdefault((variant, kind, peer), []).append(ratio)
                if peer in JITS:
                    worst[variant, name] = max(ratio, worst.get((variant, name), 0))
    for (variant, kind, peer), found in sorted(ratios.items()):
        results.add("compute", f"geometric mean, {kind}, {variant} ({len(found)} programs)",
                    [geometric_mean(found)], "ratio", peer, [1.0])
    for variant in VARIANTS:
        found = sorted(((r, name) for (v, name), r in worst.items() if v == variant), reverse=True)
        for ratio, name in found[:3]:
            results.add("compute", f"among the worst, {variant}: {name}", [ratio], "ratio",
                        "the better of " + " and ".join(JITS), [1.0])
