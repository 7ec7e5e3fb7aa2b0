"""Modules of any size out of a real one: a run of its functions, or all of them several times, with
calls led to where the functions are now, or to an import of the same type. Data, tables' elements
and custom sections are left out: it is the code that is to have the size."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests"))

from wasm_binary import HEADER, section, sized, u  # noqa: E402


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def u32(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def skip_leb(self):
        while self.byte() >= 0x80:
            pass

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]


def sections(data):
    r = Reader(data)
    assert r.take(8) == HEADER
    while r.at < len(data):
        number = r.byte()
        yield number, r.take(r.u32())


def strip(data):
    """Without custom sections."""
    return data[:8] + b"".join(section(n, c) for n, c in sections(data) if n)


# Immediates by opcode: b a byte, l an LEB, other opcodes are looked at below.
IMMEDIATES = {0x02: "l", 0x03: "l", 0x04: "l", 0x0C: "l", 0x0D: "l", 0x11: "ll", 0x41: "l", 0x42: "l",
              0x43: "bbbb", 0x44: "b" * 8, 0x3F: "b", 0x40: "b", 0xD0: "b"}
IMMEDIATES.update({op: "l" for op in range(0x20, 0x27)})
IMMEDIATES.update({op: "ll" for op in range(0x28, 0x3F)})
BULK = {8: "ll", 9: "l", 10: "ll", 11: "l", 12: "ll", 13: "l", 14: "ll", 15: "l", 16: "l", 17: "l"}


def calls_of(body):
    """Splits a function body at its calls: the pieces between, and whom it calls."""
    r, pieces, callees, start = Reader(body), [], [], 0
    for _ in range(r.u32()):
        r.skip_leb()
        r.byte()
    while r.at < len(body):
        op = r.byte()
        if op == 0x10:
            pieces.append(body[start:r.at])
            callees.append(r.u32())
            start = r.at
            continue
        if op == 0x0E:
            for _ in range(r.u32() + 1):
                r.skip_leb()
        elif op == 0x1C:
            r.take(r.u32())
        elif op == 0xFC:
            for _ in BULK.get(r.u32(), ""):
                r.skip_leb()
        elif op in (0xD2, 0xFD, 0xFE, 0x06, 0x08, 0x12, 0x13, 0x18):
            raise ValueError(f"opcode {op:#x} is not known here")
        else:
            for kind in IMMEDIATES.get(op, ""):
                r.byte() if kind == "b" else r.skip_leb()
    pieces.append(body[start:])
    return pieces, callees


class Source:
    """A module taken apart."""

    def __init__(self, data):
        self.parts = dict(sections(data))
        r = Reader(self.parts[2])
        self.imports = []  # types of imported functions
        for _ in range(r.u32()):
            r.take(r.u32())
            r.take(r.u32())
            if r.byte() != 0:
                raise ValueError("only functions may be imported")
            self.imports.append(r.u32())
        r = Reader(self.parts[3])
        self.types = [r.u32() for _ in range(r.u32())]
        r = Reader(self.parts[10])
        self.bodies = [calls_of(r.take(r.u32())) for _ in range(r.u32())]

    def choose(self, size):
        """(copy, function) until there are SIZE bytes of code; from the middle, where code is more
        ordinary than at the start, and nothing that would be most of the module by itself."""
        lengths = [sum(map(len, pieces)) + 5 * len(callees) for pieces, callees in self.bodies]
        middle = len(lengths) // 3
        order = list(range(middle, len(lengths))) + list(range(middle))
        chosen, total, copy = [], 0, 0
        while total < size * 0.98:
            before = total
            for i in order:
                if total + lengths[i] <= size and lengths[i] <= size / 4:
                    chosen.append((copy, i))
                    total += lengths[i]
            if total == before:
                break
            copy += 1
        return chosen

    def resized(self, size):
        """A module of about SIZE bytes."""
        chosen = self.choose(size)
        place = {who: n for n, who in enumerate(chosen)}
        imports = {}  # type → index
        linked = []
        for copy, i in chosen:
            targets = []
            for index in self.bodies[i][1]:
                own = place.get((copy, index - len(self.imports)))
                kind = (self.imports + self.types)[index]
                targets.append((own, None) if own is not None
                               else (None, imports.setdefault(kind, len(imports))))
            linked.append((self.bodies[i][0], targets))
        code = []
        for pieces, targets in linked:
            body = bytearray(pieces[0])
            for (own, imported), piece in zip(targets, pieces[1:]):
                body += u(imported if own is None else len(imports) + own) + piece
            code.append(sized(bytes(body)))
        names = b"".join(b"\3env" + sized(str(n).encode()) + b"\0" + u(kind)
                         for n, kind in enumerate(imports))
        types = b"".join(u(self.types[i]) for _, i in chosen)
        out = HEADER + section(1, self.parts[1]) + section(2, u(len(imports)) + names)
        out += section(3, u(len(chosen)) + types)
        for number in (4, 5, 6):
            if number in self.parts:
                out += section(number, self.parts[number])
        if 12 in self.parts:
            out += section(12, self.parts[12])
        out += section(10, u(len(code)) + b"".join(code))
        if 11 in self.parts:  # memory.init may name them: as many, all empty and passive
            out += section(11, self.no_data())
        return out

    def no_data(self):
        count = Reader(self.parts[11]).u32()
        return u(count) + b"\1\0" * count
