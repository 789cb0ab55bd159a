"""Deribit's rules in the same engine: edits and their priority, bands, mass quotes, self-trade prevention."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest
from engine_stage import ASK, BID, MAKER, RIVAL, Stage, deribit_option, deribit_stage, refused

from actors.trading.instruments import Instrument, OptionKind
from actors.venues.paper.events import InstrumentState
from actors.venues.paper.mmp import MmpConfig
from actors.venues.paper.tickets import (
    CancelReason,
    EditRequest,
    MassQuoted,
    OrderStatus,
    OrderType,
    QuoteEntry,
    QuoteSide,
    Reason,
    TimeInForce,
)

NAME = deribit_option().name
PUT = "ETH-18DEC26-2600-P"


@pytest.fixture
def stage() -> Stage:
    return deribit_stage()


# -- orders


def test_prices_keep_to_the_ladder(stage: Stage) -> None:
    """0.0051 is a price of the fine ticks only: above 0.005 they are 0.0005 wide."""
    with refused(Reason.BAD_PRICE):
        stage.put(BID, 51, 1, instrument=NAME)
    assert stage.put(BID, 55, 1, instrument=NAME).order.status is OrderStatus.OPEN
    assert stage.put(BID, 49, 1, instrument=NAME).order.status is OrderStatus.OPEN


def test_prices_beyond_the_band_are_refused_with_the_edge(stage: Stage) -> None:
    """Too high for a buyer, too low for a seller; the other way round is merely hopeful."""
    stage.mark(NAME, "0.04", min_price=Decimal("0.02"), max_price=Decimal("0.06"))
    with refused(Reason.PRICE_TOO_HIGH) as info:
        stage.put(BID, 605, 1, instrument=NAME)
    assert info.value.limit == "0.0600"
    with refused(Reason.PRICE_TOO_LOW) as info:
        stage.put(ASK, 195, 1, instrument=NAME)
    assert info.value.limit == "0.0200"
    assert stage.put(BID, 100, 1, instrument=NAME).order.status is OrderStatus.OPEN


def test_an_immediate_order_that_finds_nothing_is_a_cancelled_order(stage: Stage) -> None:
    """Not an error, unlike on Derive; the same for a fill-or-kill that finds too little."""
    assert stage.put(BID, 400, 1, instrument=NAME, tif=TimeInForce.IOC).order.status is OrderStatus.CANCELLED
    stage.house(ASK, 400, 1, instrument=NAME)
    fok = stage.put(BID, 400, 2, instrument=NAME, tif=TimeInForce.FOK).order
    assert (fok.status, fok.filled) == (OrderStatus.CANCELLED, 0)
    market = stage.put(BID, None, 1, instrument=NAME, order_type=OrderType.MARKET).order
    assert (market.status, market.price, market.filled) == (OrderStatus.FILLED, 0, 1)


def test_ids_carry_the_settlement_currency(stage: Stage) -> None:
    """Rising, and never two alike."""
    first, second = (stage.put(BID, 300, 1, instrument=NAME).order for _ in range(2))
    assert first.order_id.startswith("ETH-")
    assert int(first.order_id[4:]) < int(second.order_id[4:])


def test_resting_reduce_only_orders_follow_the_position(stage: Stage) -> None:
    """They fill no further than flat, and end when there is nothing left to reduce."""
    stage.put(BID, 400, 5, instrument=NAME)
    stage.hit(ASK, 400, 5, NAME)
    order = stage.put(ASK, 420, 5, instrument=NAME, reduce_only=True).order
    stage.put(ASK, 410, 3, instrument=NAME)
    stage.hit(BID, 420, 8, NAME)
    assert (order.filled, stage.engine.account(MAKER).amount(NAME)) == (2, 0)
    stage.hit(BID, 420, 1, NAME)
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, 2)


def test_self_trades_are_prevented_either_way(stage: Stage) -> None:
    """The taker refused, or the own resting order cancelled."""
    own = stage.put(ASK, 400, 1, instrument=NAME).order
    with refused(Reason.SELF_CROSS):
        stage.put(BID, 400, 1, instrument=NAME)
    stage.engine.account(MAKER).cancel_maker_on_self_cross = True
    assert stage.put(BID, 400, 1, instrument=NAME).order.status is OrderStatus.OPEN
    assert own.cancel_reason is CancelReason.SELF_TRADE


# -- edit


def edit(stage: Stage, order_id: str, amount: int, price: int | None = None, **fields: bool) -> None:
    stage.engine.edit(MAKER, order_id, EditRequest(amount=amount, price=price, **fields))


def test_only_a_smaller_size_keeps_the_turn(stage: Stage) -> None:
    """Less at the same price stays in front; more, or another price and back, goes behind."""
    for amount, price, in_front in ((5, 400, True), (10, 400, True), (11, 400, False), (5, None, True)):
        order = stage.put(BID, 400, 10, instrument=NAME).order
        rival = stage.house(BID, 400, 5, instrument=NAME)
        edit(stage, order.order_id, amount, price)
        assert (order.replaced, order.amount, order.status) == (True, amount, OrderStatus.OPEN)
        stage.hit(ASK, 400, 1, NAME)
        assert (order.filled, rival.filled) == ((1, 0) if in_front else (0, 1))
        stage.engine.cancel_where(MAKER)
        stage.engine.cancel_where(RIVAL)


def test_the_amount_of_an_edit_is_the_new_total(stage: Stage) -> None:
    """Four of ten filled, edited to seven: three rest; edited to four or less: closed."""
    order = stage.put(BID, 400, 10, instrument=NAME).order
    stage.hit(ASK, 400, 4, NAME)
    edit(stage, order.order_id, 7)
    assert (order.remaining, stage.book(NAME)[0]) == (3, [(400, 3)])
    edit(stage, order.order_id, 4)
    assert (order.status, order.filled, stage.book(NAME)[0]) == (OrderStatus.CANCELLED, 4, [])
    with refused(Reason.ALREADY_CANCELLED):
        edit(stage, order.order_id, 7)


def test_a_crossing_edit_takes_slides_or_kills(stage: Stage) -> None:
    """Plain it trades, post-only it slides, with reject it is refused and the order is gone."""
    stage.house(ASK, 420, 3, instrument=NAME)
    slid = stage.put(BID, 400, 1, instrument=NAME).order
    edit(stage, slid.order_id, 1, 430, post_only=True)
    assert (slid.price, slid.post_only) == (415, True)
    taken = stage.put(BID, 400, 2, instrument=NAME).order
    edit(stage, taken.order_id, 2, 430)
    assert taken.status is OrderStatus.FILLED
    killed = stage.put(BID, 400, 2, instrument=NAME).order
    with refused(Reason.POST_ONLY_CROSS):
        edit(stage, killed.order_id, 2, 430, post_only=True, reject_post_only=True)
    assert (killed.status, killed.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.EDIT_POST_ONLY)


def test_an_edit_does_not_stand_in_its_own_way(stage: Stage) -> None:
    """Neither its old price nor its old reserve counts against it; bad edits change nothing."""
    order = stage.put(BID, 400, 10, instrument=NAME).order
    edit(stage, order.order_id, 20, 405)
    for bad in (EditRequest(amount=20, price=51), EditRequest(amount=10**9, price=400)):
        with pytest.raises(Exception, match=r"price is off|amount is off"):
            stage.engine.edit(MAKER, order.order_id, bad)
    with refused(Reason.TOO_LATE):
        stage.engine.edit(MAKER, order.order_id, EditRequest(amount=5, reject_after_ms=1))
    assert (order.price, order.amount, stage.book(NAME)[0]) == (405, 20, [(405, 20)])


def test_editing_by_label_needs_one_order(stage: Stage) -> None:
    """None or two of a label are refused."""
    with refused(Reason.UNKNOWN_ORDER):
        stage.engine.edit_by_label(MAKER, "a", NAME, EditRequest(amount=2))
    order = stage.put(BID, 400, 1, instrument=NAME, label="a").order
    stage.engine.edit_by_label(MAKER, "a", NAME, EditRequest(amount=2))
    assert order.amount == 2
    stage.put(BID, 390, 1, instrument=NAME, label="a")
    with refused(Reason.LABEL_NOT_UNIQUE):
        stage.engine.edit_by_label(MAKER, "a", NAME, EditRequest(amount=3))


# -- mass quotes


@pytest.fixture
def quoting() -> Stage:
    stage = deribit_stage()
    stage.list(deribit_option(PUT, OptionKind.PUT), "0.04", delta=-0.5)
    stage.engine.set_mmp(MAKER, MmpConfig(scope="eth_usd", group="g", interval_ms=1000, frozen_ms=1000,
                                          max_quote_quantity=Decimal(50)))  # fmt: skip
    return stage


def side(price: int | None, amount: int | None) -> QuoteSide:
    return QuoteSide(price=price, amount=amount, post_only=True, reject_post_only=True)


def quote(stage: Stage, *entries: QuoteEntry, group: str = "g") -> MassQuoted:
    return stage.engine.mass_quote(MAKER, "q", group, entries)


def both(bid: int, ask: int, amount: int = 5, name: str = NAME) -> QuoteEntry:
    return QuoteEntry(instrument=name, bid=side(bid, amount), ask=side(ask, amount))


def test_a_mass_quote_puts_two_sides_on_each_instrument(quoting: Stage) -> None:
    """Protected orders marked as quotes of the group."""
    done = quote(quoting, both(390, 410), both(380, 420, name=PUT))
    assert (len(done.orders), done.errors, done.pending) == (4, (), 0)
    assert {(o.mmp, o.mmp_group, o.quote_id) for o in done.orders} == {(True, "g", "q")}
    assert quoting.book(NAME) == ([(390, 5)], [(410, 5)])
    with refused(Reason.QUOTE_ORDER):
        edit(quoting, done.orders[0].order_id, 3)


def test_a_new_quote_replaces_the_old_one(quoting: Stage) -> None:
    """One per side: also across the own old quote, up or down."""
    quote(quoting, both(390, 410))
    for bid, ask in ((420, 440), (360, 380), (400, 405)):
        assert quote(quoting, both(bid, ask)).errors == ()
        assert quoting.book(NAME) == ([(bid, 5)], [(ask, 5)])
    assert len(quoting.engine.open_orders(MAKER)) == 2


def test_a_quote_may_jump_over_what_is_left_of_the_old_one(quoting: Stage) -> None:
    """The old bid is filled, the new one goes above the old ask: the ask moves first. And the mirror image."""
    quote(quoting, both(390, 410))
    quoting.hit(ASK, 390, 5, NAME)
    assert quote(quoting, both(420, 440)).errors == ()
    quoting.hit(BID, 440, 5, NAME)
    assert quote(quoting, both(390, 415)).errors == ()
    assert quoting.book(NAME) == ([(390, 5)], [(415, 5)])


def test_quotes_survive_a_pause_of_their_instrument(quoting: Stage) -> None:
    """While it settles both sides are errors, and nothing is pulled; a lost connection pulls all the same."""
    quoting.engine.mass_quote(MAKER, "q", "g", [both(390, 410)], connection=9)
    quoting.engine.set_state(NAME, InstrumentState.SETTLEMENT)
    done = quote(quoting, both(395, 405))
    assert [error.refusal.reason for error in done.errors] == [Reason.SETTLING] * 2
    assert quoting.book(NAME) == ([(390, 5)], [(410, 5)])
    assert quoting.engine.cancel_where(MAKER) == []
    assert len(quoting.engine.cancel_connection(9)) == 2
    assert quoting.book(NAME) == ([], [])


def test_only_a_smaller_quote_or_another_set_keeps_its_turn(quoting: Stage) -> None:
    """An identical one goes behind."""
    for change, in_front in (({"amount": 4}, True), ({"set": "s2"}, True), ({}, False)):
        quote(quoting, QuoteEntry(instrument=NAME, quote_set_id="s1", bid=side(390, 5)))
        rival = quoting.house(BID, 390, 5, instrument=NAME)
        fresh = QuoteEntry(instrument=NAME, quote_set_id=change.get("set", "s1"), bid=side(390, change.get("amount", 5)))
        (order,) = quote(quoting, fresh).orders
        quoting.hit(ASK, 390, 1, NAME)
        assert (order.filled, rival.filled) == ((1, 0) if in_front else (0, 1))
        quoting.engine.cancel_where(MAKER)
        quoting.engine.cancel_where(RIVAL)


def test_half_a_quote_amends_just_that(quoting: Stage) -> None:
    """Only a price, only an amount, or an amount of zero; an omitted side is untouched."""
    quote(quoting, both(390, 410))
    quote(quoting, QuoteEntry(instrument=NAME, bid=side(395, None), ask=side(None, 3)))
    assert quoting.book(NAME) == ([(395, 5)], [(410, 3)])
    (gone,) = quote(quoting, QuoteEntry(instrument=NAME, bid=side(None, 0))).orders
    assert (gone.status, gone.price) == (OrderStatus.CANCELLED, 395)
    assert quoting.book(NAME) == ([], [(410, 3)])
    done = quote(quoting, QuoteEntry(instrument=NAME, bid=side(400, None)))
    assert [error.refusal.reason for error in done.errors] == [Reason.BAD_ARGUMENTS]


def test_each_side_fails_for_itself(quoting: Stage) -> None:
    """The failed side's resting quote is gone, the other side stands."""
    quote(quoting, both(390, 410))
    quoting.house(ASK, 405, 1, instrument=NAME)
    done = quote(quoting, both(405, 415))
    assert [(error.side, error.refusal.reason) for error in done.errors] == [(BID, Reason.POST_ONLY_CROSS)]
    assert quoting.book(NAME) == ([], [(405, 1), (415, 5)])


