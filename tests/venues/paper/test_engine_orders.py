"""The life of an order on Derive once it is taken: cancel, replace, the speed bump, queries."""

from __future__ import annotations

from engine_stage import ASK, BID, CALL, MAKER, PUT, RIVAL, SECOND, TAKER, Stage, derive_stage, refused

from actors.venues.paper.events import OrderChanged, OrderReleased
from actors.venues.paper.tickets import CancelReason, OrderStatus, Reason, Refusal, TimeInForce

# -- cancel


def test_a_refused_cancel_says_how_the_order_was_gone(stage: Stage) -> None:
    """Unknown, cancelled, filled: three different answers."""
    with refused(Reason.UNKNOWN_ORDER):
        stage.engine.cancel(MAKER, "nobody")
    order = stage.put(BID, 1000, 100).order
    with refused(Reason.UNKNOWN_ORDER):
        stage.engine.cancel(MAKER, order.order_id, PUT)
    stage.engine.cancel(MAKER, order.order_id, CALL)
    with refused(Reason.ALREADY_CANCELLED):
        stage.engine.cancel(MAKER, order.order_id)
    filled = stage.put(BID, 1000, 100).order
    stage.hit(ASK, 1000, 100)
    with refused(Reason.ALREADY_FILLED):
        stage.engine.cancel(MAKER, filled.order_id)
    with refused(Reason.UNKNOWN_ORDER):
        stage.engine.cancel(RIVAL, filled.order_id)


def test_cancel_by_nonce_burns_a_nonce_nobody_used(stage: Stage) -> None:
    """So that it also stops an order that is still on its way."""
    request = stage.request(BID, 900, 100)
    assert stage.engine.cancel_by_nonce(MAKER, CALL, request.nonce) == []
    with refused(Reason.NONCE_USED):
        stage.engine.place(MAKER, request)
    order = stage.put(BID, 900, 100).order
    assert stage.engine.cancel_by_nonce(MAKER, PUT, order.nonce) == []
    assert stage.engine.cancel_by_nonce(MAKER, CALL, order.nonce) == [order]
    assert stage.engine.cancel_by_nonce(MAKER, CALL, order.nonce) == []


def test_cancels_are_scoped(stage: Stage) -> None:
    """By label exactly, by instrument, all of one account; never another's."""
    stage.maker(2)
    ours = [stage.put(BID, 900, 10, label="run-1"), stage.put(BID, 901, 10, instrument=PUT, label="run-1")]
    manual = stage.put(BID, 902, 10, label="run-11").order
    other = stage.put(BID, 903, 10, account=2, label="run-1").order
    assert [o.order_id for o in stage.engine.cancel_by_label(MAKER, "run-1", instrument=PUT)] == [ours[1].order.order_id]
    assert stage.engine.cancel_by_label(MAKER, "run-1", underlying="BTC") == []
    assert len(stage.engine.cancel_by_label(MAKER, "run-1")) == 1
    assert manual.status is OrderStatus.OPEN
    assert stage.engine.cancel_by_instrument(MAKER, PUT) == []
    assert stage.engine.cancel_where(MAKER) == [manual]
    assert (manual.cancel_reason, other.status) == (CancelReason.USER, OrderStatus.OPEN)


def test_a_dropped_socket_cancels_the_whole_wallet(stage: Stage) -> None:
    """Every account of the owner, with its own reason; others keep theirs. Or only what came on one connection."""
    stage.maker(2)
    stage.maker(3, owner="0xother")
    mine = [stage.put(BID, 900, 10, account=a, connection=a).order for a in (1, 2, 3)]
    assert stage.engine.cancel_owner("0xmaker") == mine[:2]
    assert {order.cancel_reason for order in mine[:2]} == {CancelReason.DISCONNECT}
    assert stage.engine.cancel_owner("0xnobody") == []
    assert stage.engine.cancel_connection(2) == []
    assert stage.engine.cancel_connection(3) == [mine[2]]


# -- replace


def test_replace_takes_the_place_of_the_old_order(stage: Stage) -> None:
    """By id or by nonce; the new order names the old one and stands behind its neighbours."""
    old = stage.put(BID, 1000, 100).order
    rival = stage.house(BID, 1000, 100)
    done = stage.engine.replace(MAKER, stage.request(BID, 1000, 200), order_id=old.order_id, expected_filled=0)
    assert done.placed is not None
    assert done.placed.order.replaced_order_id == old.order_id
    assert (old.status, old.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.USER)
    stage.hit(ASK, 1000, 100)
    assert (rival.filled, done.placed.order.filled) == (100, 0)
    again = stage.engine.replace(MAKER, stage.request(BID, 999, 200), nonce=done.placed.order.nonce)
    assert again.cancelled is done.placed.order


