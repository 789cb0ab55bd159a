"""One order book: price levels of resting orders in time order, both sides.

Owns the queue order and the note of which levels changed since the last drain. Never matches, never checks. Invariant: a
level in the book holds at least one order and its total is the sum of their remainders. The top is O(1); adding and
removing an order is O(1) apart from a new price's bisection.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from actors.trading.instruments import Side
from actors.venues.paper.tickets import Order


class Level:
    """One price: its orders, oldest first, and their summed remainder in steps."""

    __slots__ = ("orders", "price", "total")

    def __init__(self, price: int) -> None:
        self.price = price
        self.total = 0
        self.orders: dict[str, Order] = {}


class Ladder:
    """One side's levels. `keys` ascend towards the best: the price for bids, its negative for asks."""

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}


class Book:
    __slots__ = ("_asks", "_bids", "change_id", "told_id", "touched")

    def __init__(self) -> None:
        self._bids = Ladder(1)
        self._asks = Ladder(-1)
        self.change_id = 1
        """Rises with every change of a level; also Derive's `publish_id`."""
        self.told_id = 0
        """The change id of the last `BookChanged`."""
        self.touched: dict[tuple[Side, int], int] = {}
        """(side, price) -> size before the first change since the last drain."""

    def ladder(self, side: Side) -> Ladder:
        return self._bids if side > 0 else self._asks

    def best(self, side: Side) -> int | None:
        """The best price of that side in ticks; None when empty."""
        ladder = self._bids if side > 0 else self._asks
        return ladder.keys[-1] * ladder.sign if ladder.keys else None

    def best_amount(self, side: Side) -> int:
        """Size at the best price in steps; zero when empty."""
        top = self.top(side)
        return top.total if top is not None else 0

    def top(self, side: Side) -> Level | None:
        ladder = self._bids if side > 0 else self._asks
        return ladder.levels[ladder.keys[-1] * ladder.sign] if ladder.keys else None

    def crosses(self, side: Side, price: int) -> bool:
        """Whether an order of that side at that price would find a counterpart."""
        best = self.best(side.other)
        return best is not None and price * side >= best * side

    def within(self, side: Side, limit: int, enough: int) -> int:
        """How much an order of `side` could take up to `limit` (ticks), counted no further than `enough` steps."""
        ladder = self.ladder(side.other)
        found = 0
        for key in reversed(ladder.keys):
            price = key * ladder.sign
            if found >= enough or price * side > limit * side:
                break
            found += ladder.levels[price].total
        return min(found, enough)

    def levels(self, side: Side, depth: int = 1 << 30, group: int = 1) -> list[tuple[int, int]]:
        """(price, amount), best first, every account's orders; `group` ticks a level, bids down and asks up."""
        ladder = self.ladder(side)
        out: list[tuple[int, int]] = []
        for key in reversed(ladder.keys):
            level = ladder.levels[key * ladder.sign]
            price = level.price // group * group if side > 0 else -(-level.price // group) * group
            if out and out[-1][0] == price:
                out[-1] = (price, out[-1][1] + level.total)
            elif len(out) == depth:
                break
            else:
                out.append((price, level.total))
        return out

    # -- changes, for the floor alone

    def add(self, order: Order) -> None:
        """Behind everybody else at its price."""
        ladder = self._bids if order.side > 0 else self._asks
        level = ladder.levels.get(order.price)
        if level is None:
            level = ladder.levels[order.price] = Level(order.price)
            insort(ladder.keys, order.price * ladder.sign)
        self._touch(order.side, level)
        level.orders[order.order_id] = order
        level.total += order.amount - order.filled

    def remove(self, order: Order) -> None:
        """Take the order's whole remainder out."""
        ladder = self._bids if order.side > 0 else self._asks
        level = ladder.levels[order.price]
        self._touch(order.side, level)
        del level.orders[order.order_id]
        level.total -= order.amount - order.filled
        if not level.orders:
            del ladder.levels[order.price]
            key = order.price * ladder.sign
            del ladder.keys[bisect_left(ladder.keys, key)]

    def shrink(self, order: Order, by: int) -> None:
        """The order's remainder is about to fall by `by`, which leaves some; its place in the queue stays."""
        ladder = self._bids if order.side > 0 else self._asks
        level = ladder.levels[order.price]
        self._touch(order.side, level)
        level.total -= by

    def _touch(self, side: Side, level: Level) -> None:
        self.change_id += 1
        self.touched.setdefault((side, level.price), level.total)