def test_a_quote_crossed_with_itself_is_refused_on_both_sides(quoting: Stage) -> None:
    """Own bid at or above own ask, in the request or against what rests."""
    done = quote(quoting, both(410, 410))
    assert [error.refusal.reason for error in done.errors] == [Reason.QUOTE_CROSSED] * 2
    quote(quoting, both(390, 410))
    done = quote(quoting, QuoteEntry(instrument=NAME, bid=side(410, 5)))
    assert [error.refusal.reason for error in done.errors] == [Reason.QUOTE_CROSSED]
    assert quoting.book(NAME) == ([(390, 5)], [(410, 5)])


def test_a_whole_mass_quote_may_be_refused(quoting: Stage) -> None:
    """No protection for the group, too late, frozen, several indices, too many instruments."""
    with refused(Reason.MMP_REQUIRED):
        quote(quoting, both(390, 410), group="other")
    with refused(Reason.TOO_LATE):
        quoting.engine.mass_quote(MAKER, "q", "g", [both(390, 410)], reject_after_ms=1)
    many = deribit_stage(max_quotes=0)
    with refused(Reason.TOO_MANY_QUOTES):
        quote(many, both(390, 410))
    quoting.list(_bitcoin(), "0.04")
    with refused(Reason.SEVERAL_INDICES):
        quote(quoting, both(390, 410), both(390, 410, name=_bitcoin().name))
    quoting.engine.cancel_where(MAKER, freeze_quotes=True)
    with refused(Reason.QUOTES_FROZEN):
        quote(quoting, both(390, 410))
    quoting.pass_s(1)
    assert quote(quoting, both(390, 410)).errors == ()


