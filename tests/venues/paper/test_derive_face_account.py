"""Account queries of the Derive face, and the shape of everything it says against the published v3 schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from derive_desk import CALL, PERP, PUT, Client, Venue
from v3_schema import V3Schema, needs_schema


def sell_and_hit(maker: Client, other: Client, price: str = "101", amount: str = "1", instrument: str = CALL) -> None:
    maker.place("sell", price, amount, instrument)
    other.place("buy", price, amount, instrument, time_in_force="ioc")


def test_positions_and_cash_add_up_to_the_last_digit(maker: Client, other: Client) -> None:
    """Premium received less fee is the cash; the short's average is premium less fees; both sides are opposite."""
    sell_and_hit(maker, other, "101", "0.7")
    [short] = maker.call("private/get_positions", subaccount_id=maker.subaccount)["positions"]
    [long] = other.call("private/get_positions", subaccount_id=other.subaccount)["positions"]
    assert (short["amount"], long["amount"]) == ("-0.7", "0.7")
    assert Decimal(short["average_price"]) == Decimal("101") - Decimal("0.21") / Decimal("0.7")
    assert short["average_price_excl_fees"] == "101"
    assert short["unrealized_pnl_excl_fees"] == "0.7"
    assert Decimal(short["initial_margin"]) < Decimal(short["maintenance_margin"]) < 0
    assert (long["initial_margin"], long["maintenance_margin"]) == ("0", "0")
    [cash] = maker.call("private/get_collaterals", subaccount_id=maker.subaccount)["collaterals"]
    assert Decimal(cash["amount"]) == 1_000_000 + Decimal("70.7") - Decimal("0.21")
    [cash] = other.call("private/get_collaterals", subaccount_id=other.subaccount)["collaterals"]
    assert Decimal(cash["amount"]) == 1_000_000 - Decimal("70.7") - Decimal("0.5") - Decimal("0.63")


def test_trade_history_pages_filters_and_never_forgets_a_fill(venue: Venue, maker: Client, other: Client) -> None:
    """Newest first; by time, instrument and order; pages tile the whole."""
    for n in range(5):
        sell_and_hit(maker, other, "101", "0.1", (CALL, PUT)[n % 2])
        venue.later(1)
    mine = {"subaccount_id": maker.subaccount}
    whole = maker.call("private/get_trade_history", **mine)
    times = [row["timestamp"] for row in whole["trades"]]
    assert len(times) == 5
    assert times == sorted(times, reverse=True)
    pages = [maker.call("private/get_trade_history", **mine, page=n, page_size=2) for n in (1, 2, 3)]
    assert [row for page in pages for row in page["trades"]] == whole["trades"]
    assert pages[0]["pagination"] == {"num_pages": 3, "count": 5}
    late = maker.call("private/get_trade_history", **mine, from_timestamp=times[1])
    assert len(late["trades"]) == 2
    calls = maker.call("private/get_trade_history", **mine, instrument_name=CALL)
    assert len(calls["trades"]) == 3
    one = whole["trades"][0]
    assert maker.call("private/get_trade_history", **mine, order_id=one["order_id"])["trades"] == [one]
    assert maker.code("private/get_trade_history") == -32602
    assert maker.call("private/get_trade_history", wallet=maker.account.wallet)["trades"] == whole["trades"]


def test_order_history_holds_the_ended_ones(venue: Venue, maker: Client) -> None:
    """Resting orders are in open orders, ended ones in the history; get_order knows both, and 11006 the rest."""
    first, second = maker.place("buy", "90"), maker.place("buy", "91")
    mine = {"subaccount_id": maker.subaccount}
    maker.call("private/cancel", order_id=first["order_id"], instrument_name=CALL, **mine)
    history = maker.call("private/get_order_history", **mine)
    assert [order["order_id"] for order in history["orders"]] == [first["order_id"]]
    assert maker.call("private/get_order", order_id=first["order_id"], **mine)["order_status"] == "cancelled"
    assert maker.call("private/get_order", order_id=second["order_id"], **mine)["order_status"] == "open"
    assert maker.code("private/get_order", order_id="x", **mine) == 11006


