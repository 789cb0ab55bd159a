"""What a fitted surface says on a tick: fair values, repricing, doubt, and the fallbacks."""

from __future__ import annotations

import math
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surface_worlds import DAY_S, NOW, made

from actors.trading.instruments import Instrument, Numeraire, OptionKind
from actors.trading.pricing import SECONDS_PER_YEAR, black76, greeks
from actors.trading.refit import finish, refit
from actors.trading.settlement import Fixing
from actors.trading.surface import FairValue, MarkVol, NoFairValue, Surface, SurfaceSettings
from actors.trading.svi import SviSlice

EXPIRY = int(NOW) + 30 * DAY_S
TRUE = SviSlice(0.012, 0.1, -0.25, 0.0, 0.15)
FORWARD = 2_000.0


def option(
    strike: float = 2_000.0, kind: OptionKind = OptionKind.CALL, numeraire: Numeraire = Numeraire.QUOTE
) -> Instrument:
    return Instrument(
        name=f"ETH-{strike:g}-{kind.value}",
        venue="derive",
        underlying="ETH",
        tick=Decimal("0.1"),
        amount_step=Decimal("0.01"),
        min_amount=1,
        max_amount=10_000,
        kind=kind,
        strike=strike,
        expiry_s=EXPIRY,
        numeraire=numeraire,
    )


def fitted(settings: SurfaceSettings | None = None) -> Surface:
    return finish(refit(made({30: TRUE}), NOW, settings))


def good(value: FairValue | NoFairValue) -> FairValue:
    assert isinstance(value, FairValue), value
    return value


@pytest.mark.parametrize("strike", [1_700.0, 2_000.0, 2_300.0])
@pytest.mark.parametrize("kind", list(OptionKind))
def test_a_fair_value_is_the_black_price_at_the_fitted_vol(strike: float, kind: OptionKind) -> None:
    """Price, Greeks and vol belong together, and the vol is the true one to a fraction of the spread."""
    fair = good(fitted().fair(option(strike, kind), NOW + 1.0, FORWARD))
    t_years = (EXPIRY - NOW - 1.0) / SECONDS_PER_YEAR
    assert fair.source == "surface"
    assert fair.vol == pytest.approx(TRUE.vol(math.log(strike / FORWARD), 30 * DAY_S / SECONDS_PER_YEAR), abs=1e-3)
    assert fair.greeks == greeks(FORWARD, strike, t_years, fair.vol, kind is OptionKind.CALL)
    assert fair.price == black76(FORWARD, strike, t_years, fair.vol, kind is OptionKind.CALL)
    assert fair.age_s == 1.0
    assert 0.0 < fair.vol_uncertainty < 0.01
    assert fair.doubtful == ""


def test_a_coin_option_is_worth_its_money_over_the_forward() -> None:
    """The inverse instrument's price and uncertainty are counted in coins, its Greeks stay money."""
    surface = fitted()
    money = good(surface.fair(option(), NOW, FORWARD))
    coin = good(surface.fair(option(numeraire=Numeraire.COIN), NOW, FORWARD))
    assert coin.greeks == money.greeks
    assert coin.price == money.price / FORWARD
    assert coin.uncertainty == money.uncertainty / FORWARD
    assert coin.price_at(2_100.0) == money.price_at(2_100.0) / 2_100.0


@given(st.floats(0.995, 1.005), st.sampled_from([1_800.0, 2_000.0, 2_200.0]), st.sampled_from([0.0, 0.5, 1.0]))
def test_first_order_repricing_agrees_with_a_new_value(ratio: float, strike: float, stickiness: float) -> None:
    """Delta with its skew term and gamma meet the full revaluation to third order, for every skew dynamics."""
    surface = attrs.evolve(SURFACE, settings=SurfaceSettings(stickiness=stickiness))
    old = good(surface.fair(option(strike), NOW, FORWARD))
    new = good(surface.fair(option(strike), NOW, FORWARD * ratio))
    move = FORWARD * (ratio - 1.0)
    assert old.price_at(FORWARD * ratio) == pytest.approx(new.price, abs=1e-6 + 5e-4 * move * move)


SURFACE = fitted()


@pytest.mark.parametrize("strike", [1_800.0, 2_000.0, 2_200.0])
def test_skew_dynamics_are_the_stated_ones(strike: float) -> None:
    """Sticky moneyness carries the smile along with the forward; sticky strike leaves each strike's vol alone."""
    riding = attrs.evolve(SURFACE, settings=SurfaceSettings(stickiness=1.0))
    standing = attrs.evolve(SURFACE, settings=SurfaceSettings(stickiness=0.0))
    moved = FORWARD * 1.03
    at_fit = SURFACE.vol(EXPIRY, strike, FORWARD)
    assert standing.vol(EXPIRY, strike, moved) == pytest.approx(at_fit)
    assert riding.vol(EXPIRY, strike * 1.03, moved) == pytest.approx(at_fit)
    fair = good(standing.fair(option(strike), NOW, moved))
    assert fair.delta == fair.greeks.delta


