"""The floor of tick to order where nothing is signed: `tick_floor` speaking Deribit, edits instead of replaces.

The same loop, decoding and inline callback without the signature. Question as there; it then trades until stdin ends.
"""

from __future__ import annotations

import ssl
import time
from typing import Any

import msgspec
import uvloop
from picows import WSMsgType, WSTransport

from benchmarks.peer_scripts.first_question import first_question
from benchmarks.peer_scripts.floor_parts import AnswerFrame, BookFrame, connect, end_of_stdin

AMOUNT = 0.1


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


_book = msgspec.json.Decoder(BookFrame[float]).decode
_answer = msgspec.json.Decoder(AnswerFrame[Result]).decode


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


async def trade(url: str, tls: ssl.SSLContext | None, _: dict[str, Any]) -> None:
    public, private = await connect(url, tls), await connect(url, tls)
    listing = await public.ask("public/get_instruments", currency="USDC", kind="option")
    await private.ask("public/auth", grant_type="client_credentials")
    names = [row["instrument_name"] for row in listing]
    trader = Trader(names, private.transport)
    private.hear(trader.on_answer)

    def hear(frame: bytes) -> None:
        if b'"channel":"book' in frame[:80]:
            trader.on_book(frame)

    public.hear(hear)
    public.subscribe("public/subscribe", [f"book.{name}.none.20.100ms" for name in names])
    await end_of_stdin()


if __name__ == "__main__":
    uvloop.run(trade(*first_question()))