def test_nobody_sees_another_account(maker: Client, other: Client) -> None:
    """A foreign subaccount is 14001 and a foreign wallet 14025 in every query."""
    for method in ("get_open_orders", "get_positions", "get_collaterals", "get_subaccount", "get_mmp_config"):
        assert maker.code(f"private/{method}", subaccount_id=other.subaccount) == 14001
    for method in ("get_account", "get_subaccounts", "session_keys"):
        assert maker.code(f"private/{method}", wallet=other.account.wallet) == 14025
    assert maker.code("private/set_cancel_on_disconnect", enabled=True, wallet=other.account.wallet) == 14025


def test_the_wallets_setting_persists(venue: Venue, maker: Client) -> None:
    """Cancel-on-disconnect is the wallet's, not the socket's: it is there for the next login, and can be taken back."""
    wallet = maker.account.wallet
    assert maker.call("private/set_cancel_on_disconnect", enabled=True, wallet=wallet) == "ok"
    maker.drop()
    again = venue.client(0)
    assert again.call("private/get_account", wallet=wallet)["cancel_on_disconnect"] is True
    again.call("private/set_cancel_on_disconnect", enabled=False)
    again.place()
    again.drop()
    assert len(venue.client(0).resting()) == 1


def test_cancel_on_disconnect_spares_other_wallets_and_public_sockets(venue: Venue, maker: Client, other: Client) -> None:
    """Only the wallet whose socket dropped is pulled; a socket that never logged in pulls nobody."""
    for client in (maker, other):
        client.call("private/set_cancel_on_disconnect", enabled=True)
        client.place("buy", "90")
    venue.client(login=False).drop()
    assert len(maker.resting()) == len(other.resting()) == 1
    maker.drop()
    assert len(other.resting()) == 1
    assert len(venue.engine.open_orders(maker.subaccount)) == 0


def test_order_quote_estimates_without_placing(maker: Client, other: Client) -> None:
    """Fills, fee and a fee cap to sign, against the book as it stands."""
    other.place("sell", "101", "1")
    quote = maker.call("private/order_quote", **maker.signed("buy", "101", "2", time_in_force="gtc"))
    assert (quote["estimated_fill_amount"], quote["estimated_fill_price"]) == ("1", "101")
    assert quote["estimated_fee"] == "1.4"
    assert quote["suggested_max_fee"] == "7.7"
    assert quote["is_valid"] is True
    assert maker.call("private/order_quote", **maker.signed("buy", "101", "2"))["is_valid"] is False
    assert maker.resting() == []


def test_order_debug_shows_what_would_be_rebuilt(maker: Client) -> None:
    """Hashes and the recovered signer, and nothing rests; a changed field recovers somebody else."""
    signed = maker.signed()
    shown = maker.call("private/order_debug", **signed)
    assert shown["recovered_signer"] == shown["expected_signer"] == maker.signer
    assert shown["input_data"]["data"]["limit_price"] == "99"
    other = maker.call("private/order_debug", **{**signed, "amount": "2"})
    assert other["recovered_signer"] != maker.signer
    assert other["typed_data_hash"] != shown["typed_data_hash"]
    assert maker.resting() == []


# -- shapes

QUERIES = (
    "get_open_orders",
    "get_trigger_orders",
    "get_algo_orders",
    "get_positions",
    "get_collaterals",
    "get_subaccount",
    "get_margin",
    "get_mmp_config",
    "reset_mmp",
    "get_order_history",
    "get_trade_history",
)


