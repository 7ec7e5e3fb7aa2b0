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
from tap import QUINCE, main  # noqa: E402
from vector_loops import FloatLoops, FloatNests, Nests, VectorLoops  # noqa: E402

TOP = 65536
ADDRESSES = [0, 1, 5, 64, 1000, TOP - 9, TOP - 8, TOP - 7, TOP - 4, TOP - 3, TOP - 2, TOP - 1, TOP,
             0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffff8, 0xfffffffc, 0xfffffffe, 0xffffffff]
VALUES = [0, 1, -1, 0x0123456789abcdef, 0x8081828384858687 - (1 << 64), 0xff00ff00]


class Bytes:
    """Sums of bytes from memory or of one value in some order, and byte-wise stores."""

    def __init__(self, rng):
        self.rng = rng
        self.type = rng.choice(["i32", "i64"])
        self.width = 4 if self.type == "i32" else 8

    def address(self, at):
        """$p + at, by the offset or by an addition."""
        how = self.rng.choice(self.hows)
        if how == "offset":
            return f"offset={at}", "(local.get $p)"
        if how == "add":
            return "", f"(i32.add (local.get $p) (i32.const {at}))"
        if how == "masked":
            return "", ("(i32.add (i32.and (local.get $p) (i32.const 0xff)) "
                        f"(i32.const {at + 65535 - 0xff - 4}))")
        return f"offset={at}", "(i32.const 65530)"

    def shift(self, text, count):
        """A value of self.type moved by COUNT bytes, to the right below 0."""
        if count == 0:
            return text
        op = "shl" if count > 0 else "shr_u"
        return f"({self.type}.{op} {text} ({self.type}.const {8 * abs(count)}))"

    def part(self, source, at):
        """Byte SOURCE as byte AT of the result."""
        kind = self.kind
        t = self.type
        if kind == "memory":
            offset, address = self.address(source)
            size = "8_s" if at == self.width - 1 and self.rng.random() < 0.3 else "8_u"
            return self.shift(f"({t}.load{size} {offset} {address})", at)
        value = "(local.get $x)" if t == "i64" else "(local.get $y)"
        if self.rng.random() < 0.5:
            one = self.shift(f"({t}.and {self.shift(value, -source)} ({t}.const 0xff))", at)
            return one if source else self.shift(f"({t}.and {value} ({t}.const 0xff))", at)
        mask = 0xff << (8 * at)
        return f"({t}.and {self.shift(value, at - source)} ({t}.const {mask}))"

    def joined(self, parts):
        while len(parts) > 1:
            k = self.rng.randrange(len(parts) - 1)
            op = self.rng.choice(self.ops)
            parts[k:k + 2] = [f"({self.type}.{op} {parts[k]} {parts[k + 1]})"]
        return parts[0]

    def body(self):
        rng = self.rng
        self.kind = rng.choice(["memory", "memory", "value"])
        self.hows = rng.choice([["offset"], ["add"], ["masked"], ["fixed"], ["offset", "add"]])
        self.ops = rng.choice([["or"], ["add"], ["xor"], ["or", "add", "xor"]])
        count = rng.choice([2, 2, 3, 4, 4, self.width])
        start, base = rng.randrange(self.width - count + 1), rng.randrange(3)
        if self.kind == "value" and base + count > self.width:
            base = 0
        order = list(range(count))
        if rng.random() < 0.5:
            order.reverse()
        if rng.random() < 0.1:
            rng.shuffle(order)
        parts = [self.part(base + source, start + at) for at, source in enumerate(order)]
        if rng.random() < 0.1:
            parts.append(self.part(base, start + rng.randrange(count)))
        if rng.random() < 0.7:
            rng.shuffle(parts)
        if rng.random() < 0.15: # something between the loads
            k = rng.randrange(len(parts))
            kept = rng.choice([
                "(i32.store8 offset=2 (local.get $p) (local.get $y))",
                "(local.set $y (i32.div_u (i32.const 1) (local.get $y)))",
                "(global.set $g (i32.const 9))",
                "(drop (i32.load8_u offset=70 (local.get $p)))"])
            parts[k] = f"(block (result {self.type}) {kept} {parts[k]})"
        text = self.joined(parts)
        if rng.random() < 0.2:
            text = f"(local.tee $s {text})" if self.type == "i64" else f"(local.tee $t {text})"
        if rng.random() < 0.5 and self.type == "i32":
            text = rng.choice(["(i32.and {} (i32.const 0xffff))", "(i32.extend16_s {})",
                               "(i32.extend8_s {})", "(i32.shl {} (i32.const 16))",
                               "(i32.shl {} (i32.const 15))", "(i32.and {} (i32.const 0xfff))",
                               "(i32.add (i32.and (local.tee $k {}) (i32.const 0xffff)) (i32.shl (local.get $k) (i32.const 20)))",
                               ]).format(text)
        if self.type == "i32":
            text = f"(i64.extend_i32_{rng.choice('us')} {text})"
        stores = self.stores() if rng.random() < 0.6 else ""
        return f"{stores} (i64.add {text} (i64.add (local.get $s) (i64.extend_i32_u (local.get $t))))"

    def stores(self):
        """Bytes of $x or $y, one store each."""
        rng = self.rng
        t = rng.choice(["i32", "i64"])
        width = 4 if t == "i32" else 8
        value = "(local.get $y)" if t == "i32" else "(local.get $x)"
        count = rng.choice([2, 4, width])
        low = rng.randrange(width - count + 1)
        places = list(range(count))
        if rng.random() < 0.5:
            places.reverse()
        lines = []
        for source, place in enumerate(places):
            offset, address = self.address(place)
            k = low + source
            piece = f"({t}.shr_{rng.choice('us')} {value} ({t}.const {8 * k}))" if k else value
            lines.append(f"({t}.store8 {offset} {address} {piece})")
        if rng.random() < 0.3:
            lines.reverse()
        if rng.random() < 0.1:
            rng.shuffle(lines)
        if rng.random() < 0.3:
            lines.insert(0, rng.choice(["(i32.store8 offset=9 (local.get $p) (i32.const 1))",
                                        "(drop (i32.load8_u offset=7 (local.get $p)))"]))
        if rng.random() < 0.15:
            lines.insert(rng.randrange(len(lines)), rng.choice([
                "(drop (i32.load8_u offset=70 (local.get $p)))",
                "(local.set $t (i32.load8_u offset=1 (local.get $p)))"]))
        return "\n    ".join(lines)


