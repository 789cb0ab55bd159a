"""The venue of the link benchmark: blocking sockets, frames laid by hand, so that it favours none of its clients.

First line in: {"certificate": path or ""}; out: {"plain": port, "tls": port or 0}. Each connection is a thread. A text
frame asks for something: `single` and `burst` for notices (one a write, or twenty), `echo` for an answer. The standard
library only. Runs on another core than the clients where there is one.
"""

from __future__ import annotations

import base64
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
    """One connection, after its handshake."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.unread = b""

    def take(self, size: int) -> bytes:
        while len(self.unread) < size:
            chunk = self.stream.recv(65_536)
            if not chunk:
                raise EOFError
            self.unread += chunk
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def shake_hands(self) -> None:
        while b"\r\n\r\n" not in self.unread:
            self.take(len(self.unread) + 1)[:0]
            self.unread = self.head = self.head + self.unread if hasattr(self, "head") else self.unread
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        (key,) = [line.split(b":")[1].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.stream.sendall(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")

