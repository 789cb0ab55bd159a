"""Order truth: the one table of what we believe the venue holds for us (design law 1).

Owns every order record of a cell run, from the moment its request is handed over until evidence from the venue has ended
it and every fill it owes has been seen. Eats requests, answers, notifications and query results in any order, twice or
late; never awaits, never reads a clock. It never lets a guess end an order: a refused cancel is no proof of life, a
missing row is no proof of death, a lost answer makes an order UNKNOWN, and unknown still counts.

Invariant: for each side of each instrument, `worst(...)` is at least what can still be filled there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from operator import attrgetter

import msgspec

from actors.trading.executions import Executions
from actors.trading.instruments import BID, Side
from actors.trading.quotes import Quote, Terms
from actors.trading.shelves import Shelves
from actors.venues.dialect import Fill, OrderRequest, OrderStatus, VenueOrder


class OrderState(StrEnum):
    """Where an order stands in our table."""

    PLACING = "placing"
    OPEN = "open"
    AMENDING = "amending"
    REPLACING = "replacing"
    CANCELLING = "cancelling"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    is_live: bool
    """It may rest at the venue now, or come to. A plain attribute: it is asked some fifty times a tick."""
    is_certain: bool
    """No answer is awaited that would say where it stands."""


FORGOTTEN_AT_ONCE = 500  # so that however many have ended, nobody waits for long
OPEN, PLACING, UNKNOWN = OrderState.OPEN, OrderState.PLACING, OrderState.UNKNOWN
_FINAL = {
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.CANCELLED: OrderState.CANCELLED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
    OrderStatus.REJECTED: OrderState.REJECTED,
}
_is_certain = attrgetter("state.is_certain")
for _state in OrderState:
    _state.is_live = _state not in _FINAL.values()  # whatever has not ended may rest, an unknown order too
    _state.is_certain = _state is OrderState.OPEN or not _state.is_live


class Order(msgspec.Struct, eq=False, gc=False):
    """One order of ours. Prices in ticks, amounts in steps; times: `_at` trio's clock, `_ms`/`_s` the venue's."""

    client_id: str
    instrument: str
    side: Side
    price: int
    amount: int
    label: str
    state: OrderState
    sent_at: float
    expires_s: int
    reject_ms: int
    venue_id: str = ""
    reported_filled: int = 0
    """What order messages say was filled."""
    seen_filled: int = 0
    """What trades say was filled; positions follow this one."""
    pending: Quote | None = None
    """An amendment in flight (same id, other price or amount)."""
    replaces: Order | None = None
    """The order this one takes the place of, while the venue guards the pair against filling twice."""
    priced_at: float = 0.0
    """When its price last became what it is."""
    unknown_since: float | None = None
    changed_ms: int = 0
    reason: str = ""
    terms: Terms = {}
    """What made its price, when it was sent."""

    @property
    def filled(self) -> int:
        reported, seen = self.reported_filled, self.seen_filled
        return reported if reported > seen else seen  # wherever each tick comes by: `max` costs eight comparisons

    @property
    def remaining(self) -> int:
        """What still rests or may come to rest, in steps; zero once ended."""
        if not self.state.is_live:
            return 0
        reported, seen = self.reported_filled, self.seen_filled
        left = self.amount - (reported if reported > seen else seen)
        return left if left > 0 else 0

    @property
    def at_risk(self) -> int:
        """What may still change our position through this order: what may rest, plus fills reported but not yet seen."""
        if self.state.is_live:
            amount = self.amount if self.pending is None else max(self.amount, self.pending.amount)
            return amount - self.seen_filled if amount > self.seen_filled else 0
        return self.owed

    @property
    def owed(self) -> int:
        """Fills that order messages reported and no trade has shown yet: they move the position whatever comes next."""
        owed = self.reported_filled - self.seen_filled
        return owed if owed > 0 else 0

    @property
    def is_settled(self) -> bool:
        """Ended, and every fill it reported has been seen."""
        return not self.state.is_live and self.at_risk == 0


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Our orders in one instrument at one moment."""

    in_flight: bool
    """A request is unanswered, so what rests is not certain."""
    own: list[tuple[Side, int, int]]
    """(side, price, remaining) of what rests, for taking ourselves out of the book."""
    live: list[Order]
    """Oldest first."""

    def resting(self, side: Side) -> Quote | None:
        """What rests for certain on a side; None also while an answer is awaited."""
        found = None
        for order in self.live:
            if order.side is side:
                if found is not None or order.state is not OPEN:
                    return None
                found = order
        return None if found is None else Quote(found.price, found.remaining)


