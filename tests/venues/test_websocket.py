"""The framing against the other side of the same library, byte by byte and frame by frame: no socket, no clock."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from actors.venues.websocket import WebSocket

URL = "ws://venue.example:8080/ws/api?x=1"


def handshake(client: WebSocket) -> tuple[ServerProtocol, bytes]:
    """A server that has accepted, and the bytes of its answer, not yet delivered."""
    server = ServerProtocol()
    server.receive_data(client.take_outbox())
    (request,) = server.events_received()
    assert isinstance(request, Request)
    assert request.path == "/ws/api?x=1"
    assert request.headers["Host"] == "venue.example:8080"
    assert request.headers["User-Agent"].startswith("strikemaker/")
    server.send_response(server.accept(request))
    return server, b"".join(server.data_to_send())


def opened(max_size: int = 1000) -> tuple[WebSocket, ServerProtocol]:
    client = WebSocket(URL, max_size=max_size, rng=random.Random(1))
    server, answer = handshake(client)
    assert client.receive(answer) == []
    assert client.is_open
    return client, server


def frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def heard_by(server: ServerProtocol, client: WebSocket) -> list[tuple[Opcode, bytes]]:
    server.receive_data(client.take_outbox())
    return [(event.opcode, bytes(event.data)) for event in server.events_received() if isinstance(event, Frame)]


def test_the_first_frame_may_arrive_with_the_answer_to_the_handshake() -> None:
    """A venue that speaks at once is heard, and the link sees an open conversation before it."""
    client = WebSocket(URL, max_size=1000, rng=random.Random(1))
    _, answer = handshake(client)
    assert client.receive(answer + frame(Opcode.TEXT, b"early")) == [b"early"]
    assert client.is_open


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.integers(1, 40))
def test_messages_survive_any_cutting_of_the_stream(messages: list[bytes], piece: int) -> None:
    """However the bytes are cut, the handshake's included, the same messages come out."""
    client = WebSocket(URL, max_size=1000, rng=random.Random(1))
    _, stream = handshake(client)
    stream += b"".join(frame(Opcode.TEXT, message) for message in messages)
    heard = [message for at in range(0, len(stream), piece) for message in client.receive(stream[at : at + piece])]
    assert heard == messages


pieces = st.one_of(
    st.builds(lambda data: frame(Opcode.TEXT, data), st.binary(max_size=300)),
    st.builds(lambda data: frame(Opcode.TEXT, data), st.binary(min_size=990, max_size=1010)),
    st.builds(lambda data: frame(Opcode.BINARY, data), st.binary(max_size=10)),
    st.builds(lambda data: frame(Opcode.TEXT, data, fin=False), st.binary(max_size=500)),
    st.builds(lambda data, fin: frame(Opcode.CONT, data, fin), st.binary(max_size=500), st.booleans()),
    st.builds(lambda data: frame(Opcode.PING, data), st.binary(max_size=125)),
    st.builds(lambda data: frame(Opcode.PONG, data), st.binary(max_size=125)),
    st.just(frame(Opcode.CLOSE, b"\x03\xe8bye")),
    st.binary(max_size=12),
)


@settings(max_examples=200)
@given(st.lists(pieces, max_size=8), st.integers(1, 700), st.integers(0, 3), st.booleans())
def test_the_short_way_hears_what_the_library_hears(stream: list[bytes], piece: int, cut: int, hang_up: bool) -> None:
    """Sense or nonsense, cut anywhere: the same messages, pongs, reason and replies as the library's own, all the way."""
    client, _ = opened()
    library = ClientProtocol(parse_uri(URL), state=State.OPEN, max_size=1000)
    data = b"".join(stream)
    data = data[: max(0, len(data) - cut)]
    heard = [message for at in range(0, len(data), piece) for message in client.receive(data[at : at + piece])]
    library.receive_data(data)
    if hang_up:
        client.receive(b"")
        library.receive_eof()
    parts: list[bytes] = []
    expected: list[bytes] = []
    for event in library.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            parts.append(bytes(event.data))
            if event.fin:
                expected.append(b"".join(parts))
                parts.clear()
    assert heard == expected
    assert bool(client.end) == (library.state is not State.OPEN)
    assert client.is_open == (library.state is State.OPEN)
    if library.parser_exc is not None and library.close_rcvd is None:
        assert client.end == f"{type(library.parser_exc).__name__}: {library.parser_exc}"
    assert len(client.take_outbox()) == sum(len(reply) for reply in library.data_to_send())


@given(st.binary(max_size=70_000), st.integers(0, 2**32 - 1))
def test_what_we_send_is_what_the_venue_reads(text: bytes, seed: int) -> None:
    """Short, long and very long messages arrive whole, masked with a mask of their own."""
    client = WebSocket(URL, max_size=1000, rng=random.Random(seed))
    server, answer = handshake(client)
    client.receive(answer)
    client.send(text)
    client.ping()
    assert heard_by(server, client) == [(Opcode.TEXT, text), (Opcode.PING, b"strike")]


