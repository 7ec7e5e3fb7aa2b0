"""The two engines as processes that answer requests, and the comparison of their answers."""

import json
import os
import pathlib
import re
import select
import subprocess
import time

HERE = pathlib.Path(__file__).parent
NODE = ["node", "--expose-gc", "--experimental-wasm-memory64", "--experimental-wasm-relaxed-simd",
        "--experimental-wasm-extended-const", "--wasm-max-mem-pages=2048", str(HERE / "v8.mjs")]
SECONDS = 15
STARVED = "no time to answer"
MODULES_PER_NODE = 300  # its garbage collector is in no hurry to give memories back

# What only one of them refuses, and rightly: patterns of Quince's words, then of V8's.
OURS = [r"reject limit ", r"reject unsupported ",
        r"atomic alignment must be natural"]  # V8 takes smaller ones, against the proposal
THEIRS = [
    (r"enable with --experimental|experimental-wasm", "an experimental feature of V8"),
    (r"Invalid opcode 0x(a|0a|1f)\b|invalid value type (0x69|'exn)", "the exceptions of WebAssembly 3.0"),
    (r"maximum|exceeds|limit|larger than|too (large|many|big)|out of memory", "a limit of V8"),
    (r"(?i)multi-?memory|memory index|multiple memories|memory count|at most one memory|"
     r"more than one memory", "no multiple memories in V8"),
]


class Died(Exception):
    pass


class Engine:
    """A process that answers requests by lines up to a dot."""

    def __init__(self, command, errors):
        self.command, self.errors, self.process, self.served = command, errors, None, 0

    def start(self):
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors)
        self.pending, self.served = b"", 0

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def activity(self):
        """The process's state, a letter as in proc(5), and the seconds of CPU it has had."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
        return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def silence(self, before):
        """Why there is no answer: who waits hangs, who could run and did not was starved."""
        state, spent = self.activity()
        if state in "RT" and spent - before < SECONDS / 3:
            return f"{STARVED}: {spent - before:.1f} of {SECONDS} s"
        place = []
        for name in ("wchan", "syscall"):  # where in the kernel, and in which call with which arguments
            try:
                with open(f"/proc/{self.process.pid}/{name}", encoding="ascii", errors="replace") as f:
                    place.append(f"{name} {f.read().strip()}")
            except OSError as why:
                place.append(f"{name}: {why.strerror}")
        return (f"no answer in state {state} after {spent - before:.1f} s of CPU, {', '.join(place)}; "
                f"{len(self.pending)} bytes came")

    def ask(self, request):
        if not self.process:
            self.start()
        self.served += 1
        before = self.activity()[1]
        try:
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        end = time.monotonic() + SECONDS
        while not (self.pending == b".\n" or self.pending.endswith(b"\n.\n")):
            ready = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]
            piece = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                why = self.silence(before) if not ready else f"died with {self.process.wait()}"
                self.stop()
                tail = pathlib.Path(self.errors).read_text(errors="replace")[-1500:]
                raise Died(f"{why}: {tail}")
            self.pending += piece
        answer, self.pending = self.pending.decode(errors="replace").split("\n")[:-2], b""
        return answer


def _plain(line):
    """V8 does not tell some traps apart, and of two reasons to trap may see the other first."""
    line = line.replace("trap uninitialized element", "trap call")
    line = line.replace("trap indirect call type mismatch", "trap call")
    line = re.sub(r"trap (integer overflow|invalid conversion to integer|float)$", "trap float", line)
    line = re.sub(r"trap (out of bounds (table|memory) access|undefined element|segment|"
                  r"unaligned atomic)$", "trap bounds", line)
    return line


def difference(ours, theirs):
    """None, or the first lines that differ; how deep the stack reaches does not count."""
    ours, theirs = [_plain(x) for x in ours], [_plain(x) for x in theirs]
    for n in range(max(len(ours), len(theirs))):
        a = ours[n] if n < len(ours) else "(nothing)"
        b = theirs[n] if n < len(theirs) else "(nothing)"
        if "call stack exhausted" in a + b or a == "end":
            return None
        if "expected shared memory" in a:
            return None  # this V8 waits on other memories as well
        if a == b == "instantiate: limit" or (a.startswith("instantiate: limit") and "instantiate" in b) \
                or (b.startswith("instantiate: limit") and "instantiate" in a):
            return None
        if a != b:
            return a, b
    return None


class Pair:
    """Both engines; says of a module what they make of it."""

    def __init__(self, subject, folder, passes="all,verify"):
        self.folder = pathlib.Path(folder)
        self.ours = Engine([str(subject), passes], self.folder / "quince.err")
        self.theirs = Engine(NODE, self.folder / "v8.err")
        self.path = self.folder / "module.wasm"

    def close(self):
        self.ours.stop()
        self.theirs.stop()

    def accepts(self, data):
        self.path.write_bytes(data)
        try:
            return self.ours.ask(str(self.path))[0] == "accept"
        except Died:
            return False

    def twice(self, request):
        """Whoever had no time to answer is asked once more."""
        try:
            return self.ours.ask(request)
        except Died as died:
            if not str(died).startswith(STARVED):
                raise
            return self.ours.ask(request)

    def v8(self, request):
        if self.theirs.served >= MODULES_PER_NODE:
            self.theirs.stop()
        return self.theirs.ask(json.dumps(request))

    def judge(self, data, description, run=True):
        """(verdict, detail): "same", "refused", "skipped" or a finding: "crash", "hang",
        "acceptance", "differs"."""
        self.path.write_bytes(data)
        try:
            ours = self.twice(str(self.path))
        except Died as died:
            return "crash", str(died)
        accepted = ours[0] == "accept"
        words = ours[0].split(" ", 3)
        if not accepted and words[1] == "nomemory":
            return "crash", ours[0]
        late = any("time budget" in line or "trap timeout" in line or "budget is spent" in line
                   for line in ours)
        run = run and accepted and not late and description is not None
        request = {"path": str(self.path), "run": run, **(description or {})}
        try:
            theirs = self.v8(request)
        except Died as died:
            return ("skipped", f"V8: {died}"[:300])
        if accepted != (theirs[0] == "accept"):
            if not accepted and any(re.search(pattern, ours[0]) for pattern in OURS):
                return "skipped", ours[0]
            for pattern, why in THEIRS:
                if accepted and re.search(pattern, theirs[0]):
                    return "skipped", why
            return "acceptance", f"Quince: {ours[0]} | V8: {theirs[0]}"
        if not accepted:
            return "refused", ""
        if not run:
            return "skipped", "not run"
        found = difference(ours[1:], theirs[1:])
        return ("differs", f"{found[0]!r}, V8 {found[1]!r}") if found else ("same", "")
