"""Random loops of the shape the vectoriser looks for, and of shapes that only seem to be such."""

# Loads, stores, bytes of an element and operations of each kind of element; {0} and {1} are values.
INTEGER = ["add", "sub", "and", "or", "xor", "add", "mul"]
FLOAT = ["add", "sub", "mul", "add", "div"]
KINDS = [
    ("i32", "load8_u", "store8", 1), ("i32", "load8_s", "store8", 1), ("i32", "load16_u", "store16", 2),
    ("i32", "load16_s", "store16", 2), ("i32", "load", "store", 4), ("i32", "load", "store", 4),
    ("i64", "load", "store", 8), ("i64", "load32_u", "store32", 4), ("i64", "load32_s", "store32", 4),
    ("f32", "load", "store", 4), ("f64", "load", "store", 8), ("f64", "load", "store", 8)]
INTEGERS, FLOATS = KINDS[:9], KINDS[9:]
INDEX = {1: 0, 2: 1, 4: 2, 8: 3}


def fill(rng, limit):
    """Something else than zeros around $p, no word above LIMIT."""
    return f"""(local.set $i (i32.const 0))
    (loop $fill
      (i32.store (i32.and (i32.add (local.get $i) (local.get $p)) (i32.const 0xfffc))
        (i32.and (i32.const {limit})
          (i32.mul (i32.add (local.get $i) (local.get $y)) (i32.const {rng.choice([0x01010101, 0x9e3779b1, 0x10001])}))))
      (br_if $fill (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 2048))))"""


