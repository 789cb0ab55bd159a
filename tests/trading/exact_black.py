"""Black-76 in sixty digits, written independently of the product: what pricing tests are judged by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import erfc, exp, log, mp, mpf, pi, sqrt

mp.dps = 60


def exact_price(forward: Any, strike: Any, t_years: Any, vol: Any, is_call: bool, rate: Any = 0) -> Any:
    """Discounted premium; `rate` is continuous."""
    f, k, t, v = mpf(forward), mpf(strike), mpf(t_years), mpf(vol)
    deviation = v * sqrt(t)
    d1 = log(f / k) / deviation + deviation / 2
    d2 = d1 - deviation
    sign = 1 if is_call else -1
    value = sign * (f * _normal(sign * d1) - k * _normal(sign * d2))
    return exp(-mpf(rate) * t) * value


def _normal(x: Any) -> Any:
    return erfc(-x / sqrt(mpf(2))) / 2


def exact_vega(forward: Any, strike: Any, t_years: Any, vol: Any) -> Any:
    f, k, t, v = mpf(forward), mpf(strike), mpf(t_years), mpf(vol)
    d1 = log(f / k) / (v * sqrt(t)) + v * sqrt(t) / 2
    return f * exp(-d1 * d1 / 2) / sqrt(2 * pi) * sqrt(t)


def slope(value: Callable[[Any], Any], at: Any) -> Any:
    """Central difference, wide enough for sixty digits and narrow enough to be exact in twenty."""
    step = mpf(at) * mpf(10) ** -18
    return (value(mpf(at) + step) - value(mpf(at) - step)) / (2 * step)


def exact_implied_vol(price: float, forward: float, strike: float, t_years: float, is_call: bool, near: float) -> Any:
    """The volatility of exactly this double: Newton on the logarithm of the out-of-the-money price, from `near`."""
    intrinsic = max(mpf(forward) - mpf(strike) if is_call else mpf(strike) - mpf(forward), mpf(0))
    other = is_call if intrinsic == 0 else not is_call
    target = log(mpf(price) - intrinsic)
    vol = mpf(near)
    for _ in range(80):
        value = exact_price(forward, strike, t_years, vol, other)
        step = (log(value) - target) * value / exact_vega(forward, strike, t_years, vol)
        vol -= max(min(step, vol / 2), -vol)
        if abs(step) < mpf(10) ** -40:
            return vol
    raise ArithmeticError("no convergence")
