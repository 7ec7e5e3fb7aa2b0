"""The binary format as far as the fuzzers take modules apart and put them together again: sections,
types, imports, exports and the instructions of function bodies."""

import pathlib
import re
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from wasm_binary import HEADER, s, section, sized, u, vector  # noqa: E402

I32, I64, F32, F64, V128, FUNCREF, EXTERNREF, EXNREF = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F, 0x69
TYPE_NAMES = {I32: "i32", I64: "i64", F32: "f32", F64: "f64", V128: "v128", FUNCREF: "funcref",
              EXTERNREF: "externref", EXNREF: "exnref"}
TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT, TAG = \
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
ORDER = [TYPE, IMPORT, FUNCTION, TABLE, MEMORY, TAG, GLOBAL, EXPORT, START, ELEMENT, DATA_COUNT, CODE,
         DATA]


class Bad(Exception):
    """What cannot be taken apart; it is left to the engines to refuse it."""


class Reader:
    def __init__(self, data, at=0, end=None):
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def byte(self):
        if self.at >= self.end:
            raise Bad("end")
        self.at += 1
        return self.data[self.at - 1]

    def leb(self, signed=False):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value - (1 << shift) if signed and byte & 0x40 else value
            if shift > 70:
                raise Bad("leb")

    def take(self, n):
        if n > self.end - self.at:
            raise Bad("end")
        self.at += n
        return self.data[self.at - n:self.at]

    def name(self):
        return self.take(self.leb())

    def more(self):
        return self.at < self.end

    def count(self):
        n = self.leb()
        if n > self.end - self.at:
            raise Bad("count")
        return n


def _vector_table():
    """Number -> (name, types, has a lane) of the vector operations, from the engine's own table."""
    text = (pathlib.Path(__file__).parents[2] / "wasm/ir/simd.h").read_text()
    return {int(n): (name, types, flags == "SIMD_L")
            for n, name, types, flags in
            re.findall(r'X\((\d+), \w+, "([^"]+)", "(\w+)", (\w+)\)', text)}


VECTORS = _vector_table()
# Those whose NaNs are each engine's own business: (prefix, number) -> shape.
VECTOR_ARITHMETIC = {
    (0xFD, n): name[:5] for n, (name, types, _) in VECTORS.items()
    if name.startswith(("f32x4.", "f64x2.")) and types[0] == "v" and set(types[1:]) == {"v"} and
    not re.search(r"\.(eq|ne|lt|gt|le|ge|relaxed_.*)$", name)}
_INDEX = {0x07, 0x08, 0x09, 0x0C, 0x0D, 0x10, 0x12, 0x18, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26,
          0xD2, 0x3F, 0x40}
_FC = {8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}


def _memarg(r):
    if r.leb() & 0x40:
        r.leb()
    r.leb()


def instructions(code):
    """[(key, opcode bytes, immediate bytes)] of an expression; key: opcode, or (prefix, number)."""
    r, out = Reader(code), []
    while r.more():
        start = r.at
        op = key = r.byte()
        if op in (0xFC, 0xFD, 0xFE):
            key = (op, r.leb())
        middle = r.at
        if op in (0x02, 0x03, 0x04, 0x06, 0xD0):
            r.leb(True)
        elif op in _INDEX:
            r.leb()
        elif op == 0x0E:
            for _ in range(r.count() + 1):
                r.leb()
        elif op in (0x11, 0x13):
            r.leb(), r.leb()
        elif op == 0x1C:
            for _ in range(r.count()):
                r.leb(True)
        elif 0x28 <= op <= 0x3E:
            _memarg(r)
        elif op in (0x41, 0x42):
            r.leb(True)
        elif op in (0x43, 0x44):
            r.take(4 if op == 0x43 else 8)
        elif op == 0xFC:
            for _ in range(_FC.get(key[1], 0)):
                r.leb()
        elif op == 0xFD:
            n = key[1]
            if n <= 11 or 84 <= n <= 93:
                _memarg(r)
            if n in (12, 13):
                r.take(16)
            elif 21 <= n <= 34 or 84 <= n <= 91:
                r.byte()
        elif op == 0xFE:
            if key[1] == 3:
                r.byte()
            else:
                _memarg(r)
        out.append((key, code[start:middle], code[middle:r.at]))
    return out


