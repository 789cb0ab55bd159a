"""Price, Greeks and implied volatility of one option and of a chain, against sixty-digit arithmetic."""

from __future__ import annotations

import math
import random
from typing import Any

import attrs
import numpy as np
import pytest
from exact_black import exact_implied_vol, exact_price, slope
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import exp, log, mpf

from actors.trading.chain_pricing import ChainGreeks, chain_greeks
from actors.trading.implied import implied_vols
from actors.trading.pricing import SECONDS_PER_YEAR, black76, greeks, implied_vol

HOUR = 3600.0 / SECONDS_PER_YEAR

forwards = st.floats(0.5, 200_000.0)
moneyness = st.floats(0.5, 2.5)
years = st.floats(HOUR, 1.0)
vols = st.floats(0.1, 3.0)
discounts = st.floats(0.8, 1.0)
calls = st.booleans()


@given(forwards, moneyness, years, vols, discounts)
def test_a_call_less_a_put_is_the_discounted_forward_less_the_strike(
    forward: float, ratio: float, t_years: float, vol: float, discount: float
) -> None:
    """Put-call parity holds to a few units in the last place of the larger of forward and strike."""
    strike = forward * ratio
    call = black76(forward, strike, t_years, vol, True, discount)
    put = black76(forward, strike, t_years, vol, False, discount)
    assert call - put == pytest.approx(discount * (forward - strike), abs=4e-16 * (call + put + forward))


@settings(max_examples=60, deadline=None)
@given(forwards, moneyness, years, vols, calls, discounts)
def test_price_agrees_with_sixty_digits(
    forward: float, ratio: float, t_years: float, vol: float, is_call: bool, discount: float
) -> None:
    """The premium is right to 1e-14 of the forward, wherever the strike is."""
    strike = forward * ratio
    exact = mpf(discount) * exact_price(forward, strike, t_years, vol, is_call)
    assert abs(black76(forward, strike, t_years, vol, is_call, discount) - exact) < 1e-14 * forward


@settings(max_examples=60, deadline=None)
@given(forwards, st.floats(0.7, 1.5), st.floats(24 * HOUR, 1.0), st.floats(0.2, 2.0), calls, discounts)
def test_every_greek_is_the_derivative_of_the_exact_price(
    forward: float, ratio: float, t_years: float, vol: float, is_call: bool, discount: float
) -> None:
    """Delta to volga agree with finite differences in sixty digits, the discount being exp(-rate x time)."""
    strike = forward * ratio
    rate = -log(mpf(discount)) / mpf(t_years)

    def price(f: Any = forward, t: Any = t_years, v: Any = vol, r: Any = rate) -> Any:
        return exact_price(f, strike, t, v, is_call, r)

    ours = greeks(forward, strike, t_years, vol, is_call, discount)
    size = forward * math.sqrt(t_years)
    expected = {
        "price": (price(), forward),
        "delta": (slope(lambda f: price(f=f), forward), 1.0),
        "gamma": (slope(lambda f: slope(lambda g: price(f=g), f), forward), 1.0 / (vol * size)),
        "vega": (slope(lambda v: price(v=v), vol), size),
        "theta": (-slope(lambda t: price(t=t), t_years), size / t_years),
        "rho": (slope(lambda r: price(r=r), rate) if rate else -mpf(t_years) * price(), forward),
        "vanna": (slope(lambda v: slope(lambda f: price(f=f, v=v), forward), vol), 1.0 / vol),
        "volga": (slope(lambda v: slope(lambda w: price(v=w), v), vol), size / vol),
    }
    for name, (exact, scale) in expected.items():
        assert abs(getattr(ours, name) - exact) < 1e-9 * abs(exact) + 1e-11 * scale, name


@given(forwards, moneyness, calls, discounts, st.sampled_from([(0.0, 0.5), (0.1, 0.0), (-1.0, 0.5)]))
def test_without_time_or_volatility_only_intrinsic_value_is_left(
    forward: float, ratio: float, is_call: bool, discount: float, state: tuple[float, float]
) -> None:
    """At expiry the price is the discounted intrinsic value, delta its slope, everything else zero."""
    strike = forward * ratio
    ours = greeks(forward, strike, *state, is_call, discount)
    assert ours.price == discount * max(forward - strike if is_call else strike - forward, 0.0)
    assert ours.delta in (0.0, discount, -discount, 0.5 * discount, -0.5 * discount)
    assert (ours.gamma, ours.vega, ours.theta, ours.rho, ours.vanna, ours.volga) == (0.0,) * 6


@pytest.mark.parametrize(("forward", "strike"), [(0.0, 100.0), (100.0, 0.0), (-1.0, 100.0), (math.nan, 100.0)])
def test_a_forward_or_strike_that_is_no_price_is_refused(forward: float, strike: float) -> None:
    """Nonsense raises instead of becoming a premium; for an implied vol there simply is none."""
    with pytest.raises(ValueError, match="must be positive"):
        black76(forward, strike, 0.1, 0.5, True)
    with pytest.raises(ValueError, match="must be positive"):
        chain_greeks(forward, [strike], 0.1, 0.5, True)
    assert implied_vol(1.0, forward, strike, 0.1, True) is None
    assert np.isnan(implied_vols(1.0, forward, strike, 0.1, True))


