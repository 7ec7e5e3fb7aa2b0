#!/usr/bin/env python3
"""Compiling ahead of time as a user does it: keys, signing, verifying, running on this machine and in
ring 0; then machines whose kernels take signed files, with and without the compiler.

    run.py aot-unit flows.wasm
"""

import json
import os
import random
import stat
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))
import tap  # noqa: E402
from control import Control, Refused  # noqa: E402
from machine import Machine  # noqa: E402
from tap import ROOT, expect, run  # noqa: E402

UNIT, FLOWS = sys.argv[1:3]
FLIPS = 300
WORK = tempfile.mkdtemp(prefix="quince-aot-")
MADE = os.path.join(WORK, "made")
GRANTS = ["net.rx", "net.tx"]
ADD = """(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "split") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))"""
VECTOR = """(module (func (export "f") (param i32) (result i32)
  (i32x4.extract_lane 3 (i32x4.add (i32x4.splat (local.get 0)) (i32x4.splat (local.get 0))))))"""


def path(name):
    return os.path.join(WORK, name)


def read(name):
    with open(path(name), "rb") as file:
        return file.read()


def write(name, content):
    with open(path(name), "wb") as file:
        file.write(content)
    return path(name)


def wat(name, text):
    subprocess.run(["wat2wasm", write(name + ".wat", text.encode()), "-o", path(name + ".wasm")],
                   check=True)
    return path(name + ".wasm")


def build(name, *options):
    folder = os.path.join(ROOT, "apps", "httpd")
    sources = [os.path.join(folder, f) for f in ("main.c", "request.c", "response.c", "worker.c")]
    expect(run("build", *options, "-O2", "-D_GNU_SOURCE", *sources, "--files",
               os.path.join(folder, "files"), "-o", path(name), timeout=120))
    return path(name)


# This machine.

def keys():
    expect(run("keygen", path("ops")), out="signs")
    expect(run("keygen", path("other")))
    assert stat.S_IMODE(os.stat(path("ops.key")).st_mode) == 0o600
    before = read("ops.key")
    expect(run("keygen", path("ops")), 1, err="exists")
    os.unlink(path("ops.pub"))
    expect(run("keygen", path("ops")), 1, err="ops.key")
    assert read("ops.key") == before
    os.unlink(path("ops.key"))
    expect(run("keygen", path("ops")))
    assert read("ops.key") != before


def compile_and_sign():
    wat("add", ADD)
    expect(run("compile", path("add.wasm"), "-o", path("add.qwo")), out="not signed yet")
    expect(run("verify", path("add.qwo"), "--key", path("ops.pub")), 1, err="not signed: ")
    os.chmod(path("ops.key"), 0o644)
    expect(run("sign", path("add.qwo"), "--key", path("ops.key")), 1, err="read by others")
    os.chmod(path("ops.key"), 0o600)
    expect(run("sign", path("add.qwo"), "--key", path("ops.pub")), 1, err="not a secret key")
    expect(run("sign", path("add.wasm"), "--key", path("ops.key")), 1, err="not a compiled module")
    expect(run("sign", path("add.qwo"), "--key", path("ops.key")))
    signed = read("add.qwo")
    expect(run("compile", path("add.wasm"), "-o", path("again.qwo"), "--key", path("ops.key")),
           out="signed")
    assert read("again.qwo") == signed, "compiling and signing twice gives two files"
    expect(run("compile", path("nothing.wasm")), 1, err="cannot read")
    expect(run("compile", write("bad.wasm", b"\0asm\1\0\0\0\7"), "-o", path("bad.qwo")), 1,
           err="is refused")
    assert not os.path.exists(path("bad.qwo"))


def cpus():
    wasm = wat("vector", VECTOR)
    expect(run("compile", wasm, "-o", path("v.qwo")), 1, err=["SSE4.1", "--cpu"])
    expect(run("compile", wasm, "-o", path("v.qwo"), "--cpu", "mmx2"), 1, err="'mmx2'")
    expect(run("compile", wasm, "-o", path("v.qwo"), "--cpu", "sse4.1", "--key", path("ops.key")))
    expect(run("inspect", path("v.qwo")), out="CPU needs  sse4.1\n")
    expect(run("exec", "--key", path("ops.pub"), "--invoke", "f", path("v.qwo"), "21"), out="42\n")


