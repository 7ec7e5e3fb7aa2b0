#!/usr/bin/env python3
"""Quince as a user has it: the command, booted images, real clients, extensions in the kernel."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import tap  # noqa: E402
from tap import BUILD, QUINCE, ROOT, expect, run, wait_until  # noqa: E402

STATE = tap.private_state()
WORK = tempfile.mkdtemp(prefix="quince-work-")
HELLO = os.path.join(BUILD, "apps", "hello.img")
HTTPD = os.path.join(BUILD, "apps", "httpd.img")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path="/", timeout=5):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as answer:
        return answer.read()


def answers(port):
    try:
        return bool(get(port, timeout=2))
    except (OSError, urllib.error.URLError):
        return False


def httpd(name, *options):
    """Starts httpd; the port at which it answers."""
    port = free_port()
    expect(run("run", "-d", "-n", name, "-p", f"{port}:80", *options, HTTPD), out=f"{name} runs")
    wait_until(lambda: answers(port), "httpd answers")
    return port


def write(name, text):
    path = os.path.join(WORK, name)
    with open(path, "wb" if isinstance(text, bytes) else "w") as file:
        file.write(text)
    return path


def wat(name, text):
    path = os.path.join(WORK, name + ".wasm")
    subprocess.run(["wat2wasm", write(name + ".wat", text), "-o", path], check=True)
    return path


def extension(name, source):
    """Compiles an extension as docs/extensions.md says."""
    path = os.path.join(WORK, name + ".wasm")
    subprocess.run(["clang", "--target=wasm32", "-O2", "-nostdlib", "-Wl,--no-entry", "-I",
                    os.path.join(ROOT, "sdk", "c"), "-o", path, write(name + ".c", source)],
                   check=True)
    return path


def rows(extension_map, machine):
    return json.loads(expect(run("map", "dump", extension_map, "--json", "-M", machine)).out)


def memory(machine):
    stats = json.loads(expect(run("stats", "--json", machine)).out)["machine"]["memory"]
    return stats["free"], stats["heap_used"]


def hello(machine):
    expect(run("run", "--machine", machine, HELLO), 0, out="Hello from Quince")


def build_and_run():
    source = write("app.c", textwrap.dedent("""\
        #include <stdio.h>
        int main(int argc, char **argv)
        {
            char line[80] = "nothing";
            FILE *file = fopen("/carried/note.txt", "r");
            if (!file || !fgets(line, sizeof line, file))
                return 1;
            for (int i = 1; i < argc; i++)
                printf("argument %d: %s\\n", i, argv[i]);
            printf("carried: %s\\n", line);
            return 42;
        }
        """))
    os.makedirs(os.path.join(WORK, "files", "carried"), exist_ok=True)
    write("files/carried/note.txt", "a file from the host")
    image = os.path.join(WORK, "app.img")
    expect(run("build", source, "--files", os.path.join(WORK, "files"), "--without", "net,engine",
               "-o", image))
    expect(run("run", image, "one", "two words", "--three"), 42,
           out=["argument 1: one\n", "argument 2: two words\n", "argument 3: --three\n",
                "carried: a file from the host"])
    expect(run("build", write("bad.c", "int main(void) { return nonsense; }"), "-o", image), 1,
           err="nonsense")
    expect(run("build", "/nonexistent.c"), 1, err="nonexistent.c")


def observe(machine):
    port = httpd("web", "--machine", machine)
    assert b"<html" in get(port).lower()
    expect(run("load", "flows", "--grant", "net.rx,net.tx"), out="flows loaded")
    for _ in range(3):
        get(port, "/hello.txt")
    flows = [f for f in rows("flows/by_flow", "web") if f["server_port"] == 80]
    assert len(flows) == 3, flows
    for flow in flows:
        assert flow["protocol"] == "tcp" and flow["server"] == "10.0.2.15", flow
        assert flow["packets"] >= 6 and flow["bytes"] > 300 and flow["duration"] > 0, flow
    expect(run("map", "dump", "flows/by_flow", "-s", "bytes"), out=["CLIENT", "DURATION", "10.0.2.15"])
    expect(run("map", "list", "flows"), out=["by_flow", "lru", "4096"])
    expect(run("list"), out=["flows", "attached", "net.rx,net.tx"])
    listed = json.loads(run("list", "--json").out)[0]
    assert listed["runs"] >= 18 and listed["faults"] == 0, listed
    expect(run("load", "flows", "--grant", "all"), 1, err=["EEXIST", "--name"])
    expect(run("stats"), out=["net0", "memory", "flows"])
    expect(run("logs"), out="flows")
    expect(run("unload", "flows"), out="freed")
    assert "attached" not in expect(run("list")).out
    get(port)
    expect(run("stop", "web"))
    expect(run("ps", "-a"), out="no machine runs")


def unload_gives_back():
    """Without a network nothing else moves: memory is the same to the byte. The first round counts
    not: the heap may grow for it."""
    expect(run("run", "-d", "-n", "quiet", "--no-network", HTTPD))
    rounds = []
    for _ in range(4):
        for name in ("flows", "pcap", "firewall"):
            expect(run("load", name, "--grant", "all"))
        assert run("list").out.count("attached") == 3
        expect(run("unload", "flows", "pcap", "firewall"))
        rounds.append(memory("quiet"))
    assert len(set(rounds[1:])) == 1, rounds
    expect(run("stop"))


def capture():
    port = httpd("web")
    path = os.path.join(WORK, "web.pcapng")
    process = subprocess.Popen([QUINCE, "capture", "-w", path, "web", "tcp", "port", "80"],
                               stderr=subprocess.PIPE)
    assert b"capturing" in process.stderr.readline()
    for name in ("/hello.txt", "/style.css"):
        get(port, name)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read().decode()
    assert process.wait(20) == 0 and "packets captured" in said, said
    decoded = subprocess.run(["tshark", "-r", path, "-Y", "http", "-T", "fields", "-e",
                              "http.request.uri", "-e", "http.response.code"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    assert decoded.decode().split() == ["/hello.txt", "200", "/style.css", "200"], decoded
    expect(run("list"), out="no extensions are loaded")
    expect(run("stop"))


def firewall():
    port = httpd("web")
    expect(run("load", "firewall", "--grant", "all", "-c", "rule.1=drop in tcp dport 80"),
           out="firewall loaded")
    assert not answers(port), "the firewall lets through what it drops"
    matches = {row["rule"]: row["packets"] for row in rows("firewall/matches", "web")}
    assert matches[1] > 0, matches
    expect(run("unload", "firewall"))
    wait_until(lambda: answers(port), "httpd answers again")
    expect(run("load", "firewall", "--grant", "all", "-c", "rule.1=nonsense"), 1)
    get(port)
    expect(run("list"), out=["firewall", "failed"])
    expect(run("stop"))


def refusals():
    port = httpd("web")
    with open(os.path.join(BUILD, "extensions", "flows.wasm"), "rb") as file:
        flows = file.read()
    expect(run("load", "flows"), 1, err=["net.rx", "EPERM", "--grant"])
    expect(run("load", write("cut.wasm", flows[:len(flows) // 2]), "--grant", "all"), 1,
           err="was not loaded")
    expect(run("load", write("noise.wasm", bytes(range(256)) * 8), "--grant", "all"), 1,
           err="was not loaded")
    expect(run("load", wat("import", '(module (import "quince1" "fly" (func)))'), "--grant", "all"), 1)
    expect(run("list"), out=["failed"])
    expect(run("map", "dump", "flows/by_flow"), 1, err="ENOENT")
    expect(run("unload", "nobody"), 1, err="ENOENT")
    get(port)
    expect(run("stop"))


def faults():
    """An extension that loops for ever at every packet: named, quarantined, and httpd goes on."""
    loop = extension("loop", textwrap.dedent("""\
        #include <quince_ext.h>
        QUINCE_MANIFEST("name=loop\\n" "hook=net.rx snap=64\\n" "budget=1ms\\n");
        QUINCE_PACKET_BUFFER(64);
        QUINCE_ON_PACKET(packet)
        {
            for (volatile int i = 0;; i = i + 1) {
            }
            return QUINCE_PASS;
        }
        """))
    port = httpd("web")
    expect(run("load", loop, "--grant", "net.rx"))

    def quarantined():
        get(port)
        return json.loads(run("list", "--json").out)[0]["state"] == "quarantined"
    wait_until(quarantined, "three strikes", 30)
    expect(run("list", "-b"), out=["loop", "quarantined", "time budget exceeded", "quince_packet"])
    get(port)
    expect(run("unload", "loop"))
    expect(run("stop"))


def from_within():
    """The program grafts an extension onto its own kernel."""
    os.makedirs(os.path.join(WORK, "own"), exist_ok=True)
    shutil.copy(os.path.join(BUILD, "extensions", "flows.wasm"), os.path.join(WORK, "own"))
    image = os.path.join(WORK, "own.img")
    source = write("own.c", textwrap.dedent("""\
        #include <quince.h>
        #include <stdio.h>
        static char module[65536];
        int main(void)
        {
            FILE *file = fopen("/flows.wasm", "r");
            size_t size = file ? fread(module, 1, sizeof module, file) : 0;
            struct quince_options options = {.grants = "net.rx,net.tx"};
            char why[QUINCE_REASON] = "";
            int handle = quince_load(module, size, &options, why, sizeof why);
            printf("load: %s\\n", handle > 0 ? "yes" : why);
            printf("again: %d\\n", quince_load(module, size, &options, why, sizeof why));
            printf("ungranted: %s\\n", quince_load(module, size, NULL, why, sizeof why) < 0 ? why : "");
            return handle > 0 && quince_unload("flows") >= 0 ? 0 : 1;
        }
        """))
    expect(run("build", source, "--files", os.path.join(WORK, "own"), "-o", image))
    expect(run("run", image), 0, out=["load: yes", "again: -17", "ungranted: "])


def two_machines():
    first, second = httpd("first"), httpd("second", "--machine", "q35")
    expect(run("list"), 2, err="several machines run (first, second)")
    expect(run("load", "flows", "--grant", "all", "-M", "second"))
    expect(run("list", "first"), out="no extensions are loaded")
    expect(run("list", "second"), out="flows")
    get(first)
    get(second)
    expect(run("stop", "first"))
    get(second)
    expect(run("stop", "second"))


def dies():
    """QEMU is killed while a client follows a stream."""
    httpd("web")
    process = subprocess.Popen([QUINCE, "capture", "-w", os.path.join(WORK, "x.pcap"), "web"],
                               stderr=subprocess.PIPE)
    assert b"capturing" in process.stderr.readline()
    os.kill(json.loads(run("ps", "--json").out)[0]["qemu"], signal.SIGKILL)
    said = process.stderr.read().decode()
    assert process.wait(20) == 125 and "ended" in said, (process.returncode, said)
    expect(run("ps", "-a"), out=["web", "exit 137"])
    expect(run("list", "web"), 125, err="no machine called 'web' runs")
    expect(run("stop", "web"))


def port_taken():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        expect(run("run", "-p", f"{s.getsockname()[1]}:80", HTTPD), 125, err="is the port taken?")


def codes():
    httpd("web")
    process = subprocess.Popen([QUINCE, "run", "-n", "fore", HTTPD], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    wait_until(lambda: any(m["name"] == "fore" and "kernel" in m
                           for m in json.loads(run("ps", "--json").out)), "its kernel answers")
    expect(run("stop", "fore", "--code", "9"))
    assert process.wait(10) == 9
    expect(run("stop", "web"))


def exec_modules():
    add = wat("add", """(module
        (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
        (func (export "crash") unreachable))""")
    for where in ([], ["--in-kernel"]):
        done = expect(run("exec", *where, "--invoke", "add", add, "40", "2"), 0)
        assert done.out.split() == ["42"], done.out
        expect(run("exec", *where, "--invoke", "crash", add), 134)
        expect(run("exec", *where, add, "--invoke", "missing"), 2)
    expect(run("exec", "/nonexistent.wasm"), 2)


def inspect():
    expect(run("inspect", "flows"), out=["as an extension: flows", "quince1.map_get", "by_flow",
                                         "--grant net.rx,net.tx"])
    shown = json.loads(expect(run("inspect", "pcap", "--json")).out)
    assert shown["manifest"]["name"] == "pcap" and shown["code_bytes"] > 0, shown
    expect(run("inspect", write("noise.wasm", b"\0asm\1\0\0\0\xff")), 1, err="is refused: at byte")


def main():
    try:
        tap.main([
            ("hello on microvm", lambda: hello("microvm")),
            ("hello on q35", lambda: hello("q35")),
            ("quince build carries files, arguments and exit codes", build_and_run),
            ("flows on microvm: load, look, unload", lambda: observe("microvm")),
            ("flows on q35: load, look, unload", lambda: observe("q35")),
            ("unload gives every byte back", unload_gives_back),
            ("capture is decoded by tshark", capture),
            ("firewall drops, counts, and goes", firewall),
            ("refused modules are named and leave the machine serving", refusals),
            ("an endless loop is ended, then quarantined", faults),
            ("a program extends its own kernel", from_within),
            ("two machines do not meet", two_machines),
            ("a machine dying under a client is reported", dies),
            ("a taken port is named", port_taken),
            ("exit codes come through", codes),
            ("exec here and in ring 0", exec_modules),
            ("inspect", inspect),
        ], after=lambda: run("stop", "-a", "--now", "-t", "2"))
    finally:
        run("stop", "-a", "--now", "-t", "1")
        shutil.rmtree(STATE, ignore_errors=True)
        shutil.rmtree(WORK, ignore_errors=True)


main()
