#!/usr/bin/env python3
"""The official test suite as far as decoding goes: every valid module must decode into well-formed
SSA, every invalid or malformed one must be refused as such, with the suite's phrase in the message.
Prints TAP. Usage: decode_suite.py DECODE_CHECK
With --modules it gives the paths of all these modules to a command's standard input instead:
decode_suite.py --modules COMMAND ARGS…"""
import glob
import json
import os
import subprocess
import sys
import tempfile

# Refused, but not in the words or not as the kind the suite expects: (file, line) → why.
OTHER_WORDS = {
    ("binary-leb128", 348): "a LEB running over the section's end is cut there",
    ("binary", 455): "as above: the reference reads on into the next section",
    ("binary", 1632): "as above",
    ("binary", 1817): "one pass validates as it reads, so the type is refused before the end",
    ("select", 324): "wast2json writes the untyped select",
}

# Scripts that wast2json cannot read: the bfloat16 dot product was left out of the proposal.
UNREADABLE = {"relaxed_dot_product.wast"}


# Several tables, which the scripts of threads refuse, came with reference types.
VALID_SINCE = {("proposals/threads/imports", line) for line in (310, 314, 318)}

# Folders, what wast2json needs for them, and the features (enum wasm_feature) that they have beyond
# WebAssembly 2.0.
TAIL_CALLS, EXTENDED_CONST, MULTI_MEMORY, MEMORY64, THREADS, EXCEPTIONS, RELAXED = (
    1 << bit for bit in range(7))
FOLDERS = {
    "": ([], 0),
    "proposals/tail-call": (["--enable-tail-call"], TAIL_CALLS),
    "proposals/extended-const": (["--enable-extended-const"], EXTENDED_CONST),
    "proposals/multi-memory": (["--enable-multi-memory"], MULTI_MEMORY),
    "proposals/memory64": (["--enable-memory64"], MEMORY64),
    "proposals/threads": (["--enable-threads"], THREADS),
    "proposals/exception-handling": (["--enable-exceptions", "--enable-tail-call"],
                                     EXCEPTIONS | TAIL_CALLS),
    "proposals/relaxed-simd": (["--enable-relaxed-simd"], RELAXED),
}
ALL_FEATURES = 127


def suite_dir():
    here = os.path.dirname(os.path.abspath(__file__))
    places = [os.environ.get("WASM_TESTSUITE", ""),
              os.path.join(here, "..", "..", "..", "shared", "wasm-testsuite")]
    for place in places:
        if place and glob.glob(os.path.join(place, "*.wast")):
            return place
    return None


# Our own, which wast2json cannot read.
OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "spec", "exceptions.wast")


def convert(wast, folder, flags=()):
    """The modules of one script: (expectation, phrase, path, line)."""
    converter = os.path.join(os.path.dirname(wast), "assemble.py") if wast == OWN else "wast2json"
    script = os.path.join(folder, os.path.basename(wast) + ".json")
    subprocess.run([converter, *flags, wast, "-o", script], check=True, capture_output=True)
    with open(script) as f:
        commands = json.load(f)["commands"]
    for command in commands:
        kind = command["type"]
        if "filename" not in command or command.get("module_type", "binary") != "binary":
            continue
        path = os.path.join(folder, command["filename"])
        if kind in ("assert_invalid", "assert_malformed"):
            yield kind[len("assert_"):], command["text"], path, command["line"]
        else:
            yield "ok", "", path, command["line"]


def judge(name, case, answer):
    """None, or what is wrong with the answer."""
    expected, phrase, _, line = case
    kind, _, rest = answer.partition(" ")
    message = rest.partition(" ")[2]
    if expected == "ok":
        return None if kind == "ok" else f"{name}.wast:{line}: valid, got: {answer}"
    refusals = {"malformed": ("malformed",), "invalid": ("invalid", "unsupported")}[expected]
    if (name, line) in OTHER_WORDS:
        refusals, phrase = ("malformed", "invalid"), ""
    if name.startswith("proposals/"):  # each in the words of its day
        if (name, line) in VALID_SINCE:
            return None
        refusals, phrase = ("malformed", "invalid", "unsupported"), ""
    if kind not in refusals:
        return f"{name}.wast:{line}: {expected} ({phrase}), got: {answer}"
    if phrase not in message:
        return f"{name}.wast:{line}: wrong words ({phrase}), got: {answer}"
    return None


def feed(scripts, command):
    with tempfile.TemporaryDirectory() as folder:
        paths = [case[2] for group, script in scripts
                 for case in convert(script, folder, FOLDERS[group][0])]
        sys.exit(subprocess.run(command, input="".join(p + "\n" for p in paths),
                                text=True).returncode)


def main():
    checker = sys.argv[1]
    where = suite_dir()
    if not where:
        print("1..0 # SKIP no test suite; set WASM_TESTSUITE")
        return
    scripts = []
    for folder in FOLDERS:
        found = sorted(glob.glob(os.path.join(where, folder, "*.wast")))
        scripts += [(folder, s) for s in found if os.path.basename(s) not in UNREADABLE]
    scripts.append(("proposals/exception-handling", OWN))
    if checker == "--modules":
        feed(scripts, sys.argv[2:])
    print(f"1..{len(scripts)}")
    with tempfile.TemporaryDirectory() as folder:
        for number, (group, script) in enumerate(scripts, 1):
            name = os.path.join(group, os.path.basename(script)[:-len(".wast")])
            flags, features = FOLDERS[group]
            cases = list(convert(script, folder, flags))
            run = subprocess.run([checker, "--without", str(ALL_FEATURES & ~features)],
                                 input="".join(c[2] + "\n" for c in cases),
                                 capture_output=True, text=True, errors="replace")
            answers = run.stdout.splitlines()
            wrong = [w for w in map(lambda c, a: judge(name, c, a), cases, answers) if w]
            if run.returncode or len(answers) != len(cases):
                wrong.append(f"{name}: checker ended with {run.returncode}: {run.stderr[:2000]}")
            print(f"{'not ok' if wrong else 'ok'} {number} - decode {name}: {len(cases)} modules")
            for line in wrong[:10]:
                print("# " + line.replace("\n", " "))


main()
