"""What a portfolio vega is worth to a market maker: the reduced control problem of `portfolio_vega`, solved on a grid.

Owns the Hamiltonian of logistic demand and the backward solution in one dimension. Source as in
`strategies/portfolio_vega.py`; there v(t, variance, V), here variance stands still. Money is quote currency, vega quote
currency per vol point, time days. Never called on the tick path but for `at` and `best_distance`. Invariant: without
drift, v is symmetric in vega.
"""

from __future__ import annotations

import math
from functools import lru_cache

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import wrightomega

POINTS = 201
STEP_SAFETY = 0.9
"""Of the longest explicit step that keeps the scheme monotone: one over the rate of both sides together."""


@attrs.frozen
class Flow:
    """Requests of all options together, as if of one typical option and size."""

    per_day: float
    """From each side."""
    vega: float
    """Of one fill."""
    alpha: float
    beta: float
    """Per vol point: a request at distance d of an option of vega u fills with 1 / (1 + exp(alpha + beta d / u))."""


@attrs.frozen(eq=False)
class VegaValue:
    """v on an even grid over [-limit, limit], in quote currency."""

    limit: float
    fill: float
    """Vega of the fills it was solved for."""
    values: tuple[float, ...]

    def loss(self, vega: float, jump: float) -> float:
        """Value given up per unit of vega by a fill of signed `jump`.

        The limit cuts v into steps one typical fill wide, so only states whole typical fills apart compare, and only
        inside it: from beyond the limit a fill costs what it costs there.
        """
        side, step = math.copysign(1.0, jump), self.fill * max(1, round(abs(jump) / self.fill))
        step = min(step, 2 * self.limit)
        start = side * max(-self.limit, min(side * vega, self.limit - step))
        return (self.at(start) - self.at(start + side * step)) / step

    def at(self, vega: float) -> float:
        """Linear between grid points, and on along the last piece outside the limit."""
        last = len(self.values) - 1
        place = (vega + self.limit) / (2 * self.limit) * last
        left = min(max(math.floor(place), 0), last - 1)
        low, high = self.values[left], self.values[left + 1]
        return low + (high - low) * (place - left)


def hamiltonian(loss: NDArray[np.float64], flow: Flow) -> NDArray[np.float64]:
    """max over d of rate(d) x (d - loss), in quote currency per day, for a fill of the flow's vega.

    For logistic demand the best distance solves y = 1 + y0 + w with w = exp(-y), so w is Wright's omega of -1 - y0
    (w + ln w = -1 - y0), y0 = alpha + beta loss / vega; the maximum is rate x vega / beta x w.
    """
    omega: NDArray[np.float64] = wrightomega(-1.0 - flow.alpha - flow.beta * loss / flow.vega)
    return flow.per_day * flow.vega / flow.beta * omega


def best_distance(loss: float, vega: float, alpha: float, beta: float) -> float:
    """The distance from fair value that attains the Hamiltonian, in the unit of `loss` (quote currency per unit).

    `loss`: value given up by one unit filled; `vega`: of one unit.
    """
    return loss + vega / beta * (1.0 + float(wrightomega(-1.0 - alpha - beta * loss / vega)))


@lru_cache(maxsize=64)
def solve(limit: float, flow: Flow, *, risk: float, drift: float, days: float) -> VegaValue:
    """v at the start of a horizon, from zero at its end, backward in explicit steps.

    -dv/dt = drift V - risk V^2 + sum over sides of H(v(V) - v(V +- fill)), fills that leave [-limit, limit] left out.
    `risk` in quote currency per day and squared vega, `drift` in vol points a day.
    """
    vega = np.linspace(-limit, limit, POINTS)
    carry = drift * vega - risk * vega * vega
    steps = max(1, math.ceil(days * 2 * flow.per_day / STEP_SAFETY))
    inside = [np.abs(vega + sign * flow.vega) <= limit * (1 + 1e-12) for sign in (1, -1)]
    value = np.zeros(POINTS)
    for _ in range(steps):
        gain = carry.copy()
        for sign, allowed in zip((1, -1), inside, strict=True):
            after = np.interp(vega + sign * flow.vega, vega, value)
            gain += np.where(allowed, hamiltonian(value - after, flow), 0.0)
        value = value + days / steps * gain
        value -= value.max()  # only differences count; this keeps them exact
    return VegaValue(limit, flow.vega, tuple(value.tolist()))
