"""Market data of the Deribit face: shapes as recorded, books that can be followed, channels and their grammar."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deribit_desk import CALL, LINEAR, PERP, PUT, Client, Venue
from deribit_recordings import HOME, documented, documented_notice, needs_recordings, recorded
from engine_stage import EXPIRY_S, deribit_option

from actors.trading.instruments import OptionKind
from actors.venues.names import parse_name
from actors.venues.paper.faults import ChannelFault, FrameFault

CHAIN = HOME / "deribit-chain-2026-08-21.csv.gz"
Book = dict[str, dict[float, float]]


@pytest.fixture
def guest(venue: Venue) -> Client:
    return venue.client(1, login=False)


def applied(book: Book, data: dict[str, Any]) -> Book:
    """A book after one raw message."""
    sides = {"bids": {}, "asks": {}} if data["type"] == "snapshot" else {side: dict(book[side]) for side in book}
    for side in sides:
        for what, price, amount in data[side]:
            if what == "delete":
                del sides[side][price]
            else:
                sides[side][price] = amount
    return sides


def levels(venue: Venue, guest: Client, name: str = CALL) -> Book:
    book = guest.call("public/get_order_book", instrument_name=name, depth=1000)
    return {side: dict(book[side]) for side in ("bids", "asks")}


# -- shapes


@needs_recordings
def test_tickers_and_books_have_the_recorded_keys(maker: Client) -> None:
    """Key for key as in the recorded session, but for what was added to the feed since."""
    added = {"ticker": {"volume_usd"}, "book": set()}
    maker.call("public/subscribe", channels=[f"ticker.{CALL}.raw", f"book.{CALL}.raw"])
    [ticker], [snapshot] = maker.heard(f"ticker.{CALL}.raw"), maker.heard(f"book.{CALL}.raw")
    maker.buy()
    [change] = maker.heard(f"book.{CALL}.raw")
    shown = {"ticker": ticker, "snapshot": snapshot, "change": change}
    compared = set()
    for frame in recorded():
        if frame.get("method") != "subscription":
            assert frame.keys() == {"jsonrpc", "id", "result", "usIn", "usOut", "usDiff", "testnet"}
            continue
        data = frame["params"]["data"]
        kind = data.get("type", "ticker")
        assert shown[kind].keys() == data.keys(), kind
        if kind == "ticker":
            assert shown[kind]["stats"].keys() - data["stats"].keys() == added["ticker"]
            assert shown[kind]["greeks"].keys() == data["greeks"].keys()
        compared.add(kind)
    assert compared == {"ticker", "snapshot", "change"}


@needs_recordings
@pytest.mark.parametrize(
    ("method", "params", "missing"),
    [
        ("public/get_instrument", {"instrument_name": CALL}, set()),
        ("public/get_instruments", {"currency": "ETH", "kind": "future"}, set()),
        ("public/get_order_book", {"instrument_name": PERP}, set()),
        ("public/ticker", {"instrument_name": PERP}, set()),
        ("public/get_book_summary_by_instrument", {"instrument_name": CALL}, set()),
        ("public/get_currencies", {}, set()),
        ("public/get_delivery_prices", {"index_name": "eth_usd"}, set()),
        ("public/hello", {"client_name": "x", "client_version": "1"}, set()),
    ],
)
def test_documented_keys_are_there(guest: Client, method: str, params: dict[str, Any], missing: set[str]) -> None:
    """Whatever the documentation's example shows is answered."""
    answer = guest.call(method, **params)
    answer = answer[0] if isinstance(answer, list) else answer
    assert documented(method).keys() - answer.keys() == missing


@needs_recordings
@pytest.mark.parametrize(
    ("channel", "documented_as"),
    [
        (f"book.{CALL}.none.10.100ms", "book.{instrument_name}.{group}.{depth}.{interval}"),
        (f"quote.{CALL}", "quote.{instrument_name}"),
        ("deribit_price_index.eth_usd", "deribit_price_index.{index_name}"),
        ("deribit_volatility_index.eth_usd", "deribit_volatility_index.{index_name}"),
        ("estimated_expiration_price.eth_usd", "estimated_expiration_price.{index_name}"),
        ("markprice.options.eth_usd", "markprice.options.{index_name}"),
        (f"incremental_ticker.{PERP}", "incremental_ticker.{instrument_name}"),
        (f"perpetual.{PERP}.100ms", "perpetual.{instrument_name}.{interval}"),
    ],
)
def test_documented_channels_greet_with_their_keys(guest: Client, channel: str, documented_as: str) -> None:
    """Each newcomer is told at once, in the documented shape."""
    assert guest.call("public/subscribe", channels=[channel]) == [channel]
    [data] = guest.heard(channel)
    row = data[0] if isinstance(data, list) else data
    assert documented_notice(documented_as).keys() <= row.keys()


