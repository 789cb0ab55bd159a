"""Orders over the Deribit face: what rests, what is refused and by which code, edits, cancels, the speed bump, expiry."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from deribit_desk import CALL, LINEAR, PERP, POST, PUT, Client, Venue
from engine_stage import EXPIRY_S

from actors.trading.instruments import Side
from actors.venues.paper.events import InstrumentState

ORDER_KEYS = {
    "order_id", "order_state", "order_type", "instrument_name", "direction", "price", "amount", "contracts",
    "filled_amount", "average_price", "time_in_force", "label", "post_only", "reject_post_only", "reduce_only", "mmp",
    "risk_reducing", "is_liquidation", "api", "web", "replaced", "creation_timestamp", "last_update_timestamp", "user_id",
}  # fmt: skip
TRADE_KEYS = {
    "trade_id", "trade_seq", "order_id", "instrument_name", "direction", "price", "amount", "contracts", "timestamp",
    "state", "order_type", "liquidity", "fee", "fee_currency", "iv", "underlying_price", "index_price", "mark_price",
    "tick_direction", "label", "post_only", "reduce_only", "mmp", "api", "self_trade", "risk_reducing", "matching_id",
    "profit_loss", "user_id",
}  # fmt: skip


def terms(**changes: Any) -> dict[str, Any]:
    return {"instrument_name": CALL, "amount": 5, "price": 0.03, **changes}


# -- birth


def test_an_order_has_the_recorded_keys_and_numbers(venue: Venue, maker: Client) -> None:
    """The answer, the query and the raw channel show the same order."""
    maker.call("private/subscribe", channels=["user.orders.option.ETH.raw"])
    order = maker.buy(0.0425, 5, label="q-7f3a", mmp=True, time_in_force="good_til_cancelled", **POST)
    assert order.keys() == ORDER_KEYS
    assert (order["price"], order["amount"], order["contracts"], order["filled_amount"]) == (0.0425, 5.0, 5.0, 0.0)
    assert (order["order_state"], order["order_type"], order["mmp"], order["user_id"]) == ("open", "limit", True, 30_001)
    assert order["order_id"].startswith("ETH-")
    assert maker.heard("user.orders.option.ETH.raw") == [order]
    assert maker.call("private/get_order_state", order_id=order["order_id"]) == order
    assert maker.call("private/get_open_orders_by_label", currency="ETH", label="q-7f3a") == [order]
    assert venue.exchange.ledger.of("order")[0]["session"] == maker.session.id


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": 0.00505}, 10043),
        ({"price": 0.0052}, 10043),
        ({"price": 0.00001}, 10043),
        ({"price": 0}, 10023),
        ({"price": None}, -32602),
        ({"amount": 0.5}, 10002),
        ({"amount": 1.5}, 10021),
        ({"amount": 0}, 10021),
        ({"amount": "5"}, -32602),
        ({"amount": 200_000}, 10021),
        ({"amount": 5, "contracts": 4}, -32602),
        ({"price": 0.2}, 10007),
        ({"price": 0.045, "amount": 100_000, "post_only": True}, 10009),
        ({"label": "x" * 65}, -32602),
        ({"type": "stop_limit"}, 10033),
        ({"type": "magic"}, -32602),
        ({"advanced": "usd"}, 10033),
        ({"advanced": "usd", "post_only": True}, 11039),
        ({"display_amount": 100}, 10033),
        ({"time_in_force": "sometimes"}, -32602),
        ({"time_in_force": "immediate_or_cancel", "post_only": True}, 11055),
        ({"reject_post_only": True}, -32602),
        ({"type": "market"}, -32602),
        ({"valid_until": 1}, 13888),
        ({"valid_until": "soon"}, -32602),
        ({"reduce_only": True}, 11030),
        ({"instrument_name": "ETH-1JAN30-1-C"}, 13020),
        ({"instrument_name": "nonsense"}, -32602),
        ({"instrument_name": PERP, "amount": 10.5, "price": 2600}, 10027),
    ],
)
def test_a_wrong_order_is_refused_by_its_code(maker: Client, change: dict[str, Any], code: int) -> None:
    """And nothing rests afterwards."""
    given = {name: value for name, value in terms(**change).items() if value is not None}
    assert maker.code("private/buy", **given) == code
    assert maker.resting() == []


def test_the_band_names_its_edge(venue: Venue, maker: Client) -> None:
    """10007 above, 10005 below, with the limit in the message; the ticker tells the same edges."""
    ticker = maker.call("public/ticker", instrument_name=CALL)
    high = maker.error("private/buy", **terms(price=0.3))
    assert (high["code"], high["message"]) == (10007, f"price_too_high {ticker['max_price']:.4f}")
    low = maker.error("private/sell", **terms(price=0.0001))
    assert (low["code"], low["message"]) == (10005, f"price_too_low {ticker['min_price']:.4f}")


def test_the_ladder_is_met_on_both_sides_of_its_step(maker: Client) -> None:
    """0.0049, 0.0050 and 0.0055 are prices; what lies between the last two is none."""
    for price in (0.0049, 0.005, 0.0055):
        assert maker.buy(price, 1)["price"] == price
    assert maker.code("private/buy", **terms(price=0.0051)) == 10043


def test_contracts_stand_for_amounts(venue: Venue, maker: Client) -> None:
    """A linear contract is a thousand coins; a perpetual's amount is dollars."""
    order = maker.call("private/buy", instrument_name=LINEAR, contracts=2, price=0.05)["order"]
    assert (order["amount"], order["contracts"], order["order_id"][:5]) == (2000.0, 2.0, "USDC-")
    assert maker.code("private/buy", instrument_name=LINEAR, amount=1500, price=0.05) == 10021
    assert maker.code("private/buy", instrument_name=LINEAR, amount=500, price=0.05) == 10002
    perp = maker.buy(2590, 40, PERP)
    assert (perp["amount"], perp["contracts"]) == (40.0, 40.0)


