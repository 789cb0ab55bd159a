"""WebSocket framing without I/O: bytes in, whole messages out, and an outbox of what has to leave.

Wraps the Sans-I/O client of `websockets` and takes its traps out of the link's way: messages come whole, fragments and
control frames are dealt with here, everything that must leave (pongs and close replies too) is in the outbox, and
whatever ends the conversation (a close, a protocol error, an end of file, a refused handshake) is a sentence in `end`.
Never raises for what the venue does, never awaits. Invariant: once `end` is set nothing more is accepted for sending.
"""

from __future__ import annotations

import logging
from importlib import metadata

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri


def _version() -> str:
    try:
        return metadata.version("strikemaker")
    except metadata.PackageNotFoundError:
        return "dev"


USER_AGENT = f"strikemaker/{_version()}"

# The library logs whole frames, tokens included, when somebody sets the root logger to DEBUG: it gets a deaf logger.
_DEAF = logging.Logger("deaf", level=logging.CRITICAL + 1)


class WebSocket:
    """One connection's framing, from the handshake to the last byte."""

    def __init__(self, url: str, *, max_size: int) -> None:
        self._protocol = ClientProtocol(parse_uri(url), max_size=max_size, logger=_DEAF)
        request = self._protocol.connect()
        request.headers["User-Agent"] = USER_AGENT
        self._protocol.send_request(request)
        self._fragments: list[bytes | bytearray] = []
        self._outbox: list[bytes] = []
        self.queued_bytes = 0
        """Waiting in the outbox."""
        self.end = ""
        """Why nothing more will come; empty while the connection lives."""
        self.is_open = False
        """The handshake is done and nobody has begun to close."""
        self.pongs = 0
        self._collect()

    # -- what arrives

    def receive(self, chunk: bytes | bytearray) -> list[bytes | bytearray]:
        """The whole messages completed by these bytes; an empty chunk is the end of the stream. Look at `end` after."""
        if self.end:
            return []
        if chunk:
            self._protocol.receive_data(chunk)
        else:
            self._protocol.receive_eof()
        messages = [message for event in self._protocol.events_received() if (message := self._take(event)) is not None]
        self._collect()
        if self._protocol.state is not State.OPEN:
            self._judge()
        return messages

    def _take(self, event: object) -> bytes | bytearray | None:
        if isinstance(event, Frame):
            opcode = event.opcode
            if opcode is Opcode.TEXT or opcode is Opcode.BINARY or opcode is Opcode.CONT:
                return self._assemble(event)
            if opcode is Opcode.PONG:
                self.pongs += 1
        elif isinstance(event, Response):
            self.is_open = self._protocol.handshake_exc is None
        return None

    def _assemble(self, frame: Frame) -> bytes | bytearray | None:
        data: bytes | bytearray = frame.data  # type: ignore[assignment]
        if frame.fin and not self._fragments:
            return data
        self._fragments.append(data)
        if not frame.fin:
            return None
        whole = b"".join(self._fragments)
        self._fragments.clear()
        return whole

    def _judge(self) -> None:
        """Errors don't raise in the library: they show in its state and in what it remembers."""
        protocol = self._protocol
        if protocol.handshake_exc is not None:
            self._finish(_handshake_failure(protocol.handshake_exc))
        elif protocol.close_rcvd is not None:
            self._finish(f"closed by the venue: {protocol.close_rcvd}")
        elif protocol.parser_exc is not None:
            self._finish(f"{type(protocol.parser_exc).__name__}: {protocol.parser_exc}")
        elif protocol.state is State.CLOSED:
            self._finish("end of stream")

    def _finish(self, why: str) -> None:
        self.is_open = False
        self.end = why

    # -- what leaves

    def send(self, text: bytes) -> None:
        """Queue one message; the caller has looked at `is_open`."""
        self._protocol.send_text(text)
        self._collect()

    def ping(self) -> None:
        self._protocol.send_ping(b"strike")
        self._collect()

    def close(self) -> None:
        """Say goodbye: nothing is sent after it, and the venue is expected to answer and to hang up."""
        if self.is_open:
            self._protocol.send_close(1000)
            self.is_open = False
            self._collect()

    def take_outbox(self) -> bytes:
        """Everything queued, as one write."""
        data = self._outbox[0] if len(self._outbox) == 1 else b"".join(self._outbox)
        self._outbox.clear()
        self.queued_bytes = 0
        return data

    def _collect(self) -> None:
        """The library's end-of-file mark is an empty string, which adds nothing: hanging up is the link's business."""
        for data in self._protocol.data_to_send():
            self._outbox.append(data)
            self.queued_bytes += len(data)


def _handshake_failure(error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        return f"handshake refused: HTTP {error.response.status_code}"
    return f"handshake failed: {error}"
