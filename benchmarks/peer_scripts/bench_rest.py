"""What a client of the benchmarks' venue asks by HTTP: JSON-RPC in a POST, answered as it would be on a WebSocket.

Owns the HTTP around a text, and what only those who ask this way look at (nautilus_trader, before it trades). It knows no
methods of its own. Invariant: nobody on a WebSocket is answered otherwise because somebody posts.
"""

from __future__ import annotations

import socket
from typing import Any

from benchmarks.peer_scripts.bench_sockets import Connection


class Posts(Connection):
    """One client's connection, kept open: a text is the body of a POST, and its answer the body of the response."""

    def __init__(self, stream: socket.socket, path: str, unread: bytes) -> None:
        """`unread` begins with the head of the first POST."""
        super().__init__(stream)
        self.path = path
        self.unread = unread

    def send(self, texts: list[str]) -> None:
        for text in texts:
            body = text.encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.send_frames(head.encode() + body)

    def _cut(self) -> list[bytes]:
        texts = []
        while b"\r\n\r\n" in self.unread:
            head, _, rest = self.unread.partition(b"\r\n\r\n")
            size = _length(head)
            if len(rest) < size:
                break
            texts.append(rest[:size])
            self.unread = rest[size:]
        return texts


def _length(head: bytes) -> int:
    """Bytes of the body, as the head says; 0 where it does not."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def whole_listing(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Deribit's listing with what nobody on a WebSocket reads here, and a stricter reader misses."""
    return [row | {"instrument_id": number, "counter_currency": "USDC"} for number, row in enumerate(rows, 1)]


def account_summaries() -> dict[str, Any]:
    """A rich account in USDC."""
    money = dict.fromkeys(("equity", "balance", "available_funds", "margin_balance"), 1e6)
    return {"id": 30769, "summaries": [money | {"currency": "USDC"}]}
