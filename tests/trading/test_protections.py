"""Each protection pulls, widens or shrinks; each is off unless configured."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quoting_markets import deribit_call, derive_call, fair_value, market, priced_view, settings, view_of

from actors.console.settings import ProtectionSettings, QuotingSettings
from actors.trading.instruments import Side
from actors.trading.protections import IndexWindow, pick_off, protect, pull_picked_off, refusal, size_by_vega
from actors.trading.quotes import Quote, QuotePair
from actors.trading.quoting import decide
from actors.trading.strategies import IndexMoves, Inventory, View, Wish, build


def guarded(**protections: Any) -> QuotingSettings:
    return settings(strategy="theoretical", min_spread_bps=0.0, protections=ProtectionSettings(**protections))


def decided(view: View, chosen: QuotingSettings) -> QuotePair:
    return decide(build(chosen), view, Inventory(), chosen, version=1, decided_at=0.0)


# -- the index window


def test_the_widest_move_is_told_until_it_leaves_the_window() -> None:
    """A spike counts although the price came back, and is forgotten when it is older than the window."""
    window = IndexWindow(5.0)
    assert window.moves(0.0) == IndexMoves()
    for second, price in enumerate([100.0, 102.0, 100.0, 100.0]):
        window.add(float(second), price)
    assert window.moves(3.0).worst_move == pytest.approx(0.02)
    assert window.moves(6.9).worst_move == pytest.approx(0.02)  # it stood until the print of second 2
    assert window.moves(7.1).worst_move == 0.0
    assert window.moves(7.1).price == 100.0


def test_a_clock_that_steps_back_starts_anew() -> None:
    """Old prices with later times would otherwise stay for ever."""
    window = IndexWindow(5.0)
    window.add(100.0, 50.0)
    window.add(10.0, 100.0)
    assert window.moves(10.0).worst_move == 0.0


prints = st.lists(st.tuples(st.integers(1, 12), st.floats(50, 200)), min_size=1, max_size=40)


@given(path=prints, later=st.integers(0, 8))
def test_the_window_agrees_with_a_plain_search(path: list[tuple[int, float]], later: int) -> None:
    """Highest over lowest of what stood in the last five seconds, whatever the path and the silences in it."""
    window, stood, now = IndexWindow(5.0), [], 0
    for gap, price in path:
        now += gap
        if stood:
            stood[-1] = (now, stood[-1][1])
        stood.append((now, price))
        window.add(float(now), price)
        recent = [at for until, at in stood if until >= now - 5]
        assert window.moves(float(now)).worst_move == pytest.approx(max(recent) / min(recent) - 1)
    recent = [at for until, at in stood[:-1] if until >= now + later - 5] + [path[-1][1]]
    assert window.moves(float(now + later)).worst_move == pytest.approx(max(recent) / min(recent) - 1)


@pytest.mark.parametrize("silence_s", [4.9, 5.1, 600.0])
def test_a_jump_after_a_silence_is_a_fast_market_for_the_whole_window(silence_s: float) -> None:
    """A price stands until the next print: what takers hit was quoted at it a moment before the jump."""
    window = IndexWindow(5.0)
    window.add(0.0, 100.0)
    window.add(silence_s, 90.0)
    for later in (0.0, 2.5, 4.9):
        assert window.moves(silence_s + later).worst_move == pytest.approx(100 / 90 - 1)
    assert window.moves(silence_s + 5.1).worst_move == 0.0


def test_prints_rarer_than_the_window_are_a_fast_market_too() -> None:
    """A venue that prints each second and a bit would otherwise never be fast in a window of one second."""
    window = IndexWindow(1.0)
    for print_number in range(50):
        now_s, price = 1.02 * print_number, 100.0 * 0.99**print_number
        window.add(now_s, price)
    assert window.moves(now_s).worst_move == pytest.approx(1 / 0.99 - 1)


def test_realised_volatility_of_a_steady_alternation() -> None:
    """Moves of 1 bp each second are 0.0001 x sqrt(seconds a year); of less than ten seconds nothing is told."""
    window = IndexWindow(5.0, vol_window_s=60.0)
    for second in range(9):
        window.add(float(second), 100.0 * math.exp(1e-4 * (second % 2)))
    assert window.moves(8.0).vol_annual is None
    for second in range(9, 200):
        window.add(float(second), 100.0 * math.exp(1e-4 * (second % 2)))
    assert window.moves(199.0).vol_annual == pytest.approx(1e-4 * math.sqrt(365 * 86400), rel=0.02)


@pytest.mark.parametrize("silence_s", [20, 40, 120])
def test_realised_volatility_is_right_after_a_silence(silence_s: int) -> None:
    """What the index did while nothing was heard is spread over the silence, not taken for one second's move."""
    window, step = IndexWindow(5.0, vol_window_s=60.0), 1e-4
    expected = step * math.sqrt(365 * 86400)
    now, level = 0.0, 0
    for second in range(120):
        now, level = now + 1, second % 2
        window.add(now, 100.0 * math.exp(step * level))
    now += silence_s
    jumped = 100.0 * math.exp(step * (level + math.sqrt(silence_s)))
    window.add(now, jumped)
    for second in range(1, 90):
        now += 1
        window.add(now, jumped * math.exp(step * (second % 2)))
        told = window.moves(now).vol_annual
        assert told is None or told == pytest.approx(expected, rel=0.02)
    assert window.moves(now).vol_annual is not None


