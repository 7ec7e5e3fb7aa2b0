#!/usr/bin/env python3
"""gdb through QEMU: an extension's functions by name, from the running kernel's own list. Prints
TAP."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402
from tap import BUILD, expect, run  # noqa: E402

STATE = tap.private_state()
WORK = tempfile.mkdtemp(prefix="quince-work-")
HTTPD = os.path.join(BUILD, "apps", "httpd.img")
MACHINE = "gdb"

# A timer that goes off again and again, four functions deep, each of which loops: so none of them is
# put in place of its call.
TICKER = """(module
  (import "quince1" "timer_set" (func $timer_set (param i32 i64) (result i32)))
  (memory (export "memory") 1)
  (func $again (loop (br_if 0 (i32.const 0))) (drop (call $timer_set (i32.const 0) (i64.const 50000000))))
  (func $inner (param i32) (result i32) (loop (br_if 0 (i32.const 0))) (call $again) (i32.load (local.get 0)))
  (func $middle (param i32) (result i32) (loop (br_if 0 (i32.const 0))) (i32.add (call $inner (local.get 0)) (i32.const 1)))
  (func $tick (param i32) (loop (br_if 0 (i32.const 0))) (drop (call $middle (local.get 0))))
  (func (export "_initialize") (call $again))
  (func (export "quince_timer") (param i32) (call $tick (local.get 0))))
"""


def ticker():
    source, module = os.path.join(WORK, "ticker.wat"), os.path.join(WORK, "ticker.wasm")
    with open(source, "w", encoding="utf-8") as f:
        f.write(TICKER)
    subprocess.run(["wat2wasm", "--debug-names", source, "-o", module], check=True)
    payload = b"\x06quince" + b"name=ticker\nneed=timer\nbudget=100ms\n"
    with open(module, "ab") as f:
        f.write(bytes([0, len(payload)]) + payload)
    return module


def gdb(*commands):
    words = ["gdb", "-batch", "-nx", "-ex", "set width 0", "-ex", f"file {HTTPD}", "-ex",
             f"target remote 127.0.0.1:{PORT}"]
    for command in commands:
        words += ["-ex", command]
    words += ["-ex", "delete", "-ex", "detach"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=90, check=False)
    return done.stdout.decode(errors="replace")


def frames(text):
    return re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(", text, re.M)


def before_loading():
    expect(run("run", "-d", "-n", MACHINE, "--gdb", f"tcp:127.0.0.1:{PORT}", HTTPD), out="runs")
    said = gdb("print __jit_debug_descriptor")
    assert "version = 1" in said and "first_entry = 0x0" in said, said


def by_name():
    expect(run("load", MODULE, "--grant", "timer"), out="ticker loaded")
    said = gdb("break inner", "continue", "backtrace")
    assert frames(said)[:6] == ["inner", "middle", "tick", "quince_timer", "__morestack",
                                "wasm_call"], said
    assert "timekeeper_main" in frames(said), said


def in_a_host_function():
    said = gdb("break quince1_timer_set", "break api_timer_set", "break wasm_instance_data",
               "continue", "backtrace")
    names = frames(said)
    assert "again" in names[1:], said
    after = names[names.index("again"):]
    assert after[:5] == ["again", "inner", "middle", "tick", "quince_timer"], said
    assert "wasm_call" in after, said


def after_unloading():
    expect(run("unload", "ticker"))
    said = gdb("print __jit_debug_descriptor", "info address inner")
    assert "first_entry = 0x0" in said and 'No symbol "inner"' in said, said
    expect(run("stop", "--now", MACHINE))


with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    PORT = s.getsockname()[1]
MODULE = ticker()
try:
    tap.main([
        ("the kernel has the list, empty", before_loading),
        ("a breakpoint by name in an extension, and a backtrace into the kernel", by_name),
        ("a host function's backtrace leads through the extension", in_a_host_function),
        ("an unloaded extension is forgotten", after_unloading),
    ])
finally:
    run("stop", "--now", MACHINE)
    shutil.rmtree(STATE)
    shutil.rmtree(WORK)
