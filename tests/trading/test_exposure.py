"""Worst-case arithmetic, the rate budget, the desk's plan and the restart rule: small, pure, and money's last defence."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.trading.actions import ActionKind, plan
from actors.trading.budget import Budget, Window
from actors.trading.exposure import Exposure, worst_position
from actors.trading.instruments import Instrument, LadderStep, OptionKind, Side
from actors.trading.orders import Order, OrderTable
from actors.trading.quotes import Quote, QuotePair
from actors.trading.restarts import RestartRule, Restarts
from actors.venues.dialect import OrderRequest, OrderStatus, Pool, RateLimit, VenueOrder

A, B = "ETH-20261225-3000-C", "ETH-20261225-3000-P"
INSTRUMENT = Instrument(A, "derive", "ETH", Decimal("0.1"), Decimal("0.01"), 10, 10_000, OptionKind.CALL, 3000.0)


def pair(name: str = A, bid: int | None = 10, ask: int | None = 10, price: int = 1000) -> QuotePair:
    return QuotePair(
        name,
        1,
        Quote(price, bid) if bid else None,
        Quote(price + 20, ask) if ask else None,
        0.0,
    )


def rest(table: OrderTable, side: Side, price: int, amount: int, client_id: str, name: str = A) -> Order:
    order = table.placing(OrderRequest(name, side, price, amount, client_id, "l", 0, 0), 0.0)
    table.apply_order(VenueOrder(client_id, "v" + client_id, "l", name, side, price, amount, 0, OrderStatus.OPEN, 1))
    return order


# -- exposure


def test_exposure_sums_the_worse_side_of_each_instrument() -> None:
    """max(|position + bids|, |position - asks|), instrument by instrument."""
    table = OrderTable()
    exposure = Exposure(table, 100, 1000)
    exposure.set_position(A, 30)
    rest(table, Side.BID, 1000, 20, "1")
    rest(table, Side.ASK, 1020, 90, "2")
    exposure.refresh(A)
    assert exposure.total == max(abs(30 + 20), abs(30 - 90)) == 60


def test_a_reservation_and_the_order_it_becomes_are_not_counted_twice() -> None:
    """The approved quote replaces what rests, so the larger of the two counts."""
    table = OrderTable()
    exposure = Exposure(table, 100, 1000)
    exposure.reserve(pair(bid=30, ask=None))
    assert exposure.total == 30
    rest(table, Side.BID, 1000, 30, "1")
    exposure.refresh(A)
    assert exposure.total == 30
    exposure.release(A)
    assert exposure.total == 30


def test_beside_an_unknown_order_the_sum_is_reserved() -> None:
    """Nothing guards the two from both being filled."""
    table = OrderTable()
    exposure = Exposure(table, 100, 1000)
    table.lost(rest(table, Side.BID, 1000, 30, "1"), 0.0)
    exposure.reserve(pair(bid=20, ask=None))
    assert exposure.total == 50
    assert exposure.room(A).bid == 70


def test_the_reducing_side_always_has_room() -> None:
    """Past every limit, what brings the position towards zero may still be shown in full."""
    exposure = Exposure(OrderTable(), 10, 10)
    exposure.set_position(A, 40)
    exposure.set_position(B, 500)
    room = exposure.room(A)
    assert room.bid <= 0
    assert room.ask == 40


@given(st.integers(-200, 200), st.integers(1, 150), st.integers(1, 300), st.integers(-100, 100))
def test_what_fits_the_room_keeps_the_limits(position: int, max_position: int, max_exposure: int, other: int) -> None:
    """Showing all the room never takes the worst case past a limit, unless the position is already past it."""
    exposure = Exposure(OrderTable(), max_position, max_exposure)
    exposure.set_position(B, other)
    exposure.set_position(A, position)
    room = exposure.room(A)
    worst = worst_position(position, max(0, room.bid), max(0, room.ask))
    assert worst <= max(max_position, abs(position))
    assert worst + abs(other) <= max(max_exposure, abs(position) + abs(other))


# -- budget


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200), st.integers(1, 20), st.floats(0.5, 50.0))
def test_no_stretch_of_time_ever_holds_more_than_the_burst(gaps: list[float], burst: int, per_second: float) -> None:
    """Fixed windows, sliding ones and buckets all accept what fits every stretch of burst / rate seconds."""
    budget = Budget({Pool.MATCHING: RateLimit(per_second, burst)}, None)
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        if budget.wait_for(Pool.MATCHING, now) == 0.0:
            budget.spend(Pool.MATCHING, now)
            sent.append(now)
    length = burst / per_second
    for first in sent:
        assert sum(1 for t in sent if first <= t < first + length) <= burst


def test_a_full_demand_uses_the_whole_budget() -> None:
    """Waiting exactly as long as told, 98 % of one request a second are used at burst five."""
    budget = Budget({Pool.MATCHING: RateLimit(1.0, 5.0)}, None)
    now, count = 0.0, 0
    while now < 600.0:
        wait = budget.wait_for(Pool.MATCHING, now)
        if wait == 0.0:
            budget.spend(Pool.MATCHING, now)
            count += 1
        now += wait + 1e-6
    assert count >= 0.97 * 600


def test_a_large_pool_keeps_a_reserve_that_only_cancels_may_use() -> None:
    """Quotes stop early, cancels do not."""
    budget = Budget({Pool.MATCHING: RateLimit(10.0, 20.0)}, None)
    for _ in range(18):
        budget.spend(Pool.MATCHING, 0.0)
    assert budget.wait_for(Pool.MATCHING, 0.0) > 0
    assert budget.wait_for(Pool.MATCHING, 0.0, cancel=True) == 0


def test_an_instrument_has_its_own_window() -> None:
    """The account's budget may be free while one instrument's is not."""
    budget = Budget({Pool.MATCHING: RateLimit(100.0, 100.0)}, RateLimit(1.0, 2.0))
    for _ in range(2):
        budget.spend(Pool.MATCHING, 0.0, instrument=A)
    assert budget.wait_for(Pool.MATCHING, 0.0, instrument=A) > 1.9
    assert budget.wait_for(Pool.MATCHING, 0.0, instrument=B) == 0


def test_told_to_wait_nothing_is_sent_before_that() -> None:
    """The venue's word beats our own count."""
    budget = Budget({Pool.MATCHING: RateLimit(1.0, 5.0)}, None)
    budget.exhausted(Pool.MATCHING, 10.0, 3.0)
    assert budget.wait_for(Pool.MATCHING, 10.0) == pytest.approx(3.0)
    assert Window.of(RateLimit(1.0, 5.0)).left(0.0) == 5


