"""TAP, and small helpers that the tests of the command line share."""

import os
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("QUINCE_BUILD", os.path.join(ROOT, "build"))
QUINCE = os.path.join(BUILD, "host", "quince")


def run(*args, timeout=60, stdin=subprocess.DEVNULL, env=None, cwd=None):
    """Runs quince with ARGS; the result has .code, .out and .err."""
    done = subprocess.run([QUINCE, *map(str, args)], stdin=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, env=env, cwd=cwd, check=False)
    done.code = done.returncode
    done.out = done.stdout.decode(errors="replace")
    done.err = done.stderr.decode(errors="replace")
    return done


def expect(done, code=0, out=(), err=()):
    """Fails unless DONE ended with CODE and its output holds every text of OUT and ERR."""
    said = f"\n  exit code {done.code}\n  stdout: {done.out}\n  stderr: {done.err}"
    assert done.code == code, f"exit code {done.code}, not {code}:{said}"
    for text in [out] if isinstance(out, str) else out:
        assert text in done.out, f"{text!r} is not in the output:{said}"
    for text in [err] if isinstance(err, str) else err:
        assert text in done.err, f"{text!r} is not in the complaints:{said}"
    return done


def wait_until(condition, what, timeout=20):
    """CONDITION is tried until it gives something true, which is returned."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain: {what}")
        time.sleep(0.05)


def private_state():
    """Machines of these tests live in a folder of their own, short enough for socket names."""
    folder = tempfile.mkdtemp(prefix="quince-test-", dir="/tmp")
    os.environ["XDG_RUNTIME_DIR"] = folder
    return folder


def main(tests, after=lambda: None):
    """Runs (name, function) pairs, and AFTER after each; prints TAP; ends the process."""
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        start = time.monotonic()
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {name}")
            text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            for line in text.splitlines() or ["?"]:
                print(f"# {line}", flush=True)
        after()
        print(f"# {time.monotonic() - start:.2f} s", flush=True)
    sys.exit(1 if failed else 0)