def test_post_only_slides_or_is_refused(maker: Client, other: Client) -> None:
    """Alone it moves one tick inside the far side; with reject it draws 11054."""
    other.sell(0.05)
    slid = maker.buy(0.052, 1, post_only=True)
    assert (slid["price"], slid["reject_post_only"]) == (0.0495, False)
    assert maker.code("private/buy", **terms(price=0.05, **POST)) == 11054
    assert maker.buy(0.0495, 1, **POST)["price"] == 0.0495


def test_a_fill_is_told_to_both_sides_with_the_recorded_keys(venue: Venue, maker: Client, other: Client) -> None:
    """`user.changes` brings order, trade and position in one message; the direction is one's own; the fee is in coin."""
    for client in (maker, other):
        client.call("private/subscribe", channels=["user.changes.option.ETH.raw", "user.trades.any.any.raw"])
    order = maker.buy(0.04, 5, label="m", **POST)
    taken = other.call("private/sell", **terms(price=0.04, amount=2))
    [trade] = taken["trades"]
    assert trade.keys() == TRADE_KEYS
    assert (trade["direction"], trade["liquidity"], trade["state"], trade["fee"]) == ("sell", "T", "filled", 0.0006)
    assert (taken["order"]["order_state"], taken["order"]["average_price"]) == ("filled", 0.04)
    first, second = maker.heard("user.changes.option.ETH.raw")
    assert (first["orders"][0]["order_state"], first["trades"], first["positions"]) == ("open", [], [])
    [mine] = second["trades"]
    assert (mine["direction"], mine["liquidity"], mine["state"], mine["label"]) == ("buy", "M", "open", "m")
    assert (mine["trade_id"], mine["order_id"]) == (trade["trade_id"], order["order_id"])
    assert second["orders"][0]["filled_amount"] == 2.0
    assert (second["positions"][0]["size"], second["positions"][0]["direction"]) == (2.0, "buy")
    assert maker.heard("user.trades.any.any.raw") == [[mine]]
    assert other.heard("user.changes.option.ETH.raw")[0]["positions"][0]["size"] == -2.0