def test_delta_contains_the_smile_that_rides_along() -> None:
    """With sticky moneyness the reported delta is the slope of the whole revaluation, not of one volatility's price."""
    strike, step = 1_800.0, 0.01
    high, low = (good(SURFACE.fair(option(strike), NOW, FORWARD + side * step)).price for side in (1, -1))
    fair = good(SURFACE.fair(option(strike), NOW, FORWARD))
    assert fair.delta == pytest.approx((high - low) / (2 * step), rel=1e-6)
    assert abs(fair.delta - fair.greeks.delta) > 0.01


def test_doubt_grows_with_age_and_beyond_the_quoted_strikes() -> None:
    """An older surface and a strike nobody quotes are less certain, and far outside it is said in words."""
    fresh = good(SURFACE.fair(option(), NOW, FORWARD))
    older = good(SURFACE.fair(option(), NOW + 20.0, FORWARD))
    far = good(SURFACE.fair(option(6_000.0), NOW, FORWARD))
    assert fresh.vol_uncertainty < older.vol_uncertainty < far.vol_uncertainty
    assert far.doubtful == "beyond the quoted strikes"


def test_a_misfit_widens() -> None:
    """A slice whose quotes scatter is doubtful, and its uncertainty says so."""
    scattered = finish(refit(made({30: TRUE}, half=0.002, noise=0.012, seed=4), NOW))
    fair = good(scattered.fair(option(), NOW, FORWARD))
    assert "misfit" in fair.doubtful
    assert fair.vol_uncertainty > 2 * good(SURFACE.fair(option(), NOW, FORWARD)).vol_uncertainty


def test_the_fallback_chain_is_explicit() -> None:
    """Own surface, else a fresh mark vol, else the reasons why neither will do."""
    mark = MarkVol(0.6, NOW + 39.0)
    assert good(SURFACE.fair(option(), NOW + 20.0, FORWARD, mark)).source == "surface"
    fallen_back = good(SURFACE.fair(option(), NOW + 40.0, FORWARD, mark))
    assert (fallen_back.source, fallen_back.vol, fallen_back.age_s) == ("venue mark", 0.6, 1.0)
    assert fallen_back.doubtful == "surface is 40.0 s old, limit 30 s"
    assert fallen_back.vol_uncertainty > 0.02
    nothing = SURFACE.fair(option(), NOW + 60.0, FORWARD, mark)
    assert nothing == NoFairValue(
        option().name, "surface is 60.0 s old, limit 30 s; mark vol is 21.0 s old, limit 15 s"
    )
    assert Surface.empty().fair(option(), NOW, FORWARD) == NoFairValue(
        option().name, "no fitted smile for this expiry; no mark vol from the venue"
    )


def test_a_refused_expiry_says_why() -> None:
    """An expiry whose quotes made no smile gives its reason to whoever asks."""
    refused = finish(refit(made({30: TRUE}, strikes=4), NOW))
    answer = refused.fair(option(), NOW, FORWARD)
    assert isinstance(answer, NoFairValue)
    assert "4 fresh two-sided out-of-the-money quotes, need 5" in answer.reason


@pytest.mark.parametrize(("now", "forward"), [(EXPIRY, FORWARD), (NOW, 0.0), (NOW, math.nan), (NOW, math.inf)])
def test_no_time_or_no_forward_is_no_value(now: float, forward: float) -> None:
    """At expiry, or without a usable forward, there is nothing to say."""
    assert isinstance(SURFACE.fair(option(), now, forward), NoFairValue)


@pytest.mark.parametrize("vol", [0.0, -1.0, math.nan, math.inf])
def test_a_mark_vol_that_is_none_is_not_used(vol: float) -> None:
    """Zero is how venues say "none"."""
    assert isinstance(Surface.empty().fair(option(), NOW, FORWARD, MarkVol(vol, NOW)), NoFairValue)


def test_inside_the_fixing_the_average_is_priced() -> None:
    """With half of the prints known the delta is at most half."""
    near = EXPIRY - 900.0
    surface = attrs.evolve(SURFACE, fitted_at=near)
    fair = good(surface.fair(option(), near, FORWARD, fixing=Fixing(FORWARD, 15, 30)))
    assert 0.2 < fair.greeks.delta < 0.3


def test_a_discount_rate_is_applied_when_asked_for() -> None:
    """Neither venue discounts by default; with a rate all money is worth less."""
    rich = attrs.evolve(SURFACE, settings=SurfaceSettings(discount_rate=0.05))
    ratio = good(rich.fair(option(), NOW, FORWARD)).price / good(SURFACE.fair(option(), NOW, FORWARD)).price
    assert ratio == pytest.approx(math.exp(-0.05 * 30 / 365))