def test_fragments_are_one_message_and_control_frames_may_come_between() -> None:
    """A fragmented message is delivered once, whole, though a ping interrupted it."""
    client, server = opened()
    pieces = [frame(Opcode.TEXT, b"one ", fin=False), frame(Opcode.PING, b"?"), frame(Opcode.CONT, b"two ", fin=False)]
    assert client.receive(b"".join(pieces)) == []
    assert client.receive(frame(Opcode.CONT, b"three")) == [b"one two three"]
    assert client.receive(frame(Opcode.TEXT, b"next")) == [b"next"]
    assert heard_by(server, client) == [(Opcode.PONG, b"?")]


def test_an_empty_first_fragment_does_not_split_the_message() -> None:
    """A fragment of no bytes is a fragment."""
    client, _ = opened()
    assert client.receive(frame(Opcode.TEXT, b"", fin=False)) == []
    assert client.receive(frame(Opcode.CONT, b"whole")) == [b"whole"]


def test_a_ping_leaves_a_pong_in_the_outbox() -> None:
    """Nothing but the outbox has to be flushed for the venue to see us alive."""
    client, server = opened()
    assert client.receive(frame(Opcode.PING, b"42")) == []
    assert client.queued_bytes > 0
    assert heard_by(server, client) == [(Opcode.PONG, b"42")]
    assert client.queued_bytes == 0


def test_pongs_are_counted() -> None:
    """The link tells a venue that answers pings from one that does not."""
    client, server = opened()
    client.ping()
    server.receive_data(client.take_outbox())
    client.receive(b"".join(server.data_to_send()))
    assert client.pongs == 1


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going away"), (1012, ""), (4000, "heartbeat close")])
def test_a_close_is_answered_and_told_with_its_code(code: int, reason: str) -> None:
    """What arrived before the close is delivered, the reply waits in the outbox, and `end` names code and reason."""
    client, server = opened()
    server.send_text(b"last words")
    server.send_close(code, reason)
    assert client.receive(b"".join(server.data_to_send())) == [b"last words"]
    assert str(code) in client.end
    assert reason in client.end
    assert not client.is_open
    assert heard_by(server, client)[0][0] is Opcode.CLOSE


def test_an_end_of_stream_is_an_end() -> None:
    """End of file without a close is told, also in the middle of a frame."""
    for before in (b"", frame(Opcode.TEXT, b"cut in the middle")[:9]):
        client, _ = opened()
        if before:
            assert client.receive(before) == []
        assert client.receive(b"") == []
        assert "EOFError" in client.end
        assert not client.is_open


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Frame(Opcode.TEXT, b"masked").serialize(mask=True), "masking"),
        (b"\x83\x00", "opcode"),
        (b"\xc1\x00", "reserved"),
        (frame(Opcode.CONT, b"x"), "continuation"),
        (frame(Opcode.TEXT, b"x", fin=False) + frame(Opcode.TEXT, b"y"), "continuation"),
        (frame(Opcode.TEXT, b"x" * 1001), "PayloadTooBig"),
        (frame(Opcode.TEXT, b"x" * 600, fin=False) + frame(Opcode.CONT, b"x" * 600), "PayloadTooBig"),
        (frame(Opcode.CLOSE, b"\x03"), "close"),
    ],
)
def test_a_protocol_error_ends_the_conversation_and_says_why(wrong: bytes, told: str) -> None:
    """The library does not raise; the message before is kept, the reason is told, the venue gets a close frame."""
    client, server = opened()
    assert client.receive(frame(Opcode.TEXT, b"good") + wrong) == [b"good"]
    assert told in client.end
    assert not client.is_open
    assert (Opcode.CLOSE) in [opcode for opcode, _ in heard_by(server, client)]
    assert client.receive(b"more") == []


def test_a_refused_handshake_is_told_with_its_status() -> None:
    """A wall in front of the venue answers HTTP, not WebSocket."""
    client = WebSocket(URL, max_size=1000, rng=random.Random(1))
    client.receive(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!")
    assert client.end == "handshake refused: HTTP 403"
    assert not client.is_open


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"])
def test_a_handshake_that_is_none_is_told(answer: bytes) -> None:
    """Neither another protocol nor an incomplete upgrade opens the conversation."""
    client = WebSocket(URL, max_size=1000, rng=random.Random(1))
    client.receive(answer)
    assert client.end.startswith("handshake failed")
    assert not client.is_open


def test_an_end_of_stream_within_the_handshake_is_told() -> None:
    """Hanging up instead of answering is an end too."""
    client = WebSocket(URL, max_size=1000, rng=random.Random(1))
    client.receive(b"HTTP/1.1 101 Sw")
    client.receive(b"")
    assert client.end.startswith("handshake failed")


def test_everything_queued_is_one_write_in_order() -> None:
    """The outbox is one string of frames, then it is empty."""
    client, server = opened()
    for text in (b"a", b"b", b"c"):
        client.send(text)
    assert [data for _, data in heard_by(server, client)] == [b"a", b"b", b"c"]
    assert client.take_outbox() == b""


def test_goodbye_is_said_once_and_the_answer_ends_it() -> None:
    """After our close the conversation is not open, but what the venue still says is heard until it hangs up."""
    client, server = opened()
    client.close()
    client.close()
    assert not client.is_open
    assert client.end == ""
    assert client.receive(frame(Opcode.TEXT, b"still")) == [b"still"]
    server.receive_data(client.take_outbox())
    client.receive(b"".join(server.data_to_send()))
    assert "1000" in client.end