def test_an_empty_side_is_zero_and_no_trade_is_null(guest: Client, maker: Client) -> None:
    """As recorded, not as documented; a summary has null there."""
    maker.buy(0.04)
    ticker = guest.call("public/ticker", instrument_name=CALL)
    assert (ticker["best_ask_price"], ticker["best_ask_amount"], ticker["ask_iv"]) == (0.0, 0.0, 0.0)
    assert (ticker["best_bid_price"], ticker["best_bid_amount"], ticker["last_price"]) == (0.04, 5.0, None)
    assert ticker["stats"]["high"] is ticker["stats"]["low"] is ticker["stats"]["price_change"] is None
    assert 0 < ticker["bid_iv"] < 200
    assert (ticker["mark_iv"], ticker["underlying_index"], ticker["underlying_price"]) == (60.0, "ETH-18DEC26", 2600.0)
    [summary] = guest.call("public/get_book_summary_by_instrument", instrument_name=CALL)
    assert (summary["bid_price"], summary["ask_price"], summary["mid_price"]) == (0.04, None, None)


def test_instruments_tell_ladder_sizes_and_settlement(guest: Client) -> None:
    """An inverse option, the perpetual and a linear option, as their records were."""
    option = guest.call("public/get_instrument", instrument_name=CALL)
    assert (option["tick_size"], option["tick_size_steps"]) == (0.0001, [{"above_price": 0.005, "tick_size": 0.0005}])
    assert (option["kind"], option["option_type"], option["strike"]) == ("option", "call", 2600.0)
    assert (option["base_currency"], option["quote_currency"], option["counter_currency"]) == ("ETH", "ETH", "USD")
    assert (option["contract_size"], option["min_trade_amount"]) == (1, 1)
    assert (option["expiration_timestamp"], option["settlement_period"]) == (EXPIRY_S * 1000, "week")
    linear = guest.call("public/get_instrument", instrument_name=LINEAR)
    assert (linear["base_currency"], linear["settlement_currency"], linear["price_index"]) == ("XRP", "USDC", "xrp_usdc")
    assert (linear["contract_size"], linear["min_trade_amount"], linear["instrument_type"]) == (1000, 1000, "linear")
    perp = guest.call("public/get_instrument", instrument_name=PERP)
    assert (perp["settlement_period"], perp["expiration_timestamp"]) == ("perpetual", 32_503_708_800_000)
    by_currency = guest.call("public/get_instruments", currency="USDC")
    assert [one["instrument_name"] for one in by_currency] == [LINEAR]
    assert len(guest.call("public/get_instruments")) == len(guest.call("public/get_instruments", currency="any")) == 4
    assert guest.call("public/get_instruments", currency="ETH", kind="spot") == []
    assert guest.call("public/get_expirations", currency="ETH", kind="any") == {
        "option": ["18DEC26"],
        "future": ["PERPETUAL"],
    }
    assert guest.call("public/get_contract_size", instrument_name=LINEAR) == {"contract_size": 1000}
    assert guest.call("public/get_index_price_names") == ["eth_usd", "xrp_usdc"]
    assert guest.code("public/get_index_price", index_name="doge_usd") == -32602
    assert guest.code("public/get_order_book", instrument_name=CALL, depth=7) == -32602
    assert guest.code("public/test", expected_result="exception") == 11050


# -- books


