"""Private queries of the Deribit face: orders and trades by all their keys, positions, money, margins, the log."""

from __future__ import annotations

from typing import Any

import pytest
from deribit_desk import CALL, PERP, POST, PUT, Client, Venue
from deribit_recordings import documented, needs_recordings


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["order_id"] for row in rows]


def test_open_orders_come_by_all_by_currency_and_by_instrument(maker: Client) -> None:
    """Oldest first; kinds and currencies filter; trigger orders are none."""
    call, put, perp = maker.buy(0.03), maker.buy(0.03, instrument=PUT), maker.buy(2590, 10, PERP)
    assert ids(maker.call("private/get_open_orders")) == ids([call, put, perp])
    assert ids(maker.call("private/get_open_orders", kind="future")) == ids([perp])
    assert maker.call("private/get_open_orders", type="trigger_all") == []
    assert ids(maker.call("private/get_open_orders_by_currency", currency="ETH", kind="option")) == ids([call, put])
    assert maker.call("private/get_open_orders_by_currency", currency="USDC") == []
    assert ids(maker.call("private/get_open_orders_by_instrument", instrument_name=PUT)) == ids([put])
    assert maker.code("private/get_open_orders_by_currency", currency="DOGE") == -32602
    assert maker.code("private/get_open_orders_by_currency") == -32602
    assert maker.code("private/get_open_orders_by_instrument") == -32602


def test_history_holds_ended_orders_and_the_unfilled_only_when_asked(maker: Client, other: Client) -> None:
    """Newest first, in pages by offset or continuation."""
    filled, gone = maker.buy(0.04, 1, label="a"), maker.buy(0.03, 1, label="a")
    other.sell(0.04, 1)
    maker.call("private/cancel", order_id=gone["order_id"])
    by_currency = {"currency": "ETH", "include_unfilled": True}
    assert ids(maker.call("private/get_order_history_by_currency", currency="ETH")) == ids([filled])
    assert ids(maker.call("private/get_order_history_by_currency", **by_currency)) == ids([gone, filled])
    assert ids(maker.call("private/get_order_history_by_currency", **by_currency, offset=1)) == ids([filled])
    page = maker.call("private/get_order_history_by_currency", **by_currency, count=1, with_continuation=True)
    assert (ids(page["orders"]), page["continuation"]) == (ids([gone]), "1")
    rest = maker.call(
        "private/get_order_history_by_currency", **by_currency, count=1, with_continuation=True, continuation="1"
    )
    assert (ids(rest["orders"]), rest["continuation"]) == (ids([filled]), None)
    assert ids(maker.call("private/get_order_history_by_instrument", instrument_name=CALL)) == ids([filled])
    assert ids(maker.call("private/get_order_state_by_label", currency="ETH", label="a")) == ids([gone, filled])
    assert maker.code("private/get_order_state", order_id="ETH-1") == 10004


def test_user_trades_come_by_currency_instrument_order_and_time(venue: Venue, maker: Client, other: Client) -> None:
    """Newest first unless asked; pages say whether there is more; the form by order is a bare list."""
    order = maker.buy(0.04, 5)
    for _ in range(3):
        venue.later(1)
        other.sell(0.04, 1)
    newest = maker.call("private/get_user_trades_by_currency", currency="ETH", count=2)
    assert (newest["has_more"], [trade["trade_seq"] for trade in newest["trades"]]) == (True, [3, 2])
    oldest = maker.call("private/get_user_trades_by_instrument", instrument_name=CALL, sorting="asc")
    assert (oldest["has_more"], [trade["trade_seq"] for trade in oldest["trades"]]) == (False, [1, 2, 3])
    by_order = maker.call("private/get_user_trades_by_order", order_id=order["order_id"])
    assert by_order == oldest["trades"]
    since = oldest["trades"][1]["timestamp"]
    times = {"start_timestamp": since, "end_timestamp": since}
    for method, key in (("currency", {"currency": "ETH"}), ("instrument", {"instrument_name": CALL})):
        page = maker.call(f"private/get_user_trades_by_{method}_and_time", **key, **times)
        assert [trade["trade_seq"] for trade in page["trades"]] == [2]
        assert maker.code(f"private/get_user_trades_by_{method}_and_time", **key) == -32602
    after = maker.call("private/get_user_trades_by_currency", currency="ETH", start_id=oldest["trades"][1]["trade_id"])
    assert [trade["trade_seq"] for trade in after["trades"]] == [2, 3]
    assert maker.code("private/get_user_trades_by_currency", currency="ETH", count=1001) == -32602
    assert maker.code("private/get_user_trades_by_currency", currency="ETH", start_id="x") == -32602
    assert other.call("private/get_user_trades_by_currency", currency="ETH")["trades"][0]["liquidity"] == "T"
    assert maker.code("private/get_user_trades_by_order") == -32602


