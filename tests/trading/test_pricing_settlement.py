"""The fixing: an option on an average that is partly known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.trading.pricing import SECONDS_PER_YEAR, black76, greeks
from actors.trading.settlement import (
    DERIVE_PRINTS,
    WINDOW_S,
    Fixing,
    averaging_years,
    fixing_greeks,
    prints_known,
)

HALF_HOUR = WINDOW_S / SECONDS_PER_YEAR


@given(st.integers(1, 200), st.floats(0.0, 1e-3), st.floats(1e-9, 1e-6))
def test_averaging_time_is_the_double_sum(prints: int, extra: float, spacing: float) -> None:
    """The closed form equals the mean of min(t_i, t_j) over all pairs of prints left."""
    t_years = extra + prints * spacing
    times = t_years - spacing * np.arange(prints)
    exact = float(np.minimum(times[:, None], times[None, :]).mean())
    assert averaging_years(t_years, prints, spacing) == pytest.approx(exact, rel=1e-9)


def test_a_continuous_average_has_a_third_of_the_variance() -> None:
    """With many prints over the whole remaining time, the averaging time tends to a third of it."""
    assert averaging_years(1.0, 100_000, 1e-5) == pytest.approx(1.0 / 3.0, rel=1e-4)


def test_prints_come_one_a_minute_and_the_last_at_expiry() -> None:
    """Thirty prints: none before the first minute of the window is over, all at expiry."""
    assert [prints_known(seconds, DERIVE_PRINTS) for seconds in (3600, 1800, 1741, 1740, 61, 60, 0, -5)] == [
        0, 0, 0, 1, 28, 29, 30, 30,
    ]  # fmt: skip


@pytest.mark.parametrize("is_call", [True, False])
def test_price_agrees_with_simulation(is_call: bool) -> None:
    """Half-way through the window the price is that of a simulated average of the known and the coming prints."""
    forward, strike, vol, known = 2000.0, 2001.0, 0.8, 15
    fixing = Fixing(mean=2001.5, known=known, total=DERIVE_PRINTS)
    left = DERIVE_PRINTS - known
    spacing = HALF_HOUR / DERIVE_PRINTS
    dice = np.random.default_rng(4)
    moves = dice.normal(size=(200_000, left)) * vol * math.sqrt(spacing) - 0.5 * vol * vol * spacing
    paths = forward * np.exp(np.cumsum(moves, axis=1))
    settlement = (known * fixing.mean + paths.sum(axis=1)) / DERIVE_PRINTS
    payoff = np.maximum(settlement - strike if is_call else strike - settlement, 0.0)
    price = fixing_greeks(fixing, forward, strike, left * spacing, vol, is_call).price
    assert price == pytest.approx(payoff.mean(), abs=4 * payoff.std() / math.sqrt(len(payoff)))


@given(
    st.integers(0, 29),
    st.floats(0.99, 1.01),
    st.floats(0.99, 1.01),
    st.floats(0.2, 1.5),
    st.booleans(),
    st.sampled_from([1.0, 0.999]),
)
def test_greeks_of_the_fixing_are_derivatives(
    known: int, mean: float, ratio: float, vol: float, is_call: bool, discount: float
) -> None:
    """Delta, vega and theta agree with central differences of the price, by the forward that is still to be printed."""
    forward, strike = 2000.0, 2000.0 * ratio
    fixing = Fixing(2000.0 * mean, known, DERIVE_PRINTS)
    t_years = HALF_HOUR * (DERIVE_PRINTS - known + 0.5) / DERIVE_PRINTS
    rate = -math.log(discount) / t_years

    def price(f: float = forward, v: float = vol, t: float = t_years) -> float:
        return fixing_greeks(fixing, f, strike, t, v, is_call, math.exp(-rate * t)).price

    ours = fixing_greeks(fixing, forward, strike, t_years, vol, is_call, discount)

    def slope(low: Any, high: Any, step: float) -> float:
        return float(high - low) / (2 * step)

    assert ours.delta == pytest.approx(slope(price(f=forward - 0.01), price(f=forward + 0.01), 0.01), abs=1e-5)
    assert ours.vega == pytest.approx(slope(price(v=vol - 1e-4), price(v=vol + 1e-4), 1e-4), abs=1e-4)
    step = 1e-4 * HALF_HOUR
    theta = -slope(price(t=t_years - step), price(t=t_years + step), step)
    assert ours.theta == pytest.approx(theta, rel=1e-3, abs=1e-4 / HALF_HOUR)


@given(st.floats(1990.0, 2010.0), st.floats(0.2, 1.5))
def test_delta_and_gamma_fade_as_the_fixing_accumulates(strike: float, vol: float) -> None:
    """Delta never exceeds the share still to come, and with everything known only intrinsic value is left."""
    for known in range(DERIVE_PRINTS + 1):
        fixing = Fixing(2000.0, known, DERIVE_PRINTS)
        t_years = HALF_HOUR * (DERIVE_PRINTS - known) / DERIVE_PRINTS
        ours = fixing_greeks(fixing, 2000.0, strike, t_years, vol, True)
        assert 0.0 <= ours.delta <= fixing.weight_left
        assert ours.gamma >= 0.0
    assert (ours.delta, ours.gamma, ours.vega, ours.theta) == (0.0, 0.0, 0.0, 0.0)
    assert ours.price == max(2000.0 - strike, 0.0)


def test_at_the_strike_gamma_dies_where_a_plain_option_explodes() -> None:
    """In the last minute a plain at-the-money gamma is many times that of the average's option."""
    t_years = HALF_HOUR / DERIVE_PRINTS
    ours = fixing_greeks(Fixing(2000.0, 29, DERIVE_PRINTS), 2000.0, 2000.0, t_years, 0.8, True)
    assert ours.gamma < greeks(2000.0, 2000.0, t_years, 0.8, True).gamma / 20


def test_what_is_certain_is_priced_so() -> None:
    """A call whose strike the known part already exceeds is a forward on the rest; its put is worthless."""
    fixing = Fixing(2000.0, 20, DERIVE_PRINTS)
    call = fixing_greeks(fixing, 2000.0, 1000.0, HALF_HOUR / 3, 0.8, True)
    put = fixing_greeks(fixing, 2000.0, 1000.0, HALF_HOUR / 3, 0.8, False)
    assert (call.price, call.delta) == (pytest.approx(1000.0), pytest.approx(1 / 3))
    assert (put.price, put.delta) == (0.0, 0.0)


def test_before_the_window_it_is_hardly_different_from_a_plain_option() -> None:
    """A day ahead the average over the last half hour takes about a percent off the variance, and nothing is known."""
    fixing = Fixing(0.0, 0, DERIVE_PRINTS)
    plain = black76(2000.0, 2000.0, 1 / 365, 0.8, True)
    assert fixing_greeks(fixing, 2000.0, 2000.0, 1 / 365, 0.8, True).price == pytest.approx(plain, rel=0.01)
    assert fixing.blended_forward(2000.0) == 2000.0
    assert Fixing(1990.0, 15, 30).blended_forward(2000.0) == 1995.0