# -- the desk's plan


def acts(wanted: QuotePair, table: OrderTable, *, amend: bool = False) -> list[tuple[ActionKind, Side]]:
    actions = plan(
        INSTRUMENT,
        wanted,
        table.working(A),
        needs_requote=lambda order, quote: (order.price, order.remaining) != (quote.price, quote.amount),
        must_renew=lambda order: False,
        native_amend=amend,
    )
    return [(action.kind, action.side) for action in actions]


def test_the_dangerous_side_moves_first() -> None:
    """When both prices rise, the resting ask is the one that loses."""
    table = OrderTable()
    rest(table, Side.BID, 1000, 10, "1")
    rest(table, Side.ASK, 1020, 10, "2")
    assert acts(pair(price=1010), table) == [(ActionKind.REPLACE, Side.ASK), (ActionKind.REPLACE, Side.BID)]
    assert acts(pair(price=995), table) == [(ActionKind.REPLACE, Side.BID), (ActionKind.REPLACE, Side.ASK)]


def test_a_quote_that_would_meet_our_own_other_side_waits() -> None:
    """After a jump beyond the spread the side in danger moves alone; the other follows when that one is known to be gone."""
    table = OrderTable()
    bid, ask = rest(table, Side.BID, 1000, 10, "1"), rest(table, Side.ASK, 1020, 10, "2")
    assert acts(pair(price=1100), table) == [(ActionKind.REPLACE, Side.ASK)]
    assert acts(pair(price=900), table) == [(ActionKind.REPLACE, Side.BID)]
    table.amending(ask, Quote(1120, 10), 0.0)
    assert acts(pair(price=1100), table) == []
    table.edit_failed(ask)
    table.amending(bid, Quote(1015, 10), 0.0)
    assert acts(pair(price=990), table, amend=True) == []


