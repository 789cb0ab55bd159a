"""What the venue refuses, and what is still worth trying: since when each side has been refused, and the latest of all.

Pure: `now` (trio's clock, seconds) is passed in. Decides no price; it only ever takes sides out of a pair. Invariant: a side
is refused from its first refusal on until an order of it is taken, or rests as it is wished.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from actors.trading.instruments import ASK, BID, Side
from actors.trading.orders import PLACING, Order
from actors.trading.quotes import QuotePair


class Refusals:
    """One per cell. `since`: by instrument and side, trio's clock."""

    def __init__(self) -> None:
        self.since: dict[tuple[str, Side], float] = {}
        self._latest: dict[str, float] = {}

    def note(self, order: Order, now: float) -> None:
        """A placement, a replacement or an edit of it was refused, for whatever reason."""
        self.since.setdefault((order.instrument, order.side), now)
        self._latest[order.instrument] = now

    def taken(self, order: Order) -> None:
        self.since.pop((order.instrument, order.side), None)

    def latest(self, instrument: str) -> float:
        """When something was last refused there (trio's clock); -inf for never."""
        return self._latest.get(instrument, -math.inf)

    def tried(self, pair: QuotePair, working: Iterable[Order], now: float, patience_s: float) -> QuotePair:
        """What of it is to be tried, where a wanted side has been refused for longer than that; `working`: our orders there.

        Nothing while that side rests at a price that is no longer wanted: it goes, and with it the other, for half a quote
        is a bet. Then only that side, until it is taken: the other one placed and pulled at each look costs what moves are
        paid from.
        """
        if not self.since:
            return pair
        rests = [order for order in working if order.state.is_live and order.state is not PLACING]
        for order in rests:
            wanted = pair.side(order.side)
            if wanted is not None and (order.price, order.remaining) == (wanted.price, wanted.amount):
                self.taken(order)
        late = [side for side in (BID, ASK) if pair.side(side) is not None and self._lasts(pair, side, now) > patience_s]
        bid, ask = (pair.bid if BID in late else None), (pair.ask if ASK in late else None)
        if any(order.side in late for order in rests):
            bid = ask = None
        elif len(late) != 1 or pair.bid is None or pair.ask is None:
            return pair
        return msgspec.structs.replace(pair, bid=bid, ask=ask, reason="one side is refused again and again")

    def _lasts(self, pair: QuotePair, side: Side, now: float) -> float:
        """Seconds since it was first refused; 0 where it is not."""
        return now - self.since.get((pair.instrument, side), now)
