"""Compile speed: sqlite3's module, and modules of many sizes made of its functions, compiled whole by
every engine in interleaved rounds of one run. What is compared is CPU time: one thread does it all."""

import os
import statistics
import subprocess
import sys

from harness import BUILD, ROOT, WORK, Skip, interleave, wasmtime_python

sys.path.insert(0, os.path.join(ROOT, "bench", "wasm"))
import resize  # noqa: E402

OUT = os.path.join(WORK, "compile")
SCRIPTS = os.path.join(ROOT, "bench", "wasm")
SQLITE = os.path.join(BUILD, "tests", "programs", "sqlite3.wasm")
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
SMALL = 300_000  # below it the process's own memory is most of what it grows by
V8 = ["node", "--no-wasm-lazy-compilation", "--no-wasm-tier-up", "--single-threaded"]
CONTENDERS = {
    "Quince": [os.path.join(BUILD, "bench", "compile-quince")],
    "V8 TurboFan": V8 + ["--no-liftoff", os.path.join(SCRIPTS, "compile_v8.mjs")],
    "V8 Liftoff": V8 + ["--liftoff", os.path.join(SCRIPTS, "compile_v8.mjs")],
    "Wasmtime": [None, os.path.join(SCRIPTS, "compile_wasmtime.py")],  # by the Python that has it
}
# TurboFan takes ten seconds for the largest: a few rounds of that will do.
MEGABYTES_OF_PEERS = 40


def compile_once(line, file):
    """CPU seconds and bytes of growth."""
    try:
        done = subprocess.run([*line, file], capture_output=True, text=True, check=False)
    except OSError as why:
        raise Skip(f"{line[0]}: {why.strerror}") from None
    if done.returncode:
        raise Skip(f"{os.path.basename(line[0])}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    _wall, cpu, grown = done.stdout.split()[:3]
    return float(cpu), int(grown)


def modules():
    """Name → file; sqlite3 without its debugging information."""
    with open(SQLITE, "rb") as f:
        data = f.read()
    if data[:4] != b"\0asm":
        raise Skip(data.decode(errors="replace").strip())
    os.makedirs(OUT, exist_ok=True)
    files = {"sqlite3": resize.strip(data)}
    source = resize.Source(data)
    for size in SIZES:
        name = f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1000} KB"
        files[name] = source.resized(size)
    for name, content in files.items():
        path = os.path.join(OUT, name.replace(" ", "") + ".wasm")
        with open(path, "wb") as f:
            f.write(content)
        files[name] = path
    return files


def contenders(results, file):
    """Those that work here."""
    able = {}
    for name, line in CONTENDERS.items():
        try:
            line = [part or wasmtime_python() for part in line]
            compile_once(line, file)
            able[name] = line
        except Skip as why:
            if name == "Quince":
                raise
            results.skip("compile", name, str(why))
    return able


def run(results, rounds):
    files = modules()
    able = contenders(results, files["10 KB"])
    for name, file in files.items():
        size = os.path.getsize(file)
        growth = {who: [] for who in able}

        def sample(who, file=file, size=size, growth=growth):
            cpu, grown = compile_once(able[who], file)
            growth[who].append(grown / size)
            return size / cpu / 1e6

        few = min(rounds, max(3, int(MEGABYTES_OF_PEERS * 1e6 / size)))
        speed = interleave(f"compile {name}", {who: (lambda who=who: sample(who)) for who in able}, few)
        peers = [who for who in able if who != "Quince"]
        for who in peers or [None]:
            results.add("compile", f"{name}: speed", speed["Quince"], "MB/s", who,
                        speed[who] if who else None)
        if size < SMALL:
            continue
        for who in peers or [None]:
            results.add("compile", f"{name}: memory", growth["Quince"], "bytes/byte", who,
                        growth[who] if who else None)
    slowest = min((r for r in results.rows if r["group"] == "compile" and r["unit"] == "MB/s"),
                  key=lambda r: r["value"])
    fastest = statistics.median(r["value"] for r in results.rows
                                if r["group"] == "compile" and r["unit"] == "MB/s")
    results.add("compile", f"slowest ({slowest['name'].split(':')[0]}) to median",
                [slowest["value"] / fastest], "ratio")
