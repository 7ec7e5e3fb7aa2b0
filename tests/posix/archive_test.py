#!/usr/bin/env python3
"""Archives beside the image, good and hostile: what the kernel says, and that the program starts anyway.

usage: archive_test.py RUN_KERNEL IMAGE    prints TAP
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile


def tar(members, form=tarfile.USTAR_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.SYMTYPE:
                member.linkname, content = content, b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def patch(data, at, new, checksum=True):
    data = bytearray(data)
    data[at:at + len(new)] = new
    if checksum:
        header = data[:512]
        header[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(header)
    return bytes(data)


GOOD = tar([("a/b", tarfile.REGTYPE, b"x" * 1000), ("l", tarfile.SYMTYPE, "a/b")])
CASES = [
    ("a good one", GOOD, None),
    ("a long name", tar([("d/" * 60 + "n" * 90, tarfile.REGTYPE, b"x")], tarfile.GNU_FORMAT), None),
    ("no archive", b"\x7fELF" + bytes(2000), "initrd: no ustar header at offset 0"),
    ("random bytes", os.urandom(4096), "initrd: no ustar header at offset 0"),
    ("a wrong checksum", patch(GOOD, 0, b"z", False), "initrd: header checksum does not match"),
    ("a size that is none", patch(GOOD, 124, b"abc"), "initrd: header field is not a number"),
    ("a negative size", patch(GOOD, 124, b"-0000000001"), "initrd: header field is not a number"),
    ("a size beyond the end", patch(GOOD, 124, b"00000100000"), "initrd: file is longer than"),
    ("the largest size", patch(GOOD, 124, b"777777777777"), "initrd: file is longer than"),
    ("a way out", tar([("../../up", tarfile.REGTYPE, b"x")]), "initrd: bad path at offset 0"),
    ("a way out, later", tar([("a/../../up", tarfile.REGTYPE, b"x")]), "initrd: bad path at offset 0"),
    ("a device", tar([("dev/sda", tarfile.CHRTYPE, b"")]), "initrd: 'dev/sda' is of a kind"),
    ("a collision", tar([("dev/null", tarfile.REGTYPE, b"x")]), "initrd: 'dev/null' collides"),
    ("a file as folder", tar([("f", tarfile.REGTYPE, b"x"), ("f/g", tarfile.REGTYPE, b"x")]),
     "initrd: 'f/g' collides"),
    ("a truncated one", GOOD[:700], "initrd: file is longer than"),
]


def main():
    run_kernel, image = sys.argv[1:3]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "archive")
        for number, (what, data, expected) in enumerate(CASES, 1):
            with open(path, "wb") as out:
                out.write(data)
            command = [run_kernel, image, "--initrd", path, "--timeout", "20"]
            command += ["--expect", expected] if expected else []
            done = subprocess.run(command + ["--expect", "^Hello from Quince$"], capture_output=True,
                                  text=True, check=False)
            good = done.returncode == 0 and "not ok" not in done.stdout
            good &= expected is not None or "initrd:" not in done.stdout
            failed |= not good
            if not good:
                print("# " + (done.stdout + done.stderr).replace("\n", "\n# "))
            print(f"{'' if good else 'not '}ok {number} - archive: {what}", flush=True)
    print(f"1..{len(CASES)}")
    return failed


sys.exit(main())