def test_cancels_come_before_everything_and_equal_quotes_send_nothing() -> None:
    """A side that must go goes first; what rests as wanted is left alone."""
    table = OrderTable()
    rest(table, Side.BID, 1000, 10, "1")
    rest(table, Side.ASK, 1020, 10, "2")
    assert acts(pair(), table) == []
    assert acts(pair(bid=None, price=1100), table) == [(ActionKind.CANCEL, Side.BID), (ActionKind.REPLACE, Side.ASK)]


def test_nothing_is_sent_for_a_side_whose_answer_is_awaited() -> None:
    """A second order beside one in flight could be filled twice."""
    table = OrderTable()
    table.placing(OrderRequest(A, Side.BID, 1000, 10, "1", "l", 0, 0), 0.0)
    assert acts(pair(), table) == [(ActionKind.PLACE, Side.ASK)]


def test_where_the_venue_amends_an_order_keeps_its_identity() -> None:
    """One edit in place of a replacement."""
    table = OrderTable()
    rest(table, Side.BID, 1000, 10, "1")
    assert acts(pair(ask=None, price=990), table, amend=True) == [(ActionKind.AMEND, Side.BID)]


# -- restarts


def test_restarts_double_their_wait_and_end_when_too_many_fall_into_one_period() -> None:
    """Three in a minute are granted, the fourth is not; a quiet minute forgives."""
    rule = RestartRule(3, 60.0, 0.5, 30.0)
    restarts = Restarts(rule)
    assert [restarts.crashed(float(t)) for t in range(4)] == [0.5, 1.0, 2.0, None]
    assert Restarts(rule).crashed(100.0) == 0.5
    assert restarts.crashed(200.0) == 0.5


# -- the ladder


LADDER = Instrument(
    "ETH-25DEC26-3000-C", "deribit", "ETH", Decimal("0.0001"), Decimal(1), 1, 1000, ladder=(LadderStep(50, 5),)
)


@given(st.floats(0.00005, 0.2), st.sampled_from(list(Side)))
def test_the_crossing_to_ticks_lands_on_the_ladder_away_from_the_market(price: float, side: Side) -> None:
    """A bid never above what the model said, an ask never below, and each on a price the venue takes."""
    ticks = LADDER.round_away(price, side)
    assert LADDER.on_ladder(ticks)
    assert (LADDER.price_float(ticks) - price) * side <= 1e-9


@given(st.integers(1, 3000))
def test_a_step_up_and_down_is_where_it_began(raw: int) -> None:
    """On the ladder; above 0.0050 comes 0.0055."""
    price = LADDER.onto_ladder(raw, Side.ASK)
    assert LADDER.step_down(LADDER.step_up(price)) == price
    assert LADDER.price_text(LADDER.step_up(50)) == "0.0055"


@given(st.integers(0, 10**7))
def test_text_of_a_price_reads_back_to_the_same_ticks(ticks: int) -> None:
    """Strings on the wire and integers in the signature come from one value."""
    assert INSTRUMENT.price_ticks(INSTRUMENT.price_text(ticks)) == ticks
    assert int(Decimal(INSTRUMENT.price_text(ticks)).scaleb(18)) == INSTRUMENT.price_e18(ticks)
