"""What Derive refuses of an order and why: its words, its moment, its signature, nonce and expiry."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest
from engine_stage import (
    ASK,
    BID,
    CALL,
    EXPIRY_S,
    MAKER,
    PERP,
    RIVAL,
    SECOND,
    TAKER,
    Stage,
    derive_option,
    derive_stage,
    refused,
)

from actors.venues.paper.events import InstrumentState, MaintenanceSwitched, OrderChanged, StateChanged, Traded
from actors.venues.paper.rules import DAY_S
from actors.venues.paper.tickets import CancelReason, OrderStatus, OrderType, Reason, TimeInForce

# -- what is refused


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"amount": 0}, Reason.BAD_AMOUNT),
        ({"amount": 9}, Reason.BAD_AMOUNT),
        ({"amount": 1_000_001}, Reason.BAD_AMOUNT),
        ({"price": 0}, Reason.BAD_PRICE),
        ({"price": -5}, Reason.BAD_PRICE),
        ({"price": None}, Reason.BAD_PRICE),
        ({"instrument": "ETH-20261218-9999-C"}, Reason.UNKNOWN_INSTRUMENT),
        ({"post_only": True, "tif": TimeInForce.IOC}, Reason.POST_ONLY_MARKET),
        ({"post_only": True, "order_type": OrderType.MARKET}, Reason.POST_ONLY_MARKET),
        ({"mmp": True, "order_type": OrderType.MARKET}, Reason.BAD_ARGUMENTS),
        ({"reduce_only": True}, Reason.REDUCE_ONLY_RESTING),
        ({"reduce_only": True, "tif": TimeInForce.IOC}, Reason.WOULD_NOT_REDUCE),
        ({"max_fee": Decimal("1.55")}, Reason.MAX_FEE_LOW),
        ({"max_fee": None}, Reason.MAX_FEE_LOW),
        ({"tif": TimeInForce.IOC}, Reason.NOTHING_TO_MATCH),
        ({"order_type": OrderType.MARKET}, Reason.NOTHING_TO_MATCH),
        ({"tif": TimeInForce.FOK}, Reason.FOK_UNFILLED),
        ({"reject_after_ms": 1}, Reason.TOO_LATE),
    ],
)
def test_each_wrong_order_has_its_own_refusal(stage: Stage, fields: dict[str, object], reason: Reason) -> None:
    """A refused order leaves no order, no event and no change of the book."""
    values = {"side": BID, "price": 1000, "amount": 100, **fields}
    request = stage.request(**values)  # type: ignore[arg-type]
    with refused(reason):
        stage.engine.place(MAKER, request)
    assert stage.engine.open_orders(MAKER) == []
    assert stage.engine.drain() == []


def test_the_least_fee_cap_is_twice_the_taker_rate_of_the_index(stage: Stage) -> None:
    """2 x 0.0003 x 2600 = 1.56 for an order that rests."""
    assert stage.put(BID, 1000, 100, max_fee=Decimal("1.56")).order.status is OrderStatus.OPEN


def test_a_crossing_order_must_carry_the_base_fee_in_its_cap(stage: Stage) -> None:
    """One contract crossing needs 1.56 + 0.5 / 1; half of it crossing needs 1.56 + 0.5 / 0.5."""
    stage.house(ASK, 1000, 100)
    with refused(Reason.MAX_FEE_LOW) as info:
        stage.put(BID, 1000, 100, max_fee=Decimal("2.05"))
    assert Decimal(info.value.limit) == Decimal("2.06")
    with refused(Reason.MAX_FEE_LOW):
        stage.put(BID, 1000, 50, max_fee=Decimal("2.06"))
    assert stage.put(BID, 1000, 100, max_fee=Decimal("2.06")).order.status is OrderStatus.FILLED


def test_small_takers_pass_under_the_minimum(stage: Stage) -> None:
    """The minimum binds what may rest, not what only takes."""
    stage.house(ASK, 1000, 100)
    placed = stage.put(BID, 1000, 3, tif=TimeInForce.IOC)
    assert (placed.order.status, placed.order.filled) == (OrderStatus.FILLED, 3)


def test_wire_values_off_the_grid_are_refused(stage: Stage) -> None:
    """A price off the tick or an amount off the step never becomes an order."""
    listing = stage.engine.listing(CALL)
    assert listing.price_of("100.1") == 1001
    assert listing.amount_of(Decimal("0.10")) == 10
    for bad in ("100.05", "NaN", "Infinity", "abc", ""):
        with refused(Reason.BAD_PRICE):
            listing.price_of(bad)
    with refused(Reason.BAD_AMOUNT):
        listing.amount_of("0.105")


def test_post_only_never_takes(stage: Stage) -> None:
    """Refused by default, one tick off the best when it may slide."""
    stage.house(ASK, 1000, 100)
    with refused(Reason.POST_ONLY_CROSS):
        stage.put(BID, 1000, 100, post_only=True)
    order = stage.put(BID, 1005, 100, post_only=True, reject_post_only=False).order
    assert (order.price, order.signed_price, order.filled) == (999, 1005, 0)
    ask = stage.put(ASK, 990, 100, account=RIVAL, post_only=True, reject_post_only=False).order
    assert ask.price == 1000


def test_a_slide_below_the_first_tick_is_no_price(stage: Stage) -> None:
    """Against an offer at the lowest price there is nowhere to slide to."""
    stage.house(ASK, 1, 100)
    with refused(Reason.NO_SLIDE):
        stage.put(BID, 2, 100, post_only=True, reject_post_only=False)


def test_own_orders_are_never_crossed(stage: Stage) -> None:
    """Refused for every account of the wallet, not for another wallet's."""
    stage.maker(2)
    stage.maker(3, owner="0xother")
    own = stage.put(ASK, 1000, 100).order
    with refused(Reason.SELF_CROSS) as info:
        stage.put(BID, 1000, 100)
    assert info.value.detail == own.order_id
    with refused(Reason.SELF_CROSS):
        stage.put(BID, 1001, 100, account=2)
    assert stage.put(BID, 1000, 100, account=3).order.status is OrderStatus.FILLED


