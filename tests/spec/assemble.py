#!/usr/bin/env python3
"""Converts a test script to JSON and modules as wast2json does, for what wabt 1.0.32 does not know:
try_table, throw_ref and exnref. Understands of the text format what our own scripts use.
Usage: assemble.py [--enable-…] SCRIPT.wast -o SCRIPT.json"""
import json
import os
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from wasm_binary import HEADER, s, sized, u, vector  # noqa: E402

TOKEN = re.compile(r'\s+|;;[^\n]*|\(;.*?;\)|(\()|(\))|("(?:[^"\\]|\\.)*")|([^\s()";]+)', re.S)


class Node(list):
    """What stands in parentheses; LINE is that of the opening one."""

    def __init__(self, line):
        super().__init__()
        self.line = line


class Text(bytes):
    """A string, as opposed to a word."""


def unescape(text):
    def one(match):
        code = match[1]
        return bytes([int(code, 16)]) if len(code) == 2 else {b"n": b"\n", b"t": b"\t"}.get(code, code)
    return Text(re.sub(rb"\\([0-9a-fA-F]{2}|.)", one, text.encode()))


def parse(source):
    root = Node(0)
    stack, at = [root], 0
    while at < len(source):
        match = TOKEN.match(source, at)
        if not match:
            raise SyntaxError(f"line {source.count(chr(10), 0, at) + 1}: not understood")
        at = match.end()
        if match[1]:
            node = Node(source.count("\n", 0, match.start()) + 1)
            stack[-1].append(node)
            stack.append(node)
        elif match[2]:
            stack.pop()
        elif match[3]:
            stack[-1].append(unescape(match[3][1:-1]))
        elif match[4]:
            stack[-1].append(match[4])
    if len(stack) != 1:
        raise SyntaxError(f"the parenthesis of line {stack[-1].line} is open at the end")
    return root


def integer(word, bits):
    value = int(word.replace("_", ""), 0)
    return value - (1 << bits) if value >= 1 << (bits - 1) else value


