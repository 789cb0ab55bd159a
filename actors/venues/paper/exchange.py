"""The paper exchange as one object: engine, world, face, ledger, faults and connections, wired and clocked.

Owns the order of things: a frame is heard, the face acts on the engine, the ledger records, notices fan out; and the
timers (late frames, late cancels). Venue-neutral and without an await: the server calls `hear`, `serve_http`, `enter`,
`leave` and `pump`, and nothing else moves it. Invariant: every request, answer, order change, fill and notice has its
ledger row before its frame can leave.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import attrs
import msgspec
from loguru import logger

from actors.trading.svi import SviSlice
from actors.venues.paper.engine import Engine
from actors.venues.paper.faults import Faults, Passage, S
from actors.venues.paper.ledger import Ledger
from actors.venues.paper.ledger_rows import record_events
from actors.venues.paper.levers import LEVERS_PATH, pull
from actors.venues.paper.sessions import Face, HttpRequest, Reply, Session, Sessions

FLUSH_NS = 100_000_000
"""The ledger's rows are in the file after this at the latest (plus one beat of the pump)."""


class World(Protocol):
    """What moves the market: called by the pump, it lists, feeds references and trades through the engine."""

    def step(self) -> None: ...

    def svi(self, underlying: str, expiry_s: int) -> SviSlice | None:
        """The smile it believes in, where that is one; for the faces that publish it."""


@attrs.define
class ExchangeSettings:
    """How the front desk behaves; what the references leave open is a field here."""

    seed: int = 1
    max_connections_per_ip: int | None = None
    """None: no limit."""
    max_waiting: int = 8_000_000
    """Characters that may wait for a slow reader before it is dropped."""
    notices: str = "mixed"
    """Whether notices of a request come "before" its answer, "after" it, or "mixed" (drawn from the seed)."""
    fail_on_defect: bool = False
    """True: an exception of our own while serving a request is raised (tests); False: the request is answered with an
    internal error and the exchange lives on."""
    has_levers: bool = False
    """True: faults can be pulled over HTTP (`levers.py`)."""
    record_market: bool = True
    """False: the ledger leaves out market data (public channels), for very long runs."""


@attrs.define(order=True)
class Timer:
    due_ns: int
    order: int
    act: Callable[[], None] = attrs.field(order=False)


