"""Random functions of the shapes that each optimiser pass looks for: what they return, where they
trap and what is in memory then must not depend on the passes, and values must stay in the ranges
that addressing relies on (check-ranges). And that the passes do find what they look for.

passes.py FUZZ-SUBJECT [--rounds N] [--seed N]
"""

import argparse
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from pass_shapes import Bytes, Calls, Loops, Mixed, States  # noqa: E402
from tap import QUINCE, main  # noqa: E402
from vector_loops import FloatLoops, FloatNests, Nests, VectorLoops  # noqa: E402

TOP = 65536
ADDRESSES = [0, 1, 5, 64, 1000, TOP - 9, TOP - 8, TOP - 7, TOP - 4, TOP - 3, TOP - 2, TOP - 1, TOP,
             0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffff8, 0xfffffffc, 0xfffffffe, 0xffffffff]
VALUES = [0, 1, -1, 0x0123456789abcdef, 0x8081828384858687 - (1 << 64), 0xff00ff00]


def function(shape, rng, index):
    return f"""  (func $f{index} (param $p i32) (param $x i64) (param $y i32) (result i64)
    (local $s i64) (local $t i32) (local $i i32) (local $k i32) (local $m i32) (local $n i32) (local $q i32)
    (local $r i32) (local $u i32) (local $v i32) (local $w i32) (local $oi32 i32) (local $oi64 i64)
    (local $zi32 i32) (local $zi64 i64) (local $zf32 f32) (local $zf64 f64) (local $of32 f32) (local $of64 f64)
    {shape(rng).body()})
"""


def module(shape, rng, functions):
    """Every function is called through a table, so that it cannot know its arguments."""
    data = "".join(f"\\{rng.randrange(getattr(shape, 'DATA', 256)):02x}" for _ in range(96))
    text = f"""(module
  (type $t (func (param i32 i64 i32) (result i64)))
  (memory (export "memory") 1)
  (global $g (export "g") (mut i32) (i32.const 5))
  (table {functions} funcref)
  (elem (i32.const 0) {" ".join(f"$f{i}" for i in range(functions))})
  (data (i32.const 0) "{data}") (data (i32.const {TOP - 64}) "{data[:192]}")
"""
    text += getattr(shape, "HELPERS", "")
    for i in range(functions):
        text += function(shape, rng, i)
        for k in range(6):
            p = rng.choice(ADDRESSES)
            p -= rng.choice([0, 1, 2, 4]) if p >= 4 and rng.random() < 0.5 else 0
            text += f"""  (func (export "f{i}.{k}") (result i64) (call_indirect (type $t)
    (i32.const {p}) (i64.const {rng.choice(VALUES)}) (i32.const {rng.randrange(1 << 32)})
    (i32.const {i})))
"""
    return text + ")\n"


