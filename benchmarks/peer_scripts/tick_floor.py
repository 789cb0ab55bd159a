"""The floor of tick to order: picows on uvloop, a book decoded, judged, signed and sent inside one callback.

No actors, no risk gate, no table of orders, no clock checks: only what cannot be left out. It improves the best of
others by one tick, knows its own orders by the answers, and signs with our signing module, for the comparison is of
everything around the signature. Question: {"url", "authority", "order"}; it then trades until stdin ends.
"""

from __future__ import annotations

import ssl
import time
from typing import Any

import msgspec
import uvloop
from picows import WSMsgType, WSTransport

from actors.venues.derive.signing import OrderSigner, SigningKey, asset_words
from benchmarks.peer_scripts.first_question import first_question
from benchmarks.peer_scripts.floor_parts import AnswerFrame, BookFrame, connect, end_of_stdin

SCALE = 10**17
"""A tick of 0.1, as signed."""


class OrderRow(msgspec.Struct, gc=False):
    order_id: str
    instrument_name: str
    direction: str
    limit_price: str
    amount: str
    order_status: str
    filled_amount: str


class Result(msgspec.Struct, gc=False):
    order: OrderRow
    cancelled_order: OrderRow | None = None


_book = msgspec.json.Decoder(BookFrame[str]).decode
_answer = msgspec.json.Decoder(AnswerFrame[Result]).decode


class Mark:
    """One instrument: what is signed of it, and what rests there by direction as (price, order id)."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.name = row["instrument_name"]
        self.words = asset_words(row["base_asset_address"], int(row["base_asset_sub_id"]))
        self.resting: dict[str, tuple[str, str]] = {"buy": ("", ""), "sell": ("", "")}


class Trader:
    def __init__(self, order: dict[str, Any]) -> None:
        key = SigningKey.from_hex(order["key"])
        self.signer = OrderSigner(key, order["owner"], order["subaccount_id"], 1)
        self.account = order["subaccount_id"]
        self.marks: dict[str, Mark] = {}
        self.number = 100
        self.amount, self.amount_e18 = "0.1", 10**17
        self.fee, self.fee_e18 = "7.34", 734 * 10**16
        self.private: WSTransport | None = None
        self.ticks = {f"{n // 10}.{n % 10}": n for n in range(60_000)}
        self.texts = [f"{n // 10}.{n % 10}" for n in range(60_000)]

    def on_book(self, frame: bytes) -> None:
        row = _book(frame).params.data
        mark = self.marks[row.instrument_name]
        self.quote(mark, "buy", self._best(row.bids, mark.resting["buy"][0]) + 1)
        self.quote(mark, "sell", self._best(row.asks, mark.resting["sell"][0]) - 1)

    def _best(self, levels: list[tuple[str, str]], own: str) -> int:
        price, amount = levels[0]
        return self.ticks[levels[1][0] if price == own and amount == self.amount else price]

    def quote(self, mark: Mark, direction: str, ticks: int) -> None:
        text = self.texts[ticks]
        resting, order_id = mark.resting[direction]
        if text == resting:
            return
        now_ns = time.time_ns()
        nonce = now_ns // 1000 * 1000 + 7
        expiry_s = now_ns // 1_000_000_000 + 600
        signature = self.signer.sign(
            mark.words, ticks * SCALE, self.amount_e18, self.fee_e18, direction == "buy", nonce, expiry_s
        )
        self.number += 1
        method, old = "order", ""
        if order_id:
            method, old = "replace", f',"order_id_to_cancel":"{order_id}","expected_filled_amount":"0"'
        self.private.send(
            WSMsgType.TEXT,
            (
                f'{{"jsonrpc":"2.0","id":{self.number},"method":"private/{method}","params":{{"direction":"{direction}",'
                f'"subaccount_id":{self.account},"instrument_name":"{mark.name}","order_type":"limit",'
                f'"time_in_force":"post_only","reject_post_only":true,"signer":"{self.signer.signer}",'
                f'"max_fee":"{self.fee}","limit_price":"{text}","amount":"{self.amount}","nonce":"{nonce}",'
                f'"signature_expiry_sec":{expiry_s},"reject_timestamp":{now_ns // 1_000_000 + 1000},"mmp":false,'
                f'"label":"floor","signature":"{signature}"{old}}}}}'
            ).encode(),
        )

    def on_answer(self, frame: bytes) -> None:
        order = _answer(frame).result.order
        self.marks[order.instrument_name].resting[order.direction] = (order.limit_price, order.order_id)


async def trade(url: str, tls: ssl.SSLContext | None, order: dict[str, Any]) -> None:
    trader = Trader(order)
    public, private = await connect(url, tls), await connect(url, tls)
    listing = await public.ask("public/get_all_instruments", instrument_type="option", currency="ETH")
    trader.marks = {row["instrument_name"]: Mark(row) for row in listing["instruments"]}
    await private.ask("public/login", wallet=order["owner"])
    private.hear(trader.on_answer)
    trader.private = private.transport

    def hear(frame: bytes) -> None:
        if frame.startswith(b'{"method":"subscription","params":{"channel":"orderbook'):
            trader.on_book(frame)

    public.hear(hear)
    public.subscribe("subscribe", [f"orderbook.{name}.1.10" for name in trader.marks])
    await end_of_stdin()


if __name__ == "__main__":
    uvloop.run(trade(*first_question()))