class VectorLoops:
    KINDS, LIMIT = INTEGERS, 0xffffffff

    def __init__(self, rng):
        self.rng = rng

    def load(self, stream, lane):
        """Element LANE of the round; streams may have smaller elements than what is stored."""
        pointer, offset, size, load = stream
        at = offset + lane * size
        if self.rng.random() < self.wrong:
            at += self.rng.choice([1, size, -size])
        return f"({self.type}.{load} offset={max(at, 0)} {pointer})"

    def invariant(self):
        t, rng = self.type, self.rng
        if t == "i32":
            return rng.choice(["(local.get $y)", f"(i32.const {rng.choice([1, 3, 255, -1, 65535, 7])})"])
        if t == "i64":
            return rng.choice(["(local.get $x)", f"(i64.const {rng.choice([1, 3, 255, -1, 7])})"])
        return rng.choice([f"({t}.convert_i32_s (local.get $y))", f"({t}.const {rng.choice([0.5, 3, -1.25])})"])

    def template(self, depth):
        """An expression, as what makes it for a lane."""
        rng, t = self.rng, self.type
        kind = rng.randrange(8 if depth else 4)
        if kind < 3 or (kind == 3 and not depth):
            if rng.random() < 0.2:
                text = self.invariant()
                return lambda lane: text
            if rng.random() < 0.12 and t == "i32" and self.index:
                scale = rng.choice([1, 1, 3])
                return lambda lane: (f"(i32.mul (i32.add (local.get $i) (i32.const {lane * self.index})) "
                                     f"(i32.const {scale}))")
            stream = rng.choice(self.streams)
            if rng.random() < 0.15: # always the same place
                return lambda lane: f"({t}.{stream[3]} offset={stream[1] + 24} (local.get $p))"
            return lambda lane: self.load(stream, lane)
        if kind == 3:
            inner = self.template(depth - 1)
            if t[0] == "i":
                op, k = rng.choice(["shl", "shr_u", "shr_s", "rotl"]), rng.choice([1, 3, 7, 8, 17])
                return lambda lane: f"({t}.{op} {inner(lane)} ({t}.const {k}))"
            op = rng.choice(["sqrt", "floor", "ceil", "trunc", "nearest"])
            return lambda lane: f"({t}.{op} {inner(lane)})"
        if kind == 4 and t == "i32" and rng.random() < 0.4:
            op, inner = rng.choice(["extend8_s", "extend16_s"]), self.template(depth - 1)
            return lambda lane: f"(i32.{op} {inner(lane)})"
        if kind == 5 and rng.random() < 0.5:
            a, b = self.template(depth - 1), self.template(depth - 1)
            op = rng.choice(["lt", "gt", "le", "eq", "ne"])
            sign = rng.choice(["_s", "_u"]) if t[0] == "i" and op not in ("eq", "ne") else ""
            turned = {"lt": "gt", "gt": "lt", "le": "ge", "eq": "eq", "ne": "ne"}[op]
            def choose(lane):
                x, y = a(lane), b(lane)
                if self.turns and lane % 2:
                    return f"(select {x} {y} ({t}.{turned}{sign} {y} {x}))"
                return f"(select {x} {y} ({t}.{op}{sign} {x} {y}))"
            return choose
        if t == "f32" and rng.random() < 0.3:
            stream = rng.choice(self.streams)
            at = lambda lane: f"(f32.convert_i32_s (i32.load offset={stream[1] + 4 * lane} {stream[0]}))"
            op, one = rng.choice(["min", "max"]), rng.choice(["neg", "abs"])
            return lambda lane: f"(f32.{op} (f32.{one} {at(lane)}) (f32.const 1e6))"
        a, b = self.template(depth - 1), self.template(depth - 1)
        op = rng.choice(INTEGER if t[0] == "i" else FLOAT)
        turn = op in ("add", "mul", "and", "or", "xor") and self.turns
        def make(lane):
            x, y = a(lane), b(lane)
            if turn and lane % 2:
                x, y = y, x
            return f"({t}.{op} {x} {y})"
        return make

    def pointer(self, number, size):
        """The address of round 0 and how it is written in the loop."""
        rng = self.rng
        step = size * self.lanes
        distance = rng.choice([0, 0, size * rng.randrange(-9, 10), step * rng.randrange(-9, 10), rng.randrange(-40, 41),
                               1024, 4096, -4096, 700, rng.choice([65536 - 300, -300, 300])]) if number else 0
        base = f"(i32.add (local.get $p) (i32.const {distance}))" if distance else "(local.get $p)"
        if rng.random() < 0.15:
            base = f"(i32.and {base} (i32.const 0xfff8))"
        if rng.random() < 0.1:
            base = f"(i32.const {rng.choice([0, 64, 1000, 65536 - 160, -64])})"
        if self.index and rng.random() < 0.6:
            if self.index == self.lanes and size in INDEX:
                return f"(i32.add {base} (i32.shl (local.get $i) (i32.const {INDEX[size]})))"
            if self.index == step:
                return rng.choice([f"(i32.add {base} (local.get $i))", f"(i32.add (local.get $i) {base})"])
        own = ["$k", "$m", "$n"][number % 3]
        if own in self.own and self.own[own] != step:
            return f"(i32.add {base} (local.get $i))"
        if own not in self.own:
            self.before.append(f"(local.set {own} {base})")
            self.after.append(f"(local.set {own} (i32.add (local.get {own}) (i32.const {step})))")
            self.own[own] = step
        return f"(local.get {own})"

    def test(self, count):
        """Sets $i before the loop, steps it, and says when to go on."""
        rng = self.rng
        step = self.index or rng.choice([-1, -1, 1, -self.lanes])
        if step < 0:
            start, limit = count * -step, 0
        else:
            start = rng.choice([0, 0, 0, 16])
            limit = start + count * step
        number = f"(i32.const {count})"
        if rng.random() < 0.6: # not known to the compiler
            number = f"(i32.rem_u (local.get $y) (i32.const {rng.choice([10, 20, 41])}))"
        scaled = f"(i32.mul {number} (i32.const {abs(step)}))"
        if step < 0:
            self.before.append(f"(local.set $i {scaled})")
            bound = "(i32.const 0)"
        else:
            self.before.append(f"(local.set $i (i32.const {start}))")
            self.before.append(f"(local.set $q (i32.add {scaled} (i32.const {start})))")
            bound = "(local.get $q)" if "rem_u" in number else f"(i32.const {limit})"
        self.after.append(f"(local.set $i (i32.add (local.get $i) (i32.const {step})))")
        how = rng.choice(["ne", "ne", "ne", "ne", "gt_s" if step < 0 else "lt_s", "gt_u" if step < 0 else "lt_u",
                          "ge_s" if step < 0 else "le_s"])
        if how == "ne" and step < 0 and rng.random() < 0.5:
            again = "(local.get $i)"
        elif rng.random() < 0.3:
            turned = {"ne": "ne", "gt_s": "lt_s", "lt_s": "gt_s", "gt_u": "lt_u", "lt_u": "gt_u", "ge_s": "le_s",
                      "le_s": "ge_s"}[how]
            again = f"(i32.{turned} {bound} (local.get $i))"
        else:
            again = f"(i32.{how} (local.get $i) {bound})"
        return again, number

    def loop(self, label):
        rng = self.rng
        self.type, load, store, size = rng.choice(self.KINDS)
        self.lanes = rng.choice([1, 1, 1, 2, 2, 3, 4, 4, 8])
        self.wrong = 0.02 if rng.random() < 0.2 else 0
        self.turns = rng.random() < 0.2
        self.before, self.after, self.own = [], [], {}
        self.index = rng.choice([0, self.lanes, self.lanes * size])
        self.streams = []
        for number in range(rng.randrange(1, 4)):
            kind = (load, size)
            if self.type == "i32" and rng.random() < 0.2:
                kind = rng.choice([("load8_u", 1), ("load16_s", 2), ("load", 4)])
            pointer = self.pointer(number, kind[1])
            for _ in range(rng.choice([1, 1, 2])):
                self.streams.append((pointer, rng.choice([0, 0, kind[1], 2 * kind[1], 5, 64]), kind[1], kind[0]))
        body = []
        kind = rng.randrange(8)
        if kind < 5: # stores
            for _ in range(rng.choice([1, 1, 2])):
                target = rng.choice(self.streams) if rng.random() < 0.5 else None
                if not target or target[2] != size:
                    target = (self.pointer(rng.randrange(4), size), rng.choice([0, 0, size, 128]), size, load)
                value = self.template(2)
                places = [f"offset={target[1] + k * size} " for k in range(self.lanes)]
                if rng.random() < 0.3: # all loads before all stores
                    body += [f"{target[0]} {value(k)}" for k in range(self.lanes)]
                    body += [f"{self.type}.{store} {place}" for place in reversed(places)]
                else:
                    each = [f"({self.type}.{store} {place}{target[0]} {value(k)})" for k, place in enumerate(places)]
                    body += each[::-1] if rng.random() < 0.2 else each
        if 4 <= kind < 7 and self.type[0] == "i": # sums
            local = "$t" if self.type == "i32" else "$s"
            op, term = rng.choice(["add", "add", "xor", "or", "and", "mul"]), self.template(1)
            if self.type == "i32" and rng.random() < 0.3: # how many are less
                values, than = term, self.invariant()
                op, term = "add", lambda k: f"(i32.lt_s {values(k)} {than})"
            for k in range(self.lanes):
                body.append(f"(local.set {local} ({self.type}.{op} (local.get {local}) {term(k)}))")
        if kind == 7 or (kind >= 5 and self.type[0] == "f"): # what stood there an element before
            stream = rng.choice(self.streams)
            target = (self.pointer(3, size), 0)
            local, now = f"$o{self.type}", f"$z{self.type}"
            for k in range(self.lanes):
                body.append(f"({self.type}.{store} offset={target[1] + k * size} {target[0]} "
                            f"({self.type}.add (local.get {local}) (local.tee {now} {self.load(stream, k)})))")
                body.append(f"(local.set {local} (local.get {now}))")
        if rng.random() < 0.05:
            body.append(rng.choice(["(global.set $g (local.get $i))", "(i32.store8 (i32.const 9) (local.get $i))",
                                    "(local.set $t (i32.load8_u (i32.const 3)))"]))
        again, number = self.test(rng.randrange(0, 41))
        guard = f"(i32.lt_u (local.tee $r (i32.add (local.get $r) (i32.const 1))) (i32.const 300))"
        if rng.random() < 0.8:
            guard = ""
        text = "\n      ".join(body + self.after)
        if guard:
            again = f"(i32.and {again} {guard})"
        # A loop that is entered with no rounds to do would go around 2^32 times.
        return (f"(if (i32.gt_s {number} (i32.const 0)) (then (local.set $r (i32.const 0))\n      "
                f"{' '.join(self.before)}\n      (loop ${label} {text}\n      (br_if ${label} {again}))))")

    def body(self):
        rng = self.rng
        # Most of what passes.py passes as $p traps at once.
        at = rng.choice([0, 400, 1000, 20000, 65536 - 700])
        place = f"(local.set $p (i32.add (i32.and (local.get $p) (i32.const 0xff)) (i32.const {at})))"
        if rng.random() < 0.2:
            place = ""
        loops = "\n    ".join(self.loop(f"l{k}") for k in range(rng.randrange(1, 3)))
        wanted = rng.choice(["(local.get $i)", "(local.get $k)", "(i32.const 0)", "(i32.const 0)", "(local.get $oi32)"])
        return f"""{place} {fill(rng, self.LIMIT)}
    {loops}
    (i64.add (i64.add (local.get $s) (i64.mul (i64.extend_i32_u (local.get $t)) (i64.const 7)))
      (i64.extend_i32_u {wanted}))"""


