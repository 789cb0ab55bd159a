"""What the real venue sent: a recorded session through the market-data actor, and the documentation's own examples."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import attrs
import msgspec
from deribit_kit import NOW_NS, OPTION, documented, recorded

from actors.clock import VirtualClock
from actors.market_data import MarketData
from actors.trading.books import Book
from actors.trading.instruments import Instrument
from actors.venues.deribit.wire import DeribitDialect
from actors.venues.dialect import BookGap
from actors.venues.link import LinkSettings, VenueLink
from actors.venues.names import parse_name
from actors.venues.protocol import JsonRpc, Notice

SESSION = "deribit-ws-session-2021-07-22.jsonl"


def options(channels: list[str]) -> list[Instrument]:
    """The session's instruments; in 2021 every price was a multiple of 0.0005."""
    names = dict.fromkeys(channel.split(".")[1] for channel in channels)
    found = []
    for name in names:
        said = parse_name(name)
        step = Decimal("0.1") if said.underlying == "BTC" else Decimal(1)
        found.append(
            attrs.evolve(
                OPTION,
                name=name,
                underlying=said.underlying,
                tick=Decimal("0.0001"),
                amount_step=step,
                kind=said.kind,
                strike=float(said.strike),
                expiry_s=said.expiry_s,
            )
        )
    return found


def replay(messages: list[dict[str, Any]]) -> dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]]:
    """The books by another way: plain dictionaries of decimals, straight from the text."""
    books: dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = {}
    for message in messages:
        data = message["params"]["data"]
        if data["type"] == "snapshot":
            books[data["instrument_name"]] = ({}, {})
        for side, rows in zip(books[data["instrument_name"]], (data["bids"], data["asks"]), strict=True):
            for action, price, amount in rows:
                if action == "delete":
                    del side[price]
                else:
                    side[price] = amount
    return books


def in_decimals(instrument: Instrument, book: Book) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    bids, asks = (
        {Decimal(instrument.price_text(price)): Decimal(instrument.amount_text(amount)) for price, amount in side}
        for side in (book.bids, book.asks)
    )
    return bids, asks


async def test_a_recorded_session_gives_the_books_of_an_independent_replay():
    """Thirty seconds of ten options: no error, no gap, tickers for all, and each book equal level by level."""
    frames = [json.loads(line)["msg"] for line in recorded(SESSION).read_text().splitlines()]
    texts = [json.dumps(frame) for frame in frames if frame and frame.get("method") == "subscription"]
    channels = next(frame["params"]["channels"] for frame in frames if frame and frame.get("method") == "public/subscribe")
    dialect = DeribitDialect(lambda: NOW_NS, books="raw")
    listed = options(channels)
    dialect.learn(listed)

    def no_link(opening: Any, on_notice: Any, on_down: Any) -> VenueLink:
        async def nowhere() -> Any:
            raise OSError

        return VenueLink(
            "recorded", "ws://nowhere", nowhere, on_notice=on_notice, settings=LinkSettings(), rng=random.Random(1)
        )

    market = MarketData(dialect, "ETH", VirtualClock(NOW_NS), no_link, lambda _: False, lambda _: None)
    watch(market, listed)
    rpc = JsonRpc()
    for text in texts:
        notice = rpc.receive(text)
        assert isinstance(notice, Notice)
        market.on_notice(notice)
    assert market.malformed == 0
    expected = replay([json.loads(text, parse_float=Decimal) for text in texts if '"channel": "book.' in text])
    assert len(expected) == 10
    for instrument in listed:
        picture = market.pictures[instrument.name]
        assert picture.book is not None
        assert in_decimals(instrument, picture.book) == expected[instrument.name]
        assert list(picture.book.bids) == sorted(picture.book.bids, reverse=True)
        assert list(picture.book.asks) == sorted(picture.book.asks)
        assert picture.ticker is not None
        assert picture.ticker.forward


def watch(market: MarketData, listed: list[Instrument]) -> None:
    from actors.market_data import Picture

    for instrument in listed:
        market.pictures[instrument.name] = Picture(instrument)


def test_a_lost_frame_of_the_recording_is_noticed():
    """Whichever change is left out, the next one of that book says so; nothing else does."""
    frames = [json.loads(line)["msg"] for line in recorded(SESSION).read_text().splitlines()]
    books = [frame["params"] for frame in frames if frame and frame.get("params", {}).get("channel", "").startswith("book.")]
    for lost, params in enumerate(books):
        followers = [later for later in books[lost + 1 :] if later["channel"] == params["channel"]]
        if params["data"]["type"] == "snapshot":
            continue
        dialect = DeribitDialect(lambda: NOW_NS, books="raw")
        dialect.learn(options([each["channel"] for each in books]))
        gaps = []
        for number, each in enumerate(books):
            if number != lost:
                raw = msgspec.Raw(json.dumps(each["data"]).encode())
                gaps += [n for n in dialect.decode_notice("subscription", each["channel"], raw) if isinstance(n, BookGap)]
        assert [gap.channels for gap in gaps] == ([(params["channel"],)] if followers else [])


def test_every_documented_notification_is_read_or_passed_over():
    """The documentation's examples are of every age and shape: none raises anything but a complaint about its numbers."""
    read = 0
    for examples in documented("deribit-documented-notifications.json").values():
        for example in examples:
            params = example.get("params", {})
            if "channel" not in params:
                continue
            dialect = DeribitDialect(lambda: NOW_NS)
            channel, data = params["channel"], params["data"]
            names = {word for word in channel.split(".") if "-" in word}
            names |= {data["instrument_name"]} if isinstance(data, dict) and "instrument_name" in data else set()
            fine = [attrs.evolve(OPTION, name=name, tick=Decimal("1E-9"), amount_step=Decimal("1E-9")) for name in names]
            dialect.learn(fine)
            list(dialect.decode_notice("subscription", channel, msgspec.Raw(json.dumps(data).encode())))
            read += 1
    assert read >= 38
