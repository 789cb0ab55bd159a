"""Who at a price level gets how much of an incoming order: time first, or Derive's blend with pro rata.

Owns the sharing rule (reference of Derive, 7.2). Pure integers in steps; changes nothing. Invariant: the shares sum to
min(incoming, level total), none exceeds its order's remainder, and they come in time order.
"""

from __future__ import annotations

from typing import NamedTuple

import attrs

from actors.trading.instruments import Instrument
from actors.venues.paper.book import Level
from actors.venues.paper.rules import Allotment
from actors.venues.paper.tickets import Order


class Share(NamedTuple):
    order: Order
    amount: int


@attrs.frozen
class StepAllotment:
    """An `Allotment` in an instrument's steps; numerator over denominator is the pro-rata fraction."""

    numerator: int
    denominator: int
    fifo_minimum: int
    pro_rata_step: int


def in_steps(allotment: Allotment, instrument: Instrument) -> StepAllotment:
    numerator, denominator = allotment.pro_rata_fraction.as_integer_ratio()
    return StepAllotment(
        numerator,
        denominator,
        int(allotment.fifo_minimum / instrument.amount_step),
        max(1, int(allotment.pro_rata_step / instrument.amount_step)),
    )


def allot(level: Level, incoming: int, rule: StepAllotment) -> list[Share]:
    """The shares of `incoming` steps among the level's orders."""
    if incoming >= level.total:
        return [Share(order, order.amount - order.filled) for order in level.orders.values()]
    if not rule.numerator:
        return _in_time_order(level, incoming)
    pool = incoming * rule.numerator // rule.denominator
    first = max(incoming - pool, rule.fifo_minimum)
    if first >= incoming:
        return _in_time_order(level, incoming)
    return _blended(level, incoming, first, rule.pro_rata_step)


def _in_time_order(level: Level, incoming: int) -> list[Share]:
    shares: list[Share] = []
    for order in level.orders.values():
        amount = min(order.amount - order.filled, incoming)
        shares.append(Share(order, amount))
        incoming -= amount
        if not incoming:
            break
    return shares


def _blended(level: Level, incoming: int, first: int, step: int) -> list[Share]:
    """`first` steps in time order, the rest by resting size cut to `step`, what the cutting leaves in time order."""
    orders = list(level.orders.values())
    taken = [0] * len(orders)
    _fill_in_order(orders, taken, first)
    pool, resting = incoming - first, level.total - first
    cuts = [pool * (o.amount - o.filled - t) // resting // step * step for o, t in zip(orders, taken, strict=True)]
    taken = [t + cut for t, cut in zip(taken, cuts, strict=True)]
    _fill_in_order(orders, taken, pool - sum(cuts))
    return [Share(order, t) for order, t in zip(orders, taken, strict=True) if t]


def _fill_in_order(orders: list[Order], taken: list[int], amount: int) -> None:
    """Hand `amount` out by time, adding to `taken`; no order gets more than it has left."""
    for i, order in enumerate(orders):
        if not amount:
            return
        more = min(order.amount - order.filled - taken[i], amount)
        taken[i] += more
        amount -= more
