"""Changes to modules. Those of bytes mostly give what both engines must refuse; those of instructions
keep the types, so that most results are valid and can be run."""

from binary import (Bad, F32, F64, I32, I64, Module, Reader, V128, VECTORS, const, instructions, u)

BORDERS = bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x18, 0x19,
                 0x1A, 0x1B, 0x1C, 0x20, 0x21, 0x3F, 0x40, 0x41, 0x60, 0x69, 0x6F, 0x70, 0x7B, 0x7C, 0x7D,
                 0x7E, 0x7F, 0x80, 0xD0, 0xD2, 0xFC, 0xFD, 0xFE, 0xFF])
NUMBERS = [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535, 65536,
           2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -4, -128, -32768]
FLOATS32 = [0, 0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 1, 0x7F7FFFFF,
            0x4F000000, 0xCF000000, 0x4F800000, 0x5F000000, 0x3F000000, 0x4B000001]
FLOATS64 = [0, 1 << 63, 0x3FF << 52, 0xBFF << 52, 0x7FF << 52, 0xFFF << 52, 0x7FF8 << 48, 1,
            0x41E0000000000000, 0xC1E0000000200000, 0x43E0000000000000, 0x3FE0000000000000]


def _ranges(*pairs):
    return [op for first, last in pairs for op in range(first, last + 1)]


def _groups():
    """Instructions of one signature: (operand types, result) -> opcodes."""
    i, l, f, d, v = I32, I64, F32, F64, V128
    table = {((i, i), i): _ranges((0x46, 0x4F), (0x6A, 0x78)), ((i,), i): [0x45, 0x67, 0x68, 0x69, 0xC0, 0xC1],
             ((l, l), l): _ranges((0x7C, 0x8A)), ((l, l), i): _ranges((0x51, 0x5A)),
             ((l,), l): [0x79, 0x7A, 0x7B, 0xC2, 0xC3, 0xC4], ((l,), i): [0x50, 0xA7],
             ((f, f), i): _ranges((0x5B, 0x60)), ((d, d), i): _ranges((0x61, 0x66)),
             ((f,), f): _ranges((0x8B, 0x91)), ((f, f), f): _ranges((0x92, 0x98)),
             ((d,), d): _ranges((0x99, 0x9F)), ((d, d), d): _ranges((0xA0, 0xA6)),
             ((f,), i): [0xA8, 0xA9, 0xBC, (0xFC, 0), (0xFC, 1)], ((d,), i): [0xAA, 0xAB, (0xFC, 2), (0xFC, 3)],
             ((f,), l): [0xAE, 0xAF, (0xFC, 4), (0xFC, 5)], ((d,), l): [0xB0, 0xB1, 0xBD, (0xFC, 6), (0xFC, 7)],
             ((i,), l): [0xAC, 0xAD], ((i,), f): [0xB2, 0xB3, 0xBE], ((l,), f): [0xB4, 0xB5],
             ((i,), d): [0xB7, 0xB8], ((l,), d): [0xB9, 0xBA, 0xBF]}
    letters = {"v": v, "i": i, "l": l, "S": f, "D": d}
    for number, (_, types, lane) in VECTORS.items():
        if not lane and number != 13 and number < 256:
            types = [letters[t] for t in types]
            table.setdefault((tuple(types[1:]), types[0]), []).append((0xFD, number))
    return table


GROUPS = _groups()
RESULT = {op: result for (_, result), ops in GROUPS.items() for op in ops}
SAME = {op: ops for ops in GROUPS.values() for op in ops}
LOADS = [[0x28, 0x2C, 0x2D, 0x2E, 0x2F], [0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35], [0x36, 0x3A, 0x3B],
         [0x37, 0x3C, 0x3D, 0x3E], [(0xFD, n) for n in [*range(11), 92, 93]],
         *[[(0xFE, 0x1E + k + 7 * n) for n in range(6)] for k in range(7)]]
LOAD_GROUP = {op: group for group in LOADS for op in group}
BINARY = {t: [op for (params, result), ops in GROUPS.items() if params == (t, t) and result == t for op in ops]
          for t in (I32, I64, F32, F64, V128)}


def opcode(key):
    return bytes([key]) if isinstance(key, int) else bytes([key[0]]) + u(key[1])


def number(rng, t):
    if t == F32:
        return rng.choice(FLOATS32) if rng.random() < 0.7 else rng.getrandbits(32)
    if t == F64:
        return rng.choice(FLOATS64) if rng.random() < 0.7 else rng.getrandbits(64)
    if t == V128:
        return (number(rng, F32) * (1 + 2**32 + 2**64 + 2**96) if rng.random() < 0.3 else
                number(rng, F64) % 2**64 * (1 + 2**64) if rng.random() < 0.4 else rng.getrandbits(128))
    return rng.choice(NUMBERS) if rng.random() < 0.8 else rng.getrandbits(32) - 2**31


