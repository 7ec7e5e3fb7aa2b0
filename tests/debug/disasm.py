#!/usr/bin/env python3
"""`quince disasm`: instructions against wabt's wasm-objdump, machine code against itself and against
the instructions it belongs to. Prints TAP. Usage: disasm.py NEST.wasm MODULE.wasm…"""

import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402
from tap import expect, run  # noqa: E402

NEST, OTHERS = sys.argv[1], sys.argv[1:]


def listing(path, *options):
    return json.loads(expect(run("disasm", "--json", *options, path)).out)["functions"]


def objdump(path):
    """Offset → mnemonic, by wabt; what goes over several lines is named on the first."""
    text = subprocess.run(["wasm-objdump", "-d", path], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    found = {}
    for offset, words in re.findall(r"^ ([0-9a-f]+): [0-9a-f ]+\| *(.*)$", text, re.M):
        if words and not re.match(r"local\[", words):
            found[int(offset, 16)] = words.split()[0]
    return found


def as_wabt_says():
    for path in OTHERS:
        theirs, ours = objdump(path), {}
        for f in listing(path):
            ours.update((i["offset"], i["text"].split()[0]) for i in f["wasm"])
        assert len(ours) > 10
        differ = {hex(o): (ours.get(o), theirs.get(o)) for o in ours.keys() | theirs.keys()
                  if ours.get(o) != theirs.get(o)}
        assert not differ, f"{path}: ours, wabt's: {dict(list(differ.items())[:20])}"


def every_byte():
    for path in OTHERS:
        with open(path, "rb") as f:
            module = f.read()
        for f in listing(path):
            at = f["wasm"][0]["offset"]
            for i in f["wasm"]:
                bytes_ = bytes.fromhex(i["bytes"].replace(" ", ""))
                assert i["offset"] == at and module[at:at + len(bytes_)] == bytes_, (f["name"], i)
                at += len(bytes_)
            assert at == f["end"], f["name"]
            at = 0
            for m in f["machine"]:
                assert m["address"] == at and m["text"] != "(bad)", (f["name"], m)
                at += len(m["bytes"].split())
            assert at == f["code_bytes"], f["name"]


def positions():
    """Machine code stands beside its instruction: accesses through r14 beside loads, stores and what
    selects them, calls by name beside calls of that function; what was inlined stands beside the
    call that it took the place of."""
    calls = accesses = 0
    for path in OTHERS:
        for f in listing(path):
            text = {i["offset"]: i["text"] for i in f["wasm"]}
            for m in f["machine"]:
                called = re.fullmatch(r"call <(.+)>", m["text"])
                if called:
                    calls += 1
                    assert text.get(m["offset"], "").endswith(f"<{called[1][:60]}>") or \
                        re.match(r"call \d", text.get(m["offset"], "")), (f["name"], m)
                if re.search(r"\[r14\b", m["text"]):
                    accesses += 1
                    assert re.search(r"\.load|\.store|rmw|^call \d", text.get(m["offset"], "")) or \
                        m["text"].startswith("lea"), (f["name"], m, text.get(m["offset"]))
    assert calls > 20 and accesses > 20, (calls, accesses)


def passes():
    for wrong in ("nope", "all,-nope", "fold,nope,gvn"):
        expect(run("disasm", "--passes", wrong, NEST), 1, err="unknown optimiser pass 'nope'")
    with_all, without = listing(NEST), listing(NEST, "--passes", "")
    for a, b in zip(with_all, without):
        assert a["decoded"] == b["decoded"] == b["optimised"], a["name"]
    assert any(f["optimised"] != f["decoded"] for f in with_all)


def one_function():
    by_name = expect(run("disasm", NEST, "middle"), out=["middle: function 2", "i32.sub", "│"]).out
    by_number = expect(run("disasm", NEST, "2")).out
    assert by_name == by_number and "outer" not in by_name, by_number
    expect(run("disasm", NEST, "nobody"), 1, err="no function 'nobody'")
    expect(run("disasm"), 2, err="which module?")


def columns():
    wasm = expect(run("disasm", "--wasm", NEST, "inner"), out="i32.load").out
    ir = expect(run("disasm", "--ir", NEST, "inner"), out=["as decoded", "as optimised", "LOAD"]).out
    code = expect(run("disasm", "--asm", NEST, "inner"), out=["mov eax, [r14+rsi", "; "]).out
    assert "│" not in wasm + ir + code and "mov" not in wasm + ir and "RETURN" not in wasm + code
    both = expect(run("disasm", "--wasm", "--asm", NEST, "inner"), out=["│", "i32.load", "ret"]).out
    assert "RETURN" not in both, both
    line = next(line for line in both.splitlines() if "i32.load" in line)
    assert "mov eax" in line, both


tap.main([
    ("every instruction is called what wabt calls it", as_wabt_says),
    ("every byte of module and code is accounted for", every_byte),
    ("machine code stands beside the instruction it comes from", positions),
    ("--passes shows in the SSA", passes),
    ("one function by name or number", one_function),
    ("columns chosen one by one", columns),
])
