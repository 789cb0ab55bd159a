"""Implied volatility in the synthetic world: SSVI slices on one variance level, or the vols of a recorded chain.

Owns the shape of volatility over strikes and tenors, and its dynamics. The dynamics: the smile floats with the forward
(it is a function of ln(strike / forward)) and its level follows the index's own variance, which is correlated with the
index; short tenors follow it fully, long ones hardly. Never prices an option. Invariant: synthetic slices carry neither
butterfly nor calendar arbitrage (Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces", 2014).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from actors.trading.svi import SviSlice
from actors.venues.paper.terms import WorldSettings


class Smile(Protocol):
    def total_variance(self, k: float) -> float:
        """Variance to expiry (annual variance x years) at log-moneyness k = ln(strike / forward)."""


def ssvi_slice(theta: float, skew: float, wing: float) -> SviSlice:
    """The SSVI slice of at-the-money total variance `theta`, with phi(theta) = wing / sqrt(theta (1 + theta))."""
    phi = wing / math.sqrt(theta * (1.0 + theta))
    root = math.sqrt(1.0 - skew * skew)
    return SviSlice(a=0.5 * theta * root * root, b=0.5 * theta * phi, rho=skew, m=-skew / phi, sigma=root / phi)


def expected_variance(settings: WorldSettings, variance: float, t_years: float) -> float:
    """Total variance expected until `t_years`, from the present annual variance: what at-the-money options are worth.

    The diffusion's variance reverts exponentially to its long-run mean; the jumps' comes on top.
    """
    long_run = settings.vol_annual**2
    x = settings.reversion_per_year * t_years
    weight = -math.expm1(-x) / x if x > 1e-12 else 1.0
    jumps = settings.jumps_per_day * 365.0 * settings.jump_std_fraction**2
    return t_years * (long_run + (variance - long_run) * weight + jumps)


class RecordedSmile:
    """The vols of a recorded expiry over log-moneyness, joined by straight lines and flat beyond the last strikes."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        """`points`: (k, annual vol on the venue's clock) in rising k, at least one."""
        self._ks = [k for k, _ in points]
        self._vols = [vol for _, vol in points]
        self.t_years = 0.0
        """Time left, kept up to date by the world; so is"""
        self.level = 1.0
        """the factor on the total variance."""

    def vol(self, k: float) -> float:
        """Annual vol before `level`."""
        ks, vols = self._ks, self._vols
        at = bisect_left(ks, k)
        if at == 0:
            return vols[0]
        if at == len(ks):
            return vols[-1]
        share = (k - ks[at - 1]) / (ks[at] - ks[at - 1])
        return vols[at - 1] + share * (vols[at] - vols[at - 1])

    def total_variance(self, k: float) -> float:
        vol = self.vol(k)
        return vol * vol * self.t_years * self.level
