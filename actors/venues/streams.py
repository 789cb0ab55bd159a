"""Streams for sockets that must be quick: no wasted system call, and a way to write without waiting.

Owns what was accepted but not yet taken by the kernel, and TLS where there is any. trio's own streams try to read before
they wait and give up their turn after each write, which is fair and costs a third of a round trip; these wait first,
and leave fairness to the link, which reads in small pieces. Never opens a socket, never retries.
Invariant: bytes leave in the order they were accepted, whichever of `send_now` and `send_all` accepted them.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Protocol, runtime_checkable

import trio

_RECEIVE_BYTES = 16_384


@runtime_checkable
class PromptStream(Protocol):
    """A stream that can write without waiting; any other stream works too, one scheduling pass later."""

    def send_now(self, data: bytes) -> bool:
        """Accept all of it; False when some is left that only `send_all` (of nothing, or of more) will push out."""


class TcpStream(trio.abc.Stream):
    """A connected, non-blocking socket."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self._unsent = b""
        self._more_to_read = False

    def send_now(self, data: bytes) -> bool:
        self._unsent = data = self._unsent + data if self._unsent else data
        try:
            while data:
                data = data[self.socket.send(data) :]
                self._unsent = data
        except BlockingIOError:
            return False
        return True

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        while not self.send_now(bytes(data)):
            data = b""
            await trio.lowlevel.wait_writable(self.socket)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.wait_writable(self.socket)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Waits before it reads, except where the last read left something; the turn is given up either way."""
        limit = max_bytes or _RECEIVE_BYTES
        while True:
            if self._more_to_read:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(self.socket)
            try:
                data = self.socket.recv(limit)
            except BlockingIOError:
                self._more_to_read = False
                continue
            self._more_to_read = len(data) == limit
            return data

    async def aclose(self) -> None:
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
        await trio.lowlevel.checkpoint()


class TlsStream(trio.abc.Stream):
    """TLS over a `TcpStream`. It ends with the socket: WebSocket closes and whole JSON texts show a truncation."""

    def __init__(self, tcp: TcpStream, context: ssl.SSLContext, host: str) -> None:
        self._tcp = tcp
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._drained = True
        """Nothing to decrypt until more has come."""
        self._ended = False

    async def do_handshake(self) -> None:
        """Raises ssl.SSLError when the other side is not who it should be, EOFError when it hangs up."""
        while not self._shaken():
            await self._tcp.send_all(self._outgoing.read())
            if not await self._refill():
                raise EOFError("hung up during the TLS handshake")
        await self._tcp.send_all(self._outgoing.read())

    def _shaken(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def send_now(self, data: bytes) -> bool:
        return self._tcp.send_now(self._encrypt(data))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._tcp.send_all(self._encrypt(data))

    async def wait_send_all_might_not_block(self) -> None:
        await self._tcp.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As many records as have arrived, at most `max_bytes` of them; b'' is the end."""
        limit = max_bytes or _RECEIVE_BYTES
        if not self._drained:
            await trio.lowlevel.checkpoint()
        while True:
            data = b"" if self._drained else self._decrypt(limit)
            if data or self._ended:
                return data
            if not await self._refill():
                return b""

    async def aclose(self) -> None:
        """A farewell as far as it goes without waiting, then the socket."""
        with contextlib.suppress(ssl.SSLError, OSError):
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._tcp.send_now(self._outgoing.read())
        await self._tcp.aclose()

    async def _refill(self) -> bool:
        """More ciphertext; False at the end of the socket's stream."""
        piece = await self._tcp.receive_some(_RECEIVE_BYTES)
        self._incoming.write(piece)
        self._drained = False
        return bool(piece)

    def _encrypt(self, data: bytes | bytearray | memoryview) -> bytes:
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        return self._outgoing.read()

    def _decrypt(self, limit: int) -> bytes:
        """What is there, at most `limit`; and TLS may have something to say itself (a change of keys)."""
        records: list[bytes] = []
        try:
            while limit > 0 and not self._drained:
                record = self._tls.read(limit)
                records.append(record)
                limit -= len(record)
                self._ended = not record
                self._drained = self._ended or not (self._incoming.pending or self._tls.pending())
        except ssl.SSLWantReadError:
            self._drained = True
        if self._outgoing.pending:
            self._tcp.send_now(self._outgoing.read())
        return b"".join(records)