def test_a_small_premium_caps_the_fee(maker: Client, other: Client) -> None:
    """12.5 % of a 0.0002 premium, not 0.0003 coin."""
    maker.venue.mark(CALL, "0.0002", delta=0.01, vega=0.1)
    maker.buy(0.0002, 10)
    [trade] = other.call("private/sell", **terms(price=0.0002, amount=10))["trades"]
    assert trade["fee"] == 0.00025


def test_immediate_market_and_kill_orders_end_at_once(maker: Client, other: Client) -> None:
    """What does not match is cancelled, and a filled IOC is one message in state filled."""
    other.sell(0.04, 3)
    rest = maker.buy(0.04, 5, time_in_force="immediate_or_cancel")
    assert (rest["order_state"], rest["filled_amount"], "cancel_reason" in rest) == ("cancelled", 3.0, False)
    other.sell(0.04, 3)
    killed = maker.buy(0.04, 5, time_in_force="fill_or_kill")
    assert (killed["order_state"], killed["filled_amount"]) == ("cancelled", 0.0)
    market = maker.buy(None, 2, type="market")
    assert (market["order_state"], market["original_order_type"]) == ("filled", "market")
    closed = maker.call("private/close_position", instrument_name=CALL, type="limit", price=0.03)
    assert closed["order"]["reduce_only"] is True
    assert other.code("private/close_position", instrument_name=PUT, type="market") == 10010


def test_own_orders_never_meet(venue: Venue, maker: Client) -> None:
    """`reject_taker` refuses with 10003; `cancel_maker` takes the resting one away."""
    resting = maker.sell(0.05)
    assert maker.code("private/buy", **terms(price=0.05)) == 10003
    assert maker.call("private/set_self_trading_config", mode="cancel_maker", extended_to_subaccounts=False) == "ok"
    maker.buy(0.05)
    gone = maker.call("private/get_order_state", order_id=resting["order_id"])
    assert (gone["order_state"], gone["cancel_reason"]) == ("cancelled", "order_overlap")


def test_a_locked_user_cannot_trade_but_cancel(venue: Venue, maker: Client) -> None:
    """10019, told on `user.lock` and in the list of locks."""
    maker.call("private/subscribe", channels=["user.lock"])
    order = maker.buy()
    venue.face.lock(maker.user_id, True)
    assert maker.heard("user.lock") == [{"locked": True, "currency": "ALL"}]
    assert maker.code("private/buy", **terms()) == 10019
    assert maker.call("private/get_user_locks")[0]["locked"] is True
    assert maker.call("private/cancel", order_id=order["order_id"])["order_state"] == "cancelled"


# -- edits


def test_an_edit_keeps_the_id_and_less_keeps_the_turn(maker: Client, other: Client) -> None:
    """Smaller at the same price stays ahead of who came later; a new price or more goes behind."""
    first, second = maker.buy(0.04, 5), other.buy(0.04, 5)
    edited = maker.call("private/edit", order_id=first["order_id"], amount=3, price=0.04)["order"]
    assert (edited["order_id"], edited["amount"], edited["replaced"]) == (first["order_id"], 3.0, True)
    queue = maker.venue.engine.listing(CALL).book.top(Side.BID)
    assert queue is not None
    assert list(queue.orders) == [first["order_id"], second["order_id"]]
    maker.call("private/edit", order_id=first["order_id"], amount=4, price=0.04)
    assert list(queue.orders) == [second["order_id"], first["order_id"]]


def test_the_new_amount_is_the_total_and_the_filled_part_counts(maker: Client, other: Client) -> None:
    """Edited to no more than was filled, the order closes."""
    order = maker.buy(0.04, 5)
    other.sell(0.04, 2)
    edited = maker.call("private/edit", order_id=order["order_id"], amount=4, price=0.04)["order"]
    assert (edited["amount"], edited["filled_amount"]) == (4.0, 2.0)
    closed = maker.call("private/edit", order_id=order["order_id"], amount=2, price=0.04)["order"]
    assert closed["order_state"] == "cancelled"