def test_a_raw_book_can_be_followed_without_a_gap(venue: Venue, maker: Client, guest: Client) -> None:
    """A snapshot, then changes that name the id before them; the followed book is the book."""
    channel = f"book.{CALL}.raw"
    maker.buy(0.03)
    maker.call("public/subscribe", channels=[channel])
    orders = [maker.buy(0.031), maker.sell(0.05), maker.buy(0.031, 2)]
    maker.call("private/edit", order_id=orders[0]["order_id"], amount=7, price=0.032)
    maker.call("private/cancel", order_id=orders[1]["order_id"])
    book: Book = {}
    told = maker.heard(channel)
    assert (told[0]["type"], "prev_change_id" in told[0]) == ("snapshot", False)
    assert {what for data in told[1:] for side in ("bids", "asks") for what, _, _ in data[side]} == {
        "new", "change", "delete",
    }  # fmt: skip
    for before, data in zip([None, *told], told, strict=False):
        book = applied(book, data)
        assert before is None or data["prev_change_id"] == before["change_id"]
    assert book == levels(venue, guest)
    assert maker.call("public/subscribe", channels=[channel]) == [channel]
    assert maker.heard(channel) == []


def test_a_slower_book_gathers_and_a_newcomer_joins_in_between(venue: Venue, maker: Client, guest: Client) -> None:
    """One change an interval; who comes later gets the state last sent, and the next change follows on it for all."""
    channel = f"book.{CALL}.100ms"
    guest.call("public/subscribe", channels=[channel])
    maker.buy(0.03)
    maker.sell(0.05)
    venue.later(0.1)
    gone = maker.buy(0.031)
    late = venue.client(1, login=False)
    late.call("public/subscribe", channels=[channel])
    maker.buy(0.032)
    maker.call("private/cancel", order_id=gone["order_id"])
    venue.later(0.1)
    for client in (guest, late):
        book: Book = {}
        told = client.heard(channel)
        for before, data in zip([None, *told], told, strict=False):
            assert before is None or data["prev_change_id"] == before["change_id"]
            book = applied(book, data)
        assert book == levels(venue, guest)
        assert told[-1]["bids"] == [["new", 0.032, 5.0]]


def test_a_channel_may_be_left_out_without_a_word(maker: Client) -> None:
    """Public or private: the answer names the others, and nothing comes on it."""
    book, changes = f"book.{CALL}.raw", "user.changes.option.ETH.raw"
    maker.venue.exchange.faults.arm(ChannelFault("user.changes"), ChannelFault("book."))
    assert maker.call("private/subscribe", channels=[changes, "user.lock"]) == ["user.lock"]
    assert maker.call("public/subscribe", channels=[book]) == []
    maker.buy(0.03)
    assert maker.heard(changes) == maker.heard(book) == []


def test_a_lost_frame_is_a_gap_that_shows(venue: Venue, maker: Client) -> None:
    """Injected on one channel alone: the next change names an id that was never seen."""
    channel = f"book.{CALL}.raw"
    maker.call("public/subscribe", channels=[channel])
    [snapshot] = maker.heard(channel)
    venue.exchange.faults.arm(FrameFault("drop", match=channel, count=1))
    maker.buy(0.03)
    maker.buy(0.031)
    [change] = maker.heard(channel)
    assert change["prev_change_id"] != snapshot["change_id"]
    maker.call("public/unsubscribe", channels=[channel])
    maker.call("public/subscribe", channels=[channel])
    [again] = maker.heard(channel)
    assert (again["type"], len(again["bids"])) == ("snapshot", 2)


def test_a_grouped_book_is_whole_each_time(venue: Venue, maker: Client, guest: Client) -> None:
    """Pairs, no type; depth cuts, groups join ticks; silence while nothing changes."""
    deep, shallow, coarse = (f"book.{CALL}.{tail}" for tail in ("none.20.100ms", "none.1.100ms", "10.10.agg2"))
    guest.call("public/subscribe", channels=[deep, shallow, coarse, f"book.{CALL}.3.10.100ms"])
    for price in (0.0305, 0.031):
        maker.buy(price, 1)
    venue.later(1)
    assert guest.heard(deep)[-1]["bids"] == [[0.031, 1.0], [0.0305, 1.0]]
    assert guest.heard(shallow)[-1]["bids"] == [[0.031, 1.0]]
    assert guest.heard(coarse)[-1]["bids"] == [[0.031, 1.0], [0.03, 1.0]]
    venue.later(1)
    assert guest.heard(deep) == []


# -- channels


