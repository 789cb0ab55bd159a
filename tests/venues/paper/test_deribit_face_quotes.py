"""Mass quotes and market-maker protection over the Deribit face."""

from __future__ import annotations

from typing import Any

import pytest
from deribit_desk import CALL, LINEAR, POST, PUT, Client, Venue

GROUP = {"index_name": "eth_usd", "mmp_group": "g1", "interval": 5, "frozen_time": 1, "max_quote_quantity": 100}


@pytest.fixture
def maker(venue: Venue) -> Client:
    client = venue.client(0)
    client.call("private/enable_cancel_on_disconnect")
    client.call("private/set_mmp_config", **GROUP)
    return client


def side(price: float | None = None, amount: float | None = None, **more: Any) -> dict[str, Any]:
    given = {"price": price, "amount": amount}
    return {**{name: value for name, value in given.items() if value is not None}, **more}


def quote(instrument: str = CALL, set_id: str = "s1", **sides: Any) -> dict[str, Any]:
    return {"instrument_name": instrument, "quote_set_id": set_id, **sides}


def mass(*quotes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"quote_id": "1", "mmp_group": "g1", "quotes": list(quotes), "detailed": True, **more}


TWO_SIDED = quote(bid=side(0.039, 5, **POST), ask=side(0.041, 5, **POST))


def test_a_quote_rests_on_both_sides_and_carries_its_ids(maker: Client) -> None:
    """Orders of a quote are protected, show quote, quote id, set and group, and are among the open orders."""
    answer = maker.call("private/mass_quote", **mass(TWO_SIDED))
    assert answer.keys() == {"orders", "trades", "errors"}
    assert answer["errors"] == answer["trades"] == []
    for order in answer["orders"]:
        assert (order["quote"], order["quote_id"], order["quote_set_id"], order["mmp_group"]) == (True, "1", "s1", "g1")
        assert (order["mmp"], order["order_state"], order["amount"]) == (True, "open", 5.0)
    assert [order["direction"] for order in answer["orders"]] == ["buy", "sell"]
    assert maker.resting() == [order["order_id"] for order in answer["orders"]]
    assert maker.code("private/edit", order_id=maker.resting()[0], amount=1, price=0.039) == 10004


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        ("no mass quotes", 13902),
        ("no cancel on disconnect", 13042),
        ("no group", 13040),
        ("frozen quotes", 13043),
        ("frozen protection", 13030),
        ("two indices", 11050),
        ("too late", 13888),
        ("no quotes", -32602),
        ("locked", 10019),
    ],
)
def test_the_whole_call_is_refused_unless_all_is_in_place(venue: Venue, maker: Client, prepare: str, code: int) -> None:
    """Each precondition has its own number, and nothing rests afterwards."""
    params = mass(TWO_SIDED)
    user = venue.face.clients.users[maker.user_id]
    if prepare == "no mass quotes":
        user.mass_quotes_enabled = False
    elif prepare == "no cancel on disconnect":
        maker.call("private/disable_cancel_on_disconnect")
    elif prepare == "no group":
        params["mmp_group"] = "g2"
    elif prepare == "frozen quotes":
        maker.call("private/cancel_all", freeze_quotes=True)
    elif prepare == "frozen protection":
        trip(venue, maker)
    elif prepare == "two indices":
        params["quotes"] = [TWO_SIDED, quote(LINEAR, bid=side(0.05, 1000))]
    elif prepare == "too late":
        params["valid_until"] = 1
    elif prepare == "no quotes":
        params["quotes"] = []
    elif prepare == "locked":
        user.is_locked = True
    assert maker.code("private/mass_quote", **params) == code
    assert maker.resting() == []


def trip(venue: Venue, maker: Client) -> None:
    """Lets a small quantity limit of the group be run over."""
    maker.call("private/set_mmp_config", **GROUP, quantity_limit=1)
    maker.call("private/mass_quote", **mass(TWO_SIDED))
    venue.client(1).sell(0.039, 2)


