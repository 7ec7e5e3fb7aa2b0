#!/usr/bin/env python3
"""The official test suite inside the kernel: converts it on the host, boots the image that runs it.
Usage: ring0.py SPEC IMAGE RUN_PY CPU [options of SPEC]. Prints TAP."""

import os
import subprocess
import sys
import tempfile

SECONDS = 1500  # for the machine: emulated, on a loaded host


def main():
    spec, image, run, cpu = sys.argv[1:5]
    with tempfile.TemporaryDirectory(prefix="quince-suite-") as folder:
        prepared = subprocess.run([spec, "--prepare", folder] + sys.argv[5:],
                                   stdout=subprocess.PIPE, text=True, check=False)
        if prepared.stdout.startswith("1..0"):
            print(prepared.stdout, end="")
            return 0
        if prepared.returncode or not os.path.getsize(os.path.join(folder, "list")):
            print("Bail out! the suite could not be converted")
            return 1
        for line in prepared.stdout.splitlines():
            print(f"# {line}")  # what was not converted
        return subprocess.run([sys.executable, run, image, "--share", f"suite={folder}", "--cpu",
                               cpu, "--memory", "512", "--timeout", str(SECONDS)],
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
