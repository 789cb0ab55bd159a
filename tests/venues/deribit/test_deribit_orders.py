"""Deribit's order calls: what is sent, to the digit, and what each answer proves."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import attrs
import pytest
from deribit_kit import LABEL, NAME, NOW_NS, OPTION, ORDER_ID, maker, order_row, raw, trade_row, wish
from hypothesis import given
from hypothesis import strategies as st

from actors.trading.errors import ConfigError, StrikemakerError
from actors.trading.instruments import Side
from actors.venues.deribit import codes
from actors.venues.dialect import Call, OrderStatus, Outcome, Pool, Refusal, VenueOrder


def resting(**changes: Any) -> VenueOrder:
    values = {"client_id": LABEL, "venue_id": ORDER_ID, "label": LABEL, "instrument": NAME, "side": Side.BID}
    return VenueOrder(
        **{**values, "price": 425, "amount": 5, "filled": 0, "status": OrderStatus.OPEN, "ts_ms": 1, **changes}
    )


def answered(call: Call, result: Any = None, error: tuple[int, str, str] | None = None) -> Outcome:
    return maker().read_outcome(call, None if error else raw(result), error)


# -- what is sent


def test_an_order_is_post_only_and_says_so_in_full():
    """Without reject_post_only the venue would move the price silently; the label and the last moment travel along."""
    call = maker().place(wish())
    assert (call.method, call.pool, call.kind, call.instrument) == ("private/buy", Pool.MATCHING, "place", NAME)
    assert json.loads(call.params) == {
        "instrument_name": NAME,
        "type": "limit",
        "time_in_force": "good_til_cancelled",
        "post_only": True,
        "reject_post_only": True,
        "amount": 5,
        "price": 0.0425,
        "label": LABEL,
        "valid_until": 1_795_338_001_123,
    }


def test_an_ask_is_sold_and_protection_is_asked_for_by_name():
    """Optional parameters are left out where they do not apply."""
    call = maker().place(wish(side=Side.ASK, mmp=True))
    assert call.method == "private/sell"
    assert json.loads(call.params)["mmp"] is True


def plain(text: str) -> Decimal:
    assert "e" not in text.lower()
    return Decimal(text)


@given(price=st.integers(1, 10**7), amount=st.integers(1, 10**6), tick=st.sampled_from(["0.0001", "0.0005", "0.05", "5"]))
def test_numbers_on_the_wire_are_the_exact_decimals(price: int, amount: int, tick: str):
    """Whatever the grid, the text is the product of whole units and the unit, and never in scientific notation."""
    dialect = maker(attrs.evolve(OPTION, tick=Decimal(tick), amount_step=Decimal("0.1")))
    sent = json.loads(dialect.place(wish(price=price, amount=amount)).params, parse_float=plain, parse_int=plain)
    assert sent["price"] == price * Decimal(tick)
    assert sent["amount"] == amount * Decimal("0.1")


def test_an_edit_names_the_order_and_its_new_total():
    """Post-only is said again, because nothing is inherited; protection cannot be changed and is not mentioned."""
    call = maker().replace(wish(price=430, amount=7, mmp=True), resting(), 2)
    assert (call.method, call.pool, call.kind) == ("private/edit", Pool.MATCHING, "amend")
    assert json.loads(call.params) == {
        "order_id": ORDER_ID,
        "amount": 7,
        "price": 0.043,
        "post_only": True,
        "reject_post_only": True,
        "valid_until": 1_795_338_001_123,
    }


def test_cancels_are_by_id_and_by_label_while_there_is_no_id():
    """The label's cancel names the currency, without which it is billed like a cancel of everything."""
    by_id, by_label = maker().cancel(resting()), maker().cancel(resting(venue_id=""))
    assert (by_id.method, json.loads(by_id.params)) == ("private/cancel", {"order_id": ORDER_ID})
    assert (by_label.method, json.loads(by_label.params)) == (
        "private/cancel_by_label",
        {"label": LABEL, "currency": "ETH"},
    )
    assert by_id.kind == by_label.kind == "cancel"