def test_sides_fail_by_themselves(maker: Client, other: Client) -> None:
    """A crossing ask, a wrong tick, a name that is none, too small: each is an error of its side, the rest stands."""
    other.buy(0.038, 1)
    answer = maker.call(
        "private/mass_quote",
        **mass(
            quote(bid=side(0.037, 5, **POST), ask=side(0.038, 5, **POST)),
            quote(PUT, bid=side(0.03005, 5), ask=side(0.05, 0.5)),
            quote("ETH-1JAN30-1-C", bid=side(0.03, 5)),
        ),
    )
    errors = [(error["instrument_name"], error["side"], error["error"]["code"]) for error in answer["errors"]]
    assert sorted(errors) == [
        (CALL, "ask", 11054),
        (PUT, "ask", 10002),
        (PUT, "bid", 10043),
        ("ETH-1JAN30-1-C", "bid", 13020),
    ]
    assert [order["direction"] for order in answer["orders"]] == ["buy"]
    brief = maker.call("private/mass_quote", **mass(quote(PUT, bid=side(0.2, 5)), detailed=False))
    assert brief == {"errors_count": 1}
    told = maker.call("private/mass_quote", **mass(quote(PUT, bid=side(0.2, 5))))["errors"][0]["error"]["message"]
    assert told.startswith("price_too_high 0.")


def test_own_sides_may_not_cross(maker: Client) -> None:
    """13910 for both sides."""
    crossed = quote(bid=side(0.041, 5), ask=side(0.041, 5))
    answer = maker.call("private/mass_quote", **mass(crossed))
    assert [error["error"]["code"] for error in answer["errors"]] == [13910, 13910]


def test_only_price_only_amount_zero_and_omitted(maker: Client) -> None:
    """What is not named stays; zero cancels the side; less at the same price keeps its order."""
    first = {o["direction"]: o["order_id"] for o in maker.call("private/mass_quote", **mass(TWO_SIDED))["orders"]}
    smaller = maker.call("private/mass_quote", **mass(quote(bid=side(amount=3))))["orders"]
    assert [(o["order_id"], o["amount"], o["price"]) for o in smaller] == [(first["buy"], 3.0, 0.039)]
    moved = maker.call("private/mass_quote", **mass(quote(bid=side(price=0.0385))))["orders"][0]
    assert (moved["price"], moved["amount"]) == (0.0385, 3.0)
    maker.call("private/mass_quote", **mass(quote(ask=side(amount=0))))
    assert maker.resting() == [moved["order_id"]]
    empty = maker.call("private/mass_quote", **mass(quote(PUT, bid={})))
    assert empty["errors"][0]["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("params", "gone"),
    [
        ({"cancel_type": "all"}, 4),
        ({"cancel_type": "quote_set_id", "quote_set_id": "s2"}, 2),
        ({"cancel_type": "instrument", "instrument_name": CALL}, 2),
        ({"cancel_type": "instrument_kind", "kind": "future", "currency": "ETH"}, 0),
        ({"cancel_type": "currency", "currency": "ETH"}, 4),
        ({"cancel_type": "currency_pair", "currency_pair": "eth_usd"}, 4),
        ({"cancel_type": "delta", "min_delta": 0.6, "max_delta": 0.8}, 2),
    ],
)
def test_quotes_are_cancelled_by_what_they_are(venue: Venue, maker: Client, params: dict[str, Any], gone: int) -> None:
    """Plain orders stay."""
    venue.mark(PUT, "0.04", delta=-0.7)
    put = quote(PUT, "s2", bid=side(0.039, 5), ask=side(0.041, 5))
    maker.call("private/mass_quote", **mass(TWO_SIDED, put))
    plain = maker.buy(0.03)
    assert maker.call("private/cancel_quotes", **params) == gone
    assert plain["order_id"] in maker.resting()
    assert len(maker.resting()) == 5 - gone


