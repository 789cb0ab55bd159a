"""WebSocket framing without I/O: bytes in, whole messages out, and an outbox of what has to leave.

Wraps the Sans-I/O client of `websockets` and takes its traps out of the link's way: messages come whole, fragments and
control frames are dealt with here, everything that must leave (pongs and close replies too) is in the outbox, and
whatever ends the conversation (a close, a protocol error, an end of file, a refused handshake) is a sentence in `end`.
The everyday frame, a whole unmasked text, is cut out and masked right here at a fifth of the library's cost; every
other byte is the library's to judge. Never raises for what the venue does, never awaits, has no random source of its
own. Invariant: once `end` is set nothing more is delivered or accepted for sending.
"""

from __future__ import annotations

import logging
import random
from importlib import metadata
from struct import Struct

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform without the compiled half of the library
    from websockets.utils import apply_mask


def _version() -> str:
    try:
        return metadata.version("strikemaker")
    except metadata.PackageNotFoundError:
        return "dev"


USER_AGENT = f"strikemaker/{_version()}"

# The library logs whole frames, tokens included, when somebody sets the root logger to DEBUG: it gets a deaf logger.
_DEAF = logging.Logger("deaf", level=logging.CRITICAL + 1)


_TEXT = 0x81
_HEAD_16, _HEAD_64 = Struct(">BBH").pack, Struct(">BBQ").pack
_ORDERLY = frozenset((0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A))
"""First bytes of a frame that break no rule by themselves: texts, binaries and their fragments, close, ping, pong."""


class WebSocket:
    """One connection's framing, from the handshake to the last byte."""

    def __init__(self, url: str, *, max_size: int, rng: random.Random) -> None:
        """`rng` masks what we send: masking protects proxies from web pages, and we are none, so any source will do."""
        self._max_size = max_size
        self._random_bits = rng.getrandbits
        self._protocol = ClientProtocol(parse_uri(url), max_size=max_size, logger=_DEAF)
        request = self._protocol.connect()
        request.headers["User-Agent"] = USER_AGENT
        self._protocol.send_request(request)
        self._unread: list[bytes] = []
        """The beginning of a frame, in the pieces that came."""
        self._unread_bytes = 0
        self._wanted = 0
        """Bytes that `_unread` must hold before another look at it is worth while."""
        self._in_handshake = True
        self._last_three = b""
        self._irregular = True
        """The library has the stream: during the handshake, and from anything unusual to the end."""
        self._fragments: list[bytes] = []
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

    def receive(self, chunk: bytes | bytearray) -> list[bytes]:
        """The whole messages completed by these bytes; an empty chunk is the end of the stream. Look at `end` after."""
        if self.end:
            return []
        if not chunk:
            self._protocol.receive_data(self._take_unread())
            self._protocol.receive_eof()
            return self._heard()
        if self._irregular:
            return self._shake_hands(chunk) if self._in_handshake else self._hand_over(chunk)
        if not self._unread:
            return self._cut(bytes(chunk))
        if self._unread_bytes + len(chunk) >= self._wanted:
            return self._cut(self._take_unread() + chunk)
        self._keep(bytes(chunk))
        return []

    def _keep(self, piece: bytes) -> None:
        self._unread.append(piece)
        self._unread_bytes += len(piece)

    def _take_unread(self) -> bytes:
        pieces, self._unread, self._unread_bytes = self._unread, [], 0
        return b"".join(pieces)

    def _shake_hands(self, chunk: bytes | bytearray) -> list[bytes]:
        """The answer's head, byte by byte if need be, is the library's; frames may follow it in the same packet."""
        before = self._last_three
        probe = before + chunk
        head_end = probe.find(b"\r\n\r\n") + 4 - len(before)
        if head_end < 4 - len(before):
            self._last_three = probe[-3:]
            return self._hand_over(chunk)
        self._in_handshake = False
        messages = self._hand_over(chunk[:head_end])
        rest = bytes(chunk[head_end:])
        self._irregular = self._protocol.state is not State.OPEN
        return messages + self.receive(rest) if rest else messages

    def _cut(self, data: bytes) -> list[bytes]:
        """Everyday frames as they are, control frames and fragments through the library, the incomplete rest kept."""
        messages: list[bytes] = []
        at, size = 0, len(data)
        self._wanted = 0
        while size - at > 1 and not self.end:
            kind, length, start = data[at], data[at + 1], at + 2
            if kind not in _ORDERLY or length > 127:  # from 128 on it is masked
                return messages + self._give_up(data[at:])
            if length > 125:
                start += 2 if length == 126 else 8
                if start > size:
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            if length > self._max_size:
                return messages + self._give_up(data[at:])
            stop = start + length
            if stop > size:
                self._wanted = stop - at
                break
            if kind == _TEXT and not self._fragments:
                messages.append(data[start:stop])
            else:
                messages += self._hand_over(data[at:stop])
            at = stop
        if at < size:
            self._keep(data[at:])
        return messages

    def _give_up(self, data: bytes) -> list[bytes]:
        """Something is irregular here: from now on all is the library's."""
        self._irregular = True
        return self._hand_over(data)

    def _hand_over(self, data: bytes | bytearray) -> list[bytes]:
        self._protocol.receive_data(data)
        return self._heard()

    def _heard(self) -> list[bytes]:
        messages = [message for event in self._protocol.events_received() if (message := self._take(event)) is not None]
        self._collect()
        if self._protocol.state is not State.OPEN:
            self._judge()
        return messages

    def _take(self, event: object) -> bytes | None:
        if isinstance(event, Frame):
            opcode = event.opcode
            if opcode is Opcode.TEXT or opcode is Opcode.BINARY or opcode is Opcode.CONT:
                return self._assemble(event)
            if opcode is Opcode.PONG:
                self.pongs += 1
        elif isinstance(event, Response):
            self.is_open = self._protocol.handshake_exc is None
        return None

    def _assemble(self, frame: Frame) -> bytes | None:
        self._fragments.append(bytes(frame.data))
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
        self._queue(0x81, text)

    def ping(self) -> None:
        self._queue(0x89, b"strike")

    def _queue(self, kind: int, text: bytes) -> None:
        size, mask = len(text), self._random_bits(32).to_bytes(4, "big")
        if size < 126:
            head = bytes((kind, 0x80 | size))
        elif size < 65_536:
            head = _HEAD_16(kind, 0xFE, size)
        else:
            head = _HEAD_64(kind, 0xFF, size)
        frame = head + mask + apply_mask(text, mask)
        self._outbox.append(frame)
        self.queued_bytes += len(frame)

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