class FloatLoops(VectorLoops):
    """Which NaN an operation on two of them gives, Wasm does not say: here there is only one."""

    KINDS, LIMIT, DATA = FLOATS, 0x3fffffff, 0x40


class Nests:
    """Loops around a loop of one block, whose rounds may be lanes of vectors: products of matrices."""

    KINDS, LIMIT = INTEGERS, 0xffffffff

    def __init__(self, rng):
        self.rng = rng

    def nest(self, label):
        rng = self.rng
        t, load, store, size = rng.choice(self.KINDS)
        acc = {"i32": "$t", "i64": "$s", "f32": "$of32", "f64": "$of64"}[t]
        ops = INTEGER if t[0] == "i" else FLOAT
        place = lambda: rng.choice([0, 0, 64, 300, 1024, 2048, 5000, rng.randrange(-64, 65), 65536 - 900])
        at = lambda: f"(i32.add (local.get $p) (i32.const {place()}))"
        def number(most):
            n = f"(i32.const {rng.randrange(1, most)})"
            return n if rng.random() < 0.5 else f"(i32.add (i32.rem_u (local.get $y) (i32.const {most})) (i32.const 1))"
        stride = rng.choice([size, size * 8, 48, 52, -size, -16, 0])
        column_step = rng.choice([size] * 6 + [2 * size, 0, -size, 1])
        row_step = rng.choice([size, size, 4])
        before = [f"(local.set $k {at()})", f"(local.set $m {at()})", f"(local.set $u {at()})"]
        if rng.random() < 0.2: # behind or in the column
            before[1] = f"(local.set $m (i32.add (local.get $k) (i32.const {size * rng.randrange(-9, 10)})))"
        start = rng.choice([f"({t}.const 0)", f"({t}.const 3)", f"(local.get {acc})", f"({t}.{load} (local.get $m))",
                            f"({t}.{load} offset=16 (local.get $k))"])
        begin = [f"(local.set {acc} {start})", "(local.set $n (local.get $k))", "(local.set $q (local.get $u))"]
        column = f"({t}.{load} offset={rng.choice([0, 0, 8, size])} (local.get $n))"
        row = f"({t}.{load} offset={rng.choice([0, 0, 4])} (local.get $q))"
        other = rng.choice([column, f"({t}.{load} offset=32 (local.get $n))"])
        if t == "i32" and rng.random() < 0.2:
            other = rng.choice(["(local.get $r)", "(local.get $i)", "(i32.add (local.get $r) (local.get $i))"])
        term = f"({t}.{rng.choice(ops)} {column} {rng.choice([row, row, other])})"
        if rng.random() < 0.25:
            op = rng.choice(["lt_s", "gt_u", "eq", "ne"] if t[0] == "i" else ["lt", "gt", "eq", "ne"])
            term = f"(select {term} {column} ({t}.{op} {column} {row}))"
        if t[0] == "i" and rng.random() < 0.3:
            term = f"({t}.{rng.choice(['shl', 'shr_u', 'shr_s'])} {term} ({t}.const {rng.choice([1, 5, 8])}))"
        inner = [f"(local.set {acc} ({t}.{rng.choice(ops)} (local.get {acc}) {term}))"] * rng.choice([1, 1, 2])
        inner += [f"(local.set $n (i32.add (local.get $n) (i32.const {stride})))",
                  f"(local.set $q (i32.add (local.get $q) (i32.const {row_step})))"]
        if rng.random() < 0.1:
            inner.insert(0, f"({t}.{store} offset=8 (local.get $m) (local.get {acc}))")
        result = f"(local.get {acc})"
        if rng.random() < 0.4:
            result = f"({t}.{rng.choice(ops)} ({t}.{load} (local.get $m)) {result})"
        target = "(i32.const 40)" if rng.random() < 0.05 else "(local.get $m)"
        end = [f"({t}.{store} offset={rng.choice([0, 0, size])} {target} {result})",
               f"(local.set $k (i32.add (local.get $k) (i32.const {column_step})))",
               f"(local.set $m (i32.add (local.get $m) (i32.const {rng.choice([size] * 8 + [2 * size])})))"]
        if rng.random() < 0.05:
            end.append("(local.set $u (i32.add (local.get $u) (i32.const 4)))")
        down = rng.random() < 0.5
        rounds, again = number(17), "(local.tee $i (i32.sub (local.get $i) (i32.const 1)))"
        begin.append(f"(local.set $i {rounds if down else '(i32.const 0)'})")
        if not down:
            before.append(f"(local.set $v {rounds})")
            how = rng.choice(["ne", "lt_s", "lt_u"])
            again = f"(i32.{how} (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $v))"
        text = " ".join
        return f"""{text(before)} (local.set $r (i32.const 0)) (local.set $w {number(30)})
    (loop ${label} {text(begin)}
      (loop ${label}i {text(inner)}
        (br_if ${label}i {again}))
      {text(end)}
      (br_if ${label} (i32.ne (local.tee $r (i32.add (local.get $r) (i32.const 1))) (local.get $w))))"""

    def body(self):
        rng = self.rng
        place = f"(local.set $p (i32.add (i32.and (local.get $p) (i32.const 0xff)) (i32.const {rng.choice([0, 0, 400, 1000, 20000, 65536 - 1200])})))"
        if rng.random() < 0.1:
            place = ""
        wanted = rng.choice(["(i32.const 0)", "(local.get $k)", "(local.get $r)", "(i32.const 0)", "(local.get $t)"])
        nests = "\n    ".join(self.nest(f"n{k}") for k in range(rng.randrange(1, 3)))
        return f"""{place} {fill(rng, self.LIMIT)}
    {nests}
    (i64.add (local.get $s) (i64.extend_i32_u {wanted}))"""


class FloatNests(Nests):
    KINDS, LIMIT, DATA = FLOATS, 0x3fffffff, 0x40