def test_too_many_quotes_are_13903_and_the_session_lives(venue: Venue, maker: Client) -> None:
    """Ten calls at once, or more quotes than the pool holds."""
    codes = [maker.ask("private/mass_quote", **mass(quote(bid=side(0.039, 1)))) for _ in range(11)]
    assert [("error" in answer, answer.get("error", {}).get("code")) for answer in codes if answer][-1] == (True, 13903)
    assert not maker.session.doomed
    venue.later(2)
    many = mass(*[quote(f"ETH-1JAN30-{n}-C", bid=side(0.03, 1), ask=side(0.04, 1)) for n in range(100)])
    for _ in range(2):
        assert len(maker.call("private/mass_quote", **many)["errors"]) == 200
    assert maker.code("private/mass_quote", **many) == 13903


def test_a_quote_in_the_speed_bump_answers_after_it() -> None:
    """`wait_for_response` holds the answer until the aggressive side is through; without it the pending are counted."""
    venue = Venue(speed_bump_ms=5)
    maker, other = venue.client(0), venue.client(1)
    maker.call("private/enable_cancel_on_disconnect")
    maker.call("private/set_mmp_config", **GROUP)
    other.buy(0.038, 2, **POST)
    crossing = quote(bid=side(0.036, 5), ask=side(0.038, 5))
    assert maker.ask("private/mass_quote", **mass(crossing)) is None
    id_ = maker.last_id
    venue.later(0.01)
    answer = maker.answer_to(id_)
    assert answer is not None
    ask = next(order for order in answer["result"]["orders"] if order["direction"] == "sell")
    assert (ask["filled_amount"], ask["order_state"], len(answer["result"]["trades"])) == (2.0, "open", 1)
    assert answer["result"]["trades"][0]["quote_id"] == "1"
    maker.call("private/cancel_quotes", cancel_type="all")
    other.buy(0.038, 2, **POST)
    brief = maker.call("private/mass_quote", **mass(crossing, detailed=False, wait_for_response=False))
    assert brief == {"errors_count": 0, "pending_requests_count": 1}


# -- protection


def test_a_config_is_stored_as_given_and_removed_by_zero(maker: Client) -> None:
    """Limits not given are absent; groups and the group-less config live side by side."""
    config = {"index_name": "eth_usd", "interval": 2, "frozen_time": 3, "quantity_limit": 5.5, "max_quote_quantity": 10}
    assert maker.call("private/set_mmp_config", **config) == [config]
    stored = maker.call("private/get_mmp_config", index_name="eth_usd")
    assert [one.get("mmp_group") for one in stored] == ["g1", None]
    assert maker.call("private/get_mmp_config", index_name="eth_usd", mmp_group="g1")[0]["max_quote_quantity"] == 100.0
    maker.call("private/set_mmp_config", index_name="eth_usd", interval=0, mmp_group="g1")
    assert [one.get("mmp_group") for one in maker.call("private/get_mmp_config")] == [None]
    as_object = Venue(face={"mmp_config_as_list": False}).client().call("private/set_mmp_config", **config)
    assert as_object == config


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"interval": 3601}, "interval"),
        ({"frozen_time": -1}, "frozen_time"),
        ({"max_quote_quantity": None}, "max_quote_quantity"),
        ({"quantity_limit": 0.00001}, "quantity_limit"),
        ({"quantity_limit": 5001}, "quantity_limit"),
        ({"max_quote_quantity": 5001}, "max_quote_quantity"),
        ({"index_name": "doge_usd"}, "index_name"),
        ({"index_name": "xrp_usdc"}, "mmp_group"),
        ({"mmp_group": "x" * 65}, "mmp_group"),
    ],
)
def test_a_wrong_config_names_its_field(maker: Client, change: dict[str, Any], param: str) -> None:
    """-32602."""
    given = {name: value for name, value in {**GROUP, **change}.items() if value is not None}
    error = maker.error("private/set_mmp_config", **given)
    assert (error["code"], error["data"]["param"]) == (-32602, param)


def test_protection_needs_to_be_enabled(venue: Venue, maker: Client) -> None:
    """11050 where the account may not, as the summary says."""
    venue.face.clients.users[maker.user_id].mmp_enabled = False
    assert maker.call("private/get_account_summary", currency="ETH", extended=True)["mmp_enabled"] is False
    for method, params in (
        ("private/set_mmp_config", GROUP),
        ("private/get_mmp_config", {}),
        ("private/get_mmp_status", {}),
        ("private/reset_mmp", {"index_name": "eth_usd"}),
    ):
        error = maker.error(method, **params)
        assert (error["code"], error["data"]["reason"]) == (11050, "MMP disabled")