def test_positions_are_signed_and_their_greeks_multiplied(maker: Client, other: Client) -> None:
    """Options in coin, inverse futures in dollars with their coin beside; a flat one is the zero direction."""
    maker.buy(0.04, 4)
    other.sell(0.04, 4)
    maker.buy(2600, 260, PERP)
    other.sell(2600, 260, PERP)
    option, future = other.call("private/get_positions", currency="ETH")
    assert (option["size"], option["direction"], option["kind"], option["delta"]) == (-4.0, "sell", "option", -2.0)
    assert (option["average_price"], option["average_price_usd"]) == (0.04, 104.0)
    assert option["initial_margin"] > option["maintenance_margin"] > 0
    assert (future["size"], future["size_currency"], future["delta"]) == (-260.0, -0.1, -0.1)
    assert [row["kind"] for row in maker.call("private/get_positions", currency="any", kind="future")] == ["future"]
    zero = maker.call("private/get_position", instrument_name=PUT)
    assert (zero["size"], zero["direction"]) == (0.0, "zero")
    assert maker.call("private/get_positions", currency="BTC") == []


def test_a_closed_position_keeps_what_it_realized(maker: Client, other: Client) -> None:
    """Size zero, with its profit; the closing trade says it too."""
    maker.buy(0.04, 2)
    other.sell(0.04, 2)
    other.buy(0.045, 2)
    closing = maker.call("private/sell", instrument_name=CALL, amount=2, price=0.045)["trades"][0]
    assert closing["profit_loss"] == pytest.approx(0.01 - 4 * 0.0003)
    assert maker.call("private/get_position", instrument_name=CALL)["realized_profit_loss"] == closing["profit_loss"]


def test_profit_of_opens_may_be_null() -> None:
    """As recorded on spot and combos."""
    venue = Venue(face={"null_profit_of_opens": True})
    maker, other = venue.client(0), venue.client(1)
    maker.buy(0.04, 2)
    assert other.call("private/sell", instrument_name=CALL, amount=2, price=0.04)["trades"][0]["profit_loss"] is None


def test_money_is_told_per_currency(maker: Client, other: Client) -> None:
    """Balance pays the premium, equity holds the option; the delta is net of premium; the total is extended."""
    maker.buy(0.04, 10)
    other.sell(0.04, 10)
    mine = maker.call("private/get_account_summary", currency="ETH", extended=True)
    assert mine["balance"] == pytest.approx(2000 - 0.4 - 0.003)
    assert mine["equity"] == pytest.approx(2000 - 0.003)
    assert (mine["options_value"], mine["options_delta"], mine["options_vega"]) == (0.4, 5.0, 20.0)
    assert mine["delta_total"] == pytest.approx(5.0 - 0.4)
    theirs = other.call("private/get_account_summary", currency="ETH")
    assert theirs["available_funds"] < theirs["balance"]
    assert theirs["initial_margin"] > theirs["maintenance_margin"] > 0
    assert "username" not in theirs
    summaries = maker.call("private/get_account_summaries", extended=True)
    assert [row["currency"] for row in summaries["summaries"]] == ["BTC", "ETH", "USDC"]
    assert maker.code("private/get_account_summary", currency="DOGE") == -32602


def test_the_portfolio_channel_greets_and_follows(venue: Venue, maker: Client, other: Client) -> None:
    """Lower case in the name; at most once a second; `any` tells of every currency."""
    maker.call("private/subscribe", channels=["user.portfolio.eth", "user.portfolio.any"])
    [first] = maker.heard("user.portfolio.eth")
    assert first["currency"] == "ETH"
    venue.later(1)
    maker.buy(0.04, 10)
    other.sell(0.04, 10)
    venue.later(1)
    [second] = maker.heard("user.portfolio.eth")
    assert second["options_value"] == 0.4
    assert {row["currency"] for row in maker.heard("user.portfolio.any")} == {"BTC", "ETH", "USDC"}


