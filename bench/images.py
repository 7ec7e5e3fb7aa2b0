"""The images that are measured, built as a user would build them: by `quince build`."""

import os
import subprocess

from harness import BUILD, ROOT, WORK, Skip

QUINCE = os.path.join(BUILD, "host", "quince")


def build(name, sources, *options):
    out = os.path.join(WORK, name + ".img")
    os.makedirs(WORK, exist_ok=True)
    line = [QUINCE, "build", *[os.path.join(ROOT, "apps", s) for s in sources], "-O2", *options,
            "-o", out]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip(f"{' '.join(line)}: {done.stderr.strip()[-300:]}")
    return out


def hello():
    return build("hello", ["hello.c"], "--without=engine", "--without=net")


def httpd(*options):
    sources = sorted(os.path.join("httpd", f) for f in os.listdir(os.path.join(ROOT, "apps", "httpd"))
                     if f.endswith(".c"))
    return build("httpd" + "".join(options), sources, "-D_GNU_SOURCE", "--files", os.path.join(ROOT, "apps", "httpd", "files"), *options)


def stripped_size(image):
    """Kilobytes (1000) of the image without symbols, as the peers' figures are given."""
    out = image + ".stripped"
    subprocess.run(["strip", "-o", out, image], check=True)
    return os.path.getsize(out) / 1000
