"""The forward and the index that fair values stand on: whichever of ticker and index came later has the last word."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.clock import Clock
from actors.console.settings import CellSettings
from actors.market_data import Index, MarketData, Picture
from actors.trading.books import Book, Market
from actors.trading.fair import fair_of
from actors.trading.instruments import Instrument, OptionKind
from actors.trading.orders import OrderTable
from actors.trading.pricing import SECONDS_PER_YEAR, black76
from actors.trading.strategies import View
from actors.valuation import Valuation
from actors.venues.dialect import TickerUpdate

NOW_S = 1_795_000_000
MONTH_S = 30 * 86400
CALL = Instrument(
    "ETH-CALL", "derive", "ETH", Decimal("0.1"), Decimal("0.01"), 10, 10_000, OptionKind.CALL, 3000.0, NOW_S + MONTH_S
)


def value_at(forward: float) -> float:
    return black76(forward, 3000.0, MONTH_S / SECONDS_PER_YEAR, 0.6, True)


def heard(index: float, index_ms: int, ticker: float, ticker_ms: int) -> tuple[Valuation, Picture]:
    """An index print and a ticker of the same option, each with its price and the time it came at, by our own clock. The
    venue's stamps say nothing: whether one clock stamps both feeds is not known."""
    written_ms = NOW_S * 1000
    clock = Clock()
    clock.wall_ns = lambda: NOW_S * 1_000_000_000
    news = TickerUpdate("ETH-CALL", written_ms, mark=value_at(ticker), mark_vol=0.6, forward=ticker, index=ticker)
    picture = Picture(CALL, Book((), (), written_ms), news, ticker_at=ticker_ms / 1000)
    dialect = SimpleNamespace(publishes_smiles=False)
    latest = Index(index, written_ms, index_ms / 1000)
    market = SimpleNamespace(dialect=dialect, index=latest, pictures={"ETH-CALL": picture})
    told = Valuation(CellSettings(), cast(MarketData, market), OrderTable(), clock, is_needed=True)
    told.on_index(index)
    return told, picture


def fair_price(told: Valuation, picture: Picture) -> float:
    """By the venue's mark, as a strategy would be shown it."""
    assert picture.book is not None
    view = View(Market.of(CALL, picture.book, picture.ticker, ()), NOW_S, None, told.moves(picture))
    fair = fair_of(view)
    assert fair is not None
    return fair.price


def test_an_index_older_than_the_ticker_does_not_drag_fair_value_back() -> None:
    """After a fall the ticker has, and the index feed has not: by the old index the bid would stay too high."""
    told, picture = heard(3000.0, 999, 2910.0, 1000)
    assert told.forward_of(picture) == 2910.0
    assert told.moves(picture).price is None
    assert fair_price(told, picture) == pytest.approx(value_at(2910.0))
    surface = told.fair(picture)
    assert surface is not None
    assert surface.price == pytest.approx(value_at(2910.0))
    assert surface.forward == 2910.0


@given(index_ms=st.integers(0, 10_000), ticker_ms=st.integers(0, 10_000), index=st.floats(2900, 3100))
def test_the_later_of_index_and_ticker_is_what_fair_value_stands_on(index_ms: int, ticker_ms: int, index: float) -> None:
    """Come at the same time, the index counts: it is what it says."""
    told, picture = heard(index, index_ms, 3000.0, ticker_ms)
    expected = 3000.0 if ticker_ms > index_ms else index
    assert told.forward_of(picture) == pytest.approx(expected)
    assert fair_price(told, picture) == pytest.approx(value_at(expected), rel=0.01)


def test_how_far_the_index_has_moved_is_told_all_the_same() -> None:
    """Only the price is held back: a fast market is one whichever came first."""
    told, picture = heard(3000.0, 999, 2910.0, 1000)
    told.on_index(2940.0)
    assert told.moves(picture).worst_move == pytest.approx(3000 / 2940 - 1)
