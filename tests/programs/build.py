#!/usr/bin/env python3
"""Builds one real program for wasm32-wasi, from the sources that tools/setup fetched or those beside
this file. Where a toolchain is not there, the output says why instead of being a module: the tests
skip the program by name with that reason.
usage: build.py PROGRAM OUTPUT THIRD_PARTY CLANG"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
name, output, third_party, clang = sys.argv[1:5]
output = os.path.abspath(output)
work = output + ".work"
EMULATED = ["getpid", "signal", "process-clocks", "mman"]


class Missing(Exception):
    """A toolchain that cannot be had here."""


def run(*command, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace", cwd=options.pop("cwd", work), **options)
    if result.returncode:
        sys.exit(f"{name}: {' '.join(command)}\n{result.stdout[-4000:]}")
    return result.stdout


def compile_c(sources, *flags, libraries=EMULATED):
    """Third-party C: its warnings are not ours to mend."""
    run(clang, "--target=wasm32-wasi", "-O2", "-w", "-I" + os.path.join(HERE, "include"),
        "-include", "missing.h", *("-D_WASI_EMULATED_" + e.upper().replace("-", "_")
                                   for e in EMULATED),
        *flags, *sources, os.path.join(HERE, "missing.c"), "-o", output,
        "-Wl,-z,stack-size=1048576", *("-lwasi-emulated-" + e for e in libraries))


def sqlite3():
    """The shell. Its VFS needs locks, of which preview 1 has none: the tests name unix-none."""
    source = os.path.join(third_party, "sqlite3")
    run("sh", os.path.join(source, "configure"), "--disable-tcl", "--disable-readline")
    run("make", "sqlite3.c", "shell.c")
    compile_c(["sqlite3.c", "shell.c"], "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION",
              "-DSQLITE_OMIT_WAL", "-DSQLITE_MAX_MMAP_SIZE=0", "-DSQLITE_ENABLE_FTS5")


def lua():
    """Lua throws errors with longjmp(), which clang makes of Wasm exceptions (setjmp.c)."""
    source = os.path.join(third_party, "lua5.4", "src")
    with open(os.path.join(work, "lua5.4-deb-multiarch.h"), "w") as f:
        f.write('#define DEB_HOST_MULTIARCH "wasm32-wasi"\n')  # Debian's luaconf.h asks for it
    sources = [os.path.join(source, f) for f in sorted(os.listdir(source))
               if f.endswith(".c") and f != "luac.c"]
    compile_c(sources + [os.path.join(HERE, "setjmp.c")], "-I.", "-mllvm", "-wasm-enable-sjlj",
              "-mexception-handling")


def minigzip():
    source = os.path.join(third_party, "zlib")
    sources = [os.path.join(source, f) for f in sorted(os.listdir(source)) if f.endswith(".c")]
    compile_c(sources + [os.path.join(source, "test", "minigzip.c")], "-I" + source,
              "-DHAVE_UNISTD_H")


def load():
    """One of the compute benchmark's programs, with a main() of its own."""
    bench = os.path.join(ROOT, "bench", "wasm")
    run(clang, "--target=wasm32-wasi", "-O2", "-Wall", "-Wextra", "-Werror", "-I" + bench,
        os.path.join(HERE, "load.c"), os.path.join(bench, name + ".c"), "-o", output)


def rust():
    found = []
    for compiler in (shutil.which("rustc"), "/usr/bin/rustc"):
        if not compiler or not os.access(compiler, os.X_OK):
            continue
        libraries = os.path.join(run(compiler, "--print", "sysroot").strip(), "lib", "rustlib")
        found += [(compiler, target) for target in ("wasm32-wasip1", "wasm32-wasi")
                  if os.path.isdir(os.path.join(libraries, target))]
    if not found:
        raise Missing("no rustc with a standard library for WASI (Debian: rustc, "
                      "libstd-rust-dev-wasm32; rustup: target wasm32-wasip1)")
    compiler, target = found[0]
    run(compiler, "--edition", "2021", "--target", target, "-O", "-C", "strip=debuginfo", "-o",
        output, os.path.join(HERE, "program.rs"))


def go():
    compiler = shutil.which("go")
    version = re.search(r"go1\.(\d+)", run(compiler, "version")) if compiler else None
    if not version or int(version[1]) < 21:
        raise Missing("no Go of at least 1.21, the first that knows GOOS=wasip1")
    env = dict(os.environ, GOOS="wasip1", GOARCH="wasm", GOFLAGS="", GOTOOLCHAIN="local",
               GO111MODULE="off", GOCACHE=os.path.join(work, "cache"))
    run(compiler, "build", "-o", output, os.path.join(HERE, "program.go"), env=env)
    shutil.rmtree(os.path.join(work, "cache"), ignore_errors=True)


def assemblyscript():
    if not shutil.which("npm") or not shutil.which("node"):
        raise Missing("no npm to fetch the AssemblyScript compiler with")
    for file in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, file), work)
    fetched = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=work,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if fetched.returncode:
        lines = [line for line in fetched.stdout.splitlines() if line.strip()] or ["no output"]
        raise Missing("npm could not fetch the AssemblyScript compiler: " + lines[0])
    shutil.copy(os.path.join(HERE, "program.ts"), work)
    run("node", "node_modules/assemblyscript/bin/asc.js", "program.ts", "-O", "--config",
        "node_modules/@assemblyscript/wasi-shim/asconfig.json", "-o", output)


shutil.rmtree(work, ignore_errors=True)
os.makedirs(work)
BUILDERS = {"sqlite3": sqlite3, "lua": lua, "minigzip": minigzip, "rust": rust, "go": go,
            "assemblyscript": assemblyscript}
try:
    BUILDERS.get(name, load)()
except Missing as reason:
    with open(output, "w") as f:
        f.write(f"{reason}\n")
shutil.rmtree(work, ignore_errors=True)
