"""ccxt.pro's path from a book to two orders: `watch_order_book` of each symbol, `create_order` and `edit_order`.

Everything of theirs as shipped but the last step: their POST becomes the same request on the WebSocket, whose answer their
parsers then read; that flatters them, for the venue here speaks no HTTP. Question: {"url", "authority", "order"}; it
then trades until stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from typing import Any

import aiohttp
import ccxt.pro  # type: ignore[import-not-found]

from benchmarks.peer_scripts.first_question import first_question

TICK, AMOUNT = 0.1, 0.1


class Trader:
    def __init__(self, venue: Any, private: Any, order: dict[str, Any]) -> None:
        self.venue = venue
        self.private = private
        self.order = order
        self.number = 100
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.resting: dict[tuple[str, str], tuple[float, str]] = {}
        venue.privatePostOrder = lambda request: self.post("private/order", request)
        venue.privatePostReplace = lambda request: self.post("private/replace", request)

    async def post(self, method: str, params: dict[str, Any]) -> Any:
        """What their HTTP request would have carried."""
        self.number += 1
        answer = self.waiting[self.number] = asyncio.get_running_loop().create_future()
        text = json.dumps({"id": self.number, "method": method, "params": params | {"label": "ccxt"}})
        await self.private.send_str(text)
        return await answer

    async def hear(self) -> None:
        async for message in self.private:
            heard = json.loads(message.data)
            if (waiting := self.waiting.pop(heard.get("id"), None)) is not None:
                waiting.set_result(heard)

    async def follow(self, symbol: str) -> None:
        while True:
            book = await self.venue.watch_order_book(symbol, 10)
            await self.quote(symbol, "buy", self.best(symbol, "buy", book["bids"]) + TICK)
            await self.quote(symbol, "sell", self.best(symbol, "sell", book["asks"]) - TICK)

    def best(self, symbol: str, side: str, levels: list[list[float]]) -> float:
        own, _ = self.resting.get((symbol, side), (0.0, ""))
        return next(float(price) for price, amount, *_ in levels if price != own or amount != AMOUNT)

    async def quote(self, symbol: str, side: str, price: float) -> None:
        price = round(price, 1)
        resting, order_id = self.resting.get((symbol, side), (0.0, ""))
        if price == resting:
            return
        params = {"subaccount_id": self.order["subaccount_id"], "max_fee": self.order["max_fee"], "postOnly": True}
        if order_id:
            made = await self.venue.edit_order(order_id, symbol, "limit", side, AMOUNT, price, params)
        else:
            made = await self.venue.create_order(symbol, "limit", side, AMOUNT, price, params)
        self.resting[symbol, side] = (price, made["id"])


async def trade(url: str, tls: ssl.SSLContext | None, order: dict[str, Any]) -> None:
    venue = ccxt.pro.derive({"privateKey": order["key"], "walletAddress": order["signer"]})
    venue.options["deriveWalletAddress"] = order["owner"]
    venue.urls["api"]["ws"] = url
    async with aiohttp.ClientSession() as session, session.ws_connect(url, ssl=tls or True) as private:
        trader = Trader(venue, private, order)
        hearing = asyncio.create_task(trader.hear())
        listing = await trader.post("public/get_all_instruments", {"instrument_type": "option", "currency": "ETH"})
        await trader.post("public/login", {"wallet": order["owner"]})
        venue.set_markets([venue.parse_market(row) for row in listing["result"]["instruments"]])
        if tls is not None:
            venue.ssl_context = tls
        following = [asyncio.create_task(trader.follow(symbol)) for symbol in venue.symbols]
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in (hearing, *following):
            task.cancel()
        await venue.close()


if __name__ == "__main__":
    asyncio.run(trade(*first_question()))