class Exchange:
    """One venue, whole. `face_of` builds the face on this object; everything else is handed in."""

    def __init__(
        self,
        engine: Engine,
        face_of: Callable[[Exchange], Face],
        *,
        clock_ns: Callable[[], int],
        ledger: Ledger,
        world: World | None = None,
        settings: ExchangeSettings | None = None,
    ) -> None:
        self.engine = engine
        self.world = world
        self.clock_ns = clock_ns
        self.ledger = ledger
        self.settings = settings or ExchangeSettings()
        self.rng = random.Random(f"front desk {self.settings.seed}")
        self.faults = Faults(random.Random(f"faults {self.settings.seed}"))
        self.sessions = Sessions()
        self.posts = 0
        """HTTP requests so far: a client without a socket is a client too."""
        self.is_down = False
        """True while the venue is away: connections are turned off at the door."""
        self.is_stopped = False
        self.defects = 0
        """Requests that ended in an exception of our own."""
        self._flushed_ns = 0
        self._timers: list[Timer] = []
        self._timer_count = 0
        self._encode = msgspec.json.Encoder().encode
        self.face = face_of(self)
        self.faults.on_strike = lambda kind, facts: self.ledger.write("fault", fault=kind, **facts)
        self.faults.on_kill = self.kill
        self.faults.on_restart = self.restart
        self.faults.on_maintenance = self.engine.set_maintenance
        self.ledger.open(self.face.venue, self.settings.seed)

    # -- the door

    def enter(self, peer: str) -> Session:
        """A socket's handshake is done."""
        session = self.sessions.enter(peer, self.clock_ns(), self.settings.max_waiting)
        self.ledger.write("open", session=session.id, peer=peer)
        most = self.settings.max_connections_per_ip
        if most is not None and self.sessions.count_from(peer) > most:
            self.face.refuse_connection(session)
            session.doom("too many connections")
        return session

    def leave(self, session: Session) -> None:
        """A socket is gone; the face may cancel for it."""
        if session.is_closed:
            return
        self.sessions.leave(session)
        self.ledger.write("close", session=session.id, why=session.doomed or "client")
        self.face.left(session)
        self.tell()

    def hear(self, session: Session, text: str) -> None:
        """One text frame, through whatever the faults make of it."""
        for passage in self.faults.frame("in", session.id, text):
            due_ns = self._due(passage, session.heard_until_ns)
            if passage.ordered:
                session.heard_until_ns = due_ns
            if due_ns:
                self.at(due_ns, partial(self._hear, session, passage.text))
            else:
                self._hear(session, passage.text)

    def serve_http(self, peer: str, verb: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """One HTTP request; what is not below the face's path is not found."""
        address, _, query = target.partition("?")
        if self.settings.has_levers and address.startswith(LEVERS_PATH):
            reply = pull(self.faults, address.removeprefix(LEVERS_PATH), body)
            self.tell()
            return reply
        self.posts += 1
        root = self.face.rest_path
        if address != root and not address.startswith(root + "/"):
            return Reply(404, b'{"message":"not found"}')
        path = address[len(root) + 1 :]
        reply = self.face.serve_http(peer, HttpRequest(verb, path, query, headers, body))
        self.tell()
        return reply

    # -- what the face says

    def answer(self, session: Session | None, body: dict[str, Any], *, record: Any = None, **facts: Any) -> str:
        """Record an answer and, on a socket, send it; `facts` name the request in the ledger. Returns its text.

        `record` goes into the ledger in place of a body that holds a secret.
        """
        text = self._encode(body).decode()
        self.ledger.write("answer", session=session.id if session else 0, **facts, body=record or body)
        if session is not None:
            self.deliver(session, text)
        return text

    def notify(self, channel: str, body: dict[str, Any], *, market: bool) -> None:
        """One notification to everybody who joined the channel; recorded once with the list of its listeners."""
        listeners = self.sessions.listeners(channel)
        if not listeners:
            return
        if self.settings.record_market or not market:
            self.ledger.write("notice", channel=channel, sessions=[session.id for session in listeners], body=body)
        text = self._encode(body).decode()
        for session in listeners:
            self.deliver(session, text)

    def whisper(self, session: Session, channel: str, body: dict[str, Any]) -> None:
        """A notification to one connection alone: a snapshot for a newcomer, a heartbeat."""
        self.ledger.write("notice", channel=channel, sessions=[session.id], body=body)
        self.deliver(session, self._encode(body).decode())

    def deliver(self, session: Session, text: str) -> None:
        """A frame on its way out, through whatever the faults make of it."""
        if self.faults.is_quiet and not session.said_until_ns:
            session.say(text)
            return
        for passage in self.faults.frame("out", session.id, text):
            due_ns = self._due(passage, session.said_until_ns)
            if passage.ordered:
                session.said_until_ns = due_ns
            session.say(passage.text, due_ns)

    def _due(self, passage: Passage, earliest_ns: int) -> int:
        """When a passage arrives: 0 is at once; an ordered one never overtakes the one before it."""
        now = self.clock_ns()
        due = now + passage.delay_ns
        if passage.ordered:
            due = max(due, earliest_ns)
        return due if due > now else 0

    def _hear(self, session: Session, text: str) -> None:
        if not (session.is_closed or session.doomed or self.is_stopped):
            self.face.hear(session, text)
            self.tell()

    def tell(self) -> None:
        """Everything the engine did since the last time: into the ledger, then out on the channels."""
        events = self.engine.drain()
        if events:
            record_events(self.ledger, self.engine, events)
            self.face.announce(events)

    def note_defect(self, defect: Exception, method: str) -> None:
        """A request broke something of ours: recorded and logged; raised again where tests ask for it."""
        if self.settings.fail_on_defect:
            raise defect
        self.defects += 1
        self.ledger.write("defect", method=method, error=repr(defect))
        logger.opt(exception=defect).error("paper exchange: {} failed", method)

    def notices_first(self) -> bool:
        """Whether this request's notices overtake its answer."""
        if self.settings.notices == "mixed":
            return self.rng.random() < 0.5
        return self.settings.notices == "before"

    # -- time

    def at(self, due_ns: int, act: Callable[[], None]) -> None:
        """Do something at a venue time, to the pump's precision."""
        heapq.heappush(self._timers, Timer(due_ns, self._timer_count, act))
        self._timer_count += 1

    def pump(self) -> None:
        """Let the world and the clock do their work, then publish what is due."""
        now = self.clock_ns()
        while self._timers and self._timers[0].due_ns <= now:
            heapq.heappop(self._timers).act()
        if self.world is not None:
            self.world.step()
        self.engine.advance()
        self.tell()
        self.face.publish(now)
        if now - self._flushed_ns >= FLUSH_NS:
            self._flushed_ns = now
            self.ledger.flush()

    # -- levers

    def kill(self, session_id: int | None, abrupt: bool) -> None:
        """Close one connection, or all of them."""
        for session in list(self.sessions.open.values()):
            if session_id in (None, session.id):
                session.doom("killed", abrupt=abrupt)

    def restart(self, down_s: float, orders_survive: bool) -> None:
        """Away with every connection, and back after `down_s`; orders survive or all go, as told."""
        self.is_down = True
        self.ledger.write("down", seconds=down_s)
        self.face.shutting_down(orders_survive)
        self.kill(None, True)
        self.tell()

        def back() -> None:
            self.is_down = False
            self.ledger.write("up")

        self.at(self.clock_ns() + round(down_s * S), back)

    def stop(self) -> None:
        """The end: what the venue does when it shuts down, every connection closed, then the ledger."""
        if self.is_stopped:
            return
        self.face.shutting_down(True)
        self.tell()
        self.is_stopped = True
        for session in list(self.sessions.open.values()):
            session.doom("shutdown")
            self.leave(session)
        self.ledger.write("stop")
        self.ledger.close()