def test_a_limit_beyond_the_band_acts_post_only(stage: Stage) -> None:
    """A bid above the highest price rests if it can, and never takes; a market order stops at the band."""
    stage.mark(CALL, "100", min_price=Decimal(90), max_price=Decimal(110))
    stage.house(ASK, 1000, 50)
    stage.house(ASK, 1200, 50)
    with refused(Reason.POST_ONLY_CROSS):
        stage.put(BID, 1150, 100)
    order = stage.put(BID, 1300, 100, order_type=OrderType.MARKET).order
    assert (order.filled, order.status, order.cancel_reason) == (50, OrderStatus.CANCELLED, CancelReason.IMMEDIATE)
    assert stage.put(BID, 1150, 100).order.status is OrderStatus.OPEN


def test_the_house_is_not_bound_by_the_band_or_the_clock(stage: Stage) -> None:
    """The world's own orders take beyond the band, need no nonce and never expire."""
    stage.mark(CALL, "100", min_price=Decimal(90), max_price=Decimal(110))
    stage.house(ASK, 1200, 50)
    assert stage.house(BID, 1200, 50, account=TAKER).status is OrderStatus.FILLED


def test_a_deadline_is_the_last_moment_that_counts(stage: Stage) -> None:
    """At the very millisecond the order is taken, a nanosecond later it is refused."""
    deadline_ms = stage.now_ns // 1_000_000
    assert stage.put(BID, 900, 100, reject_after_ms=deadline_ms).order.status is OrderStatus.OPEN
    stage.now_ns += 1
    with refused(Reason.TOO_LATE):
        stage.put(BID, 900, 100, reject_after_ms=deadline_ms)


