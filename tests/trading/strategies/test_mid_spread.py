"""A fixed spread around the mid of others."""

from __future__ import annotations

import pytest
from quoting_markets import market, settings, view_of

from actors.trading.strategies import Inventory, build


def test_mid_plus_and_minus_half_the_spread() -> None:
    """Others at 100 / 105 and 100 bps: 102.5 less and plus 0.5125."""
    wish = build(settings(strategy="mid_spread", spread_bps=100.0)).quote(
        view_of(market(((1000, 5),), ((1050, 5),), mark=102.0)), Inventory()
    )
    assert (wish.bid, wish.ask) == (pytest.approx(101.9875), pytest.approx(103.0125))


def test_without_a_mid_the_mark_is_the_centre() -> None:
    """One side alone has no mid: both sides stand off the mark at the fallback distance."""
    chosen = settings(strategy="mid_spread", min_spread_bps=10.0)
    wish = build(chosen).quote(view_of(market(((950, 5),), (), mark=100.0)), Inventory())
    assert (wish.bid, wish.ask) == (97.5, 102.5)


def test_without_mid_and_mark_there_is_no_quote() -> None:
    """And the reason says so."""
    wish = build(settings(strategy="mid_spread")).quote(view_of(market(((950, 5),), ())), Inventory())
    assert (wish.bid, wish.ask) == (None, None)
    assert "no mark" in wish.reason


def test_a_crossed_book_of_others_is_no_market() -> None:
    """Such a book is stale or broken: no quote."""
    seen = view_of(market(((1051, 1),), ((1050, 1),), mark=105.0))
    assert "crossed" in build(settings(strategy="mid_spread")).quote(seen, Inventory()).reason
