"""The synthetic smile is free of arbitrage at all times, and moves as it says it does."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.trading.pricing import black76
from actors.venues.paper.smile import RecordedSmile, expected_variance, ssvi_slice
from actors.venues.paper.terms import WorldSettings

variances = st.floats(0.01, 9.0)
years = st.floats(1e-4, 2.0)
skews = st.floats(-0.8, 0.8)
KS = [k / 50 for k in range(-100, 101)]


@given(variances, years, skews, st.floats(0.05, 1.0))
def test_no_butterfly_arbitrage(variance: float, t_years: float, skew: float, wing: float) -> None:
    """Whatever the state of the world, the smile implies a density that is nowhere negative."""
    curve = ssvi_slice(expected_variance(WorldSettings(), variance, t_years), skew, wing)
    assert all(curve.total_variance(k) > 0.0 for k in KS)
    assert all(curve.density_test(k) >= -1e-9 for k in KS)


@given(variances, years, years)
def test_no_calendar_arbitrage(variance: float, t_years: float, longer: float) -> None:
    """At every moneyness, a longer expiry has the larger total variance."""
    settings = WorldSettings()
    near, far = (
        ssvi_slice(expected_variance(settings, variance, t), settings.skew, settings.wing)
        for t in sorted((t_years, longer))
    )
    assert all(near.total_variance(k) <= far.total_variance(k) * (1.0 + 1e-9) for k in KS)


def test_prices_of_calls_fall_with_the_strike_and_are_convex() -> None:
    """Seen as prices too: every butterfly of the default world costs something."""
    settings, t_years, forward = WorldSettings(), 30 / 365, 3000.0
    curve = ssvi_slice(expected_variance(settings, settings.vol_annual**2, t_years), settings.skew, settings.wing)
    prices = [
        black76(forward, strike, t_years, curve.vol(math.log(strike / forward), t_years), True)
        for strike in range(1500, 6000, 50)
    ]
    assert all(a > b for a, b in pairwise(prices))
    assert all(a + c > 2 * b for a, b, c in zip(prices, prices[1:], prices[2:], strict=False))


def test_the_money_is_worth_the_expected_variance() -> None:
    """At the money the slice returns the total variance it was made of."""
    theta = expected_variance(WorldSettings(), 0.5, 0.25)
    assert ssvi_slice(theta, -0.2, 1.1).total_variance(0.0) == pytest.approx(theta, rel=1e-12)


def test_short_tenors_follow_the_variance_and_long_ones_hardly() -> None:
    """Doubling the present variance nearly doubles a day's, and moves two years' by little."""
    settings = WorldSettings(jumps_per_day=0.0)
    present = settings.vol_annual**2
    ratios = [expected_variance(settings, 2 * present, t) / expected_variance(settings, present, t) for t in (1 / 365, 2.0)]
    assert ratios[0] == pytest.approx(2.0, rel=0.02)
    assert 1.0 < ratios[1] < 1.1


def test_a_recorded_smile_goes_through_its_points() -> None:
    """Between strikes it is a straight line in vol, beyond them it is flat."""
    smile = RecordedSmile([(-0.2, 0.8), (0.0, 0.6), (0.3, 0.9)])
    assert [smile.vol(k) for k in (-1.0, -0.2, -0.1, 0.0, 0.15, 0.3, 2.0)] == pytest.approx(
        [0.8, 0.8, 0.7, 0.6, 0.75, 0.9, 0.9]
    )
    smile.t_years, smile.level = 0.25, 4.0
    assert smile.total_variance(0.0) == pytest.approx(0.36)