def wing_cases(count: int, seed: int) -> list[tuple[float, float, float, float, bool, float]]:
    """(forward, strike, years, near vol, is call, price): one hour to a year, 50 to 250 % moneyness, in and out."""
    dice = random.Random(seed)
    cases: list[tuple[float, float, float, float, bool, float]] = []
    while len(cases) < count:
        forward = 67_000.0 * dice.uniform(0.5, 1.5)
        strike = forward * dice.uniform(0.5, 2.5)
        t_years = math.exp(dice.uniform(math.log(HOUR), 0.0))
        vol = math.exp(dice.uniform(math.log(0.1), math.log(5.0)))
        is_call = dice.random() < 0.5
        price = float(exact_price(forward, strike, t_years, vol, is_call))
        intrinsic = max(mpf(forward) - mpf(strike) if is_call else mpf(strike) - mpf(forward), mpf(0))
        if price > 1e-290 and mpf(price) > intrinsic:
            cases.append((forward, strike, t_years, vol, is_call, price))
    return cases


def test_implied_vol_is_exact_into_the_wings() -> None:
    """The relative error stays below 1e-12 against sixty digits, for prices down to 1e-290 and deep in the money."""
    cases = wing_cases(250, seed=11)
    assert sum(price < 1e-30 for *_, price in cases) > 10
    for forward, strike, t_years, vol, is_call, price in cases:
        exact = exact_implied_vol(price, forward, strike, t_years, is_call, vol)
        ours = implied_vol(price, forward, strike, t_years, is_call)
        assert ours is not None
        assert abs(ours / exact - 1) < 1e-12, (forward, strike, t_years, is_call, price)


def test_implied_vols_of_an_array_are_those_of_its_elements() -> None:
    """The vectorised form agrees with the scalar one to the last bits."""
    cases = wing_cases(400, seed=12)
    forward, strike, t_years, _, is_call, price = (np.array(each) for each in zip(*cases, strict=True))
    for ours, case in zip(implied_vols(price, forward, strike, t_years, is_call), cases, strict=True):
        assert ours == pytest.approx(implied_vol(case[5], *case[:3], case[4]), rel=1e-14)


@settings(max_examples=200)
@given(forwards, st.floats(0.7, 1.5), st.floats(24 * HOUR, 1.0), st.floats(0.3, 2.0), calls, discounts)
def test_implied_vol_undoes_the_price(
    forward: float, ratio: float, t_years: float, vol: float, is_call: bool, discount: float
) -> None:
    """A discounted premium gives its volatility back, as well as the premium's own last digit allows."""
    strike = forward * ratio
    price = black76(forward, strike, t_years, vol, is_call, discount)
    vega = greeks(forward, strike, t_years, vol, is_call, discount).vega
    if vega > 1e-6 * forward:
        tolerance = 1e-13 + 8e-16 * (price + discount * forward) / (vega * vol)
        assert implied_vol(price, forward, strike, t_years, is_call, discount) == pytest.approx(vol, rel=tolerance)


@pytest.mark.parametrize(
    ("price", "is_call"),
    [(0.0, True), (-1.0, True), (100.0, True), (101.0, True), (math.nan, True), (math.inf, True), (20.0, False), (9, False)],
)
def test_a_premium_outside_its_bounds_has_no_implied_vol(price: float, is_call: bool) -> None:
    """At or below intrinsic value, or at the forward and above, no volatility gives the premium."""
    assert implied_vol(price, 100.0, 120.0, 0.1, is_call) is None
    assert np.isnan(implied_vols([price], 100.0, 120.0, 0.1, is_call)).all()


@settings(max_examples=50)
@given(forwards, st.lists(moneyness, min_size=1, max_size=9), years, vols, calls, st.sampled_from([1.0, 0.97]))
def test_a_chain_is_priced_like_its_options(
    forward: float, ratios: list[float], t_years: float, vol: float, is_call: bool, discount: float
) -> None:
    """The vectorised price and Greeks agree with the scalar ones in every field."""
    strikes = [forward * ratio for ratio in ratios]
    chain = chain_greeks(forward, strikes, t_years, vol, is_call, discount)
    for i, strike in enumerate(strikes):
        ours = greeks(forward, strike, t_years, vol, is_call, discount)
        for field in attrs.fields(ChainGreeks):
            single = getattr(ours, field.name)
            scale = 1e-12 * {"price": forward, "theta": forward / t_years}.get(field.name, 1.0)
            assert getattr(chain, field.name)[i] == pytest.approx(single, rel=1e-9, abs=scale), field.name


def test_a_chain_with_an_expired_option_still_prices_the_others() -> None:
    """No time left for one option gives it intrinsic value and leaves the rest as they are."""
    chain = chain_greeks(100.0, [90.0, 90.0], [0.0, 0.1], 0.5, True)
    assert chain.price[0] == 10.0
    assert chain.vega[0] == 0.0
    assert chain.price[1] == pytest.approx(black76(100.0, 90.0, 0.1, 0.5, True))


def test_exact_arithmetic_itself_is_right() -> None:
    """The reference agrees with a textbook value: at the money F (2 N(s/2) - 1)."""
    assert float(exact_price(100, 100, 1, 0.2, True)) == pytest.approx(7.965567455405804, rel=1e-15)
    assert float(slope(lambda x: exp(x), 1)) == pytest.approx(math.e, rel=1e-15)
