#!/usr/bin/env python3
"""Collects the modules that fuzzing starts from: those of the test suite, of the extensions and
tests that were built, and of the benchmarks where they were. usage: seeds.py FOLDER BUILD"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile

LARGEST = 256 * 1024


def collect(folder, build, suite):
    folder, build = pathlib.Path(folder), pathlib.Path(build)
    folder.mkdir(parents=True, exist_ok=True)

    def keep(path):
        data = path.read_bytes()
        if 8 < len(data) <= LARGEST:
            (folder / f"{hashlib.sha256(data).hexdigest()[:16]}.wasm").write_bytes(data)

    for pattern in ("extensions/*.wasm", "tests/*/*.wasm", "bench/**/*.wasm"):
        for path in build.glob(pattern):
            keep(path)
    scripts = sorted(suite.glob("*.wast")) + sorted(suite.glob("proposals/*/*.wast")) if suite else []
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        for script in scripts:
            features = ["--enable-all"] if "proposals" in script.parts else []
            subprocess.run(["wast2json", *features, script, "-o", temporary / "script.json"],
                           capture_output=True)
            # Those to be refused are as good to start from.
            for path in temporary.glob("*.wasm"):
                keep(path)
                path.unlink()
    return len(list(folder.glob("*.wasm")))


if __name__ == "__main__":
    print(collect(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])))
