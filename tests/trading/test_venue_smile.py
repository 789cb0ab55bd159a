"""The venue's published smile: the same curve as ours, and never more than a remark beside a quote."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.trading.quotes import Quote, QuotePair
from actors.trading.svi import SviSlice
from actors.trading.venue_smile import beside, venue_vol
from actors.venues.dialect import PublishedSmile

EXPIRY_S = 1_800_000_000
CURVE = SviSlice(a=0.004, b=0.02, rho=-0.3, m=0.01, sigma=0.12)


def published(t_years: float = 0.1, written_s: float = 0.0) -> PublishedSmile:
    return PublishedSmile(EXPIRY_S, *msgspec.structs.astuple(CURVE), 3000.0, t_years, written_s)


@given(strike=st.floats(2300.0, 3900.0), t_years=st.floats(0.003, 2.0))
def test_the_vol_is_our_own_evaluation_of_the_curve(strike: float, t_years: float) -> None:
    """Where nothing is held back, published and fitted numbers give the same vol to the last bit."""
    assert venue_vol(published(t_years), strike) == CURVE.vol(math.log(strike / 3000.0), t_years)


def test_wings_are_held_as_the_venue_holds_them() -> None:
    """Beyond four deviations the vol stays what it is there."""
    end = 4.0 * math.sqrt(CURVE.a + CURVE.b * CURVE.sigma)
    at_end = CURVE.vol(end, 0.1)
    assert venue_vol(published(), 3000.0 * math.exp(end + 1.0)) == pytest.approx(at_end, rel=1e-12)
    assert venue_vol(published(), 3000.0 * math.exp(end + 2.0)) == pytest.approx(at_end, rel=1e-12)
    assert venue_vol(published(), 3000.0 * math.exp(-end - 1.0)) == pytest.approx(CURVE.vol(-end, 0.1), rel=1e-12)


def test_without_a_reference_time_the_life_left_when_it_was_written_counts() -> None:
    """A feed without it is read by its timestamp; with neither, or after the expiry, there is no vol."""
    month_before = EXPIRY_S - 30 * 86_400.0
    assert venue_vol(published(0.0, month_before), 3000.0) == pytest.approx(CURVE.vol(0.0, 30 / 365), rel=1e-12)
    assert venue_vol(published(0.1, month_before), 3000.0) == CURVE.vol(0.0, 0.1)
    assert venue_vol(published(0.0), 3000.0) is None
    assert venue_vol(published(0.0, EXPIRY_S + 1.0), 3000.0) is None


def test_a_curve_below_zero_has_no_vol() -> None:
    """Negative variance is nothing to show."""
    assert venue_vol(msgspec.structs.replace(published(), a=-1.0), 3000.0) is None


def test_beside_a_quote_it_changes_nothing_but_the_explanation() -> None:
    """Prices, sizes and reasons stay; a pair that nothing explains stays as it is."""
    pair = QuotePair("X", 3, Quote(10, 1), Quote(12, 1), 0.0, terms={"fair": 11.0})
    shown = beside(pair, 0.6)
    assert shown.terms == {"fair": 11.0, "venue_svi_vol_points": 60.0}
    assert msgspec.structs.replace(shown, terms=pair.terms) == pair
    assert beside(pair, None) is pair
    bare = msgspec.structs.replace(pair, terms={})
    assert beside(bare, 0.6) is bare
