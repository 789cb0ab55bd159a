"""Others' book, as of the last moment at which it could be told from ours for certain (design law 4).

A venue's book is a little older than what we know of our own orders: after a replacement it still shows the old order,
which our table has forgotten, and a maker who reads that as somebody else's outbids itself and fits its surface to its
own quotes. So the last certain picture is kept until a newer book settles the matter, but never for long. Never awaits.
Invariant: a book younger than our last change, with no request unanswered, is always taken as it is.
"""

from __future__ import annotations

from actors.trading.books import Book, others_only
from actors.trading.orders import OrderTable

KEPT_MS = 1000
"""A kept picture is given up when the venue's newest book is this much younger: a guess at now beats certainty of then."""


class OthersBooks:
    """One per cell; asked per instrument."""

    def __init__(self, orders: OrderTable) -> None:
        self._orders = orders
        self._kept: dict[str, Book] = {}

    def of(self, instrument: str, book: Book, as_of_ms: int) -> Book:
        """`book` without the account's orders; `as_of_ms`: up to when, on the venue's clock, it is known to be whole."""
        orders = self._orders
        standing = orders.standing(instrument)
        is_certain = not standing.in_flight and as_of_ms > orders.last_change_ms(instrument)
        kept = self._kept.get(instrument)
        if is_certain or kept is None or book.ts_ms - kept.ts_ms > KEPT_MS:
            kept = self._kept[instrument] = others_only(book, standing.own + orders.foreign(instrument))
        return kept
