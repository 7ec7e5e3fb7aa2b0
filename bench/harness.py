"""What every benchmark shares: interleaved rounds, medians, the table and build/bench.json."""

import json
import os
import shutil
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("QUINCE_BUILD", os.path.join(ROOT, "build"))
WORK = os.path.join(BUILD, "bench")


class Skip(Exception):
    """A peer or tool that is not to be had here; the message names it."""


def wasmtime_python():
    """The Python that has Wasmtime's package, which is fetched into a folder of its own; once."""
    python = os.path.join(WORK, "venv", "bin", "python")
    if not os.path.exists(python):
        progress("installing the Python package wasmtime")
        for line in ([sys.executable, "-m", "venv", os.path.join(WORK, "venv")],
                     [python, "-m", "pip", "install", "-q", "wasmtime"]):
            done = subprocess.run(line, capture_output=True, text=True, check=False)
            if done.returncode:
                shutil.rmtree(os.path.join(WORK, "venv"), ignore_errors=True)
                raise Skip(f"{' '.join(line[1:3])}: {(done.stderr or done.stdout).strip()[-200:]}")
    return python


class Results:
    """The measurements of one run; written as a table and as JSON."""

    def __init__(self):
        self.rows = []
        self.skipped = []

    def add(self, group, name, samples, unit, peer=None, peer_samples=None):
        """SAMPLES and PEER_SAMPLES are lists of numbers; medians are compared."""
        value = statistics.median(samples)
        peer_value = statistics.median(peer_samples) if peer_samples else None
        self.rows.append({
            "group": group, "name": name, "value": round(value, 3), "unit": unit,
            "peer": peer, "peer_value": None if peer_value is None else round(peer_value, 3),
            "ratio": round(value / peer_value, 3) if peer_value else None,
            "runs": len(samples), "spread": round(spread(samples), 3),
        })

    def skip(self, group, what, why):
        self.skipped.append((group, what, why))
        progress(f"{group}: {what} left out: {why}")

    def table(self, out=sys.stdout):
        head = ("group", "name", "value", "unit", "peer", "peer value", "ratio", "runs", "spread")
        lines = [head]
        for r in self.rows:
            lines.append((r["group"], r["name"], number(r["value"]), r["unit"], r["peer"] or "-",
                          number(r["peer_value"]), number(r["ratio"]), str(r["runs"]),
                          f"{100 * r['spread']:.0f} %"))
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        right = {2, 5, 6, 7, 8}
        bold = ("\033[1m", "\033[0m") if out.isatty() and "NO_COLOR" not in os.environ else ("", "")
        for n, line in enumerate(lines):
            cells = [c.rjust(w) if i in right else c.ljust(w)
                     for i, (c, w) in enumerate(zip(line, widths))]
            text = "  ".join(cells).rstrip()
            out.write((bold[0] + text + bold[1] if n == 0 else text) + "\n")
        for group, what, why in self.skipped:
            out.write(f"left out: {group}: {what}: {why}\n")

    def write(self, path):
        """Replaces the groups measured now, keeps the others of earlier runs."""
        measured = {r["group"] for r in self.rows}
        try:
            with open(path, encoding="utf-8") as f:
                kept = [r for r in json.load(f) if r["group"] not in measured]
        except (OSError, ValueError):
            kept = []
        with open(path, "w", encoding="utf-8") as f:
            json.dump(kept + self.rows, f, indent=1)
            f.write("\n")


def spread(samples):
    """Interquartile range over the median: robust against one disturbed round."""
    if len(samples) < 4:
        return (max(samples) - min(samples)) / (statistics.median(samples) or 1)
    q = statistics.quantiles(samples, n=4)
    return (q[2] - q[0]) / (q[1] or 1)


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def progress(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def interleave(group, contenders, rounds):
    """Runs every contender once per round, so that drift meets all alike. CONTENDERS maps a name to
    a function that returns one sample. Returns name → list of samples."""
    samples = {name: [] for name in contenders}
    for n in range(rounds):
        for name, run in contenders.items():
            value = run()
            samples[name].append(value)
            progress(f"{group} {n + 1}/{rounds} {name}: {number(value)}")
    return samples
