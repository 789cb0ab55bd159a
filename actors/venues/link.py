"""The client's connection to a venue, the only file that awaits a WebSocket.

Owns one conversation at a time: it connects, drives the opening script, keeps both sides awake, and when anything
breaks it answers every waiting call as lost in the same instant and connects again after a back-off. It never reads
what it carries, never retries a call, and never raises into its cell, except for an opening that is refused for good.
Each connection is one nursery of reader, writer, pinger and deadline watch; everybody queues in the outbox.
Invariant: every accepted call is answered exactly once, by the venue, its deadline, or the loss of the connection.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import trio
from loguru import logger

from actors.trading.errors import ConfigError, OutcomeUnknown, StrikemakerError, VenueRefused, VenueUnreachable
from actors.venues.dialect import Call, Script
from actors.venues.link_terms import LinkCounts, LinkDied, LinkSettings, words
from actors.venues.outbox import Outbox
from actors.venues.pending import PendingCall, PendingCalls, Posted
from actors.venues.protocol import Answer, Heartbeat, JsonRpc, Notice
from actors.venues.scripts import drive
from actors.venues.websocket import WebSocket

__all__ = ["LinkCounts", "LinkSettings", "Posted", "VenueLink"]

T = TypeVar("T")

_CHUNK = 16_384
"""Bytes handled between two looks at the rest of the world: some 40 tickers, well under 2 ms of work."""
_FAREWELL_S = 1.0
"""How long the venue may take to hang up after a close; nothing waits for it but the next connection."""


class VenueLink:
    """One venue connection that heals itself; made before, and outliving, each of its connections.

    Callbacks are called from the link's own tasks and must return quickly; one that raises ends the connection, because
    what it did not digest has to be reconciled. ``on_up`` receives the opening script's result; ``on_down`` the reason,
    once per connection that was up, after every waiting call was answered as lost.
    """

    def __init__(
        self,
        name: str,
        url: str,
        connect: Callable[[], Awaitable[trio.abc.Stream]],
        *,
        opening: Callable[[], Script[Any]] | None = None,
        on_notice: Callable[[Notice], None],
        on_up: Callable[[Any], None] | None = None,
        on_down: Callable[[str], None] | None = None,
        on_heartbeat: Callable[[Heartbeat], Call | None] | None = None,
        keep_alive: Call | None = None,
        is_fatal: Callable[[int], bool] = lambda code: False,
        settings: LinkSettings,
        rng: random.Random,
    ) -> None:
        self.name = name
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self.is_up = False
        self.epoch = 0
        """Rises with each connection whose handshake succeeded."""
        self.state = "not started"
        self.facts: Any = None
        """What the last opening script returned."""
        self.last_heard = -math.inf
        """Trio's clock at the last byte from the venue."""
        self.counts = LinkCounts()
        self._url = url
        self._connect = connect
        self._opening = opening
        self._on_notice = on_notice
        self._on_up = on_up
        self._on_down = on_down
        self._on_heartbeat = on_heartbeat or self._plead
        self._keep_alive = keep_alive
        self._is_fatal = is_fatal
        self._settings = settings
        self._rng = rng
        self._now: Callable[[], float] = trio.current_time
        """The same clock with two calls less, once we run: it is read for every frame."""
        self._rpc = JsonRpc()
        self._pending = PendingCalls()
        self._wire: WebSocket | None = None
        self._outbox: Outbox | None = None
        self._stream: trio.abc.Stream | None = None
        self._opened = trio.Event()
        self._finished = trio.Event()
        self._scope = trio.CancelScope()
        """What ends the present phase: the connection's nursery, or the pause before the next."""
        self._alarm = trio.CancelScope()
        self._closing = False
        self._reason = ""
        """Why the present connection is over; empty while it is not."""
        self._told_up = False
        self._refusal: StrikemakerError | None = None
        self._up_since = math.inf
        self._log = logger.bind(link=name)

    # -- calls

    def post(self, call: Call, on_answer: Callable[[Posted], None], timeout_s: float | None = None) -> bool:
        """Queue a call without waiting, for the order path. Never raises.

        False: nothing was or will be sent, and ``on_answer`` is not called. True: ``on_answer`` is called exactly once,
        synchronously from the reader, the deadline watch or the loss of the connection, never from inside ``post``.
        """
        return self.is_up and self._enqueue(call, on_answer, timeout_s)

    def gathering(self) -> contextlib.AbstractContextManager[None]:
        """What is posted in this block leaves at its end in one write, without the writer's turn. No await inside."""
        return contextlib.nullcontext() if self._outbox is None else self._outbox

    async def call(self, call: Call, timeout_s: float | None = None) -> msgspec.Raw:
        """One question, one answer. A cancelled caller does not hear the answer, but the venue may have acted on it.

        Raises VenueUnreachable (nothing was sent), VenueRefused, OutcomeUnknown (no answer in time, or the link broke).
        """
        if not self.is_up:
            raise VenueUnreachable(f"{self.name}: {self.state}")
        return await self._ask(call, timeout_s)

    async def follow(self, script: Script[T], ask: Callable[[Call], Awaitable[msgspec.Raw]] | None = None) -> T:
        """Hold the conversation of a script: results are sent, refusals thrown into it; its return value is ours.

        `ask` in place of `call`, for whoever must wait before some of the calls.
        """
        return await drive(script, ask or self.call)

    async def _ask(self, call: Call, timeout_s: float | None = None) -> msgspec.Raw:
        answers: list[Posted] = []
        answered = trio.Event()

        def keep(posted: Posted) -> None:
            answers.append(posted)
            answered.set()

        if not self._enqueue(call, keep, timeout_s):
            raise VenueUnreachable(f"{self.name}: {self.state}")
        await answered.wait()
        (posted,) = answers
        if posted.error is not None:
            raise VenueRefused(*posted.error)
        if posted.result is None:
            raise OutcomeUnknown(f"{self.name}: no answer to {call.method} {call.instrument}".rstrip())
        return posted.result

    def _enqueue(self, call: Call, on_answer: Callable[[Posted], None], timeout_s: float | None = None) -> bool:
        wire, outbox = self._wire, self._outbox
        if wire is None or outbox is None or not wire.is_open or len(self._pending) >= self._settings.max_pending:
            return False
        try:
            number, frame = self._rpc.request(call)
            wire.send(frame)
        except Exception as error:
            self._doom(f"cannot send {call.method}: {words(error)}")
            return False
        now = self._now()
        deadline = now + (self._settings.request_timeout_s if timeout_s is None else timeout_s)
        if self._pending.add(number, PendingCall(call, on_answer, now, deadline)):
            self._alarm.deadline = deadline
        self.counts.frames_out += 1
        outbox.stir()
        return True

    # -- life

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the link alive until cancelled or closed; ``started`` when first up.

        Raises only the refusal of an opening script that retrying cannot help (VenueRefused, ConfigError). When it has
        ended, however it ended, every waiting call has been answered as lost and the stream is closed.
        """
        failures = 0
        announced = False
        self._now = trio.lowlevel.current_clock().current_time

        def announce() -> None:
            nonlocal announced
            if not announced:
                announced = True
                task_status.started()

        try:
            while not self._closing:
                await self._live(announce)
                if self._refusal is not None:
                    raise self._refusal
                if trio.current_time() - self._up_since >= self._settings.settled_s:
                    failures = 0
                await self._pause(failures)
                failures += 1
        finally:
            self.state = "closed"
            self._finished.set()

    def drop(self, reason: str = "dropped by us") -> None:
        """End this connection now, or the pause before the next; waiting calls are answered as lost in a moment."""
        self._doom(reason)

    async def aclose(self, timeout_s: float = 1.0) -> None:
        """Say goodbye and end ``run``: within ``timeout_s`` whatever the venue does, also under a cancel."""
        self._closing = True
        wire, outbox = self._wire, self._outbox
        if wire is not None and outbox is not None and wire.is_open:
            wire.close()
            outbox.stir()
            self._stop("closed by us")
            self._settle()
            with trio.move_on_after(timeout_s, shield=True):
                await self._finished.wait()
        self._scope.cancel()

    async def _pause(self, failures: int) -> None:
        """Wait before the next connection: doubling, with jitter, so that a fleet does not return in step."""
        if self._closing:
            return
        wait_s = self._settings.backoff(failures, self._rng.uniform(0.5, 1.0))
        self.state = f"{self.state}; next try in {wait_s:.1f} s"
        with trio.CancelScope() as self._scope:
            await trio.sleep(wait_s)

    async def _live(self, announce: Callable[[], None]) -> None:
        """One connection, from dialling to its end, whatever ends it."""
        self.state = f"connecting to {self.host}"
        self._reason = ""
        self._up_since = math.inf
        try:
            async with trio.open_nursery() as nursery:
                self._scope = nursery.cancel_scope
                await self._watched(self._establish, nursery, announce)
        finally:
            self._lose("cancelled")
            self._log.info("{} {} (connection {})", self.name, self.state, self.epoch)
            self._wire = self._outbox = None
            stream, self._stream = self._stream, None
            if stream is not None:
                with contextlib.suppress(Exception):
                    await trio.aclose_forcefully(stream)

    async def _establish(self, nursery: trio.Nursery, announce: Callable[[], None]) -> None:
        with trio.move_on_after(self._settings.connect_timeout_s) as patience:
            self._stream = stream = await self._connect()
            masks = random.Random(self._rng.getrandbits(64))
            wire = WebSocket(self._url, max_size=self._settings.max_size, rng=masks)
            outbox = Outbox(wire, stream, self.counts, self._settings.max_queued_bytes, self._doom)
            self._wire, self._outbox = wire, outbox
            self._opened = trio.Event()
            self.last_heard = trio.current_time()
            nursery.start_soon(self._watched, self._read, stream, wire, outbox)
            nursery.start_soon(self._watched, outbox.write)
            await self._opened.wait()
            nursery.start_soon(self._watched, self._watch_deadlines)
            await self._open()
        if patience.cancelled_caught:
            raise LinkDied(f"no connection within {self._settings.connect_timeout_s:g} s")
        if wire.is_open:
            nursery.start_soon(self._watched, self._keep_awake, wire, outbox)
            self._go_up(announce)

    async def _open(self) -> None:
        """The opening script; what it is refused for good ends the link, not only the connection."""
        self.epoch += 1
        self.counts.connections += 1
        self.state = "opening"
        if self._opening is None:
            return
        try:
            self.facts = await drive(self._opening(), self._ask)
        except StrikemakerError as error:
            if isinstance(error, ConfigError) or (isinstance(error, VenueRefused) and self._is_fatal(error.code)):
                self._refusal = error
            raise

    def _go_up(self, announce: Callable[[], None]) -> None:
        self.is_up = True
        self.state = "up"
        self._up_since = trio.current_time()
        self._log.info("{} up: {}, connection {}", self.name, self.host, self.epoch)
        self._told_up = True
        if self._on_up is not None:
            self._on_up(self.facts)
        announce()

    # -- death

    async def _watched(self, job: Callable[..., Awaitable[object]], *args: object) -> None:
        """Run a part of the connection: any error in it is the connection's end, never the cell's."""
        try:
            await job(*args)
        except* Exception as errors:
            self._lose(words(errors))

    def _stop(self, reason: str) -> None:
        """Take no more calls; the first reason is the one that is told."""
        self.is_up = False
        if self._wire is not None:
            self._wire.is_open = False
        if not self._reason:
            self._reason = reason
            self.state = f"down: {reason}"

    def _doom(self, reason: str) -> None:
        """Stop, and end the connection's tasks: for callers that must not be called back from in here."""
        self._stop(reason)
        self._scope.cancel()

    def _lose(self, reason: str) -> None:
        """The connection is over, and everybody who waits hears it now."""
        self._doom(reason)
        self._settle()

    def _settle(self) -> None:
        """Answer every waiting call as lost, then report the end of a connection that was up."""
        for pending in self._pending.take_all():
            self._tell(pending.on_answer, Posted(pending.call, lost=True))
        was_up, self._told_up = self._told_up, False
        if was_up and self._on_down is not None:
            self._tell(self._on_down, self._reason)

    def _tell(self, listener: Callable[[T], None], news: T) -> None:
        """One listener's fault must not keep the others from their answers; it ends the connection instead."""
        try:
            listener(news)
        except Exception as error:
            self._doom(f"a listener failed: {words(error)}")

    # -- the tasks of a connection, beside the outbox's writer

    async def _read(self, stream: trio.abc.Stream, wire: WebSocket, outbox: Outbox) -> None:
        is_new = True
        while not wire.end:
            chunk = await stream.receive_some(_CHUNK)
            self.last_heard = self._now()
            self.counts.bytes_in += len(chunk)
            with outbox:
                self._hear_all(wire.receive(chunk))
            if is_new and wire.is_open:
                is_new = False
                self._opened.set()
        self._stop(wire.end)
        self._settle()
        with trio.move_on_after(_FAREWELL_S):
            while chunk and await stream.receive_some(_CHUNK):
                pass
        raise LinkDied(wire.end)

    def _hear_all(self, messages: list[bytes]) -> None:
        self.counts.frames_in += len(messages)
        for message in messages:
            self._hear(message)

    def _hear(self, message: bytes) -> None:
        heard = self._rpc.receive(message)
        if type(heard) is Notice:
            self._on_notice(heard)
        elif type(heard) is Answer:
            self._hear_answer(heard)
        elif type(heard) is Heartbeat:
            reply = self._on_heartbeat(heard)
            if reply is not None:
                self._enqueue(reply, self._hear_life)

    def _hear_answer(self, answer: Answer) -> None:
        pending = self._pending.take(answer.id)
        if pending is None:
            self.counts.unmatched += 1
            is_told = self.counts.unmatched <= 10 or self.counts.unmatched % 1000 == 0
            if answer.id is None and answer.error is not None and is_told:
                self._log.warning("{}: the venue says {} {}", self.name, *answer.error[:2])
            return
        self.counts.hear_round_trip(self.last_heard - pending.sent_at)
        self._tell(pending.on_answer, Posted(pending.call, answer.result, answer.error))

    def _hear_life(self, posted: Posted) -> None:
        """A refusal is life too; no answer is not."""
        if posted.lost:
            self._doom("keep-alive unanswered")

    def _plead(self, beat: Heartbeat) -> Call | None:
        """What is answered to a heartbeat unless the owner knows better."""
        return self._keep_alive if beat.kind == "test_request" else None

    async def _keep_awake(self, wire: WebSocket, outbox: Outbox) -> None:
        """Ping on both layers, and notice silence; pongs that stay out for `idle_s` mean that we are so far behind.

        Pongs are only missed where the venue has sent one before on this connection.
        """
        ping_s, idle_s = self._settings.ping_s, self._settings.idle_s
        pongs, ponged_at = wire.pongs, math.inf
        ping_at = trio.current_time() + ping_s
        while True:
            await trio.sleep_until(min(ping_at, self.last_heard + idle_s))
            now = trio.current_time()
            if wire.pongs != pongs:
                pongs, ponged_at = wire.pongs, now
            if now >= self.last_heard + idle_s or now > ponged_at + ping_s + idle_s:
                raise LinkDied(f"no sign of life for {idle_s:g} s")
            if now >= ping_at:
                ping_at = now + ping_s
                self._ping(wire, outbox)

    def _ping(self, wire: WebSocket, outbox: Outbox) -> None:
        if wire.is_open:
            wire.ping()
            outbox.stir()
        if self._keep_alive is not None:
            self._enqueue(self._keep_alive, self._hear_life)

    async def _watch_deadlines(self) -> None:
        while True:
            with trio.CancelScope(deadline=self._pending.next_deadline()) as self._alarm:
                await trio.sleep_forever()
            for pending in self._pending.take_overdue(trio.current_time()):
                self.counts.timeouts += 1
                self._tell(pending.on_answer, Posted(pending.call, lost=True))