def test_no_one_call_is_scoped_to_us_but_a_hang_up_is():
    """Labels are unique per order, and nothing burns one."""
    dialect = maker()
    assert dialect.cancel_ours("sm-main-cell0-r1", "ETH") == []
    assert dialect.burn(LABEL, NAME) is None
    assert dialect.hang_up_cancels
    assert [call.pool for call in dialect.cancel_account()] == [Pool.BULK_CANCEL]


def test_an_instrument_never_learned_cannot_be_ordered():
    """Before anything is written."""
    with pytest.raises(StrikemakerError, match="not a listed instrument"):
        maker().place(wish(instrument="ETH-1JAN27-1-C"))


# -- labels


@given(st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=30))
def test_labels_never_repeat_whatever_the_clock_does(steps: list[int]):
    """It may stand or go backwards."""
    dialect, now_ns, seen = maker(), NOW_NS, set()
    for step in steps:
        now_ns = max(1, now_ns + step)
        seen.add(dialect.next_client_id(now_ns, "sm-main-cell0-r1"))
    assert len(seen) == len(steps)
    assert all(label.startswith("sm-main-cell0-r1-") and len(label) <= 64 for label in seen)


def test_a_later_life_of_the_same_run_uses_other_labels():
    """A restarted cell starts its numbers at the clock."""
    first, second = maker(), maker()
    assert first.next_client_id(NOW_NS, "run") != second.next_client_id(NOW_NS + 1_000_000, "run")


def test_a_label_that_the_venue_would_refuse_is_refused_here():
    """With the fix."""
    with pytest.raises(ConfigError, match="shorten the tag"):
        maker().next_client_id(NOW_NS, "sm-" + "x" * 60)


# -- what answers prove

PLACE, EDIT, CANCEL = (
    Call("private/buy", kind="place"),
    Call("private/edit", kind="amend"),
    Call("private/cancel", kind="cancel"),
)


def test_a_placed_order_comes_with_its_immediate_fills():
    """Both are news as if notified; the fee is exact."""
    outcome = answered(PLACE, {"order": order_row(filled_amount=2.0), "trades": [trade_row(fee=5.0e-08)]})
    (order,), (fill,) = outcome.orders, outcome.fills
    assert (order.client_id, order.venue_id, order.price, order.amount, order.filled) == (LABEL, ORDER_ID, 425, 5, 2)
    assert (order.status, order.side, order.ts_ms) == (OrderStatus.OPEN, Side.BID, 1_795_338_000_100)
    assert (fill.trade_id, fill.price, fill.amount, fill.fee, fill.fee_currency) == (
        "ETH-333000001",
        425,
        2,
        "0.00000005",
        "ETH",
    )
    assert fill.is_maker
    assert outcome.refused is None


def test_an_edit_that_crossed_ended_the_order():
    """It comes as a success: the old order is gone, with what it had filled, and no new one rests."""
    row = order_row(order_state="cancelled", cancel_reason="edit_post_only_reject", filled_amount=1.0, replaced=True)
    outcome = answered(EDIT, {"order": row, "trades": []})
    assert outcome.old_gone
    assert outcome.refused is not None
    assert outcome.refused[0] == codes.POST_ONLY_REJECT
    assert (outcome.orders[0].status, outcome.orders[0].filled) == (OrderStatus.CANCELLED, 1)


def test_an_edit_that_crossed_and_says_so_by_error_leaves_the_order_to_be_asked_for():
    """Neither gone nor resting is claimed without evidence."""
    outcome = answered(EDIT, error=(11054, "post_only_reject", ""))
    assert outcome.refused is not None
    assert (outcome.old_gone, outcome.unknown, outcome.cancel_refused) == (False, False, None)


