"""Misbehaviour on demand: what a bad day of the venue or of the network does to frames, answers and connections.

Owns the list of armed faults and the count of those that struck. Off until armed; draws only from the random source it
was given, and only while something is armed, so that a run without faults is unchanged by this module. Never touches the
matching engine: an answer may lie about what happened, the engine never does. Invariant: every strike is counted in
`struck` and reported once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import attrs

Direction = Literal["in", "out"]
FrameKind = Literal["drop", "delay", "duplicate", "reorder", "truncate", "cut"]
S = 1_000_000_000
REORDER_SPAN_S = 0.25


@attrs.define
class FrameFault:
    """What may happen to a frame. `match` is text it must contain; `count` how often it still strikes (None: always)."""

    kind: FrameKind
    direction: Direction = "out"
    share: float = 1.0
    """Probability that a matching frame is struck."""
    count: int | None = None
    match: str = ""
    session_id: int | None = None
    delay_s: tuple[float, float] = (0.05, 0.5)


@attrs.define
class RequestFault:
    """What may happen to a request before or after the engine sees it.

    `executed`: the engine does the work although the answer says otherwise. `silent`: no answer at all. Without a `code`
    and not silent this is a plain pass.
    """

    name: str
    method: str = ""
    """Exact method, or "" for any; a trailing "*" matches a beginning."""
    count: int | None = 1
    share: float = 1.0
    code: int = 0
    message: str = ""
    detail: str | None = None
    executed: bool = False
    silent: bool = False

    def meets(self, method: str) -> bool:
        if self.method.endswith("*"):
            return method.startswith(self.method[:-1])
        return self.method in ("", method)


@attrs.define
class ChannelFault:
    """A channel that is not accepted, whoever asks: the answer leaves it out, or names an error for it alone, as the
    venue does. `match` is text its name must contain."""

    match: str
    count: int | None = None


@attrs.frozen
class Passage:
    """One copy of a frame that goes on, `delay_ns` later; `ordered` ones keep their place behind earlier frames."""

    text: str
    delay_ns: int = 0
    ordered: bool = True


class Faults:
    """The armed faults of one exchange. `on_strike` hears of each (the ledger); the levers act on the exchange at once."""

    def __init__(self, rng: random.Random) -> None:
        self.struck: Counter[str] = Counter()
        self.late_cancel_s = 0.0
        """How long cancel-on-disconnect comes late."""
        self.on_strike: Callable[[str, dict[str, Any]], None] = lambda kind, facts: None
        self.on_kill: Callable[[int | None, bool], None] = lambda session_id, abrupt: None
        self.on_restart: Callable[[float, bool], None] = lambda down_s, orders_survive: None
        self.on_maintenance: Callable[[bool], None] = lambda on: None
        self._rng = rng
        self._frames: list[FrameFault] = []
        self._requests: list[RequestFault] = []
        self._channels: list[ChannelFault] = []

    # -- arming

    def arm(self, *faults: FrameFault | RequestFault | ChannelFault) -> None:
        for fault in faults:
            if isinstance(fault, FrameFault):
                self._frames.append(fault)
            elif isinstance(fault, ChannelFault):
                self._channels.append(fault)
            else:
                self._requests.append(fault)

    def clear(self) -> None:
        """Everything armed is disarmed; frames already on their slow way still arrive."""
        self._frames.clear()
        self._requests.clear()
        self._channels.clear()
        self.late_cancel_s = 0.0

    def swallow_answer(self, method: str = "", count: int | None = 1) -> None:
        """The engine does the work, the answer never comes."""
        self.arm(RequestFault("swallow", method, count, executed=True, silent=True))

    def lose_request(self, method: str = "", count: int | None = 1) -> None:
        """Neither work nor answer."""
        self.arm(RequestFault("lose", method, count, silent=True))

    def refuse(self, method: str = "", code: int = -32603, message: str = "Internal error", count: int | None = 1) -> None:
        self.arm(RequestFault("refuse", method, count, code=code, message=message))

    def rate_limit(self, method: str = "", count: int | None = 1, retry_ms: int = 1000) -> None:
        detail = f"Retry after {retry_ms} ms"
        self.arm(RequestFault("rate_limit", method, count, code=-32000, message="Rate limit exceeded", detail=detail))

    def unknown_outcome(
        self, method: str = "", code: int = 9000, executed: bool = True, count: int | None = 1
    ) -> None:
        """The venue itself does not know: 9000 (no confirmation in time) or 9001 (engine timeout)."""
        self.arm(RequestFault("unknown", method, count, code=code, message="Order confirmation timeout", executed=executed))

    @property
    def armed(self) -> bool:
        """Whether anything could still strike."""
        everything: list[FrameFault | RequestFault | ChannelFault] = [*self._frames, *self._requests, *self._channels]
        return any(one.count != 0 for one in everything)

    # -- levers

    def kill(self, session_id: int | None = None, *, abrupt: bool = True) -> None:
        """Cut one connection, or all; abruptly (no closing handshake) unless told otherwise."""
        self.note("kill", session=session_id, abrupt=abrupt)
        self.on_kill(session_id, abrupt)

    def restart(self, down_s: float = 1.0, *, orders_survive: bool = True) -> None:
        """The venue goes away with all its connections and is back after `down_s`."""
        self.note("restart", down_s=down_s, orders_survive=orders_survive)
        self.on_restart(down_s, orders_survive)

    def maintenance(self, on: bool) -> None:
        """While on, trading and cancels are refused; resting orders stay."""
        if on:
            self.note("maintenance")
        self.on_maintenance(on)

    # -- striking

    @property
    def is_quiet(self) -> bool:
        """No frame can be struck."""
        return not self._frames

    def request(self, method: str) -> RequestFault | None:
        """The fault that strikes this request, if any; the first that matches."""
        for fault in self._requests:
            if fault.meets(method) and self._strikes(fault):
                self.note(fault.name, method=method, code=fault.code, executed=fault.executed)
                return fault
        return None

    def leaves_out(self, channel: str) -> bool:
        """Whether this channel is refused alone to who wants to join it."""
        for fault in self._channels:
            if fault.match in channel and self._strikes(fault):
                self.note("channel", channel=channel)
                return True
        return False

    def frame(self, direction: Direction, session_id: int, text: str) -> list[Passage]:
        """What becomes of a frame: no copy, one, two, or one that comes late (overtaken by later ones when reordered)."""
        if self.is_quiet:
            return [Passage(text)]
        fault = self._frame_fault(direction, session_id, text)
        return [Passage(text)] if fault is None else self._strike(fault, session_id, text)

    def _frame_fault(self, direction: Direction, session_id: int, text: str) -> FrameFault | None:
        for fault in self._frames:
            if fault.direction != direction or fault.session_id not in (None, session_id):
                continue
            if fault.match in text and self._strikes(fault):
                return fault
        return None

    def _strike(self, fault: FrameFault, session_id: int, text: str) -> list[Passage]:
        passages = self._passages(fault, text)
        self.note(
            fault.kind,
            session=session_id,
            direction=fault.direction,
            chars=len(text),
            copies=len(passages),
            delay_ns=max((passage.delay_ns for passage in passages), default=0),
        )
        if fault.kind == "cut":
            self.on_kill(session_id, True)
        return passages

    def _passages(self, fault: FrameFault, text: str) -> list[Passage]:
        if fault.kind in ("drop", "cut"):
            return []
        if fault.kind == "truncate":
            return [Passage(text[: self._rng.randrange(max(1, len(text)))])]
        if fault.kind == "reorder":
            return [Passage(text, round(self._rng.uniform(0.0, REORDER_SPAN_S) * S), ordered=False)]
        late_ns = round(self._rng.uniform(*fault.delay_s) * S)
        if fault.kind == "delay":
            return [Passage(text, late_ns)]
        return [Passage(text), Passage(text, late_ns, ordered=False)]

    def _strikes(self, fault: FrameFault | RequestFault | ChannelFault) -> bool:
        share = 1.0 if isinstance(fault, ChannelFault) else fault.share
        if fault.count == 0 or (share < 1.0 and self._rng.random() >= share):
            return False
        if fault.count is not None:
            fault.count -= 1
        return True

    def note(self, kind: str, **facts: Any) -> None:
        """Count a strike and report it; also for the faults that others carry out."""
        self.struck[kind] += 1
        self.on_strike(kind, facts)
