"""Greeks as each venue publishes them, so that theirs and ours can be compared number by number.

Owns the two venues' definitions; ours are in `pricing.py`. Derive's are finite differences of an undiscounted Black-76
premium (the forward bumped up a thousandth, a whole vol point, a whole day), as the protocol reference recomputed them
from v3 tickers; the two v2 tickers of spring 2026 that are kept as samples show plain derivatives instead, per vol point
and per day, which `pricing.greeks` gives. Deribit's are derivatives. Never used to trade.
Invariant: what is published is in quote currency for one unit of the underlying, on both venues.
"""

from __future__ import annotations

import msgspec

from actors.trading.pricing import black76, greeks, log_moneyness
from actors.trading.svi import SviSlice

DAY_YEARS = 1.0 / 365.0
FORWARD_BUMP = 1e-3
VOL_POINT = 0.01
PERCENT = 0.01


class PublishedGreeks(msgspec.Struct, frozen=True, gc=False):
    """Delta per 1 of the forward, gamma delta per 1 of it, vega per vol point, theta per day; rho as documented below."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


def derive_greeks(forward: float, strike: float, t_years: float, vol: float, is_call: bool) -> PublishedGreeks:
    """Derive's ticker: changes of the premium for whole steps. Rho is price x years.

    Gamma is the derivative (four recorded tickers of five agree; in the fifth the venue's was a quarter lower).
    """
    price = black76(forward, strike, t_years, vol, is_call)
    bump = FORWARD_BUMP * forward
    return PublishedGreeks(
        delta=(black76(forward + bump, strike, t_years, vol, is_call) - price) / bump,
        gamma=greeks(forward, strike, t_years, vol, is_call).gamma,
        vega=black76(forward, strike, t_years, vol + VOL_POINT, is_call) - price,
        theta=black76(forward, strike, t_years - DAY_YEARS, vol, is_call) - price,
        rho=t_years * price,
    )


def deribit_greeks(forward: float, strike: float, t_years: float, vol: float, is_call: bool) -> PublishedGreeks:
    """Deribit's ticker: Black-Scholes derivatives, the delta not net of premium.

    Theta is a day's; an option with less than a day to run loses what it has of time value. Rho is for a whole percent,
    the *index* standing still while the forward carries the rate (all ten recorded options of 2021 agree).
    """
    ours = greeks(forward, strike, t_years, vol, is_call)
    at_expiry = black76(forward, strike, 0.0, vol, is_call)
    return PublishedGreeks(
        delta=ours.delta,
        gamma=ours.gamma,
        vega=ours.vega * VOL_POINT,
        theta=ours.theta * DAY_YEARS if t_years >= DAY_YEARS else at_expiry - ours.price,
        rho=t_years * (forward * ours.delta - ours.price) * PERCENT,
    )


def derive_feed_vol(feed: SviSlice, forward: float, strike: float, t_years: float) -> float:
    """The volatility that Derive's published SVI feed means for a strike: to hold beside our own surface.

    ln(K/F) is held within four deviations sqrt(a + b sigma), as its mark does; a, b and sigma are total variance's.
    """
    return feed.vol(feed.clamped(-log_moneyness(forward, strike)), t_years)
