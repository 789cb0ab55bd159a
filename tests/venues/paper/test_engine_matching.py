"""Matching: price-time, Derive's blend, shares worked out by hand."""

from __future__ import annotations

from decimal import Decimal

from engine_stage import ASK, BID, CALL, MAKER, PERP, RIVAL, TAKER, Stage

from actors.venues.paper.allotting import StepAllotment, allot
from actors.venues.paper.book import Book
from actors.venues.paper.events import BookChanged, LevelChange, OrderChanged, Traded
from actors.venues.paper.tickets import Order, OrderStatus, OrderType, Role, TimeInForce

DERIVE = StepAllotment(4, 5, 1000, 100)
"""0.8 pro rata, FIFO at least 10, shares in whole contracts, at a step of 0.01."""


def queue(*sizes: int) -> Book:
    """One bid level at 100 with orders of those sizes, in that order."""
    book = Book()
    for i, size in enumerate(sizes):
        book.add(
            Order(order_id=str(i), account_id=1, instrument=CALL, side=BID, price=100, signed_price=100, amount=size,
                  order_type=OrderType.LIMIT, tif=TimeInForce.GTC, created_ns=0, updated_ns=0)
        )  # fmt: skip
    return book


def shares(sizes: list[int], incoming: int, rule: StepAllotment = DERIVE) -> list[int]:
    level = queue(*sizes).top(BID)
    assert level is not None
    got = {share.order.order_id: share.amount for share in allot(level, incoming, rule)}
    return [got.get(str(i), 0) for i in range(len(sizes))]


def test_small_orders_go_to_the_first_in_line() -> None:
    """Up to the FIFO minimum of ten contracts nothing is shared."""
    assert shares([500, 5000, 5000], 1000) == [500, 500, 0]
    assert shares([2000, 5000, 5000], 900) == [900, 0, 0]


def test_a_fifth_goes_by_time_and_the_rest_by_size() -> None:
    """100 contracts on 50, 100, 250: 20 to the first, then 80 by the remaining 30 : 100 : 250."""
    # 80 x 30/380 = 6.3 -> 6, 80 x 100/380 = 21.05 -> 21, 80 x 250/380 = 52.6 -> 52; the one left over by time.
    assert shares([5000, 10000, 25000], 10000) == [2000 + 600 + 100, 2100, 5200]


def test_the_fifo_minimum_outweighs_the_fifth() -> None:
    """20 contracts: ten by time (a fifth would be four), ten by size."""
    # Rest 10, 20, 20 after the first ten: 10 x 10/50 = 2, 10 x 20/50 = 4, 4.
    assert shares([2000, 2000, 2000], 2000) == [1000 + 200, 400, 400]


def test_shares_are_cut_to_whole_contracts_and_the_rest_goes_by_time() -> None:
    """A maker whose share is less than a contract gets it only by time."""
    # 2500: 1000 first (to A), 1500 by size over A 1000, B 90, C 2000 of 3090: 485->400, 43->0, 970->900; 200 left to A.
    assert shares([2000, 90, 2000], 2500) == [1000 + 400 + 200, 0, 900]


def test_an_order_as_large_as_the_level_takes_everything() -> None:
    """No sharing is needed where everybody is filled."""
    assert shares([2000, 90, 2000], 4090) == [2000, 90, 2000]
    assert shares([2000, 90, 2000], 9999) == [2000, 90, 2000]


def test_odd_steps_leave_nothing_over() -> None:
    """An amount that is no whole contract is still handed out to the last step."""
    got = shares([3333, 777, 8125], 5001)
    assert sum(got) == 5001


def test_options_are_shared_and_perpetuals_are_not(stage: Stage) -> None:
    """The same queue and the same taker, twice: the blend on the option, price-time on the perpetual."""
    for name in (CALL, PERP):
        step = 1 if name == CALL else 10  # a contract is 100 steps of the option, 1000 of the perpetual
        price = 1000 if name == CALL else 260_000
        first = stage.house(BID, price, 5000 * step, instrument=name)
        second = stage.house(BID, price, 5000 * step, instrument=name)
        stage.hit(ASK, price, 5000 * step, name)
        # Option: 1000 by time, 4000 by 4000 : 5000 -> 1777 -> 1700 and 2222 -> 2200, the hundred over by time.
        assert (first.filled, second.filled) == ((2800, 2200) if name == CALL else (50_000, 0))


def test_a_sweep_takes_the_best_price_first_at_the_makers_prices(stage: Stage) -> None:
    """A taker's limit is the worst it gets, never what it pays for the better levels."""
    for price in (1010, 1000, 1020):
        stage.house(ASK, price, 100)
    placed = stage.hit(BID, 1010, 300)
    assert [(fill.price, fill.amount) for fill in placed.fills] == [(1000, 100), (1010, 100)]
    assert stage.book() == ([], [(1020, 100)])
    assert placed.order.status is OrderStatus.CANCELLED


