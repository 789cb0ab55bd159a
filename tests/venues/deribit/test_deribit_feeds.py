"""Deribit's notifications: books that prove their thread, tickers, states, and the account's own changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from deribit_kit import LABEL, LINEAR, NAME, OPTION, ORDER_ID, listing, maker, order_row, raw, trade_row
from hypothesis import given
from hypothesis import strategies as st
from script_kit import Refusal, drive

from actors.trading.instruments import LadderStep, Numeraire, OptionKind, Side
from actors.venues.deribit.listings import read_instrument
from actors.venues.deribit.wire import BOOKS, DeribitDialect
from actors.venues.dialect import (
    AccountState,
    BookGap,
    BookUpdate,
    Fill,
    IndexUpdate,
    InstrumentState,
    Listed,
    MmpTripped,
    News,
    PlatformState,
    SettledPrice,
    TickerUpdate,
    VenueOrder,
)

RAW = f"book.{NAME}.raw"
TICKER = {
    "timestamp": 1_795_338_000_000,
    "instrument_name": NAME,
    "state": "open",
    "index_price": 2399.4,
    "underlying_price": 2405.1,
    "underlying_index": "ETH-25DEC26",
    "mark_price": 0.042711,
    "mark_iv": 61.59,
    "bid_iv": 0.0,
    "ask_iv": 64.9,
    "best_bid_price": 0.0,
    "best_bid_amount": 0.0,
    "best_ask_price": 0.0435,
    "best_ask_amount": 12.0,
    "last_price": None,
    "settlement_price": 0.041,
    "min_price": 0.0001,
    "max_price": 0.1,
    "interest_rate": 0.0,
    "greeks": {"delta": 0.41, "gamma": 0.0006, "vega": 3.9, "theta": -2.1, "rho": 0.3},
    "stats": {"high": None, "low": None, "price_change": None, "volume": 0.0, "volume_usd": 0.0},
}


def told(dialect: DeribitDialect, channel: str, data: Any) -> list[News]:
    return list(dialect.decode_notice("subscription", channel, raw(data)))


def snapshot(change_id: int, bids: Any = (), asks: Any = (), **more: Any) -> dict[str, Any]:
    return {"type": "snapshot", "timestamp": 1, "change_id": change_id, "bids": bids, "asks": asks, **more}


def change(before: int, change_id: int, bids: Any = (), asks: Any = (), **more: Any) -> dict[str, Any]:
    row = {"type": "change", "timestamp": 2, "prev_change_id": before, "change_id": change_id}
    return {**row, "bids": bids, "asks": asks, **more}


# -- books


def test_a_book_is_kept_by_changes():
    """New, changed and deleted levels; best first; a deletion of nothing is nothing."""
    dialect = maker(books="raw")
    told(dialect, RAW, snapshot(100, [["new", 0.0425, 40.0], ["new", 0.042, 10.0]], [["new", 0.043, 25.0]]))
    first = change(
        100, 177, [["change", 0.0425, 35.0], ["delete", 0.042, 0.0]], [["new", 0.0435, 1.0], ["delete", 0.9, 0.0]]
    )
    (book,) = told(dialect, RAW, first)
    assert book == BookUpdate(NAME, 2, ((425, 35),), ((430, 25), (435, 1)))


def test_a_missing_change_is_told_once_and_mended_by_a_snapshot_only():
    """Later changes that follow each other do not make the book whole again."""
    dialect = maker(books="raw")
    told(dialect, RAW, snapshot(100, [["new", 0.0425, 40.0]]))
    assert told(dialect, RAW, change(101, 102)) == [BookGap(NAME, (RAW,))]
    assert told(dialect, RAW, change(102, 103)) == []
    assert told(dialect, RAW, change(100, 104)) == []
    (book,) = told(dialect, RAW, snapshot(200, [["new", 0.041, 1.0]], prev_change_id=199))
    assert isinstance(book, BookUpdate)
    assert book.bids == ((410, 1),)
    assert isinstance(told(dialect, RAW, change(200, 201))[0], BookUpdate)


def test_a_change_before_any_snapshot_is_no_book():
    """The snapshot is on its way; nothing was lost."""
    assert told(maker(books="raw"), RAW, change(5, 6, [["new", 0.04, 1.0]])) == []


def test_a_new_instruments_book_may_open_with_a_change_of_nothing():
    """Its predecessor is 0. Very old frames carry neither type nor predecessor and are whole."""
    (book,) = told(maker(books="raw"), RAW, change(0, 6, [["new", 0.04, 1.0]]))
    assert isinstance(book, BookUpdate)
    (book,) = told(maker(books="raw"), RAW, {"timestamp": 1, "change_id": 7, "bids": [["new", 0.04, 1]], "asks": []})
    assert isinstance(book, BookUpdate)


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), max_size=3), min_size=1, max_size=12),
    st.integers(0, 11),
)
def test_a_book_is_always_that_of_a_replay_or_no_book(batches: list[list[tuple[int, int]]], lost: int):
    """Whichever message is lost, no later update shows a book that never was."""
    dialect, levels = maker(books="raw"), {}
    told(dialect, RAW, snapshot(0))
    for number, batch in enumerate(batches):
        for price, size in batch:
            levels.pop(price, None) if size == 0 else levels.__setitem__(price, size)
        rows = [["delete" if size == 0 else "new", price / 10_000, float(size)] for price, size in batch]
        if number == lost:
            continue
        for news in told(dialect, RAW, change(number or -1, number + 1, rows) if number else snapshot(1, rows)):
            if isinstance(news, BookUpdate):
                assert number < lost or number == 0
                assert news.bids == tuple(sorted(levels.items(), reverse=True))


def test_a_grouped_book_is_whole_each_time():
    """Pairs, best first; an empty side is empty; scientific notation is a number like any other."""
    data = {"timestamp": 3, "change_id": 1, "instrument_name": NAME, "bids": [[4.25e-2, 40.0]], "asks": []}
    assert told(maker(), f"book.{NAME}.none.20.100ms", data) == [BookUpdate(NAME, 3, ((425, 40),), ())]


def test_each_way_of_following_books_has_its_channels():
    """Raw tickers go with raw books: both need the login that the raw way has anyway."""
    suffixes = {
        books: [c.removeprefix(f"book.{NAME}").removeprefix(f"ticker.{NAME}") for c in channels]
        for books, channels in ((books, maker(books=books).instrument_channels(OPTION)) for books in BOOKS)
    }
    assert suffixes == {
        "grouped": [".none.20.100ms", ".100ms"],
        "100ms": [".100ms", ".100ms"],
        "agg2": [".agg2", ".100ms"],
        "raw": [".raw", ".raw"],
    }


# -- tickers


def test_an_empty_side_is_absent_and_percent_become_fractions():
    """0.0 is not a price; the forward is the underlying's own; the band is in ticks."""
    (ticker,) = told(maker(), f"ticker.{NAME}.100ms", TICKER)
    assert isinstance(ticker, TickerUpdate)
    assert (ticker.best_bid, ticker.best_ask, ticker.band_low, ticker.band_high) == (0, 435, 1, 1000)
    assert ticker.mark_vol == pytest.approx(0.6159)
    assert (ticker.mark, ticker.forward, ticker.index) == (0.042711, 2405.1, 2399.4)
    assert ticker.is_open