def test_replace_of_a_gone_order_brings_nothing_new(stage: Stage) -> None:
    """Case 1: the cancel fails, so there is an error and no new order."""
    old = stage.put(BID, 1000, 100).order
    stage.hit(ASK, 1000, 100)
    with refused(Reason.ALREADY_FILLED):
        stage.engine.replace(MAKER, stage.request(BID, 999, 100), order_id=old.order_id)
    with refused(Reason.UNKNOWN_ORDER):
        stage.engine.replace(MAKER, stage.request(BID, 999, 100), nonce=12345)
    with refused(Reason.BAD_ARGUMENTS):
        stage.engine.replace(MAKER, stage.request(BID, 999, 100))
    assert stage.engine.open_orders(MAKER) == []


def test_replace_whose_new_half_fails_has_still_cancelled(stage: Stage) -> None:
    """Case 2: the old order stays cancelled, and the failure is in the answer, not an exception."""
    old = stage.put(BID, 990, 100).order
    stage.house(ASK, 1000, 100)
    done = stage.engine.replace(MAKER, stage.request(BID, 1000, 100, post_only=True), order_id=old.order_id)
    assert done.failure is not None
    assert (done.failure.reason, done.placed) == (Reason.POST_ONLY_CROSS, None)
    assert old.status is OrderStatus.CANCELLED
    assert stage.engine.open_orders(MAKER) == []


def test_replace_guards_against_filling_twice(stage: Stage) -> None:
    """Case 3: another fill than expected cancels the old order and bears no new one."""
    old = stage.put(BID, 1000, 100).order
    stage.hit(ASK, 1000, 40)
    done = stage.engine.replace(MAKER, stage.request(BID, 1000, 100), order_id=old.order_id, expected_filled=0)
    assert done.failure is not None
    assert done.failure.reason is Reason.FILL_DIFFERS
    assert (old.status, old.filled, stage.book()) == (OrderStatus.CANCELLED, 40, ([], []))


def test_a_malformed_replacement_leaves_the_old_order_alone(stage: Stage) -> None:
    """What is wrong by itself is refused first; the rule can be turned."""
    old = stage.put(BID, 1000, 100).order
    with refused(Reason.BAD_PRICE):
        stage.engine.replace(MAKER, stage.request(BID, -1, 100), order_id=old.order_id)
    with refused(Reason.BAD_ARGUMENTS):
        stage.engine.replace(MAKER, stage.request(BID, 1000, 100, PUT), order_id=old.order_id)
    assert old.status is OrderStatus.OPEN
    harsh = derive_stage(replace_validates_first=False)
    old = harsh.put(BID, 1000, 100).order
    done = harsh.engine.replace(MAKER, harsh.request(BID, -1, 100), order_id=old.order_id)
    assert done.failure is not None
    assert (done.failure.reason, old.status) == (Reason.BAD_PRICE, OrderStatus.CANCELLED)


def test_replace_may_cross_where_the_old_order_stood_in_its_own_way(stage: Stage) -> None:
    """Going over to the other side of the own order: the old one is gone before the new one is checked."""
    old = stage.put(ASK, 1000, 100).order
    done = stage.engine.replace(MAKER, stage.request(BID, 1001, 100), order_id=old.order_id)
    assert done.placed is not None
    assert done.placed.order.status is OrderStatus.OPEN


# -- the speed bump


def test_cancels_and_post_only_quotes_pass_an_order_in_the_bump() -> None:
    """The taker waits 150 ms: the maker's cancel and re-quote come first, and the outcome is told as an event."""
    stage = derive_stage(speed_bump_ns=150_000_000)
    quote = stage.put(ASK, 1000, 100, post_only=True).order
    taker = stage.put(BID, 1000, 100, account=TAKER)
    assert (taker.pending, taker.order.status) == (True, OrderStatus.PENDING)
    stage.engine.cancel(MAKER, quote.order_id)
    stage.put(ASK, 1010, 100, post_only=True)
    stage.pass_s(0.149)
    stage.engine.advance()
    assert stage.told(OrderReleased) == []
    stage.pass_s(0.001)
    stage.engine.advance()
    (released,) = stage.told(OrderReleased)
    assert (released.order.status, released.fills, released.refusal) == (OrderStatus.OPEN, (), None)
    assert released.order is not taker.order
    assert stage.book() == ([(1000, 100)], [(1010, 100)])


