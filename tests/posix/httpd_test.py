#!/usr/bin/env python3
"""httpd under clients that keep to the rules and clients that do not: as a program of this machine and
as an image in QEMU.

usage: httpd_test.py PROGRAM FOLDER IMAGE    prints TAP
"""

import contextlib
import re
import socket
import subprocess
import sys
import time

QEMU = ["qemu-system-x86_64", "-M",
        "microvm,acpi=off,x-option-roms=off,pit=off,pic=off,rtc=on,auto-kernel-cmdline=on",
        "-global", "virtio-mmio.force-legacy=false", "-accel", "tcg", "-cpu", "max", "-m", "32",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
IDLE = 2  # seconds

count = 0
failed = 0


def point(good, what):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {what}", flush=True)


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, timeout=10):
    client = socket.create_connection(("127.0.0.1", port), timeout)
    client.settimeout(timeout)
    return client


def read_response(client, data=b"", head_only=False):
    """Status, fields, body and what came behind them."""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            raise EOFError(data)
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
    length = 0 if head_only else int(fields["content-length"])
    while len(rest) < length:
        more = client.recv(65536)
        if not more:
            raise EOFError(rest)
        rest += more
    return int(lines[0].split()[1]), fields, rest[:length], rest[length:]


def ask(port, request, head_only=False):
    with connect(port) as client:
        client.sendall(request)
        return read_response(client, head_only=head_only)


def closes(client):
    """Whether the server ends the connection (with whatever it had to say before)."""
    try:
        while client.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def get(path, fields="", version="1.1"):
    return f"GET {path} HTTP/{version}\r\nHost: x\r\n{fields}\r\n".encode("latin-1")


REFUSED = [
    ("no request", b"hello\r\n\r\n", 400),
    ("no version", b"GET /\r\n\r\n", 400),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    ("space before the colon", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    ("folded field", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    ("zero byte", b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("bad escape", get("/%zz"), 400),
    ("short escape", get("/%4"), 400),
    ("escaped zero", get("/a%00b"), 400),
    ("out of the tree", get("/../etc/passwd"), 400),
    ("out of the tree, escaped", get("/%2e%2e/%2e%2e/etc/passwd"), 400),
    ("out of the tree, later", get("/a/../../b"), 400),
    ("relative target", get("index.html"), 400),
    ("long target", get("/" + "a" * 2000), 414),
    ("long head", get("/", "A: " + "b" * 9000 + "\r\n"), 431),
    ("negative length", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ("huge length", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    ("large body", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n", 413),
    ("two lengths", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ("transfer coding", b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
]


def check(port, where):
    status, fields, body, _ = ask(port, get("/"))
    point(status == 200 and fields["content-type"].startswith("text/html") and b"<h1>" in body,
          f"{where}: index of a folder")
    status, fields, body, _ = ask(port, get("/hello.txt"))
    point(status == 200 and body == b"Hello from Quince\n" and
          fields["content-type"].startswith("text/plain"), f"{where}: a file")
    status, fields, body, _ = ask(port, get("/./a/../%68ello.txt?query"))
    point(status == 200 and body == b"Hello from Quince\n", f"{where}: an odd path to it")
    status, fields, body, rest = ask(port, b"HEAD /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n", True)
    point(status == 200 and fields["content-length"] == "18" and not rest, f"{where}: HEAD")
    status, fields, body, _ = ask(port, get("/hello.txt", "Range: bytes=6-9\r\n"))
    point(status == 206 and body == b"from" and fields["content-range"] == "bytes 6-9/18",
          f"{where}: a range")
    status, _, body, _ = ask(port, get("/hello.txt", "Range: bytes=-7\r\n"))
    point(status == 206 and body == b"Quince\n", f"{where}: the last bytes")
    point(ask(port, get("/hello.txt", "Range: bytes=99-\r\n"))[0] == 416, f"{where}: a range beyond")
    point(ask(port, get("/missing"))[0] == 404, f"{where}: 404")
    point(ask(port, get("/hello.txt/below"))[0] == 404, f"{where}: below a file")
    status, fields, _, _ = ask(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    point(status == 405 and "GET" in fields["allow"], f"{where}: 405")

    with connect(port) as client:
        good = True
        for _ in range(20):
            client.sendall(get("/hello.txt"))
            good &= read_response(client)[2] == b"Hello from Quince\n"
        point(good, f"{where}: 20 requests on one connection")
        client.sendall(get("/hello.txt") * 30 + get("/missing") + get("/style.css", "Connection: close\r\n"))
        data, codes = b"", []
        for _ in range(32):
            status, _, _, data = read_response(client, data)
            codes.append(status)
        point(codes == [200] * 30 + [404, 200] and closes(client), f"{where}: 32 in one go")
    with connect(port) as client:
        for byte in get("/hello.txt"):
            client.sendall(bytes([byte]))
        point(read_response(client)[0] == 200, f"{where}: byte by byte")
    with connect(port) as client:
        client.sendall(get("/hello.txt", version="1.0"))
        point(read_response(client)[0] == 200 and closes(client), f"{where}: HTTP/1.0 closes")
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" + get("/hello.txt"))
        first = read_response(client)
        point(first[0] == 200 and read_response(client, first[3])[2] == b"Hello from Quince\n",
              f"{where}: a body is skipped")

    for what, request, expected in REFUSED:
        with connect(port) as client:
            try:
                client.sendall(request)
                status = read_response(client)[0]
            except (EOFError, OSError) as error:
                status = error
            point(status == expected and closes(client), f"{where}: {what}: {expected}, closed")

    idle, slow = connect(port, IDLE + 4), connect(port, IDLE + 4)
    slow.sendall(b"GET / HT")
    start = time.monotonic()
    point(closes(idle) and IDLE - 1.5 < time.monotonic() - start < IDLE + 3,
          f"{where}: an idle connection is closed")
    point(closes(slow), f"{where}: half a request is not waited for")
    # One by one: QEMU's forwarding lets few connections wait.
    crowd, answers = [], []
    for _ in range(40):
        crowd.append(connect(port))
        try:
            crowd[-1].sendall(get("/hello.txt"))
            answers.append(read_response(crowd[-1])[0])
        except (EOFError, OSError):
            answers.append(503)
    for client in crowd:
        client.close()
    point(answers.count(200) >= 20 and 503 in answers, f"{where}: connections have a limit")
    time.sleep(0.3)
    point(ask(port, get("/"))[0] == 200, f"{where}: still serves")


@contextlib.contextmanager
def server(command, port, ready):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               errors="replace")
    try:
        for line in process.stdout:
            if re.search(ready, line):
                break
        yield port
    finally:
        process.kill()
        process.wait()


def main():
    program, folder, image = sys.argv[1:4]
    port = free_port()
    options = ["-c", "32", "-i", str(IDLE)]
    with server([program, "-p", str(port), "-d", folder] + options, port, "serving"):
        check(port, "native")
    port = free_port()
    with server(QEMU + ["-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:80", "-device",
                        "virtio-net-device,netdev=n", "-kernel", image, "-append",
                        "ip=10.0.2.15/24,10.0.2.2 -- " + " ".join(options)], port, "serving"):
        check(port, "image")
    print(f"1..{count}")
    return failed != 0


sys.exit(main())