def test_a_remainder_rests_at_its_limit(stage: Stage) -> None:
    """What a limit order does not get at once waits in the book with its fills on record."""
    stage.house(ASK, 1000, 30)
    order = stage.put(BID, 1005, 100).order
    assert (order.status, order.filled, order.remaining) == (OrderStatus.OPEN, 30, 70)
    assert order.average_ticks == Decimal(1000)
    assert stage.book() == ([(1005, 70)], [])


def test_both_sides_of_a_trade_tell_the_same_story(stage: Stage) -> None:
    """One trade id, one number, opposite sides, maker's price; the maker's order is told once."""
    order = stage.put(BID, 1000, 100).order
    stage.forget()
    stage.hit(ASK, 990, 40)
    (trade,) = stage.told(Traded)
    assert (trade.maker.trade_id, trade.maker.seq) == (trade.taker.trade_id, trade.taker.seq)
    assert (trade.maker.role, trade.taker.role) == (Role.MAKER, Role.TAKER)
    assert (trade.maker.side, trade.taker.side) == (BID, ASK)
    assert trade.maker.price == trade.taker.price == 1000
    (changed,) = stage.told(OrderChanged)
    assert (changed.order.order_id, changed.order.filled, changed.order.status) == (order.order_id, 40, OrderStatus.OPEN)
    assert changed.order is not order


def test_several_fills_of_one_call_are_one_change_of_the_order(stage: Stage) -> None:
    """A taker through three makers is three trades and one order change."""
    for price in (1000, 1001, 1002):
        stage.house(ASK, price, 50)
    stage.forget()
    stage.put(BID, 1002, 150)
    assert len(stage.told(Traded)) == 3
    (changed,) = stage.told(OrderChanged)
    assert (changed.order.status, changed.order.filled) == (OrderStatus.FILLED, 150)


def test_book_changes_are_told_as_levels_with_rising_ids(stage: Stage) -> None:
    """What was new, changed or gone since the last drain, chained by change ids."""
    one = stage.house(BID, 990, 50)
    stage.house(BID, 990, 50)
    (first,) = stage.told(BookChanged)
    assert first.levels == (LevelChange(BID, 990, 0, 100),)
    stage.engine.cancel(RIVAL, one.order_id)
    stage.house(ASK, 1010, 20)
    (second,) = stage.told(BookChanged)
    assert second.prev_change_id == first.change_id < second.change_id
    assert second.levels == (LevelChange(BID, 990, 100, 50), LevelChange(ASK, 1010, 0, 20))


def test_a_level_that_came_and_went_is_no_change(stage: Stage) -> None:
    """Between two drains only the difference counts."""
    order = stage.house(BID, 990, 50)
    stage.engine.cancel(RIVAL, order.order_id)
    assert stage.told(BookChanged) == []


def test_levels_are_grouped_away_from_the_market(stage: Stage) -> None:
    """Grouped by ten ticks, bids fall and asks rise to the group's price."""
    for price in (995, 991, 990, 985):
        stage.house(BID, price, 10)
    for price in (1001, 1010, 1011):
        stage.house(ASK, price, 10)
    book = stage.engine.listing(CALL).book
    assert book.levels(BID, 2, 10) == [(990, 30), (980, 10)]
    assert book.levels(ASK, 5, 10) == [(1010, 20), (1020, 10)]
    assert (book.best(BID), book.best_amount(BID), book.best(ASK)) == (995, 10, 1001)


def test_the_tape_keeps_extremes_volume_and_open_interest(stage: Stage) -> None:
    """Open interest rises when both sides open and falls when both close."""
    stage.put(BID, 1000, 100)
    stage.hit(ASK, 1000, 100)
    stats = stage.engine.listing(CALL).stats
    assert (stats.volume, stats.high, stats.low, stats.last, stats.open_interest) == (100, 1000, 1000, 1000, 100)
    stage.put(ASK, 1010, 60)
    stage.hit(BID, 1010, 60)
    assert (stats.count, stats.high, stats.tick_direction, stats.open_interest) == (2, 1010, 0, 40)


def test_pro_rata_makers_keep_their_turn_after_a_partial_fill(stage: Stage) -> None:
    """Being filled in part does not send a maker to the back."""
    first, second = stage.house(BID, 1000, 5000), stage.house(BID, 1000, 5000)
    stage.hit(ASK, 1000, 5000)
    left = first.remaining
    stage.hit(ASK, 1000, 500)
    assert (first.remaining, second.filled) == (left - 500, 2200)


def test_house_accounts_draw_no_order_events(stage: Stage) -> None:
    """Nobody listens to the world's own orders."""
    stage.house(BID, 990, 10)
    stage.engine.cancel_where(RIVAL)
    assert stage.told(OrderChanged) == []
    assert stage.engine.open_orders(RIVAL) == []
    assert stage.engine.accounts[TAKER].fills == []
    assert stage.engine.accounts[MAKER].fills == []