def test_repricing_on_the_index_can_be_switched_off() -> None:
    """Then the newest price is not told, and the venue's mark stays where the venue left it; moves are told still."""
    for reprice, price in ((True, 101.0), (False, None)):
        window = IndexWindow.of(ProtectionSettings(index_reprice=reprice))
        window.add(0.0, 100.0)
        window.add(1.0, 101.0)
        assert window.moves(1.0).price == price
        assert window.moves(1.0).worst_move == pytest.approx(0.01)


# -- refusals


def test_a_fast_market_pulls_both_sides_and_says_how_fast() -> None:
    """31 bps in five seconds where 30 are allowed."""
    fast = priced_view(index_moves=IndexMoves(3000.0, 0.0031))
    pair = decided(fast, guarded(fast_move_bps=30.0))
    assert (pair.bid, pair.ask) == (None, None)
    assert "31.0 bps in 5 s, above 30" in pair.reason
    assert decided(fast, guarded()).bid is not None
    assert decided(fast, guarded(fast_move_bps=32.0)).bid is not None


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"min_days": 8.0}, "below 8"),
        ({"max_days": 6.0}, "above 6"),
        ({"min_delta": 0.6}, "below 0.6"),
        ({"max_delta": 0.4}, "above 0.4"),
        ({"min_days": 6.0, "max_days": 8.0, "min_delta": 0.4, "max_delta": 0.6}, ""),
    ],
)
def test_only_a_range_of_deltas_and_tenors_is_quoted(limits: dict[str, float], words: str) -> None:
    """An at-the-money call a week from expiry; the reason tells the number and the bound."""
    reason = refusal(priced_view(), ProtectionSettings(**limits))
    assert words in reason
    assert bool(reason) is bool(words)


def test_an_unknown_delta_is_outside_every_range() -> None:
    """Without vol there is no delta, and a range is a promise."""
    assert "not known" in refusal(view_of(market((), ())), ProtectionSettings(max_delta=0.9))


# -- widening


def test_volatility_above_implied_widens_in_proportion() -> None:
    """Realised half as much again as implied, weight 2: the half-spread doubles about the same centre."""
    view = priced_view(index_moves=IndexMoves(3000.0, 0.0, 0.9))
    wide = protect(Wish(90.0, 110.0), view, ProtectionSettings(vol_widening=2.0))
    assert (wide.bid, wide.ask) == (pytest.approx(80.0), pytest.approx(120.0))
    assert wide.terms["vol_widening"] == pytest.approx(10.0)
    calm = priced_view(index_moves=IndexMoves(3000.0, 0.0, 0.5))
    assert protect(Wish(90.0, 110.0), calm, ProtectionSettings(vol_widening=2.0)) == Wish(90.0, 110.0)


@pytest.mark.parametrize(("bid", "ask"), [(90.0, None), (None, 110.0)])
def test_a_side_alone_is_widened_for_volatility_by_its_distance_from_fair(bid: float | None, ask: float | None) -> None:
    """At a limit only the reducing side is left, and a lively market takes from it what it takes from a pair."""
    view = priced_view(fair=fair_value(100.0), index_moves=IndexMoves(3000.0, 0.0, 0.9))
    wide = protect(Wish(bid, ask), view, ProtectionSettings(vol_widening=2.0))
    assert (wide.bid, wide.ask) == (bid and pytest.approx(80.0), ask and pytest.approx(120.0))
    assert wide.terms["vol_widening"] == pytest.approx(10.0)


def test_a_side_alone_without_a_fair_value_is_left_alone() -> None:
    """Nothing tells how far it stands, as where a venue shows neither mark nor forward."""
    unknown = view_of(market((), ((1100, 5),), mark_vol=0.6, forward=None), index_moves=IndexMoves(None, 0.0, 0.9))
    assert protect(Wish(90.0, None), unknown, ProtectionSettings(vol_widening=2.0)) == Wish(90.0, None)