def verify():
    expect(run("verify", path("add.qwo"), "--key", path("ops.pub")), out="good signature")
    expect(run("verify", path("add.qwo"), "--key", path("other.pub")), 1, err="unknown key: ")
    expect(run("verify", path("add.qwo"), "--key", path("ops.pub"), "--module", path("add.wasm")))
    expect(run("verify", path("add.qwo"), "--key", path("ops.pub"), "--module",
               path("vector.wasm")), 1, err="another module")
    content = bytearray(read("add.qwo"))
    content[len(content) // 2] ^= 4
    expect(run("verify", write("flipped.qwo", content), "--key", path("ops.pub")), 1,
           err="bad signature: ")
    for name, says in MISFITS.items():
        expect(run("verify", os.path.join(MADE, name + ".qwo"), "--key",
                   os.path.join(MADE, "test.pub")), 1, err=says[1])


def inspect():
    said = json.loads(expect(run("inspect", path("add.qwo"), "--json", "--key",
                                 path("ops.pub"))).out)["compiled"]
    assert said["fits"] == "yes" and said["features"] == "none" and said["format"] == 2, said
    assert said["signature"].startswith("good signature by key " + said["key"]), said
    said = json.loads(expect(run("inspect", os.path.join(MADE, "wrong-compiler.qwo"),
                                 "--json")).out)["compiled"]
    assert "wrong compiler version" in said["fits"] and "not checked" in said["signature"], said
    expect(run("inspect", os.path.join(MADE, "unsigned.qwo")), out="not signed")


def execute(*where):
    line = ("exec", *where, "--invoke", "add")
    expect(run(*line, "--key", path("ops.pub"), path("add.qwo"), "40", "2"), out="42\n")
    expect(run(*line, path("add.qwo"), "40", "2"), 2, err="--key")
    expect(run(*line, "--key", path("other.pub"), path("add.qwo"), "40", "2"), 2,
           err="unknown key: ")
    expect(run("exec", *where, "--key", path("ops.pub"), "--invoke", "split", path("add.qwo"), "1",
               "0"), 134, err="integer divide by zero")


# Machines.

MISFITS = {
    "unsigned": ("ENOKEY", "not signed: "),
    "unknown-key": ("ENOKEY", "unknown key: "),
    "wrong-format": ("ESTALE", "wrong format: "),
    "wrong-machine": ("ESTALE", "wrong machine: "),
    "wrong-compiler": ("ESTALE", "wrong compiler version: "),
    "wrong-abi": ("ESTALE", "wrong ABI version: "),
    "missing-feature": ("ENOTSUP", "missing CPU feature: "),
    "wrong-hash": ("EBADMSG", "wrong module hash: "),
}


def refused(control, content, error, text):
    try:
        answer, _ = control.request("load", content, grant=GRANTS, file="test")
    except Refused as refusal:
        assert refusal.error == error and text in refusal.reason, f"{refusal}, not {error} {text}"
        return
    raise AssertionError(f"it was loaded: {answer}")


def forget_failures(control):
    for entry in control.request("list")[0]["extensions"]:
        if entry["state"] == "failed":
            control.request("unload", name=entry["name"])


def use(machine, control, content):
    """Loads, sees packets, unloads."""
    answer, _ = control.request("load", content, grant=GRANTS)
    with urllib.request.urlopen(f"http://127.0.0.1:{machine.http}/", timeout=10) as page:
        assert page.status == 200 and b"<html" in page.read().lower()
    entry = control.extension("flows")
    assert entry["state"] == "attached" and entry["runs"] > 5 and not entry["faults"], entry
    dump, entries = control.request("map.dump", name="flows", map="by_flow")
    assert dump["count"] >= 1 and len(entries) == dump["count"] * 96, dump
    control.request("unload", name="flows")
    return answer, entry


class Booted:
    """A machine for the length of a test."""
    def __init__(self, image, arguments=""):
        self.image, self.arguments = image, arguments

    def __enter__(self):
        self.machine = Machine(self.image, WORK, arguments=self.arguments)
        assert self.machine.wait_http(60), "\n".join(self.machine.tail())
        self.control = Control(self.machine.control)
        return self.machine, self.control, self.control.request("hello")[0]

    def __exit__(self, kind, error, trace):
        if kind:
            print("# " + "\n# ".join(self.machine.tail(10)))
        self.control.close()
        self.machine.stop()


def made(name):
    return read(os.path.join(MADE, name + ".qwo"))


def memory(control):
    stats = control.request("stats")[0]["machine"]["memory"]
    return stats["heap_used"], stats["free"], stats["mapped"]


def flipped_sample(content):
    """Some hundred bits all over the file, more of them where it is decided."""
    places = random.Random(1)
    size = len(content)
    bits = [places.randrange(size * 8) for _ in range(FLIPS - 100)]
    bits += [places.randrange(128 * 8) for _ in range(50)]
    bits += [places.randrange((size - 72) * 8, size * 8) for _ in range(50)]
    return bits


def without_compiler():
    image = build("run.img", "--without", "compiler", "--key", os.path.join(MADE, "test.pub"))
    with Booted(image) as (machine, control, hello):
        assert hello["compiler"] is False and hello["signed_only"] is True, hello
        assert len(hello["keys"]) == 1, hello
        _, entry = use(machine, control, made("good"))
        assert entry["signed_by"] == hello["keys"][0], entry
        with open(FLOWS, "rb") as wasm:
            refused(control, wasm.read(), "ENOTSUP", "quince compile")
        for name, (error, text) in MISFITS.items():
            refused(control, made(name), error, text)


def flips_in_the_kernel():
    with Booted(path("run.img")) as (machine, control, _):
        good = made("good")
        use(machine, control, good)
        for bit in flipped_sample(good):
            content = bytearray(good)
            content[bit // 8] ^= 1 << bit % 8
            byte = bit // 8
            error, text = (("ENOTSUP", "signed .qwo files only") if byte < 8 else
                           ("ENOKEY", "unknown key: ") if len(good) - 72 <= byte < len(good) - 64
                           else ("EKEYREJECTED", "bad signature: "))
            refused(control, bytes(content), error, text)
        for length in (1, 7):
            refused(control, good[:length], "ENOTSUP", "signed .qwo files only")
        for length in (8, 71, 72):
            refused(control, good[:length], "EINVAL", "not a compiled module: ")
        for length in (73, 128, 1000, len(good) - 72, len(good) - 1):
            refused(control, good[:length], "ENOKEY", "")
        use(machine, control, good)


def memory_comes_back():
    """No connection is open here, since those hold memory for a while."""
    with Booted(path("run.img")) as (_, control, _):
        looks = []
        while len(looks) < 6 and (len(looks) < 2 or looks[-1] != looks[-2]):
            for _ in range(3):
                control.request("load", made("good"), grant=GRANTS)
                control.request("unload", name="flows")
                for name, (error, text) in MISFITS.items():
                    refused(control, made(name), error, text)
                forget_failures(control)
            looks.append(memory(control))
        assert looks[-1] == looks[-2], looks


def with_compiler():
    image = build("full.img", "--key", os.path.join(MADE, "test.pub"))
    with open(FLOWS, "rb") as file:
        wasm = file.read()
    with Booted(image) as (machine, control, hello):
        assert hello["compiler"] is True and hello["signed_only"] is False, hello
        _, entry = use(machine, control, wasm)
        assert "signed_by" not in entry, entry
        use(machine, control, made("good"))
        refused(control, made("unknown-key"), *MISFITS["unknown-key"])
    with Booted(image, "signed-only=yes") as (machine, control, hello):
        assert hello["signed_only"] is True, hello
        refused(control, wasm, "EPERM", "signed-only")
        use(machine, control, made("good"))


def without_keys():
    with Booted(os.path.join(tap.BUILD, "apps", "httpd.img")) as (_, control, hello):
        assert hello["keys"] == [], hello
        refused(control, made("good"), *MISFITS["unknown-key"])


os.mkdir(MADE)
subprocess.run([UNIT, "--make", FLOWS, MADE], check=True)
tap.main([
    ("keys: made once, for their owner only", keys),
    ("compile, sign", compile_and_sign),
    ("code for a CPU that is named", cpus),
    ("verify: signature, key, module, compiler, CPU", verify),
    ("inspect", inspect),
    ("exec on this machine", execute),
    ("exec in ring 0", lambda: execute("--in-kernel")),
    ("a kernel without the compiler: packets through what is signed, every refusal", without_compiler),
    (f"{FLIPS} flipped bits and cut files in the kernel", flips_in_the_kernel),
    ("memory comes back to the byte", memory_comes_back),
    ("a kernel with the compiler takes both; signed-only refuses .wasm", with_compiler),
    ("an image without keys takes no .qwo", without_keys),
])