def _change(rng, code, at, locals_):
    """One instruction of CODE, [(key, opcode, immediates)], becomes others; None: nothing to do."""
    key, op, imm = code[at]
    if key in SAME:
        kind = rng.random()
        if kind < 0.6:
            other = rng.choice(SAME[key])
            return [(other, opcode(other), imm)]
        t = RESULT[key]
        if t not in BINARY:
            return None
        extra = rng.choice(BINARY[t])
        return [code[at], (None, const(t, number(rng, t)), b""), (extra, opcode(extra), b"")]
    if key in (0x41, 0x42, 0x43, 0x44, (0xFD, 12)):
        t = {0x41: I32, 0x42: I64, 0x43: F32, 0x44: F64}.get(key, V128)
        return [(None, const(t, number(rng, t)), b"")]
    if key == 0x20:
        index = Reader(imm).leb()
        t = locals_[index] if index < len(locals_) else None
        if rng.random() < 0.3 and t in BINARY:
            extra = rng.choice(BINARY[t])
            return [code[at], (None, const(t, number(rng, t)), b""), (extra, opcode(extra), b"")]
        same = [i for i, x in enumerate(locals_[:200]) if x == t]
        return [(key, op, u(rng.choice(same)))] if same else None
    if key in (0x21, 0x22):
        index = Reader(imm).leb()
        t = locals_[index] if index < len(locals_) else None
        same = [i for i, x in enumerate(locals_[:200]) if x == t]
        return [(rng.choice([0x21, 0x22, key, key]), op, u(rng.choice(same)))] if same else None
    if key in LOAD_GROUP:
        r = Reader(imm)
        align = r.leb()
        offset = r.leb()
        if align & 0x40 or r.more():
            return None
        other = rng.choice(LOAD_GROUP[key])
        if not (isinstance(key, tuple) and key[0] == 0xFE):
            align = 0
        if rng.random() < 0.4:
            offset = rng.choice([0, 1, 4, 8, 16, 65528, 65535, 65536, 2**31, 2**32 - 1, 2**32 - 8])
        return [(other, opcode(other), u(align) + u(offset))]
    if isinstance(key, tuple) and key[0] == 0xFD and (21 <= key[1] <= 34 or 84 <= key[1] <= 91):
        return [(key, op, imm[:-1] + bytes([imm[-1] ^ 1 << rng.randrange(4)]))]
    if key == (0xFD, 13):
        lanes = bytearray(imm)
        lanes[rng.randrange(16)] = rng.randrange(33)
        return [(key, op, bytes(lanes))]
    if key in (0x0C, 0x0D):
        return [(key, op, u(rng.randrange(4)))]
    if key == 0x04:
        return [(0x45, b"\x45", b""), code[at]]
    return None


def _anything(rng, code, at):
    """Changes that seldom keep a function valid."""
    kind = rng.randrange(5)
    if kind == 0:
        del code[at]
    elif kind == 1:
        code.insert(at, code[rng.randrange(len(code))])
    elif kind == 2:
        other = rng.randrange(len(code))
        code[at], code[other] = code[other], code[at]
    elif kind == 3:
        key = rng.choice([rng.randrange(256), (0xFC, rng.randrange(20)), (0xFD, rng.randrange(280)),
                          (0xFE, rng.randrange(80))])
        code[at] = (key, opcode(key), code[at][2])
    else:
        code[at] = (code[at][0], code[at][1], bytes([rng.choice(BORDERS)]) + code[at][2][1:])


def instructions_of(rng, data, wild=0.1):
    """A module with some of its instructions changed."""
    module = Module(data)
    if not module.bodies:
        raise Bad("no code")
    imported = module.imported(0)
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        which = rng.randrange(len(module.bodies))
        body = module.bodies[which]
        if len(body) > 20000 or imported + which >= len(module.funcs):
            continue
        locals_, start = module.locals_of(body, imported + which)
        code = instructions(body[start:])
        for _ in range(rng.choice([1, 1, 2, 4, 10])):
            at = rng.randrange(len(code))
            if rng.random() < wild:
                _anything(rng, code, at)
                if not code:
                    break
                continue
            for attempt in range(8):
                here = (at + 7 * attempt) % len(code)
                fresh = _change(rng, code, here, locals_)
                if fresh:
                    code[here:here + 1] = fresh
                    break
        module.bodies[which] = body[:start] + b"".join(op + imm for _, op, imm in code)
    if rng.random() < 0.1 and len(module.bodies) > 1:
        a, b = rng.randrange(len(module.bodies)), rng.randrange(len(module.bodies))
        if module.funcs[imported + a] == module.funcs[imported + b]:
            module.bodies[a], module.bodies[b] = module.bodies[b], module.bodies[a]
    return module.bytes()


def bytes_of(rng, data, other):
    """A module with some of its bytes changed; seldom within what both engines skip."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if len(data) < 12:
            break
        at, kind = rng.randrange(8, len(data)), rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind <= 2:
            data[at] = rng.choice(BORDERS)
        elif kind == 3:
            del data[at:at + rng.randrange(1, 8)]
        elif kind == 4:
            data[at:at] = data[at:at + rng.randrange(1, 16)]
        elif kind == 5:
            b = rng.randrange(8, len(data))
            data[at], data[b] = data[b], data[at]
        elif len(other) > 12:
            start = rng.randrange(8, len(other))
            piece = other[start:start + rng.randrange(1, 32)]
            data[at:at + len(piece)] = piece
    return bytes(data)
