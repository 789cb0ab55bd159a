"""The JSON-RPC 2.0 machine both venues speak: calls to frames, frames to answers, notices and heartbeats.

Owns the ids, which never repeat within a link's life, so an answer can't be taken for that of a later connection.
Never awaits, keeps no table of pending calls (the link does), and never looks inside `result` or `data`: those stay raw
text until the venue's folder decodes them to its own types.
Invariant: one frame in is one typed message out, nothing at all, or `MalformedFrame`; unknown fields are ignored,
because venues add some every few months.
"""

from __future__ import annotations

import re

import msgspec

from actors.trading.errors import OutcomeUnknown, VenueRefused
from actors.venues.dialect import Call

_ABSENT = msgspec.Raw(b"")
_LONG_WORD = re.compile(r"[\w.+/=-]{16,}")
_DETAIL_CHARS = 500


class MalformedFrame(ValueError):
    """The venue sent something that is no JSON-RPC message; says what was wrong and how the frame began."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The answer to one call: exactly one of `result` and `error` is given."""

    id: int | str | None
    """None: the venue could not read the id of what it answers."""
    result: msgspec.Raw | None
    error: tuple[int, str, str] | None
    """Code, message, and the venue's details as text ('' when there are none)."""


class Notice(msgspec.Struct, frozen=True, gc=False):
    """A notification: `data` is the raw JSON of what the channel published."""

    method: str
    channel: str
    data: msgspec.Raw


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """A sign of life that may ask for one: `kind` is "heartbeat" or "test_request" on Deribit."""

    kind: str


class _Params(msgspec.Struct, gc=False):
    channel: str = ""
    data: msgspec.Raw = _ABSENT
    type: str = ""


class _Frame(msgspec.Struct, gc=False):
    """Every shape a frame can have, so that one pass over the text is enough."""

    id: int | str | None = None
    result: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    method: str = ""
    params: _Params | None = None


class _Fault(msgspec.Struct, gc=False):
    code: int = 0
    message: str = ""
    data: msgspec.Raw = _ABSENT


_decode_frame = msgspec.json.Decoder(_Frame).decode
_decode_fault = msgspec.json.Decoder(_Fault).decode


class JsonRpc:
    """One per link: numbers the calls, and types what comes back."""

    def __init__(self, first_id: int = 1) -> None:
        self._next_id = first_id

    def request(self, call: Call) -> tuple[int, bytes]:
        """The id given to this call, and the text of its frame."""
        number = self._next_id
        self._next_id = number + 1
        return number, b'{"jsonrpc":"2.0","id":%d,"method":"%b","params":%b}' % (
            number,
            call.method.encode(),
            call.params,
        )

    def receive(self, frame: bytes | bytearray | memoryview | str) -> Answer | Notice | Heartbeat | None:
        """One frame, typed; None for what concerns nobody. The raw parts are views into `frame`."""
        try:
            heard = _decode_frame(frame)
        except (msgspec.DecodeError, RecursionError) as error:
            if frame in (b"pong", "pong"):
                return None
            raise MalformedFrame(f"{error}: {_excerpt(frame)}") from None
        if heard.method:
            return _notification(heard.method, heard.params)
        return _answer(heard, frame)


def http_answer(
    status: int, body: bytes, rate_limited: int
) -> tuple[msgspec.Raw | None, tuple[int, str, str] | None]:
    """The answer in an HTTP response: (result, None) or (None, (code, message, data)), as `read_outcome` takes them.

    Without the venue's JSON a 4xx raises VenueRefused (a gateway turned it away; 429 as the venue's own `rate_limited`
    code), anything else OutcomeUnknown: the request may have arrived.
    """
    try:
        answer = JsonRpc().receive(body)
    except MalformedFrame:
        answer = None
    if isinstance(answer, Answer) and (answer.error is not None or status < 400):
        return answer.result, answer.error
    if status == 429:
        raise VenueRefused(rate_limited, "over the rate limit", "HTTP 429")
    if 400 <= status < 500:
        raise VenueRefused(status, "turned away before the exchange", f"HTTP {status}")
    raise OutcomeUnknown(f"HTTP {status} without an answer of the exchange")


def _notification(method: str, params: _Params | None) -> Notice | Heartbeat:
    if params is None:
        return Notice(method, "", _ABSENT)
    if method == "heartbeat":
        return Heartbeat(params.type)
    return Notice(method, params.channel, params.data)


def _answer(heard: _Frame, frame: bytes | bytearray | memoryview | str) -> Answer:
    """`"error": null` beside a result is a result."""
    if heard.error is not _ABSENT and bytes(heard.error) != b"null":
        return Answer(heard.id, None, _fault(heard.error))
    if heard.result is _ABSENT:
        raise MalformedFrame(f"neither method, result nor error: {_excerpt(frame)}")
    return Answer(heard.id, heard.result, None)


def _fault(raw: msgspec.Raw) -> tuple[int, str, str]:
    """An error of a shape nobody announced is still a refusal: code 0 and its text."""
    try:
        fault = _decode_fault(raw)
    except (msgspec.DecodeError, RecursionError):
        return 0, _text(raw), ""
    return fault.code, fault.message, _text(fault.data)


def _text(raw: msgspec.Raw) -> str:
    """A JSON string as its content, anything else as JSON text; null and nothing as ''."""
    text = bytes(raw).decode("utf-8", "replace")
    if text in ("", "null"):
        return ""
    if text.startswith('"'):
        text = msgspec.json.decode(text, type=str)
    return text[:_DETAIL_CHARS]


def _excerpt(frame: bytes | bytearray | memoryview | str) -> str:
    """The first characters, with every long word blotted out: a frame cut in the middle may begin with a token."""
    head = frame[:200] if isinstance(frame, str) else bytes(frame[:200]).decode("utf-8", "replace")
    return f"{_LONG_WORD.sub('…', head)[:60]!r} ({len(frame)} long)"