class Subject:
    """The engine with some passes; answers what a module's exports did."""

    def __init__(self, program, passes):
        self.passes = passes
        self.process = subprocess.Popen([program, passes], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def answer(self, path):
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == ".\n":
                return lines
            lines.append(line)
        raise AssertionError("the subject died")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(program, shape, rounds, seed):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        plain = Subject(program, "")
        others = [Subject(program, passes) for passes in
                  ("all,verify", "all,check-ranges", "check-ranges", "all,-vectorise")]
        for k in range(rounds):
            rng = random.Random(f"{seed} {shape.__name__} {k}")
            text, binary = folder / "m.wat", folder / "m.wasm"
            text.write_text(module(shape, rng, 40))
            subprocess.run(["wat2wasm", text, "-o", binary], check=True)
            a = plain.answer(binary)
            assert a[0] == "accept\n", a[0]
            assert len(a) > 200, "nothing was called"
            for subject in others:
                b = subject.answer(binary)
                for one, other in zip(a, b):
                    if "end\n" in (one, other): # of its time: the machine is busy
                        break
                    assert one == other, (f"round {k}, seed {seed}: {one} without passes, {other} "
                                          f"with {subject.passes}")
                else:
                    assert len(a) == len(b)
        for subject in [plain, *others]:
            subject.close()


def listing(text, function="f", code=False):
    """SSA of a function after all passes, or its machine code."""
    with tempfile.TemporaryDirectory() as folder:
        text_file, binary = pathlib.Path(folder) / "m.wat", pathlib.Path(folder) / "m.wasm"
        text_file.write_text(text)
        subprocess.run(["wat2wasm", "--enable-threads", text_file, "-o", binary], check=True)
        done = subprocess.run([QUINCE, "disasm", "--asm" if code else "--ir", binary, function], capture_output=True,
                              text=True, check=True)
        return done.stdout.split("optimised", 1)[-1]


def count(text, pattern):
    return len(re.findall(pattern, text))


def big_endian_load():
    ir = listing("""(module (memory 1) (func (export "f") (param i32) (result i32)
      (i32.or (i32.or (i32.shl (i32.load8_u (local.get 0)) (i32.const 24))
                      (i32.shl (i32.load8_u offset=1 (local.get 0)) (i32.const 16)))
              (i32.or (i32.shl (i32.load8_u offset=2 (local.get 0)) (i32.const 8))
                      (i32.load8_u offset=3 (local.get 0))))))""")
    assert count(ir, "LOAD") == 1 and count(ir, "LOAD.u32") == 1, ir
    assert count(ir, "BSWAP") == 1 and count(ir, "OR") == 0, ir


def little_endian_load():
    ir = listing("""(module (memory 1) (func (export "f") (param i32) (result i32)
      (i32.add (i32.load16_u (local.get 0))
               (i32.shl (i32.load16_u offset=2 (local.get 0)) (i32.const 16)))))""")
    assert count(ir, "LOAD") == 1 and count(ir, "LOAD.u32") == 1, ir


def swapped_value():
    ir = listing("""(module (func (export "f") (param i32) (result i32)
      (i32.or (i32.or (i32.shl (local.get 0) (i32.const 24))
                      (i32.and (i32.shl (local.get 0) (i32.const 8)) (i32.const 0xff0000)))
              (i32.or (i32.and (i32.shr_u (local.get 0) (i32.const 8)) (i32.const 0xff00))
                      (i32.shr_u (local.get 0) (i32.const 24))))))""")
    assert count(ir, "BSWAP") == 1 and count(ir, r"\b(OR|SHL|AND)\b") == 0, ir


def swapped_half():
    ir = listing("""(module (memory 1) (func (export "f") (param i32) (result i32) (local i32 i32)
      (local.set 1 (i32.load16_u (local.get 0)))
      (local.set 2 (i32.or (i32.shl (local.get 1) (i32.const 8)) (i32.shr_u (local.get 1) (i32.const 8))))
      (i32.store16 offset=4 (local.get 0) (local.get 2))
      (i32.and (local.get 2) (i32.const 0xffff))))""")
    assert count(ir, "BSWAP") == 1 and count(ir, r"\b(OR|SHL|AND)\b") == 0, ir
    ir = listing("""(module (memory 1) (func (export "f") (param i32) (result i32) (local i32 i32)
      (local.set 1 (i32.load16_u (local.get 0)))
      (i32.or (i32.shl (local.get 1) (i32.const 8)) (i32.shr_u (local.get 1) (i32.const 8)))))""")
    assert count(ir, "BSWAP") == 0, ir


def barrier_between_loads():
    ir = listing("""(module (memory 1) (func (export "f") (param i32) (result i32) (local i32)
      (local.set 1 (i32.load8_u (local.get 0)))
      (i32.store8 offset=1 (local.get 0) (i32.const 7))
      (i32.or (local.get 1) (i32.shl (i32.load8_u offset=1 (local.get 0)) (i32.const 8)))))""")
    assert count(ir, "LOAD.u16") == 0, ir


PUT32 = """(i32.store8 {0} {1} (i32.shr_u (local.get 1) (i32.const 24)))
      (i32.store8 {2} {3} (i32.shr_u (local.get 1) (i32.const 16)))
      (i32.store8 {4} {5} (i32.shr_u (local.get 1) (i32.const 8)))
      (i32.store8 {6} {7} (local.get 1))"""


def put32(offsets, address="(local.get 0)", before=""):
    operands = [text for k in offsets for text in (f"offset={k}", address)]
    return listing("""(module (memory 1) (func (export "f") (param i32 i32)
      """ + before + PUT32.format(*operands) + "))")


def big_endian_store():
    first = "(i32.store8 offset=3 (local.get 0) (i32.const 0))"
    ir = put32([0, 1, 2, 3], before=first)
    assert count(ir, "STORE") == 2 and count(ir, "STORE.u32") == 1 and count(ir, "BSWAP") == 1, ir
    ir = put32([0, 1, 2, 3], "(i32.and (local.get 0) (i32.const 0xfff))")
    assert count(ir, "STORE") == 1 and count(ir, "BSWAP") == 1, ir
    ir = put32([3, 2, 1, 0])
    assert count(ir, "STORE") == 1 and count(ir, "BSWAP") == 0, ir


def partial_store_seen():
    # The first bytes are written before the last one traps.
    ir = put32([0, 1, 2, 3])
    assert count(ir, "STORE.u8") == 4, ir
    ir = put32([0, 1, 2, 3], before="(drop (i32.load8_u offset=2 (local.get 0)))")
    assert count(ir, "STORE.u8") == 2 and count(ir, "STORE.u16") == 1, ir


def small_function():
    ir = listing("""(module (memory 1)
      (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
      (func (export "f") (param i32) (result i32) (call $add (local.get 0) (i32.const 5))))""")
    assert count(ir, "CALL") == 0 and count(ir, "ADD") == 1, ir


NESTED = """(module (memory 1)
  (func $load (param i32) (result i32) (i32.load (local.get 0)))
  (func $next (param i32) (result i32) (call $load (i32.add (local.get 0) (i32.const 65534))))
  (func $f (export "f") (param i32) (result i32) (i32.add (i32.const 1) (call $next (local.get 0)))))"""


def inlined_backtrace():
    assert count(listing(NESTED), "CALL") == 0
    with tempfile.TemporaryDirectory() as folder:
        text, binary = pathlib.Path(folder) / "m.wat", pathlib.Path(folder) / "m.wasm"
        text.write_text(NESTED)
        subprocess.run(["wat2wasm", "--debug-names", text, "-o", binary], check=True)
        traces = [subprocess.run([QUINCE, "exec", "--passes", passes, "--invoke", "f", binary, "7"],
                                 capture_output=True, text=True, check=False).stderr
                  for passes in ("", "all")]
        assert traces[0] == traces[1] and traces[0].count("#") == 3, traces


def state_machine():
    ir = listing("""(module (memory 1) (func (export "f") (param i32) (result i32) (local $s i32) (local $n i32)
      (loop $next
        (block $tail (block $b (block $a (br_table $a $b (local.get $s)))
            (local.set $n (i32.add (local.get $n) (i32.load8_u (local.get 0))))
            (local.set $s (i32.const 1)) (br $tail))
          (local.set $n (i32.mul (local.get $n) (i32.load8_u offset=9 (local.get 0))))
          (local.set $s (i32.const 0)))
        (br_if $next (i32.load8_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))))))
      (local.get $n)))""")
    assert count(ir, "SWITCH") == 0 and count(ir, "BRANCH") == 2, ir
    assert count(ir, "LOAD") == 4, ir


def loop_of(body, declared=""):
    """A loop from which what does not change should move; its SSA inside and outside."""
    ir = listing("""(module (memory 1) (global $g (mut i32) (i32.const 1)) (global $h (mut i32) (i32.const 2))
      (func (export "f") (param i32 i32) (result i32) (local $n i32) """ + declared + """
        (loop $l """ + body + """
          (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
        (local.get $n)))""")
    blocks = re.split(r"\n(?=b\d+:)", ir)
    return ("".join(b for b in blocks if "loop depth" in b.split("\n", 1)[0]),
            "".join(b for b in blocks if "loop depth" not in b.split("\n", 1)[0]))


ADD = "(local.set $n (i32.add (local.get $n) {}))"


def invariant_loads():
    inside, outside = loop_of(ADD.format("(i32.load (local.get 0))") +
                              "(i32.store offset=4 (local.get 0) (local.get $n))")
    assert "LOAD" not in inside and "LOAD" in outside and "STORE" in inside, inside
    inside, _ = loop_of(ADD.format("(i32.load (local.get 0))") +
                        "(i32.store offset=3 (local.get 0) (local.get $n))")
    assert "LOAD" in inside, inside
    # It may trap, and the store before it would be seen.
    inside, _ = loop_of("(i32.store offset=4 (local.get 0) (local.get $n))" +
                        ADD.format("(i32.load (local.get 0))"))
    assert "LOAD" in inside, inside
    inside, _ = loop_of("(i32.store (i32.const 8) (local.get $n))" + ADD.format("(i32.load (i32.const 4))"))
    assert "LOAD" not in inside, inside
    inside, _ = loop_of("(global.set $h (local.get $n))" + ADD.format("(global.get $g)"))
    assert "GLOBAL_GET" not in inside and "GLOBAL_SET" in inside, inside


def known_before_loop():
    inside, _ = loop_of("(i32.store offset=4 (local.get 0) (local.get $n))"
                        "(if (local.get $n) (then " + ADD.format("(i32.load offset=8 (local.get 0))") + "))"
                        "(i32.store offset=12 (local.get 0) (local.get $n))",
                        "(i32.store offset=8 (local.get 0) (local.get 1))")
    assert "LOAD" not in inside, inside


def stepped_together():
    ir = listing("""(module (memory 1) (func (export "f") (result i32) (local $i i32) (local $p i32) (local $n i32)
      (local.set $p (i32.const 1024))
      (loop $l
        (local.set $n (i32.add (local.get $n) (i32.load (i32.add (local.get $p) (i32.const 12)))))
        (local.set $p (i32.add (local.get $p) (i32.const 400)))
        (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))
      (local.get $n)))""", code=True)
    assert re.search(r"\[r14\+r\w+\*1\+0xc\]", ir), ir


def compared_on_the_way_back():
    # As the sieve of Eratosthenes does: by an unknown step up to a limit.
    code = listing("""(module (memory 4) (func (export "f") (param $step i32) (local $i i32)
      (local.set $i (i32.and (local.get $step) (i32.const 0xffff)))
      (loop $l
        (i32.store8 (i32.add (local.get $i) (i32.const 1024)) (i32.const 0))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $step) (local.get $i))) (i32.const 200001))))))""",
                   code=True)
    assert re.search(r"\[r14\+r\w+\*1\+0x400\]", code) and "lea" not in code, code


def sum_behind_a_loop():
    # What the last round counted to is at hand; what it counted from need not live on.
    text = """(module (memory 1) (func (export "f") (param $p i32) (result i32)
      (loop $l
        (br_if $l (i32.load8_u (local.tee $p (i32.add (local.get $p) (i32.const 1))))))
      (i32.sub (local.get $p) (i32.const {}))))"""
    assert "lea" not in re.split(r"\bj\w+ ", listing(text.format(3), code=True))[0], listing(text.format(3), code=True)
    code = listing("""(module (memory 1) (func (export "f") (param $p i32) (result i32)
      (i32.add (i32.sub (local.get $p) (i32.const 3)) (i32.const 3))))""")
    assert count(code, "ADD|SUB") == 0, code


def loads_before():
    ir = listing("""(module (memory 1) (func (export "f") (param i32) (result i32)
      (i32.add (i32.load (i32.add (local.get 0) (i32.const 4))) (i32.load (local.get 0)))))""")
    assert count(ir, "LOAD.u32 v1 #0x4") == 1, ir


def vectors_of(body, before="", declared="", memory="(memory 1)"):
    """How many loads and stores of 16 bytes a loop gets that counts $i down to 0."""
    ir = listing("(module " + memory + """ (func (export "f") (param $p i32) (param $q i32) (param $i i32)
        (result i32) (local $t i32) (local $x f64) """ + declared + before + """
      (loop $l """ + body + """
        (local.set $p (i32.add (local.get $p) (i32.const 8)))
        (local.set $q (i32.add (local.get $q) (i32.const 8)))
        (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (local.get $t)))""")
    return count(ir, r"LOAD\.128"), count(ir, r"STORE\.128")


def vectorised():
    scale = "(f64.store {0} (local.get $q) (f64.mul (f64.load {0} (local.get $p)) (f64.const 3)))"
    assert vectors_of(scale.format("")) == (2, 2)
    two = "(i32.store {0} (local.get $q) (i32.xor (i32.load {0} (local.get $p)) (local.get $t)))"
    assert vectors_of(two.format("") + two.format("offset=4")) == (2, 2) # unrolled by two
    # a sum
    assert vectors_of(ADD_T.format("(i32.load (local.get $p))") +
                      ADD_T.format("(i32.load offset=4 (local.get $p))")) == (2, 0)
    # what the round before loaded
    assert vectors_of("""(f64.store (local.get $q) (f64.add (local.get $x) (local.tee $y (f64.load (local.get $p)))))
        (local.set $x (local.get $y))""", declared="(local $y f64)") == (2, 2)


def nest_vectorised():
    ir = listing("""(module (memory 1) (func (export "f") (param $a i32) (param $b i32) (param $c i32) (param $w i32)
      (local $i i32) (local $j i32) (local $x f32) (local $p i32)
      (loop $column
        (local.set $x (f32.const 0)) (local.set $i (i32.const 0)) (local.set $p (local.get $b))
        (loop $row
          (local.set $x (f32.add (local.get $x) (f32.mul
            (f32.load (i32.add (local.get $a) (local.get $i))) (f32.load (local.get $p)))))
          (local.set $p (i32.add (local.get $p) (i32.const 400)))
          (br_if $row (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 400))))
        (f32.store (local.get $c) (local.get $x))
        (local.set $b (i32.add (local.get $b) (i32.const 4))) (local.set $c (i32.add (local.get $c) (i32.const 4)))
        (br_if $column (local.tee $w (i32.sub (local.get $w) (i32.const 1)))))))""")
    assert count(ir, r"LOAD\.128") == 1 and count(ir, r"STORE\.128") == 1, ir


ADD_T = "(local.set $t (i32.add (local.get $t) {}))"


def not_vectorised():
    none = (0, 0)
    scale = "(f64.store {0} (local.get $q) (f64.mul (f64.load {0} (local.get $p)) (f64.const 3)))"
    # the next element is what this one gave
    assert vectors_of("(f64.store offset=8 (local.get $p) (f64.add (f64.load (local.get $p)) (f64.const 1)))") == none
    # a sum of floats depends on its order
    assert vectors_of("(local.set $x (f64.add (local.get $x) (f64.load (local.get $p))))"
                      "(f64.store (i32.const 8) (local.get $x))") == none
    assert vectors_of(scale.format("") + "(f64.store (i32.const 8) (f64.const 1))") == none
    # every other element
    assert vectors_of("(i32.store (local.get $q) (i32.load (local.get $p)))") == none
    # other operations for the second element
    assert vectors_of("(i32.store (local.get $q) (i32.add (i32.load (local.get $p)) (i32.const 1)))"
                      "(i32.store offset=4 (local.get $q) (i32.sub (i32.load offset=4 (local.get $p)) (local.get $t)))") == none
    # other threads look on
    assert vectors_of(scale.format(""), memory="(memory 1 1 shared)") == none


TESTS = [
    ("four bytes, the highest first, are one load and a swap", big_endian_load),
    ("two halves are one load", little_endian_load),
    ("the bytes of a value turned around are a swap", swapped_value),
    ("16 bits turned around whose upper half nobody wants are a swap", swapped_half),
    ("loads on both sides of a store stay apart", barrier_between_loads),
    ("bytes of a value are one store where none can trap after another", big_endian_store),
    ("bytes that a trap leaves behind are stored one by one", partial_store_seen),
    ("a small function takes the place of its call", small_function),
    ("a backtrace names functions that were inlined", inlined_backtrace),
    ("loads and globals that a loop leaves alone move before it", invariant_loads),
    ("what is known before a loop is known in it, if nothing there writes it", known_before_loop),
    ("what steps with a counter is bounded by it", stepped_together),
    ("a comparison on the way back bounds what steps by anything", compared_on_the_way_back),
    ("a sum behind a loop is of its last value", sum_behind_a_loop),
    ("a load from p bounds the loads before it", loads_before),
    ("loops over consecutive elements are done in vectors", vectorised),
    ("a product of matrices is done column by column in vectors", nest_vectorised),
    ("loops are left alone where that could be seen", not_vectorised),
    ("a state machine goes from state to state without its switch", state_machine),
]
SHAPES = [("sums and stores of bytes", Bytes), ("state machines", States),
          ("small functions", Calls), ("counted loops", Loops), ("vector loops of integers", VectorLoops),
          ("vector loops of floats", FloatLoops), ("nests of loops of integers", Nests),
          ("nests of loops of floats", FloatNests),
          ("all of these together", Mixed)]


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("subject")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    tests = list(TESTS)
    for name, shape in SHAPES:
        tests.append((f"{name}: the same with and without passes", lambda shape=shape: compare(
            options.subject, shape, options.rounds, options.seed)))
    main([t for t in tests if options.only in t[0]])


run()
