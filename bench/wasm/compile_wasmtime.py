"""Compiles a module in Wasmtime, in one thread: prints seconds of wall clock, of CPU, and the bytes
of growth, as ../compile.c does."""

import os
import re
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"  # read when the pool of threads is first used
import wasmtime  # noqa: E402


def status(name):
    with open("/proc/self/status", encoding="utf-8") as f:
        return int(re.search(name + r":\s*(\d+)", f.read())[1]) * 1024


config = wasmtime.Config()
config.cranelift_opt_level = "speed"
engine = wasmtime.Engine(config)
before = status("VmRSS")
with open(sys.argv[1], "rb") as f:
    code = f.read()
wall, cpu = time.perf_counter(), time.process_time()
wasmtime.Module(engine, code)
print(f"{time.perf_counter() - wall:.6f} {time.process_time() - cpu:.6f} {status('VmHWM') - before}")
