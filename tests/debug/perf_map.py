#!/usr/bin/env python3
"""`quince exec --perf-map`: the file perf finds compiled functions in. Prints TAP.
Usage: perf_map.py NEST.wasm"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402
from tap import QUINCE, expect, run  # noqa: E402

NEST = sys.argv[1]


def execute(*options, before=lambda path: None):
    """Runs quince exec; the path of the map it may have written, for the caller to remove."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(read, 1)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        os.execv(QUINCE, [QUINCE, "exec", *options, "--invoke", "outer", NEST, "8"])
    path = f"/tmp/perf-{pid}.map"
    before(path)
    os.write(write, b"x")
    os.close(read)
    os.close(write)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, path


def read_map(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    os.unlink(path)
    lines = text.splitlines()
    assert text.endswith("\n") and lines, text
    found = [re.fullmatch(r"([0-9a-f]+) ([0-9a-f]+) (\S.*)", line) for line in lines]
    assert all(found), text
    return [(int(m[1], 16), int(m[2], 16), m[3]) for m in found]


def written():
    code, path = execute("--perf-map")
    assert code == 0, code
    entries = read_map(path)
    names = [name for _, _, name in entries]
    assert names[:4] == ["inner", "wide", "middle", "outer"], names
    assert "wasm-entry" in names[4:], names
    for (start, size, name), (after, _, _) in zip(entries, entries[1:]):
        assert size and start + size <= after, f"{name} reaches into the next"


def not_asked_for():
    code, path = execute()
    assert code == 0 and not os.path.exists(path), path


def not_followed():
    """What lies in the way of the name is replaced, not written through."""
    with tempfile.NamedTemporaryFile() as victim:
        code, path = execute("--perf-map", before=lambda path: os.symlink(victim.name, path))
        assert code == 0 and not os.path.islink(path), path
        assert os.path.getsize(victim.name) == 0, "it wrote through a link"
        assert len(read_map(path)) > 4


def names_from_outside():
    """A name of control characters cannot forge a line."""
    def leb(data):
        return bytes([len(data)]) + data
    name = b"a\n123 456 forged\x7f"
    module = (b"\0asm\1\0\0\0" + b"\1" + leb(b"\1\x60\0\0") + b"\3" + leb(b"\1\0") + b"\7"
              + leb(b"\1" + leb(b"outer") + b"\0\0") + b"\x0a" + leb(b"\1" + leb(b"\0\x0b"))
              + b"\0" + leb(leb(b"name") + b"\1" + leb(b"\1\0" + leb(name))))
    with tempfile.NamedTemporaryFile(suffix=".wasm") as file:
        file.write(module)
        file.flush()
        process = subprocess.Popen([QUINCE, "exec", "--perf-map", "--invoke", "outer", file.name],
                                   stdin=subprocess.DEVNULL)
        assert process.wait(30) == 0
        entries = read_map(f"/tmp/perf-{process.pid}.map")
    assert entries[0][2] == "a?123 456 forged?", entries


def in_kernel():
    expect(run("exec", "--perf-map", "--in-kernel", NEST), 2, err="not for --in-kernel")


tap.main([
    ("a line for every function and thunk", written),
    ("no file unless it is asked for", not_asked_for),
    ("a link in the way is not followed", not_followed),
    ("names from outside stay on their line", names_from_outside),
    ("not in ring 0", in_kernel),
])