class Module:
    def __init__(self, data):
        if data[:8] != HEADER:
            raise Bad("magic")
        self.sections = []  # [id, contents]
        r = Reader(data, 8)
        while r.more():
            number = r.byte()
            self.sections.append([number, r.take(r.leb())])
        self.types, self.imports, self.funcs, self.globals = [], [], [], []
        self.exports, self.bodies, self.memories, self.tables, self.tags = [], [], [], [], []
        for number, data in self.sections:
            r = Reader(data)
            if number in self._readers and data:
                for _ in range(r.count()):
                    self._readers[number](self, r)

    def _limits(self, r):
        flags = r.leb()
        low = r.leb()
        return {"flags": flags, "min": low, "max": r.leb() if flags & 1 else None}

    def _type(self, r):
        if r.byte() != 0x60:
            raise Bad("type")
        self.types.append((tuple(r.take(r.leb())), tuple(r.take(r.leb()))))

    def _signature(self, index):
        if index >= len(self.types):
            raise Bad("type index")
        return self.types[index]

    def _import(self, r):
        module, name, kind = r.name(), r.name(), r.byte()
        if kind == 0:
            index = r.leb()
            self.funcs.append(index)
            extra = {"sig": self._signature(index)}
        elif kind == 1:
            extra = {"type": r.byte(), **self._limits(r)}
            self.tables.append(extra)
        elif kind == 2:
            extra = self._limits(r)
            self.memories.append(extra)
        elif kind == 3:
            extra = {"type": r.byte(), "mutable": r.byte()}
            self.globals.append((extra["type"], extra["mutable"]))
        elif kind == 4:
            r.byte()
            index = r.leb()
            self.tags.append(index)
            extra = {"sig": self._signature(index)}
        else:
            raise Bad("import")
        self.imports.append((module, name, kind, extra))

    def _function(self, r):
        self.funcs.append(r.leb())
        self._signature(self.funcs[-1])

    def _table(self, r):
        self.tables.append({"type": r.byte(), **self._limits(r)})

    def _memory(self, r):
        self.memories.append(self._limits(r))

    def _global(self, r):
        self.globals.append((r.byte(), r.byte()))
        depth = r.at
        r.at = depth + self._expression(r)

    def _expression(self, r):
        """Length of the constant expression at R, with its end."""
        start = r.at
        while True:
            op = r.byte()
            if op == 0x0B:
                return r.at - start
            if op in (0x41, 0x42, 0xD0):
                r.leb(True)
            elif op in (0x23, 0xD2):
                r.leb()
            elif op in (0x43, 0x44):
                r.take(4 if op == 0x43 else 8)
            elif op == 0xFD:
                r.leb(), r.take(16)
            elif op not in (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E):
                raise Bad("constant")

    def _export(self, r):
        self.exports.append((r.name(), r.byte(), r.leb()))

    def _body(self, r):
        self.bodies.append(r.take(r.leb()))

    def _tag(self, r):
        r.byte()
        self.tags.append(r.leb())

    _readers = {TYPE: _type, IMPORT: _import, FUNCTION: _function, TABLE: _table, MEMORY: _memory,
                GLOBAL: _global, EXPORT: _export, CODE: _body, TAG: _tag}

    def imported(self, kind):
        return sum(1 for i in self.imports if i[2] == kind)

    def signature(self, func):
        return self.types[self.funcs[func]] if func < len(self.funcs) else ((), ())

    def locals_of(self, body, func):
        """(types of all locals, where the code starts)"""
        r = Reader(body)
        types = list(self.signature(func)[0])
        for _ in range(r.count()):
            n, t = r.leb(), r.byte()
            if n > 50000:
                raise Bad("locals")
            types += [t] * n
        return types, r.at

    def _put(self, number, contents):
        for section in self.sections:
            if section[0] == number:
                section[1] = contents
                return
        place = ORDER.index(number)
        at = next((i for i, sec in enumerate(self.sections)
                   if sec[0] in ORDER and ORDER.index(sec[0]) > place), len(self.sections))
        self.sections.insert(at, [number, contents])

    def bytes(self):
        if self.bodies:
            self._put(CODE, vector([sized(b) for b in self.bodies]))
        return HEADER + b"".join(section(n, c) for n, c in self.sections)

    def expose(self, most=100):
        """Exports what is inside, so that it can be called and compared: functions, memories and
        globals; what a vector goes in or out of through a wrapper with two i64 for each."""
        have = {(kind, index) for _, kind, index in self.exports}
        added = []
        for index in range(len(self.memories)):
            if (2, index) not in have:
                added.append((b"__m%d" % index, 2, index))
        imported = self.imported(0)
        types, wrappers, names = list(self.types), [], {name for name, _, _ in self.exports}

        def wrap(name, signature, code, locals_):
            if signature not in types:
                types.append(signature)
            wrappers.append((types.index(signature), locals_ + code + b"\x0b"))
            added.append((name, 0, len(self.funcs) + len(wrappers) - 1))

        split = lambda ts: tuple(x for t in ts for x in ((I64, I64) if t == V128 else (t,)))
        for index in range(min(len(self.funcs), imported + most)):
            params, results = self.signature(index)
            if index < imported or V128 not in params + results:
                if index >= imported and (0, index) not in have:
                    added.append((b"__f%d" % index, 0, index))
                continue
            code, at = b"", 0
            for t in params:
                code += b"\x20" + u(at)
                at += 1
                if t == V128:
                    code += b"\xfd\x12\x20" + u(at) + b"\xfd\x1e\x01"
                    at += 1
            code += b"\x10" + u(index)
            locals_ = u(len(results)) + b"".join(b"\x01" + bytes([t]) for t in results)
            for i in reversed(range(len(results))):
                code += b"\x21" + u(at + i)
            for i, t in enumerate(results):
                get = b"\x20" + u(at + i)
                code += get + (b"\xfd\x1d\x00" + get + b"\xfd\x1d\x01" if t == V128 else b"")
            wrap(b"__w%d" % index, (split(params), split(results)), code, locals_)
        for index, (t, _) in enumerate(self.globals[:most]):
            if t == V128:
                get = b"\x23" + u(index)
                wrap(b"__v%d" % index, ((), (I64, I64)), get + b"\xfd\x1d\x00" + get + b"\xfd\x1d\x01",
                     b"\0")
            elif (3, index) not in have and t in (I32, I64, F32, F64):
                added.append((b"__g%d" % index, 3, index))
        added = [a for a in added if a[0] not in names]
        if wrappers and self.bodies:
            first = len(self.funcs) - imported
            self._put(TYPE, u(len(types)) + b"".join(
                b"\x60" + u(len(p)) + bytes(p) + u(len(r)) + bytes(r) for p, r in types))
            self.funcs += [w[0] for w in wrappers]
            own = self.funcs[imported:]
            assert len(own) == first + len(wrappers)
            self._put(FUNCTION, u(len(own)) + b"".join(u(t) for t in own))
            self.bodies += [w[1] for w in wrappers]
            self.types = types
        elif wrappers:
            added = [a for a in added if a[1] != 0 or a[2] < len(self.funcs)]
        self.exports += added
        if self.exports:
            self._put(EXPORT, u(len(self.exports)) + b"".join(
                u(len(n)) + n + bytes([k]) + u(i) for n, k, i in self.exports))
        return self

    def plain_vectors(self):
        """Makes one NaN of all that vector arithmetic gives, as `wasm-opt --denan` does of numbers."""
        imported = self.imported(0)
        for which, body in enumerate(self.bodies):
            locals_, start = self.locals_of(body, imported + which)
            out, changed, spare = b"", False, len(locals_)
            for key, op, imm in instructions(body[start:]):
                out += op + imm
                if key not in VECTOR_ARITHMETIC:
                    continue
                nan, equal = (((b"\0\0\xc0\x7f" * 4), b"\xfd\x41") if VECTOR_ARITHMETIC[key] == "f32x4" else
                              (b"\0\0\0\0\0\0\xf8\x7f" * 2, b"\xfd\x47"))
                out += (b"\x22" + u(spare) + b"\xfd\x0c" + nan + (b"\x20" + u(spare)) * 2 + equal +
                        b"\xfd\x52")
                changed = True
            if changed:
                r = Reader(body)
                groups = r.leb()
                self.bodies[which] = u(groups + 1) + body[r.at:start] + b"\x01\x7b" + out
        return self

    def description(self):
        """What the other engine cannot ask of its own module: types of functions."""
        names = lambda ts: [TYPE_NAMES.get(t, "?") for t in ts]
        imports = []
        for module, name, kind, extra in self.imports:
            entry = {"module": module.decode(errors="replace"), "name": name.decode(errors="replace"),
                     "kind": kind}
            for key, value in extra.items():
                entry[key] = ([names(value[0]), names(value[1])] if key == "sig" else
                              TYPE_NAMES.get(value, "?") if key == "type" else value)
            imports.append(entry)
        exports = []
        for name, kind, index in self.exports:
            entry = {"name": name.decode(errors="replace"), "kind": kind}
            if kind == 0:
                params, results = self.signature(index)
                entry["sig"] = [names(params), names(results)]
            elif kind == 3 and index < len(self.globals):
                entry["type"] = TYPE_NAMES.get(self.globals[index][0], "?")
            exports.append(entry)
        return {"imports": imports, "exports": exports}


def const(t, value):
    """An instruction pushing a number."""
    if t == I32:
        return b"\x41" + s((value + 2**31) % 2**32 - 2**31)
    if t == I64:
        return b"\x42" + s((value + 2**63) % 2**64 - 2**63)
    if t == F32:
        return b"\x43" + struct.pack("<I", value % 2**32)
    if t == F64:
        return b"\x44" + struct.pack("<Q", value % 2**64)
    return b"\xfd\x0c" + (value % 2**128).to_bytes(16, "little")
