#!/usr/bin/env python3
"""`make bench [ONLY=group,…]`: every figure as a ratio to a peer measured in the same run."""

import argparse
import importlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BUILD, WORK, Results, Skip, progress  # noqa: E402

# Name → module and what it measures.
GROUPS = {
    "boot": ("boot", "time to the first line of hello; least memory"),
    "size": ("size", "stripped images"),
    "calls": ("calls", "calls between C and WebAssembly, with and without a time limit"),
    "compute": ("compute", "programs under Quince, V8, Wasmtime, wasm2c and gcc"),
    "first-result": ("first_result", "from loading an extension to its first verdict"),
    "kernel-compute": ("kernel_compute", "the same programs in ring 0 and in a Linux guest"),
    "compile": ("compile", "how fast modules compile, under Quince, V8 and Wasmtime"),
    "http": ("serve", "requests per second, with and without extensions"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="comma-separated: " + ", ".join(
        f"{name} ({what})" for name, (_, what) in GROUPS.items()))
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (default 15)")
    options = parser.parse_args()
    wanted = [g for g in options.only.split(",") if g] or list(GROUPS)
    for group in wanted:
        if group not in GROUPS:
            parser.error(f"no group {group!r}; there are: {', '.join(GROUPS)}")
    os.makedirs(WORK, exist_ok=True)
    results, failed = Results(), False
    # Machines of a benchmark meet none of the user's, nor those of another benchmark.
    state = tempfile.TemporaryDirectory(prefix="quince-bench-", dir="/tmp")
    os.environ["XDG_RUNTIME_DIR"] = state.name
    for group in wanted:
        module, what = GROUPS[group]
        progress(f"== {group}: {what}")
        try:
            importlib.import_module(module).run(results, options.rounds)
        except Skip as why:
            results.skip(group, "the whole group", str(why))
            failed = True
    results.table()
    path = os.path.join(BUILD, "bench.json")
    results.write(path)
    progress(f"written: {os.path.relpath(path)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
