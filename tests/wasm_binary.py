"""The pieces of a WebAssembly module's bytes (binary format, 5.2 to 5.5), for tests that make their own."""

HEADER = b"\0asm\1\0\0\0"


def u(n):
    """N in unsigned LEB128."""
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def s(n):
    """N in signed LEB128."""
    out = bytearray()
    while True:
        byte = n & 0x7F
        n >>= 7
        if (n == 0 and not byte & 0x40) or (n == -1 and byte & 0x40):
            return bytes(out + bytes([byte]))
        out.append(byte | 0x80)


def sized(bytes_):
    """BYTES after their number."""
    return u(len(bytes_)) + bytes_


def vector(items):
    """ITEMS after their number."""
    return u(len(items)) + b"".join(items)


def section(number, body):
    return bytes([number]) + sized(body)
