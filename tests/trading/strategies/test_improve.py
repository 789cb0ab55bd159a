"""Improving the best of others, exactly as the operator was promised."""

from __future__ import annotations

from decimal import Decimal

import pytest
from quoting_markets import deribit_call, derive_call, market, settings, view_of

from actors.trading.books import Market
from actors.trading.instruments import Side
from actors.trading.quoting import shape
from actors.trading.strategies import Inventory, Wish, build


def wish_of(seen: Market, **keys: object) -> Wish:
    """The shaped wish of `improve`, before rounding."""
    chosen = settings(**keys)
    return shape(build(chosen).quote(view_of(seen), Inventory()), view_of(seen), chosen)


def prices(wish: Wish) -> tuple[float | None, float | None]:
    return (None if wish.bid is None else round(wish.bid, 9), None if wish.ask is None else round(wish.ask, 9))


OTHERS = (((1000, 100),), ((1050, 100),))


def test_the_first_worked_example() -> None:
    """Others at 100.00 / 105.00, improvement 0.10, min-spread 5 bps: 100.10 / 104.90."""
    assert prices(wish_of(market(*OTHERS, mark=102.0), min_spread_bps=5.0)) == (100.1, 104.9)


def test_the_second_worked_example() -> None:
    """The same with the default min-spread of 1000 bps: 97.375 / 107.625 before rounding."""
    assert prices(wish_of(market(*OTHERS, mark=102.0))) == (97.375, 107.625)


def test_a_reference_size_passes_over_small_orders() -> None:
    """The best level that alone holds the reference size is improved, not a stray better one."""
    seen = market(((1010, 1), (1000, 100)), ((1040, 2), (1050, 100)), mark=102.0)
    assert prices(wish_of(seen, min_spread_bps=5.0, improvement_reference_size=0.5)) == (100.1, 104.9)


def test_a_side_without_a_level_that_large_is_quoted_from_mid_and_spread() -> None:
    """No offer holds 0.5: the ask is mid plus half the spread, the bid still improves its level."""
    seen = market(((1000, 100),), ((1040, 2),), mark=101.0)
    bid, ask = prices(wish_of(seen, min_spread_bps=0.0, spread_bps=100.0, improvement_reference_size=0.5))
    assert (bid, ask) == (100.1, 102.51)


@pytest.mark.parametrize(
    ("keys", "distance"),
    [
        ({"spread_bps": 800.0, "min_spread_bps": 10.0}, 4.0),
        ({"min_spread_bps": 1000.0}, 5.0),
        ({"min_spread_bps": 10.0}, 2.5),
        ({"min_spread_bps": 10.0, "fallback_spread_bps": 1.0, "spread_bps": 1.0}, 0.2),
    ],
)
def test_an_empty_side_is_quoted_from_the_mark_at_the_widest_distance(keys: dict[str, float], distance: float) -> None:
    """The larger of spread/2, min-spread/2, fallback-spread/2 and two ticks, in bps of the mark."""
    assert prices(wish_of(market((), (), mark=100.0), **keys)) == (100.0 - distance, 100.0 + distance)


def test_one_empty_side_leaves_the_other_improving() -> None:
    """Only bids: the bid improves them, the ask stands off the mark."""
    assert prices(wish_of(market(((950, 5),), (), mark=100.0), min_spread_bps=10.0)) == (95.1, 102.5)


def test_no_mark_and_an_empty_side_is_no_quote() -> None:
    """There is nothing to quote an empty side from, and the reason says so."""
    wish = wish_of(market(((950, 5),), ()))
    assert prices(wish) == (None, None)
    assert "no mark" in wish.reason


def test_a_mark_rounded_to_zero_is_recomputed() -> None:
    """Zero is absent: vol and forward are there, so the empty market is quoted."""
    wish = wish_of(market((), (), mark=0.0, mark_vol=0.6))
    assert wish.bid is not None
    assert wish.ask is not None


def test_a_tiny_order_far_from_fair_does_not_drag_the_quote_through_the_mark() -> None:
    """Others' bid lies above the mark: ours stays at the mark, which is as far as the guard lets it."""
    assert wish_of(market(((1000, 1),), ((1050, 1),), mark=90.0), min_spread_bps=5.0).bid == 90.0
    assert wish_of(market(((1000, 1),), ((1050, 1),), mark=120.0), min_spread_bps=5.0).ask == 120.0
    loose = wish_of(market(((1000, 1),), ((1050, 1),), mark=90.0), min_spread_bps=5.0, max_through_mark=2.0)
    assert loose.bid == 92.0


def test_without_any_mark_a_full_book_is_not_quoted() -> None:
    """Nothing would protect from a stray order far from fair on both sides."""
    wish = wish_of(market(*OTHERS), min_spread_bps=5.0)
    assert prices(wish) == (None, None)
    assert "no mark" in wish.reason


def test_a_locked_or_crossed_book_of_others_is_no_market() -> None:
    """Such a book is stale or broken: no quote."""
    assert "crossed" in wish_of(market(((1050, 1),), ((1050, 1),), mark=105.0)).reason


def test_terms_explain_the_prices() -> None:
    """Reference and improvement of each side are there by name."""
    terms = wish_of(market(*OTHERS, mark=102.0), min_spread_bps=5.0).terms
    assert (terms["reference_bid"], terms["improvement_bid"], terms["mid"]) == (100.0, pytest.approx(0.1), 102.5)


@pytest.mark.parametrize(("coarse", "bid", "ask"), [("one_tick", 0.0041, 0.0065), ("join", 0.004, 0.007)])
def test_a_coin_tick_worth_more_than_the_improvement(coarse: str, bid: float, ask: float) -> None:
    """0.0001 coin is 0.30 at 3000, more than 0.10: a whole tick of the ladder (five above 0.005), or none, as asked."""
    seen = market(((40, 5),), ((70, 5),), mark=0.0055, instrument=deribit_call())
    wish = wish_of(seen, min_spread_bps=5.0, coarse_tick=coarse)
    assert prices(wish) == (bid, ask)


def test_an_improvement_of_several_coin_ticks_is_money_over_the_forward() -> None:
    """1.00 at a forward of 3000 is 0.000333 coin, three whole ticks once rounded away."""
    seen = market(((30, 5),), ((49, 5),), mark=0.004, instrument=deribit_call())
    wish = wish_of(seen, min_spread_bps=5.0, improvement=1.0)
    assert wish.bid is not None
    assert seen.instrument.round_away(wish.bid, Side.BID) == 33


def test_an_improvement_of_zero_joins_the_best() -> None:
    """Asked not to improve, it does not, however coarse the tick."""
    assert prices(wish_of(market(*OTHERS, mark=102.0), min_spread_bps=5.0, improvement=0.0)) == (100.0, 105.0)


def test_a_coarse_tick_of_quote_currency_is_improved_by_one_tick() -> None:
    """With a tick of 1 an improvement of 0.10 is one tick: the rule is not only for coins."""
    coarse = derive_call(tick=Decimal("1"))
    seen = market(((100, 5),), ((105, 5),), mark=102.0, instrument=coarse)
    assert prices(wish_of(seen, min_spread_bps=5.0)) == (101, 104)
