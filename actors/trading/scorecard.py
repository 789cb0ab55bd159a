"""How well a surface tells the market: per expiry, which quotes it lies inside of and how far from mid it is.

Owns the definitions behind every published number of the surface. Never fits, never leaves a quote out because the fit
did: every two-sided, uncrossed, out-of-the-money quote counts, also those the fit rejected.
Invariant: *core* is a quote whose option has an absolute call delta between 0.05 and 0.95 on the surface itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from actors.trading import arbitrage
from actors.trading.pricing import SECONDS_PER_YEAR
from actors.trading.refit import is_out_of_the_money, quoted_vols
from actors.trading.surface import FittedSlice, SmileQuote, Surface
from actors.trading.svi import Floats

CORE_DELTA = (0.05, 0.95)
LEAST_QUOTES = 6
"""Expiries with fewer two-sided out-of-the-money quotes are not scored."""


@attrs.frozen(eq=False)
class ExpiryScore:
    """One expiry against its quotes, sorted by strike; `fitted` is NaN where there is no trusted slice."""

    expiry_s: int
    t_years: float
    quotes: tuple[SmileQuote, ...]
    k: Floats
    bid: Floats
    ask: Floats
    fitted: Floats
    core: NDArray[np.bool_]
    slice: FittedSlice | None
    refused: str

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Where the surface lies within bid and ask."""
        return np.asarray((self.fitted >= self.bid) & (self.fitted <= self.ask))

    def rmse_vol_points(self, core_only: bool = True) -> float:
        """Root mean square distance of the surface from the mid implied vol; NaN without a slice.

        An offer dearer than the option could ever be has no implied vol, and its quote no middle: it is left out.
        """
        away = (self.fitted - 0.5 * (self.bid + self.ask))[self.core if core_only and self.core.any() else slice(None)]
        away = away[~np.isinf(away)]
        return 100.0 * math.sqrt(float(np.mean(away**2))) if len(away) else math.nan


@attrs.frozen
class SurfaceScore:
    """All scored expiries of one or several surfaces together."""

    expiries: tuple[ExpiryScore, ...]
    violations: arbitrage.Violations

    @property
    def inside_core(self) -> float:
        return _share([each.inside[each.core] for each in self.expiries])

    @property
    def inside_all(self) -> float:
        return _share([each.inside for each in self.expiries])

    @property
    def rmse_median_vol_points(self) -> float:
        """Median over expiries of the core quotes' distance from mid."""
        distances = [each.rmse_vol_points() for each in self.expiries]
        return median(math.inf if math.isnan(each) else each for each in distances) if distances else math.nan


def score(surfaces: Iterable[tuple[Surface, Sequence[SmileQuote]]], now: float) -> SurfaceScore:
    """Scores each surface against its own underlying's quotes; violations are counted within each surface."""
    expiries: list[ExpiryScore] = []
    butterfly = calendar = 0
    for surface, quotes in surfaces:
        expiries += _scored(surface, quotes, now)
        found = arbitrage.violations([each.curve for _, each in sorted(surface.slices.items())])
        butterfly += found.butterfly
        calendar += found.calendar
    return SurfaceScore(tuple(expiries), arbitrage.Violations(butterfly, calendar))


def _scored(surface: Surface, quotes: Sequence[SmileQuote], now: float) -> list[ExpiryScore]:
    by_expiry: dict[int, list[SmileQuote]] = {}
    for quote in quotes:
        if quote.bid and quote.ask and quote.bid < quote.ask and is_out_of_the_money(quote) and quote.expiry_s > now:
            by_expiry.setdefault(quote.expiry_s, []).append(quote)
    return [
        _scored_expiry(surface, expiry_s, sorted(rows, key=lambda each: each.strike), now)
        for expiry_s, rows in sorted(by_expiry.items())
        if len(rows) >= LEAST_QUOTES
    ]


def _scored_expiry(surface: Surface, expiry_s: int, quotes: Sequence[SmileQuote], now: float) -> ExpiryScore:
    t_years = (expiry_s - now) / SECONDS_PER_YEAR
    k, bid, ask = quoted_vols(quotes, t_years)
    bid = np.where(np.isnan(bid), 0.0, bid)  # a bid below intrinsic bounds nothing
    ask = np.where(np.isnan(ask), math.inf, ask)  # nor does an offer above all that the option can be worth
    sliced = surface.slices.get(expiry_s)
    if sliced is None:
        fitted, core = np.full(len(k), np.nan), np.zeros(len(k), dtype=np.bool_)
    else:
        fitted = np.array([sliced.curve.vol(each, sliced.t_years) for each in k.tolist()])
        deviation = fitted * math.sqrt(t_years)
        delta = ndtr(-k / deviation + 0.5 * deviation)
        core = np.asarray((delta > CORE_DELTA[0]) & (delta < CORE_DELTA[1]))
    refused = surface.refused.get(expiry_s, "")
    return ExpiryScore(expiry_s, t_years, tuple(quotes), k, bid, ask, fitted, core, sliced, refused)


def _share(parts: Sequence[NDArray[np.bool_]]) -> float:
    total = sum(len(each) for each in parts)
    return sum(int(each.sum()) for each in parts) / total if total else math.nan