def lanes(words):
    """The 16 bytes of `i32x4 1 2 3 4`."""
    bits = int(re.match(r"i(\d+)x", words[0])[1])
    return b"".join((integer(w, bits) % (1 << bits)).to_bytes(bits // 8, "little") for w in words[1:])


TYPES = {"i32": 0x7F, "i64": 0x7E, "f32": 0x7D, "f64": 0x7C, "v128": 0x7B, "funcref": 0x70,
         "externref": 0x6F, "exnref": 0x69}
HEAP_TYPES = {"func": 0x70, "extern": 0x6F, "exn": 0x69}
KINDS = {"func": 0, "table": 1, "memory": 2, "global": 3, "tag": 4}
CLAUSES = {"catch": 0, "catch_ref": 1, "catch_all": 2, "catch_all_ref": 3}
BLOCKS = {"block": 2, "loop": 3, "if": 4, "try": 6, "try_table": 0x1F}
# Instructions and the index spaces of their immediates.
PLAIN = {
    "unreachable": (0x00,), "nop": (0x01,), "else": (0x05,), "throw_ref": (0x0A,), "end": (0x0B,),
    "return": (0x0F,), "catch_all": (0x19,), "drop": (0x1A,), "select": (0x1B,), "catch": (0x07, "tag"),
    "throw": (0x08, "tag"), "rethrow": (0x09, "label"), "br": (0x0C, "label"),
    "br_if": (0x0D, "label"), "delegate": (0x18, "label"), "call": (0x10, "func"),
    "return_call": (0x12, "func"), "local.get": (0x20, "local"), "local.set": (0x21, "local"),
    "local.tee": (0x22, "local"), "global.get": (0x23, "global"), "global.set": (0x24, "global"),
    "table.get": (0x25, "table"), "table.set": (0x26, "table"), "ref.is_null": (0xD1,),
    "ref.func": (0xD2, "func"), "i32.eqz": (0x45,), "i32.eq": (0x46,), "i32.ne": (0x47,),
    "i32.lt_s": (0x48,), "i32.lt_u": (0x49,), "i32.add": (0x6A,), "i32.sub": (0x6B,),
    "i32.mul": (0x6C,), "i32.div_s": (0x6D,), "i32.and": (0x71,), "i64.add": (0x7C,),
    "i64.mul": (0x7E,), "f32.add": (0x92,), "f64.add": (0xA0,), "f64.mul": (0xA2,),
    "i64.extend_i32_u": (0xAD,),
}
AFTER_FC = {"table.grow": 15, "table.size": 16, "table.fill": 17}


class Module:
    """Collects the fields of a module; their numbers are given before any body is read."""

    def __init__(self, fields):
        self.types, self.names, self.counts = [], {kind: {} for kind in KINDS}, dict.fromkeys(KINDS, 0)
        self.imports, self.exports, self.declared, self.start = [], [], [], None
        self.own = {kind: [] for kind in KINDS}
        self.elems = []
        for field in fields:
            if field[0] == "import":  # (import "m" "n" (func $f …)) is (func $f (import "m" "n") …)
                inner = field[3]
                at = 2 if len(inner) > 1 and str(inner[1]).startswith("$") else 1
                node = Node(field.line)
                node += ["import", field[1], field[2]]
                inner.insert(at, node)
                field = inner
            if field[0] in KINDS:
                self.define(field)
            elif field[0] == "export":
                self.exports.append((field[1], field[2][0], field[2][1]))
            elif field[0] == "start":
                self.start = field[1]
            elif field[0] == "elem":
                self.elems.append(field[1:])
            else:
                raise SyntaxError(f"line {field.line}: {field[0]}")

    def define(self, field):
        kind, rest = field[0], list(field[1:])
        index = self.counts[kind]
        self.counts[kind] += 1
        if rest and isinstance(rest[0], str) and rest[0].startswith("$"):
            self.names[kind][rest.pop(0)] = index
        while rest and isinstance(rest[0], Node) and rest[0][0] == "export":
            self.exports.append((rest.pop(0)[1], kind, str(index)))
        if rest and isinstance(rest[0], Node) and rest[0][0] == "import":
            self.imports.append((rest[0][1], rest[0][2], kind, rest[1:]))
            assert not self.own[kind], f"line {field.line}: an import after a definition"
        else:
            self.own[kind].append(rest)

    def index(self, kind, word):
        return self.names[kind][word] if word.startswith("$") else int(word, 0)

    def signature(self, rest, names=None):
        """Takes (param …) and (result …) off REST: the number of their type."""
        parts = {"param": [], "result": []}
        while rest and isinstance(rest[0], Node) and rest[0][0] in parts:
            node = rest.pop(0)
            words = node[1:]
            if words and words[0].startswith("$"):
                if names is not None:
                    names[words[0]] = len(parts["param"])
                words = words[1:]
            parts[node[0]] += [bytes([TYPES[w]]) for w in words]
        entry = b"\x60" + vector(parts["param"]) + vector(parts["result"])
        if entry not in self.types:
            self.types.append(entry)
        return self.types.index(entry), parts

    def describe(self, kind, rest):
        """The type of an import or definition; what is left of REST is its initial value or body."""
        if kind == "func":
            return u(self.signature(rest)[0])
        if kind == "tag":
            return b"\0" + u(self.signature(rest)[0])
        if kind == "global":
            type_ = rest.pop(0)
            mutable = isinstance(type_, Node)
            return bytes([TYPES[type_[1] if mutable else type_], mutable])
        limits = []
        while rest and not isinstance(rest[0], Node) and rest[0].isdigit():
            limits.append(u(int(rest.pop(0))))
        limits = bytes([len(limits) - 1]) + b"".join(limits)
        return bytes([TYPES[rest.pop(0)]]) + limits if kind == "table" else limits

    def body(self, rest):
        names = {}
        index, parts = self.signature(rest, names)
        count, runs = len(parts["param"]), []
        while rest and isinstance(rest[0], Node) and rest[0][0] == "local":
            words = rest.pop(0)[1:]
            if words[0].startswith("$"):
                names[words.pop(0)] = count
            runs += [b"\1" + bytes([TYPES[w]]) for w in words]
            count += len(words)
        code = Code(self, names).encode(rest)
        return index, sized(vector(runs) + code + b"\x0b")

    def encode(self):
        def section(number, items):
            return bytes([number]) + sized(vector(items)) if items else b""

        imports = [sized(m) + sized(n) + bytes([KINDS[kind]]) + self.describe(kind, list(rest))
                   for m, n, kind, rest in self.imports]
        bodies = [self.body(list(rest)) for rest in self.own["func"]]
        described = {kind: [] for kind in KINDS}
        for kind in ("table", "memory", "tag", "global"):
            for rest in self.own[kind]:
                rest = list(rest)
                entry = self.describe(kind, rest)
                if kind == "global":
                    entry += Code(self, {}).encode(rest) + b"\x0b"
                described[kind].append(entry)
        exports = [sized(name) + bytes([KINDS[kind]]) + u(self.index(kind, word))
                   for name, kind, word in self.exports]
        elems = []
        for words in self.elems:
            if words[0] == "declare":
                elems.append(b"\3\0" + vector([u(self.index("func", w)) for w in words[2:]]))
            else:
                elems.append(b"\0" + Code(self, {}).encode([words[0]]) + b"\x0b"
                             + vector([u(self.index("func", w)) for w in words[2:]]))
        start = b"\x08" + sized(u(self.index("func", self.start))) if self.start else b""
        return (HEADER + section(1, self.types) + section(2, imports)
                + section(3, [u(index) for index, _ in bodies]) + section(4, described["table"])
                + section(5, described["memory"]) + section(13, described["tag"])
                + section(6, described["global"]) + section(7, exports) + start
                + section(9, elems) + section(10, [body for _, body in bodies]))


class Code:
    """Instructions of one body, in a row or folded."""

    def __init__(self, module, locals_):
        self.module, self.locals, self.labels, self.out = module, locals_, [], bytearray()

    def encode(self, items):
        items = list(items)
        while items:
            item = items.pop(0)
            if isinstance(item, Node):
                self.folded(item)
            else:
                self.instruction(item, items)
        return bytes(self.out)

    def index(self, space, word):
        if space == "label":
            return self.labels[::-1].index(word) if word.startswith("$") else int(word)
        if space == "local":
            return self.locals[word] if word.startswith("$") else int(word)
        return self.module.index(space, word)

    def folded(self, node):
        items = list(node)
        name = items.pop(0)
        if name in BLOCKS:
            if name == "if":
                inner = [items.pop(0)] if items[0] and isinstance(items[0], str) else []
                while isinstance(items[0], Node) and items[0][0] in ("param", "result"):
                    inner.append(items.pop(0))
                while isinstance(items[0], Node) and items[0][0] != "then":
                    self.folded(items.pop(0))
                self.block(name, inner)
                self.encode(items[0][1:])
                if len(items) > 1:
                    self.out += b"\x05"
                    self.encode(items[1][1:])
            else:
                self.block(name, items)
                while items:  # (do …) and (catch $tag …) of the older form
                    part = items.pop(0)
                    if name == "try" and isinstance(part, Node) and part[0] in ("do", "catch", "catch_all",
                                                                               "delegate"):
                        words = part[1:]
                        if part[0] != "do":
                            if part[0] == "delegate":
                                self.labels.pop()
                                self.instruction("delegate", words)
                                return
                            self.instruction(part[0], words)
                        self.encode(words)
                    elif isinstance(part, Node):
                        self.folded(part)
                    else:
                        self.instruction(part, items)
            self.labels.pop()
            self.out.append(0x0B)
            return
        immediates = []
        while items and not isinstance(items[0], Node):
            immediates.append(items.pop(0))
        while items and isinstance(items[0], Node) and items[0][0] in ("type", "param", "result"):
            immediates.append(items.pop(0))
        for operand in items:
            self.folded(operand)
        self.instruction(name, immediates)
        if immediates:
            raise SyntaxError(f"line {node.line}: {immediates} after {name}")

    def block(self, name, items):
        label = items.pop(0) if items and isinstance(items[0], str) and items[0].startswith("$") else ""
        type_, parts = self.module.signature(items)
        self.out.append(BLOCKS[name])
        if not parts["param"] and len(parts["result"]) <= 1:
            self.out += (parts["result"] or [b"\x40"])[0]
        else:
            self.out += s(type_)
        if name == "try_table":
            clauses = []
            while items and isinstance(items[0], Node) and items[0][0] in CLAUSES:
                clause = items.pop(0)
                words = clause[1:]
                tag = u(self.index("tag", words.pop(0))) if CLAUSES[clause[0]] < 2 else b""
                clauses.append(bytes([CLAUSES[clause[0]]]) + tag + u(self.index("label", words[0])))
            self.out += vector(clauses)
        self.labels.append(label)

    def instruction(self, name, items):
        if name in BLOCKS:
            self.block(name, items)
        elif name in PLAIN:
            code, *spaces = PLAIN[name]
            if name == "select" and items and isinstance(items[0], Node) and items[0][0] == "result":
                self.out += b"\x1c\1" + bytes([TYPES[items.pop(0)[1]]])
                return
            if name in ("end", "delegate"):
                self.labels = self.labels[:-1] if name == "end" else self.labels
            self.out.append(code)
            for space in spaces:
                self.out += u(self.index(space, items.pop(0)))
        elif name in AFTER_FC:
            self.out += b"\xfc" + u(AFTER_FC[name]) + u(self.index("table", items.pop(0)))
        elif name in ("call_indirect", "return_call_indirect"):
            type_, _ = self.module.signature(items)
            self.out += bytes([0x11 if name == "call_indirect" else 0x13]) + u(type_) + b"\0"
        elif name == "ref.null":
            self.out += bytes([0xD0, HEAP_TYPES[items.pop(0)]])
        elif name == "v128.const":
            count = int(items[0].split("x")[1]) + 1
            self.out += b"\xfd\x0c" + lanes(items[:count])
            del items[:count]
        elif name.endswith(".const"):
            self.out += self.number(name[:3], items.pop(0))
        else:
            raise SyntaxError(f"instruction {name}")

    @staticmethod
    def number(type_, word):
        if type_ == "i32":
            return b"\x41" + s(integer(word, 32))
        if type_ == "i64":
            return b"\x42" + s(integer(word, 64))
        return b"\x43" + struct.pack("<f", float(word)) if type_ == "f32" else (
            b"\x44" + struct.pack("<d", float(word)))


def value(node):
    """A constant of a script, as wast2json writes it."""
    kind = node[0]
    if kind.startswith("ref."):
        type_ = "externref" if kind == "ref.extern" or "extern" in node[1:] else "funcref"
        return {"type": type_, "value": "null" if kind == "ref.null" else node[1]}
    type_ = kind.split(".")[0]
    if type_ == "v128":
        bits = int(re.match(r"i(\d+)x", node[1])[1])
        return {"type": type_, "lane_type": f"i{bits}",
                "value": [str(integer(w, bits) % (1 << bits)) for w in node[2:]]}
    bits = int(type_[1:])
    if type_[0] == "f":
        number = struct.unpack("<I" if bits == 32 else "<Q",
                               struct.pack("<f" if bits == 32 else "<d", float(node[1])))[0]
    else:
        number = integer(node[1], bits) % (1 << bits)
    return {"type": type_, "value": str(number)}


def action(node):
    words = node[1:]
    result = {"type": "invoke"}
    if not isinstance(words[0], Text):
        result["module"] = words.pop(0)
    result["field"] = words.pop(0).decode()
    result["args"] = [value(w) for w in words]
    return result


def convert(script, output):
    commands, stem, count = [], os.path.splitext(output)[0], 0

    def write(node):
        nonlocal count
        fields = node[1:]
        name = fields.pop(0) if fields and isinstance(fields[0], str) else None
        if name and not name.startswith("$"):
            assert name == "binary", f"line {node.line}: {name}"
            bytes_, name = b"".join(fields), None
        else:
            bytes_ = Module(fields).encode()
        path = f"{stem}.{count}.wasm"
        count += 1
        with open(path, "wb") as f:
            f.write(bytes_)
        return name, os.path.basename(path)

    for node in parse(script):
        command = {"type": node[0], "line": node.line}
        if node[0] == "module":
            name, command["filename"] = write(node)
            if name:
                command["name"] = name
        elif node[0] == "register":
            command["as"] = node[1].decode()
            if len(node) > 2:
                command["name"] = node[2]
        elif node[0] == "invoke":
            command.update(type="action", action=action(node), expected=[])
        elif node[0] in ("assert_invalid", "assert_malformed", "assert_unlinkable"):
            command.update(filename=write(node[1])[1], text=node[2].decode(), module_type="binary")
        elif node[0] in ("assert_trap", "assert_exception"):
            command["action"] = action(node[1])
            if node[0] == "assert_trap":
                command["text"] = node[2].decode()
        elif node[0] == "assert_return":
            command.update(action=action(node[1]), expected=[value(v) for v in node[2:]])
        else:
            raise SyntaxError(f"line {node.line}: {node[0]}")
        commands.append(command)
    with open(output, "w", encoding="utf-8") as f:
        json.dump({"commands": commands}, f)


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    output = arguments[arguments.index("-o") + 1]
    source = next(a for a in arguments if a not in ("-o", output))
    with open(source, encoding="utf-8") as f:
        convert(f.read(), output)


main()
