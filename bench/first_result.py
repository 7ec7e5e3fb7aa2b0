"""First result: from asking a running machine to load an extension to its first verdict on a packet, for
a .wasm, which the kernel compiles, and a .qwo, which it only verifies. `first` is the first load
after the machine has started, when an emulator has still to translate the kernel's code, compiler
included; `again` is the quickest of those that follow it."""

import os
import subprocess
import sys
import tempfile
import time

import images
from harness import BUILD, ROOT, WORK, Skip, progress

sys.path.insert(0, os.path.join(ROOT, "tests", "hostile"))
from control import Control  # noqa: E402
from machine import Machine, get  # noqa: E402

AGAIN = 8
CLANG = ["clang-14", "--target=wasm32", "-O2", "-std=gnu17", "-nostdlib", "-Wl,--no-entry",
         "-Wl,-z,stack-size=8192", "-I", os.path.join(ROOT, "sdk", "c")]


def call(*line):
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip(f"{os.path.basename(line[0])}: {done.stderr.strip()[-200:]}")
    return done.stdout


def prepare(folder):
    """The image, and the modules: name → path."""
    key = os.path.join(folder, "bench")
    call(images.QUINCE, "keygen", key)
    sources = sorted(os.path.join("httpd", f)
                     for f in os.listdir(os.path.join(ROOT, "apps", "httpd")) if f.endswith(".c"))
    image = images.build("first-result", sources, "-D_GNU_SOURCE", "--key", key + ".pub", "--files",
                         os.path.join(ROOT, "apps", "httpd", "files"))
    large = os.path.join(folder, "first.wasm")
    call(*CLANG, "-o", large, os.path.join(ROOT, "bench", "first_result.c"))
    modules = {}
    for name, wasm in (("flows", os.path.join(BUILD, "extensions", "flows.wasm")), ("four as one", large)):
        size = f"{os.path.getsize(wasm) / 1000:.1f} KB"
        compiled = os.path.join(folder, name.split()[0] + ".qwo")
        call(images.QUINCE, "compile", wasm, "--key", key + ".key", "-o", compiled)
        modules[f"{name}.wasm, {size}"] = wasm
        modules[f"{name}.qwo of {size}"] = compiled
    return image, modules


def load_once(machine, control, module):
    """Milliseconds: all of it, compiling or verifying, and the first call."""
    start = time.perf_counter()
    answer = control.request("load", module, grant=["all"])[0]
    loaded = time.perf_counter() - start
    if not get(machine.http, 10):
        raise Skip("the server does not answer")
    entry = control.extension(answer["name"])
    control.request("unload", name=answer["name"])
    if not entry["runs"] or entry["faults"]:
        raise Skip(f"{answer['name']}: {entry['runs']} runs, {entry['faults']} faults")
    ran = entry["longest_ns"] / 1e6  # the first call is the longest
    return 1000 * loaded + ran, answer["compile_ns"] / 1e6, ran


def boot(image, path):
    """One machine's samples: that of the first load and those of the quickest later one."""
    with open(path, "rb") as f:
        module = f.read()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(image, folder)
        try:
            if not machine.wait_http(60):
                raise Skip("the machine does not start")
            control = Control(machine.control)
            control.request("hello")
            samples = [load_once(machine, control, module) for _ in range(1 + AGAIN)]
        finally:
            machine.stop()
    return samples[0], min(samples[1:])


def run(results, rounds):
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        image, modules = prepare(folder)
        measured = {name: [] for name in modules}
        for n in range(max(3, rounds // 3)):
            for name, path in modules.items():
                measured[name].append(boot(image, path))
            progress(f"first-result {n + 1}/{max(3, rounds // 3)}")
    for name, boots in measured.items():
        for k, when in enumerate(("first", "again")):
            for part, what in enumerate(("load to first verdict", "of it, " + (
                    "compiling" if ".wasm" in name else "verifying"), "of it, the first call")):
                results.add("first-result", f"{name}, {when}: {what}", [b[k][part] for b in boots], "ms")