def test_plain_protected_orders_are_pulled_frozen_and_thawed(venue: Venue, maker: Client, other: Client) -> None:
    """The trip cancels what is protected, is told with its end, refuses with 13030 and passes by itself."""
    maker.call("private/subscribe", channels=["user.mmp_trigger.any", "user.orders.any.any.raw"])
    config = {"index_name": "eth_usd", "interval": 5, "frozen_time": 10, "quantity_limit": 3, "max_quote_quantity": 50}
    maker.call("private/set_mmp_config", **config)
    filled, pulled = maker.buy(0.04, 5, mmp=True), maker.buy(0.039, 5, mmp=True)
    plain = maker.buy(0.03, 5)
    maker.heard("user.orders.any.any.raw")
    other.sell(0.04, 4)
    until = venue.now_ns // 1_000_000 + 10_000
    assert maker.heard("user.mmp_trigger.any") == [{"frozen_until": until, "index_name": "eth_usd"}]
    told = {row["order_id"]: row for row in maker.heard("user.orders.any.any.raw")}
    for order_id in (filled["order_id"], pulled["order_id"]):
        assert (told[order_id]["cancel_reason"], told[order_id]["mmp_cancelled"]) == ("mmp_trigger", True)
    assert maker.resting() == [plain["order_id"]]
    refused = {"instrument_name": CALL, "amount": 1, "price": 0.03, "mmp": True}
    assert maker.code("private/buy", **refused) == 13030
    assert maker.call("private/get_mmp_status") == [{"index_name": "eth_usd", "frozen_until": until}]
    venue.later(10)
    assert maker.call("private/get_mmp_status") == []
    assert maker.call("private/buy", **refused)["order"]["mmp"] is True


def test_a_freeze_without_end_waits_for_a_reset(venue: Venue, maker: Client, other: Client) -> None:
    """`frozen_until` 0; the reset thaws one group, or the group-less config."""
    maker.call("private/subscribe", channels=["user.mmp_trigger.eth_usd"])
    maker.call("private/set_mmp_config", **{**GROUP, "frozen_time": 0}, quantity_limit=1)
    maker.call("private/mass_quote", **mass(TWO_SIDED))
    other.sell(0.039, 2)
    told = maker.heard("user.mmp_trigger.eth_usd")
    assert told == [{"frozen_until": 0, "index_name": "eth_usd", "mmp_group": "g1"}]
    venue.later(4000)
    maker = venue.client(0)
    assert maker.call("private/get_mmp_status") == [{"index_name": "eth_usd", "frozen_until": 0, "mmp_group": "g1"}]
    maker.call("private/reset_mmp", index_name="eth_usd")
    assert len(maker.call("private/get_mmp_status")) == 1
    assert maker.call("private/reset_mmp", index_name="eth_usd", mmp_group="g1") == "ok"
    assert maker.call("private/get_mmp_status") == []


def test_more_than_the_maximum_quote_quantity_is_refused_or_curtailed(maker: Client) -> None:
    """Per instrument and side; lowering it cancels the excess."""
    maker.call("private/set_mmp_config", index_name="eth_usd", interval=5, frozen_time=1, max_quote_quantity=10)
    kept, excess = maker.buy(0.03, 6, mmp=True), maker.buy(0.029, 4, mmp=True)
    error = maker.error("private/buy", instrument_name=CALL, amount=1, price=0.03, mmp=True)
    assert (error["code"], error["data"]["param"]) == (11030, "amount")
    maker.call("private/set_mmp_config", index_name="eth_usd", interval=5, frozen_time=1, max_quote_quantity=6)
    assert maker.resting() == [kept["order_id"]]
    gone = maker.call("private/get_order_state", order_id=excess["order_id"])
    assert gone["cancel_reason"] == "mmp_config_curtailment"