class States:
    """Loops around a switch or branches on a state, which is mostly set to constants."""

    def __init__(self, rng):
        self.rng = rng
        self.states = rng.randrange(2, 7)
        self.labels = 0

    def value(self):
        return self.rng.choice([
            "(local.get $t)", "(local.get $i)", "(local.get $y)",
            f"(i32.const {self.rng.randrange(8)})",
            "(i32.wrap_i64 (local.get $s))",
            f"(i32.load8_u offset={self.rng.randrange(90)} (i32.const 0))"])

    def condition(self):
        return self.rng.choice([
            f"(i32.and {self.value()} (i32.const {1 << self.rng.randrange(4)}))",
            f"(i32.lt_u {self.value()} {self.value()})",
            f"(i32.eq (local.get $k) (i32.const {self.rng.randrange(self.states)}))",
            "(local.get $m)", "(i32.eqz (local.get $m))"])

    def next_state(self):
        kind = self.rng.random()
        one, other = (f"(i32.const {self.rng.randrange(self.states + 1)})" for _ in range(2))
        if kind < 0.7:
            return one
        if kind < 0.85:
            return f"(select {one} {other} {self.condition()})"
        return f"(i32.rem_u {self.value()} (i32.const {self.states}))"

    def statement(self, depth):
        rng = self.rng
        kind = rng.randrange(9 if depth else 6)
        if kind == 0:
            return f"(local.set $t (i32.{rng.choice(['add', 'xor', 'mul', 'rotl'])} {self.value()} {self.value()}))"
        if kind == 1:
            return f"(local.set $s (i64.add (local.get $s) (i64.extend_i32_u {self.value()})))"
        if kind in (2, 3):
            return f"(local.set $k {self.next_state()})"
        if kind == 4:
            return f"(i32.store8 offset={rng.randrange(90)} (i32.const 0) {self.value()})"
        if kind == 5:
            return f"(local.set $m (i32.const {rng.randrange(3)}))"
        if kind == 6:
            return f"(if {self.condition()} (then {self.statements(depth - 1)}))"
        if kind == 7:
            return (f"(if {self.condition()} (then {self.statements(depth - 1)}) "
                    f"(else {self.statements(depth - 1)}))")
        return f"(br_if ${rng.choice(['tail', 'tail', 'tail', 'out'])} {self.condition()})"

    def statements(self, depth):
        return " ".join(self.statement(depth) for _ in range(self.rng.randrange(1, 4)))

    def body(self):
        rng = self.rng
        count = self.states + 1
        index = rng.choice(["(local.get $k)"] * 3 + ["(i32.add (local.get $k) (i32.const -1))"])
        targets = " ".join(f"$c{rng.randrange(count)}" for _ in range(self.states))
        text = "".join(f"(block $c{n} " for n in range(count))
        head = self.statements(1) if rng.random() < 0.5 else ""
        text += f"{head} (br_table {targets} $c0 {index})"
        for n in reversed(range(count)):
            end = rng.choice(["(br $tail)", "(br $tail)", "(br $again)", ""])
            text += f")\n      {self.statements(2)} {end if n else ''}"
        first = rng.randrange(self.states)
        return f"""(local.set $k (i32.const {first}))
    (block $out (loop $loop (block $again (block $tail
      {text}
      {self.statements(1) if rng.random() < 0.6 else ''})
      (block $tail {self.statements(1) if rng.random() < 0.3 else ''}))
      (br_if $loop (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 40)))))
    (i64.add (local.get $s) (i64.extend_i32_u (i32.add (local.get $t) (local.get $k))))"""