def test_null_is_absent_as_well():
    """The documentation writes it where the feed writes 0.0."""
    data = {**TICKER, "best_ask_price": None, "mark_price": 0.0, "mark_iv": None, "min_price": None, "greeks": None}
    (ticker,) = told(maker(), f"ticker.{NAME}.100ms", data)
    assert isinstance(ticker, TickerUpdate)
    assert (ticker.best_ask, ticker.mark, ticker.mark_vol, ticker.band_low) == (0, None, None, 0)


def test_a_locked_instrument_says_so_in_its_ticker_and_says_when_it_is_back():
    """A change of state is news of its own, so that quoting resumes without a message of another channel."""
    dialect, channel = maker(), f"ticker.{NAME}.100ms"
    assert len(told(dialect, channel, TICKER)) == 1
    ticker, state = told(dialect, channel, {**TICKER, "state": "locked"})
    assert isinstance(ticker, TickerUpdate)
    assert not ticker.is_open
    assert state == InstrumentState(NAME, False, False, "locked")
    assert told(dialect, channel, TICKER)[1] == InstrumentState(NAME, True, False, "open")


# -- the venue


@pytest.mark.parametrize(
    ("state", "tradable", "gone"),
    [
        ("open", True, False),
        ("locked", False, False),
        ("settlement", False, False),
        ("halted", False, False),
        ("delivered", False, True),
        ("archivized", False, True),
        ("a state to come", False, False),
    ],
)
def test_only_an_open_instrument_is_tradable(state: str, tradable: bool, gone: bool):
    """Whatever else is said, quoting stops; delivered ones do not come back."""
    data = {"instrument_name": NAME, "state": state, "timestamp": 1}
    assert told(maker(), "instrument.state.option.ETH", data) == [InstrumentState(NAME, tradable, gone, state)]


def test_a_delivery_takes_the_position_away():
    """On the channel that the private link alone has joined."""
    dialect = maker()
    channel = next(c for c in dialect.private_channels("ETH") if c.startswith("instrument.state"))
    data = {"instrument_name": NAME, "state": "delivered", "timestamp": 1}
    assert told(dialect, channel, data) == [SettledPrice(NAME, 0)]
    assert told(dialect, channel, {**data, "state": "open"}) == []
    assert channel not in dialect.shared_channels("ETH")


