"""Random function bodies of the shapes that the optimiser's passes look for: sums and stores of bytes,
state machines, calls of small functions, loops, and all of these mixed."""


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
