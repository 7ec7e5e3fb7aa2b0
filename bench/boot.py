"""Boot: time from starting QEMU to the first line of hello, and the least memory that boots it."""

import os
import subprocess

import images
import linux
import qemu
from harness import ROOT, WORK, Skip, interleave

HELLO = b"Hello"


def null_kernel():
    out = os.path.join(WORK, "null.elf")
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none",
                    "-Wl,-Ttext=0x100000", "-Wl,-e,entry", "-o", out,
                    os.path.join(ROOT, "bench", "peers", "null.S")], check=True)
    return out


def run(results, rounds):
    null, hello = null_kernel(), images.hello()
    contenders = {}
    for machine in ("microvm", "q35"):
        contenders[f"null kernel {machine}"] = lambda m=machine: qemu.time_to_line(
            qemu.command(m, null, 64), b"null kernel")
        contenders[f"hello {machine}"] = lambda m=machine: qemu.time_to_line(
            qemu.command(m, hello, 64), HELLO)
    samples = interleave("boot", contenders, rounds)
    for machine in ("microvm", "q35"):
        results.add("boot", f"hello {machine}", samples[f"hello {machine}"], "ms",
                    f"null kernel {machine}", samples[f"null kernel {machine}"])
    try:
        guest, initrd = linux.kernel(), linux.initramfs("boot.cpio.gz", {})
        lines = {"microvm": qemu.command("microvm-acpi", guest, 256, linux.command_line(), initrd),
                 "q35": qemu.command("q35", guest, 256, linux.command_line(), initrd)}
        peers = {machine: (lambda line=line: qemu.time_to_line(line, b"hello from Linux"))
                 for machine, line in lines.items()}
        slow = interleave("boot Linux", peers, max(3, rounds // 4))
        for machine, taken in slow.items():
            results.add("boot", f"hello {machine}", samples[f"hello {machine}"], "ms",
                        f"Linux {machine}", taken)
    except Skip as missing:
        results.skip("boot", "Debian's cloud kernel", str(missing))
    least(results, hello)


def least(results, hello):
    """Smallest whole -m that boots hello; every size from 64 MiB down is tried until one fails."""
    smallest = None
    for mib in (64, 32, 16, 8, 6, 5, 4, 3, 2, 1):
        if not qemu.boots(qemu.command("microvm", hello, mib), HELLO):
            break
        smallest = mib
    if smallest is None:
        raise Skip("hello does not boot with 64 MiB")
    results.add("boot", "least memory for hello", [smallest], "MiB", "goal", [3])
