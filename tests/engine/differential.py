#!/usr/bin/env python3
"""Random programs of binaryen's generator, run by Quince and by V8: both must print the same.

usage: differential.py DIFFERENTIAL [FIRST_SEED COUNT]"""

import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
FEATURES = ["--mvp-features", "--enable-mutable-globals", "--enable-sign-ext",
            "--enable-nontrapping-float-to-int", "--enable-bulk-memory", "--enable-multivalue"]
TIMEOUT = 30


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=TIMEOUT, errors="replace")


def signatures(wasm):
    """Export or "module import" name -> [parameter types, result types], from the text format."""
    text = run("wasm-objdump", "-x", wasm).stdout
    types, funcs, found = {}, {}, {}
    for n, params, results in re.findall(r"^ - type\[(\d+)\] \(([^)]*)\) -> (.*)$", text, re.M):
        split = lambda s: [t for t in re.split(r"[ ,()]+", s) if t in ("i32", "i64", "f32", "f64")]
        types[n] = [split(params), split(results)]
    for n, sig in re.findall(r"^ - func\[(\d+)\] sig=(\d+)", text, re.M):
        funcs[n] = types[sig]
    for n, sig, place in re.findall(r"^ - func\[(\d+)\] sig=(\d+) .*<- (.*)$", text, re.M):
        found[place.replace(".", " ", 1)] = types[sig]
    for n, name in re.findall(r'^ - func\[(\d+)\].* -> "(.*)"$', text, re.M):
        found[name] = funcs[n]
    return found


def alike(ours, theirs):
    """V8 does not tell some traps apart."""
    def plain(text):
        text = text.replace("trap uninitialized element", "trap call")
        text = text.replace("trap indirect call type mismatch", "trap call")
        text = re.sub(r"trap (integer overflow|invalid conversion to integer|float)$", "trap float",
                      text, flags=re.M)
        text = text.replace("trap out of bounds table access", "trap undefined element")
        # How deep the stack reaches differs, and with it what was printed before.
        return text
    if "call stack exhausted" in ours or "call stack exhausted" in theirs:
        return True
    return plain(ours) == plain(theirs)


def one(binary, seed, folder):
    rng = random.Random(seed)
    data, wasm = folder / "seed", folder / "random.wasm"
    data.write_bytes(rng.randbytes(rng.choice([300, 1000, 4000, 12000])))
    passes = rng.choice([[], ["-O1"], ["-O3"], ["--flatten", "-Os"]])
    made = run("wasm-opt", data, "-ttf", *FEATURES, "--denan", *passes, "-o", wasm)
    if made.returncode:
        return None
    theirs = run("node", HERE / "differential.mjs", wasm, json.dumps(signatures(wasm)))
    if theirs.returncode:
        return None
    ours = run(binary, wasm, "all,verify")
    if ours.returncode == 0 and alike(ours.stdout, theirs.stdout):
        return ""
    a, b = ours.stdout.split("\n"), theirs.stdout.split("\n")
    line = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), 0)
    return f"exit {ours.returncode}; line {line + 1}: {a[line]!r}, V8 {b[line]!r}"


def main():
    binary = sys.argv[1]
    first, count = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (1, 25)
    tested, failed = 0, 0
    print("1..1")
    with tempfile.TemporaryDirectory() as name:
        for seed in range(first, first + count):
            try:
                wrong = one(binary, seed, pathlib.Path(name))
            except subprocess.TimeoutExpired:
                continue
            if wrong is None:
                continue
            tested += 1
            if wrong:
                failed += 1
                print(f"# seed {seed}: {wrong}", flush=True)
    good = tested > 0 and not failed
    print(f"{'ok' if good else 'not ok'} 1 - {tested} random programs, {failed} differ from V8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
