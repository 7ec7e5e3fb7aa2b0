#!/usr/bin/env python3
"""Modules for Quince and V8: both must accept the same, and what they accept must do the same.

Modules come from binaryen's generator (wasm-opt --translate-to-fuzz), with a random choice of
features and passes, and from changing those of the test suite, the extensions and the benchmarks
(mutate.py). Findings are minimised and left in build/fuzz/findings.

usage: differential.py SUBJECT SEEDS FINDINGS [--minutes N | --modules N] [--seed N]
       differential.py SUBJECT --check FILE…         exit status 1 when one differs
       differential.py SUBJECT --regressions FOLDER  the same, as TAP"""

import argparse
import collections
import hashlib
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import mutate
from binary import Bad, Module
from engines import Pair

BASE = ["--mvp-features", "--enable-mutable-globals"]
FEATURES = ["sign-ext", "nontrapping-float-to-int", "bulk-memory", "multivalue", "simd", "tail-call",
            "exception-handling", "threads", "reference-types"]
PASSES = [[], [], ["-O1"], ["-O3"], ["--flatten", "-Os"], ["--flatten", "--rereloop", "-O2"]]
# Relaxed vector operations: each engine may choose another of the results allowed.
RELAXED = re.compile(rb"\xfd[\x80-\x93]\x02")
OPEN_FINDINGS = 40  # enough to look into; more of the same help nobody
FINE = ("same", "refused", "skipped")


def generate(rng, folder):
    """A module of binaryen's generator; None when it cannot make one of these bytes."""
    data, wasm = folder / "bytes", folder / "generated.wasm"
    data.write_bytes(rng.randbytes(rng.choice([200, 1000, 4000, 12000, 30000])))
    features = [f"--enable-{f}" for f in FEATURES if rng.random() < 0.5]
    command = ["wasm-opt", data, "-ttf", *BASE, *features, "--denan", *rng.choice(PASSES), "-o", wasm]
    try:
        made = subprocess.run([str(c) for c in command], capture_output=True, timeout=30)
    except subprocess.TimeoutExpired:
        return None
    return wasm.read_bytes() if made.returncode == 0 else None


def prepare(data):
    """The module with everything exported, and its description; None: cannot be taken apart."""
    try:
        module = Module(data).expose()
        return module.bytes(), Module(module.bytes()).description()
    except (Bad, IndexError, ValueError, RecursionError):
        return data, None


def judge(pair, data, expose=True):
    """The verdict on a module, with NaNs made plain before it is called a difference."""
    run = not RELAXED.search(data) and linkable(data)
    if expose:
        exposed, description = prepare(data)
        if description is not None:
            # An exposed module is valid only if the given one is; refusals are judged as given.
            verdict = pair.judge(exposed, description, run)
            if verdict[0] not in ("refused", "acceptance"):
                return settle(pair, exposed, verdict)
    try:
        description = Module(data).description()
    except (Bad, IndexError, ValueError):
        description = None
    return settle(pair, data, pair.judge(data, description, run))


def linkable(data):
    """Not when one name is imported as two things: JavaScript has one object for both."""
    try:
        names = [(i[0], i[1]) for i in Module(data).imports]
    except (Bad, IndexError, ValueError):
        return True
    return len(set(names)) == len(names)


def settle(pair, data, verdict):
    """Which NaN comes out is each engine's own business; it shows where bits are looked at."""
    if verdict[0] != "differs":
        return verdict
    source, plain = pair.folder / "nan.wasm", pair.folder / "plain.wasm"
    source.write_bytes(data)
    made = subprocess.run(["wasm-opt", "--all-features", source, "--denan", "-o", plain],
                          capture_output=True)
    if made.returncode:
        return verdict
    try:
        data = Module(plain.read_bytes()).plain_vectors().bytes()
        again = pair.judge(data, Module(data).description())
    except (Bad, IndexError, ValueError):
        return verdict
    return ("skipped", "NaN bits") if again[0] == "same" else verdict


def reduce(finding, subject, seconds=240):
    """A smaller module with the same verdict, by wasm-reduce."""
    out = finding.with_suffix(".small.wasm")
    test = finding.with_suffix(".test.wasm")
    command = f"{sys.executable} {__file__} {subject} --check {test}"
    try:
        # It looks for wasm-opt beside itself only when told where that is.
        tools = pathlib.Path(shutil.which("wasm-reduce") or "").parent
        subprocess.run(["wasm-reduce", "-b", tools, "--all-features", finding, f"--command={command}",
                        "-t", test, "-w", out, "-to", "30"], capture_output=True, timeout=seconds)
    except (subprocess.TimeoutExpired, OSError):
        pass
    test.unlink(missing_ok=True)


