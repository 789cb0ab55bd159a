"""What the underlying is worth at an expiry, read from a future or from the options themselves.

Owns the two sources and their order: a fresh future's mid, else put-call parity over the expiry's strikes, else nothing.
Never extrapolates from another expiry. Parity: call - put = discount x (F - K), and in coins call - put = 1 - K/F; each
strike's bid and ask bound the forward, narrow strikes near the money bound it best.
Invariant: the uncertainty is never smaller than what the quotes' own widths leave open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec


class ParityPair(msgspec.Struct, frozen=True, gc=False):
    """Call and put of one strike, both two-sided; premiums all in quote currency, or all in coin."""

    strike: float
    call_bid: float
    call_ask: float
    put_bid: float
    put_ask: float


class Forward(msgspec.Struct, frozen=True, gc=False):
    """A forward with one standard deviation, both in quote currency, and where it came from."""

    price: float
    uncertainty: float
    source: str
    """"future" or "parity"."""


def forward_from_future(bid: float | None, ask: float | None) -> Forward | None:
    """The mid of a two-sided, uncrossed future; half its spread as uncertainty."""
    if not bid or not ask or not 0.0 < bid <= ask < math.inf:
        return None
    return Forward(0.5 * (bid + ask), 0.5 * (ask - bid), "future")


def forward_from_parity(pairs: Iterable[ParityPair], discount: float = 1.0, in_coin: bool = False) -> Forward | None:
    """The median of the strikes' mid forwards, each strike weighing by the inverse of the interval it allows.

    A stale strike can be outvoted, not averaged in. None without a single uncrossed pair.
    """
    found: list[tuple[float, float]] = []
    for pair in pairs:
        low = _implied(pair.strike, pair.call_bid - pair.put_ask, discount, in_coin)
        high = _implied(pair.strike, pair.call_ask - pair.put_bid, discount, in_coin)
        if low is None or high is None or min(pair.call_bid, pair.put_bid) <= 0.0:
            continue
        if 0.0 < low <= high:
            found.append((0.5 * (low + high), 0.5 * (high - low)))
    if not found:
        return None
    narrowest = min(half for _, half in found)
    weights = [1.0 / max(half, narrowest, 1e-12) for _, half in found]
    middle = _weighted_median([price for price, _ in found], weights)
    spread = _weighted_median([abs(price - middle) for price, _ in found], weights)
    return Forward(middle, max(narrowest, 1.4826 * spread), "parity")


def best_forward(future: Forward | None, parity: Forward | None) -> Forward | None:
    """The future where there is one; a future that parity contradicts is doubted by the distance, not replaced."""
    if future is None or parity is None:
        return future or parity
    distance = abs(future.price - parity.price) - parity.uncertainty
    return Forward(future.price, max(future.uncertainty, distance), "future")


def _implied(strike: float, call_less_put: float, discount: float, in_coin: bool) -> float | None:
    if not in_coin:
        return strike + call_less_put / discount
    rest = 1.0 - call_less_put
    return strike / rest if rest > 0.0 else None


def _weighted_median(values: list[float], weights: list[float]) -> float:
    """The value at half of the total weight."""
    half, so_far = 0.5 * sum(weights), 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        so_far += weight
        if so_far >= half:
            return value
    raise ValueError("no values")
