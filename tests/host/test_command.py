#!/usr/bin/env python3
"""The quince command from outside, against a played kernel (fake_kernel.py) in QEMU's place."""

import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402
from tap import QUINCE, expect, run, wait_until  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
STATE = tap.private_state()
WORK = tempfile.mkdtemp(prefix="quince-work-")
IMAGE = os.path.join(WORK, "app.img")
MODULE = os.path.join(WORK, "count.wasm")


def set_up():
    folder = os.path.join(WORK, "bin")
    os.mkdir(folder)
    os.symlink(os.path.join(HERE, "fake_kernel.py"), os.path.join(folder, "qemu-system-x86_64"))
    os.environ["PATH"] = folder + ":" + os.environ["PATH"]
    with open(IMAGE, "wb") as image:
        image.write(b"\x7fELF an image as far as quince looks")
    text = b"counts=number:u32,count:u64,double:u64=count+count\n"
    name = b"quince.format"
    section = bytes([len(name)]) + name + text
    with open(MODULE, "wb") as module:
        module.write(b"\0asm\1\0\0\0\0" + bytes([len(section)]) + section)


def machine(name, play="serve", *options):
    expect(run("run", "-d", "-n", name, *options, IMAGE, "-o", f"play={play}"), out=f"{name} runs")


def stop(name):
    expect(run("stop", "--now", name))


def wrong_arguments():
    expect(run(), 2, err="usage: quince")
    expect(run("--help"), out=["load", "capture"])
    expect(run("--version"), out="quince 0")
    expect(run("lo"), 2, err="did you mean 'load'?")
    expect(run("frobnicate"), 2, err="no command 'frobnicate'")
    expect(run("--frob", "ps"), 2, err="no option '--frob'")
    expect(run("load"), 2, err=["which module?", "usage: quince load"])
    expect(run("load", "--nonsense", MODULE), 2, err="no option '--nonsense'")
    expect(run("load", "--grant"), 2, err="--grant needs a value")
    expect(run("load", "--budget", "5 parsecs", MODULE), 2, err="ns, us, ms or s")
    expect(run("map", "dump", "x"), 2, err="not EXTENSION/MAP")
    expect(run("map"), 2, err="list or dump")
    expect(run("run"), 2, err="which image?")
    expect(run("run", "-p", "http", IMAGE), 2, err="HOST:GUEST")
    expect(run("run", "-p", "70000:80", IMAGE), 2, err="HOST:GUEST")
    expect(run("run", "--machine", "pdp11", IMAGE), 2, err="microvm or q35")
    expect(run("run", "-n", "a/b", IMAGE), 2, err="no name for a machine")
    expect(run("run", "-m", "lots", IMAGE), 2, err="not a number")
    for command in ("run", "ps", "stop", "load", "unload", "list", "stats", "logs", "map",
                    "capture", "build"):
        expect(run(command, "--help"), out="usage: quince " + command)


def nothing_runs():
    expect(run("ps"), out="no machine runs")
    expect(run("list"), 125, err="no machine runs; start one")
    expect(run("stop", "nobody"), 1, err="no machine called 'nobody'")
    expect(run("stats", "../etc"), 125, err="no machine called")
    expect(run("run", "/nonexistent.img"), 125, err="cannot open the image")
    expect(run("run", MODULE), 125, err="no image")
    assert run("logs", "gone").code == 125


def foreground():
    expect(run("run", IMAGE, "-o", "play=exit:7"), 7, out="command line: play=exit:7")
    expect(run("run", IMAGE, "-o", "play=exit:0"), 0)
    expect(run("run", IMAGE, "-o", "play=exit:0", "--", "-x", "two words", 'a"b'),
           out='play=exit:0 -- -x "two words" "a\\"b"')
    expect(run("run", IMAGE, "-o", "play=exit:0", "one", "-p"), out="-- one -p")
    expect(run("run", IMAGE, "-o", "play=refuse-start"), 125,
           err=["QEMU did not start", "is the port taken?"])
    assert not os.listdir(os.path.join(STATE, "quince")), "a foreground machine leaves nothing"


def foreground_input():
    with tempfile.TemporaryFile() as text:
        text.write(b"a line for the guest\n")
        text.seek(0)
        expect(run("run", IMAGE, "-o", "play=echo", stdin=text), out="got: a line for the guest")