def _bitcoin() -> Instrument:
    return attrs.evolve(deribit_option("BTC-18DEC26-90000-C"), underlying="BTC", index_name="btc_usd")


def test_a_tripped_group_takes_no_quotes_until_it_thaws(quoting: Stage) -> None:
    """Every quote of the group is pulled, and the whole next call is refused."""
    quoting.engine.set_mmp(MAKER, MmpConfig(scope="eth_usd", group="g", interval_ms=1000, frozen_ms=1000,
                                            amount_limit=Decimal(2)))  # fmt: skip
    quote(quoting, both(390, 410), both(380, 420, name=PUT))
    quoting.hit(ASK, 390, 3, NAME)
    assert quoting.engine.open_orders(MAKER) == []
    with refused(Reason.MMP_FROZEN):
        quote(quoting, both(390, 410))
    quoting.pass_s(1)
    assert len(quote(quoting, both(390, 410)).orders) == 2


def test_cancelling_quotes_leaves_orders(quoting: Stage) -> None:
    """`cancel_where` picks quotes by their id, set or kind."""
    quote(quoting, both(390, 410))
    plain = quoting.put(BID, 380, 1, instrument=NAME).order
    gone = quoting.engine.cancel_where(MAKER, lambda order, _: bool(order.quote_id))
    assert (len(gone), quoting.engine.open_orders(MAKER)) == (2, [plain])
