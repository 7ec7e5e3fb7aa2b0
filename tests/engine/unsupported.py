#!/usr/bin/env python3
"""Features that the engine does not have: a module that uses one is refused with the feature's name
and the offset of the byte that gives it away. docs/engine.md lists the same features. Prints TAP.
Usage: unsupported.py DECODE_CHECK"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from wasm_binary import HEADER, section, sized  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = section(1, b"\1\x60\0\0")


# Modules with the BYTES somewhere.
def in_type(bytes_):
    return HEADER + section(1, b"\1" + bytes_ + b"\0\0")


def in_params(bytes_):
    return HEADER + section(1, b"\1\x60\1" + bytes_ + b"\0")


def in_code(bytes_):
    body = b"\0" + bytes_ + b"\x0b"
    return (HEADER + TYPES + section(3, b"\1\0") + section(5, b"\1\0\1")
            + section(10, b"\1" + sized(body)))


def in_block_type(bytes_):
    return in_code(b"\1\2" + bytes_ + b"\0\x0b")


def in_locals(bytes_):
    body = b"\1\1" + bytes_ + b"\x0b"
    return HEADER + TYPES + section(3, b"\1\0") + section(10, b"\1" + sized(body))


def in_ref_null(bytes_):
    return in_code(b"\xd0" + bytes_ + b"\x1a")


def in_global_init(bytes_):
    return HEADER + section(6, b"\1\x70\0" + bytes_ + b"\x0b")


def in_global_null(bytes_):
    return in_global_init(b"\xd0" + bytes_)


def in_exn_init(bytes_):
    return HEADER + section(6, b"\1\x69\0\xd0" + bytes_ + b"\x0b")


def in_vectors(bytes_):
    """After two vectors."""
    return in_code((b"\xfd\x0c" + b"\0" * 16) * 2 + bytes_ + b"\x1a")


def in_table(bytes_):
    return HEADER + section(4, b"\1" + bytes_ + b"\0\0\0\0")


def in_table_limits(bytes_):
    return HEADER + section(4, b"\1\x70" + bytes_ + b"\0\0\0\0")


def in_memory(bytes_):
    return HEADER + section(5, b"\1" + bytes_ + b"\0\0\0\0")


def in_sections(bytes_):
    return HEADER + TYPES + bytes_ + b"\0"


def in_header(bytes_):
    return b"\0asm" + bytes_


GC, FUNC_REF, STRINGS = "garbage collection", "typed function references", "stringref"
STACKS, SHARED = "stack switching", "shared-everything threads"
HALF = "half-precision floats"
# Feature, what of it, where it stands and in which bytes.
CASES = [
    (GC, "a struct type", in_type, b"\x5f"),
    (GC, "an array type", in_type, b"\x5e"),
    (GC, "a recursive group", in_type, b"\x4e"),
    (GC, "a subtype", in_type, b"\x50"),
    (GC, "anyref as a parameter", in_params, b"\x6e"),
    (GC, "i31ref as a local", in_locals, b"\x6c"),
    (GC, "eqref as the type of a block", in_block_type, b"\x6d"),
    (GC, "structref in a table", in_table, b"\x6b"),
    (GC, "ref.null none", in_ref_null, b"\x71"),
    (GC, "ref.null any in a constant expression", in_global_null, b"\x6e"),
    (GC, "ref.eq", in_code, b"\xd3"),
    (GC, "struct.new", in_code, b"\xfb\0"),
    (GC, "struct.new in a constant expression", in_global_init, b"\xfb\0"),
    (FUNC_REF, "(ref null 0) as a parameter", in_params, b"\x63\0"),
    (FUNC_REF, "(ref 0) as a local", in_locals, b"\x64\0"),
    (FUNC_REF, "ref.null of a type", in_ref_null, b"\0"),
    (FUNC_REF, "call_ref", in_code, b"\x14"),
    (FUNC_REF, "return_call_ref", in_code, b"\x15"),
    (FUNC_REF, "ref.as_non_null", in_code, b"\xd4"),
    (FUNC_REF, "br_on_null", in_code, b"\xd5"),
    (FUNC_REF, "a table with an initial value", in_table, b"\x40"),
    (STRINGS, "stringref as a parameter", in_params, b"\x67"),
    (STRINGS, "a section of literals", in_sections, b"\x0e"),
    (STRINGS, "string.const", in_code, b"\xfb\x82\1"),
    (STACKS, "a continuation type", in_type, b"\x5d"),
    (STACKS, "contref as a parameter", in_params, b"\x68"),
    (STACKS, "cont.new", in_code, b"\xe0"),
    (STACKS, "resume", in_code, b"\xe3"),
    (SHARED, "a shared reference", in_params, b"\x65\x70"),
    (SHARED, "a shared table", in_table_limits, b"\3"),
    (SHARED, "pause", in_code, b"\xfe\4"),
    (SHARED, "global.atomic.get", in_code, b"\xfe\x4f"),
    ("64-bit tables", "in a table's limits", in_table_limits, b"\4"),
    ("custom page sizes", "in a memory's limits", in_memory, b"\x08"),
    ("memory control", "memory.discard", in_code, b"\xfc\x12"),
    ("wide arithmetic", "i64.add128", in_code, b"\xfc\x13"),
    ("wide arithmetic", "i64.mul_wide_u", in_code, b"\xfc\x16"),
    (HALF, "f32.load_f16", in_code, b"\xfc\x30"),
    (HALF, "f16x8.splat", in_code, b"\xfd\xa0\2"),
    ("bfloat16 dot product", "", in_code, b"\xfd\x94\2"),
    ("component model", "a component", in_header, b"\x0d\0\1\0"),
    ("component model", "of a later draft", in_header, b"\x0e\0\1\0"),
]
# What nobody has defined is malformed, not a feature.
UNKNOWN = [
    ("an opcode", in_code, b"\x27"),
    ("an opcode after 0xfc", in_code, b"\xfc\x7f"),
    ("an opcode after 0xfb", in_code, b"\xfb\xff\1"),
    ("an opcode after 0xfd", in_code, b"\xfd\xff\7"),
    ("an opcode after 0xfe", in_code, b"\xfe\5"),
    ("a type", in_params, b"\x79"),
    ("a section", in_sections, b"\x7f"),
    ("limits of a memory", in_memory, b"\x10"),
    ("a version", in_header, b"\2\0\0\0"),
]
# Features that a load can leave out (wasm_load_options.without), by their bit in enum wasm_feature; the
# same bytes are taken when it does not.
LEFT_OUT = [
    (32, "exnref as a parameter", in_params, b"\x69"),
    (32, "exnref as a local", in_locals, b"\x69"),
    (32, "ref.null exn", in_ref_null, b"\x69"),
    (32, "ref.null exn in a constant expression", in_exn_init, b"\x69"),
    (1, "return_call", in_code, b"\x12\0"),
    (64, "i8x16.relaxed_swizzle", in_vectors, b"\xfd\x80\2"),
]


def offset_of(build, bytes_):
    """Where the module that BUILD makes has its BYTES: others there tell."""
    module, other = build(bytes_), build(bytes(b ^ 0x80 for b in bytes_))
    return next(i for i, (a, b) in enumerate(zip(module, other)) if a != b)


def documented():
    """The first column of the table of what is refused."""
    with open(os.path.join(ROOT, "docs", "engine.md"), encoding="utf-8") as f:
        part = f.read().split("## What is refused")[1].split("\n## ")[0]
    return set(re.findall(r"^\| ([^|]+?) \|", part, re.M)) - {"feature", "---"}


def main():
    checker = sys.argv[1]
    number = 0

    def check(good, name, note=""):
        nonlocal number
        number += 1
        print(f"{'ok' if good else 'not ok'} {number} - {name}")
        if not good:
            print("# " + note.replace("\n", " "))

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "module.wasm")

        def answer(build, bytes_, *options):
            with open(path, "wb") as f:
                f.write(build(bytes_))
            run = subprocess.run([checker, path, *options], capture_output=True, text=True, timeout=60)
            return run.stdout.strip() or run.stderr[:500]

        for feature, what, build, bytes_ in CASES:
            got = answer(build, bytes_)
            wanted = f"unsupported {offset_of(build, bytes_)} {feature}: not supported"
            check(got.startswith(wanted), f"{feature}: {what}", f"not {wanted!r}: {got}")
        for what, build, bytes_ in UNKNOWN:
            got = answer(build, bytes_)
            wanted = f"malformed {offset_of(build, bytes_)} "
            check(got.startswith(wanted), f"unknown: {what}", f"not {wanted!r}: {got}")
        for bit, what, build, bytes_ in LEFT_OUT:
            got, without = answer(build, bytes_), answer(build, bytes_, "--without", str(bit))
            check(got.startswith("ok "), f"there unless left out: {what}", got)
            check(without.startswith("malformed "), f"left out: {what}", without)
    listed, tested = documented(), {case[0] for case in CASES}
    check(listed == tested, "docs/engine.md lists these features",
          f"only there: {listed - tested}, only here: {tested - listed}")
    print(f"1..{number}")


main()
