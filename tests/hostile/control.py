"""The control protocol from the host's side: docs/control-protocol.md, straight over the socket that
QEMU gives for the port."""
import json
import socket
import struct
import time


class Refused(Exception):
    def __init__(self, header):
        super().__init__(f"{header.get('error')}: {header.get('reason')}")
        self.error = header.get("error")
        self.reason = header.get("reason")


class Control:
    def __init__(self, path, patience=60):
        self.path = path
        self.next_id = 0
        self.connect(patience)

    def connect(self, patience=60):
        """Connects and says hello; the machine may still be starting."""
        deadline = time.monotonic() + patience
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(self.path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.socket.settimeout(patience)

    def close(self):
        self.socket.close()

    def send(self, header, body=b""):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        self.socket.sendall(b"QNC1" + struct.pack("<II", len(text), len(body)) + text + body)

    def receive_bytes(self, count):
        parts = []
        while count:
            part = self.socket.recv(min(count, 1 << 20))
            if not part:
                raise EOFError("the machine closed the control channel")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive(self):
        magic, header, body = struct.unpack("<4sII", self.receive_bytes(12))
        assert magic == b"QNC1", magic
        return json.loads(self.receive_bytes(header)), self.receive_bytes(body)

    def request(self, op, body=b"", **members):
        """One request and all frames of its answer: the last header and the bodies together."""
        self.next_id += 1
        self.send({"id": self.next_id, "op": op, **members}, body)
        bodies = []
        while True:
            header, piece = self.receive()
            if header.get("id") != self.next_id:
                continue
            bodies.append(piece)
            if not header.get("ok"):
                raise Refused(header)
            if not header.get("more"):
                return header, b"".join(bodies)

    def extension(self, name):
        """What `list` says about NAME, the latest entry; None."""
        found = [e for e in self.request("list")[0]["extensions"] if e["name"] == name]
        return found[-1] if found else None