def test_a_cancel_in_the_bump_leaves_an_immediate_order() -> None:
    """It may still fill when its turn comes; what is left is cancelled."""
    stage = derive_stage(speed_bump_ns=10_000_000)
    stage.house(ASK, 1000, 30, post_only=True)
    order = stage.put(BID, 1000, 100).order
    assert stage.engine.cancel(MAKER, order.order_id).status is OrderStatus.PENDING
    assert order.tif is TimeInForce.IOC
    stage.pass_s(1)
    stage.engine.advance()
    (released,) = stage.told(OrderReleased)
    assert (released.order.status, released.order.filled) == (OrderStatus.CANCELLED, 30)
    assert [fill.amount for fill in released.fills] == [30]


def test_an_order_refused_after_the_bump_is_told_so() -> None:
    """Nothing left to take, or an own order in the way by now."""
    stage = derive_stage(speed_bump_ns=10_000_000)
    ask = stage.house(ASK, 1000, 30, post_only=True)
    ioc = stage.put(BID, 1000, 100, tif=TimeInForce.IOC).order
    limit = stage.put(BID, 990, 100).order
    stage.engine.cancel(RIVAL, ask.order_id)
    stage.put(ASK, 985, 10, post_only=True)
    stage.pass_s(1)
    stage.engine.advance()
    first, second = stage.told(OrderReleased)
    assert (first.order.order_id, second.order.order_id) == (ioc.order_id, limit.order_id)
    assert isinstance(first.refusal, Refusal)
    assert isinstance(second.refusal, Refusal)
    assert (first.refusal.reason, second.refusal.reason) == (Reason.SELF_CROSS, Reason.SELF_CROSS)
    assert first.order.cancel_reason is second.order.cancel_reason is CancelReason.SELF_TRADE
    assert [order.price for order in stage.engine.open_orders(MAKER)] == [985]


def test_what_becomes_of_an_order_in_the_bump_is_told_step_by_step() -> None:
    """Waiting, then cancelled for finding nothing: the order's changes come before its release."""
    stage = derive_stage(speed_bump_ns=10_000_000)
    order = stage.put(BID, 1000, 100, tif=TimeInForce.IOC).order
    (waiting,) = stage.told(OrderChanged)
    assert (waiting.order.order_id, waiting.order.status) == (order.order_id, OrderStatus.PENDING)
    stage.pass_s(1)
    stage.engine.advance()
    changed, released = (event for event in stage.engine.drain() if isinstance(event, OrderChanged | OrderReleased))
    assert isinstance(changed, OrderChanged)
    assert isinstance(released, OrderReleased)
    assert (changed.order.status, changed.order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.IMMEDIATE)
    assert released.refusal is not None
    assert released.refusal.reason is Reason.NOTHING_TO_MATCH


def test_an_order_that_died_in_the_bump_is_still_answered() -> None:
    """Its signature ran out while it waited: the outcome is told, once."""
    stage = derive_stage(speed_bump_ns=400 * SECOND)
    stage.house(ASK, 1000, 30, post_only=True)
    stage.put(BID, 1000, 100, signature_expiry_s=stage.now_ns // SECOND + 300)
    stage.pass_s(400)
    stage.engine.advance()
    (released,) = stage.told(OrderReleased)
    assert (released.order.status, released.fills) == (OrderStatus.EXPIRED, ())


# -- queries


def test_orders_are_found_by_id_nonce_and_label(stage: Stage) -> None:
    """Ended ones too, until they are forgotten."""
    stage = derive_stage(ended_orders_kept=2)
    orders = [stage.put(BID, 900 + i, 10, label="a" if i else "b").order for i in range(3)]
    assert stage.engine.orders_by_label(MAKER, "a") == orders[1:]
    assert stage.engine.open_orders(MAKER, CALL) == orders
    for order in orders:
        stage.engine.cancel(MAKER, order.order_id)
    assert list(stage.engine.ended_orders(MAKER)) == [orders[2], orders[1]]
    assert stage.engine.order(MAKER, orders[1].order_id) is orders[1]
    assert stage.engine.order_by_nonce(MAKER, orders[2].nonce) is orders[2]
    with refused(Reason.UNKNOWN_ORDER):
        stage.engine.order(MAKER, orders[0].order_id)
    with refused(Reason.UNKNOWN_ORDER):
        stage.engine.order_by_nonce(MAKER, orders[0].nonce)
