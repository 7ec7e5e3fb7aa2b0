"""The hostile modules: reads the files of this folder and builds those that are made of numbers.

Each file opens with comments that are its test:
    ! key=value         a line of its manifest (name= is added: the file's name)
    !none               no manifest;  !name …: a first line of its own
    grant a b           what the operator grants (default: all)
    mutate truncate     cuts the finished module in half
    machine only        not in a simulation: it takes a machine of limited memory
    each load|store     one case per instruction of that kind, put in for ${OP}, ${TYPE}, ${LAST}
    expect refused ERRNO text     the load is refused so
    expect fault text             it loads, faults so when called, and is quarantined after three times
    expect attached               it loads and goes on; its attempts fail
"""
import glob
import os
import random
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
LOADS = {
    "i32.load8_u": 1, "i32.load8_s": 1, "i32.load16_u": 2, "i32.load16_s": 2, "i32.load": 4,
    "i64.load8_u": 1, "i64.load16_u": 2, "i64.load32_u": 4, "i64.load": 8, "f32.load": 4,
    "f64.load": 8,
}
STORES = {
    "i32.store8": 1, "i32.store16": 2, "i32.store": 4, "i64.store8": 1, "i64.store16": 2,
    "i64.store32": 4, "i64.store": 8, "f32.store": 4, "f64.store": 8,
}


class Case:
    def __init__(self, name):
        self.name = name
        self.module = b""
        self.grants = ["all"]
        self.expect = "attached"
        self.machine = False
        self.error = None
        self.text = ""


def leb(value):
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def section(number, payload):
    return bytes([number]) + leb(len(payload)) + payload


def custom(name, payload):
    return section(0, leb(len(name)) + name + payload)


def assemble(text, folder, name):
    source, target = os.path.join(folder, name + ".wat"), os.path.join(folder, name + ".wasm")
    with open(source, "w", encoding="utf-8") as f:
        f.write(text)
    subprocess.run(["wat2wasm", "--no-check", "--debug-names", source, "-o", target], check=True)
    with open(target, "rb") as f:
        return f.read()


def compile_c(path, folder, sdk):
    target = os.path.join(folder, "c.wasm")
    subprocess.run(["clang", "--target=wasm32", "-O2", "-std=gnu17", "-nostdlib", "-Wl,--no-entry",
                    "-Wl,-z,stack-size=8192", "-I", sdk, path, "-o", target], check=True)
    with open(target, "rb") as f:
        return f.read()


WORDS = ("!", "!none", "!name", "grant", "machine", "mutate", "each", "expect")


def directives(text, mark):
    for line in text.splitlines():
        if line.startswith(mark) and line[len(mark):].split()[:1] and \
                line[len(mark):].split()[0] in WORDS:
            yield line[len(mark):].lstrip(" ")


def from_file(path, folder, sdk):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    name = os.path.basename(path).rsplit(".", 1)[0]
    is_c = path.endswith(".c")
    case = Case(name)
    manifest, truncate, widths = [f"name={name}"], False, {"": 0}
    for line in directives(text, "//" if is_c else ";;"):
        word, _, rest = line.partition(" ")
        if word == "!":
            manifest.append(rest)
        elif word == "!none":
            manifest = []
        elif word == "!name":
            manifest = [rest]
        elif word == "grant":
            case.grants = rest.split()
        elif word == "mutate":
            truncate = True
        elif word == "machine":
            case.machine = True
        elif word == "each":
            widths = LOADS if rest == "load" else STORES
        elif word == "expect":
            case.expect, _, case.text = rest.partition(" ")
            if case.expect == "refused":
                case.error, _, case.text = case.text.partition(" ")
        else:
            raise ValueError(f"{path}: {line}")
    for op, width in widths.items():
        one = Case(name + (f"-{op}" if op else ""))
        one.machine = case.machine
        one.grants, one.expect, one.error, one.text = case.grants, case.expect, case.error, case.text
        filled = text.replace("${OP}", op).replace("${TYPE}", op[:3])
        filled = filled.replace("${LAST}", str(65537 - width))
        lines = [f"name={one.name}" if m == f"name={name}" else m for m in manifest]
        module = compile_c(path, folder, sdk) if is_c else assemble(filled, folder, "module")
        if lines:
            module += custom(b"quince", "\n".join(lines).encode())
        one.module = module[:len(module) // 2] if truncate else module
        yield one


def code_module(body, extra_types=b""):
    """A module of one function () → () with BODY (locals and instructions), and a manifest."""
    code = leb(len(body)) + body
    return (b"\0asm\1\0\0\0" + section(1, b"\1\x60\0\0") + section(3, b"\1\0") +
            section(10, b"\1" + code) + custom(b"quince", b"name=made"))


def made():
    """Modules that are all size or all noise."""
    rng = random.Random(20)
    for n in range(12):
        case = Case(f"random-bytes-{n}")
        head = b"\0asm\1\0\0\0" if n % 2 else b""
        case.module = head + rng.randbytes(rng.randrange(1, 5000))
        case.expect, case.error, case.text = "refused", "EINVAL", "offset 0x"
        yield case
    case = Case("empty")
    case.expect, case.error = "refused", "EINVAL"
    yield case
    limits = [
        ("nesting-deep", b"\0" + b"\x02\x40" * 200000 + b"\x0b" * 200001),
        ("locals-many", b"\1" + leb(0xFFFFFFFF) + b"\x7f\x0b"),
        ("locals-twice", b"\2" + leb(0x80000000) + b"\x7f" + leb(0x80000000) + b"\x7e\x0b"),
        ("br-table-huge", b"\0\x02\x40\x41\0\x0e" + leb(0xFFFFFFF0) + b"\0\x0b\x0b"),
    ]
    for name, body in limits:
        case = Case(name)
        case.module = code_module(body)
        case.expect, case.error = "refused", None
        yield case
    case = Case("larger-than-memory")
    case.machine = True
    case.module = b"\0asm\1\0\0\0" + custom(b"padding", bytes(120 << 19))
    case.expect, case.error, case.text = "refused", "ENOMEM", "does not fit into memory"
    yield case
    case = Case("manifest-long")
    case.module = b"\0asm\1\0\0\0" + custom(b"quince", b"name=manifest-long\n" + b"need=log\n" * 100000)
    case.expect, case.error, case.text = "refused", "EINVAL", "more than 16 needs"
    yield case


def all_cases(folder, sdk):
    for path in sorted(glob.glob(os.path.join(HERE, "*.wat")) + glob.glob(os.path.join(HERE, "*.c"))):
        yield from from_file(path, folder, sdk)
    yield from made()
