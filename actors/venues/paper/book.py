"""One order book: price levels of resting orders in time order, both sides.

Owns the queue order. Never matches, never checks. Invariant: a level in the book holds at least one order and its total
is the sum of their remainders. Top of book is O(1), adding and removing an order O(1) apart from a new price's bisection.
"""

from __future__ import annotations

from actors.trading.instruments import Side


class Book:
    change_id: int
    """Rises with every change of a level; also Derive's `publish_id`."""

    def best(self, side: Side) -> int | None:
        """The best price of that side in ticks; None when empty."""
        raise NotImplementedError

    def best_amount(self, side: Side) -> int:
        """Size at the best price in steps; zero when empty."""
        raise NotImplementedError

    def levels(self, side: Side, depth: int = 1 << 30, group: int = 1) -> list[tuple[int, int]]:
        """(price, amount), best first, every account's orders; `group` ticks a level, bids down and asks up."""
        raise NotImplementedError
