"""Derive's notifications: what is concluded from market data and from the account's own notices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from derive_kit import NAME, OPTION, SUBACCOUNT, maker, notice, order_row, params, sample, trade_row, wish

from actors.trading.instruments import Side
from actors.venues.dialect import BookUpdate, IndexUpdate, MmpTripped, OrderStatus, SettledPrice, TickerUpdate

# -- market data


TICKER = f"ticker_slim.{NAME}.1000"


def test_a_recorded_ticker_is_decoded_to_the_digit():
    """Prices in ticks; vol, forward and discount as they stand."""
    (news,) = notice(maker(), TICKER, sample("ticker_slim (option call)"))
    assert news == TickerUpdate(
        instrument=NAME,
        ts_ms=1779953796231,
        best_bid=3830,
        best_ask=4098,
        mark=398.1,
        mark_vol=0.67698,
        forward=1992.6,
        index=1991.7,
        discount=0.999,
        band_low=3661,
        band_high=4326,
    )


def test_zeros_in_a_ticker_are_absences():
    """No bid, no mark, no vol: None and 0, never a price; exponents and bare numbers are read, news fields ignored."""
    ticker = sample("ticker_slim (option put)")
    snapshot = ticker["instrument_ticker"]
    snapshot |= {"b": "0", "M": "0", "I": "0", "minp": "0", "brand_new": {"a": [1]}}
    snapshot["option_pricing"] |= {"df": "0", "m": "0", "f": "2E+3"}
    (news,) = notice(maker(), TICKER, ticker)
    assert (news.best_bid, news.best_ask, news.mark, news.index, news.band_low) == (0, 438, None, None, 0)
    assert (news.mark_vol, news.forward, news.discount) == (0.51012, 2000.0, 1.0)
    snapshot["option_pricing"] |= {"i": "0", "f": 2000}
    (news,) = notice(maker(), TICKER, ticker)
    assert (news.mark_vol, news.forward) == (None, 2000.0)
    for odd in ("nan", "inf", "-1"):
        snapshot["M"] = odd
        assert notice(maker(), TICKER, ticker)[0].mark is None


def test_a_perpetuals_ticker_has_no_vol():
    """Its f is funding, not a forward."""
    dialect = maker()
    dialect.learn([attrs.evolve(OPTION, name="ETH-PERP", kind=None, tick=Decimal("0.01"))])
    (news,) = notice(dialect, "ticker_slim.ETH-PERP.1000", sample("ticker_slim (perp)"))
    assert (news.best_bid, news.best_ask, news.mark, news.mark_vol, news.forward) == (199236, 199237, 1992.49, None, None)


def test_a_ticker_moves_the_fee_cap():
    """Orders signed after a ticker carry a cap for its index, without anybody else noting it."""
    dialect = maker()
    notice(dialect, TICKER, sample("ticker_slim (option call)"))
    assert params(dialect.place(wish()))["max_fee"] == "6.792530"


BOOK = f"orderbook.{NAME}.1.10"


def test_a_book_is_decoded_best_first_in_ticks_and_steps():
    """Levels are pairs of integers; an amount of somebody else's off the step is cut down, an empty side is empty."""
    book = sample("orderbook (spot, mainnet)") | {"instrument_name": NAME, "asks": [["101.3", "0.5"], ["102", "10000.019"]]}
    (news,) = notice(maker(), BOOK, book)
    expected = BookUpdate(NAME, 1779607319268, ((2, 4500), (1, 3290)), ((1013, 50), (1020, 1000001)))
    assert news == expected
    (news,) = notice(maker(), BOOK, book | {"asks": []})
    assert news.asks == ()


def test_a_book_off_the_tick_is_malformed():
    """A price that our ticks cannot hold is not rounded into the market."""
    book = {"instrument_name": NAME, "timestamp": 1, "publish_id": 2, "bids": [["100.55", "1"]], "asks": []}
    with pytest.raises(ValueError, match="not a multiple"):
        notice(maker(), BOOK, book)