def test_a_crossing_edit_is_refused_and_kills_the_order(maker: Client, other: Client) -> None:
    """11054, and the order is gone with its own reason; without reject it slides."""
    other.sell(0.05)
    order, kept = maker.buy(0.04, 1, **POST), maker.buy(0.039, 1, **POST)
    assert maker.code("private/edit", order_id=order["order_id"], amount=1, price=0.05, **POST) == 11054
    gone = maker.call("private/get_order_state", order_id=order["order_id"])
    assert gone["cancel_reason"] == "edit_post_only_reject"
    slid = maker.call("private/edit", order_id=kept["order_id"], amount=1, price=0.05, post_only=True)
    assert slid["order"]["price"] == 0.0495


def test_flags_are_not_inherited_unless_told(maker: Client, other: Client) -> None:
    """An edit that names no post-only flag may take; a setting turns it."""
    other.sell(0.05)
    order = maker.buy(0.04, 1, **POST)
    assert maker.call("private/edit", order_id=order["order_id"], amount=1, price=0.05)["trades"]
    venue = Venue(face={"edits_inherit": True})
    maker, other = venue.client(0), venue.client(1)
    other.sell(0.05)
    order = maker.buy(0.04, 1, **POST)
    assert maker.code("private/edit", order_id=order["order_id"], amount=1, price=0.05) == 11054


def test_an_edit_that_cannot_be_says_why(maker: Client) -> None:
    """Unknown 10004, closed 11044, protection unchangeable, off the ladder 10043."""
    order = maker.buy()
    assert maker.code("private/edit", order_id="ETH-1", amount=1, price=0.03) == 10004
    assert maker.code("private/edit", order_id=order["order_id"], amount=1, price=0.03, mmp=True) == -32602
    assert maker.code("private/edit", order_id=order["order_id"], amount=1, price=0.0301) == 10043
    assert maker.code("private/edit", order_id=order["order_id"], amount=1, price=0.03, valid_until=1) == 13888
    maker.call("private/cancel", order_id=order["order_id"])
    assert maker.code("private/edit", order_id=order["order_id"], amount=1, price=0.03) == 11044


def test_a_label_edits_one_order_only(maker: Client) -> None:
    """Two of the same label are 13032, none is 10004."""
    maker.buy(0.03, 1, label="a")
    edit = {"instrument_name": CALL, "label": "a", "amount": 2, "price": 0.03}
    assert maker.call("private/edit_by_label", **edit)["order"]["amount"] == 2.0
    maker.buy(0.029, 1, label="a")
    assert maker.code("private/edit_by_label", **edit) == 13032
    assert maker.code("private/edit_by_label", **{**edit, "label": "b"}) == 10004


# -- cancels


def test_a_cancel_shows_the_order_and_a_second_one_is_11044(maker: Client, other: Client) -> None:
    """10004 for what was never there or is somebody else's."""
    order = maker.buy()
    gone = maker.call("private/cancel", order_id=order["order_id"])
    assert (gone["order_state"], gone["cancel_reason"]) == ("cancelled", "user_request")
    assert maker.code("private/cancel", order_id=order["order_id"]) == 11044
    assert maker.code("private/cancel", order_id="ETH-1") == 10004
    assert other.code("private/cancel", order_id=order["order_id"]) == 10004


@pytest.mark.parametrize(
    ("method", "params", "left"),
    [
        ("private/cancel_all", {}, set()),
        ("private/cancel_by_label", {"label": "a"}, {"call", "put", "perp"}),
        ("private/cancel_by_label", {"label": "a", "currency": "ETH"}, {"call", "linear", "put", "perp"}),
        ("private/cancel_all_by_currency", {"currency": "ETH"}, {"linear"}),
        ("private/cancel_all_by_currency", {"currency": "ETH", "kind": "future"}, {"call", "labelled", "linear", "put"}),
        ("private/cancel_all_by_instrument", {"instrument_name": CALL}, {"linear", "perp", "put"}),
        ("private/cancel_all_by_currency_pair", {"currency_pair": "ETH_USD", "kind": "option"}, {"linear", "perp"}),
        ("private/cancel_all_by_kind_or_type", {"currency": ["ETH", "USDC"], "kind": "option"}, {"perp"}),
        ("private/cancel_all_by_kind_or_type", {"currency": "any", "kind": "future"}, {"call", "labelled", "linear", "put"}),
        ("private/cancel_all", {"type": "trigger_all"}, {"call", "labelled", "linear", "perp", "put"}),
    ],
)
def test_mass_cancels_reach_what_they_name(maker: Client, method: str, params: dict[str, Any], left: set[str]) -> None:
    """The count is the answer; the rest stays."""
    names = {
        maker.buy(0.03)["order_id"]: "call",
        maker.buy(0.029, label="a")["order_id"]: "labelled",
        maker.buy(0.03, instrument=PUT)["order_id"]: "put",
        maker.buy(2590, 40, PERP)["order_id"]: "perp",
        maker.buy(0.05, 1000, LINEAR, label="a")["order_id"]: "linear",
    }
    assert maker.call(method, **params) == len(names) - len(left)
    assert {names[order_id] for order_id in maker.resting()} == left


