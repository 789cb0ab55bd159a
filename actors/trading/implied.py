"""Implied volatility, exact into the wings: for one price, and for a whole chain.

Owns the way from a premium to the volatility that gives it. Jaeckel's "Let's Be Rational" (2015), in iv-engine's
binding, inverts the *normalised out-of-the-money* price; what would spoil its digits is ours to avoid: an in-the-money
premium hides its time value behind the intrinsic value, so the difference is taken in twice the precision, and
moneyness goes through log1p. Never guesses: a premium that no positive volatility gives has no implied volatility.
Invariant: relative error below 1e-12 of the volatility that belongs to exactly the numbers passed in.
"""

from __future__ import annotations

import math
from typing import TypeVar

import iv_engine
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats)

_SPLIT = 134217729.0  # 2^27 + 1: Dekker's splitter cuts a double into two halves whose products are exact


def log_moneyness(forward: float, strike: float) -> float:
    """ln(forward / strike), exact near the money, where the quotient alone has lost the digits that matter."""
    if 0.5 * strike <= forward <= 2.0 * strike:
        return math.log1p((forward - strike) / strike)
    return math.log(forward / strike)


def implied_vol(
    price: float, forward: float, strike: float, t_years: float, is_call: bool, discount: float = 1.0
) -> float | None:
    """Annual volatility of a discounted premium; None where no volatility above zero gives it.

    So it is for a premium at or below intrinsic, at or above the bound (a call costs less than the forward, a put
    less than the strike), without time left, and for anything that is not a positive finite number.
    """
    if not (price > 0.0 and forward > 0.0 and strike > 0.0 and t_years > 0.0 and discount > 0.0):
        return None
    in_the_money = (forward > strike) == is_call and forward != strike
    sign = 1.0 if is_call else -1.0
    time_value = _less_intrinsic(price, forward, strike, discount, sign) if in_the_money else price
    if not 0.0 < time_value < discount * min(forward, strike):
        return None
    normalised = time_value / (discount * math.sqrt(forward) * math.sqrt(strike))
    moneyness = abs(log_moneyness(forward, strike))
    try:
        deviation = float(iv_engine.normalised_implied_volatility(normalised, -moneyness, True))
    except iv_engine.IVError:
        return None
    return deviation / math.sqrt(t_years) if deviation > 0.0 else None


def implied_vols(
    prices: ArrayLike,
    forward: ArrayLike,
    strikes: ArrayLike,
    t_years: ArrayLike,
    is_call: ArrayLike,
    discount: ArrayLike = 1.0,
) -> Floats:
    """`implied_vol` for arrays that broadcast against each other; NaN where there is none."""
    price, fwd, strike, years, df = (
        np.asarray(each, dtype=np.float64) for each in (prices, forward, strikes, t_years, discount)
    )
    sign = np.where(is_call, 1.0, -1.0)
    with np.errstate(all="ignore"):
        above = fwd - strike
        hidden = sign * above > 0.0
        time_value = np.where(hidden, _less_intrinsic(price, fwd, strike, df, sign), price) if hidden.any() else price
        normalised = time_value / (df * (np.sqrt(fwd) * np.sqrt(strike)))
        moneyness = -np.abs(np.log1p(above / strike))
        if normalised.shape != moneyness.shape:
            normalised, moneyness = np.broadcast_arrays(normalised, moneyness)
        flat = iv_engine.normalised_implied_volatilities(normalised.ravel(), moneyness.ravel(), True, False)
        vols = np.asarray(flat, dtype=np.float64).reshape(normalised.shape) / np.sqrt(years)
        return np.where((vols > 0.0) & (vols < np.inf) & (time_value < df * np.minimum(fwd, strike)), vols, np.nan)


def _less_intrinsic(price: Number, forward: Number, strike: Number, discount: Number, sign: Number) -> Number:
    """price - sign x discount x (forward - strike), in about twice the working precision."""
    forward_high, forward_low = _product(discount, forward)
    strike_high, strike_low = _product(discount, strike)
    first, first_rest = _sum(price, -sign * forward_high)
    second, second_rest = _sum(first, sign * strike_high)
    return second + (first_rest + second_rest + sign * (strike_low - forward_low))


def _sum(a: Number, b: Number) -> tuple[Number, Number]:
    """Knuth's two-sum: the rounded sum and exactly what rounding lost."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def _product(a: Number, b: Number) -> tuple[Number, Number]:
    """Dekker's two-product: the rounded product and exactly what rounding lost."""
    product = a * b
    a_high, b_high = _SPLIT * a, _SPLIT * b
    a_high, b_high = a_high - (a_high - a), b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
