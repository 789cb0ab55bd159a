"""What networks do to a link: an error at every await, silence, and how it is noticed and healed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from link_kit import Desk, Venue, ask, by_hand, frame_of, login, make_link, notice, result_of
from trio.testing import wait_all_tasks_blocked
from websockets.frames import Opcode

from actors.trading.errors import OutcomeUnknown, StrikemakerError, VenueUnreachable
from actors.venues.dialect import Call
from actors.venues.link import Posted

ERRORS = [
    OSError("reset"),
    trio.BrokenResourceError("broken"),
    trio.ClosedResourceError("closed"),
    RuntimeError("defect"),
    AssertionError("defect"),
    ExceptionGroup("several", [OSError("a"), ValueError("b")]),
    StopIteration("odd"),
]


class Fragile(trio.abc.Stream):
    """A stream that fails at its n-th operation of one kind: before anything happened, or after it happened."""

    def __init__(self, inner: trio.abc.Stream, kind: str, at: int, error: Exception, *, after: bool = False) -> None:
        self.inner, self.kind, self.at, self.error, self.after = inner, kind, at, error, after
        self.seen: Counter[str] = Counter()

    async def _pass(self, kind: str, doing: Callable[[], Awaitable[Any]]) -> Any:
        self.seen[kind] += 1
        due = (kind, self.seen[kind]) == (self.kind, self.at)
        if due and not self.after:
            raise self.error
        done = await doing()
        if due:
            raise self.error
        return done

    async def send_all(self, data: Any) -> None:
        await self._pass("send", lambda: self.inner.send_all(data))

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self._pass("receive", lambda: self.inner.receive_some(max_bytes))

    async def aclose(self) -> None:
        await self.inner.aclose()
        if self.kind == "close":
            raise self.error


# -- an error at every await


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["send", "receive", "close"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_an_error_at_any_await_loses_no_answer_and_heals(autojump_clock, nursery, kind, error, after) -> None:
    """Wherever the first connection breaks, every accepted call is answered exactly once, and the link comes back."""
    for at in range(1, 11 if kind != "close" else 2):
        venue, desk = Venue(nursery), Desk()
        link = make_link(desk, venue.connect, opening=login)
        streams: list[Fragile] = []

        def wrap(stream: trio.abc.Stream, at: int = at, streams: list[Fragile] = streams) -> trio.abc.Stream:
            if streams:
                return stream
            streams.append(Fragile(stream, kind, at, error, after=after))
            return streams[0]

        venue.wrap = wrap
        accepted: Counter[int] = Counter()
        answered: Counter[int] = Counter()
        outcomes: list[str] = []

        async def caller(link: Any = link, outcomes: list[str] = outcomes) -> None:
            try:
                await link.call(ask())
                outcomes.append("answered")
            except StrikemakerError as fault:
                outcomes.append(type(fault).__name__)

        async with trio.open_nursery() as inner:
            await inner.start(link.run)
            for number in range(8):
                tell: Callable[[Posted], None] = lambda posted, n=number, seen=answered: seen.update([n])  # noqa: E731
                if link.post(ask(), tell):
                    accepted[number] += 1
                inner.start_soon(caller)
                await trio.sleep(0.01 * (number % 3))
            if kind == "close":
                link.drop()
            await trio.sleep(30)
            assert answered == accepted
            assert len(outcomes) == 8
            assert set(outcomes) <= {"answered", OutcomeUnknown.__name__, VenueUnreachable.__name__}
            assert link.is_up
            assert link.facts == "in"
            assert bytes(await link.call(ask("again"))) == b'"again"'
            assert venue.dials > 1 or streams[0].seen[kind] < at
            inner.cancel_scope.cancel()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_an_error_in_dialling_is_waited_out(autojump_clock, nursery, error) -> None:
    """A dial may fail in any way; the link tries again and never raises."""
    venue, desk = Venue(nursery), Desk()

    async def dial() -> trio.abc.Stream:
        if venue.dials < 3:
            venue.dials += 1
            raise error
        return await venue.connect()

    link = make_link(desk, dial)
    await nursery.start(link.run)
    assert link.is_up
    assert venue.dials == 4


async def test_an_error_beside_a_cancel_stays_in_the_link(autojump_clock, nursery) -> None:
    """A dial that, when cancelled, fails in one of its own tasks does not take the cell down."""
    venue, desk = Venue(nursery), Desk()

    async def clumsy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("while cleaning up")

    async def dial() -> trio.abc.Stream:
        if venue.dials == 0:
            venue.dials += 1
            async with trio.open_nursery() as inner:
                inner.start_soon(clumsy)
                await trio.sleep_forever()
        return await venue.connect()

    link = make_link(desk, dial)
    nursery.start_soon(link.run)
    await trio.sleep(1)
    link.drop()
    await desk.until(ups=1)
    assert venue.dials == 2


async def test_a_cancel_at_any_moment_answers_everybody(autojump_clock, nursery) -> None:
    """Cancelling `run` after any number of steps leaves nobody waiting and no stream open."""
    for steps in range(60):
        venue, desk = Venue(nursery), Desk()
        link = make_link(desk, venue.connect, opening=login)
        accepted = 0
        async with trio.open_nursery() as inner:
            inner.start_soon(link.run)
            for _ in range(steps):
                accepted += link.post(ask(), desk.on_answer)
                await trio.lowlevel.checkpoint()
            inner.cancel_scope.cancel()
        assert len(desk.answers) == accepted
        assert len(desk.ups) == len(desk.downs)
        assert link.state == "closed"
        await wait_all_tasks_blocked()
        assert all(socket.closed for socket in venue.sockets)


async def test_a_link_loses_nothing_in_a_long_storm(autojump_clock, nursery) -> None:
    """Ten minutes of drops, closes and silences: every accepted call is answered once, ids never repeat."""
    venue, desk = Venue(nursery), Desk()

    async def moody(socket: Any, request: dict[str, Any]) -> None:
        number = request["id"]
        await trio.sleep(number % 7 * 0.3)
        if number % 5:
            await socket.send_message(result_of(request))
        if number % 41 == 0:
            await socket.aclose(1011)
        if number % 67 == 0:
            await trio.aclose_forcefully(socket._stream)

    venue.behaviour = moody
    link = make_link(desk, venue.connect, opening=login, backoff_max_s=4, request_timeout_s=2)
    await nursery.start(link.run)
    accepted: Counter[int] = Counter()
    answered: Counter[int] = Counter()
    for number in range(1500):
        if link.post(ask(), lambda posted, n=number: answered.update([n])):
            accepted[number] += 1
        await trio.sleep(0.4)
        if number % 97 == 0:
            link.drop()
    await link.aclose()
    assert answered == accepted
    assert len(accepted) > 500
    assert link.epoch > 10
    numbers = [request["id"] for request in venue.heard]
    assert len(numbers) == len(set(numbers))


# -- silence


async def hush(stream: trio.abc.Stream) -> None:
    """A half-open socket: takes everything, says nothing."""
    while await stream.receive_some():
        pass


async def test_a_half_open_socket_is_noticed_after_idle_s(autojump_clock, nursery) -> None:
    """Silence is death after the bound, not before, and waiting calls end at the latest then."""
    desk = Desk()
    link = make_link(desk, by_hand(nursery, hush), idle_s=30, ping_s=10)
    await nursery.start(link.run)
    begun = trio.current_time()
    assert link.post(ask(), desk.on_answer, 1000.0)
    await desk.until(downs=1)
    assert trio.current_time() - begun == pytest.approx(30)
    assert desk.downs == ["no sign of life for 30 s"]
    assert desk.answers[0].lost
    await desk.until(ups=2)


async def test_any_sign_of_life_keeps_the_link(autojump_clock, nursery) -> None:
    """A venue that only answers pings is alive; nothing is dropped in an hour."""
    venue, desk = Venue(nursery), Desk()
    link = make_link(desk, venue.connect, idle_s=30, ping_s=10)
    await nursery.start(link.run)
    await trio.sleep(3600)
    assert desk.downs == []
    assert link.epoch == 1
    assert trio.current_time() - link.last_heard <= 10.01


async def test_the_venues_pings_are_answered_although_we_are_silent(autojump_clock, nursery) -> None:
    """The reader wakes the writer: a pong leaves without any call of ours."""
    venue, desk = Venue(nursery), Desk()
    link = make_link(desk, venue.connect, ping_s=1000, idle_s=5000)
    await nursery.start(link.run)
    begun = trio.current_time()
    for _ in range(3):
        with trio.fail_after(1):
            await venue.sockets[0].ping()
    assert trio.current_time() == begun
    assert link.is_up


async def test_a_venue_that_never_answered_a_ping_may_go_on_so(autojump_clock, nursery) -> None:
    """A server without pongs is not dropped while it publishes."""

    async def publish(stream: trio.abc.Stream) -> None:
        while True:
            await stream.send_all(frame_of(Opcode.TEXT, notice("t", 1)))
            await trio.sleep(5)

    desk = Desk()
    link = make_link(desk, by_hand(nursery, publish), idle_s=30, ping_s=10)
    await nursery.start(link.run)
    await trio.sleep(600)
    assert desk.downs == []


async def test_pongs_that_stop_while_news_flow_mean_that_we_are_behind(autojump_clock, nursery) -> None:
    """A pong stuck behind minutes of unread news, or lost with our requests, ends the connection."""

    async def publish(stream: trio.abc.Stream) -> None:
        await stream.send_all(frame_of(Opcode.PONG, b""))
        while True:
            await stream.send_all(frame_of(Opcode.TEXT, notice("t", 1)))
            await trio.sleep(5)

    desk = Desk()
    link = make_link(desk, by_hand(nursery, publish), idle_s=30, ping_s=10)
    await nursery.start(link.run)
    begun = trio.current_time()
    await desk.until(downs=1)
    assert 30 <= trio.current_time() - begun <= 61


# -- life at the venue's own level


async def test_a_test_request_is_answered_at_once(autojump_clock, nursery) -> None:
    """Deribit asks for life: the keep-alive call leaves in the same instant, also during the opening script."""
    venue, desk = Venue(nursery), Desk()

    async def demanding(socket: Any, request: dict[str, Any]) -> None:
        if request["method"] == "login":
            await socket.send_message('{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}')
            await trio.sleep(3)
        await socket.send_message(result_of(request))

    venue.behaviour = demanding
    begun = trio.current_time()
    link = make_link(desk, venue.connect, opening=login, keep_alive=ask("public/test"), ping_s=1000)
    nursery.start_soon(link.run)
    await wait_all_tasks_blocked()
    assert trio.current_time() == begun
    assert venue.methods == ["login", "public/test"]
    await desk.until(ups=1)
    await venue.sockets[0].send_message('{"method":"heartbeat","params":{"type":"heartbeat"}}')
    await venue.sockets[0].send_message('{"method":"heartbeat","params":{"type":"test_request"}}')
    await wait_all_tasks_blocked()
    assert venue.methods == ["login", "public/test", "account", "public/test"]
    assert link.counts.unmatched == 0


async def test_the_owner_may_answer_heartbeats_himself(autojump_clock, nursery) -> None:
    """What `on_heartbeat` returns is sent instead of the keep-alive."""
    venue, desk = Venue(nursery), Desk()
    kinds: list[str] = []

    def reply(beat: Any) -> Call | None:
        kinds.append(beat.kind)
        return ask("own") if beat.kind == "test_request" else None

    link = make_link(desk, venue.connect, on_heartbeat=reply, keep_alive=ask("public/test"), ping_s=1000)
    await nursery.start(link.run)
    for kind in ("heartbeat", "test_request"):
        await venue.sockets[0].send_message(json.dumps({"method": "heartbeat", "params": {"type": kind}}))
    await wait_all_tasks_blocked()
    assert kinds == ["heartbeat", "test_request"]
    assert venue.methods == ["own"]


async def test_the_keep_alive_call_is_made_and_must_be_answered(autojump_clock, nursery) -> None:
    """It goes out every `ping_s`; a refusal is life, silence is not, though news keep coming."""
    venue, desk = Venue(nursery), Desk()
    link = make_link(desk, venue.connect, keep_alive=ask("public/test"), ping_s=10, idle_s=100, request_timeout_s=5)
    await nursery.start(link.run)
    await trio.sleep(35)
    assert venue.methods == ["public/test"] * 3

    async def deaf(socket: Any, request: dict[str, Any]) -> None:
        await socket.send_message(notice("t", 1))

    venue.behaviour = deaf
    begun = trio.current_time()
    await desk.until(downs=1)
    assert desk.downs == ["keep-alive unanswered"]
    assert trio.current_time() - begun == pytest.approx(10)