def interrupt():
    process = subprocess.Popen([QUINCE, "run", "-n", "int", IMAGE], stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL)
    wait_until(lambda: '"kernel"' in run("ps", "--json").out, "the kernel's hello")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130, process.returncode
    expect(run("ps"), out="no machine runs")


def no_qemu():
    env = dict(os.environ, PATH="/nonexistent")
    expect(run("run", IMAGE, env=env), 125, err="install Debian's package qemu-system-x86")


def background():
    machine("one", "serve", "-p", "18080:80", "-m", "32", "--machine", "q35")
    expect(run("ps"), out=["one", "running", "q35", "32 MiB", "127.0.0.1:18080→80", IMAGE])
    shown = json.loads(run("ps", "--json").out)[0]
    assert shown["running"] and shown["ports"][0]["guest"] == 80, shown
    expect(run("run", "-n", "one", IMAGE), 1, err="runs already")
    expect(run("stop"))
    expect(run("ps", "-a"), out="no machine runs")


def ended():
    done = run("run", "-d", "-n", "short", IMAGE, "-o", "play=exit:3")
    expect(done, 3, out="command line", err="ended at once with exit code 3")
    expect(run("ps"), out="quince ps -a")
    expect(run("ps", "-a"), out="exit 3")
    expect(run("logs", "short"), out="command line")
    expect(run("stop", "short"))
    expect(run("ps", "-a"), out="no machine runs")


def names():
    expect(run("run", "-d", IMAGE, "-o", "play=serve"), out="app runs")
    expect(run("run", "-d", IMAGE, "-o", "play=serve"), out="app-2 runs")
    expect(run("list"), 2, err=["several machines run", "app, app-2", "-M NAME"])
    expect(run("list", "-M", "app-2"), out="bad")
    expect(run("list", "app"), out="bad")
    expect(run("stop", "-a"))


def extensions():
    machine("ext")
    expect(run("load", MODULE), 1, err=["net.rx is not granted (EPERM)", "--grant"])
    expect(run("load", MODULE, "--grant", "net.rx,clock", "-c", "a=b=c", "--budget", "2ms"),
           out=["count loaded", "4.0 KiB", "2.5 ms"])
    expect(run("list"), out=["count", "attached", "net.rx", "500 ns", "128 KiB", "bad", "failed",
                             "offset 0x43: type mismatch"])
    assert "\x1b" not in run("list").out, "a kernel's text must not steer the terminal"
    expect(run("list", "--backtrace"), out="#0 parse+0x1c")
    listed = json.loads(run("list", "--json").out)
    assert listed[0]["name"] == "count" and listed[0]["config"] == {"a": "b=c"}, listed
    expect(run("stats", "-t"), out=["1 min 01 s", "64 MiB in all, 32 MiB free", "eth0", "main"])
    assert json.loads(run("stats", "--json").out)["machine"]["memory"]["free"] == 33554432
    expect(run("load", IMAGE, "--grant", "all"), 1, err="offset 0x0: not a module (EINVAL)")
    expect(run("load", "no-such-thing"), 1, err="no extension of that name")
    expect(run("unload", "count"), out="132 KiB freed")
    expect(run("unload", "count"), 1, err="no extension 'count'")
    stop("ext")


def maps():
    machine("maps")
    expect(run("map", "list", "count"), out=["counts", "array", "6"])
    expect(run("map", "dump", "count/counts"), out="00000000  e803000000000000")
    expect(run("map", "dump", "count/counts", "-f", "n:u32,_:4,high:x32"), out=["N", "HIGH"])
    expect(run("map", "dump", "count/counts", "-f", "n:u32"), 1, err="describes 4 bytes")
    expect(run("map", "dump", "count/counts", "-f", "n:u33"), 1, err="no type 'u33'")
    expect(run("load", MODULE, "--grant", "all"))
    expect(run("map", "dump", "count/counts"), out=["NUMBER", "DOUBLE", "2010"])
    rows = json.loads(run("map", "dump", "count/counts", "--json", "-s", "count").out)
    assert [r["count"] for r in rows] == [1005, 1004, 1003, 1002, 1001, 1000], rows
    assert len(run("map", "dump", "count/counts", "--raw").stdout) == 72
    expect(run("map", "dump", "count/none"), 1, err="no map 'none' (ENOENT)")
    stop("maps")