def test_a_detailed_cancel_groups_by_instrument(maker: Client) -> None:
    """In place of the count."""
    for price, name in ((0.03, CALL), (0.029, CALL), (0.03, PUT)):
        maker.buy(price, instrument=name)
    groups = maker.call("private/cancel_all", detailed=True)
    assert [(group["instrument_name"], len(group["result"])) for group in groups] == [(CALL, 2), (PUT, 1)]
    for method, param in (
        ("private/cancel_all_by_currency", "currency"),
        ("private/cancel_all_by_instrument", "instrument_name"),
        ("private/cancel_all_by_currency_pair", "currency_pair"),
        ("private/cancel_all_by_kind_or_type", "currency"),
    ):
        assert maker.error(method)["data"] == {"reason": "value required", "param": param}


# -- the speed bump


def test_an_aggressive_order_waits_its_bump_and_the_answer_with_it() -> None:
    """Post-only and passive ones don't; meanwhile it shows as speed_bumped and no channel tells of it."""
    venue = Venue(speed_bump_ms=5)
    maker, other = venue.client(0), venue.client(1)
    other.call("private/subscribe", channels=["user.orders.any.any.raw"])
    maker.buy(0.04, 5, **POST)
    assert other.ask("private/sell", **terms(price=0.04, amount=2)) is None
    id_ = other.last_id
    assert [order["order_state"] for order in other.call("private/get_open_orders")] == ["speed_bumped"]
    assert other.heard("user.orders.any.any.raw") == []
    venue.later(0.004)
    assert other.answer_to(id_) is None
    venue.later(0.002)
    answer = other.answer_to(id_)
    assert answer is not None
    assert (answer["result"]["order"]["order_state"], len(answer["result"]["trades"])) == ("filled", 1)
    assert answer["usDiff"] == 6000
    assert [order["order_state"] for order in other.heard("user.orders.any.any.raw")] == ["filled"]


def test_a_cancel_in_the_bump_makes_it_immediate_and_an_edit_is_13777() -> None:
    """It may still fill; what does not is cancelled."""
    venue = Venue(speed_bump_ms=5)
    maker, other = venue.client(0), venue.client(1)
    maker.buy(0.04, 2, **POST)
    assert other.ask("private/sell", **terms(price=0.04, amount=5)) is None
    id_ = other.last_id
    [waiting] = other.resting()
    assert other.code("private/edit", order_id=waiting, amount=3, price=0.04) == 13777
    assert other.call("private/cancel", order_id=waiting)["time_in_force"] == "immediate_or_cancel"
    venue.later(0.01)
    answer = other.answer_to(id_)
    assert answer is not None
    order = answer["result"]["order"]
    assert (order["order_state"], order["filled_amount"]) == ("cancelled", 2.0)


def test_over_http_too_the_answer_comes_after_the_bump() -> None:
    """The request waits; a connection's token is of no use to it, a named session's is."""
    venue = Venue(speed_bump_ms=5)
    venue.client(0).buy(0.04, 2, **POST)
    token = venue.client(1).login()["access_token"]
    other = venue.client(1)
    query = f"instrument_name={CALL}&amount=1&price=0.04"
    named = other.login("session:http")["access_token"]
    assert venue.http("GET", f"/api/v2/private/sell?{query}", authorization=f"Bearer {token}")[1]["error"]["code"] == 13009
    headers = {"authorization": f"Bearer {named}"}
    reply = venue.exchange.serve_http("127.0.0.1", "GET", f"/api/v2/private/sell?{query}", headers, b"")
    assert reply.later is not None
    assert reply.later().later is not None
    venue.later(0.01)
    reply = reply.later()
    order = json.loads(reply.body)["result"]["order"]
    assert (reply.status, order["order_state"], order["filled_amount"]) == (200, "filled", 1.0)


