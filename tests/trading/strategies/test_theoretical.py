"""Around fair value, with a half-spread made of everything that can go wrong."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from quoting_markets import NOW_S, deribit_call, derive_call, fair_value, market, priced_view, settings, view_of

from actors.console.settings import LimitSettings
from actors.trading.books import Book
from actors.trading.errors import ConfigError
from actors.trading.fair import maker_fee
from actors.trading.instruments import Instrument, OptionKind, Side
from actors.trading.quoting import decide
from actors.trading.strategies import IndexMoves, Inventory, View, Wish, build
from actors.trading.strategies.theoretical import expected_move, thinness

QUIET = {
    "base_bps": 0.0,
    "vol_of_vol_points": 0.0,
    "adverse_weight": 0.0,
    "expiry_bps": 0.0,
    "depth_bps": 0.0,
    "doubt_weight": 0.0,
    "required_edge": 0.0,
}


def wish_of(view: View, inventory: Inventory | None = None, max_vega: float | None = None, **params: float) -> Wish:
    chosen = settings(strategy="theoretical", params=params)
    return build(chosen, LimitSettings(max_vega=max_vega)).quote(view, inventory or Inventory())


def halves(wish: Wish) -> tuple[float, float]:
    """Distance of bid and ask from fair."""
    fair = wish.terms["fair"]
    assert wish.bid is not None
    assert wish.ask is not None
    return fair - wish.bid, wish.ask - fair


def test_flat_the_quote_is_symmetric_about_fair() -> None:
    """And its half-spread is the sum of the terms that explain it."""
    wish = wish_of(priced_view(fair=fair_value(100.0)))
    terms = wish.terms
    parts = ("base", "vol_of_vol", "adverse_selection", "expiry", "depth", "doubt", "fees")
    assert halves(wish) == (pytest.approx(terms["half_spread"]), pytest.approx(terms["half_spread"]))
    assert terms["half_spread"] == pytest.approx(sum(terms[name] for name in parts))


@pytest.mark.parametrize(
    ("param", "term"),
    [("base_bps", "base"), ("vol_of_vol_points", "vol_of_vol"), ("adverse_weight", "adverse_selection"),
     ("expiry_bps", "expiry"), ("doubt_weight", "doubt")],
)  # fmt: skip
def test_each_parameter_makes_its_own_term(param: str, term: str) -> None:
    """With everything else off, one parameter moves one term and the half-spread by it."""
    wish = wish_of(priced_view(fair=fair_value(100.0, uncertainty=0.4)), **(QUIET | {param: 2.0}))
    terms = wish.terms
    assert terms[term] > 0
    assert terms["half_spread"] == pytest.approx(terms[term] + terms["fees"])


def test_known_terms_have_known_sizes() -> None:
    """50 bps of 100 is 0.50; half a vol point of vega is vega / 200; three standard deviations of 0.2 are 0.60."""
    view = priced_view(fair=fair_value(100.0, uncertainty=0.2))
    terms = wish_of(view, base_bps=50.0, vol_of_vol_points=0.5, doubt_weight=3.0).terms
    assert view.greeks is not None
    assert terms["base"] == pytest.approx(0.5)
    assert terms["vol_of_vol"] == pytest.approx(view.greeks.vega / 200)
    assert terms["doubt"] == pytest.approx(0.6)


def test_adverse_selection_is_what_a_move_takes_over_our_reaction_time() -> None:
    """Delta times the expected move, and half gamma times its square; the livelier volatility counts."""
    view = priced_view(fair=fair_value(100.0))
    greeks = view.greeks
    assert greeks is not None
    move = 3000.0 * 0.6 * (2.0 / (365 * 86400)) ** 0.5
    assert expected_move(view, 2.0) == pytest.approx(move)
    terms = wish_of(view, reaction_s=2.0).terms
    assert terms["adverse_selection"] == pytest.approx(greeks.delta * move + greeks.gamma * move**2 / 2)
    lively = priced_view(fair=fair_value(100.0), index_moves=IndexMoves(3000.0, 0.0, 1.2))
    assert expected_move(lively, 2.0) == pytest.approx(2 * move)


def test_the_required_edge_is_a_floor_above_fees() -> None:
    """With all terms off, the quote stands at fee plus edge."""
    view = priced_view(fair=fair_value(100.0))
    fee = maker_fee(view.market, 100.0)
    wish = wish_of(view, **(QUIET | {"required_edge": 0.7}))
    assert halves(wish) == (pytest.approx(fee + 0.7), pytest.approx(fee + 0.7))
    assert wish.terms["required_edge"] == pytest.approx(0.7)


def test_a_thin_book_widens() -> None:
    """An empty side counts as no depth at all; both sides full as full."""
    full = market(((100, 600),), ((110, 500),))
    assert thinness(full, 5.0) == 0.0
    assert thinness(market(((100, 600),), ()), 5.0) == 1.0
    assert thinness(market(((100, 250),), ((110, 500),)), 5.0) == pytest.approx(0.5)


def test_long_leans_down_and_short_leans_up_but_never_through_fair() -> None:
    """A full position with a huge skew brings the ask to fair plus fee, not below."""
    view = priced_view(fair=fair_value(100.0))
    fee = maker_fee(view.market, 100.0)
    long = Inventory(position=1.0, max_position=1.0)
    bid, ask = halves(wish_of(view, long, position_skew=0.5))
    assert bid == pytest.approx(3 * ask)
    _, ask = halves(wish_of(view, long, position_skew=50.0))
    assert ask == pytest.approx(fee)
    bid, _ = halves(wish_of(view, Inventory(position=-1.0, max_position=1.0), position_skew=50.0))
    assert bid == pytest.approx(fee)


def test_vega_leans_where_full_vega_is_known() -> None:
    """Through the portfolio's limit or the strategy's own parameter; else not at all."""
    view, heavy = priced_view(fair=fair_value(100.0)), Inventory(vega=50.0)
    assert wish_of(view, heavy).terms["skew"] == 0.0
    limited = wish_of(view, heavy, max_vega=100.0).terms
    assert limited["skew"] == pytest.approx(-0.25 * limited["half_spread"])
    own = wish_of(view, heavy, full_vega=200.0).terms
    assert own["skew"] == pytest.approx(-0.125 * own["half_spread"])


def test_an_old_fair_value_is_not_quoted_around() -> None:
    """The reason tells its age."""
    wish = wish_of(priced_view(fair=fair_value(100.0, age_s=31.0)))
    assert (wish.bid, wish.ask) == (None, None)
    assert "31.0 s old" in wish.reason


def test_the_fallback_on_the_mark_can_be_forbidden() -> None:
    """At start where there is no surface in the cell at all, and quote by quote where it has none of this option."""
    assert wish_of(priced_view()).bid is not None
    chosen = settings(strategy="theoretical", params={"own_surface_only": 1})
    with pytest.raises(ConfigError, match="own_surface_only"):
        build(chosen)
    wish = build(chosen, has_surface=True).quote(priced_view(), Inventory())
    assert "own surface" in wish.reason


def test_nothing_known_is_no_quote() -> None:
    """Neither surface nor mark."""
    assert "no fair value" in wish_of(view_of(market((), ()))).reason


def test_in_vol_the_distances_are_laid_off_in_volatility() -> None:
    """Each side prices at fair vol less and plus distance over vega: about the same money at the money."""
    view = priced_view(fair=fair_value(100.0))
    money, vol = wish_of(view), wish_of(view, in_vol=1)
    assert halves(vol) == (pytest.approx(halves(money)[0], rel=0.01), pytest.approx(halves(money)[1], rel=0.01))
    assert vol.terms["ask_vol_points"] > 0


def test_in_vol_a_wing_offers_farther_and_bids_nearer_than_in_money() -> None:
    """Convexity in vol."""
    wing = priced_view(derive_call(strike=3600.0))
    money, vol = wish_of(wing), wish_of(wing, in_vol=1)
    assert money.bid is not None
    assert money.ask is not None
    assert vol.bid is not None
    assert vol.ask is not None
    assert vol.bid > money.bid
    assert vol.ask > money.ask


def far(strike: float, days: float, vol: float, **facts: Any) -> View:
    return priced_view(derive_call(strike=strike, expiry_s=int(NOW_S + days * 86400)), vol, **facts)


@pytest.mark.parametrize(
    ("strike", "days", "vol", "edge"), [(4000.0, 7, 0.8, 1.0), (3600.0, 7, 0.7, 2.0), (4500.0, 30, 0.7, 2.0)]
)
def test_in_vol_the_required_edge_is_kept(strike: float, days: float, vol: float, edge: float) -> None:
    """Convexity brings a wing's bid nearer, but no nearer than the operator's least edge beyond fees."""
    view = far(strike, days, vol)
    wish = wish_of(view, **(QUIET | {"required_edge": edge, "in_vol": 1}))
    bid, ask = halves(wish)
    least = maker_fee(view.market, wish.terms["fair"]) + edge
    assert bid == pytest.approx(least)
    assert ask > least


def test_in_vol_what_an_index_move_takes_is_kept() -> None:
    """It costs the same however little the volatility moves."""
    view = far(4000.0, 7, 0.8)
    wish = wish_of(view, **(QUIET | {"adverse_weight": 1.0, "reaction_s": 600.0, "in_vol": 1}))
    assert halves(wish)[0] == pytest.approx(wish.terms["fees"] + wish.terms["adverse_selection"])


def test_in_vol_nothing_is_given_away_inside_the_best() -> None:
    """The bound is kept after convexity has brought the bid nearer."""
    seen = far(4500.0, 30, 0.7)
    assert seen.mark == pytest.approx(5.9, abs=0.01)
    view = view_of(msgspec.structs.replace(seen.market, book=Book(((44, 600),), ((74, 600),), 1)))
    wish = wish_of(view, **(QUIET | {"required_edge": 1.0, "in_vol": 1, "inside_best": 0.0}))
    assert wish.bid is not None
    assert wish.ask is not None
    assert wish.bid == pytest.approx(4.4)
    assert wish.ask >= 7.4


@st.composite
def option_views(draw: st.DrawFn) -> View:
    """Any option with a mark, of little vega too: far wings, deep in the money, hours from expiry."""
    facts = {
        "strike": draw(st.floats(1000, 9000)),
        "kind": draw(st.sampled_from(OptionKind)),
        "expiry_s": NOW_S + draw(st.integers(3600, 300 * 86400)),
    }
    option: Instrument = draw(st.sampled_from([derive_call, deribit_call]))(**facts)
    vol = draw(st.floats(0.2, 2.0))
    assume(view_of(market((), (), instrument=option, mark_vol=vol, index=3000.0)).mark)
    return priced_view(option, vol)


def sides(wish: Wish) -> tuple[float, float]:
    assert wish.bid is not None
    assert wish.ask is not None
    return wish.bid, wish.ask


def carried_by_vega(view: View, part: float) -> dict[str, float]:
    """Parameters whose half-spread, fees apart, is this part of what vega carries: half the volatility."""
    assert view.greeks is not None
    assert view.vol is not None
    base = part * view.vol / 2 * view.greeks.vega / view.greeks.price
    return QUIET | {"in_vol": 1.0, "base_bps": min(20_000.0, 10_000 * base)}


@given(
    view=option_views(), part=st.floats(0.3, 2.5), skew=st.sampled_from([0.5, 5.0]), inside=st.sampled_from([-1.0, 0.5])
)
def test_in_vol_more_position_never_raises_a_quote(view: View, part: float, skew: float, inside: float) -> None:
    """Where vega is small too: leaning must not change how a distance is laid off, or who is short bids less."""
    params = carried_by_vega(view, part) | {"position_skew": skew, "inside_best": inside}
    quotes = [sides(wish_of(view, Inventory(position=held / 20), **params)) for held in range(-20, 21)]
    for less, more in pairwise(quotes):
        dust = 1e-9 * less[1] + 1e-12
        assert more[0] <= less[0] + dust
        assert more[1] <= less[1] + dust


@given(view=option_views())
def test_in_vol_a_wider_half_spread_never_narrows(view: View) -> None:
    """Also past the distance that vega is too small to carry: more doubt must not bring an offer nearer."""
    steps = [halves(wish_of(view, **carried_by_vega(view, part / 10))) for part in range(31)]
    for (bid, ask), (far_bid, far_ask) in pairwise(steps):
        dust = 1e-12 * view.market.instrument.strike
        assert far_bid >= bid - dust
        assert far_ask >= ask - dust


def test_in_vol_a_deep_put_is_quoted_the_same_way_at_any_position() -> None:
    """Its vega carries the distance when flat, and no more when leaning: neither quote jumps there."""
    put = derive_call(strike=6150.0, kind=OptionKind.PUT, expiry_s=NOW_S + 262 * 86400)
    view = priced_view(put, 0.39)
    quotes = [sides(wish_of(view, Inventory(position=held / 50), in_vol=1)) for held in range(-50, 51)]
    for before, after in pairwise(quotes):
        assert before[0] >= after[0] >= before[0] - 1.0
        assert before[1] >= after[1] >= before[1] - 1.0


@given(
    params=st.fixed_dictionaries(
        {
            "base_bps": st.floats(0, 500),
            "vol_of_vol_points": st.floats(0, 5),
            "reaction_s": st.floats(0, 60),
            "required_edge": st.floats(0, 10),
            "in_vol": st.sampled_from([0.0, 1.0]),
            "position_skew": st.floats(0, 20),
            "vega_skew": st.floats(0, 20),
        }
    ),
    position=st.floats(-1, 1),
    vega=st.floats(-200, 200),
    coin=st.booleans(),
    strike=st.sampled_from([2400.0, 3000.0, 3600.0]),
)
def test_no_quote_pays_through_fair_less_fees(
    params: dict[str, float], position: float, vega: float, coin: bool, strike: float
) -> None:
    """On any option, in either numeraire, for any parameters and inventory, also after rounding."""
    view = priced_view((deribit_call if coin else derive_call)(strike=strike))
    chosen = settings(strategy="theoretical", params=params, min_spread_bps=0.0, max_through_mark=1e6)
    inventory = Inventory(position=position, vega=vega)
    pair = decide(build(chosen, LimitSettings(max_vega=100.0)), view, inventory, chosen, version=1, decided_at=0.0)
    terms = pair.terms
    dust = view.market.instrument.tick_float * 2e-6
    for side in Side:
        quote = pair.side(side)
        if quote is not None:
            assert (terms["fair"] - view.market.price(quote.price)) * side >= terms["fee"] - dust


@given(wider=st.sampled_from(["base_bps", "vol_of_vol_points", "adverse_weight", "expiry_bps", "depth_bps"]),
       by=st.floats(0, 50))  # fmt: skip
def test_a_larger_parameter_never_narrows(wider: str, by: float) -> None:
    """Half-spreads only grow with each of the terms."""
    view = priced_view()
    plain, wide = wish_of(view).terms, wish_of(view, **{wider: _default(wider) + by}).terms
    assert wide["half_spread"] >= plain["half_spread"]


def _default(name: str) -> Any:
    from actors.trading.strategies.theoretical import Parameters

    return getattr(Parameters(), name)


@given(st.floats(0.0, 5.0), st.floats(-1.0, 1.0))
def test_near_the_best_nothing_is_given_away(inside: float, position: float) -> None:
    """Where others stand wide, neither side is farther inside their best than told, but for leaning; and it only widens."""
    view, held = priced_view(), Inventory(position=position, max_position=1.0)
    free, near = wish_of(view, held, **QUIET), wish_of(view, held, **QUIET, inside_best=inside)
    best_bid, best_ask = (view.market.price(view.market.book.side(side)[0][0]) for side in (Side.BID, Side.ASK))
    assert free.bid is not None
    assert free.ask is not None
    assert near.bid is not None
    assert near.ask is not None
    leaning = near.terms["skew"]
    assert near.bid <= min(free.bid, best_bid + inside + max(0.0, leaning)) + 1e-9
    assert near.ask >= max(free.ask, best_ask - inside + min(0.0, leaning)) - 1e-9
    assert near.terms["behind_best_bid"] == pytest.approx(near.bid - free.bid)


def test_where_others_stand_closer_the_best_is_no_bound() -> None:
    """Their best is inside our half-spread: the quote is what it would be without the bound."""
    view = priced_view(fair=fair_value(100.0))
    wide = QUIET | {"required_edge": 50.0}
    assert wish_of(view, **wide, inside_best=0.1).bid == wish_of(view, **wide).bid
