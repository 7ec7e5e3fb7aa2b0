#!/usr/bin/env python3
"""The house's rules that a machine can check: style, the size of files, who includes whom."""

import os
import re
import subprocess

import tap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LONGEST = 800  # lines; more is two concepts


def sources(*patterns):
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--", *patterns],
                            stdout=subprocess.PIPE, check=True).stdout.decode()
    files = [os.path.join(ROOT, f) for f in listed.split("\0") if f]
    assert files, f"git knows no {patterns}"
    return files


def style():
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", *sources("*.c", "*.h")],
                          stderr=subprocess.PIPE, check=False)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr.decode(), re.M)))
    assert done.returncode == 0, f"make format puts these right: {wrong}"


def length():
    for path in sources("*.c", "*.h", "*.S", "*.py"):
        with open(path, encoding="utf-8") as f:
            lines = sum(1 for _ in f)
        assert lines <= LONGEST, f"{os.path.relpath(path, ROOT)} has {lines} lines"


def includes(path):
    with open(path, encoding="utf-8") as f:
        return re.findall(r'^\s*#\s*include\s+"([^"]+)"', f.read(), re.M)


def engine_knows_no_kernel():
    for path in sources("wasm/*.c", "wasm/*.h"):
        for header in includes(path):
            inside = os.path.join(ROOT, "kernel", header)
            assert not os.path.exists(inside), f"{os.path.relpath(path, ROOT)} includes {header}"


def kernel_sees_the_engine_from_one_place():
    engine = {os.path.relpath(p, os.path.join(ROOT, "wasm")) for p in sources("wasm/*.h")}
    for path in sources("kernel/*.c", "kernel/*.h"):
        name = os.path.relpath(path, ROOT)
        seen = {h for h in includes(path) if h in engine}
        assert seen <= {"wasm.h", "host.h", "entry.h"}, f"{name} includes {seen}"
        assert not seen or name.startswith("kernel/extend/"), f"{name} includes {seen}"


tap.main([
    ("every C file is in the repository's style", style),
    (f"no file is longer than {LONGEST} lines", length),
    ("wasm/ includes nothing of kernel/", engine_knows_no_kernel),
    ("kernel/ sees of wasm/ only its public headers, and only from extend/",
     kernel_sees_the_engine_from_one_place),
])