def test_each_side_keeps_its_least_edge_from_fair() -> None:
    """Fee 0.30 and edge 1.00: nothing nearer than 1.30; sides farther away stay."""
    view = priced_view(fair=fair_value(100.0))
    kept = protect(Wish(99.9, 104.0), view, ProtectionSettings(min_edge=1.0))
    assert (kept.bid, kept.ask) == (pytest.approx(98.7), 104.0)
    assert protect(Wish(98.0, 102.0), view, ProtectionSettings(min_edge=1.0)) == Wish(98.0, 102.0)


prices = st.floats(50, 150) | st.none()


@given(bid=prices, ask=prices, widening=st.floats(0, 5), edge=st.floats(0, 20) | st.none(), vol=st.floats(0.1, 3))
def test_protections_never_bring_a_side_nearer(
    bid: float | None, ask: float | None, widening: float, edge: float | None, vol: float
) -> None:
    """Whatever is switched on: bids only fall, asks only rise, no side appears."""
    if bid is not None and ask is not None and bid > ask:
        bid, ask = ask, bid
    view = priced_view(fair=fair_value(100.0), index_moves=IndexMoves(3000.0, 0.0, vol))
    after = protect(Wish(bid, ask), view, ProtectionSettings(vol_widening=widening, min_edge=edge))
    assert (after.bid is None, after.ask is None) == (bid is None, ask is None)
    assert bid is None or after.bid is None or after.bid <= bid
    assert ask is None or after.ask is None or after.ask >= ask


# -- size


def test_size_by_vega_holds_the_budget_and_never_exceeds_the_size() -> None:
    """A budget of half the option's vega is half a contract, floored to steps; wings are capped by size."""
    view = priced_view()
    assert view.greeks is not None
    vega = view.greeks.vega / 100
    chosen = attrs.evolve(guarded(vega_per_side=vega / 2), size=5.0)
    assert size_by_vega(view, Inventory(), chosen) == pytest.approx(0.5)
    pair = decided(view, chosen)
    assert pair.bid is not None
    assert pair.bid.amount == 50
    wing = priced_view(derive_call(strike=4500.0))
    assert size_by_vega(wing, Inventory(), chosen) == 5.0
    assert size_by_vega(wing, Inventory(max_position=2.0), attrs.evolve(chosen, size=None)) == 2.0
    assert size_by_vega(view, Inventory(), guarded()) is None


def test_a_vega_budget_too_small_for_the_venue_quotes_nothing() -> None:
    """Below the minimum there is no order, and the reason says so."""
    pair = decided(priced_view(), guarded(vega_per_side=0.01))
    assert (pair.bid, pair.ask) == (None, None)
    assert "minimum" in pair.reason


def test_an_unknown_vega_is_no_size() -> None:
    """What cannot be sized is not quoted."""
    assert size_by_vega(view_of(market((), ())), Inventory(), guarded(vega_per_side=5.0)) == 0.0


# -- the gauge


def test_the_gauge_is_what_a_hit_would_give_away() -> None:
    """A bid 2.0 above fair for half a contract loses 1.0; the right side of fair loses nothing; coin is turned to money."""
    seen = market((), ())
    assert pick_off(seen, Side.BID, Quote(1020, 50), 100.0) == pytest.approx(1.0)
    assert pick_off(seen, Side.ASK, Quote(980, 50), 100.0) == pytest.approx(1.0)
    assert pick_off(seen, Side.BID, Quote(980, 50), 100.0) == 0.0
    assert pick_off(seen, Side.BID, None, 100.0) == 0.0
    coin = market((), (), instrument=deribit_call())
    assert pick_off(coin, Side.BID, Quote(41, 1), 0.0040) == pytest.approx(0.3)


def test_a_resting_side_that_would_lose_too_much_is_pulled() -> None:
    """The other side stays wanted; within the bound, and with the protection off, both do."""
    view = priced_view(fair=fair_value(100.0))
    pair = QuotePair("ETH-CALL", 1, Quote(990, 50), Quote(1010, 50), 0.0)
    stale = Quote(1020, 50)
    pulled = pull_picked_off(pair, view, ProtectionSettings(max_pick_off=0.9), stale, None)
    assert (pulled.bid, pulled.ask) == (None, pair.ask)
    assert "would lose 1.00 at fair value, above 0.9" in pulled.reason
    assert pull_picked_off(pair, view, ProtectionSettings(max_pick_off=1.1), stale, None) == pair
    assert pull_picked_off(pair, view, ProtectionSettings(), stale, None) == pair