class Talk:
    """Two customers who call every method a maker meets, once, with something to show; method and result are kept."""

    def __init__(self, venue: Venue) -> None:
        self.maker, self.other = venue.client(0), venue.client(1)
        self.mine, self.wallet = {"subaccount_id": self.maker.subaccount}, {"wallet": self.maker.account.wallet}
        self.results: list[tuple[str, Any]] = []

    def say(self, method: str, **params: Any) -> Any:
        return self.note(method, self.maker.call(method, **params))

    def note(self, method: str, result: Any) -> Any:
        self.results.append((method, result))
        return result

    def join_channels(self) -> None:
        """What they tell is looked at when all is said."""
        channels = [f"{self.maker.subaccount}.{what}" for what in ("orders", "trades", "balances")]
        channels += [f"trades.{CALL}", "trades.option.ETH", "spot_feed.ETH"]
        for name in (CALL, PERP):
            channels += [f"orderbook.{name}.1.10", f"ticker_slim.{name}.100"]
        self.maker.call("subscribe", channels=channels)

    def trade(self) -> None:
        """An order that fills in part and is replaced, once well and once not."""
        maker, other = self.maker, self.other
        self.say("public/login", **maker.login_params())
        first = self.say("private/order", **maker.signed("sell", "101", "2"))["order"]["order_id"]
        self.note("private/order", other.call("private/order", **other.signed("buy", "101", "0.5", time_in_force="ioc")))
        old = {"order_id_to_cancel": first, "expected_filled_amount": "0.5"}
        replaced = self.say("private/replace", **old, **maker.signed("sell", "102", "1.5"))
        old = {"order_id_to_cancel": replaced["order"]["order_id"]}
        failed = self.say("private/replace", **old, **maker.signed("sell", "103", "9999"))
        assert failed["create_order_error"]["code"] == 11000

    def ask_about_the_account(self) -> None:
        resting = self.maker.place("buy", "90", "1", PUT)["order_id"]
        self.maker.place("buy", "2990", "1", PERP)
        for method in ("order_debug", "order_quote"):
            self.say(f"private/{method}", **self.maker.signed())
        self.say("private/set_mmp_config", currency="ETH", mmp_interval=1000, mmp_frozen_time=1000, **self.mine)
        for method in QUERIES:
            self.say(f"private/{method}", **self.mine)
        self.say("private/get_order", order_id=resting, **self.mine)
        for method in ("get_account", "get_subaccounts", "session_keys"):
            self.say(f"private/{method}", **self.wallet)
        self.say("private/set_cancel_on_disconnect", enabled=False, **self.wallet)
        self.say("private/cancel", order_id=resting, instrument_name=PUT, **self.mine)

    def cancel_in_bulk(self) -> None:
        self.say("private/cancel_by_nonce", nonce="1766000000000000001", instrument_name=PUT, **self.mine)
        self.say("private/cancel_by_label", label="x", **self.mine)
        self.say("private/cancel_by_instrument", instrument_name=PUT, **self.mine)
        self.say("private/cancel_all", **self.mine)

    def ask_about_the_market(self) -> None:
        for kind in ("option", "perp"):
            self.say("public/get_all_instruments", instrument_type=kind, expired=False)
        self.say("public/get_tickers", instrument_type="option", currency="ETH", expiry_date=20251226)
        self.say("public/get_tickers", instrument_type="perp")
        for name in (CALL, PERP):
            self.say("public/get_instrument", instrument_name=name)
            self.say("public/get_ticker", instrument_name=name)
        for method in ("get_currency", "get_option_settlement_prices", "get_latest_signed_feeds"):
            self.say(f"public/{method}", currency="ETH")
        self.say("public/get_trade_history", currency="ETH")
        for method in ("get_time", "get_all_live_instruments", "get_all_currencies", "getRateLimits", "get_live_incidents"):
            self.say(f"public/{method}")


def say_everything(venue: Venue) -> list[tuple[str, Any]]:
    """Every method a maker meets and what it answered, then every channel and what it told."""
    talk = Talk(venue)
    talk.join_channels()
    talk.trade()
    talk.ask_about_the_account()
    talk.cancel_in_bulk()
    talk.ask_about_the_market()
    venue.later(0.2)
    talk.maker.take()
    return talk.results + [(f"channel {channel}", data) for channel, data in talk.maker.notices]


CHANNEL_TYPES = {
    "orders": "array<Order>",
    "trades": "array<Trade>",
    "balances": "array<BalanceUpdate>",
    "orderbook": "OrderbookPayloadDoc",
    "ticker_slim": "TickerSlimPayload",
    "spot_feed": "SpotFeedPayload",
    "public trades": "array<PublicTrade>",
}


def type_of_channel(channel: str) -> str:
    head, _, tail = channel.partition(".")
    if head.isdigit():
        return CHANNEL_TYPES[tail]
    return CHANNEL_TYPES["public trades" if head == "trades" else head]


@needs_schema
def test_everything_the_face_says_has_the_published_shape() -> None:
    """Each result and each notice holds the schema's fields, no others, in the schema's types."""
    schema = V3Schema()
    wrong: list[str] = []
    said = say_everything(Venue())
    for what, value in said:
        if what.startswith("channel "):
            wrong += schema.check(type_of_channel(what.removeprefix("channel ")), value, what)
        else:
            wrong += schema.check_result(what, value)
    assert wrong == []
    methods = {what for what, _ in said if not what.startswith("channel ")}
    assert len(methods) >= 37
    assert {type_of_channel(what[8:]) for what, _ in said if what.startswith("channel ")} == set(CHANNEL_TYPES.values())