class Calls:
    """Calls of small functions, in loops and not, that trap, loop, call others or themselves."""

    HELPERS = """
  (func $h0 (param $p i32) (result i32) (i32.add (local.get $p) (i32.const 3)))
  (func $h1 (param $p i32) (param $q i32) (result i32) (local $v i32)
    (if (i32.gt_u (local.get $p) (local.get $q)) (then (return (local.get $q))))
    (local.set $v (i32.load8_u (i32.and (local.get $p) (i32.const 63))))
    (i32.add (local.get $v) (local.get $p)))
  (func $h2 (param $p i32) (i32.store8 (local.get $p) (i32.add (i32.load8_u (local.get $p)) (i32.const 1))))
  (func $h3 (param $p i32) (result i32) (i32.div_u (i32.const 1000) (local.get $p)))
  (func $h4 (param $p i32) (result i32) (local $n i32)
    (local.set $p (i32.and (local.get $p) (i32.const 7)))
    (loop $l (local.set $n (i32.add (local.get $n) (local.get $p)))
      (br_if $l (i32.gt_s (local.tee $p (i32.sub (local.get $p) (i32.const 1))) (i32.const 0))))
    (local.get $n))
  (func $h5 (param $p i32) (result i32)
    (if (result i32) (i32.le_s (local.get $p) (i32.const 1)) (then (local.get $p))
      (else (i32.add (call $h5 (i32.sub (local.get $p) (i32.const 1)))
                     (call $h5 (i32.sub (local.get $p) (i32.const 2)))))))
  (func $h6 (param $p i32) (result i32) (call $h0 (call $h3 (local.get $p))))
  (func $h7 (param $p i32) (result i32)
    (if (local.get $p) (then unreachable)) (i32.const 5))
  (func $h8 (global.set $g (i32.add (global.get $g) (i32.const 1))))
  (func $h9 (param $x i64) (param $p i32) (result i64)
    (block $b (block $a (br_table $a $b $a (local.get $p))) (return (i64.add (local.get $x) (i64.const 1))))
    (i64.mul (local.get $x) (i64.const 3)))
  (func $h10 (param $p i32) unreachable)
"""

    def __init__(self, rng):
        self.rng = rng

    def value(self, depth=1):
        rng = self.rng
        kind = rng.randrange(12 if depth else 4)
        if kind < 4:
            return ["(local.get $t)", "(local.get $i)", "(local.get $y)", f"(i32.const {rng.randrange(9)})"][kind]
        inner = self.value(depth - 1)
        if kind == 4:
            return f"(call $h1 {inner} {self.value(depth - 1)})"
        if kind == 5:
            return f"(call $h5 (i32.and {inner} (i32.const 7)))"
        if kind == 6 and rng.random() < 0.9:
            return f"(call $h3 (i32.or {inner} (i32.const 1)))"
        if kind == 7 and rng.random() < 0.9:
            return f"(call $h6 (i32.or {inner} (i32.const 2)))"
        if kind == 8:
            return f"(i32.add {inner} {self.value(depth - 1)})"
        return f"(call $h{rng.choice([0, 0, 4, 4, 3, 6, 7] if rng.random() < 0.2 else [0, 4])} {inner})"

    def statement(self, depth):
        rng = self.rng
        kind = rng.randrange(7 if depth else 5)
        if kind == 0:
            return f"(local.set $t {self.value(2)})"
        if kind == 1:
            return f"(local.set $s (call $h9 (local.get $s) {self.value()}))"
        if kind == 2:
            return f"(call $h2 (i32.and {self.value()} (i32.const 63)))"
        if kind == 3:
            return "(call $h8)"
        if kind == 4:
            if rng.random() < 0.05:
                return f"(if (i32.eq (local.get $i) (i32.const 3)) (then (call $h10 {self.value()})))"
            return f"(local.set $s (i64.add (local.get $s) (i64.extend_i32_u {self.value()})))"
        if kind == 5:
            return f"(if {self.value()} (then {self.statements(depth - 1)}) (else {self.statements(depth - 1)}))"
        return (f"(local.set $k (i32.const 0)) (loop $l{depth} {self.statements(depth - 1)} "
                f"(br_if $l{depth} (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 5))))")

    def statements(self, depth):
        return "\n    ".join(self.statement(depth) for _ in range(self.rng.randrange(1, 5)))

    def body(self):
        return f"{self.statements(2)} (i64.add (local.get $s) (i64.extend_i32_u (local.get $t)))"


