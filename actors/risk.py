"""The risk actor, one per cell: the gate that every quote passes, and everything that can stop quoting.

Owns positions, worst-case exposure and the list of halts. `review` is a plain call, not a message: check and reservation
happen without an await between them. Never sends anything to the venue: it refuses, rings doorbells, and the desk pulls.
Invariant: with no halt in force and every order request preceded by `review`, worst-case position and exposure stay
within the limits; a side that only brings a position towards zero is never refused for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import trio
from loguru import logger

from actors.trading.exposure import Exposure
from actors.trading.greek_limits import GreekBook
from actors.trading.instruments import ASK, BID, Instrument, Side
from actors.trading.quotes import NO_ROOM, Quote, QuotePair, RiskApproved, RiskRefused, Room

MARGIN_BACKOFF_S = 5.0
"""First pause of a side that the venue refused for want of margin; doubles with each refusal in a row."""
MARGIN_BACKOFF_MAX_S = 300.0
UNLIMITED = float(1 << 62)


def steps_of(room: float, step: float) -> int:
    """Contracts as whole steps, down; no limit is more than anybody could send."""
    return math.floor(max(-UNLIMITED, min(UNLIMITED, room / step)) + 1e-9)


class Risk:
    """The gate. `on_change` is rung with a reason whenever quoters should decide again."""

    def __init__(
        self, exposure: Exposure, instruments: dict[str, Instrument], on_change: Callable[[str], None]
    ) -> None:
        self.exposure = exposure
        self.greeks: GreekBook | None = None
        """Asked before a quote is sent when a Greek or scenario limit is set."""
        self.halts: dict[str, str] = {}
        self.refusals = 0
        self._instruments = instruments
        self._on_change = on_change
        self._no_margin: dict[tuple[str, Side], tuple[float, float]] = {}

    # -- the gate

    def review(self, pair: QuotePair) -> RiskApproved | RiskRefused:
        """Checks and reserves in one call. A pair with both sides away asks for nothing and is always approved."""
        if pair.bid is None and pair.ask is None:
            self.exposure.release(pair.instrument)
            return RiskApproved(pair)
        if self.halts:
            self.exposure.release(pair.instrument)
            return RiskRefused(pair.instrument, "halted: " + "; ".join(self.halts.values()))
        bids, asks = pair.bid.amount if pair.bid else 0, pair.ask.amount if pair.ask else 0
        room = self._room(pair.instrument, bids if bids > asks else asks)
        bid = self._fit(pair, BID, room.bid)
        ask = self._fit(pair, ASK, room.ask)
        if bid is None and ask is None:
            self.refusals += 1
            self.exposure.release(pair.instrument)
            return RiskRefused(pair.instrument, f"no room within {room.bound}", self._numbers(pair.instrument, room))
        if bid is pair.bid and ask is pair.ask:
            self.exposure.reserve(pair)
            return RiskApproved(pair, room=room)
        cut = self._say_cut(pair, bid, ask, room)
        fitting = msgspec.structs.replace(pair, bid=bid, ask=ask, reason="; ".join(x for x in (pair.reason, cut) if x))
        self.exposure.reserve(fitting)
        return RiskApproved(fitting, cut, room)

    def room_now(self, instrument: str) -> Room:
        """The desk's recheck at the moment of sending: fills may have come since the review."""
        return NO_ROOM if self.halts else self._room(instrument)

    def _room(self, name: str, wanted: int = 0) -> Room:
        """What position, exposure and Greek limits leave for each side, in steps; the bound named is the one that stands
        in the way of `wanted` steps."""
        room = self.exposure.room(name)
        if self.greeks is None or not self.greeks.is_limited:
            return room
        step, (bids_apart, asks_apart) = self._instruments[name].step_float, self.exposure.apart(name)
        bid, low = self.greeks.room(name, 1)
        ask, high = self.greeks.room(name, -1)
        tight = low if bid < ask else high
        bids, asks = steps_of(bid, step) - bids_apart, steps_of(ask, step) - asks_apart
        bound = room.bound if min(bids, asks) >= wanted else f"{tight.name} {tight.limit:g} (worst case {tight.at:g})"
        return Room(min(room.bid, bids), min(room.ask, asks), bound)

    def _fit(self, pair: QuotePair, side: Side, room: int) -> Quote | None:
        """The side cut to the room left; dropped below the venue's minimum, or while margin is short for it."""
        quote = pair.side(side)
        if quote is None or (self._no_margin and self._margin_pause(pair.instrument, side)):
            return None
        if quote.amount <= room:
            return quote
        if room < self._instruments[pair.instrument].min_amount:
            return None
        return Quote(quote.price, room)

    def _say_cut(self, pair: QuotePair, bid: Quote | None, ask: Quote | None, room: Room) -> str:
        parts = []
        for name, wanted, got in (("bid", pair.bid, bid), ("ask", pair.ask, ask)):
            if wanted is not None and got is not wanted:
                parts.append(f"{name} dropped" if got is None else f"{name} cut to {got.amount} steps")
        numbers = ", ".join(f"{name} {value:g}" for name, value in self._numbers(pair.instrument, room))
        return f"{', '.join(parts)} by {room.bound} ({numbers})"

    def _numbers(self, name: str, room: Room) -> tuple[tuple[str, float], ...]:
        instrument = self._instruments[name]
        contracts = instrument.amount_float
        return (
            ("position", contracts(self.exposure.position(name))),
            ("room to buy", contracts(room.bid)),
            ("room to sell", contracts(room.ask)),
            ("exposure", contracts(self.exposure.total)),
            ("max_position", contracts(self.exposure.max_position)),
            ("max_exposure", contracts(self.exposure.max_exposure)),
        )

    # -- halts

    def halt(self, cause: str, text: str) -> None:
        """Nothing new is quoted while any cause is in force; quoters are told and what rests is pulled."""
        if self.halts.get(cause) != text:
            fresh = cause not in self.halts
            self.halts[cause] = text
            if fresh:
                logger.warning("quoting halted ({}): {}", cause, text)
                self._on_change(f"halt: {text}")

    def resume(self, cause: str) -> None:
        if self.halts.pop(cause, None) is not None:
            logger.info("no longer halted by {}{}", cause, "" if not self.halts else f"; still by {', '.join(self.halts)}")
            self._on_change(f"resume: {cause}")

    # -- margin

    def margin_refused(self, instrument: str, side: Side) -> None:
        """The venue would not carry this side: it pauses, doubling each time in a row; the reducing side goes on."""
        last, _ = self._no_margin.get((instrument, side), (0.0, 0.0))
        pause = min(MARGIN_BACKOFF_MAX_S, last * 2 or MARGIN_BACKOFF_S)
        self._no_margin[instrument, side] = (pause, trio.current_time() + pause)

    def margin_granted(self, instrument: str, side: Side) -> None:
        self._no_margin.pop((instrument, side), None)

    def _margin_pause(self, instrument: str, side: Side) -> bool:
        paused = self._no_margin.get((instrument, side))
        if paused is None or trio.current_time() >= paused[1]:
            return False
        position = self.exposure.position(instrument)
        return position * side >= 0  # a side that reduces the position needs no margin