def test_reduce_only_stops_at_flat(stage: Stage) -> None:
    """A reduce-only sale of more than is held sells what is held."""
    stage.house(BID, 1000, 500)
    stage.house(ASK, 1010, 500)
    stage.put(BID, 1010, 100, tif=TimeInForce.IOC)
    with refused(Reason.WOULD_NOT_REDUCE):
        stage.put(BID, 1010, 100, tif=TimeInForce.IOC, reduce_only=True)
    placed = stage.put(ASK, 1000, 300, tif=TimeInForce.IOC, reduce_only=True)
    assert (placed.order.filled, placed.order.status) == (100, OrderStatus.CANCELLED)
    assert CALL not in stage.engine.account(MAKER).positions


def test_a_market_order_ends_with_what_it_got(stage: Stage) -> None:
    """Filled in part it ends cancelled with the venue's reason; a fill-or-kill takes all or is refused."""
    stage.house(ASK, 1000, 30)
    with refused(Reason.FOK_UNFILLED):
        stage.put(BID, 1000, 40, tif=TimeInForce.FOK)
    placed = stage.put(BID, 1100, 40, order_type=OrderType.MARKET)
    assert (placed.order.status, placed.order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.IMMEDIATE)
    assert placed.order.filled == 30


def test_open_orders_are_counted() -> None:
    """Beyond the venue's number nothing more rests; a replace needs no second place."""
    stage = derive_stage(max_open_orders=2)
    first = stage.put(BID, 900, 10).order
    stage.put(BID, 901, 10)
    with refused(Reason.TOO_MANY_ORDERS):
        stage.put(BID, 902, 10)
    assert stage.engine.replace(MAKER, stage.request(BID, 903, 10), order_id=first.order_id).placed is not None


