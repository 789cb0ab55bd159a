"""How long a signed order should live: as short as the rate budget allows, so that the dead leave nothing behind for long.

Derive's orders die with their signatures, which makes the life the last net when every process and every other net has
failed. Pure. Invariant: renewing every order in time never takes more than RENEWAL_SHARE of the budget; where that
cannot be, fewer instruments are quoted rather than orders left to live longer.
"""

from __future__ import annotations

import math

import attrs

SHORTEST_S = 310.0
"""The venue wants at least 300 s ahead (derive.md 1.7); ten for clocks and travel."""
LONGEST_S, LONGEST_MMP_S = 3600.0, 890.0
RENEWAL_SHARE = 0.25
RENEWED_AT = 0.65
"""Orders are renewed when between 65 % and 80 % of their life is over; the earliest counts for the budget."""
RENEW_SPREAD = 0.15
"""The part of an order's life over which renewals are spread, so that they do not come in a burst."""


@attrs.frozen
class Life:
    """`life_s` of every order; `most_orders` that can be kept alive at it within the share."""

    life_s: float
    most_orders: int


def shortest_life(orders: int, per_second: float, *, mmp: bool, ceiling_s: float | None = None) -> Life:
    """The shortest life at which renewing `orders` takes at most RENEWAL_SHARE of `per_second` requests.

    `ceiling_s` is the operator's own bound (or the session key's remaining life), never exceeded either.
    """
    longest = LONGEST_MMP_S if mmp else LONGEST_S
    if ceiling_s is not None:
        longest = min(longest, max(SHORTEST_S, ceiling_s))
    rate = RENEWAL_SHARE * per_second
    wanted = orders / (rate * RENEWED_AT) if rate > 0 else math.inf
    life = min(longest, max(SHORTEST_S, math.ceil(wanted)))
    most = math.floor(rate * RENEWED_AT * life + 1e-9) if math.isfinite(rate) else orders
    return Life(life, max(2, most) if orders else 0)


def is_due(order_id: str, expires_s: int, life_s: float, now_s: float) -> bool:
    """Whether this order is to be renewed now; the moment differs from order to order."""
    left = expires_s - now_s
    if left >= (1.0 - RENEWED_AT) * life_s:
        return False  # nobody is due so early
    return left < (1.0 - RENEWED_AT - RENEW_SPREAD * _fraction(order_id)) * life_s


def _fraction(text: str) -> float:
    """A number in [0, 1) that depends on the text alone, the same in every process: FNV-1a, 32 bits."""
    value = 2166136261
    for char in text.encode():
        value = ((value ^ char) * 16777619) & 0xFFFFFFFF
    return value / 2**32