def test_a_new_strike_is_announced_and_known_from_then_on():
    """Its feeds decode at once."""
    dialect = maker()
    name = "ETH-25DEC26-9000-C"
    (news,) = told(dialect, "instrument.creation.option.ETH", listing(instrument_name=name, strike=9000.0))
    assert isinstance(news, Listed)
    assert news.instrument.strike == 9000.0
    assert told(dialect, f"book.{name}.none.20.100ms", {"timestamp": 1, "bids": [[0.1, 1.0]], "asks": []})


def test_maintenance_and_locks_close_the_venue_until_both_are_over():
    """Another index's lock is not ours."""
    dialect = maker()
    assert told(dialect, "platform_state", {"maintenance": True}) == [PlatformState(False, "maintenance")]
    (both,) = told(dialect, "platform_state", {"price_index": "eth_usd", "locked": True})
    assert both == PlatformState(False, "maintenance, eth_usd is locked")
    (still,) = told(dialect, "platform_state", {"maintenance": False})
    assert still == PlatformState(False, "eth_usd is locked")
    assert told(dialect, "platform_state", {"price_index": "sol_usdc", "locked": True}) == [still]
    assert told(dialect, "platform_state", {"price_index": "eth_usd", "locked": False}) == [PlatformState(True, "")]
    assert told(dialect, "platform_state.public_methods_state", {"allow_unauthenticated_public_requests": True}) == []


def test_the_index_is_heard_and_a_price_of_nothing_is_not():
    """Zero is no index."""
    dialect = maker()
    data = {"index_name": "eth_usd", "price": 2399.4, "timestamp": 5}
    assert told(dialect, "deribit_price_index.eth_usd", data) == [IndexUpdate("eth_usd", 5, 2399.4)]
    assert told(dialect, "deribit_price_index.eth_usd", {**data, "price": 0.0}) == []


# -- the account


def test_changes_bring_orders_and_fills_together():
    """Orders first; the account's own side is the trade's direction, maker or taker."""
    data = {
        "instrument_name": NAME,
        "orders": [order_row(filled_amount=2.0)],
        "trades": [trade_row(direction="sell")],
        "positions": [],
    }
    order, fill = told(maker(), "user.changes.option.ETH.raw", data)
    assert isinstance(order, VenueOrder)
    assert isinstance(fill, Fill)
    assert (order.client_id, order.filled) == (LABEL, 2)
    assert (fill.venue_id, fill.side, fill.index, fill.mark) == (ORDER_ID, Side.ASK, 2399.4, 0.042711)


def test_the_operators_odd_orders_are_read_without_complaint():
    """No label, no price, no filled amount; and combos nobody taught us are passed over."""
    odd = order_row(label=None, price="market_price", order_state="untriggered", order_id="ETH-SLIS-12")
    del odd["filled_amount"]
    dialect = maker()
    (order,) = told(dialect, "user.changes.option.ETH.raw", {"orders": [odd]})
    assert isinstance(order, VenueOrder)
    assert (order.client_id, order.price, order.filled, order.status.is_final) == ("", 0, 0, False)
    assert told(dialect, "user.changes.option.ETH.raw", {"orders": [order_row(instrument_name="ETH-CS-1-2")]}) == []
    assert "ETH-CS-1-2" in dialect.board.strays


def test_tripped_protection_says_until_when():
    """Zero means until reset by hand."""
    data = {"index_name": "eth_usd", "frozen_until": 1_795_338_039_000}
    assert told(maker(), "user.mmp_trigger.eth_usd", data) == [MmpTripped(1_795_338_039_000, "eth_usd")]
    data = {"index_name": "eth_usd", "frozen_until": 0, "mmp_group": "g"}
    assert told(maker(), "user.mmp_trigger.eth_usd", data) == [MmpTripped(0, "g")]
    assert told(maker(), "user.mmp_trigger.eth_usd", {**data, "block_rfq": False}) == [MmpTripped(0, "g")]
    assert told(maker(), "user.mmp_trigger.eth_usd", {**data, "block_rfq": True}) == []


def test_malformed_rows_of_ours_raise_and_unknown_channels_do_not():
    """A row that cannot be counted exactly must not be guessed."""
    dialect = maker()
    for row in (order_row(price=0.04251), order_row(amount=1.5), order_row(direction="up"), {}):
        with pytest.raises(ValueError, match=r".+"):
            told(dialect, "user.changes.option.ETH.raw", {"orders": [row]})
    for channel in ("user.portfolio.eth", "trades.option.ETH.raw", "", "book", "something.new"):
        assert told(dialect, channel, {"what": "ever"}) == []
    with pytest.raises(msgspec.DecodeError):
        list(dialect.decode_notice("subscription", f"ticker.{NAME}.100ms", msgspec.Raw(b"{")))