@pytest.mark.parametrize("data", [{}, [], "text", {"timestamp": "x", "bids": [], "asks": []}, {"bids": 3}])
@pytest.mark.parametrize("channel", [TICKER, BOOK, "spot_feed.ETH", f"{SUBACCOUNT}.orders", f"{SUBACCOUNT}.trades"])
def test_malformed_notices_raise_value_error(channel: str, data: Any):
    """Wrong shapes are refused, except an empty array where arrays travel."""
    if data == [] and channel.startswith(str(SUBACCOUNT)):
        assert notice(maker(), channel, data) == []
        return
    with pytest.raises(ValueError):  # noqa: PT011  msgspec's own subclasses, whatever they say
        notice(maker(), channel, data)


def test_the_spot_feed_carries_the_index_under_the_name_instruments_use():
    """ETH's feed becomes ETH-USD; a price of zero is no price."""
    feed = {"confidence": "1", "price_prev_daily": "1", "confidence_prev_daily": "1", "timestamp_prev_daily": 1}
    feeds = {"ETH": {"price": "2601.55", **feed}, "BTC": {"price": "0", **feed}}
    news = notice(maker(), "spot_feed.ETH", {"timestamp": 1795338000000, "feeds": feeds})
    assert news == [IndexUpdate("ETH-USD", 1795338000000, 2601.55)]


def test_unknown_channels_and_instruments_are_ignored_and_remembered():
    """Nothing is made of them, but their names are kept for whoever reloads the listing."""
    dialect = maker()
    assert notice(dialect, "auctions.watch", [{"x": 1}]) == []
    stray = "ETH-20270101-2800-P"
    assert notice(dialect, f"ticker_slim.{stray}.1000", sample("ticker_slim (option call)")) == []
    assert notice(dialect, f"orderbook.{stray}.1.10", {"timestamp": 1, "bids": [], "asks": []}) == []
    assert notice(dialect, f"{SUBACCOUNT}.orders", [order_row(instrument_name=stray)]) == []
    assert dialect.board.strays == {stray}
    dialect.learn([attrs.evolve(OPTION, name=stray)])
    assert dialect.board.strays == set()
    assert len(notice(dialect, f"ticker_slim.{stray}.1000", sample("ticker_slim (option call)"))) == 1


# -- the account's notices


def test_an_order_notice_is_an_array_of_orders():
    """Every field the order table needs is there; the identity is the nonce."""
    rows = [order_row(), order_row(order_id="b", order_status="filled", filled_amount="0.1", direction="sell", mmp=True)]
    open_order, filled = notice(maker(), f"{SUBACCOUNT}.orders", rows)
    assert (open_order.client_id, open_order.venue_id) == ("1795338000123456007", "6a6eed97-b882-4909-a7ac-566fe99577e1")
    assert (open_order.side, open_order.price, open_order.amount, open_order.filled) == (Side.BID, 1005, 10, 0)
    assert (open_order.status, open_order.expires_s, open_order.label) == (OrderStatus.OPEN, 1_795_338_900, "mm-ETH-1")
    assert (filled.side, filled.filled, filled.status, filled.mmp) == (Side.ASK, 10, OrderStatus.FILLED, True)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("cancelled", OrderStatus.CANCELLED),
        ("expired", OrderStatus.EXPIRED),
        ("rejected", OrderStatus.REJECTED),
        ("untriggered", OrderStatus.WAITING),
        ("algo_active", OrderStatus.WAITING),
        ("something_new", OrderStatus.OPEN),
    ],
)
def test_a_status_that_is_not_known_to_be_final_counts_as_alive(text: str, status: OrderStatus):
    """New words of the venue never make an order disappear."""
    (order,) = notice(maker(), f"{SUBACCOUNT}.orders", [order_row(order_status=text)])
    assert order.status is status