def test_an_order_beyond_the_margin_is_10009_and_its_need_is_told_before(maker: Client) -> None:
    """`get_margins` answers what either side would reserve, the fees and the band."""
    need = maker.call("private/get_margins", instrument_name=CALL, amount=10, price=0.04)
    assert need["buy"] == pytest.approx(0.4)
    assert need["sell"] > need["buy"]
    assert (need["buy_maker_fee"], need["sell_taker_fee"]) == (0.003, 0.003)
    ticker = maker.call("public/ticker", instrument_name=CALL)
    assert (need["min_price"], need["max_price"]) == (ticker["min_price"], ticker["max_price"])
    assert maker.code("private/sell", instrument_name=CALL, amount=50_000, price=0.05) == 10009


def test_the_log_lists_trades_newest_first(maker: Client, other: Client, venue: Venue) -> None:
    """With what each changed, in pages; times are number or text."""
    for price in (0.04, 0.039):
        maker.buy(price, 1, **POST)
        other.sell(price, 1)
    now = venue.now_ns // 1_000_000
    asked = {"currency": "ETH", "start_timestamp": str(now - 1000), "end_timestamp": now + 1000}
    page = maker.call("private/get_transaction_log", **asked, count=1)
    [row] = page["logs"]
    assert (row["type"], row["side"], row["user_role"], row["price"]) == ("trade", "open buy", "maker", 0.039)
    assert row["change"] == pytest.approx(-0.039 - 0.0003)
    rest = maker.call("private/get_transaction_log", **asked, continuation=page["continuation"])
    assert ([row["price"] for row in rest["logs"]], rest["continuation"]) == ([0.04], None)
    assert maker.code("private/get_transaction_log", **{**asked, "end_timestamp": 1}) == -32602


def test_notices_go_to_their_own_user_alone(maker: Client, other: Client) -> None:
    """The channel's name is the same for everybody; a label is echoed; intervals batch into arrays."""
    for client in (maker, other):
        client.call("private/subscribe", channels=["user.orders.any.any.raw"])
    maker.call("private/subscribe", channels=["user.orders.option.ETH.100ms"], label="desk")
    first = maker.buy(0.03, 1)
    maker.call("private/edit", order_id=first["order_id"], amount=2, price=0.03)
    assert other.heard("user.orders.any.any.raw") == []
    assert [order["amount"] for order in maker.heard("user.orders.any.any.raw")] == [1.0, 2.0]
    maker.venue.later(0.1)
    frame = next(one for one in maker.take() if one["params"]["channel"] == "user.orders.option.ETH.100ms")
    assert frame["params"]["label"] == "desk"
    assert [order["amount"] for order in frame["params"]["data"]] == [2.0]
    assert maker.call("private/unsubscribe", channels=["user.orders.any.any.raw", "user.lock"]) == [
        "user.orders.any.any.raw"
    ]
    maker.buy(0.029, 1)
    assert maker.heard("user.orders.any.any.raw") == []
    assert maker.call("private/unsubscribe_all") == "ok"
    assert maker.session.channels == {}


def test_private_channels_need_a_login_and_their_scope(venue: Venue, maker: Client) -> None:
    """Left out of the answer for a guest on the public method, 10000 on the private one, left out without the scope."""
    guest = venue.client(login=False)
    assert guest.call("public/subscribe", channels=["user.orders.any.any.100ms"]) == []
    assert guest.code("private/subscribe", channels=["user.orders.any.any.100ms"]) == 10000
    maker.login("account:none")
    wanted = ["user.portfolio.eth", "user.orders.any.any.100ms", "user.orders.any.DOGE.raw", "user.nothing", "user.lock"]
    assert maker.call("private/subscribe", channels=wanted) == ["user.orders.any.any.100ms"]


@needs_recordings
@pytest.mark.parametrize(
    ("method", "params", "missing"),
    [
        ("private/get_account_summary", {"currency": "ETH", "extended": True}, {"fees"}),
        ("private/get_position", {"instrument_name": PERP}, set()),
    ],
)
def test_documented_keys_are_there(maker: Client, method: str, params: dict[str, Any], missing: set[str]) -> None:
    """Whatever the documentation's example shows is answered, but for the named."""
    shown = documented(method)
    assert shown.keys() - maker.call(method, **params).keys() == missing