class Fuzzer:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.rng = random.Random(options.seed)
        self.pair = Pair(options.subject, folder)
        self.seeds = [p.read_bytes() for p in sorted(pathlib.Path(options.seeds).glob("*.wasm"))]
        self.valid, self.checked = list(self.seeds), set()
        self.counts = collections.Counter()
        self.reasons = collections.Counter()
        self.findings = pathlib.Path(options.findings)
        self.findings.mkdir(parents=True, exist_ok=True)
        self.known = set()

    def valid_seed(self):
        """One that is accepted as it is; those that are not are found out one by one."""
        while True:
            seed = self.rng.choice(self.valid)
            if seed in self.checked:
                return seed
            if self.pair.accepts(seed):
                self.checked.add(seed)
            else:
                self.valid.remove(seed)

    def candidate(self):
        kind = self.rng.random()
        if kind < 0.2 or not self.seeds:
            return "generated", generate(self.rng, self.folder)
        seed = self.rng.choice(self.seeds)
        if kind < 0.85:
            seed = self.valid_seed()
            try:
                return "instructions", mutate.instructions_of(self.rng, seed)
            except (Bad, IndexError, ValueError):
                return "instructions", None
        return "bytes", mutate.bytes_of(self.rng, seed, self.rng.choice(self.seeds))

    def report(self, kind, data, verdict, detail):
        sort = re.sub(r"\d+", "N", re.sub(r"'.*?'", "", detail) if verdict == "acceptance" else
                      detail)[:60]
        if (verdict, sort) in self.known:
            self.counts["again"] += 1
            return
        self.known.add((verdict, sort))
        self.counts["findings"] += 1
        path = self.findings / f"{verdict}-{hashlib.sha256(data).hexdigest()[:12]}.wasm"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"{kind}: {verdict}: {detail}\n")
        print(f"# finding {path}: {detail[:300]}", flush=True)
        if verdict == "differs" and self.options.reduce:
            reduce(path, self.options.subject)

    def line(self):
        c = self.counts
        return (f"{c['modules']} modules ({c['generated']} generated, {c['instructions']} with changed "
                f"instructions, {c['bytes']} with changed bytes): {c['same']} run and compared, "
                f"{c['refused']} refused by both, {c['skipped']} not comparable, "
                f"{c['findings']} findings ({c['again']} more of the same)")

    def loop(self):
        start = shown = time.monotonic()
        while self.counts["findings"] < OPEN_FINDINGS and (
                self.counts["modules"] < self.options.modules if self.options.modules else
                time.monotonic() - start < self.options.minutes * 60):
            kind, data = self.candidate()
            if data is None:
                continue
            self.counts["modules"] += 1
            self.counts[kind] += 1
            verdict, detail = judge(self.pair, data)
            if verdict in FINE:
                self.counts[verdict] += 1
                if verdict == "skipped":
                    self.reasons[re.sub(r"\d+", "N", detail)[:80]] += 1
            else:
                self.report(kind, data, verdict, detail)
            if time.monotonic() - shown > 20:
                shown = time.monotonic()
                print(f"# {(shown - start) / 60:.1f} min: {self.line()}", flush=True)
        self.pair.close()
        if self.options.modules:
            good = self.counts["same"] and not self.counts["findings"]
            print(f"1..1\n{'ok' if good else 'not ok'} 1 - {self.line()}")
        else:
            print(f"differential: {self.line()}", flush=True)
        if self.options.verbose:
            for why, n in self.reasons.most_common(40):
                print(f"  {n} {why}")
        return self.counts["findings"]


def both_ways(pair, data):
    """As it is, and with everything exported."""
    verdict = judge(pair, data, expose=False)
    return judge(pair, data) if verdict[0] in FINE else verdict


def check(subject, files):
    """Judges single modules: what wasm-reduce runs, so what is printed must not vary."""
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(subject, folder)
        for file in files:
            verdict, detail = both_ways(pair, pathlib.Path(file).read_bytes())
            bad += verdict not in FINE
            print(verdict if len(files) == 1 else f"{file}: {verdict} {detail}")
        pair.close()
    return 1 if bad else 0


def regressions(subject, names):
    """TAP: what was found once, as text or bytes."""
    files = sorted(f for f in pathlib.Path(names).iterdir() if f.suffix in (".wat", ".wasm"))
    bad = 0
    print(f"1..{len(files)}")
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(subject, folder)
        for number, file in enumerate(files, 1):
            wasm = file
            if file.suffix == ".wat":
                wasm = pathlib.Path(folder) / "text.wasm"
                subprocess.run(["wat2wasm", "--enable-all", file, "-o", wasm], check=True)
            verdict, detail = both_ways(pair, wasm.read_bytes())
            wrong = verdict not in ("same", "refused")
            bad += wrong
            print(f"{'not ok' if wrong else 'ok'} {number} - {file.stem}: {verdict}")
            if wrong:
                print(f"# {detail}")
        pair.close()
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("subject")
    parser.add_argument("seeds", nargs="?")
    parser.add_argument("findings", nargs="?")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--no-reduce", dest="reduce", action="store_false")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--modules", type=int, help="as many and no more, as TAP")
    parser.add_argument("--check", nargs="+")
    parser.add_argument("--regressions")
    options = parser.parse_args()
    if options.check:
        return check(options.subject, options.check)
    if options.regressions:
        return regressions(options.subject, options.regressions)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None) as folder:
        return 1 if Fuzzer(options, pathlib.Path(folder)).loop() else 0


if __name__ == "__main__":
    sys.exit(main())