@pytest.mark.parametrize("code", [13666, 13777, 11044, 10004, 11054, 10009, 13030])
@pytest.mark.parametrize("call", [PLACE, EDIT, CANCEL])
def test_everyday_refusals_are_refusals(code: int, call: Call):
    """Not unknown, not fatal; of a cancel they prove neither life nor death."""
    outcome = answered(call, error=(code, "token", ""))
    assert outcome.refused is not None
    assert outcome.refused[0] == code
    assert (outcome.cancel_refused is not None) == (call is CANCEL)
    assert not outcome.unknown
    assert not outcome.old_gone
    assert not maker().is_fatal(code)


@pytest.mark.parametrize("code", sorted(codes.AMBIGUOUS))
def test_where_the_venue_does_not_know_neither_do_we(code: int):
    """13888 is also said of an order that came too late; only a question settles which."""
    assert answered(PLACE, error=(code, "timed_out", "")) == Outcome(unknown=True)


def test_an_answer_that_cannot_be_read_proves_nothing():
    """Off the grid, or another shape altogether."""
    for result in ({"order": order_row(price=0.04251234), "trades": []}, {"order": {}}, [], "ok"):
        assert answered(PLACE, result).unknown


def test_a_cancelled_order_is_told_with_what_it_filled():
    """A partly filled order ends as cancelled; its fill must not be lost."""
    outcome = answered(CANCEL, order_row(order_state="cancelled", cancel_reason="user_request", filled_amount=2.0))
    (order,) = outcome.orders
    assert (order.status, order.filled, order.reason) == (OrderStatus.CANCELLED, 2, "user_request")
    assert answered(Call("private/cancel_by_label", kind="cancel"), 1).count == 1


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("untriggered", OrderStatus.WAITING),
        ("triggered", OrderStatus.WAITING),
        ("open", OrderStatus.OPEN),
        ("speed_bumped", OrderStatus.OPEN),
        ("something_new", OrderStatus.OPEN),
    ],
)
def test_a_trigger_order_waits_and_whatever_else_has_not_ended_is_alive(state: str, status: OrderStatus):
    """What waits for its trigger is in no book, and its price may be a word."""
    row = order_row(order_state=state, **({"price": "market_price"} if status is OrderStatus.WAITING else {}))
    changes = {"instrument_name": NAME, "orders": [row], "trades": [], "positions": []}
    (order,) = maker().decode_notice("subscription", "user.changes.option.ETH.raw", raw(changes))
    assert isinstance(order, VenueOrder)
    assert order.status is status


def test_codes_are_classed_by_number():
    """What a refusal means for the next request; an unlisted one is an ordinary refusal in general words."""
    dialect = maker()
    assert dialect.classify(10028) is Refusal.RATE
    assert dialect.classify(13903) is Refusal.RATE
    assert dialect.classify(-32602) is Refusal.UNREAD
    assert dialect.classify(13009) is Refusal.LOGIN
    assert dialect.classify(10009) is Refusal.MARGIN
    assert dialect.classify(13030) is Refusal.PROTECTED
    assert dialect.classify(10019) is dialect.classify(11098) is Refusal.LOCKED
    assert dialect.classify(11054) is dialect.classify(99_999) is Refusal.OTHER
    assert dialect.explain(11054) == "post-only order would cross the market"
    assert dialect.explain(99_999) == "unlisted error"
    assert [code for code in (13004, 13403, 10019, 10028, 13009) if dialect.is_fatal(code)] == [13004, 13403]
    assert not set(codes.CLASSES) & codes.AMBIGUOUS
    assert (codes.FATAL | codes.AMBIGUOUS | set(codes.CLASSES)) <= set(codes.MEANINGS)


@pytest.mark.parametrize("code", [10040, 10041, 10047, 10066, 11051, 13028, 13043])
def test_a_busy_venue_is_asked_again_a_little_later(code: int):
    """What it refuses unread because too much is under way rests as it did; sent at once it would keep the queue full."""
    dialect = maker()
    assert dialect.classify(code) is Refusal.RATE
    assert dialect.retry_s(code, "") == 0.1
    assert dialect.retry_s(10028, "") is dialect.retry_s(13903, "") is None
