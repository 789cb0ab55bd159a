"""The last half hour: an option on the mean of the index prints, part of which is already known.

Owns the arithmetic of a fixing that accumulates: both venues settle on the average of the index over the thirty minutes
before expiry. Never collects prints (the caller passes how many there were and their mean), never looks at a clock.
With n of N prints known, the settlement is n/N x mean + (N - n)/N x (mean of the rest): an option on the rest, with
another strike and a shrinking weight, so delta and gamma fade instead of exploding at the strike.
Invariant: with all prints known the price is the intrinsic value of their mean and every Greek is zero.
"""

from __future__ import annotations

import math

import msgspec

from actors.trading.pricing import SECONDS_PER_YEAR, Greeks, greeks

WINDOW_S = 1800.0
"""Both venues average over the last half hour."""
DERIVE_PRINTS = 30
"""One a minute."""
DERIBIT_PRINTS = 1800
"""Deribit says "time-weighted average" without the sampling; its index is published each second."""


class Fixing(msgspec.Struct, frozen=True, gc=False):
    """How far the average has come."""

    mean: float
    """Of the prints so far; any number when there is none yet."""
    known: int
    total: int

    @property
    def weight_left(self) -> float:
        """The share of the settlement value that still moves."""
        return max(self.total - self.known, 0) / self.total

    def blended_forward(self, forward: float) -> float:
        """What the settlement value is expected to be: known mean and forward by their weights (Derive's mark)."""
        left = self.weight_left
        return (1.0 - left) * (self.mean if self.known else forward) + left * forward


def index_share(seconds_left: float, window_s: float = WINDOW_S) -> float:
    """The part of an index move that still reaches the settlement value: what of the average is to come.

    Who values an option on the settlement value (a forward blended with the prints so far, as a venue publishes it) has
    its delta by the index as delta x this, its gamma as gamma x this squared.
    """
    return min(max(seconds_left / window_s, 0.0), 1.0)


def prints_known(seconds_left: float, total: int, window_s: float = WINDOW_S) -> int:
    """How many of `total` evenly spaced prints are past; the last one falls on the expiry itself."""
    elapsed = window_s - seconds_left
    return min(max(math.floor(elapsed / window_s * total + 1e-9), 0), total)


def averaging_years(t_years: float, prints_left: int, spacing_years: float) -> float:
    """The time over which the mean of the remaining prints gathers variance: sum of min(t_i, t_j) / m^2.

    The last print is at expiry, the others every `spacing_years` before it; a continuous mean tends to a third.
    """
    first = max(t_years - (prints_left - 1) * spacing_years, 0.0)
    return first + spacing_years * (prints_left - 1) * (2 * prints_left - 1) / (6.0 * prints_left)


def fixing_greeks(
    fixing: Fixing,
    forward: float,
    strike: float,
    t_years: float,
    vol: float,
    is_call: bool,
    discount: float = 1.0,
    window_s: float = WINDOW_S,
) -> Greeks:
    """Price and Greeks by the forward (of what is still to be printed); units on `Greeks`.

    The remaining mean is taken as lognormal with its exact second moment in the small-variance limit: over half an hour
    the error is far below a tick.
    """
    left = fixing.weight_left
    prints_left = fixing.total - fixing.known
    known_part = (1.0 - left) * fixing.mean if fixing.known else 0.0
    if prints_left <= 0:
        above = known_part - strike
        return Greeks(discount * max(above if is_call else -above, 0.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    rest_strike = (strike - known_part) / left
    if rest_strike <= 0.0:
        return _certain(left * (forward - rest_strike), left, t_years, is_call, discount)
    spacing = window_s / fixing.total / SECONDS_PER_YEAR
    years = averaging_years(t_years, prints_left, spacing)
    slower = math.sqrt(years / t_years) if t_years > 0.0 else 0.0
    inner = greeks(forward, rest_strike, t_years, vol * slower, is_call, discount)
    carry = -math.log(discount) / t_years * inner.price if discount != 1.0 and t_years > 0.0 else 0.0
    return Greeks(
        price=left * inner.price,
        delta=left * inner.delta,
        gamma=left * inner.gamma,
        vega=left * inner.vega * slower,
        theta=left * (carry + (inner.theta - carry) / (slower * slower)) if slower > 0.0 else 0.0,
        rho=left * inner.rho,
        vanna=left * inner.vanna * slower,
        volga=left * inner.volga * slower * slower,
    )


def _certain(above: float, left: float, t_years: float, is_call: bool, discount: float) -> Greeks:
    """What is known already exceeds the strike: the call is a forward, the put is worth nothing."""
    if not is_call:
        return Greeks(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    price = discount * above
    rate = -math.log(discount) / t_years if discount != 1.0 and t_years > 0.0 else 0.0
    return Greeks(price, discount * left, 0.0, 0.0, rate * price, -t_years * price, 0.0, 0.0)
