"""The value a strategy quotes around, and the safe way of standing and leaning around it.

Owns the explicit fallback (own surface, else the venue's mark brought up to the newest index, else nothing), the fee a
fill will cost, and the two promises every fair-value strategy keeps. Never rounds, never widens to the operator's
minimum: `quoting.py` does. Invariant: a wish that leaves `stand` neither bids above fair value less the fee nor offers
below fair value plus it, and leans by at most `max_skew` half-spreads.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from actors.trading.books import Market, present
from actors.trading.instruments import Numeraire
from actors.trading.strategies import View, Wish
from actors.trading.surface import SurfaceSettings

MARK_DOUBT = SurfaceSettings().mark_uncertainty
"""One standard deviation of a venue's mark vol about fair: as much as a surface doubts it when it falls back on it."""

OWN = "surface"
"""`FairValue.source` of a fitted smile, as against the surface's own fallback on the venue's mark."""

Term = tuple[str, float]


@attrs.frozen
class Fair:
    """What a strategy quotes around. Prices in the instrument's premium."""

    price: float
    uncertainty: float
    """One standard deviation of `price`."""
    age_s: float
    is_own: bool
    """True: a smile of ours. False: the venue's mark."""


def fair_of(view: View) -> Fair | None:
    """Own surface, else the venue's mark repriced to the newest index, else None."""
    if view.fair is not None:
        price = present(view.fair.price)
        return None if price is None else Fair(price, view.fair.uncertainty, view.fair.age_s, view.fair.source == OWN)
    if view.mark is None:
        return None
    doubt = 0.0 if view.greeks is None else view.greeks.vega * MARK_DOUBT
    price = max(0.0, view.mark + index_drift(view))
    return Fair(price, view.market.premium(doubt) or 0.0, 0.0, False)


def index_drift(view: View) -> float:
    """What the mark has gained since its index, to second order in the index's move, in premium; 0 when not known."""
    now, then = view.index_moves.price, view.market.index
    if view.greeks is None or not now or not then:
        return 0.0
    forward = view.market.forward or then
    move = (now / then - 1) * forward * view.index_share
    gained = (view.greeks.delta + view.greeks.gamma * move / 2) * move
    if view.market.instrument.numeraire is Numeraire.QUOTE:
        return gained
    return (gained - (view.mark or 0.0) * move) / (forward + move)


def premium_delta(view: View) -> float:
    """What one unit gains per 1 of the index, in quote currency, *as quoted*.

    A coin premium p is itself worth more as the coin rises, so a quote in coin goes stale by delta - p only.
    """
    assert view.greeks is not None  # callers ask for Greeks first
    delta = view.greeks.delta if view.fair is None else view.fair.delta
    if view.market.instrument.numeraire is Numeraire.QUOTE:
        return delta
    return delta - view.greeks.price / (view.market.forward or 1.0)


def maker_fee(market: Market, price: float) -> float:
    """What one unit filled as maker costs, in premium: a rate of the index (of one coin), capped by a share of `price`."""
    fees = market.instrument.fees
    unit = 1.0 if market.instrument.numeraire is Numeraire.COIN else market.index or market.forward or 0.0
    fee = fees.maker_rate * unit
    return min(fee, fees.cap * price) if fees.cap > 0 else fee


def stand(fair: float, half: float, skew: float, fee: float, max_skew: float, terms: Sequence[Term]) -> Wish:
    """Bid and ask a half-spread about fair value moved by `skew`; all in premium, `max_skew` in half-spreads.

    With `max_skew` up to 1 leaning alone never brings a side through fair value; the fee is kept clear in any case.
    """
    leaning = max(-max_skew * half, min(max_skew * half, skew))
    bid, ask = min(fair + leaning - half, fair - fee), max(fair + leaning + half, fair + fee)
    return Wish(bid, ask, terms={"fair": fair, **dict(terms), "fee": fee, "half_spread": half, "skew": leaning})
