#!/usr/bin/env python3
"""gdb on the host: it knows compiled functions by name and walks through their frames, wherever in
them it stands. Prints TAP. Usage: gdb_host.py NEST.wasm"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402
from tap import QUINCE  # noqa: E402

NEST = sys.argv[1]
CHAIN = ["inner", "wide", "middle", "outer", "__morestack", "wasm_call"]
STEPS = 250


def gdb(*commands, args=("--passes", "all,-inline", "--invoke", "outer", NEST, "8"), timeout=60):
    """What gdb says to COMMANDS, given one after another, about `quince exec ARGS`."""
    words = ["gdb", "-batch", "-nx", "-ex", "set breakpoint pending on", "-ex", "set width 0"]
    for command in commands:
        words += ["-ex", command]
    done = subprocess.run([*words, "--args", QUINCE, "exec", *args], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                          check=False)
    return done.stdout.decode(errors="replace")


# What wasm_call() calls once it is back.
AFTERWARDS = {"budget_leave", "wasm_host_thread", "call_ready"}


def frames(text):
    """The functions of the backtraces in TEXT."""
    return re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(", text, re.M)


def break_and_backtrace():
    said = gdb("break inner", "run", "backtrace")
    assert "Breakpoint 1" in said and frames(said)[:6] == CHAIN, said
    assert "cmd_exec" in said and "corrupt" not in said, said


def finish():
    """Out of one function after another, by what gdb takes for their return addresses."""
    said = gdb("break inner", "run", "delete", "finish", "finish", "finish", "backtrace 2", "continue")
    assert frames(said)[-2:] == ["outer", "__morestack"], said
    assert "exited normally" in said, said


def disassemble():
    said = gdb("break middle", "run", "disassemble", "info symbol $pc")
    assert "Dump of assembler code for function middle" in said, said
    assert re.search(r"call +0x[0-9a-f]+ <wide>", said), said
    assert "middle in section .text of <in-memory@" in said, said


def every_instruction():
    """At each of some hundred instructions, prologues, epilogues and thunks among them, the frames
    lead from where it stands to the command."""
    script = ("python\n"
              "seen = set()\n"
              f"for i in range({STEPS}):\n"
              "    names, frame = [], gdb.newest_frame()\n"
              "    while frame is not None:\n"
              "        names.append(str(frame.name()))\n"
              "        frame = frame.older()\n"
              "    print('STEP', hex(gdb.newest_frame().pc()), ' '.join(names))\n"
              "    gdb.execute('stepi', to_string=True)\n"
              "end\n")
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"quince-gdb-{os.getpid()}")
    with open(path, "w", encoding="utf-8") as f:
        f.write(script)
    try:
        said = gdb("break wasm_call", "run", "delete", "break __morestack", "continue", "delete",
                   f"source {path}")
    finally:
        os.unlink(path)
    steps = re.findall(r"^STEP (\S+) (.*)$", said, re.M)
    assert len(steps) == STEPS, said[-3000:]
    depths = set()
    for pc, names in steps:
        names = names.split()
        assert "cmd_exec" in names, f"at {pc} the frames end in {names}"
        wasm = names[:names.index("wasm_call")] if "wasm_call" in names else []
        if wasm and wasm[0] in AFTERWARDS:
            continue
        # The innermost and its callers: the end of the chain that the module is made of.
        assert not wasm or wasm == CHAIN[CHAIN.index(wasm[0]):5], f"at {pc}: {names}"
        depths.add(len(wasm))
    assert {1, 2, 3, 4, 5} <= depths, depths


def trap():
    """A fault is Wasm's affair: gdb passes it on when told to."""
    said = gdb("handle SIGSEGV nostop noprint pass", "run",
               args=("--passes", "all,-inline", "--invoke", "outer", NEST, "0x7fffffff"))
    assert "out of bounds memory access" in said and "exited with code 0206" in said, said


def no_debugger():
    """The list is there for a gdb that attaches later."""
    said = gdb("break wasm_instance_new", "run", "print __jit_debug_descriptor",
               "print __jit_debug_descriptor.first_entry->symfile_size",
               "break wasm_host_unpublish", "continue",
               "print __jit_debug_descriptor.first_entry")
    assert "version = 1" in said and re.search(r"\$2 = [1-9]\d*", said), said
    assert "$3 = (struct jit_code_entry *) 0x0" in said, said


tap.main([
    ("a breakpoint by name, and a backtrace through Wasm and C", break_and_backtrace),
    ("finish leaves one function after another", finish),
    ("functions disassemble by name", disassemble),
    (f"frames are right at each of {STEPS} instructions", every_instruction),
    ("a trap under gdb", trap),
    ("the list of code: there while the module lives", no_debugger),
])
