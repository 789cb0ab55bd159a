"""What venues do to a link: floods, frames too long, closes, nonsense and odd cuts, and where each of them ends."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import trio
from link_kit import Desk, Venue, accept_by_hand, ask, by_hand, frame_of, login, make_link, notice
from trio.testing import lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked
from websockets.frames import Opcode


async def test_a_venue_that_does_not_read_is_left(autojump_clock, nursery) -> None:
    """The outbox is bounded: beyond it the connection ends, from outside `post`, and all that waited is unknown."""

    async def deaf(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    desk = Desk()
    link = make_link(desk, by_hand(nursery, deaf, lockstep_stream_pair), max_queued_bytes=5000, request_timeout_s=1e6)
    await nursery.start(link.run)
    posted = 0
    while link.post(ask("x" * 100), desk.on_answer):
        posted += 1
        assert desk.answers == []
        if posted % 5 == 0:
            await wait_all_tasks_blocked()
    assert 30 <= posted <= 60
    assert not link.is_up
    await desk.until(answers=posted, downs=1)
    assert desk.downs == ["the venue does not read"]
    assert len(desk.answers) == posted
    await desk.until(ups=2)


async def test_pongs_count_against_the_outbox(autojump_clock, nursery) -> None:
    """A peer that pings without reading cannot fill our memory."""

    async def flood(stream: trio.abc.Stream) -> None:
        await trio.sleep(1)
        while True:
            await stream.send_all(frame_of(Opcode.PING, b"x" * 100) * 20)

    desk = Desk()
    link = make_link(desk, by_hand(nursery, flood, lockstep_stream_pair), max_queued_bytes=10_000)
    await nursery.start(link.run)
    await desk.until(downs=1)
    assert desk.downs == ["the venue does not read"]


async def test_a_flood_of_news_is_read_in_bounded_pieces(autojump_clock, nursery) -> None:
    """However much has arrived at once, other tasks run after each small piece, and nothing is lost."""
    text = frame_of(Opcode.TEXT, notice("t", "x" * 400))

    begun = trio.Event()

    async def flood(stream: trio.abc.Stream) -> None:
        await trio.sleep(1)
        begun.set()
        await stream.send_all(text * 2000)
        await trio.sleep_forever()

    desk = Desk()
    link = make_link(desk, by_hand(nursery, flood))
    await nursery.start(link.run)
    await begun.wait()
    seen = [0]
    while seen[-1] < 2000:
        await trio.lowlevel.checkpoint()
        seen.append(len(desk.notices))
    assert max(later - earlier for earlier, later in itertools.pairwise(seen)) <= 2 * 16_384 // len(text) + 2
    assert link.counts.frames_in == 2000


async def test_a_message_beyond_the_bound_ends_the_connection(autojump_clock, nursery) -> None:
    """Too long a message is not read into memory; the venue is told 1009, and the link comes back."""
    venue, desk = Venue(nursery), Desk()
    link = make_link(desk, venue.connect, max_size=100_000)
    await nursery.start(link.run)
    await venue.sockets[0].send_message(notice("t", "x" * 90_000))
    await desk.until(notices=1)
    await venue.sockets[0].send_message(notice("t", "x" * 110_000))
    await desk.until(downs=1)
    assert "PayloadTooBig" in desk.downs[0]
    await wait_all_tasks_blocked()
    assert venue.sockets[0].closed.code == 1009
    await desk.until(ups=2)
    assert len(desk.notices) == 1


async def test_a_close_is_final_though_the_venue_does_not_hang_up(autojump_clock, nursery) -> None:
    """After a close frame nobody waits for the socket's end: all is unknown at once, and the next dial comes soon."""

    async def close_only(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(frame_of(Opcode.CLOSE, b"\x0f\xa0heartbeat close"))
        await trio.sleep_forever()

    desk = Desk()
    link = make_link(desk, by_hand(nursery, close_only))
    await nursery.start(link.run)
    begun = trio.current_time()
    assert link.post(ask(), desk.on_answer)
    await desk.until(answers=1, downs=1)
    assert trio.current_time() == begun
    assert not link.post(ask(), desk.on_answer)
    await desk.until(ups=2)
    assert trio.current_time() - begun <= 2.0


async def test_a_login_answered_with_a_close_behind_it_is_no_connection(autojump_clock, nursery) -> None:
    """An opening that ends in the same piece as the connection never counts as up."""
    dials = 0

    async def fickle(stream: trio.abc.Stream) -> None:
        nonlocal dials
        dials += 1
        for number in (2 * dials - 1, 2 * dials):
            await stream.receive_some()
            last = frame_of(Opcode.CLOSE, b"\x03\xe9") if dials == 1 and number == 2 else b""
            await stream.send_all(frame_of(Opcode.TEXT, json.dumps({"id": number, "result": 1})) + last)
        await trio.sleep_forever()

    desk = Desk()
    link = make_link(desk, by_hand(nursery, fickle), opening=login)
    await nursery.start(link.run)
    assert (desk.ups, desk.downs, dials) == (["in"], [], 2)
    assert link.is_up


@pytest.mark.parametrize("text", ["", "hello", '{"jsonrpc":"2.0","id":', "[]", '{"jsonrpc":"2.0"}'])
async def test_nonsense_ends_the_connection(autojump_clock, nursery, text) -> None:
    """A venue that speaks no JSON-RPC is not waited for: what was asked is unknown, and we connect again."""
    venue, desk = Venue(nursery), Desk()

    async def babble(socket: Any, request: dict[str, Any]) -> None:
        await socket.send_message(text)

    venue.behaviour = babble
    link = make_link(desk, venue.connect)
    await nursery.start(link.run)
    assert link.post(ask(), desk.on_answer)
    await desk.until(answers=1, downs=1)
    assert desk.answers[0].lost
    assert desk.downs[0].startswith("MalformedFrame")
    await desk.until(ups=2)


async def test_a_protocol_error_ends_the_connection_after_what_was_good(autojump_clock, nursery) -> None:
    """An answer in the same piece as the error is heard; then the rest is unknown and the reason is told."""

    async def odd(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        good = frame_of(Opcode.TEXT, '{"id":1,"result":"good"}')
        await stream.send_all(good + b"\x83\x00")
        await trio.sleep_forever()

    desk = Desk()
    link = make_link(desk, by_hand(nursery, odd))
    await nursery.start(link.run)
    assert link.post(ask(), desk.on_answer)
    assert link.post(ask(), desk.on_answer)
    await desk.until(answers=2, downs=1)
    assert [posted.lost for posted in desk.answers] == [False, True]
    assert "invalid opcode" in desk.downs[0]


async def test_the_first_frame_may_come_with_the_handshake(autojump_clock, nursery) -> None:
    """A venue that speaks in the same packet as its acceptance is heard."""
    desk = Desk()

    async def dial() -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        nursery.start_soon(accept_by_hand, theirs, frame_of(Opcode.TEXT, notice("hello", 1)))
        return ours

    link = make_link(desk, dial)
    await nursery.start(link.run)
    assert desk.notices == [("hello", "1")]


async def test_fragments_and_byte_by_byte_arrival_are_whole_messages(autojump_clock, nursery) -> None:
    """However a message is cut by the venue and by the network, it arrives once and whole."""
    text = notice("long", "y" * 50)
    pieces = [frame_of(Opcode.TEXT, text[:20], fin=False), frame_of(Opcode.PING, b""), frame_of(Opcode.CONT, text[20:])]

    async def drip(stream: trio.abc.Stream) -> None:
        for byte in b"".join(pieces) * 3:
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.001)
        await trio.sleep_forever()

    desk = Desk()
    link = make_link(desk, by_hand(nursery, drip))
    await nursery.start(link.run)
    await desk.until(notices=3)
    assert desk.notices == [("long", json.dumps("y" * 50))] * 3
    assert link.is_up


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0\r\n\r\n", b""])
async def test_a_refused_handshake_is_a_reason_to_wait(autojump_clock, nursery, answer) -> None:
    """Whatever answers instead of a WebSocket, the state says so and the link goes on trying."""
    desk = Desk()
    dials: list[float] = []

    async def serve(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        if answer:
            await stream.send_all(answer)
        await stream.aclose()

    async def dial() -> trio.abc.Stream:
        dials.append(trio.current_time())
        ours, theirs = memory_stream_pair()
        nursery.start_soon(serve, theirs)
        return ours

    link = make_link(desk, dial)
    nursery.start_soon(link.run)
    await trio.sleep(0.4)
    assert link.state.startswith("down: handshake ")
    await trio.sleep(20)
    assert len(dials) >= 3
    assert (desk.ups, desk.downs) == ([], [])
