"""What the exchange's ledger says was true at each of its rows: orders at rest, positions, who heard what and when.

Owns the replay that every invariant of the judge looks at. Pure: it eats rows (in memory or read from a file), knows
prices and amounts as decimals, and asks nobody. Nothing of it comes from the makers' own books. Invariant: after
`take(row)` the state is the exchange's own, as of that row.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import attrs

from actors.rehearsal.tongues import STRANGER, TONGUES, Asked, Grid, Known, Row, Tongue

ZERO = Decimal(0)
LOST_FRAME = ("drop", "truncate", "cut")


@attrs.define
class Resting:
    """One order on the exchange's book, ours or the operator's."""

    order_id: str
    instrument: str
    side: str
    price: Decimal
    remaining: Decimal
    label: str
    """Or the quote set, for an order without a label."""


@attrs.define
class Door:
    """One connection as the exchange saw it."""

    session: int
    peer: str
    opened_ns: int
    wallet: str = ""
    closed_ns: int | None = None
    heard_ns: dict[str, int] = attrs.field(factory=dict)
    """Subject (see `tongues`) -> when its last notice was delivered."""


@attrs.define
class Outage:
    """A connection whose bytes from the exchange vanished between two moments."""

    peer: str
    from_ns: int
    to_ns: int


class FloorReplay:
    """`account` is the maker's subaccount; `outages` what the network swallowed and the ledger cannot know."""

    def __init__(self, account: int, outages: tuple[Outage, ...] = ()) -> None:
        self.account = account
        self.resting: dict[str, Resting] = {}
        self.positions: dict[str, Decimal] = {}
        self.doors: dict[int, Door] = {}
        self.tongue: Tongue = TONGUES["derive"]
        self.grids: dict[str, Grid] = {}
        self.known: dict[str, Known] = {}
        """Every order of the account, by id."""
        self.others: dict[str, tuple[Decimal | None, Decimal | None]] = {}
        """Instrument -> best bid and ask without any order of the account."""
        self.requests: dict[tuple[int, Any], Row] = {}
        self.wallet = ""
        self.echoed_ns = -(1 << 62)
        """When the wire last said a request for an order twice, where that makes two orders."""
        self.faults: Counter[str] = Counter()
        self.lost_subject = ""
        """What the notice told about that the last row's fault struck."""
        self._outages = outages
        self._last_notice: Row | None = None

    def take(self, row: Row) -> None:
        step = getattr(self, f"_on_{row['kind']}", None)
        if step is not None:
            step(row)

    def worst(self, instrument: str, prefix: str) -> Decimal:
        """max(|position + bids|, |position - asks|) of one instrument, counting the orders under a label."""
        held = self.positions.get(instrument, ZERO)
        bids = asks = ZERO
        for order in self.resting.values():
            if order.instrument == instrument and order.label.startswith(prefix):
                if order.side == "bid":
                    bids += order.remaining
                else:
                    asks += order.remaining
        return max(abs(held + bids), abs(held - asks))

    def exposure(self, prefix: str) -> Decimal:
        names = dict.fromkeys([*self.positions, *(o.instrument for o in self.resting.values())])
        return sum((self.worst(name, prefix) for name in names), ZERO)

    def heard(self, subject: str) -> int | None:
        """When a notice about this last reached a connection that is still open."""
        times = [door.heard_ns[subject] for door in self.doors.values() if subject in door.heard_ns and not door.closed_ns]
        return max(times, default=None)

    def asked(self, row: Row) -> tuple[Asked, ...]:
        """The orders that a request asks for."""
        return self.tongue.orders(row, self.known)

    def tag(self, row: Row) -> str:
        """Whose an order or a fill is: its label, or the quote set of a quote."""
        return str(row["label"]) or self.known.get(row["order_id"], STRANGER).tag

    # -- rows

    def _on_ledger(self, row: Row) -> None:
        self.tongue = TONGUES[row["venue"]]

    def _on_open(self, row: Row) -> None:
        self.doors[row["session"]] = Door(row["session"], row["peer"], row["t"])

    def _on_close(self, row: Row) -> None:
        if row["session"] in self.doors:
            self.doors[row["session"]].closed_ns = row["t"]

    def _on_login(self, row: Row) -> None:
        self.doors[row["session"]].wallet = self.wallet = row["wallet"]

    def _on_request(self, row: Row) -> None:
        said_before = (row["session"], row["id"]) in self.requests
        if said_before and self.tongue.takes_twice and self.asked(row):
            self.echoed_ns = row["t"]
        self.requests[row["session"], row["id"]] = row

    def _on_answer(self, row: Row) -> None:
        self.grids.update(self.tongue.grids(row["method"], row["body"].get("result")))

    def _on_notice(self, row: Row) -> None:
        self._last_notice = row
        for session in row["sessions"]:
            door = self.doors.get(session)
            if door is not None and not self._swallowed(door, row["t"]):
                for subject in self.tongue.subjects(row["channel"]):
                    door.heard_ns[subject] = row["t"]
        data = row["body"].get("params", {}).get("data")
        self.grids.update(self.tongue.grids(row["channel"], data))
        if self.tongue.is_book(row["channel"]):
            self._note_book(data)

    def _swallowed(self, door: Door, at_ns: int) -> bool:
        return any(one.peer == door.peer and one.from_ns <= at_ns < one.to_ns for one in self._outages)

    def _on_fault(self, row: Row) -> None:
        """A frame fault's row follows the row of the frame that it struck."""
        self.faults[row["fault"]] += 1
        self.lost_subject = ""
        notice = self._last_notice
        if notice is None or row["fault"] not in LOST_FRAME or row.get("direction") != "out":
            return
        door = self.doors.get(row["session"])
        for subject in self.tongue.subjects(notice["channel"]):
            if door is not None and row["n"] > notice["n"] and door.heard_ns.get(subject) == notice["t"]:
                del door.heard_ns[subject]
                self.lost_subject = subject

    def _note_book(self, data: Row) -> None:
        name = data["instrument_name"]
        self.others[name] = self._best(name, "bid", data["bids"]), self._best(name, "ask", data["asks"])

    def _best(self, name: str, side: str, levels: list[list[Any]]) -> Decimal | None:
        """The best price at which somebody else rests."""
        own: dict[Decimal, Decimal] = {}
        for order in self.resting.values():
            if order.instrument == name and order.side == side:
                own[order.price] = own.get(order.price, ZERO) + order.remaining
        for price, amount in ((Decimal(str(price)), Decimal(str(amount))) for price, amount in levels):
            if amount > own.get(price, ZERO):
                return price
        return None

    def _on_order(self, row: Row) -> None:
        if row["account"] != self.account:
            return
        tag = row["label"] or row.get("quote_set", "")
        self.known[row["order_id"]] = Known(tag, row["instrument"])
        if row["status"] != "open":
            self.resting.pop(row["order_id"], None)
            return
        self.resting[row["order_id"]] = Resting(
            row["order_id"],
            row["instrument"],
            row["side"],
            Decimal(row["price"]),
            Decimal(row["amount"]) - Decimal(row["filled"]),
            tag,
        )

    def _on_fill(self, row: Row) -> None:
        if row["account"] == self.account:
            sign = 1 if row["side"] == "bid" else -1
            self._move(row["instrument"], sign * Decimal(row["amount"]))
            order = self.resting.get(row["order_id"])
            if order is not None:
                order.remaining -= Decimal(row["amount"])
                if order.remaining <= 0:
                    del self.resting[row["order_id"]]

    def _move(self, instrument: str, amount: Decimal) -> None:
        self.positions[instrument] = self.positions.get(instrument, ZERO) + amount

    def _on_balance(self, row: Row) -> None:
        if row["account"] == self.account and row["why"] == "option_settlement" and "-" in row["name"]:
            self.positions[row["name"]] = Decimal(row["new"])
