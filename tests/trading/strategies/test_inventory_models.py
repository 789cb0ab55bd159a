"""Avellaneda-Stoikov, GLFT and portfolio vega: against their papers' figures, and by structure."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quoting_markets import deribit_call, derive_call, fair_value, market, priced_view, settings, view_of
from scipy.linalg import expm

from actors.console.settings import LimitSettings
from actors.trading.errors import ConfigError
from actors.trading.fair import maker_fee
from actors.trading.strategies import Inventory, View, Wish, build
from actors.trading.strategies.avellaneda_stoikov import half_spread, reservation_shift
from actors.trading.strategies.glft import constant, distances, slope
from actors.trading.vega_value import Flow, best_distance, hamiltonian, solve
from benchmarks.avellaneda_stoikov import PATHS, PUBLISHED, simulate

FREE = {"avellaneda_stoikov": {}, "glft": {}, "portfolio_vega": {}}


def wish_of(name: str, view: View, inventory: Inventory | None = None, **params: float) -> Wish:
    chosen = settings(strategy=name, params=params, size=1.0)
    return build(chosen, LimitSettings(max_vega=100.0)).quote(view, inventory or Inventory())


def sides(wish: Wish) -> tuple[float, float]:
    """Distance of bid and ask from fair."""
    fair = wish.terms["fair"]
    assert wish.bid is not None
    assert wish.ask is not None
    return fair - wish.bid, wish.ask - fair


# -- the papers


@pytest.mark.parametrize(("gamma", "strategy"), list(PUBLISHED))
def test_the_tables_of_avellaneda_and_stoikov(gamma: float, strategy: str) -> None:
    """Means within three standard errors of a thousand paths; spreads within 7 % (the symmetric strategy's 10 %)."""
    mean, std, final = simulate(gamma, strategy, PATHS, seed=2008).figures()
    published_mean, published_std, published_final = PUBLISHED[gamma, strategy]
    tolerance = 0.07 if strategy == "inventory" else 0.10
    assert abs(mean - published_mean) <= 3 * std / math.sqrt(PATHS)
    assert std == pytest.approx(published_std, rel=tolerance)
    assert final == pytest.approx(published_final, rel=tolerance)


def test_the_formulas_of_avellaneda_and_stoikov() -> None:
    """At the start of their day: two shares long lower the reservation price by 0.8 for gamma 0.1 and sigma 2."""
    assert reservation_shift(2.0, 0.1, 2.0, 1.0) == pytest.approx(-0.8)
    assert half_spread(0.1, 2.0, 1.0, 1.5) == pytest.approx((0.4 + 20 * math.log(1 + 0.1 / 1.5)) / 2)


GLFT = {"gamma": 0.01, "k": 0.3, "sigma": 0.3, "arrivals": 0.9}


def test_the_asymptotic_slope_of_gueant_and_others() -> None:
    """sigma 0.3, A 0.9, k 0.3, gamma 0.01: each lot moves both quotes by 0.067866."""
    assert slope(**GLFT) == pytest.approx(0.067866, abs=5e-7)
    one, two = distances(1.0, **GLFT), distances(2.0, **GLFT)
    assert two[0] - one[0] == pytest.approx(0.067866, abs=5e-7)
    assert two[1] - one[1] == pytest.approx(-0.067866, abs=5e-7)


def test_the_asymptotic_bid_distance_of_gueant_and_others() -> None:
    """3.3130 when flat, from their system of linear equations at T = 600; the closed form is within 0.0002 of it."""
    gamma, k, sigma, arrivals, most = 0.01, 0.3, 0.3, 0.9, 30
    lots = np.arange(-most, most + 1, dtype=float)
    eta = arrivals * (1 + gamma / k) ** -(1 + k / gamma)
    neighbours = np.eye(2 * most + 1, k=1) + np.eye(2 * most + 1, k=-1)
    v = expm(-600 * (np.diag(k * gamma * sigma**2 / 2 * lots**2) - eta * neighbours)) @ np.ones(2 * most + 1)
    exact = math.log(v[most] / v[most + 1]) / k + constant(gamma, k)
    assert exact == pytest.approx(3.3130, abs=5e-5)
    assert distances(0.0, **GLFT)[0] == pytest.approx(exact, abs=2e-4)


def test_the_best_distance_attains_the_hamiltonian() -> None:
    """Against a plain search over distances, for losses and gains."""
    flow = Flow(500.0, 1.3, 0.7, 1.5)
    for loss in (-2.0, 0.0, 0.4, 3.0):
        d = np.linspace(loss, loss + 20, 400_001)
        rate = flow.per_day / (1 + np.exp(flow.alpha + flow.beta * d / flow.vega))
        best = int(np.argmax(rate * (d - loss)))
        assert best_distance(loss, flow.vega, flow.alpha, flow.beta) == pytest.approx(d[best], abs=1e-3)
        assert hamiltonian(np.array([loss]), flow)[0] == pytest.approx((rate * (d - loss))[best], rel=1e-6)


# -- structure of Baldacci, Bergault and Gueant


@pytest.fixture(scope="module")
def flow() -> Flow:
    return Flow(500.0, 1.0, 0.7, 1.5)


def test_the_value_of_vega_is_symmetric_and_concave_without_drift(flow: Flow) -> None:
    """Nobody is paid for holding vega: flat is best, and each unit more costs more than the last."""
    value = np.array(solve(100.0, flow, risk=0.0045, drift=0.0, days=1.0).values)
    assert value == pytest.approx(value[::-1])
    assert int(np.argmax(value)) == len(value) // 2
    assert np.all(np.diff(value, 2) <= 1e-9)


def test_a_drift_of_volatility_makes_the_maker_want_vega(flow: Flow) -> None:
    """The best vega moves to the side the drift pays, and mirrors with the drift's sign."""
    up = np.array(solve(100.0, flow, risk=0.0045, drift=0.3, days=1.0).values)
    down = np.array(solve(100.0, flow, risk=0.0045, drift=-0.3, days=1.0).values)
    assert int(np.argmax(up)) > len(up) // 2
    assert up == pytest.approx(down[::-1])


def test_quotes_are_monotone_in_portfolio_vega() -> None:
    """The more vega is held, the lower both quotes; strictly within the limit."""
    view = priced_view(fair=fair_value(100.0))
    wishes = [wish_of("portfolio_vega", view, Inventory(vega=v), max_skew=10.0) for v in np.linspace(-90, 90, 13)]
    bids, asks = ([getattr(w, side) for w in wishes] for side in ("bid", "ask"))
    assert all(after < before for before, after in pairwise(bids))
    assert all(after <= before for before, after in pairwise(asks))


LIMITS = st.sampled_from([5.0, 10.0, 20.0, 100.0])
BOARD_VEGAS = st.sampled_from([1.0, 5.0, 34.0])
SIZES = st.sampled_from([0.01, 0.1, 1.0])


def limited_wish(limit: float, board_vega: float, size: float, vega: float, **params: float) -> Wish:
    chosen = settings(strategy="portfolio_vega", params={"board_vega": board_vega, **params}, size=size)
    model = build(chosen, LimitSettings(max_vega=limit))
    return model.quote(priced_view(fair=fair_value(100.0)), Inventory(vega=vega))


@given(limit=LIMITS, board_vega=BOARD_VEGAS, size=SIZES, parts=st.tuples(*[st.floats(-1.5, 1.5)] * 2),
       max_skew=st.sampled_from([1.0, 10.0]))  # fmt: skip
def test_more_vega_never_raises_a_quote_whatever_the_limit_and_the_fills(
    limit: float, board_vega: float, size: float, parts: tuple[float, float], max_skew: float
) -> None:
    """However few typical fills the limit holds, and beyond it too: who is long never bids higher than who is less so."""
    less, more = (limited_wish(limit, board_vega, size, limit * x, max_skew=max_skew) for x in sorted(parts))
    assert less.bid is None or more.bid is None or more.bid <= less.bid + 1e-9
    assert less.ask is None or more.ask is None or more.ask <= less.ask + 1e-9


@given(limit=LIMITS, board_vega=BOARD_VEGAS, size=SIZES)
def test_a_flat_book_always_asks_more_than_the_fee(limit: float, board_vega: float, size: float) -> None:
    """At least what pays best with nothing to lose: a fill from flat never makes the book worth more."""
    wish = limited_wish(limit, board_vega, size, 0.0)
    view = priced_view(fair=fair_value(100.0))
    assert view.greeks is not None
    unit = view.greeks.vega / 100
    least = best_distance(0.0, unit, 0.7, 1.5)
    assert least > maker_fee(view.market, 100.0)
    for price, side in ((wish.bid, 1), (wish.ask, -1)):
        assert price is None or (100.0 - price) * side >= least - 1e-9
    assert (wish.bid is None) is (unit * size > limit)


@given(limit=LIMITS, board_vega=BOARD_VEGAS, jump=st.floats(0.01, 60), vega=st.floats(-1.5, 1.5))
def test_a_fill_costs_more_the_more_it_adds_to(limit: float, board_vega: float, jump: float, vega: float) -> None:
    """Per unit of vega, mirrored for sales, never a gain from flat outwards, and beyond the limit as much as at it."""
    value = solve(limit, Flow(500.0, board_vega, 0.7, 1.5), risk=0.0045, drift=0.0, days=1.0)
    at = limit * vega
    assert value.loss(at, jump) == pytest.approx(value.loss(-at, -jump), abs=1e-9)
    assert value.loss(at + 0.1 * limit, jump) >= value.loss(at, jump) - 1e-9
    assert value.loss(0.0, jump) >= -1e-9
    assert value.loss(-1.5 * limit, jump) == value.loss(-limit, jump)
    assert value.loss(1.5 * limit, jump) == value.loss(limit, jump)


@pytest.mark.parametrize("jump", [0.2, 1.0, 1.4])
def test_a_fill_is_priced_as_a_whole_typical_one(jump: float) -> None:
    """v has steps one typical fill wide beside a limit, and what lies within one step tells nothing."""
    value = solve(5.0, Flow(500.0, 1.0, 0.7, 1.5), risk=0.0045, drift=0.0, days=1.0)
    assert value.loss(2.0, jump) == pytest.approx(value.at(2.0) - value.at(3.0))
    assert value.loss(2.0, -jump) == pytest.approx(value.at(2.0) - value.at(1.0))
    assert value.loss(4.5, jump) == pytest.approx(value.at(4.0) - value.at(5.0))


@given(vega=st.floats(-90, 90), gamma=st.floats(-0.05, 0.05))
def test_quotes_mirror_when_the_drifts_agree(vega: float, gamma: float) -> None:
    """Long V the bid stands where the ask stands when short V."""
    view = priced_view(fair=fair_value(100.0))
    long = sides(wish_of("portfolio_vega", view, Inventory(vega=vega, local_gamma=gamma)))
    short = sides(wish_of("portfolio_vega", view, Inventory(vega=-vega, local_gamma=-gamma)))
    assert long == (pytest.approx(short[1]), pytest.approx(short[0]))


@given(vega=st.floats(-150, 150), size=st.sampled_from([0.1, 1.0, 20.0]))
def test_no_quote_whose_fill_would_leave_the_vega_limit(vega: float, size: float) -> None:
    """Beyond the limit only the reducing side remains, and what is missing says why."""
    view = priced_view(fair=fair_value(100.0))
    chosen = settings(strategy="portfolio_vega", size=size)
    wish = build(chosen, LimitSettings(max_vega=100.0)).quote(view, Inventory(vega=vega))
    assert view.greeks is not None
    jump = view.greeks.vega / 100 * size
    assert (wish.bid is None) is (vega + jump > 100.0)
    assert (wish.ask is None) is (vega - jump < -100.0)
    assert bool(wish.reason) is (wish.bid is None or wish.ask is None)


def test_gamma_near_the_strike_lowers_both_quotes() -> None:
    """Long gamma here, more of it is worth less."""
    view = priced_view(fair=fair_value(100.0))
    flat = wish_of("portfolio_vega", view)
    long = wish_of("portfolio_vega", view, Inventory(local_gamma=1.0))
    assert flat.bid is not None
    assert long.bid is not None
    assert long.bid < flat.bid
    assert long.terms["gamma_charge"] > 0


def test_portfolio_vega_needs_a_vega_limit() -> None:
    """The configuration must give what the model lives in."""
    with pytest.raises(ConfigError, match=r"limits\.max_vega: is missing"):
        build(settings(strategy="portfolio_vega"), LimitSettings())


def test_the_rolling_horizon_ends_with_the_option() -> None:
    """With a week left, a horizon of a month counts as a week; a shorter one counts as it is."""
    view = priced_view()
    for asked, counted in ((30.0, 7.0), (2.0, 2.0)):
        wish = wish_of("avellaneda_stoikov", view, sigma=0.5, horizon_days=asked)
        assert wish.terms["model_half"] == pytest.approx(half_spread(0.1, 0.5, counted, 1.5))


# -- what all three share


@pytest.mark.parametrize("name", list(FREE))
@pytest.mark.parametrize("option", [derive_call(), deribit_call()])
def test_flat_quotes_are_symmetric_about_fair(name: str, option: object) -> None:
    """In either numeraire; a coin premium's distance is the money's over the forward."""
    bid, ask = sides(wish_of(name, priced_view(option)))  # type: ignore[arg-type]
    assert bid == pytest.approx(ask)
    assert bid > 0


def test_a_coin_distance_is_the_money_over_the_forward() -> None:
    """The same option in coin stands the same money away."""
    given_sigma = {"sigma": 20.0}
    money = sides(wish_of("avellaneda_stoikov", priced_view(), **given_sigma))
    coin = sides(wish_of("avellaneda_stoikov", priced_view(deribit_call()), **given_sigma))
    assert coin[0] * 3000.0 == pytest.approx(money[0])


@pytest.mark.parametrize("name", ["avellaneda_stoikov", "glft"])
@given(position=st.floats(-50, 50), in_vol=st.booleans())
def test_inventory_leans_within_the_half_spread_and_clear_of_fees(name: str, position: float, in_vol: bool) -> None:
    """Long lowers both quotes, never beyond fair less the fee."""
    view = priced_view(fair=fair_value(100.0))
    fee = maker_fee(view.market, 100.0)
    bid, ask = sides(wish_of(name, view, Inventory(position=position), in_vol=float(in_vol), sigma=3.0))
    assert min(bid, ask) >= fee - 1e-9
    assert (bid - ask) * position >= -1e-9


@pytest.mark.parametrize("name", list(FREE))
def test_no_fair_value_is_no_quote(name: str) -> None:
    """Neither a surface nor a mark."""
    wish = wish_of(name, view_of(market((), ())))
    assert (wish.bid, wish.ask) == (None, None)
    assert "no fair value" in wish.reason


@pytest.mark.parametrize("name", ["avellaneda_stoikov", "glft"])
def test_in_vol_the_vol_of_vol_must_be_given(name: str) -> None:
    """Nothing in the market tells it."""
    with pytest.raises(ConfigError, match=r"quoting\.params\.sigma"):
        build(settings(strategy=name, params={"in_vol": 1}))


def test_in_vol_the_model_works_in_points_and_vega_makes_them_money() -> None:
    """A model half-spread of x vol points is x times vega in money."""
    view = priced_view(fair=fair_value(100.0))
    wish = wish_of("avellaneda_stoikov", view, in_vol=1, sigma=3.0)
    terms = wish.terms
    assert view.greeks is not None
    assert terms["half_spread"] == pytest.approx(terms["model_half"] * view.greeks.vega / 100)
