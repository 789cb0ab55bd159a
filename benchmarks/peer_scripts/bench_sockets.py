"""WebSocket connections of the benchmarks' venue: one thread, an epoll, frames laid by hand; plain or TLS.

Owns sockets and framing, and no meaning: whoever makes a `Hub` is given whole texts with the time they arrived, and
queues texts. Blocking writes, since every client of a benchmark reads. Only the standard library. Invariant: the texts
of a connection are handed over in order, each with the moment its last bytes were read.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1

from benchmarks.peer_scripts.link_venue import GUID, frame, unmask

CHUNK = 1 << 18


class Connection:
    """One client's socket after its handshake; `path` is what it asked for."""

    def __init__(self, stream: socket.socket) -> None:
        self.stream = stream
        self.path = ""
        self.unread = b""
        self.closed = False

    def send(self, texts: list[str]) -> None:
        """All in one write."""
        self.send_frames(b"".join([_frame(text.encode()) for text in texts]))

    def send_frames(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.stream.setblocking(True)
            self.stream.sendall(data)
        self.stream.setblocking(False)

    def read(self) -> list[bytes]:
        """Every whole text that has arrived; `closed` at the end of the stream."""
        try:
            while True:
                chunk = self.stream.recv(CHUNK)
                if not chunk:
                    self.closed = True
                    break
                self.unread += chunk
                if not isinstance(self.stream, ssl.SSLSocket) or not self.stream.pending():
                    break
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            self.closed = True
        return self._cut()

    def _cut(self) -> list[bytes]:
        texts, data, at = [], self.unread, 0
        while len(data) - at >= 6:
            size, start = data[at + 1] & 0x7F, at + 2
            if size == 126:
                size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            elif size == 127:
                size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            stop = start + 4 + size
            if stop > len(data):
                break
            kind = data[at] & 0x0F
            payload = unmask(data[start + 4 : stop], data[start : start + 4])
            if kind == 1:
                texts.append(payload)
            elif kind == 9:
                self.send_frames(b"\x8a" + bytes((len(payload),)) + payload)
            elif kind == 8:
                self.send_frames(b"\x88" + bytes((len(payload),)) + payload)
                self.closed = True
            at = stop
        self.unread = data[at:]
        return texts


def _frame(text: bytes) -> bytes:
    return frame(text) if len(text) < 65_536 else b"\x81\x7f" + len(text).to_bytes(8, "big") + text


class Hub:
    """Listens, shakes hands, and hands over what it hears: `on_texts(connection, texts, read_ns)`."""

    def __init__(self, on_texts: Callable[[Connection, list[bytes], int], None]) -> None:
        self._on_texts = on_texts
        self.posts: Callable[[socket.socket, str, bytes], Connection] | None = None
        """Makes the connection of who posts instead of shaking hands; without it they are turned away."""
        self._selector = selectors.DefaultSelector()

    def listen(self, certificate: str = "") -> int:
        """A free port of the loopback."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        context = None
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener, context))
        return int(listener.getsockname()[1])

    def watch(self, file: int, callback: Callable[[], None]) -> None:
        """Another descriptor, for questions."""
        self._selector.register(file, selectors.EVENT_READ, callback)

    def turn(self, timeout_s: float | None) -> None:
        """One round of whatever is readable."""
        for key, _ in self._selector.select(timeout_s):
            key.data()

    def _accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        stream, _ = listener.accept()
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:  # who posts may connect long before they say anything
            self._selector.register(stream, selectors.EVENT_READ, lambda: self._meet(stream))
            return
        with contextlib.suppress(OSError):
            stream = context.wrap_socket(stream, server_side=True)
            self._selector.register(stream, selectors.EVENT_READ)
            self._meet(stream)

    def _meet(self, stream: socket.socket) -> None:
        """They have begun to speak: from now on they are heard, or turned away."""
        connection = None
        with contextlib.suppress(OSError):
            connection = self._greet(stream)
        if connection is None:
            self._selector.unregister(stream)
            stream.close()
            return
        stream.setblocking(False)
        self._selector.modify(stream, selectors.EVENT_READ, lambda: self._hear(connection))
        if connection.unread:
            self._hear(connection)

    def _hear(self, connection: Connection) -> None:
        texts = connection.read()
        if texts:
            self._on_texts(connection, texts, time.perf_counter_ns())
        if connection.closed:
            self._selector.unregister(connection.stream)
            connection.stream.close()

    def _greet(self, stream: socket.socket) -> Connection | None:
        """The connection after its first words; None when they are not ours to answer."""
        unread = b""
        while b"\r\n\r\n" not in unread:
            chunk = stream.recv(CHUNK)
            if not chunk:
                return None
            unread += chunk
        head, _, rest = unread.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        path = first.split()[1]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "sec-websocket-key" not in fields:
            return self.posts(stream, path, unread) if self.posts is not None else None
        connection = Connection(stream)
        connection.path, connection.unread = path, rest
        accept = b64encode(sha1(fields["sec-websocket-key"].encode() + GUID).digest())
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        stream.sendall(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        return connection