# -- states of the venue


def test_maintenance_refuses_trading_with_11051(venue: Venue, maker: Client) -> None:
    """Queries go on; the platform's state is told and resting orders stay."""
    maker.call("public/subscribe", channels=["platform_state"])
    order = maker.buy()
    venue.exchange.faults.maintenance(True)
    venue.later()
    assert maker.heard("platform_state") == [{"maintenance": True}]
    assert maker.code("private/buy", **terms()) == 11051
    assert maker.code("private/cancel", order_id=order["order_id"]) == 11051
    assert maker.call("public/status") == {"locked": "true"}
    venue.exchange.faults.maintenance(False)
    assert maker.resting() == [order["order_id"]]


def test_settlement_pauses_every_book_for_seconds(venue: Venue, maker: Client) -> None:
    """10041 for orders and cancels at 08:00 UTC; orders good for the day are gone; then it is open again."""
    maker.call("public/subscribe", channels=["instrument.state.any.any"])
    day, order = maker.buy(0.03, 1, time_in_force="good_til_day"), maker.buy(0.029, 1)
    venue.later(32 * 3600 - venue.now_ns // 10**9 % 86_400)
    assert venue.engine.listing(CALL).state is InstrumentState.SETTLEMENT
    maker = venue.client(0)
    assert maker.code("private/buy", **terms()) == 10041
    assert maker.code("private/cancel", order_id=order["order_id"]) == 10041
    assert maker.call("private/get_order_state", order_id=day["order_id"])["cancel_reason"] == "settlement"
    venue.later(6)
    assert maker.resting() == [order["order_id"]]
    assert maker.call("private/cancel", order_id=order["order_id"])["order_state"] == "cancelled"


def test_an_expiry_delivers_cancels_and_is_told(venue: Venue, maker: Client, other: Client) -> None:
    """State delivered, orders cancelled, positions gone with a notice, cash in coin; the name leaves the listing."""
    maker.buy(0.04, 2)
    other.sell(0.04, 2)
    order = maker.buy(0.03, 1)
    venue.engine.set_index("eth_usd", Decimal(2704))
    venue.later(EXPIRY_S - venue.now_ns // 10**9 - 120)
    maker = venue.client(0)
    maker.call("private/subscribe", channels=["user.changes.any.any.raw", "instrument.state.option.ETH"])
    cash = maker.call("private/get_account_summary", currency="ETH")["balance"]
    venue.later(121)
    states = [told["state"] for told in maker.heard("instrument.state.option.ETH") if told["instrument_name"] == CALL]
    assert states[-1] == "delivered"
    ended = maker.call("private/get_order_state", order_id=order["order_id"])
    assert (ended["order_state"], ended["cancel_reason"]) == ("cancelled", "settlement")
    told = [row for row in maker.heard("user.changes.any.any.raw") if row["positions"]]
    assert [(row["instrument_name"], row["positions"][0]["direction"]) for row in told] == [(CALL, "zero")]
    assert maker.call("private/get_positions", currency="ETH") == []
    payoff = 2 * (2704 - 2600) / 2704
    after = maker.call("private/get_account_summary", currency="ETH")["balance"]
    assert after - cash == pytest.approx(payoff - 2 * 0.00015, abs=1e-7)
    names = [one["instrument_name"] for one in maker.call("public/get_instruments", currency="ETH")]
    assert names == [PERP]
    assert maker.code("private/buy", **terms()) == 10012
    prices = maker.call("public/get_delivery_prices", index_name="eth_usd")
    assert prices == {"data": [{"date": "2026-12-18", "delivery_price": 2704.0}], "records_total": 1}