# -- listings


def test_an_inverse_option_is_priced_in_coin_on_a_ladder():
    """Exact ticks; above 50 of them, five make a step."""
    instrument, is_active = read_instrument(raw(listing()))
    assert instrument == OPTION
    assert is_active
    assert instrument.step_up(50) == 55
    assert instrument.ladder == (LadderStep(50, 5),)


def test_a_linear_option_is_priced_in_quote_currency():
    """Its amount is in base coin, whatever `contract_size` says, in multiples of a thousand here."""
    instrument, _ = read_instrument(raw(LINEAR))
    assert (instrument.underlying, instrument.strike, instrument.kind) == ("XRP_USDC", 1.25, OptionKind.PUT)
    assert (instrument.numeraire, instrument.ladder) == (Numeraire.QUOTE, ())
    assert (instrument.amount_text(2), instrument.price_text(3)) == ("2000", "0.0015")
    assert (instrument.contract_size, instrument.index_name) == (1.0, "xrp_usdc")


def test_what_is_neither_option_nor_perpetual_is_refused():
    """And an inactive one is said to be."""
    with pytest.raises(ValueError, match="neither option nor perpetual"):
        read_instrument(raw(listing(kind="future", instrument_name="ETH-25DEC26")))
    assert not read_instrument(raw(listing(is_active=False)))[1]
    with pytest.raises(ValueError, match="is no grid"):
        read_instrument(raw(listing(tick_size=0.0)))


def test_a_lock_of_the_account_counts_where_it_is_ours() -> None:
    """All currencies or ours; a lock in another coin changes nothing, and each is lifted by its own name."""
    dialect = maker()
    (locked,) = told(dialect, "user.lock", {"locked": True, "currency": "ETH"})
    assert locked == AccountState(False, "locked by the venue or its owner (ETH)")
    assert told(dialect, "user.lock", {"locked": True, "currency": "BTC"}) == [locked]
    assert told(dialect, "user.lock", {"locked": False, "currency": "ETH"}) == [AccountState(True)]
    assert told(dialect, "user.lock", {"locked": "true", "currency": "ALL"})[0] != AccountState(True)
    assert told(dialect, "user.lock", {"locked": False, "currency": "ALL"}) == [AccountState(True)]


@pytest.mark.parametrize("flag", ["locked", "enabled"])
def test_the_list_of_locks_is_read_in_either_spelling(flag: str) -> None:
    """The documented schema says "enabled" where its example says "locked"; a venue that refuses to say has none."""
    answer = [{"currency": "BTC", flag: True, "message": "why"}, {"currency": "ETH", flag: False}]
    state, _ = drive(maker().account_state("ETH"), lambda call, params: answer)
    assert state == AccountState(True)
    state, _ = drive(maker().account_state("ETH"), lambda call, params: [{"currency": "ETH", flag: True}])
    assert not state.tradable
    state, _ = drive(maker().account_state("ETH"), lambda call, params: Refusal(13021))
    assert state == AccountState(True)


@pytest.mark.parametrize(
    "oddity",
    [
        {"amount": -2.0},
        {"amount": 0.0},
        {"amount": "1e999999"},
        {"price": "1e999999"},
        {"fee": ""},
        {"fee": "nan"},
        {"fee": "1e999999"},
        {"trade_id": ""},
    ],
)
def test_a_trade_that_cannot_be_is_not_counted(oddity: dict[str, Any]):
    """A position must not move by what nobody could have traded, nor a later sum stumble over it."""
    with pytest.raises(ValueError, match=r".+"):
        told(maker(), "user.changes.option.ETH.raw", {"trades": [trade_row(**oddity)], "orders": []})


def test_numbers_without_measure_are_refused_at_once():
    """As an integer such a number would take seconds to make, while nothing else is heard."""
    for row in (order_row(amount="1e999999"), order_row(price="1e999999"), order_row(filled_amount="-1e999999")):
        with pytest.raises(ValueError, match="not a number"):
            told(maker(), "user.changes.option.ETH.raw", {"orders": [row]})


@pytest.mark.parametrize(
    "oddity",
    [
        {"strike": 0.0},
        {"strike": -2800.0},
        {"strike": 1e300},
        {"expiration_timestamp": 0},
        {"expiration_timestamp": -1},
        {"tick_size": "1e999999"},
        {"maker_commission": "inf"},
        {"taker_commission": "nan"},
    ],
)
def test_an_option_that_cannot_be_is_not_listed(oddity: dict[str, Any]):
    """What is admitted is priced: a strike or an end that none can have would end in the models."""
    row = msgspec.json.encode(listing(**oddity))
    with pytest.raises(ValueError, match=r".+"):
        read_instrument(msgspec.Raw(row))
