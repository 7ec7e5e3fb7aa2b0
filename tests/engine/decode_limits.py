#!/usr/bin/env python3
"""Modules made to exhaust the front end: each must be decoded or refused with a named limit, fast.
Prints TAP. Usage: decode_limits.py DECODE_CHECK"""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from wasm_binary import HEADER, section, sized, u  # noqa: E402

MAX_SIZE = 8 << 20  # what the checker is told to take; the engine's own limit is a gigabyte
SECONDS = 60  # under the sanitizers, on a busy machine; without them these take a second or two


EMPTY_TYPE = b"\x60\x00\x00"
TAG = section(13, b"\1\0\0")  # without payload


def module(body, local_count=0, types=(EMPTY_TYPE,), functions=1, tags=b""):
    local_part = u(1) + u(local_count) + b"\x7f" if local_count else b"\0"
    function = local_part + body + b"\x0b"
    return (HEADER + section(1, u(len(types)) + b"".join(types))
            + section(3, u(functions) + b"\0" * functions) + section(5, b"\1\0\1") + tags
            + section(10, u(functions) + sized(function) * functions))


def get(n):
    return b"\x20" + u(n)


def put(value, n):
    return bytes([0x41, value, 0x21]) + u(n)


BLOCK, LOOP, END, DROP, BR_IF_0 = b"\x02\x40", b"\x03\x40", b"\x0b", b"\x1a", b"\x0d\0"
TRY, CALL_0, TRY_TABLE_ALL = b"\x06\x40", b"\x10\0", b"\x1f\x40\1\2\0"  # catch_all to the outside
N = 20000
READ_ALL = b"".join(get(i) + DROP for i in range(N))
WIDE = u(1000) + b"\x7f" * 1000
COMPLEX = "control flow complexity"


def of_types(params, results):
    """A module with one type."""
    return HEADER + section(1, u(1) + b"\x60" + u(params) + b"\x7f" * params + u(results)
                           + b"\x7f" * results)


def of(number, count, entry, before=b""):
    """A module whose section NUMBER has COUNT times ENTRY."""
    return HEADER + before + section(number, u(count) + entry * count)


TYPE = section(1, b"\1" + EMPTY_TYPE)


def of_exports(count):
    """A module with COUNT exports, each with a name of its own."""
    entries = b"".join(b"\4%04x\0\0" % i if i < 65536 else b"\6%06x\0\0" % i for i in range(count))
    return (HEADER + TYPE + section(3, b"\1\0") + section(7, u(count) + entries)
            + section(10, b"\1\2\0\x0b"))


def of_constants(count):
    """A module with a constant expression of COUNT operands open at a time."""
    return of(6, 1, b"\x7f\0" + b"\x41\0" * count + b"\x6a" * (count - 1) + b"\x0b")


def of_size(size):
    """A module of SIZE bytes."""
    for padding in range(size - 16, size):
        bytes_ = HEADER + section(0, b"\1x" + b"\0" * padding)
        if len(bytes_) == size:
            return bytes_
    raise ValueError(size)


def of_body(size):
    """A module with a body of SIZE bytes."""
    body = b"\0" + b"\1" * (size - 2) + b"\x0b"
    return HEADER + TYPE + section(3, b"\1\0") + section(10, u(1) + u(size) + body)


# What stands at a limit is taken, one more is refused with the limit's name.
AT_LIMITS = [
    ("parameters", "more than 1000 parameters", lambda n: of_types(n, 0), 1000),
    ("results", "more than 1000 results", lambda n: of_types(0, n), 1000),
    ("types", "more than 1000000 types", lambda n: of(1, n, EMPTY_TYPE), 1000000),
    ("functions imported", "more than 1000000", lambda n: of(2, n, b"\0\0\0\0", TYPE), 1000000),
    ("globals", "more than 1000000 globals", lambda n: of(6, n, b"\x7f\0\x41\0\x0b"), 1000000),
    ("memories", "more than 100 memories", lambda n: of(5, n, b"\0\0"), 100),
    ("tables", "more than 100000 tables", lambda n: of(4, n, b"\x70\0\0"), 100000),
    ("tags", "more than 1000000 tags", lambda n: of(13, n, b"\0\0", TYPE), 1000000),
    ("exports", "more than 1000000 exports", of_exports, 1000000),
    ("element segments", "more than 10000000 element segments", lambda n: of(9, n, b"\1\0\0"), 10000000),
    ("items of an element segment", "more than 10000000 segment items",
     lambda n: HEADER + TYPE + section(3, b"\1\0") + section(9, b"\1\1\0" + u(n) + b"\0" * n)
     + section(10, b"\1\2\0\x0b"), 10000000),
    ("operands of a constant expression", "deeper than 64", of_constants, 64),
    ("the bytes of a module", f"the limit is {MAX_SIZE}", of_size, MAX_SIZE),
    ("data segments", "more than 100000 data", lambda n: of(11, n, b"\1\0"), 100000),
    ("the bytes of a body", "function body over 7654321", of_body, 7654321),
    ("locals", "too many locals", lambda n: module(b"", n), 50000),
    ("nesting", "nested deeper than 100000", lambda n: module(BLOCK * (n - 1) + END * (n - 1)),
     100000),
    ("br_table's labels", "br_table of more than 65520",
     lambda n: module(BLOCK + get(0) + b"\x0e" + u(n) + b"\0" * (n + 1) + END, 1), 65520),
    ("operands", "operand stack higher", lambda n: module(b"\x41\0" * n + DROP * n), 1000000),
]

