"""ccxt's pro client trades on the paper exchange's Deribit face, unchanged but for the address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import ccxt
import ccxt.pro
import pytest
from paper_venue import paper_venue


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, Any]]:
    with paper_venue("deribit") as facts:
        yield facts


def trade(ready: dict[str, Any], story: Callable[[Any, str], Awaitable[None]]) -> None:
    """Runs a story with a client whose markets are loaded, and the symbol of a call near the money."""

    async def run() -> None:
        client_id, secret = ready["session_key"].split(":")
        client = ccxt.pro.deribit({"apiKey": client_id, "secret": secret})
        host = ready["rest_url"].removesuffix("/api/v2")
        client.urls["api"] = {"rest": host, "ws": ready["ws_url"]}
        try:
            markets = await client.load_markets()
            calls = [symbol for symbol, market in markets.items() if market["option"] and symbol.endswith("-C")]
            await asyncio.wait_for(story(client, calls[len(calls) // 2]), 30)
        finally:
            await client.close()

    asyncio.run(run())


def test_markets_load_with_ticks_sizes_and_expiries(ready: dict[str, Any]) -> None:
    """Options and the perpetual arrive as markets of the right kind, settled in coin."""

    async def story(client: Any, symbol: str) -> None:
        market = client.market(symbol)
        assert (market["precision"]["price"], market["limits"]["amount"]["min"]) == (0.0001, 1.0)
        assert (market["settle"], market["inverse"], market["optionType"]) == ("ETH", True, "call")
        assert market["expiryDatetime"].endswith("T08:00:00.000Z")
        assert [one["id"] for one in client.markets.values() if one["swap"]] == ["ETH-PERPETUAL"]

    trade(ready, story)


def test_market_data_is_watched_and_fetched(ready: dict[str, Any]) -> None:
    """Ticker, book and trades over the socket agree in kind with those over HTTP."""

    async def story(client: Any, symbol: str) -> None:
        ticker, fetched = await client.watch_ticker(symbol), await client.fetch_ticker(symbol)
        assert 0 < ticker["bid"] < ticker["ask"]
        assert fetched["info"].keys() == ticker["info"].keys()
        book = await client.watch_order_book(symbol)
        for _ in range(3):
            book = await client.watch_order_book(symbol)
        assert book["bids"][0][0] < book["asks"][0][0]
        assert book["nonce"] > 0
        perpetual = next(one["symbol"] for one in client.markets.values() if one["swap"])
        trades = await client.watch_trades(perpetual)
        assert trades
        assert trades[0]["symbol"] == perpetual
        assert (await client.fetch_order_book(symbol))["asks"]
        assert (await client.fetch_status())["status"] in ("ok", None)

    trade(ready, story)


def test_an_order_is_placed_watched_edited_and_cancelled(ready: dict[str, Any]) -> None:
    """The life of a post-only order, told by the answers and by the private channel alike."""

    async def story(client: Any, symbol: str) -> None:
        price = (await client.fetch_order_book(symbol))["bids"][-1][0]
        await client.authenticate()
        watching = asyncio.ensure_future(client.watch_orders(symbol))
        await asyncio.sleep(0.5)
        order = await client.create_order(symbol, "limit", "buy", 1, price, {"postOnly": True})
        assert (order["status"], order["price"], order["postOnly"]) == ("open", price, True)
        assert [one["id"] for one in await watching] == [order["id"]]
        edited = await client.edit_order(order["id"], symbol, "limit", "buy", 2, price)
        assert (edited["id"], edited["amount"]) == (order["id"], 2.0)
        assert [one["amount"] for one in await client.fetch_open_orders(symbol)] == [2.0]
        cancelled = await client.cancel_order(order["id"], symbol)
        assert cancelled["status"] == "canceled"
        assert (await client.fetch_order(order["id"], symbol))["status"] == "canceled"
        assert await client.fetch_open_orders(symbol) == []

    trade(ready, story)


def test_a_market_order_fills_and_shows_in_trades_positions_and_balance(ready: dict[str, Any]) -> None:
    """Fills carry their fee, the position is long, the coin is there."""

    async def story(client: Any, symbol: str) -> None:
        order = await client.create_order(symbol, "market", "buy", 1)
        assert (order["status"], order["filled"]) == ("closed", 1.0)
        [mine] = await client.fetch_my_trades(symbol)
        assert mine["order"] == order["id"]
        assert mine["fee"]["currency"] == "ETH"
        assert mine["fee"]["cost"] > 0
        [position] = [one for one in await client.fetch_positions() if one["symbol"] == symbol]
        assert (position["side"], position["contracts"]) == ("long", 1.0)
        assert 1000 < (await client.fetch_balance())["total"]["ETH"] < 2000

    trade(ready, story)


def test_refusals_arrive_as_the_clients_own_errors(ready: dict[str, Any]) -> None:
    """A price off the ladder, an order that is gone, too little of everything: each is the error it ought to be."""

    async def story(client: Any, symbol: str) -> None:
        with pytest.raises(ccxt.InvalidOrder, match="price_wrong_tick"):
            await client.create_order(symbol, "limit", "buy", 1, 0.01234)
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order("ETH-1", symbol)
        client.secret = "wrong"
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_open_orders(symbol)

    trade(ready, story)
