"""Rate limits: Derive's fixed windows and instrument buckets, Deribit's credits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.venues.paper.rates import Pool, RateBook, Retry, deribit_rates, derive_rates

MS = 1_000_000
START = 1_795_856_400_000 * MS
"""A multiple of five seconds."""


def spend(book: RateBook, at_ms: int, times: int, pool: Pool = Pool.MATCHING, instrument: str = "") -> int:
    """How many of so many charges went through."""
    return sum(book.charge(START + at_ms * MS, "0xw", pool, instrument) is None for _ in range(times))


def test_a_trader_has_five_requests_a_window() -> None:
    """Spent at once or slowly, they come back together at the window's end."""
    book = derive_rates()
    assert spend(book, 0, 6) == 5
    assert book.charge(START + 1200 * MS, "0xw", Pool.MATCHING) == Retry(3800)
    assert spend(book, 4999, 1) == 0
    assert spend(book, 5000, 6) == 5


def test_each_instrument_has_a_bucket_of_its_own() -> None:
    """A market maker may send 10 a second to one instrument, burst 50, within 2500 a window for all."""
    book = derive_rates("market_maker")
    assert spend(book, 0, 60, instrument="A") == 50
    assert book.charge(START, "0xw", Pool.MATCHING, "A") == Retry(101)
    assert spend(book, 0, 60, instrument="B") == 50
    assert spend(book, 1000, 20, instrument="A") == 10
    assert book.state(START + 1000 * MS, "0xw", Pool.MATCHING).consumed == 110


def test_an_empty_bucket_costs_the_wallet_nothing() -> None:
    """A refusal of one limit spends from none."""
    book = derive_rates("market_maker")
    spend(book, 0, 50, instrument="A")
    spend(book, 0, 50, instrument="A")
    assert book.state(START, "0xw", Pool.MATCHING).consumed == 50


def test_mass_cancels_have_pools_of_their_own() -> None:
    """One cancel_all a second, ten label cancels without instrument, whatever else was spent."""
    book = derive_rates()
    spend(book, 0, 9)
    assert spend(book, 0, 3, Pool.CANCEL_ALL) == 1
    assert spend(book, 1000, 3, Pool.CANCEL_ALL) == 1
    assert spend(book, 0, 30, Pool.CANCEL_LABEL) == 10
    assert spend(book, 0, 30, Pool.NON_MATCHING) == 25


def test_customers_do_not_share_and_may_have_tiers() -> None:
    """Each wallet has its own counters; a tier can be given to one."""
    book = derive_rates()
    spend(book, 0, 5)
    assert book.charge(START, "0xother", Pool.MATCHING) is None
    book.set_tier("0xw", "market_maker")
    assert spend(book, 0, 3000) == 2495
    with pytest.raises(ValueError, match="no tier"):
        derive_rates("admiral")


def test_deribit_credits_refill_steadily() -> None:
    """Tier 4: burst of 20, then five a second; subscriptions ten, then one in 300 ms; unlimited pools are free."""
    book = deribit_rates()
    assert spend(book, 0, 30) == 20
    assert spend(book, 1000, 30) == 5
    assert spend(book, 0, 30, Pool.SUBSCRIBE) == 10
    assert spend(book, 300, 30, Pool.SUBSCRIBE) == 1
    assert spend(book, 0, 120, Pool.NON_MATCHING) == 100
    assert spend(book, 0, 1000, Pool.CANCEL_LABEL) == 1000


def test_mass_quotes_are_billed_by_call_and_by_quote() -> None:
    """Ten calls and five hundred quotes a second."""
    book = deribit_rates()
    assert spend(book, 0, 12, Pool.MASS_QUOTE) == 10
    assert book.charge(START, "0xw", Pool.QUOTES, cost=400) is None
    assert book.charge(START, "0xw", Pool.QUOTES, cost=101) == Retry(3)
    assert book.charge(START + 3 * MS, "0xw", Pool.QUOTES, cost=101) is None


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 3)), max_size=80), st.sampled_from(["derive", "deribit"]))
def test_no_second_ever_sees_more_than_burst_and_refill(calls: list[tuple[int, int]], venue: str) -> None:
    """However the charges come, and waiting as told is always enough."""
    book = derive_rates() if venue == "derive" else deribit_rates()
    burst, per_second = (10, 1) if venue == "derive" else (20, 5)  # two windows may touch
    now, paid = START, []
    for gap_ms, cost in calls:
        now += gap_ms * MS
        wait = book.charge(now, "w", Pool.MATCHING, cost=cost)
        if wait is not None:
            now += wait.ms * MS
            assert book.charge(now, "w", Pool.MATCHING, cost=cost) is None
        paid.append((now, cost))
    for start, _ in paid:
        within = sum(cost for at, cost in paid if start <= at < start + 1000 * MS)
        assert within <= burst + per_second + 3
