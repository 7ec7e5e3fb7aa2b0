"""QEMU for benchmarks: the same machine for us and for every peer."""

import os
import subprocess
import threading
import time

from harness import Skip

# The null kernel and Quince get the same line; Linux needs ACPI to find
# its devices and the PIT to find its clock.
MACHINES = {
    "microvm": "microvm,acpi=off,x-option-roms=off,pit=off,pic=off,rtc=on,auto-kernel-cmdline=on",
    "microvm-acpi": "microvm,acpi=on,x-option-roms=off,pit=on,pic=on,rtc=on",
    "q35": "q35",
}


def accel():
    """KVM only where the CPU can run ring-0 guests, as `quince run` decides it."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        flags = f.read()
    usable = (" vmx" in flags or " svm" in flags) and os.access("/dev/kvm", os.R_OK | os.W_OK)
    return "kvm" if usable else "tcg"


def command(machine, kernel, memory_mib, append="", initrd=None, port=None):
    line = ["qemu-system-x86_64", "-M", MACHINES[machine], "-accel", accel(), "-cpu", "max",
            "-m", str(memory_mib), "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-kernel", kernel]
    if append:
        line += ["-append", append]
    if initrd:
        line += ["-initrd", initrd]
    if port:
        device = "virtio-net-pci" if machine == "q35" else "virtio-net-device"
        line += ["-global", "virtio-mmio.force-legacy=false",
                 "-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{port}-:80",
                 "-device", f"{device},netdev=n0"]
    return line


def time_to_line(line, marker, timeout=60):
    """Milliseconds from starting QEMU to the first line that holds MARKER on its serial port."""
    start = time.perf_counter()
    process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    watchdog = threading.Timer(timeout, process.kill)  # a silent machine ends the loop below
    watchdog.start()
    found = None
    try:
        for text in process.stdout:
            if marker in text:
                found = time.perf_counter()
                break
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
    if found is None:
        raise Skip(f"no line with {marker!r} from {os.path.basename(line[line.index('-kernel') + 1])}")
    return 1000 * (found - start)


def boots(line, marker, timeout=10):
    """Whether the machine prints MARKER within TIMEOUT seconds."""
    try:
        out = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, timeout=timeout, check=False).stdout
    except subprocess.TimeoutExpired as late:
        out = late.stdout or b""
    return marker in out
