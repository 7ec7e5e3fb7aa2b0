"""The Linux peer: Debian's cloud kernel with a static init of ours, fetched and built under build/."""

import glob
import gzip
import os
import re
import subprocess

from harness import ROOT, WORK, Skip, progress

NETWORK_MODULES = ["virtio_mmio", "virtio_pci", "virtio_net"]


def command_line(extra="", khz=None):
    """The kernel's options. Under TCG the guest's TSC is the host's unless its frequency is given in
    KHZ: naming it spares Linux a calibration that now and then fails there and leaves it without a clock."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        mhz = re.search(r"bogomips\s*:\s*([0-9.]+)", f.read())
    if mhz and not khz:
        khz = round(float(mhz.group(1)) * 500)
    tsc = f" tsc_early_khz={khz}" if khz else ""
    return "console=ttyS0 quiet panic=-1 random.trust_cpu=on" + tsc + extra


def tree():
    """The unpacked kernel package; fetched once."""
    target = os.path.join(WORK, "linux")
    if not glob.glob(os.path.join(target, "boot", "vmlinuz-*")):
        os.makedirs(target, exist_ok=True)
        depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"],
                                 capture_output=True, text=True, check=False).stdout
        package = re.search(r"linux-image-[0-9]\S*", depends)
        if not package:
            raise Skip("apt knows no linux-image-cloud-amd64: run apt-get update")
        progress(f"fetching {package.group()} (27 MB)")
        done = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download",
                               package.group()], cwd=target, capture_output=True, text=True,
                              check=False)
        debs = glob.glob(os.path.join(target, "*.deb"))
        if done.returncode or not debs:
            raise Skip(f"apt-get download {package.group()} failed: {done.stderr.strip()[-120:]}")
        subprocess.run(["dpkg-deb", "-x", debs[0], target], check=True)
        os.unlink(debs[0])
    return target


def kernel():
    return glob.glob(os.path.join(tree(), "boot", "vmlinuz-*"))[0]


def with_dependencies(names):
    """Module paths in the order in which they must be loaded."""
    base = glob.glob(os.path.join(tree(), "lib", "modules", "*"))[0]
    by_name, needs = {}, {}
    for path in glob.glob(os.path.join(base, "kernel", "**", "*.ko"), recursive=True):
        by_name[os.path.basename(path)[:-3].replace("-", "_")] = path
    for name, path in by_name.items():
        # The package ships no modules.dep; every module names what it needs.
        with open(path, "rb") as f:
            found = re.search(rb"\0depends=([^\0]*)\0", f.read())
        needs[name] = [d for d in (found.group(1).decode().split(",") if found else []) if d]
    order = []

    def visit(name):
        name = name.replace("-", "_")
        if name in by_name and by_name[name] not in order:
            for need in needs[name]:
                visit(need)
            order.append(by_name[name])

    for name in names:
        visit(name)
    return order


def cpio_entry(name, data, mode, number):
    """One file of a newc archive."""
    encoded = name.encode() + b"\0"
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
    head += b"\0" * (-len(head) % 4)
    return head + data + b"\0" * (-len(data) % 4)


def initramfs(name, files, modules=()):
    """An initramfs of our init plus FILES (guest path → host path) and MODULES."""
    path = os.path.join(WORK, name)
    init = os.path.join(WORK, "init")
    source = os.path.join(ROOT, "bench", "peers", "init.c")
    subprocess.run(["gcc", "-O2", "-static", "-o", init, source], check=True)
    entries = [("dev", None), ("init", init)] + list(files.items())
    listed = []
    for module in with_dependencies(modules) if modules else []:
        entries.append((os.path.basename(module), module))
        listed.append("/" + os.path.basename(module))
    out, made = b"", set()
    for number, (guest, host) in enumerate(entries):
        parts = guest.split("/")
        for i in range(1, len(parts)):
            parent = "/".join(parts[:i])
            if parent not in made:
                made.add(parent)
                out += cpio_entry(parent, b"", 0o040755, 1000 + len(made))
        if host is None:
            out += cpio_entry(guest, b"", 0o040755, number)
            continue
        with open(host, "rb") as f:
            data = f.read()
        out += cpio_entry(guest, data, 0o100755, number)
    out += cpio_entry("modules", "".join(m + "\n" for m in listed).encode(), 0o100644, 999)
    out += cpio_entry("TRAILER!!!", b"", 0, 0)
    with gzip.open(path, "wb", compresslevel=1) as f:
        f.write(out)
    return path
