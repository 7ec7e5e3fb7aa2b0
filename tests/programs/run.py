#!/usr/bin/env python3
"""Runs the real programs with `quince exec`, here or in ring 0, and compares what they print, the
files they leave and their exit codes with what they must be. Prints TAP.
usage: run.py QUINCE FOLDER [--in-kernel] [--only NAME] [--write]

--write makes the expectations anew from this run; they were made on the host and checked against
native builds (sqlite3, lua5.4, go run, rustc) when they came in."""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "bench", "wasm"))
from programs import PROGRAMS as LOADS  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("quince")
parser.add_argument("folder")
parser.add_argument("--in-kernel", action="store_true")
parser.add_argument("--only")
parser.add_argument("--write", action="store_true")
given = parser.parse_args()
number = failures = 0
COMPRESSED = 10_000_000  # bytes that minigzip takes there and back


def report(ok, name, detail=""):
    global number, failures
    number += 1
    failures += not ok
    print("ok" if ok else "not ok", number, "-", name, flush=True)
    if not ok:
        print("\n".join("# " + line for line in detail.splitlines()[:60]), flush=True)


def execute(module, *args, options=(), stdin=b""):
    command = [given.quince, "exec", *(["--in-kernel"] if given.in_kernel else []), *options,
               os.path.join(given.folder, module + ".wasm"), *args]
    start = time.monotonic()
    result = subprocess.run(command, input=stdin, capture_output=True, timeout=300)
    print(f"# {module}: {time.monotonic() - start:.2f} s", flush=True)
    return result


def expected(file, text):
    """Whether TEXT is what FILE holds, and what differs."""
    path = os.path.join(HERE, "expected", file)
    if given.write:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
    with open(path) as f:
        wanted = f.read()
    if wanted == text:
        return True, ""
    for n, (a, b) in enumerate(zip(wanted.splitlines() + [""], text.splitlines() + [""]), 1):
        if a != b:
            return False, f"line {n}: expected {a!r}, got {b!r}\n"
    return False, f"expected {len(wanted)} bytes, got {len(text)}\n"


def judge(name, file, result, code, errors=""):
    text = result.stdout.decode(errors="replace")
    ok, detail = expected(file, text)
    told = result.stderr.decode(errors="replace")
    report(ok, f"{name}: what it prints", detail + told)
    report(result.returncode == code, f"{name}: exit code {code}",
           f"it was {result.returncode}\n{told}")
    report(told == errors, f"{name}: standard error", told)


def sqlite3(d):
    with open(os.path.join(HERE, "sqlite.sql"), "rb") as f:
        script = f.read()
    result = execute("sqlite3", "-batch", "-vfs", "unix-none", "/d/test.db",
                     options=["--dir", d + "::/d", "--env", "HOME=/d"], stdin=script)
    judge("sqlite3", "sqlite3.txt", result, 1, errors="""\
Runtime error near line 67: CHECK constraint failed: born > 1000 (19)
Parse error near line 68: no such table: missing
""")
    ok, detail = expected("sqlite3-dump.txt", open(os.path.join(d, "dump.txt")).read())
    report(ok, "sqlite3: the dump it wrote", detail)
    report(sorted(os.listdir(d)) == ["dump.txt", "other.db", "test.db"], "sqlite3: its files",
           str(sorted(os.listdir(d))))
    # The file it left is opened by the next run.
    again = execute("sqlite3", "-vfs", "unix-none", "/d/test.db",
                    "pragma integrity_check; select count(*), max(text) from numbers",
                    options=["--ro-dir", d + "::/d", "--env", "HOME=/d"])
    report(again.stdout == b"ok\n13334|fffc0c7f\n", "sqlite3: its database, opened read-only",
           str(again))


def lua(d):
    with open(os.path.join(HERE, "lua.lua")) as f, open(os.path.join(d, "test.lua"), "w") as to:
        to.write(f.read())
    result = execute("lua", "/d/test.lua", "argument",
                     options=["--dir", d + "::/d", "--env", "GREETING=hello", "--stack", "8M"],
                     stdin=b"first line\nsecond\n")
    judge("lua", "lua.txt", result, 3)


def minigzip(d):
    dice = random.Random(1)
    words = [bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 9)))
             for _ in range(2000)]
    data = b" ".join(dice.choices(words, k=COMPRESSED // 4))[:COMPRESSED]
    with open(os.path.join(d, "data"), "wb") as f:
        f.write(data)
    options = ["--dir", d + "::/d"]
    packed = execute("minigzip", "-6", "/d/data", options=options)
    names = os.listdir(d)
    report(packed.returncode == 0 and names == ["data.gz"], "minigzip: 10 MB compressed",
           f"{packed} {names}")
    if names != ["data.gz"]:
        return
    with open(os.path.join(d, "data.gz"), "rb") as f:
        gz = f.read()
    report(zlib.decompress(gz, 31) == data, "minigzip: another zlib reads them")
    unpacked = execute("minigzip", "-d", "/d/data.gz", options=options)
    with open(os.path.join(d, "data"), "rb") as f:
        report(unpacked.returncode == 0 and f.read() == data, "minigzip: the same bytes come back",
               str(unpacked))
    # The same through pipes.
    piped = execute("minigzip", stdin=data)
    back = execute("minigzip", "-d", stdin=piped.stdout)
    report(back.stdout == data, "minigzip: the same bytes through standard input and output",
           f"{len(piped.stdout)} {len(back.stdout)} {piped.stderr} {back.stderr}")


def rust(d):
    result = execute("rust", "one", "two words",
                     options=["--dir", d + "::/d", "--env", "GREETING=hello"], stdin=b"typed\n")
    judge("rust", "rust.txt", result, 5, "to standard error\n")


def go(d):
    result = execute("go", "one", "two words",
                     options=["--dir", d + "::/d", "--env", "GREETING=hello"],
                     stdin=b"typed\nlines\n")
    judge("go", "go.txt", result, 6, "to standard error\n")


def assemblyscript(d):
    result = execute("assemblyscript", "one", "two words", options=["--env", "GREETING=hello"])
    judge("assemblyscript", "assemblyscript.txt", result, 4, "to standard error\n")


def load(name):
    def test(d):
        _, rounds, value = LOADS[name]
        result = execute(name, str(rounds))
        report(result.returncode == 0 and result.stdout == b"%d\n" % value,
               f"{name}: {rounds} rounds give {value}", str(result))
    return test


TESTS = {"sqlite3": sqlite3, "lua": lua, "minigzip": minigzip, "rust": rust, "go": go,
         "assemblyscript": assemblyscript,
         **{name: load(name) for name in ("records", "lists", "matrix", "states")}}
for name, test in TESTS.items():
    if given.only and name != given.only:
        continue
    with open(os.path.join(given.folder, name + ".wasm"), "rb") as f:
        head = f.read(300)
    if not head.startswith(b"\0asm"):
        number += 1
        print(f"ok {number} - {name} # SKIP {head.decode().strip()}", flush=True)
        continue
    with tempfile.TemporaryDirectory() as d:
        try:
            test(d)
        except (OSError, subprocess.TimeoutExpired) as e:
            report(False, f"{name}: it runs to its end", str(e))
print(f"1..{number}")
sys.exit(failures != 0)