class Tally(msgspec.Struct, frozen=True, gc=False):
    """What could still be filled in one instrument, in steps."""

    bids: int
    asks: int
    bids_apart: int
    """What the next quote adds to: orders it cannot take the place of (unknown ones, and ended ones that still owe
    fills), and of the others the fills reported but not yet seen."""
    asks_apart: int


NOTHING_STANDS = Standing(False, [], [])
NOTHING_AT_RISK = Tally(0, 0, 0, 0)


class OrderTable:
    """All orders of a run. `ended` orders are forgotten only by `forget_settled`, so that late news finds them."""

    def __init__(self) -> None:
        self._by_client = Shelves[Order]()
        self._by_venue = Shelves[Order]()
        self._working: dict[str, list[Order]] = {}
        self._settled: deque[Order] = deque()
        """In the order in which they were done with; one that was held again since may be among them."""
        self.executions = Executions()
        self._orphan_fills: dict[str, int] = {}
        self._last_change_ms: dict[str, int] = {}
        self._foreign: dict[str, dict[str, VenueOrder]] = {}

    # -- looking

    def foreign(self, instrument: str) -> list[tuple[Side, int, int]]:
        """(side, price, remaining) of the account's orders that are not ours: the operator's, never touched."""
        orders = self._foreign.get(instrument)
        return [(o.side, o.price, o.amount - o.filled) for o in orders.values()] if orders else []

    def note_foreign(self, news: VenueOrder) -> None:
        """An order of the account that is not ours came, changed or ended."""
        orders = self._foreign.setdefault(news.instrument, {})
        if news.status is not OrderStatus.OPEN:
            orders.pop(news.venue_id, None)  # ended, or a stop that waits for its trigger: nothing of it is in the book
        elif (known := orders.get(news.venue_id)) is None or news.ts_ms >= known.ts_ms:
            orders[news.venue_id] = news
        self._touch(news.instrument, news.ts_ms)

    def foreign_ids(self) -> set[str]:
        """The venue's ids of the account's orders that are not ours, as far as they are known."""
        return set().union(*self._foreign.values())

    def forget_foreign(self, gone: set[str]) -> None:
        """A query of all open orders, asked when these were known, does not show them."""
        for orders in self._foreign.values():
            for venue_id in gone & orders.keys():
                del orders[venue_id]

    def working(self, instrument: str, side: Side | None = None) -> list[Order]:
        """Orders of an instrument that may rest or still owe fills, oldest first."""
        orders = self._working.get(instrument, ())
        return list(orders) if side is None else [o for o in orders if o.side is side]

    def live(self) -> Iterator[Order]:
        """Every order that may rest at the venue now or come to."""
        for orders in self._working.values():
            for order in orders:
                if order.state.is_live:
                    yield order

    def unknown(self) -> list[Order]:
        return [o for o in self.live() if o.state is OrderState.UNKNOWN]

    def known(self, news: VenueOrder) -> Order | None:
        """Our record of an order that the venue speaks of, by whichever identity it gives; not that of its twin, which rests
        beside it where the wire said a request twice and no nonce prevents it."""
        order = self._by_client.get(news.client_id)
        is_twin = order is not None and order.venue_id and news.venue_id and order.venue_id != news.venue_id
        return self._by_venue.get(news.venue_id) if order is None or is_twin else order

    def last_change_ms(self, instrument: str) -> int:
        """Venue time of the last change of ours in this instrument: an older book cannot be compared with our orders."""
        return self._last_change_ms.get(instrument, 0)

    def in_flight(self, instrument: str) -> bool:
        """A request of ours is unanswered, so what rests there is not certain."""
        return not all(map(_is_certain, self._working.get(instrument, ())))

    def standing(self, instrument: str) -> Standing:
        """What of ours is there now, in one look."""
        rows = self._working.get(instrument)
        if not rows:
            return NOTHING_STANDS
        in_flight, own, live = False, [], []
        for order in rows:
            state = order.state
            if state.is_live:
                live.append(order)
                if not state.is_certain:
                    in_flight = True
                if state is not PLACING:
                    own.append((order.side, order.price, order.remaining))
        return Standing(in_flight, own, live)

    def worst(self, instrument: str, side: Side) -> int:
        """Most that can still be bought (or sold) there, in steps; a guarded pair counts its larger half."""
        tally = self.tally(instrument)
        return tally.bids if side is BID else tally.asks

    def tally(self, instrument: str) -> Tally:
        """Worst cases of both sides in one look."""
        rows = self._working.get(instrument)
        if not rows:
            return NOTHING_AT_RISK
        bids = asks = bids_apart = asks_apart = 0
        for order in rows:
            state, risk, old, apart = order.state, order.at_risk, order.replaces, 0
            if state is UNKNOWN or not state.is_live:
                apart = risk
            elif order.reported_filled > order.seen_filled:
                apart = order.owed
            if old is not None and state.is_live and old.state.is_live:
                # Only one of the two can rest; the old one's risk is counted with itself.
                more = old.owed + risk - old.at_risk
                risk = more if more > 0 else 0
            if order.side is BID:
                bids += risk
                bids_apart += apart
            else:
                asks += risk
                asks_apart += apart
        return Tally(bids, asks, bids_apart, asks_apart)

    # -- our own requests

    def placing(self, request: OrderRequest, now: float, replaces: Order | None = None) -> Order:
        """A new order is handed to the link; with `replaces`, as the guarded new half of a replacement."""
        if self._by_client.get(request.client_id) is not None:
            raise ValueError(f"client id {request.client_id} was used before")
        order = Order(
            client_id=request.client_id,
            instrument=request.instrument,
            side=request.side,
            price=request.price,
            amount=request.amount,
            label=request.label,
            state=OrderState.PLACING,
            sent_at=now,
            priced_at=now,
            expires_s=request.expires_s,
            reject_ms=request.reject_ms,
            replaces=replaces,
        )
        self._by_client.put(order.client_id, order)
        self._working.setdefault(order.instrument, []).append(order)
        if replaces is not None and replaces.state is OrderState.OPEN:
            replaces.state = OrderState.REPLACING
        return order

    def amending(self, order: Order, wanted: Quote, now: float, reject_ms: int = 0) -> None:
        """An edit of a resting order is handed to the link; past `reject_ms` it can no longer take effect."""
        order.reject_ms = max(order.reject_ms, reject_ms)
        order.pending = wanted
        order.state = OrderState.AMENDING
        order.sent_at = now

    def cancelling(self, order: Order, now: float) -> None:
        if order.state is OrderState.OPEN:
            order.state = OrderState.CANCELLING
            order.sent_at = now

    # -- evidence

    def apply_order(self, news: VenueOrder, order: Order | None = None) -> Order | None:
        """An order as the venue describes it. Returns our record, or None when it is not ours. Idempotent. `order`: that
        record, for who has looked already."""
        order = order or self.known(news)
        if order is None:
            return None
        if news.venue_id and news.venue_id != order.venue_id:
            self._learn_venue_id(order, news.venue_id)
        if news.filled > order.reported_filled:
            order.reported_filled = news.filled
        if order.state.is_live:
            if news.status.is_final:
                self._end(order, _FINAL[news.status], news.reason)
            else:
                self._rests(order, news)
        elif order.state is OrderState.REJECTED and not news.status.is_final:
            self._revive(order, news)
        if news.ts_ms >= order.changed_ms:
            order.changed_ms = news.ts_ms
        self._touch(order.instrument, news.ts_ms)
        self._tidy(order)
        return order

    def apply_fill(self, fill: Fill) -> bool:
        """One execution, by trade id, exactly once: True when it was new (ours or not, the position moved)."""
        if not self.executions.is_new(fill.trade_id, fill.ts_ms):
            return False
        self._touch(fill.instrument, fill.ts_ms)
        order = self._by_venue.get(fill.venue_id)
        if order is None:
            self._orphan_fills[fill.venue_id] = self._orphan_fills.get(fill.venue_id, 0) + fill.amount
        else:
            self._count_fill(order, fill.amount)
        return True

    def owner_of(self, fill: Fill) -> Order | None:
        return self._by_venue.get(fill.venue_id)

    def refused(self, order: Order, reason: str, ts_ms: int = 0) -> None:
        """The venue refused the placement, or the new half of a replacement: it never rested.

        `ts_ms`: the venue's time; the next quote waits for a book newer than this, for the market is not what we thought.
        """
        if order.state.is_live and order.venue_id == "":
            self._end(order, OrderState.REJECTED, reason)
            self._touch(order.instrument, ts_ms)
            self._tidy(order)

    def untouched(self, order: Order) -> None:
        """The venue refused before looking at it (a rate limit, say): it rests as before."""
        if order.state in (OrderState.CANCELLING, OrderState.REPLACING, OrderState.AMENDING):
            order.pending = None
            order.state = OrderState.OPEN

    def edit_failed(self, order: Order) -> None:
        """The edit in flight has not happened and will not: whatever rests is as it was before it."""
        order.pending = None

    def replacement_failed(self, old: Order, *, old_gone: bool, now: float) -> None:
        """The pair's new half was refused: the old one is gone, or (its cancel failed) its fate must be asked."""
        if not old.state.is_live:
            return
        if old_gone:
            self._end(old, OrderState.CANCELLED, "replaced, new half refused")
            self._tidy(old)
        else:
            self.lost(old, now)

    def cancel_refused(self, order: Order, now: float) -> None:
        """No proof of life or death: unknown until the venue says more."""
        if order.state is OrderState.CANCELLING:
            self.lost(order, now)

    def lost(self, order: Order, now: float) -> None:
        """Its answer will not come, or says that the venue itself does not know."""
        if order.state.is_live and order.state is not OrderState.UNKNOWN:
            order.state = OrderState.UNKNOWN
            order.unknown_since = now

    def proven_gone(self, order: Order, reason: str, ts_ms: int) -> None:
        """The venue has proven that it rests no more and cannot come back, and its fills have been read.

        `ts_ms`: the venue's time of the proof; when it went is not known, so a book from before may still show it. Says
        nothing of an order it was to replace: it may never have existed, and then the old one rests on.
        """
        order.replaces = None
        if order.state.is_live:
            self._end(order, OrderState.CANCELLED, reason)
        order.reported_filled = order.seen_filled
        self._touch(order.instrument, ts_ms)
        self._tidy(order)

    # -- memory

    def forget_settled(self, before_ms: int) -> bool:
        """Drops ended orders and trade ids last touched before a venue time; keeps whatever could still be named. Drops so
        many orders only, the oldest first: True when there may be more, after others have had a turn."""
        for _ in range(FORGOTTEN_AT_ONCE):
            if not self._settled or self._settled[0].changed_ms >= before_ms:
                self.executions.forget(before_ms)
                return False
            order = self._settled.popleft()
            if order.is_settled:
                self._by_client.drop(order.client_id)
                if self._by_venue.get(order.venue_id) is order:
                    self._by_venue.drop(order.venue_id)
        return True

    # -- inside

    def _rests(self, order: Order, news: VenueOrder) -> None:
        """It rested when the venue wrote this; an answer to a later cancel is still awaited."""
        if order.pending is not None:
            if (news.price, news.amount) != (order.pending.price, order.pending.amount) or news.ts_ms < order.changed_ms:
                return  # not what is being asked for, or from when it was so before
            order.pending = None
            order.price, order.amount = news.price, news.amount
            order.state = OrderState.OPEN
        elif order.state in (OrderState.PLACING, OrderState.UNKNOWN):
            order.state = OrderState.OPEN
            order.unknown_since = None
            order.price, order.amount = news.price, news.amount
        elif order.state is OrderState.OPEN and news.ts_ms >= order.changed_ms:
            order.price, order.amount = news.price, news.amount
        if order.replaces is not None:
            self._supersede(order)

    def _revive(self, order: Order, news: VenueOrder) -> None:
        """It was refused, we thought, and it rests: the refusal was that of a request that came there twice."""
        order.state = OrderState.OPEN
        order.price, order.amount = news.price, news.amount
        rows = self._working.setdefault(order.instrument, [])
        if order not in rows:
            rows.append(order)

    def _supersede(self, order: Order) -> None:
        """The new half of a guarded pair exists: the venue has cancelled the old one before it made this."""
        old, order.replaces = order.replaces, None
        if old is not None and old.state.is_live:
            self._end(old, OrderState.CANCELLED, "replaced")
            self._tidy(old)

    def _end(self, order: Order, state: OrderState, reason: str) -> None:
        order.state = state
        order.reason = reason
        order.pending = None
        order.unknown_since = None
        if state in (OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED):
            self._supersede(order)
        else:
            order.replaces = None

    def _learn_venue_id(self, order: Order, venue_id: str) -> None:
        order.venue_id = venue_id
        moved = self._by_venue.get(venue_id)
        if moved is not None and moved is order.replaces:
            # The venue moved the old order instead of making a new one: what it filled, and owes, is the new one's.
            order.seen_filled, moved.reported_filled = moved.seen_filled, moved.seen_filled
        self._by_venue.put(venue_id, order)
        early = self._orphan_fills.pop(venue_id, 0)
        if early:
            self._count_fill(order, early)

    def _count_fill(self, order: Order, amount: int) -> None:
        order.seen_filled += amount
        if order.state.is_live and order.seen_filled >= order.amount and order.pending is None:
            self._end(order, OrderState.FILLED, "filled")
        self._tidy(order)

    def _tidy(self, order: Order) -> None:
        if not order.state.is_live and order.is_settled:
            rows = self._working.get(order.instrument, [])
            if order in rows:
                rows.remove(order)
                self._settled.append(order)

    def _touch(self, instrument: str, ts_ms: int) -> None:
        if ts_ms > self._last_change_ms.get(instrument, 0):
            self._last_change_ms[instrument] = ts_ms


