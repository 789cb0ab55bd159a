"""What a strategy quotes around, and the two promises of standing around it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quoting_markets import NOW_S, deribit_call, derive_call, fair_value, market, priced_view, view_of

from actors.trading.fair import fair_of, index_drift, maker_fee, premium_delta, stand
from actors.trading.instruments import FeeSchedule
from actors.trading.pricing import greeks
from actors.trading.strategies import IndexMoves
from actors.trading.strategies.theoretical import expected_move


def test_our_own_surface_comes_first() -> None:
    """Its price, doubt and age are taken as they are."""
    fair = fair_of(priced_view(fair=fair_value(77.0, age_s=2.0, uncertainty=0.5)))
    assert fair is not None
    assert (fair.price, fair.uncertainty, fair.age_s, fair.is_own) == (77.0, 0.5, 2.0, True)


def test_without_a_surface_the_venues_mark_stands_in_with_its_doubt() -> None:
    """Two vol points of doubt, in premium."""
    view = priced_view()
    fair = fair_of(view)
    assert fair is not None
    assert view.greeks is not None
    assert (fair.price, fair.is_own) == (view.mark, False)
    assert fair.uncertainty == pytest.approx(2 * view.greeks.vega / 100)


def test_a_surface_that_falls_back_on_the_mark_is_not_ours() -> None:
    """Its value is used, with the doubt it states, but never taken for a fitted smile."""
    fair = fair_of(priced_view(fair=msgspec.structs.replace(fair_value(77.0), source="venue mark")))
    assert fair is not None
    assert (fair.price, fair.is_own) == (77.0, False)


def test_the_delta_of_a_quote_follows_the_surfaces_skew() -> None:
    """With a surface the smile's own move counts; in coin the premium itself is worth more as the coin rises."""
    skewed = msgspec.structs.replace(fair_value(77.0), delta=0.44)
    assert premium_delta(priced_view(fair=skewed)) == 0.44
    assert premium_delta(priced_view(deribit_call(), fair=skewed)) == pytest.approx(0.44 - 77.0 / 3000.0)


def test_with_neither_there_is_no_fair_value() -> None:
    """The chain of fallbacks ends at no quote, also for a surface that says nothing usable."""
    assert fair_of(view_of(market((), ()))) is None
    assert fair_of(priced_view(fair=fair_value(float("nan")))) is None


@pytest.mark.parametrize("option", [derive_call(), deribit_call()])
@pytest.mark.parametrize("index", [2950.0, 3000.0, 3060.0])
def test_an_index_move_reprices_the_mark_to_second_order(option: object, index: float) -> None:
    """Against a full repricing at the moved forward, in quote currency and in coin."""
    view = priced_view(option, index_moves=IndexMoves(price=index))  # type: ignore[arg-type]
    moved = greeks(3000.0 * index / 3000.0, 3000.0, view.t_years, 0.6, True).price
    expected = moved if option == derive_call() else moved / index
    assert view.mark is not None
    step = abs(expected - view.mark)
    assert view.mark + index_drift(view) == pytest.approx(expected, abs=0.03 * step + 1e-12)


@pytest.mark.parametrize(
    ("strike", "move"), [(3000.0, -0.05), (3000.0, 0.05), (2400.0, -0.02), (2400.0, 0.02), (3600.0, -0.02), (3600.0, 0.02)]
)
def test_a_coin_premium_follows_the_index_to_a_fifth_of_a_tick(strike: float, move: float) -> None:
    """The coin it is paid in has moved too, and that matters in second order: by ticks, at a few per cent."""
    option = deribit_call(strike=strike, expiry_s=NOW_S + 30 * 86400)
    view = priced_view(option, index_moves=IndexMoves(price=3000.0 * (1 + move)))
    moved = 3000.0 * (1 + move)
    exact = greeks(moved, strike, view.t_years, 0.6, True).price / moved
    assert view.mark is not None
    tick = 0.0005 if exact > 0.005 else 0.0001
    assert view.mark + index_drift(view) == pytest.approx(exact, abs=0.2 * tick)


def test_in_the_last_half_hour_an_index_move_counts_by_what_is_still_to_be_averaged() -> None:
    """With fifteen minutes left half of the settlement is known: the mark moves by half of what it would have."""
    view = priced_view(derive_call(expiry_s=NOW_S + 900), index_moves=IndexMoves(price=3000.6))
    assert view.index_share == 0.5
    assert view.greeks is not None
    assert index_drift(view) == pytest.approx(0.3 * view.greeks.delta + view.greeks.gamma * 0.3**2 / 2)
    assert expected_move(view, 1.0) == pytest.approx(1500.0 * 0.6 * (1 / (365 * 86400)) ** 0.5)


def test_the_makers_fee_is_a_rate_of_the_index_capped_by_the_premium() -> None:
    """0.01 % of 3000 is 0.30; of an option worth 1.00 no more than 12.5 %; in coin the rate is of one coin."""
    rich = market((), (), index=3000.0)
    assert maker_fee(rich, 100.0) == pytest.approx(0.30)
    assert maker_fee(rich, 1.0) == pytest.approx(0.125)
    coin = market((), (), instrument=deribit_call(), index=3000.0)
    assert maker_fee(coin, 0.05) == pytest.approx(0.0001)
    free = market((), (), instrument=derive_call(fees=FeeSchedule()), index=3000.0)
    assert maker_fee(free, 100.0) == 0.0


def test_leaning_is_bounded_by_the_half_spread_unless_asked() -> None:
    """A skew of five half-spreads is cut to one, or to two where two are asked for."""
    assert stand(100.0, 2.0, -10.0, 0.3, 1.0, ()).bid == 96.0
    assert stand(100.0, 2.0, -10.0, 0.3, 1.0, ()).ask == 100.3
    assert stand(100.0, 2.0, -10.0, 0.3, 2.0, ()).bid == 94.0


distances = st.floats(0, 50)


@given(half=distances, skew=st.floats(-500, 500), fee=st.floats(0, 5), bound=st.floats(0, 3))
def test_standing_never_pays_through_fair_less_the_fee(half: float, skew: float, fee: float, bound: float) -> None:
    """Whatever is wished, in either direction, and every term is told."""
    wish = stand(100.0, half, skew, fee, bound, [("base", 1.0)])
    assert wish.bid is not None
    assert wish.ask is not None
    assert wish.bid <= 100.0 - fee
    assert wish.ask >= 100.0 + fee
    assert wish.terms.keys() == {"fair", "base", "fee", "half_spread", "skew"}


def test_views_are_values() -> None:
    """Two views of the same facts are equal, so a decision can be replayed from its inputs."""
    view = priced_view()
    assert view == msgspec.structs.replace(view)
