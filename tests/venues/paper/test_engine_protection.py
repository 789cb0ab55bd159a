"""Market-maker protection of both venues: what is counted, what trips, what is pulled, what thaws."""

from __future__ import annotations

from decimal import Decimal

from engine_stage import ASK, BID, CALL, MAKER, PUT, SECOND, Stage, deribit_option, deribit_stage, derive_stage, refused

from actors.venues.paper.events import MmpTripped, OrderChanged
from actors.venues.paper.mmp import MmpConfig
from actors.venues.paper.tickets import CancelReason, OrderStatus, Reason

D = Decimal
INVERSE = deribit_option().name


def derive_protected(frozen_ms: int = 5000, **limits: Decimal) -> Stage:
    stage = derive_stage()
    stage.engine.set_mmp(MAKER, MmpConfig(scope="ETH", interval_ms=10_000, frozen_ms=frozen_ms, **limits))
    return stage


def test_going_over_the_amount_limit_pulls_every_protected_order() -> None:
    """Gross amounts of both sides count; the fill that trips stands; unprotected orders stay."""
    stage = derive_protected(amount_limit=D(3))
    hit = stage.put(BID, 1000, 300, mmp=True).order
    ask = stage.put(ASK, 1010, 100, mmp=True).order
    other = stage.put(BID, 900, 100, instrument=PUT, mmp=True).order
    plain = stage.put(BID, 890, 100, instrument=PUT).order
    stage.hit(ASK, 1000, 200)
    stage.hit(BID, 1010, 100)
    assert stage.told(MmpTripped) == []
    stage.forget()
    stage.hit(ASK, 1000, 50)
    (trip,) = stage.told(MmpTripped)
    assert (trip.scope, trip.group, trip.frozen_until_ms) == ("ETH", "", stage.now_ns // 1_000_000 + 5000)
    assert (hit.filled, hit.status, hit.cancel_reason) == (250, OrderStatus.CANCELLED, CancelReason.MMP)
    assert (ask.status, other.cancel_reason) == (OrderStatus.FILLED, CancelReason.MMP)
    assert plain.status is OrderStatus.OPEN
    assert [c.order.cancel_reason for c in stage.told(OrderChanged)] == [CancelReason.MMP, CancelReason.MMP]


def test_reaching_a_limit_is_not_going_over_it_unless_told() -> None:
    """Uncertain at the venue, hence a rule that can be turned."""
    for at_limit in (False, True):
        stage = derive_stage(mmp_trips_at_limit=at_limit)
        stage.engine.set_mmp(MAKER, MmpConfig(scope="ETH", interval_ms=1000, frozen_ms=0, amount_limit=D(1)))
        order = stage.put(BID, 1000, 200, mmp=True).order
        stage.hit(ASK, 1000, 100)
        assert (order.status is OrderStatus.CANCELLED) is at_limit


def test_one_taker_cannot_pass_the_tripping_level() -> None:
    """The sweep's next level is already pulled, and the taker finds the house behind it."""
    stage = derive_protected(amount_limit=D(1))
    stage.put(BID, 1000, 200, mmp=True)
    deeper = stage.put(BID, 999, 200, mmp=True).order
    house = stage.house(BID, 998, 200)
    stage.hit(ASK, 998, 400)
    assert (deeper.filled, deeper.cancel_reason, house.filled) == (0, CancelReason.MMP, 200)


def test_while_frozen_protected_orders_are_refused() -> None:
    """With 11015's reason until the freeze ends; plain ones pass; counting starts afresh afterwards."""
    stage = derive_protected(amount_limit=D(1))
    stage.put(BID, 1000, 200, mmp=True)
    stage.hit(ASK, 1000, 200)
    with refused(Reason.MMP_FROZEN):
        stage.put(BID, 1000, 100, mmp=True)
    assert stage.put(BID, 900, 100).order.status is OrderStatus.OPEN
    (status,) = stage.engine.mmp_status(MAKER, "ETH")
    assert (status.frozen, status.frozen_until_ms) == (True, stage.now_ns // 1_000_000 + 5000)
    stage.pass_s(5)
    (status,) = stage.engine.mmp_status(MAKER)
    assert (status.frozen, status.frozen_until_ms) == (False, 0)
    order = stage.put(BID, 1000, 100, mmp=True).order
    stage.hit(ASK, 1000, 100)
    assert order.status is OrderStatus.FILLED


def test_a_freeze_without_end_waits_for_the_reset() -> None:
    """Frozen time zero: until reset; a new config does not thaw."""
    stage = derive_protected(frozen_ms=0, amount_limit=D(1))
    stage.put(BID, 1000, 200, mmp=True)
    stage.hit(ASK, 1000, 200)
    (trip,) = stage.told(MmpTripped)
    assert trip.frozen_until_ms == 0
    stage.pass_s(86_400)
    stage.engine.set_mmp(MAKER, MmpConfig(scope="ETH", interval_ms=10_000, frozen_ms=0, amount_limit=D(50)))
    with refused(Reason.MMP_FROZEN):
        stage.put(BID, 1000, 100, mmp=True)
    stage.engine.reset_mmp(MAKER, "BTC")
    with refused(Reason.MMP_FROZEN):
        stage.put(BID, 1000, 100, mmp=True)
    stage.engine.reset_mmp(MAKER, "ETH")
    assert stage.put(BID, 1000, 100, mmp=True).order.status is OrderStatus.OPEN


def test_the_window_rolls_on_derive() -> None:
    """A fill counts for the interval after it, one by one."""
    stage = derive_protected(amount_limit=D(3))
    stage.put(BID, 1000, 1000, mmp=True)
    for amount, then_s in ((200, 6), (100, 5), (200, 0)):
        stage.hit(ASK, 1000, amount)
        stage.pass_s(then_s)
    assert stage.told(MmpTripped) == []  # eleven seconds in, the first two have left the window: 1 and 2 are in it
    stage.hit(ASK, 1000, 100)
    assert len(stage.told(MmpTripped)) == 1


def test_delta_is_netted_and_its_size_compared() -> None:
    """Buying one call (+0.5) and one put (-0.5) is flat; two calls more are not."""
    stage = derive_protected(delta_limit=D("0.9"))
    for name in (CALL, PUT):
        stage.put(BID, 1000, 300, instrument=name, mmp=True)
        stage.hit(ASK, 1000, 100, name)
    stage.hit(ASK, 1000, 100)
    assert stage.told(MmpTripped) == []
    stage.hit(ASK, 1000, 100)
    assert len(stage.told(MmpTripped)) == 1


def test_a_protected_taker_is_counted_and_stopped() -> None:
    """The remainder of an aggressive protected order does not rest after it tripped."""
    stage = derive_protected(amount_limit=D(1))
    stage.house(ASK, 1000, 150)
    order = stage.put(BID, 1000, 300, mmp=True).order
    assert (order.filled, order.status, order.cancel_reason) == (150, OrderStatus.CANCELLED, CancelReason.MMP)


def test_configs_are_stored_as_the_venue_stores_them() -> None:
    """Derive cuts to whole seconds and reads zero as no limit; an interval of zero switches off."""
    stage = derive_stage()
    stored = stage.engine.set_mmp(
        MAKER, MmpConfig(scope="ETH", interval_ms=1999, frozen_ms=2999, amount_limit=D(0), delta_limit=D(1))
    )
    assert (stored.interval_ms, stored.frozen_ms, stored.amount_limit) == (1000, 2000, None)
    stage.engine.set_mmp(MAKER, MmpConfig(scope="ETH", interval_ms=999, frozen_ms=0, amount_limit=D(1)))
    order = stage.put(BID, 1000, 300, mmp=True).order
    stage.hit(ASK, 1000, 300)
    assert order.status is OrderStatus.FILLED
    assert [status.config.interval_ms for status in stage.engine.mmp_status(MAKER)] == [0]


# -- Deribit


def deribit_protected(group: str = "", **limits: Decimal) -> Stage:
    stage = deribit_stage()
    config = MmpConfig(scope="eth_usd", group=group, interval_ms=10_000, frozen_ms=1000, **limits)
    stage.engine.set_mmp(MAKER, config)
    return stage


def test_deribits_window_opens_with_the_first_trade() -> None:
    """Trades at 0 s and 9 s share a window; one at 10 s opens the next, whatever happened at 9 s."""
    stage = deribit_protected(amount_limit=D(3))
    stage.put(BID, 400, 100, instrument=INVERSE, mmp=True)
    stage.hit(ASK, 400, 1, INVERSE)
    stage.pass_s(9)
    stage.hit(ASK, 400, 2, INVERSE)
    stage.pass_s(1)
    stage.hit(ASK, 400, 2, INVERSE)
    assert stage.told(MmpTripped) == []
    stage.hit(ASK, 400, 2, INVERSE)
    assert len(stage.told(MmpTripped)) == 1


def test_deribit_counts_delta_net_of_the_premium_and_vega() -> None:
    """A coin option's delta is 0.5 less its price of 0.04; vega is 2 dollars a contract."""
    for limits, fits in (({"delta_limit": D("0.93")}, 2), ({"vega_limit": D("5.9")}, 2)):
        stage = deribit_protected(**limits)
        stage.put(BID, 400, 100, instrument=INVERSE, mmp=True)
        stage.hit(ASK, 400, fits, INVERSE)
        assert stage.told(MmpTripped) == []
        stage.hit(ASK, 400, 1, INVERSE)
        assert len(stage.told(MmpTripped)) == 1


def test_groups_are_protected_apart() -> None:
    """A trip of one group leaves the orders of the index's other groups alone."""
    stage = deribit_protected("g1", amount_limit=D(1))
    one = stage.put(BID, 400, 10, instrument=INVERSE, mmp=True, mmp_group="g1").order
    plain = stage.put(BID, 390, 10, instrument=INVERSE, mmp=True).order
    stage.hit(ASK, 400, 2, INVERSE)
    assert (one.cancel_reason, plain.status) == (CancelReason.MMP, OrderStatus.OPEN)
    assert [status.config.group for status in stage.engine.mmp_status(MAKER, group="g1")] == ["g1"]


def test_the_quote_quantity_bounds_what_rests_per_side() -> None:
    """More is refused; a lower limit cancels what exceeds it, the youngest first."""
    stage = deribit_protected(max_quote_quantity=D(10))
    first = stage.put(BID, 400, 6, instrument=INVERSE, mmp=True).order
    with refused(Reason.MMP_QUANTITY):
        stage.put(BID, 390, 5, instrument=INVERSE, mmp=True)
    second = stage.put(BID, 390, 4, instrument=INVERSE, mmp=True).order
    ask = stage.put(ASK, 420, 10, instrument=INVERSE, mmp=True).order
    stage.engine.set_mmp(
        MAKER, MmpConfig(scope="eth_usd", interval_ms=1000, frozen_ms=0, max_quote_quantity=D(6))
    )
    assert (first.status, second.cancel_reason) == (OrderStatus.OPEN, CancelReason.MMP_CURTAILED)
    assert ask.cancel_reason is CancelReason.MMP_CURTAILED


def test_an_interval_of_zero_removes_deribits_config() -> None:
    """Nothing is left to ask for."""
    stage = deribit_protected(amount_limit=D(1))
    stage.engine.set_mmp(MAKER, MmpConfig(scope="eth_usd", interval_ms=0, frozen_ms=0))
    assert stage.engine.mmp_status(MAKER) == []


def test_a_bumped_protected_order_may_still_land() -> None:
    """Tripping turns what waits in the speed bump into immediate-or-cancel: limits can be overshot."""
    stage = deribit_stage(speed_bump_ns=10 * SECOND)
    stage.engine.set_mmp(MAKER, MmpConfig(scope="eth_usd", interval_ms=60_000, frozen_ms=0, amount_limit=D(1)))
    quote = stage.put(ASK, 420, 5, instrument=INVERSE, mmp=True, post_only=True).order
    taker = stage.put(BID, 420, 2, instrument=INVERSE, account=901)
    stage.pass_s(5)
    stage.house(ASK, 430, 5, instrument=INVERSE, post_only=True)
    other = stage.put(BID, 430, 4, instrument=INVERSE, mmp=True, account=901)
    stage.pass_s(5)
    stage.engine.advance()
    assert (taker.order.filled, quote.cancel_reason) == (2, CancelReason.MMP)
    stage.pass_s(5)
    stage.engine.advance()
    assert other.order.filled == 4
