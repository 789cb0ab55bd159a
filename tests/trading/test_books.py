"""The picture of a market: own size out, references by size, marks recomputed where the venue rounds them away."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quoting_markets import NOW_S, WEEK_S, deribit_call, derive_call, market, view_of

from actors.trading.books import Book, Kept, Market, best_with_size, fair_mark, others_only, steps_at_least, steps_at_most
from actors.trading.instruments import OptionKind, Side
from actors.trading.pricing import SECONDS_PER_YEAR, black76
from actors.venues.dialect import BookUpdate, TickerUpdate

T_YEARS = WEEK_S / SECONDS_PER_YEAR


def test_own_size_leaves_the_level_and_an_emptied_level_disappears() -> None:
    """Two own orders on one level are summed, a level of ours alone is gone, and other sides are untouched."""
    book = Book(((1001, 10), (1000, 50)), ((1050, 30), (1051, 5)), 7)
    own = [(Side.BID, 1001, 10), (Side.BID, 1000, 20), (Side.BID, 1000, 5), (Side.ASK, 1051, 2)]
    assert others_only(book, own) == Book(((1000, 25),), ((1050, 30), (1051, 3)), 7)


def test_own_size_larger_than_the_level_is_clamped_at_zero() -> None:
    """Our knowledge may be ahead of the book: more of ours than rests there leaves nothing, never a negative level."""
    assert others_only(Book(((1000, 5),), (), 1), [(Side.BID, 1000, 8)]).bids == ()


def test_own_orders_at_a_price_not_in_the_book_change_nothing() -> None:
    """An order the book does not show yet takes nothing from anyone."""
    book = Book(((1000, 5),), ((1010, 5),), 1)
    assert others_only(book, [(Side.BID, 1001, 8), (Side.ASK, 1000, 8)]) == book


levels = st.dictionaries(st.integers(1, 60), st.integers(1, 50), max_size=6)


@given(others=levels, own=levels)
def test_a_book_of_others_plus_ours_gives_back_the_others(others: dict[int, int], own: dict[int, int]) -> None:
    """Whatever we rest on top of others' bids, taking it out restores exactly theirs."""
    both = {price: others.get(price, 0) + own.get(price, 0) for price in others | own}
    book = Book(tuple(sorted(both.items(), reverse=True)), (), 1)
    without = others_only(book, [(Side.BID, price, amount) for price, amount in own.items()])
    assert without.bids == tuple(sorted(others.items(), reverse=True))


def test_best_with_size_skips_levels_that_are_too_small() -> None:
    """The best level that alone holds the reference size counts; none is None; zero takes the very best."""
    bids = ((1005, 1), (1004, 9), (1000, 10))
    assert best_with_size(bids, 10) == 1000
    assert best_with_size(bids, 0) == 1005
    assert best_with_size(bids, 11) is None


def test_contracts_become_steps_without_float_dust() -> None:
    """0.3 contracts of step 0.1 are three steps in both directions."""
    coarse = derive_call(amount_step=Decimal("0.1"))
    assert steps_at_least(coarse, 0.3) == steps_at_most(coarse, 0.3) == 3
    assert (steps_at_least(coarse, 0.31), steps_at_most(coarse, 0.39)) == (4, 3)


def test_a_positive_mark_of_the_venue_is_taken_as_it_is() -> None:
    """The venue's own mark wins over any recomputation."""
    assert fair_mark(market((), (), mark=12.3, mark_vol=0.5), T_YEARS) == 12.3


@pytest.mark.parametrize("mark", [None, 0.0, float("nan")])
def test_an_absent_mark_is_recomputed_from_vol_and_forward(mark: float | None) -> None:
    """Zero is absent, not free: vol and forward give the price the display rounded away."""
    found = fair_mark(market((), (), mark=mark, mark_vol=0.5, discount=0.99), T_YEARS)
    assert found == pytest.approx(black76(3000.0, 3000.0, T_YEARS, 0.5, True, 0.99))


