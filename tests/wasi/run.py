#!/usr/bin/env python3
"""Runs the WASI program with `quince exec` and compares what it saw with what it should have seen.
Prints TAP. usage: run.py QUINCE PROGRAM.wasm [--in-kernel]"""
import os
import subprocess
import sys
import tempfile

quince, program = sys.argv[1:3]
in_kernel = sys.argv[3:] == ["--in-kernel"]
number = failures = 0


def check(ok, name, detail=""):
    global number, failures
    number += 1
    failures += not ok
    print(("ok" if ok else "not ok"), number, "-", name, flush=True)
    if not ok and detail:
        print("\n".join("# " + line for line in detail.splitlines()), flush=True)


READ = """\
/d/inside.txt: inside
/d/./deep/../inside.txt: inside
/d/deep/link: inside
/d/deep/dirlink/inside.txt: inside
/d/none.txt: No such file or directory
/d/inside.txt/: Not a directory
/d/../secret: Capabilities insufficient
/d/deep/../../secret: Capabilities insufficient
/d/out: Capabilities insufficient
/d/outdir/secret: Capabilities insufficient
/d/absolute: Capabilities insufficient
/d/loop: Symbolic link loop
/etc/passwd: Capabilities insufficient
entries: 302, odd: 0
"""
WRITE = """\
create: ok
writev: 6
pwrite: 1
lseek: 4
read: 2 wo
pread: 3 oXe
ftruncate: 0
fstat: 0 100
close: 0, again: -1
exclusive: -1 File exists
mkdir: 0
rename: 0
link: 0
symlink: 0
stat through it: 0 100
lstat: 0 1
readlink: 13 sub/moved.txt
rmdir not empty: -1 Directory not empty
unlinks: 0 0 0
rmdir: 0
symlink out: 0
/d/bad: Capabilities insufficient
unlink: 0
"""
REST = """\
clocks: 0 1
slept: 1
random: 1
malloc: 1
poll: 1 1
input: first
input: second
"""


def run(*args, options=()):
    command = [quince, "exec", *(["--in-kernel"] if in_kernel else []), *options, program, *args]
    return subprocess.run(command, input=b"first\nsecond\n", capture_output=True, timeout=120)


def compare(result, expected, code, name):
    text = result.stdout.decode()
    check(text == expected, name, "expected:\n" + expected + "got:\n" + text + result.stderr.decode())
    check(result.returncode == code, f"{name}: exit code {code}", str(result.returncode))


with tempfile.TemporaryDirectory() as top:
    d = os.path.join(top, "d")
    os.makedirs(os.path.join(d, "deep"))
    os.mkdir(os.path.join(d, "many"))
    for path, text in (("secret", "secret\n"), ("d/inside.txt", "inside\n")):
        with open(os.path.join(top, path), "w") as f:
            f.write(text)
    for i in range(300):
        open(os.path.join(d, "many", f"file with a longer name {i}"), "w").close()
    for target, link in (
        ("../inside.txt", "deep/link"),
        ("..", "deep/dirlink"),
        ("../secret", "out"),
        ("..", "outdir"),
        (os.path.join(top, "secret"), "absolute"),
        ("loop", "loop"),
    ):
        os.symlink(target, os.path.join(d, link))
    options = ("--dir", d + "::/d", "--env", "X=a=b")
    head = "argument: {}\nargument: two words\nX: a=b, HOME: none\n"
    result = run("write", "two words", options=options)
    compare(result, head.format("write") + READ + WRITE + REST, 7, "reading and writing files")
    check(result.stderr == b"to standard error\n", "standard error", result.stderr.decode())
    check(sorted(os.listdir(d)) == sorted(
        ["absolute", "deep", "inside.txt", "loop", "many", "out", "outdir"]),
        "it left nothing behind")
    result = run("read", "abort")
    check(result.returncode == 134, "abort() is exit code 134", str(result.returncode))
    errors = (result.stdout + result.stderr).decode()
    check("quince: trap: unreachable" in errors and "+0x" in errors,
          "its trap and backtrace", errors)
print(f"1..{number}")
sys.exit(failures != 0)
