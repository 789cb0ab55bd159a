"""The venue's published smile, read for comparison with ours.

Owns what its numbers mean. Pure; never an input of a price: strategies cannot see it, and what is added here to a quote's
explanation is added after its prices are made. Invariant: the curve is `svi.py`'s, so that ours and theirs are evaluated
by the same code.
"""

from __future__ import annotations

import math

import msgspec

from actors.trading.pricing import SECONDS_PER_YEAR
from actors.trading.quotes import QuotePair
from actors.trading.svi import SviSlice
from actors.venues.dialect import PublishedSmile


def venue_vol(smile: PublishedSmile, strike: float) -> float | None:
    """The annual vol that the published smile gives a strike; None where it says nothing usable there.

    On the feed's own forward, k held within four deviations: Derive's mark (derive.md 7.6).
    """
    t_years = smile.t_years
    if not t_years and smile.written_s:
        t_years = (smile.expiry_s - smile.written_s) / SECONDS_PER_YEAR
    if t_years <= 0.0 or strike <= 0.0:
        return None
    curve = SviSlice(smile.a, smile.b, smile.rho, smile.m, smile.sigma)
    vol = curve.vol(curve.clamped(math.log(strike / smile.forward)), t_years)
    return vol if 0.0 < vol < math.inf else None


def beside(pair: QuotePair, vol: float | None) -> QuotePair:
    """The pair with the published smile's vol among its terms; its prices are what they were."""
    if vol is None or not pair.terms:
        return pair
    return msgspec.structs.replace(pair, terms=pair.terms | {"venue_svi_vol_points": 100 * vol})
