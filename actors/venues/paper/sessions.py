"""Who is connected and who listens to what: the venue-neutral half of every face.

Owns the outbox of each connection and the fan-out of channels. Never awaits (the server is told by a doorbell), never
reads or builds JSON. Invariant: a session that is doomed or closed receives nothing more, and frames leave in the order
of their due times, equal ones in the order they were said.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import attrs
import msgspec


class Frame(msgspec.Struct, order=True, gc=False):
    """One text frame on its way out; sorts by due time, then by the order of being said."""

    due_ns: int
    order: int
    text: str


class HttpRequest(msgspec.Struct, frozen=True):
    """One HTTP request; `path` is below the face's `rest_path`, header names are in lower case."""

    verb: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Reply(msgspec.Struct, frozen=True):
    """The answer to one HTTP request."""

    status: int
    body: bytes
    later: Callable[[], Reply] | None = None
    """Set while there is no answer yet: to be asked again after the next beat of the pump."""


def _nobody() -> None:
    """The doorbell of a session no server serves yet."""


@attrs.define(eq=False)
class Session:
    """One connection. `account` and `about` belong to the face: who logged in, and what it keeps per socket."""

    id: int
    peer: str
    opened_ns: int
    max_waiting: int = 8_000_000
    """Characters that may wait for a slow reader before it is dropped."""
    account: Any = None
    about: dict[str, Any] = attrs.field(factory=dict)
    channels: dict[str, None] = attrs.field(factory=dict)
    """What it is subscribed to, in the order of joining."""
    doomed: str = ""
    """Why the server must close it; empty while it lives."""
    is_abrupt: bool = False
    """True: cut without a closing handshake."""
    close_code: int = 1008
    """What a closing handshake says (RFC 6455; 4000 and above are the venue's own)."""
    is_closed: bool = False
    heard_until_ns: int = 0
    """When the last delayed inbound frame arrives: later ones queue behind it."""
    said_until_ns: int = 0
    ring: Callable[[], None] = _nobody
    """Called when frames wait."""
    on_doom: Callable[[], None] = _nobody
    _waiting: list[Frame] = attrs.field(factory=list)
    _waiting_chars: int = 0
    _said: int = 0

    def say(self, text: str, due_ns: int = 0) -> None:
        """Queue one frame; a reader that lets too much pile up is doomed."""
        if self.doomed or self.is_closed:
            return
        heapq.heappush(self._waiting, Frame(due_ns, self._said, text))
        self._said += 1
        self._waiting_chars += len(text)
        if self._waiting_chars > self.max_waiting:
            self.doom("slow reader")
        self.ring()

    def due(self, now_ns: int) -> list[str]:
        """Take every frame whose time has come."""
        ready = []
        while self._waiting and self._waiting[0].due_ns <= now_ns:
            frame = heapq.heappop(self._waiting)
            self._waiting_chars -= len(frame.text)
            ready.append(frame.text)
        return ready

    def next_due_ns(self) -> int | None:
        return self._waiting[0].due_ns if self._waiting else None

    def doom(self, why: str, *, abrupt: bool = False, code: int = 1008) -> None:
        """Ask the server to close this connection; the first reason stands."""
        if not self.doomed:
            self.doomed = why
            self.close_code = code
            self.is_abrupt = abrupt
            self.ring()
            self.on_doom()


class Sessions:
    """Every open connection and the channels they joined."""

    def __init__(self) -> None:
        self.open: dict[int, Session] = {}
        self._listeners: dict[str, dict[int, Session]] = {}
        self._next_id = 1

    def enter(self, peer: str, now_ns: int, max_waiting: int) -> Session:
        session = Session(self._next_id, peer, now_ns, max_waiting)
        self._next_id += 1
        self.open[session.id] = session
        return session

    def leave(self, session: Session) -> None:
        session.is_closed = True
        self.open.pop(session.id, None)
        for channel in list(session.channels):
            self.quit(session, channel)

    def count_from(self, peer: str) -> int:
        return sum(1 for session in self.open.values() if session.peer == peer)

    def join(self, session: Session, channel: str) -> None:
        session.channels[channel] = None
        self._listeners.setdefault(channel, {})[session.id] = session

    def quit(self, session: Session, channel: str) -> None:
        session.channels.pop(channel, None)
        listeners = self._listeners.get(channel)
        if listeners is not None:
            listeners.pop(session.id, None)
            if not listeners:
                del self._listeners[channel]

    def listeners(self, channel: str) -> list[Session]:
        return list(self._listeners.get(channel, {}).values())

    def heard(self, channel: str) -> bool:
        return channel in self._listeners


class Face(Protocol):
    """A venue's language on the exchange's side: text in, frames out, nothing awaited."""

    venue: str
    ws_path: str
    rest_path: str

    def refuse_connection(self, session: Session) -> None:
        """Say why there is no room (too many sockets); the server closes afterwards."""

    def hear(self, session: Session, text: str) -> None:
        """One text frame of a client."""

    def serve_http(self, peer: str, request: HttpRequest) -> Reply:
        """One HTTP request."""

    def left(self, session: Session) -> None:
        """The connection is gone, whoever ended it; called once."""

    def announce(self, events: Iterable[Any]) -> None:
        """The engine's events, in order, as notifications."""

    def publish(self, now_ns: int) -> None:
        """Market data that is due on the joined channels; called by the pump."""

    def shutting_down(self, orders_survive: bool) -> None:
        """The venue itself stops or restarts: what it does to resting orders first (all go unless they survive)."""

    def ready_facts(self) -> dict[str, Any]:
        """What a client must know to trade here: domain, test credentials, expiries."""