def test_nothing_trades_outside_its_hours(stage: Stage) -> None:
    """Locked before activation and after the hand of the operator; halted, in settlement, under maintenance."""
    late = derive_option("ETH-20261218-2700-C", 2700.0)
    stage.engine.list_instrument(attrs.evolve(late, activation_s=stage.now_ns // SECOND + 60))
    with refused(Reason.NOT_LIVE):
        stage.put(BID, 10, 10, instrument=late.name)
    stage.pass_s(60)
    assert stage.put(BID, 10, 10, instrument=late.name).order.status is OrderStatus.OPEN
    order = stage.put(BID, 1000, 100).order
    stage.engine.set_state(CALL, InstrumentState.HALTED)
    with refused(Reason.NOT_LIVE):
        stage.put(BID, 1000, 100)
    stage.engine.set_state(CALL, InstrumentState.SETTLEMENT)
    with refused(Reason.SETTLING):
        stage.engine.cancel(MAKER, order.order_id)
    stage.engine.set_state(CALL, InstrumentState.OPEN)
    stage.engine.set_maintenance(True)
    with refused(Reason.MAINTENANCE):
        stage.engine.cancel(MAKER, order.order_id)
    stage.engine.set_maintenance(False)
    assert stage.engine.cancel(MAKER, order.order_id).status is OrderStatus.CANCELLED
    states = [(change.instrument, change.state.value) for change in stage.told(StateChanged)]
    assert states == [(late.name, "open"), (CALL, "halted"), (CALL, "settlement"), (CALL, "open")]


def test_the_maintenance_switch_is_told_once(stage: Stage) -> None:
    """Only a change is news, and mass requests are refused like single ones."""
    for on in (True, True, False, False):
        stage.engine.set_maintenance(on)
        assert stage.engine.maintenance is on
        if on:
            with refused(Reason.MAINTENANCE):
                stage.engine.mass_quote(MAKER, "q", "g", [])
            with refused(Reason.MAINTENANCE):
                stage.engine.cancel_where(MAKER)
    assert [event.on for event in stage.told(MaintenanceSwitched)] == [True, False]


# -- signature, nonce, expiry


def test_the_signature_is_checked_after_the_words_and_before_the_book(stage: Stage) -> None:
    """A bad tick is told before a bad signature, a bad signature before a post-only cross; it burns no nonce."""

    def bad() -> None:
        raise PermissionError

    with refused(Reason.BAD_PRICE):
        stage.engine.place(MAKER, stage.request(BID, 0, 100), bad)
    stage.house(ASK, 1000, 100)
    request = stage.request(BID, 1000, 100, post_only=True)
    with pytest.raises(PermissionError):
        stage.engine.place(MAKER, request, bad)
    with refused(Reason.POST_ONLY_CROSS):
        stage.engine.place(MAKER, request)


def test_a_nonce_serves_once_per_signer_also_when_the_book_refused(stage: Stage) -> None:
    """Used by an order that the book refused too; free for another signer."""
    stage.house(ASK, 1000, 100)
    nonce = stage.now_ns
    with refused(Reason.POST_ONLY_CROSS):
        stage.put(BID, 1000, 100, post_only=True, nonce=nonce)
    with refused(Reason.NONCE_USED):
        stage.put(BID, 900, 100, nonce=nonce)
    assert stage.put(BID, 900, 100, nonce=nonce, signer="0xsecond").order.nonce == nonce


@pytest.mark.parametrize(("offset_s", "fits"), [(-90 * DAY_S, True), (-90 * DAY_S - 1, False), (3600, True), (3601, False)])
def test_nonces_live_from_ninety_days_back_to_an_hour_ahead(stage: Stage, offset_s: int, fits: bool) -> None:
    """Nanoseconds near the clock; milliseconds are decades away."""
    nonce = stage.now_ns + offset_s * SECOND
    if fits:
        assert stage.put(BID, 900, 100, nonce=nonce).order.nonce == nonce
    else:
        with refused(Reason.NONCE_WINDOW):
            stage.put(BID, 900, 100, nonce=nonce)
    with refused(Reason.NONCE_WINDOW):
        stage.put(BID, 900, 100, nonce=stage.now_ns // 1_000_000)


@pytest.mark.parametrize(
    ("life_s", "mmp", "fits"),
    [(299, False, False), (300, False, True), (900, True, True), (901, True, False), (901, False, True)],
)
def test_signatures_live_within_bounds(stage: Stage, life_s: int, mmp: bool, fits: bool) -> None:
    """Five minutes to 120 days; a protected order fifteen minutes at most."""
    expiry_s = stage.now_ns // SECOND + life_s
    if fits:
        stage.put(BID, 900, 100, mmp=mmp, signature_expiry_s=expiry_s)
    else:
        with refused(Reason.EXPIRY_BOUNDS):
            stage.put(BID, 900, 100, mmp=mmp, signature_expiry_s=expiry_s)


def test_a_signature_may_not_outlive_its_option(stage: Stage) -> None:
    """The perpetual knows no such bound but the general one."""
    with refused(Reason.EXPIRY_BOUNDS):
        stage.put(BID, 900, 100, signature_expiry_s=EXPIRY_S + 1)
    stage.put(BID, 200_000, 100, instrument=PERP, signature_expiry_s=EXPIRY_S + 1)


def test_a_resting_order_dies_with_its_signature(stage: Stage) -> None:
    """At that second it is expired, off the book, and nobody can hit it any more."""
    order = stage.put(BID, 1000, 100, signature_expiry_s=stage.now_ns // SECOND + 300).order
    stage.pass_s(299.999)
    stage.engine.advance()
    assert order.status is OrderStatus.OPEN
    stage.forget()
    stage.pass_s(0.001)
    with refused(Reason.NOTHING_TO_MATCH):
        stage.hit(ASK, 1000, 100)
    assert stage.told(Traded) == []
    (changed,) = stage.told(OrderChanged)
    assert (changed.order.status, changed.order.cancel_reason) == (OrderStatus.EXPIRED, CancelReason.NONE)
    with refused(Reason.ALREADY_EXPIRED):
        stage.engine.cancel(MAKER, order.order_id)
