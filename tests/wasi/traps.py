#!/usr/bin/env python3
"""Every kind of trap through `quince exec --invoke`: its name and exit code. Prints TAP.
usage: traps.py QUINCE TRAPS.wasm [--in-kernel]"""
import subprocess
import sys

quince, module = sys.argv[1:3]
options = sys.argv[3:]
MEMORY = "out of bounds memory access"
CASES = [
    (["spin"], 134, "time budget exceeded"),
    (["spin_calls"], 134, "time budget exceeded"),
    (["recurse", "1"], 134, "call stack exhausted"),
    (["load", "65532"], 0, "0"),
    (["load", "65533"], 134, MEMORY),
    (["load", "-1"], 134, MEMORY),
    (["store", "-1"], 134, MEMORY),
    (["store", "8"], 134, MEMORY),
    (["fill", "65500"], 134, MEMORY),
    (["div", "7", "0"], 134, "integer divide by zero"),
    (["div", "-2147483648", "-1"], 134, "integer overflow"),
    (["div", "-7", "2"], 0, "-3"),
    (["trunc", "1e10"], 134, "integer overflow"),
    (["trunc", "nan"], 134, "invalid conversion to integer"),
    (["unreachable"], 134, "unreachable"),
    (["indirect", "0"], 134, "indirect call type mismatch"),
    (["indirect", "1"], 134, "uninitialized element"),
    (["indirect", "2"], 134, "undefined element"),
    (["grow", "1"], 0, "1"),
    (["grow", "2"], 0, "-1"),
    (["floats", "0.1", "-0x1p-3"], 0, "-0.125\n0.1"),
    (["none"], 2, "no exported function"),
    (["load", "x"], 2, "is not of its type"),
]
failures = 0
for number, (args, code, text) in enumerate(CASES, 1):
    result = subprocess.run(
        [quince, "exec", *options, "--budget", "100", "--invoke", args[0], module, *args[1:]],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    output = (result.stdout + result.stderr).decode()
    expected = f"quince: trap: {text}\n" if code == 134 else text
    ok = result.returncode == code and expected in output
    failures += not ok
    print("ok" if ok else "not ok", number, "-", *args, "→", text.replace("\n", " "), flush=True)
    if not ok:
        print(f"# exit code {result.returncode}, output: {output!r}", flush=True)
print(f"1..{len(CASES)}")
sys.exit(failures != 0)
