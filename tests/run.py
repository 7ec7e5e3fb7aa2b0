#!/usr/bin/env python3
"""Runs every test that is registered with Meson and counts the single tests (TAP points) in them.

Meson runs and times the test programs; what each printed is read back from its log, so the count is
that of the tests, not of the programs. Ends with `N passed, N failed` alone on the last line.
"""

import argparse
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("QUINCE_BUILD", os.path.join(ROOT, "build"))
POINT = re.compile(r"^(not )?ok\b(?:[ \t]+\d+)?[ \t]*(?:- )?(.*)$")
DIRECTIVE = re.compile(r"#\s*(skip|todo)\b\S*\s*(.*)$", re.IGNORECASE)
PLAN_SKIP = re.compile(r"^1\.\.0[ \t]*#[ \t]*skip\S*[ \t]*(.+)$", re.IGNORECASE | re.MULTILINE)
TAIL = 60  # lines of output shown of a program that failed


class Outcome:
    """What one test program printed."""

    def __init__(self, record):
        self.name = record["name"].split(" / ")[-1]
        self.result = record["result"]
        self.output = record.get("stdout") or ""
        self.errors = record.get("stderr") or ""
        self.seconds = record.get("duration", 0)
        self.passed, self.failures, self.skipped = 0, [], []
        points = 0
        for line in self.output.splitlines():
            point = POINT.match(line)
            if not point:
                continue
            points += 1
            directive = DIRECTIVE.search(point[2])
            if directive and directive[1].lower() == "skip":
                self.skipped.append(f"{point[2][:directive.start()].strip()}: {directive[2]}")
            elif point[1] and not (directive and directive[1].lower() == "todo"):
                self.failures.append(point[2] or f"test {points}")
            else:
                self.passed += 1
        if self.result in ("OK", "EXPECTEDFAIL"):
            if points == 0:
                self.passed = 1
        elif self.result == "SKIP":
            if points == 0:
                plan = PLAN_SKIP.search(self.output)
                self.skipped.append(plan[1] if plan else self.errors.strip() or "no reason given")
        elif not self.failures:
            self.failures.append({
                "TIMEOUT": f"no end after {self.seconds:.0f} s",
                "INTERRUPT": "interrupted",
            }.get(self.result, f"the program itself ended badly (exit status {record['returncode']})"))

    def describe(self):
        print(f"\n--- {self.name}: {len(self.failures)} failed")
        for failure in self.failures:
            print(f"    not ok - {failure}")
        lines = [line for line in self.output.splitlines() if not re.match(r"ok\b", line)]
        lines += self.errors.splitlines()
        if len(lines) > TAIL:
            print(f"    … {len(lines) - TAIL} lines before these are in build/meson-logs/testlog.txt")
        for line in lines[-TAIL:]:
            print(f"    | {line}")

    def tell(self):
        """What the program says of its tests in comments: sums, and what it left out."""
        print(f"\n{self.name}")
        for line in self.output.splitlines():
            if re.match(r"# (\S+: \d+ files|excluded|\d+ )", line):
                print(f"    {line[2:]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="suites or tests to run, comma-separated")
    parser.add_argument("--tell", action="store_true",
                        help="show the sums that the tests print, and what they leave out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="tests at a time")
    options = parser.parse_args()

    log = os.path.join(BUILD, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    command = ["meson", "test", "-C", BUILD, "--no-rebuild", "--num-processes", str(options.jobs)]
    known = json.loads(subprocess.run(["meson", "introspect", "--tests", BUILD], check=True,
                                      stdout=subprocess.PIPE).stdout)
    suites = {suite.split(":")[-1] for test in known for suite in test["suite"]}
    names = {test["name"] for test in known}
    chosen = [word for word in options.only.split(",") if word]
    for word in chosen:
        if word not in suites | names:
            parser.error(f"no suite or test {word!r}; there are the suites "
                         f"{', '.join(sorted(suites))} and the tests {', '.join(sorted(names))}")
    if chosen:
        command += [test["name"] for test in known if test["name"] in chosen or
                    any(suite.split(":")[-1] in chosen for suite in test["suite"])]
    status = subprocess.run(command, check=False).returncode

    outcomes = []
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as lines:
            outcomes = [Outcome(json.loads(line)) for line in lines]
    for outcome in outcomes if options.tell else []:
        outcome.tell()
    for outcome in outcomes:
        if outcome.failures:
            outcome.describe()
    skipped = [(o.name, reason) for o in outcomes for reason in o.skipped]
    if skipped:
        print(f"\n{len(skipped)} skipped:")
        for name, reason in skipped:
            print(f"    {name}: {reason}")
    passed = sum(o.passed for o in outcomes)
    failed = sum(len(o.failures) for o in outcomes)
    if not outcomes:
        print("no test ran: meson test says why above")
    if status != 0 and failed == 0:
        failed = 1
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
