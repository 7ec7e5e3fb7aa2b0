#!/usr/bin/env python3
"""Every function of WASI preview 1, its error paths included, by a program of our own: passes its
TAP on under `quince exec`, here or in ring 0, and adds what only the outside sees.
usage: conformance.py QUINCE PROGRAM.wasm [--in-kernel]"""
import os
import socket
import subprocess
import sys
import tempfile
import threading

quince, program = sys.argv[1:3]
in_kernel = sys.argv[3:] == ["--in-kernel"]
number = failures = 0


def report(ok, name, detail=""):
    global number, failures
    number += 1
    failures += not ok
    print(("ok" if ok else "not ok"), number, "-", name, flush=True)
    if not ok and detail:
        print("\n".join("# " + line for line in detail.splitlines()[-40:]), flush=True)


def command(options, args):
    return [quince, "exec", *(["--in-kernel"] if in_kernel else []), *options, program, *args]


def pass_on(output, errors, code, group):
    """The program's TAP under our numbers."""
    plan = points = 0
    for line in output.splitlines():
        if line.startswith("1.."):
            plan = int(line[3:])
        elif line.startswith(("ok ", "not ok ")):
            points += 1
            report(line.startswith("ok"), group + ": " + line.split(" - ", 1)[1])
        elif line.startswith("#") and line != "# ready" and not line.startswith("# " + group):
            print(line, flush=True)
    report(plan == points > 0 and code in (0, 1), f"{group}: it ran to its end",
           f"exit code {code}, {points} of {plan}\n{errors}")


def fill(top):
    """What the program's folder holds; beside it a file that it must not reach."""
    d = os.path.join(top, "d")
    for folder in ("sub", "many"):
        os.makedirs(os.path.join(d, folder))
    files = {"secret": "secret", "d/file.txt": "0123456789", "d/sub/inner.txt": "inner"}
    files.update({f"d/many/name {i}": "" for i in range(100)})
    for path, text in files.items():
        with open(os.path.join(top, path), "w") as f:
            f.write(text)
    for link, target in (("link", "file.txt"), ("dirlink", "sub"), ("dangling", "nothing"),
                         ("loop", "loop"), ("out", "../secret"), ("outdir", ".."),
                         ("abs", "/etc/passwd"), ("chain", "out"), ("sub/up", "..")):
        os.symlink(target, os.path.join(d, link))
    return d


def tree(d):
    found = {}
    for folder, folders, files in os.walk(d):
        for name in folders + files:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                found[os.path.relpath(path, d)] = "-> " + os.readlink(path)
            elif os.path.isfile(path):
                with open(path) as f:
                    found[os.path.relpath(path, d)] = f.read()
            else:
                found[os.path.relpath(path, d)] = "folder"
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def call(port, heard):
    """The four calls that sockets.c expects."""
    def connect():
        s = socket.create_connection(("127.0.0.1", port), timeout=60)
        return s

    def drain(s):
        data = b""
        while piece := s.recv(65536):
            data += piece
        return data

    try:
        with connect() as s:
            s.sendall(b"hello, socket")
            heard.append(drain(s))
        connect().close()
        with connect() as s:
            s.sendall(bytes(i * i % 251 for i in range(100000)))
            s.shutdown(socket.SHUT_WR)
            drain(s)
        with connect() as s:
            heard.append(drain(s))
    except OSError as e:
        heard.append(str(e).encode())


def sockets(options, port):
    heard = []
    process = subprocess.Popen(command(options, ["sockets"]), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    killer = threading.Timer(120, process.kill)
    killer.start()
    output, caller = "", threading.Thread(target=call, args=(port, heard), daemon=True)
    for line in process.stdout:
        output += line
        if line == "# ready\n":
            caller.start()
    errors = process.stderr.read()
    pass_on(output, errors, process.wait(), "sockets")
    killer.cancel()
    if caller.ident:
        caller.join(60)
    report(heard[:1] == [b"goodbye, socket!\n"], "sockets: what the first caller heard", str(heard)[:300])
    report(heard[1:] == [b"z" * 1000000], "sockets: what the last caller heard", str(heard)[-300:])


with tempfile.TemporaryDirectory() as top:
    d = fill(top)
    before = tree(d)
    port = free_port()
    options = ["--dir", d + "::/d", "--ro-dir", d + "::/ro", "--listen", f"127.0.0.1:{port}",
               "--env", "A=1", "--env", "EMPTY="]
    groups = ["environment", "files", "descriptors", "rights", "paths", "directories", "sandbox",
              "times", "pointers", "poll"]
    # One after the other in one machine: a boot for each would be most of the time.
    result = subprocess.run(command(options, groups), input=b"typed", capture_output=True, timeout=200)
    pass_on(result.stdout.decode(), result.stderr.decode(), result.returncode, "all")
    report(result.stderr == b"", "nothing on standard error", result.stderr.decode())
    after = tree(d)
    report(after == before, "the folder is as it was", str(set(after.items()) ^ set(before.items())))
    sockets(options, port)
    for args, code, text in ((("exit", "0"), 0, ""), (("exit", "7"), 7, ""), (("exit", "255"), 255, ""),
                             (("raise", "0"), 0, "0\n"), (("raise", "15"), 143, ""),
                             (("raise", "6"), 134, ""), (("raise", "31"), 0, "28\n")):
        result = subprocess.run(command([], args), stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=60)
        report(result.returncode == code and result.stdout.decode() == text,
               f"proc_{args[0]}({args[1]}): exit code {code}", str(result))
print(f"1..{number}")
sys.exit(failures != 0)
