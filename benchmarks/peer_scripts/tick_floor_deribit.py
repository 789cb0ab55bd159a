"""The floor of tick to order where nothing is signed: `tick_floor` speaking Deribit, edits instead of replaces.

The same loop, decoding and inline callback without the signature. Question: {"url", "authority"}; it then trades until
stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from typing import Any

import msgspec
import uvloop
from picows import WSMsgType, WSTransport, ws_connect

from benchmarks.peer_scripts.tick_floor import Listener

AMOUNT = 0.1


class BookRow(msgspec.Struct, gc=False):
    instrument_name: str
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class BookParams(msgspec.Struct, gc=False):
    data: BookRow


class BookFrame(msgspec.Struct, gc=False):
    params: BookParams


class OrderRow(msgspec.Struct, gc=False):
    order_id: str
    instrument_name: str
    direction: str
    price: float
    amount: float
    order_state: str
    filled_amount: float


class Result(msgspec.Struct, gc=False):
    order: OrderRow


class AnswerFrame(msgspec.Struct, gc=False):
    id: int
    result: Result


_book = msgspec.json.Decoder(BookFrame).decode
_answer = msgspec.json.Decoder(AnswerFrame).decode


class Trader:
    def __init__(self, names: list[str], private: WSTransport) -> None:
        self.resting: dict[tuple[str, str], tuple[float, str]] = {
            (name, direction): (0.0, "") for name in names for direction in ("buy", "sell")
        }
        self.number = 100
        self.private = private

    def on_book(self, frame: bytes) -> None:
        row = _book(frame).params.data
        name = row.instrument_name
        self.quote(name, "buy", round(self._best(row.bids, self.resting[name, "buy"][0]) + 0.1, 1))
        self.quote(name, "sell", round(self._best(row.asks, self.resting[name, "sell"][0]) - 0.1, 1))

    def _best(self, levels: list[tuple[float, float]], own: float) -> float:
        price, amount = levels[0]
        return levels[1][0] if price == own and amount == AMOUNT else price

    def quote(self, name: str, direction: str, price: float) -> None:
        resting, order_id = self.resting[name, direction]
        if price == resting:
            return
        self.number += 1
        last_ms = time.time_ns() // 1_000_000 + 1000
        what = f'"amount":{AMOUNT},"price":{price},"post_only":true,"reject_post_only":true,"valid_until":{last_ms}'
        if order_id:
            method, which = "edit", f'"order_id":"{order_id}",'
        else:
            method, which = direction, f'"instrument_name":"{name}","type":"limit","label":"floor-{self.number}",'
        text = f'{{"jsonrpc":"2.0","id":{self.number},"method":"private/{method}","params":{{{which}{what}}}}}'
        self.private.send(WSMsgType.TEXT, text.encode())

    def on_answer(self, frame: bytes) -> None:
        order = _answer(frame).result.order
        self.resting[order.instrument_name, order.direction] = (order.price, order.order_id)


async def trade(url: str, tls: ssl.SSLContext | None) -> None:
    public, listener = await ws_connect(Listener, url, ssl_context=tls)
    private, answers = await ws_connect(Listener, url, ssl_context=tls)

    async def ask(transport: WSTransport, to: Any, method: str, **params: Any) -> Any:
        text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        transport.send(WSMsgType.TEXT, text.encode())
        while True:
            answer = await to.answers.get()
            if answer["id"] == 1:
                return answer["result"]

    listing = await ask(public, listener, "public/get_instruments", currency="USDC", kind="option")
    await ask(private, answers, "public/auth", grant_type="client_credentials")
    trader = Trader([row["instrument_name"] for row in listing], private)
    answers.hear = trader.on_answer

    def hear(frame: bytes) -> None:
        if b'"channel":"book' in frame[:80]:
            trader.on_book(frame)

    listener.hear = hear
    channels = [f"book.{row['instrument_name']}.none.20.100ms" for row in listing]
    await_books = {"jsonrpc": "2.0", "id": 2, "method": "public/subscribe", "params": {"channels": channels}}
    public.send(WSMsgType.TEXT, json.dumps(await_books).encode())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    question = json.loads(sys.stdin.readline())
    context = None
    if question["url"].startswith("wss"):
        context = ssl.create_default_context(cafile=question["authority"])
    print(json.dumps({"ready": True}), flush=True)
    uvloop.run(trade(question["url"], context))


if __name__ == "__main__":
    main()