def logs():
    machine("logs")
    expect(run("logs"), out="[0.001] first\n[0.002] second\n")
    expect(run("logs", "--console"), out="command line")
    process = subprocess.Popen([QUINCE, "logs", "-f"], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"[0.001] first\n"
    process.kill()
    process.wait()
    wait_until(lambda: "stream cancelled" in run("logs", "--console").out,
               "the stream of a client that died is cancelled")
    stop("logs")


def capture():
    machine("cap")
    path = os.path.join(WORK, "trace.pcap")
    expect(run("capture", "-w", path, "-c", "2", "cap"),
           err=["2 packets captured", "2 came too fast"])
    with open(path, "rb") as file:
        data = file.read()
    assert struct.unpack("<IHH", data[:8]) == (0xa1b23c4d, 2, 4), data[:8]
    assert struct.unpack("<IIII", data[24:40]) == (1, 7, 60, 60), data[24:40]
    if shutil.which("tshark"):
        done = run("capture", "-w", "-", "-t", "1", "--snap", "100")
        decoded = subprocess.run(["tshark", "-r", "-", "-T", "fields", "-e", "frame.len", "-e",
                                  "frame.cap_len", "-e", "frame.time_epoch"], input=done.stdout,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        lines = decoded.stdout.decode().split("\n")
        assert lines[0] == "60\t60\t1.000000007" and lines[1] == "1514\t100\t2.000000007", lines
    expect(run("capture", "-w", path, "-c", "1", "greater", "1000"), err="1 packets captured")
    expect(run("capture", "-w", path, "nonsense filter"), 2, err="is no filter")
    expect(run("capture", "-w", "/nonexistent/file"), 1, err="cannot write /nonexistent/file")
    expect(run("list"), out="failed")
    assert "attached" not in run("list").out, "what capture loads it unloads"
    stop("cap")


def many_clients():
    machine("many")
    processes = [subprocess.Popen([QUINCE, *command], stdout=subprocess.PIPE)
                 for command in (["list"], ["stats"], ["map", "list", "x"], ["logs"]) * 5]
    first = [p.communicate(timeout=20)[0] for p in processes]
    assert all(p.returncode == 0 for p in processes)
    assert len(set(first)) == 4, "answers were mixed up"
    stop("many")


def deaf():
    machine("deaf", "deaf")
    done = run("stop", "-t", "1", "deaf", timeout=30)
    expect(done, err="does not shut down by itself")
    expect(run("ps", "-a"), out="no machine runs")
    expect(run("run", "-d", "-n", "mute", "--no-control", IMAGE, "-o", "play=deaf"))
    expect(run("list", "mute"), 125, err="--no-control")
    expect(run("stop", "-t", "1", "mute"))


def machine_dies():
    machine("dying", "die")
    expect(run("list", "dying"), 125, err="ended with exit code 9")
    expect(run("ps", "-a"), out="exit 9")
    machine("noise", "garbage")
    done = run("list", "noise", timeout=30)
    expect(done, 125)
    stop("noise")


def private():
    root = os.path.join(STATE, "quince")
    assert stat.S_IMODE(os.stat(root).st_mode) == 0o700
    os.chmod(root, 0o755)
    expect(run("ps"), 1, err="mode 0700")
    os.chmod(root, 0o700)


def main():
    set_up()
    try:
        tap.main([
            ("wrong arguments are told apart", wrong_arguments),
            ("commands without a machine say what to do", nothing_runs),
            ("a foreground machine gives its console and exit code", foreground),
            ("standard input reaches the machine", foreground_input),
            ("an interrupt asks the machine to end", interrupt),
            ("a missing QEMU is named", no_qemu),
            ("a background machine is listed and stopped", background),
            ("a machine that ended is remembered", ended),
            ("names are made and asked for", names),
            ("extensions are loaded, listed, unloaded", extensions),
            ("maps are dumped as their format says", maps),
            ("logs are read and followed", logs),
            ("captures are written as pcap and pcapng", capture),
            ("many clients are served at once", many_clients),
            ("a machine that does not answer is killed", deaf),
            ("a machine dying under a client is reported", machine_dies),
            ("the state folder must be private", private),
        ])
    finally:
        run("stop", "-a", "--now", "-t", "1")
        shutil.rmtree(STATE, ignore_errors=True)
        shutil.rmtree(WORK, ignore_errors=True)


main()
