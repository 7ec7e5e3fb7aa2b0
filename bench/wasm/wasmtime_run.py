"""Runs one export of a module in Wasmtime: prints the result, then the milliseconds of each call."""

import sys
import time

import wasmtime


def main():
    file, name, rounds, repeat = sys.argv[1:5]
    config = wasmtime.Config()
    config.cranelift_opt_level = "speed"
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module.from_file(engine, file), [])
    function = instance.exports(store)[name]
    for i in range(int(repeat)):
        start = time.perf_counter_ns()
        result = function(store, int(rounds))
        taken = time.perf_counter_ns() - start
        if i == 0:
            print(result & 0xFFFFFFFF)
        print(f"time_ms {taken / 1e6:.3f}")


main()