def test_what_is_no_channel_is_left_out(venue: Venue, maker: Client) -> None:
    """Without a word; the order of the answer is the venue's own; an expired instrument is no channel any more."""
    wanted = [f"ticker.{CALL}.100ms", "nothing", "ticker.ETH-1JAN30-1-C.raw", f"ticker.{CALL}.1s", f"quote.{CALL}", "book"]
    wanted += [
        "trades.option.any.raw",
        "trades.option.DOGE.raw",
        "platform_state",
        "platform_state.x",
        "markprice.futures.eth_usd",
    ]
    wanted += [f"perpetual.{CALL}.raw", "instrument.nothing.any.any", "user.combo_trades.any.any.raw", "user.orders"]
    joined = maker.call("public/subscribe", channels=wanted)
    assert joined == ["trades.option.any.raw", f"ticker.{CALL}.100ms", f"quote.{CALL}", "platform_state"]
    venue.later(EXPIRY_S - venue.now_ns // 10**9 + 1)
    assert venue.client(0).call("public/subscribe", channels=[f"ticker.{CALL}.100ms"]) == []


def test_raw_channels_are_for_those_who_logged_in(venue: Venue, guest: Client) -> None:
    """13778 for the whole request; a setting turns it."""
    assert guest.code("public/subscribe", channels=[f"quote.{CALL}", f"book.{CALL}.raw"]) == 13778
    assert guest.session.channels == {}
    open_venue = Venue(face={"raw_needs_login": False})
    assert open_venue.client(login=False).call("public/subscribe", channels=[f"book.{CALL}.raw"])


def test_a_ticker_follows_changes_and_repeats_itself_when_quiet(venue: Venue, maker: Client) -> None:
    """At most once an interval; a quiet one comes every four seconds, as recorded."""
    channel = f"ticker.{CALL}.100ms"
    maker.call("public/subscribe", channels=[channel])
    venue.later(0.1)
    maker.heard(channel)
    for price in (0.03, 0.031, 0.032):
        maker.buy(price, 1)
        venue.later(0.04)
    assert [data["best_bid_price"] for data in maker.heard(channel)] == [0.032]
    for _ in range(80):
        venue.later(0.1)
    assert len(maker.heard(channel)) == 2


def test_an_incremental_ticker_tells_only_what_changed(venue: Venue, maker: Client) -> None:
    """A snapshot first; then a change a second at most, with its name and time."""
    channel = f"incremental_ticker.{CALL}"
    maker.call("public/subscribe", channels=[channel])
    assert maker.heard(channel)[0]["type"] == "snapshot"
    maker.buy(0.03, 1)
    venue.later(1)
    [change] = maker.heard(channel)
    assert change["type"] == "change"
    assert change.keys() == {
        "type", "timestamp", "instrument_name", "best_bid_price", "best_bid_amount", "bid_iv",
    }  # fmt: skip
    venue.later(5)
    assert maker.heard(channel) == []


def test_the_tape_is_told_by_instrument_and_by_kind(venue: Venue, maker: Client) -> None:
    """Arrays; the direction is the taker's; a slower channel gathers; the history has the same rows."""
    fast, slow, other_kind = f"trades.{CALL}.raw", "trades.option.ETH.100ms", "trades.future.ETH.raw"
    maker.call("public/subscribe", channels=[fast, slow, other_kind])
    taker = venue.client(1)
    maker.buy(0.04, 5)
    for _ in range(2):
        taker.sell(0.04, 1)
    venue.later(0.1)
    rows = [row for data in maker.heard(fast) for row in data]
    assert [(row["direction"], row["amount"], row["trade_seq"]) for row in rows] == [("sell", 1.0, 1), ("sell", 1.0, 2)]
    assert 0 < rows[0]["iv"] < 200
    assert "order_id" not in rows[0]
    assert maker.heard(slow) == [rows]
    assert maker.heard(other_kind) == []
    page = maker.call("public/get_last_trades_by_instrument", instrument_name=CALL)
    assert (page["trades"], page["has_more"]) == (rows[::-1], False)
    assert maker.call("public/get_last_trades_by_currency", currency="ETH", count=1)["has_more"] is True
    times = {"start_timestamp": 1, "end_timestamp": 2}
    assert maker.call("public/get_last_trades_by_currency_and_time", currency="ETH", **times)["trades"] == []


def test_new_listings_and_states_are_told(venue: Venue, guest: Client) -> None:
    """The whole record once, and its state; only to those who asked for the kind and currency."""
    channels = ["instrument.creation.option.ETH", "instrument.creation.any.BTC", "instrument.state.any.any"]
    guest.call("public/subscribe", channels=channels)
    venue.engine.list_instrument(deribit_option("ETH-18DEC26-2700-C", OptionKind.CALL))
    venue.later()
    [record] = guest.heard("instrument.creation.option.ETH")
    assert record == guest.call("public/get_instrument", instrument_name="ETH-18DEC26-2700-C")
    assert guest.heard("instrument.creation.any.BTC") == []
    assert [told["state"] for told in guest.heard("instrument.state.any.any")] == ["open"]


def test_marks_and_index_come_every_second(venue: Venue, guest: Client) -> None:
    """Whether or not they moved; the mark's vol is a fraction here, a percentage in the ticker."""
    guest.call("public/subscribe", channels=["markprice.options.eth_usd", "deribit_price_index.eth_usd"])
    for _ in range(30):
        venue.later(0.1)
    assert len(guest.heard("deribit_price_index.eth_usd")) == 4
    rows = guest.heard("markprice.options.eth_usd")[-1]
    assert {row["instrument_name"]: (row["iv"], row["mark_price"]) for row in rows} == {
        CALL: (0.6, 0.04),
        PUT: (0.6, 0.04),
    }


def test_the_last_half_hour_estimates_the_delivery(venue: Venue, guest: Client) -> None:
    """The mean of the minutes so far, with the ticks left; the ticker's estimate agrees."""
    venue.later(EXPIRY_S - venue.now_ns // 10**9 - 1800)
    venue.engine.set_index("eth_usd", Decimal(2700))
    venue.later(600)
    guest = venue.client(1, login=False)
    guest.call("public/subscribe", channels=["estimated_expiration_price.eth_usd"])
    [told] = guest.heard("estimated_expiration_price.eth_usd")
    assert (told["is_estimated"], told["seconds"], told["total_ticks"]) == (True, 1200, 30)
    assert told["left_ticks"] < 30
    assert 2600 < told["price"] < 2700
    assert guest.call("public/ticker", instrument_name=CALL)["estimated_delivery_price"] == round(told["price"], 2)


# -- worlds


@pytest.mark.skipif(not CHAIN.exists(), reason="the recorded chain is not beside this repository")
def test_the_recorded_chain_is_listed_with_every_quote_on_the_ladder() -> None:
    """Coin premiums as recorded; all of an expiry in one call."""
    venue = Venue(is_empty=False, chain=str(Path(CHAIN)), frozen=True)
    guest = venue.client(login=False)
    rows = guest.call("public/get_book_summary_by_currency", currency="ETH", kind="option")
    quoted = [row for row in rows if row["bid_price"] is not None]
    assert len(rows) > 500
    assert len(quoted) > 300
    for row in quoted:
        ticks = Decimal(str(row["bid_price"])) / Decimal("0.0001")
        assert ticks == int(ticks)
        assert ticks <= 50 or ticks % 5 == 0
    maker = venue.client(0)
    bid = quoted[0]
    order = maker.buy(bid["bid_price"], 1, bid["instrument_name"], post_only=True, reject_post_only=True)
    assert order["order_state"] == "open"


@pytest.mark.parametrize(("underlying", "index", "currency"), [("ETH", "eth_usd", "ETH"), ("XRP_USDC", "xrp_usdc", "USDC")])
def test_the_synthetic_world_trades_in_coin_and_in_money(underlying: str, index: str, currency: str) -> None:
    """Half a minute of it: index, tickers and trades flow, books never cross, and names read back as what they are."""
    venue = Venue(is_empty=False, underlyings=(underlying,), world={"taker_rate_per_s": 10.0})
    maker = venue.client(0)
    maker.call("public/subscribe", channels=[f"deribit_price_index.{index}", f"trades.any.{currency}.raw"])
    for _ in range(30):
        venue.later(1.0)
    assert len(maker.heard(f"deribit_price_index.{index}")) >= 30
    assert maker.heard(f"trades.any.{currency}.raw")
    rows = maker.call("public/get_book_summary_by_currency", currency=currency)
    for row in rows:
        assert row["bid_price"] is None or row["ask_price"] is None or row["bid_price"] < row["ask_price"]
        assert parse_name(row["instrument_name"]).underlying == underlying
    option = next(row["instrument_name"] for row in rows if row["instrument_name"].endswith("-C"))
    record = maker.call("public/get_instrument", instrument_name=option)
    assert float(parse_name(option).strike) == record["strike"]
    assert (record["settlement_currency"], record["price_index"]) == (currency, index)
