#!/usr/bin/env python3
"""`make fuzz MINUTES=n`: all fuzzers for N minutes on two cores. One core compares with V8
(differential.py), the other runs the libFuzzer targets, half the time each. Findings are left,
minimised, in build/fuzz/findings; the exit status is 1 when there are any."""

import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import threading
import time

from seeds import collect

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("QUINCE_BUILD", ROOT / "build"))
FUZZ = BUILD / "fuzz"
FINDINGS = FUZZ / "findings"
CLANG = "clang-14"
FLAGS = ["-g", "-O1", "-std=gnu11", "-fno-omit-frame-pointer", "-fno-strict-aliasing",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
# A trap leaves C frames behind on the engine's stack, which the next ones there would run into.
COMPILE = ["-mllvm", "-asan-stack=0"]
TARGETS = {"compile": [HERE / "compile.c"], "execute": [HERE / "execute.c", HERE / "exports.c"]}
# The engine takes faults and timers for its traps.
SIGNALS = [f"-handle_{s}=0" for s in ("segv", "bus", "fpe", "ill", "usr1", "usr2")]


def suite():
    for place in (os.environ.get("WASM_TESTSUITE", ""), ROOT.parent / "shared/wasm-testsuite"):
        if place and pathlib.Path(place).is_dir():
            return pathlib.Path(place)
    return None


def fuzzer_missing():
    """What clang lacks for libFuzzer, or nothing."""
    try:
        done = subprocess.run([CLANG, "-fsanitize=fuzzer,address", "-xc", "-", "-o", os.devnull], capture_output=True,
                              check=False, text=True,
                              input="#include <sanitizer/asan_interface.h>\n#include <stddef.h>\n"
                                    "int LLVMFuzzerTestOneInput(const char *p, size_t n) { return !p || !n; }\n")
    except FileNotFoundError:
        return "clang-14"
    return "libclang-rt-14-dev" if done.returncode else ""


def build_targets():
    """The libFuzzer targets, by clang, of the sources that Meson makes the engine of."""
    targets = json.loads(subprocess.run(["meson", "introspect", "--targets", str(BUILD)], check=True,
                                        capture_output=True).stdout)
    engine = next(t for t in targets if t["name"] == "engine_sanitized")
    groups = engine["target_sources"]
    sources = [s for g in groups for s in g.get("sources", [])] + [str(ROOT / "host/port.c")]
    # The last but one holds what the build has generated.
    includes = [f"-I{p}" for p in (ROOT / "wasm", ROOT / "host", BUILD / "wasm", HERE)]
    lines = ["rule cc", f"  command = {CLANG} -MD -MF $out.d {' '.join(FLAGS + COMPILE + includes)} "
             "-fsanitize=fuzzer-no-link -c $in -o $out", "  depfile = $out.d", "  deps = gcc",
             "rule link", f"  command = {CLANG} {' '.join(FLAGS)} -fsanitize=fuzzer $in -lm -lrt -o $out"]
    objects = {}
    for source in sources + [str(s) for own in TARGETS.values() for s in own]:
        name = "obj/" + str(pathlib.Path(source).relative_to(ROOT)).replace("/", "_") + ".o"
        if source not in objects:
            lines.append(f"build {name}: cc {source}")
        objects[source] = name
    for name, own in TARGETS.items():
        parts = " ".join(objects[str(s)] for s in [*own, *sources])
        lines.append(f"build fuzz-{name}: link {parts}")
    FUZZ.mkdir(parents=True, exist_ok=True)
    (FUZZ / "build.ninja").write_text("\n".join(lines) + "\n")
    subprocess.run(["ninja", "-C", str(FUZZ), "--quiet"], check=True)


def show(name, line):
    print(f"[{name}] {line}", flush=True)


def run_target(name, seconds, totals):
    """A libFuzzer target; after a finding it goes on until the time is up."""
    corpus = FUZZ / f"corpus-{name}"
    corpus.mkdir(exist_ok=True)
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"}
    end = time.monotonic() + seconds
    failures = 0
    while time.monotonic() < end - 1 and failures < 20:
        left = int(end - time.monotonic())
        process = subprocess.Popen(
            [str(FUZZ / f"fuzz-{name}"), f"-max_total_time={left}", "-max_len=65536", "-timeout=300",
             "-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=1", *SIGNALS,
             f"-artifact_prefix={FINDINGS}/{name}-", str(corpus), str(FUZZ / "seeds")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            env=environment, cwd=FUZZ)
        shown, done, tail = 0.0, 0, []
        for line in process.stdout:
            tail = tail[-40:] + [line]
            count = re.match(r"#(\d+)\s.*cov: (\d+)", line)
            if count:
                done = int(count[1])
                if time.monotonic() - shown > 20:
                    shown = time.monotonic()
                    show(name, f"{totals[name] + done} modules, {count[2]} edges covered")
            final = re.match(r"stat::number_of_executed_units:\s*(\d+)", line)
            if final:
                done = int(final[1])
        totals[name] += done
        if process.wait() == 0:
            break
        failures += 1
        totals["findings"] += 1
        artifact = next((re.search(r"written to (\S+)", x)[1] for x in tail if "written to" in x), None)
        show(name, "FINDING " + str(artifact) + "\n" + "".join(tail[-25:]))
        if artifact:
            subprocess.run([str(FUZZ / f"fuzz-{name}"), "-minimize_crash=1", "-runs=20000",
                            "-max_total_time=60", *SIGNALS, f"-exact_artifact_path={artifact}.small",
                            artifact], capture_output=True, env=environment, cwd=FUZZ)
    show(name, f"done: {totals[name]} modules")


def run_differential(minutes, seed, totals):
    command = [sys.executable, str(HERE / "differential.py"), str(BUILD / "tests/fuzz/fuzz-subject"),
               str(FUZZ / "seeds"), str(FINDINGS), "--minutes", str(minutes), "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
    for line in process.stdout:
        show("V8", line.rstrip())
        last = re.search(r"(\d+) modules .*: (\d+) run and compared, (\d+) refused by both.* (\d+) findings", line)
        if last:
            totals["judged"], totals["compared"], totals["refused"], totals["differ"] = map(int, last.groups())
    process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    missing = fuzzer_missing()
    if missing:
        sys.exit(f"libFuzzer needs the Debian package {missing}: apt install {missing}")
    FINDINGS.mkdir(parents=True, exist_ok=True)
    if not (FUZZ / "seeds").is_dir():
        print("collecting modules to start from", flush=True)
        print(f"{collect(FUZZ / 'seeds', BUILD, suite())} modules", flush=True)
    print("building the libFuzzer targets", flush=True)
    build_targets()
    totals = dict.fromkeys(["compile", "execute", "findings", "judged", "compared", "refused", "differ"], 0)

    def targets():
        for name in TARGETS:
            run_target(name, options.minutes * 60 / len(TARGETS), totals)

    threads = [threading.Thread(target=targets),
               threading.Thread(target=run_differential, args=(options.minutes, options.seed, totals))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    findings = totals["findings"] + totals["differ"]
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    hours = (spent.ru_utime + spent.ru_stime) / 3600
    print(f"{totals['compile']} modules compiled, {totals['execute']} compiled and run under the sanitizers; "
          f"{totals['judged']} given to V8 as well: {totals['compared']} run and compared, "
          f"{totals['refused']} refused by both; {hours:.2f} CPU-hours; {findings} findings"
          + (f" in {FINDINGS}" if findings else ""))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