CASES = [
    # With a deadline of 20 ms.
    ("a long chain of blocks against a deadline", module(
        BLOCK + (get(0) + BR_IF_0) * N + READ_ALL + END, N), "longer than its deadline"),
    ("nested blocks", module(BLOCK * 99000 + END * 99000), "ok"),
    ("nested ifs", module((get(0) + b"\x04\x40") * 99000 + END * 99000, 1), "ok"),
    ("too deeply nested blocks", module(BLOCK * 100001 + END * 100001), "nested deeper"),
    ("a row of ifs that assign", module((get(0) + b"\x04\x40" + put(1, 1) + b"\x05" + put(2, 2)
                                         + END) * N, 50000), "ok"),
    ("many functions with many locals", module(get(49999) + DROP, 50000, functions=10000), "ok"),
    ("too many locals", module(b"", 50001), "too many locals"),
    ("a branch to one label per local, all read afterwards",
     module(BLOCK + b"".join(put(1, i) + get(0) + BR_IF_0 for i in range(N)) + END + READ_ALL, N),
     COMPLEX),
    ("a long chain of blocks, all locals read at its end",
     module(BLOCK + (get(0) + BR_IF_0) * N + READ_ALL + END, N), COMPLEX),
    ("all locals read in nested loops",
     module(LOOP * 1000 + READ_ALL + (get(0) + BR_IF_0 + END) * 1000, N), COMPLEX),
    ("br_table to every level", module(
        BLOCK * N + get(0) + b"\x0e" + u(N) + b"".join(u(i) for i in range(N)) + u(0)
        + b"".join(END + put(1, i % 100) for i in range(N)), 100), "ok"),
    ("br_tables to one label", module(
        (BLOCK + get(0) + b"\x0e" + u(1000) + b"\0" * 1001 + END) * 500, 1), "ok"),
    ("br_table over the limit", module(
        BLOCK + get(0) + b"\x0e" + u(70000) + b"\0" * 70001 + END, 1), "br_table of more"),
    ("blocks with a thousand results", module(
        b"\x41\0" * 1000 + b"\x02\x01\x0c\0\x0b" * 20000 + b"\0", 0,
        (EMPTY_TYPE, b"\x60" + WIDE + WIDE)), COMPLEX),
    ("calls with a thousand results", module(b"\x10\0" * N, 0, (b"\x60\0" + WIDE,)), COMPLEX),
    ("nested tries around a call",
     module(TRY * 99000 + CALL_0 + (b"\x07\0" + END) * 99000, tags=TAG), "ok"),
    ("nested try_tables around a call",
     module(TRY_TABLE_ALL * 99000 + CALL_0 + END * 99000, tags=TAG), "ok"),
    ("a try with many catches", module(TRY + CALL_0 + b"\x07\0" * N + END, tags=TAG), "ok"),
    ("a try_table with many clauses, locals read behind it", module(
        b"\x1f\x40" + u(N) + b"\0\0\0" * N + CALL_0 + END + READ_ALL[:3000], N, tags=TAG), "ok"),
    ("many calls in a try, all locals read in its handler", module(
        TRY + b"".join(put(1, i) + CALL_0 for i in range(N)) + b"\x19" + READ_ALL + END, N, tags=TAG),
     COMPLEX),
    ("many calls in nested try_tables, all locals read behind them", module(
        TRY_TABLE_ALL * 1000 + b"".join(put(1, i) + CALL_0 for i in range(N)) + END * 1000
        + READ_ALL, N, tags=TAG), COMPLEX),
    ("too many clauses", module(
        TRY_TABLE_ALL + b"\x1f\x40" + u(100000) + b"\2\0" * 100000 + END + END, tags=TAG),
     "catch clauses"),
    ("an operand stack over the limit", module(b"\x41\0" * 1000001), "operand stack higher"),
]
CASES += [(f"{name}: {limit}", make(limit), "ok") for name, _, make, limit in AT_LIMITS]
CASES += [(f"{name}: {limit + 1}", make(limit + 1), text) for name, text, make, limit in AT_LIMITS]


def main():
    checker = sys.argv[1]
    print(f"1..{len(CASES)}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "module.wasm")
        for number, (name, bytes_, wanted) in enumerate(CASES, 1):
            with open(path, "wb") as f:
                f.write(bytes_)
            start = time.monotonic()
            try:
                options = (["--deadline", "20"] if "deadline" in wanted else
                           ["--max-size", str(MAX_SIZE)] if name.startswith("the bytes of a module") else [])
                run = subprocess.run([checker, path, *options], capture_output=True, text=True,
                                     timeout=SECONDS)
                answer = run.stdout.strip() or run.stderr[:500]
            except subprocess.TimeoutExpired:
                answer = f"no answer within {SECONDS} s"
            took = time.monotonic() - start
            good = (answer.startswith("ok ") if wanted == "ok" else
                    answer.split(" ")[0] in ("limit", "timeout") and wanted in answer)
            print(f"{'ok' if good else 'not ok'} {number} - {name}: {took:.1f} s")
            if not good:
                print("# " + answer.replace("\n", " "))


main()