def test_a_trade_notice_is_an_array_of_fills():
    """The fee keeps its twelve decimals; the side is the account's own."""
    (fill,) = notice(maker(), f"{SUBACCOUNT}.trades", [trade_row(direction="sell")])
    assert (fill.side, fill.price, fill.amount, fill.fee) == (Side.ASK, 1005, 4, "0.010400000001")
    assert (fill.fee_currency, fill.is_maker, fill.index, fill.mark) == ("USDC", True, 2600.1, 101.2)
    (block,) = notice(maker(), f"{SUBACCOUNT}.trades", [trade_row(trade_price="100.57", liquidity_role="taker")])
    assert (block.price, block.is_maker) == (1005, False)


def test_settlement_of_an_option_is_a_balance_that_leaves():
    """Other balance changes, and the cash side of settlement, are no news."""
    change = {"previous_balance": "-0.3", "new_balance": "0", "update_type": "option_settlement"}
    rows = [
        {"name": NAME, **change},
        {"name": "USDC", **change},
        {"name": NAME, **change, "update_type": "trade"},
        {"name": NAME, **change, "update_type": "a_new_type"},
    ]
    assert notice(maker(), f"{SUBACCOUNT}.balances", rows) == [SettledPrice(NAME, -30)]


@pytest.mark.parametrize(
    "kind",
    [
        "transfer",
        "asset_deposit",
        "asset_withdrawal",
        "subaccount_deposit",
        "subaccount_withdrawal",
        "liquidation",
        "liquidator",
        "onchain_drift_fix",
        "onchain_revert",
        "double_revert",
    ],
)
def test_a_position_that_moves_without_a_trade_is_not_passed_over(kind: str):
    """Raising ends the connection, and the next one reads all positions afresh; cash and other underlyings are no matter."""
    row = {"name": NAME, "previous_balance": "1", "new_balance": "-4", "update_type": kind}
    with pytest.raises(ValueError, match=f"{NAME}.*{kind}"):
        notice(maker(), f"{SUBACCOUNT}.balances", [row])
    assert notice(maker(), f"{SUBACCOUNT}.balances", [{**row, "name": "USDC"}, {**row, "name": "BTC-20261225-9-C"}]) == []


def test_a_trip_of_protection_is_read_from_the_cancels_it_causes():
    """Derive has no channel for it; once per notice, and with an end when the freeze's length is known."""
    rows = [order_row(order_status="cancelled", cancel_reason="mmp_trigger") for _ in range(3)]
    news = notice(maker(), f"{SUBACCOUNT}.orders", rows)
    assert [each for each in news if isinstance(each, MmpTripped)] == [MmpTripped(0, "ETH")]
    assert len(news) == 4


def test_another_currencys_price_in_the_frame_is_not_this_cells_index():
    """A cell has one index: a BTC price taken for ETH's would move every quote."""
    feeds = {"BTC": {"price": "90000"}, "ETH": {"price": "3000"}, "HYPE": {"price": "40"}}
    dialect = maker()
    assert notice(dialect, "spot_feed.ETH", {"timestamp": 1, "feeds": feeds}) == [IndexUpdate("ETH-USD", 1, 3000.0)]
    assert notice(dialect, "spot_feed.ETH", {"timestamp": 2, "feeds": {"BTC": feeds["BTC"]}}) == []


@pytest.mark.parametrize(
    "oddity",
    [
        {"trade_amount": "-0.04"},
        {"trade_amount": "0"},
        {"trade_amount": "1e999999"},
        {"trade_price": "1e999999"},
        {"trade_fee": ""},
        {"trade_fee": "nan"},
        {"trade_fee": "1e999999"},
        {"trade_id": ""},
    ],
)
def test_a_trade_that_cannot_be_is_not_counted(oddity: dict[str, Any]):
    """A position must not move by what nobody could have traded, nor a later sum stumble over it."""
    with pytest.raises(ValueError, match=r".+"):
        notice(maker(), f"{SUBACCOUNT}.trades", [trade_row(**oddity)])


def test_numbers_without_measure_are_refused_at_once():
    """As an integer such a number would take seconds to make, while nothing else is heard."""
    for row in (order_row(amount="1e999999"), order_row(limit_price="1e999999"), order_row(filled_amount="-1e999999")):
        with pytest.raises(ValueError, match="not a number"):
            notice(maker(), f"{SUBACCOUNT}.orders", [row])