class Loops:
    """Nested counted loops, up and down, that load and store at what they count and beside it."""

    def __init__(self, rng):
        self.rng = rng
        self.locals = ["$t", "$y"]

    def address(self):
        rng = self.rng
        base = rng.choice(["(local.get $p)", "(local.get $i)", "(local.get $k)", "(local.get $i)",
                           "(i32.const 0)", "(i32.add (local.get $p) (local.get $i))",
                           "(i32.and (local.get $t) (i32.const 255))"])
        if rng.random() < 0.4:
            base = f"(i32.add {base} (i32.const {rng.choice([1, 2, 4, 8, 16, -1, -4, 65528])}))"
        return f"offset={rng.choice([0, 0, 1, 2, 4, 8, 32])} {base}"

    def value(self):
        rng = self.rng
        kind = rng.randrange(8)
        if kind < 3:
            return rng.choice(["(local.get $t)", "(local.get $y)", "(local.get $i)", "(local.get $m)"])
        if kind == 3:
            return "(global.get $g)"
        if kind == 4:
            return f"(i32.{rng.choice(['add', 'xor', 'sub', 'mul'])} {self.value()} {self.value()})"
        return f"(i32.load{rng.choice(['', '8_u', '16_s', '8_u'])} {self.address()})"

    def statement(self, depth):
        rng = self.rng
        kind = rng.randrange(8 if depth else 6)
        if kind == 0:
            return f"(local.set $t {self.value()})"
        if kind in (1, 2):
            return f"(local.set $s (i64.add (i64.mul (local.get $s) (i64.const 3)) (i64.extend_i32_u {self.value()})))"
        if kind in (3, 4):
            return f"(i32.store{rng.choice(['', '8', '16'])} {self.address()} {self.value()})"
        if kind == 5:
            return rng.choice(["(global.set $g (local.get $t))", "(local.set $m (i32.add (local.get $m) (i32.const 12)))",
                               "(local.set $s (i64.add (local.get $s) (i64.load offset=8 (i32.const 16))))"])
        if kind == 6:
            return f"(if {self.value()} (then {self.statements(depth - 1)}))"
        return self.loop(depth)

    def compared(self, depth, v):
        """A loop whose count steps by what is not known and is compared on the way back."""
        rng = self.rng
        low = rng.choice([8, 100, 65480, 65536])
        high = low + rng.randrange(1, 60)
        step = f"(i32.or (i32.and {self.value()} (i32.const 7)) (i32.const 1))"
        start = rng.choice([f"(i32.const {low})", f"(i32.const {high})", "(local.get $y)", "(local.get $t)",
                            f"(i32.and (local.get $y) (i32.const {high}))"])
        up = rng.random() < 0.7
        how, turned = rng.choice([("lt", "gt"), ("le", "ge")] if up else [("gt", "lt"), ("ge", "le")])
        sign = rng.choice("us")
        limit = f"(i32.const {high if up else low})"
        test = rng.choice([f"(i32.{how}_{sign} (local.get {v}) {limit})", f"(i32.{turned}_{sign} {limit} (local.get {v}))"])
        step = f"(local.set {v} (i32.{'add' if up else 'sub'} (local.get {v}) {step}))"
        # Where it starts far away it is left after a while; that test comes first.
        return (f"(local.set $n (i32.const 0)) (local.set {v} {start}) (block $out{depth} (loop $l{depth} "
                f"{self.statements(depth - 1)} {step} (br_if $out{depth} (i32.gt_u (local.tee $n "
                f"(i32.add (local.get $n) (i32.const 1))) (i32.const 200))) (br_if $l{depth} {test})))")

    def loop(self, depth):
        rng = self.rng
        v = "$i" if depth == 2 else "$k"
        if rng.random() < 0.3:
            return self.compared(depth, v)
        start = rng.choice([0, 0, 4, 65500, 65536, 0xffffffe0, 100])
        step = rng.choice([1, 4, 8, -1, -4, 3])
        rounds = rng.randrange(1, 12)
        end = (start + step * rounds) & 0xffffffff
        how = rng.choice(["ne", "ne", "lt_u", "lt_s", "le_u", "gt_u"])
        other = rng.choice(["", "(local.set $m (i32.add (local.get $m) (i32.const 8)))",
                            "(local.set $p (i32.add (local.get $p) (i32.const 4)))",
                            "(local.set $p (i32.add (local.get $p) (i32.const -2)))"])
        if rng.random() < 0.5:
            test = f"(i32.{how} (local.get {v}) (i32.const {end}))"
        else:
            test = f"(i32.{how} (i32.const {end}) (local.get {v}))"
        guard = f"(i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 200))"
        if rng.random() < 0.5:
            guard = "(i32.const 1)" if how == "ne" else guard
        return (f"(local.set {v} (i32.const {start})) (loop $l{depth} {self.statements(depth - 1)} {other} "
                f"(local.set {v} (i32.add (local.get {v}) (i32.const {step}))) "
                f"(br_if $l{depth} (i32.and {test} {guard})))")

    def statements(self, depth):
        return "\n    ".join(self.statement(depth) for _ in range(self.rng.randrange(1, 5)))

    def body(self):
        return (f"(local.set $m (i32.const {self.rng.choice([0, 16, 65520, 400])})) {self.statements(1)} "
                f"{self.loop(2)} (i64.add (local.get $s) (i64.extend_i32_u (local.get $t)))")


class Mixed(States):
    """State machines whose states do what the other shapes do."""

    HELPERS = Calls.HELPERS

    def statement(self, depth):
        kind = self.rng.randrange(6)
        if kind == 0:
            return Loops(self.rng).statement(0)
        if kind == 1:
            return Calls(self.rng).statement(0)
        if kind == 2:
            return f"(local.set $s (i64.xor (local.get $s) (block (result i64) {Bytes(self.rng).body()})))"
        return super().statement(depth)


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
