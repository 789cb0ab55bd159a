"""The price and the Greeks of one option: Black (1976) on the expiry's forward, discounted.

Owns the scalar formulas of the tick path (`math` only: numpy on one element is twenty times slower); a whole chain at
once is in `chain_pricing.py`, implied volatility in `implied.py`, coin premiums in `inverse.py`, the last half hour in
`settlement.py`. Never rounds to ticks, never looks at a clock: `t_years` is passed in, years of 365 days.
Invariant: a call less a put is discount x (forward - strike) to the last bits, because the in-the-money price *is* the
out-of-the-money one plus the intrinsic value.
"""

from __future__ import annotations

import math

import msgspec

from actors.trading.implied import implied_vol, log_moneyness

__all__ = ["SECONDS_PER_YEAR", "Greeks", "black76", "greeks", "implied_vol", "log_moneyness"]

SECONDS_PER_YEAR = 365.0 * 86400.0
"""Both venues count years of 365 days."""

_SQRT_HALF = math.sqrt(0.5)
_INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


class Greeks(msgspec.Struct, frozen=True, gc=False):
    """Derivatives of the discounted premium, in the forward's currency, for one unit of the underlying."""

    price: float
    delta: float
    """Per 1 of the forward."""
    gamma: float
    """Delta per 1 of the forward."""
    vega: float
    """Per 1.00 of volatility (a vol point is 0.01: divide by 100)."""
    theta: float
    """Per year that passes (a day: divide by 365), forward and volatility standing still."""
    rho: float
    """Per 1.00 of the discount rate, the forward standing still: -t x price."""
    vanna: float
    """Delta per 1.00 of volatility, which is also vega per 1 of the forward."""
    volga: float
    """Vega per 1.00 of volatility."""


def black76(
    forward: float, strike: float, t_years: float, vol: float, is_call: bool, discount: float = 1.0
) -> float:
    """The premium in the forward's currency; at no time or no volatility the discounted intrinsic value.

    ValueError for a forward or a strike that is not positive.
    """
    if not (forward > 0.0 and strike > 0.0):
        raise ValueError(f"forward {forward} and strike {strike} must be positive")
    above = forward - strike
    intrinsic = max(above if is_call else -above, 0.0)
    if t_years <= 0.0 or vol <= 0.0:
        return discount * intrinsic
    deviation = vol * math.sqrt(t_years)
    d1 = log_moneyness(forward, strike) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    if above <= 0.0:  # the out-of-the-money side is the call
        time_value = forward * math.erfc(-d1 * _SQRT_HALF) - strike * math.erfc(-d2 * _SQRT_HALF)
    else:
        time_value = strike * math.erfc(d2 * _SQRT_HALF) - forward * math.erfc(d1 * _SQRT_HALF)
    return discount * (intrinsic + 0.5 * max(time_value, 0.0))


def greeks(forward: float, strike: float, t_years: float, vol: float, is_call: bool, discount: float = 1.0) -> Greeks:
    """Price and Greeks; units on `Greeks`. At no time or no volatility: intrinsic, its slope, and zeros.

    Formulas: Black (1976), differentiated at a fixed forward; theta contains the discount's own decay.
    """
    price = black76(forward, strike, t_years, vol, is_call, discount)
    if t_years <= 0.0 or vol <= 0.0:
        return Greeks(price, _slope_at_expiry(forward, strike, is_call, discount), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    root_t = math.sqrt(t_years)
    deviation = vol * root_t
    d1 = log_moneyness(forward, strike) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    density = discount * math.exp(-0.5 * d1 * d1) * _INV_SQRT_2PI
    vega = forward * density * root_t
    delta = 0.5 * discount * (math.erfc(-d1 * _SQRT_HALF) if is_call else -math.erfc(d1 * _SQRT_HALF))
    rate = -math.log(discount) / t_years if discount != 1.0 else 0.0
    return Greeks(
        price=price,
        delta=delta,
        gamma=density / (forward * deviation),
        vega=vega,
        theta=rate * price - 0.5 * vega * vol / t_years,
        rho=-t_years * price,
        vanna=-density * d2 / vol,
        volga=vega * d1 * d2 / vol,
    )


def _slope_at_expiry(forward: float, strike: float, is_call: bool, discount: float) -> float:
    """The delta of the intrinsic value; half of it exactly at the strike."""
    finishes_in = 0.5 if forward == strike else float((forward > strike) == is_call)
    return discount * (finishes_in if is_call else -finishes_in)
