#!/usr/bin/env python3
"""Boots a kernel image in QEMU and checks what becomes of it.

Without --expect the image prints TAP itself: it is passed through, and the exit code of the machine
must be 0. With --expect, each regular expression must match a line of the console, in this order, and
the machine must exit with --exit; this prints one TAP point per expectation.
"""

import argparse
import re
import subprocess
import sys

MACHINES = {
    "microvm": "microvm,acpi=off,x-option-roms=off,pit=off,pic=off,rtc=on,auto-kernel-cmdline=on",
    "q35": "q35",
}


def boot(options):
    command = ["qemu-system-x86_64", "-M", MACHINES[options.machine], "-accel", "tcg",
               "-cpu", options.cpu, "-m", str(options.memory), "-nodefaults", "-no-user-config",
               "-display", "none", "-no-reboot", "-serial", "stdio",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-kernel", options.image, "-append", options.append]
    if options.initrd:
        command += ["-initrd", options.initrd]
    if options.share:
        tag, path = options.share.split("=", 1)
        bus = ["device", "pci-non-transitional"][options.machine == "q35"]
        command += ["-global", "virtio-mmio.force-legacy=false", "-fsdev",
                    f"local,id={tag},path={path},security_model=none,readonly=on,multidevs=remap",
                    "-device", f"virtio-9p-{bus},fsdev={tag},mount_tag={tag}"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=options.timeout)
        output, errors, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        output, errors, code = late.stdout or b"", late.stderr or b"", None
    # isa-debug-exit makes 2 * code + 1 of it; an even status is QEMU's own.
    exit_code = code >> 1 if code is not None and code & 1 else None
    return output.decode(errors="replace").replace("\r", ""), errors.decode(), exit_code


def pass_through(output, code):
    for line in output.splitlines():
        is_tap = re.match(r"(not )?ok \d+|1\.\.\d+|#|$", line)
        print(line if is_tap else f"# {line}")
    plan = re.search(r"^1\.\.(\d+)$", output, re.MULTILINE)
    points = re.findall(r"^(?:not )?ok \d+", output, re.MULTILINE)
    if not plan or len(points) != int(plan[1]):
        print("Bail out! the machine ended before its tests did")
        return 1
    if code != 0 and "not ok" not in output:
        print(f"Bail out! exit code {code}")
        return 1
    return 0


def check(options, output, code):
    print(f"1..{len(options.expect) + 1}")
    lines, failed = output.splitlines(), False
    at = 0
    for number, pattern in enumerate(options.expect, 1):
        found = next((i for i in range(at, len(lines)) if re.search(pattern, lines[i])), None)
        shown = pattern.replace("#", "").replace("\\", "")  # both mean something in TAP
        print(f"{'ok' if found is not None else 'not ok'} {number} - a line matches {shown}")
        failed |= found is None
        at = at if found is None else found + 1
    right = code == options.exit
    print(f"{'ok' if right else 'not ok'} {len(options.expect) + 1} - exit code {options.exit}")
    if failed or not right:
        print(f"# exit code {code}")
        for line in lines:
            print(f"# {line}")
    return 1 if failed or not right else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("--machine", choices=sorted(MACHINES), default="microvm")
    parser.add_argument("--cpu", default="max")
    parser.add_argument("--memory", type=int, default=64, help="MiB")
    parser.add_argument("--append", default="", help="command line")
    parser.add_argument("--initrd")
    parser.add_argument("--share", help="TAG=FOLDER of this machine, by 9p")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--expect", action="append", default=[], help="regular expression")
    parser.add_argument("--exit", type=int, default=0, help="exit code, with --expect")
    options = parser.parse_args()

    output, errors, code = boot(options)
    status = check(options, output, code) if options.expect else pass_through(output, code)
    for line in errors.splitlines():
        print(f"# qemu: {line}")
    if code is None:
        print("# the machine did not exit by itself with a code")
    return status


if __name__ == "__main__":
    sys.exit(main())
