"""What many paired runs say: means with confidence intervals, paired differences, ratios of variances, break-even.

Two variants on one seed meet the same index, rivals and takers, so differences are taken seed by seed. Intervals are 95 %:
Student's for means, the bootstrap's percentiles (seeds drawn in pairs) for ratios of variances. Invariant: the same
outcomes give the same figures; the bootstrap's generator is seeded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from benchmarks.study_run import HORIZONS_S, Outcome

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]
"""Estimate, lower and upper bound."""

RESAMPLES = 4000
MEASURES = ("pnl", "hedged")


@attrs.frozen
class Summary:
    """One variant over its seeds, per run; adverse selection per contract at each horizon."""

    runs: int
    pnl: Interval
    pnl_std: float
    hedged: Interval
    hedged_std: float
    fills: float
    contracts: float
    captured_per_contract: float
    fee_per_contract: float
    adverse_per_contract: tuple[float, ...]
    requests: float
    worst_pnl: float


def mean_interval(values: Floats) -> Interval:
    mean, size = float(values.mean()), len(values)
    if size < 2:
        return mean, -math.inf, math.inf
    half = float(student.ppf(0.975, size - 1)) * float(values.std(ddof=1)) / math.sqrt(size)
    return mean, mean - half, mean + half


def summary(outcomes: Sequence[Outcome]) -> Summary:
    pnl, hedged = column(outcomes, "pnl"), column(outcomes, "hedged")
    contracts = float(column(outcomes, "contracts").sum())
    per = 1.0 / contracts if contracts else math.nan
    counted = np.array([one.adverse_contracts for one in outcomes]).sum(axis=0)
    moved = np.array([one.adverse for one in outcomes]).sum(axis=0)
    adverse = np.divide(moved, counted, out=np.full(len(HORIZONS_S), math.nan), where=counted > 0)
    return Summary(
        runs=len(outcomes),
        pnl=mean_interval(pnl),
        pnl_std=spread(pnl),
        hedged=mean_interval(hedged),
        hedged_std=spread(hedged),
        fills=float(column(outcomes, "fills").mean()),
        contracts=contracts / len(outcomes),
        captured_per_contract=float(column(outcomes, "captured").sum()) * per,
        fee_per_contract=float(column(outcomes, "fees").sum()) * per,
        adverse_per_contract=tuple(float(each) for each in adverse),
        requests=float(column(outcomes, "requests").mean()),
        worst_pnl=float(pnl.min()),
    )


def column(outcomes: Sequence[Outcome], name: str) -> Floats:
    return np.array([float(getattr(one, name)) for one in outcomes])


def spread(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


@attrs.frozen
class Comparison:
    """One variant less another on the same seeds; `variance_ratio` is the first's over the second's."""

    measure: str
    runs: int
    difference: Interval
    variance_ratio: Interval


def compare(one: Sequence[Outcome], other: Sequence[Outcome], measure: str = "pnl") -> Comparison:
    """ValueError unless both have the same seeds in the same order."""
    if [each.seed for each in one] != [each.seed for each in other]:
        raise ValueError("only runs on the same seeds can be compared")
    first, second = column(one, measure), column(other, measure)
    return Comparison(measure, len(first), mean_interval(first - second), variance_ratio(first, second))


def variance_ratio(first: Floats, second: Floats) -> Interval:
    rng = np.random.default_rng(20_261_122)
    size = len(first)
    if size < 3:
        return math.nan, 0.0, math.inf
    drawn = rng.integers(0, size, (RESAMPLES, size))
    below = second[drawn].var(axis=1, ddof=1)
    ratios = first[drawn].var(axis=1, ddof=1) / np.where(below > 0, below, math.nan)
    low, high = np.nanpercentile(ratios, [2.5, 97.5])
    return float(first.var(ddof=1) / second.var(ddof=1)), float(low), float(high)


def break_even(shares: Sequence[float], means: Sequence[float]) -> float | None:
    """The first informed share at which the mean falls to zero, by straight lines; None when it stays above (or below)."""
    for (x0, y0), (x1, y1) in zip(
        zip(shares, means, strict=True), zip(shares[1:], means[1:], strict=True), strict=False
    ):
        if y0 > 0 >= y1:
            return x0 + (x1 - x0) * y0 / (y0 - y1)
    return None


def text(interval: Interval, digits: int = 2) -> str:
    """"1.23 [1.00, 1.46]"."""
    middle, low, high = interval
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
