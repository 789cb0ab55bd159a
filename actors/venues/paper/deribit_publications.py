"""What a market channel of the Deribit face says and when: snapshots that repeat when they changed, books as differences.

Owns the rhythm and the memory of one joined channel. Sends nothing: `welcome` is for whoever joins now, `due` for everybody
on the channel. Invariant: a book channel's differences, applied to any snapshot it gave since, are the book of the last
one sent; each names the change id before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from actors.trading.instruments import Side
from actors.venues.paper.deribit_shapes import MS, change_id, levels_json
from actors.venues.paper.events import BookChanged
from actors.venues.paper.listings import Listing

DEEP = 1 << 30
BookLevels = dict[tuple[Side, int], int]


class Publication(Protocol):
    """One channel's content."""

    def welcome(self) -> Any:
        """What a newcomer is told at once; None: nothing."""

    def due(self, now_ns: int) -> Any:
        """What everybody is told now; None: nothing. Called by the pump."""


@attrs.define(eq=False)
class Repeated:
    """A whole message whenever what it shows has changed, looked at no more often than the interval.

    With `refresh_ns` it is repeated unchanged after that long.
    """

    interval_ns: int
    version: Callable[[], Any]
    data: Callable[[], Any]
    refresh_ns: int = 0
    next_ns: int = 0
    sent_ns: int = 0
    sent_version: Any = None

    def welcome(self) -> Any:
        return self.data()

    def due(self, now_ns: int) -> Any:
        if now_ns < self.next_ns:
            return None
        self.next_ns = now_ns + self.interval_ns
        version = self.version()
        stale = self.refresh_ns and now_ns - self.sent_ns >= self.refresh_ns
        if version == self.sent_version and not stale:
            return None
        self.sent_version, self.sent_ns = version, now_ns
        return self.data()


@attrs.define(eq=False)
class Incremental:
    """A ticker once whole, then only the keys that changed; newcomers get the whole as last sent."""

    interval_ns: int
    data: Callable[[], dict[str, Any]]
    next_ns: int = 0
    sent: dict[str, Any] = attrs.field(factory=dict)

    def welcome(self) -> Any:
        if not self.sent:
            self.sent = self.data()
        return {"type": "snapshot", **self.sent}

    def due(self, now_ns: int) -> Any:
        if now_ns < self.next_ns:
            return None
        self.next_ns = now_ns + self.interval_ns
        now = self.data()
        changed = {name: value for name, value in now.items() if self.sent.get(name) != value}
        self.sent = now
        if not changed.keys() - {"timestamp"}:
            return None
        return {"type": "change", "instrument_name": now["instrument_name"], **changed}


@attrs.define(eq=False)
class BookFeed:
    """A book as snapshot and differences: raw when the engine tells of a change, else every interval."""

    listing: Listing
    clock_ns: Callable[[], int]
    interval_ns: int
    """0: raw."""
    next_ns: int = 0
    sent: BookLevels = attrs.field(factory=dict)
    sent_id: int = -1

    def welcome(self) -> Any:
        """As last sent to the others, so that the next difference follows on it."""
        if not self.interval_ns or self.sent_id < 0:
            self._remember()
        one = self.listing.instrument
        sides: dict[Side, list[Any]] = {Side.BID: [], Side.ASK: []}
        for (side, price), amount in self.sent.items():
            sides[side].append(["new", one.price_float(price), one.amount_float(amount)])
        return {
            "type": "snapshot",
            "timestamp": self.clock_ns() // MS,
            "instrument_name": one.name,
            "change_id": change_id(self.sent_id),
            "bids": sides[Side.BID],
            "asks": sides[Side.ASK],
        }

    def due(self, now_ns: int) -> Any:
        if not self.interval_ns or now_ns < self.next_ns or self.listing.book.told_id == self.sent_id:
            return None
        self.next_ns = now_ns + self.interval_ns
        before, before_id = self.sent, self.sent_id
        self._remember()
        moves = {place: (before.get(place, 0), self.sent.get(place, 0)) for place in {**before, **self.sent}}
        changes = [(side, price, old, new) for (side, price), (old, new) in moves.items() if old != new]
        return self._change(changes, before_id, self.sent_id, now_ns // MS)

    def raw(self, event: BookChanged) -> Any:
        """One change of the engine's."""
        changes = [(one.side, one.price, one.before, one.amount) for one in event.levels]
        return self._change(changes, event.prev_change_id, event.change_id, self.clock_ns() // MS)

    def _remember(self) -> None:
        book = self.listing.book
        self.sent_id = book.told_id
        self.sent = {(side, price): amount for side in Side for price, amount in book.levels(side)}

    def _change(self, changes: list[tuple[Side, int, int, int]], before_id: int, after_id: int, now_ms: int) -> Any:
        one = self.listing.instrument
        sides: dict[Side, list[Any]] = {Side.BID: [], Side.ASK: []}
        for side, price, old, new in changes:
            what = "new" if not old else "change" if new else "delete"
            sides[side].append([what, one.price_float(price), one.amount_float(new)])
        return {
            "type": "change",
            "timestamp": now_ms,
            "prev_change_id": change_id(before_id),
            "instrument_name": one.name,
            "change_id": change_id(after_id),
            "bids": sides[Side.BID],
            "asks": sides[Side.ASK],
        }


@attrs.define(eq=False)
class Batch:
    """Rows gathered over an interval and told as one array; raw ones go out at once."""

    interval_ns: int
    fits: Callable[[Listing], bool]
    rows: list[dict[str, Any]] = attrs.field(factory=list)
    next_ns: int = 0

    def welcome(self) -> Any:
        return None

    def due(self, now_ns: int) -> Any:
        if not self.rows or now_ns < self.next_ns:
            return None
        self.next_ns = now_ns + self.interval_ns
        rows, self.rows = self.rows, []
        return rows


@attrs.define(eq=False)
class Told:
    """A channel that only speaks of events: instrument states, new listings, the platform."""

    fits: Callable[[Listing], bool] = lambda listing: True

    def welcome(self) -> Any:
        return None

    def due(self, now_ns: int) -> Any:
        return None


def grouped_json(listing: Listing, group: int, depth: int, now_ms: int) -> dict[str, Any]:
    """A whole book of one depth, levels of `group` smallest ticks."""
    return {
        "timestamp": now_ms,
        "instrument_name": listing.name,
        "change_id": change_id(listing.book.told_id),
        "bids": levels_json(listing, Side.BID, depth, group),
        "asks": levels_json(listing, Side.ASK, depth, group),
    }
