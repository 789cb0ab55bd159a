"""Others' book, as of the last moment at which it could be told from ours for certain (design law 4).

A venue's book is a little older than what we know of our own orders: after a replacement it still shows the old order,
which our table has forgotten, and a maker who reads that as somebody else's outbids itself and fits its surface to its
own quotes. So the last certain picture is kept until a newer book settles the matter, but never for long. Never awaits.
Invariant: a book younger than our last change, with no request unanswered, is always taken as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.trading.books import Book, OwnOrder, others_only
from actors.trading.instruments import Side
from actors.trading.orders import OrderTable, Standing

KEPT_MS = 1000
"""A kept picture is given up when the venue's newest book is this much younger: a guess at now beats certainty of then."""


class OthersBooks:
    """One per cell; asked per instrument."""

    def __init__(self, orders: OrderTable) -> None:
        self._orders = orders
        self._kept: dict[str, Book] = {}

    def of(
        self,
        instrument: str,
        book: Book,
        as_of_ms: int,
        standing: Standing | None = None,
        *,
        is_certain: bool = False,
    ) -> Book:
        """`book` without the account's orders; `as_of_ms`: up to when, on the venue's clock, it is known to be whole.

        `standing`: our orders there now, for who has looked already; `is_certain`: `can_tell` has just said yes.
        """
        orders = self._orders
        standing = standing or orders.standing(instrument)
        kept = None if is_certain else self._kept.get(instrument)
        if kept is None or book.ts_ms - kept.ts_ms > KEPT_MS or self.can_tell(instrument, book, as_of_ms, standing):
            kept = self._kept[instrument] = others_only(book, standing.own + orders.foreign(instrument))
        return kept

    def can_tell(self, instrument: str, book: Book, as_of_ms: int, standing: Standing | None = None) -> bool:
        """Whether this book is known to show our orders as they stand.

        One of the very millisecond of our last change may be from before it: it must show both our sides to count.
        """
        standing, last_ms = standing or self._orders.standing(instrument), self._orders.last_change_ms(instrument)
        if standing.in_flight or as_of_ms < last_ms:
            return False
        return as_of_ms > last_ms or shows_both(book, standing.own)


def shows_both(book: Book, own: Sequence[OwnOrder]) -> bool:
    """A bid and an ask of ours, each with at least its size at its price."""
    seen = [side for side, price, amount in own if any(at == price and there >= amount for at, there in book.side(side))]
    return len(seen) == len(own) and {Side.BID, Side.ASK} <= set(seen)