def test_a_coin_mark_is_the_price_over_the_forward() -> None:
    """Deribit's premium is in coin, so the recomputed mark is too."""
    coin = market((), (), mark=0.0, mark_vol=0.5, instrument=deribit_call())
    assert fair_mark(coin, T_YEARS) == pytest.approx(black76(3000.0, 3000.0, T_YEARS, 0.5, True) / 3000.0)


@pytest.mark.parametrize("facts", [{"mark_vol": None}, {"mark_vol": 0.0}, {"mark_vol": 0.5, "forward": None}])
def test_without_vol_or_forward_there_is_no_mark(facts: dict[str, float | None]) -> None:
    """What cannot be known is None, never a guess."""
    assert fair_mark(market((), (), **facts), T_YEARS) is None


def test_an_expired_option_has_no_recomputed_mark() -> None:
    """At expiry the settlement decides, not a vol."""
    assert fair_mark(market((), (), mark_vol=0.5), 0.0) is None


def test_market_takes_the_tickers_facts() -> None:
    """Book and ticker of the venue make the picture; without a ticker its facts are absent."""
    ticker = TickerUpdate("ETH-CALL", 1, mark=4.0, mark_vol=0.6, forward=3010.0, index=3000.0, band_low=7, band_high=99)
    book = Book.of(BookUpdate("ETH-CALL", 5, [(10, 1)], [(12, 1)]))
    seen = Market.of(derive_call(), book, ticker)
    assert (seen.mark, seen.mark_vol, seen.forward, seen.band_low, seen.band_high) == (4.0, 0.6, 3010.0, 7, 99)
    assert seen.book.best(Side.ASK) == 12
    assert Market.of(derive_call(), book, None).mark is None


def test_the_operators_orders_are_a_barrier_but_no_reference() -> None:
    """A manual offer inside the market must not be crossed by our bid, although nobody's price comes from it."""
    seen = market(((1000, 5),), ((1050, 5),), manual=((Side.ASK, 1020, 5), (Side.BID, 1010, 5)))
    assert (seen.barrier(Side.BID), seen.barrier(Side.ASK)) == (1020, 1010)
    assert seen.book.best(Side.ASK) == 1050
    assert market((), ()).barrier(Side.BID) is None


def test_the_view_counts_years_of_365_days_and_never_below_zero() -> None:
    """A week is 7/365 of a year, and an expired instrument has no time left."""
    assert view_of(market((), ())).t_years == pytest.approx(7 / 365)
    assert view_of(market((), (), instrument=derive_call(expiry_s=NOW_S - 5))).t_years == 0.0


def test_what_is_kept_is_worked_out_once_for_each_object() -> None:
    worked: list[int] = []

    class Counted:
        def __init__(self, number: int) -> None:
            self.number = number

        @Kept
        def double(self) -> int:
            worked.append(self.number)
            return 2 * self.number

    one, two = Counted(1), Counted(2)
    assert [one.double, two.double, one.double, two.double] == [2, 4, 2, 4]
    assert worked == [1, 2]


@pytest.mark.parametrize("coin", [False, True], ids=["quote", "coin"])
@pytest.mark.parametrize("kind", list(OptionKind))
def test_a_mark_above_all_that_an_option_can_be_worth_is_no_mark(coin: bool, kind: OptionKind) -> None:
    """A call is worth its forward at most, a put its strike: beyond, the mark is recomputed, or there is none."""
    instrument = (deribit_call if coin else derive_call)(kind=kind, strike=4000.0)
    unit = 3000.0 if coin else 1.0
    most, least_too_much = 4000.0 / unit, 4000.5 / unit
    assert fair_mark(market((), (), mark=most, mark_vol=0.5, instrument=instrument), T_YEARS) == most
    true = black76(3000.0, 4000.0, T_YEARS, 0.5, kind is OptionKind.CALL) / unit
    found = fair_mark(market((), (), mark=least_too_much, mark_vol=0.5, instrument=instrument), T_YEARS)
    assert found == pytest.approx(true)
    assert fair_mark(market((), (), mark=least_too_much, instrument=instrument), T_YEARS) is None


def test_without_a_forward_the_venues_mark_stands() -> None:
    """Nothing is known that it could be measured by."""
    assert fair_mark(market((), (), mark=100_000.0, forward=None), T_YEARS) == 100_000.0
