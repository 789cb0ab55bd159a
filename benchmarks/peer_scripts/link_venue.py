"""The venue of the link benchmark: blocking sockets, frames laid by hand, so that it favours none of its clients.

First line in: {"certificate": path or ""}; out: {"plain": port, "tls": port or 0}. Each connection is a thread. A text
frame asks for something: `single` and `burst` for notices (one a write, or twenty), `echo` for an answer. The standard
library only. Runs on another core than the clients where there is one.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import ssl
import sys
import threading
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TICKER = {
    "timestamp": 1_795_338_000_123,
    "instrument_name": "ETH-20261225-2800-C",
    "instrument_ticker": {
        "t": 1_795_338_000_120,
        "A": "12.5",
        "a": "103.4",
        "B": "8.25",
        "b": "101.9",
        "M": "102.63",
        "I": "2781.4432",
        "f": None,
        "minp": "41.2",
        "maxp": "188.7",
        "option_pricing": {
            "d": "0.51873",
            "g": "0.00072",
            "v": "3.60214",
            "t": "-2.11345",
            "r": "0.95311",
            "i": "0.58214",
            "m": "102.63",
            "f": "2790.1187",
            "df": "0.99731",
            "bi": "0.5791",
            "ai": "0.5862",
        },
        "stats": {"c": "38.5", "v": "102345.22", "pr": "3401.12", "n": 41, "oi": "1203.5", "h": "121.0", "l": "95.5"},
    },
}
BURST = 20
PAUSE_S = {"single": 100e-6, "burst": 1000e-6}


def frame(text: bytes) -> bytes:
    """One unmasked text frame."""
    size = len(text)
    return (bytes([0x81, size]) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + text


def notice() -> bytes:
    params = {"channel": "ticker_slim.ETH-20261225-2800-C.1000", "data": TICKER}
    return frame(json.dumps({"method": "subscription", "params": params}).encode())


class Client:
    """One connection: its handshake, then whatever it asks for until it leaves."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.unread = b""
        self.news = notice()

    def serve(self) -> None:
        with self.stream, contextlib.suppress(OSError, EOFError):
            self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.shake_hands()
            while True:
                request = json.loads(self.read_text())
                if request["method"] == "echo":
                    self.stream.sendall(frame(b'{"jsonrpc":"2.0","id":%d,"result":"ok"}' % request["id"]))
                else:
                    self.publish(request["method"], request["params"]["count"])

    def publish(self, how: str, count: int) -> None:
        together = BURST if how == "burst" else 1
        for _ in range(count // together):
            self.stream.sendall(self.news * together)
            time.sleep(PAUSE_S[how])

    def shake_hands(self) -> None:
        while b"\r\n\r\n" not in self.unread:
            self.fill()
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        (key,) = (line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        accept = base64.b64encode(hashlib.sha1(key.strip() + GUID).digest())
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.stream.sendall(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")

    def read_text(self) -> bytes:
        """The next text; other frames are skipped, a close is the end."""
        while True:
            kind, masked = self.take(2)
            size = masked & 0x7F
            if size == 126:
                size = int.from_bytes(self.take(2), "big")
            mask, text = self.take(4), self.take(size)
            if kind & 0x0F == 8:
                raise EOFError
            if kind & 0x0F == 1:
                return unmask(text, mask)

    def take(self, size: int) -> bytes:
        while len(self.unread) < size:
            self.fill()
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def fill(self) -> None:
        chunk = self.stream.recv(65_536)
        if not chunk:
            raise EOFError
        self.unread += chunk


def unmask(text: bytes, mask: bytes) -> bytes:
    whole = (mask * (len(text) // 4 + 1))[: len(text)]
    return (int.from_bytes(text, "big") ^ int.from_bytes(whole, "big")).to_bytes(len(text), "big")


def listen(certificate: str) -> int:
    """Serve on a free port of the loopback; its number."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)

    def accept() -> None:
        while True:
            stream, _ = listener.accept()
            if context is not None:
                stream = context.wrap_socket(stream, server_side=True)
            threading.Thread(target=Client(stream).serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def main() -> None:
    """Until stdin ends."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {0})
    question = json.loads(sys.stdin.readline())
    tls = listen(question["certificate"]) if question["certificate"] else 0
    print(json.dumps({"plain": listen(""), "tls": tls}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
