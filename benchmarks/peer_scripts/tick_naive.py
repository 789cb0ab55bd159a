"""The naive stack of tick to order: trio-websocket, json, Decimal, and the exchange's own signing package.

What one gets by following the manuals: each message to dicts, each number to Decimal, an order object of the package
per order, one message a write. It quotes as the floor does, and reads the answers.
In hummingbot's environment the signature is hummingbot's own. Question: {"url", "authority",
"order"}; it then trades until stdin ends.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from decimal import Decimal
from typing import Any

import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from benchmarks.peer_scripts.first_question import first_question

try:
    from derive_action_signing import SignedAction, TradeModuleData  # type: ignore[import-not-found]
except ImportError:  # hummingbot's environment: its port of the same two classes
    from hummingbot.connector.other.derive_common_utils import (  # type: ignore[import-not-found]
        SignedAction,
        TradeModuleData,
    )

TICK = Decimal("0.1")
AMOUNT = Decimal("0.1")


class Trader:
    def __init__(self, order: dict[str, Any], private: WebSocketConnection) -> None:
        self.order = order
        self.private = private
        self.listed: dict[str, dict[str, Any]] = {}
        self.resting: dict[tuple[str, str], tuple[Decimal, str]] = {}
        self.number = 100

    async def on_book(self, data: dict[str, Any]) -> None:
        name = data["instrument_name"]
        for direction, side, step in (("buy", "bids", TICK), ("sell", "asks", -TICK)):
            await self.quote(name, direction, self.best(name, direction, data[side]) + step)

    def best(self, name: str, direction: str, levels: list[list[str]]) -> Decimal:
        own, _ = self.resting.get((name, direction), (None, ""))
        for price, amount in levels:
            if Decimal(price) != own or Decimal(amount) != AMOUNT:
                return Decimal(price)
        raise ValueError(f"nobody else quotes {name}")

    async def quote(self, name: str, direction: str, price: Decimal) -> None:
        resting, order_id = self.resting.get((name, direction), (None, ""))
        if price == resting:
            return
        row, order = self.listed[name], self.order
        nonce, expiry_s = time.time_ns() // 1000 * 1000 + self.number % 1000, int(time.time()) + 600
        action = SignedAction(
            subaccount_id=order["subaccount_id"],
            owner=order["owner"],
            signer=order["signer"],
            signature_expiry_sec=expiry_s,
            nonce=nonce,
            module_address=order["module"],
            module_data=TradeModuleData(
                asset_address=row["base_asset_address"],
                sub_id=int(row["base_asset_sub_id"]),
                limit_price=price,
                amount=AMOUNT,
                max_fee=Decimal(order["max_fee"]),
                recipient_id=order["subaccount_id"],
                is_bid=direction == "buy",
            ),
            DOMAIN_SEPARATOR=order["domain_separator"],
            ACTION_TYPEHASH=order["action_typehash"],
        )
        action.sign(order["key"])
        params = {
            "instrument_name": name,
            "direction": direction,
            "order_type": "limit",
            "time_in_force": "post_only",
            "mmp": False,
            "label": "naive",
            "limit_price": str(price),
            "amount": str(AMOUNT),
            "max_fee": order["max_fee"],
            "subaccount_id": order["subaccount_id"],
            "nonce": str(nonce),
            "signer": order["signer"],
            "signature_expiry_sec": expiry_s,
            "signature": action.signature,
        }
        if order_id:
            params["order_id_to_cancel"] = order_id
        method = "private/replace" if order_id else "private/order"
        self.number += 1
        await self.private.send_message(json.dumps({"id": self.number, "method": method, "params": params}))

    async def on_answers(self) -> None:
        while True:
            order = json.loads(await self.private.get_message())["result"]["order"]
            key = order["instrument_name"], order["direction"]
            self.resting[key] = Decimal(order["limit_price"]), order["order_id"]


async def ask(socket: WebSocketConnection, method: str, **params: Any) -> Any:
    await socket.send_message(json.dumps({"id": 1, "method": method, "params": params}))
    return json.loads(await socket.get_message())["result"]


async def trade(url: str, tls: ssl.SSLContext | None, order: dict[str, Any]) -> None:
    async with (
        open_websocket_url(url, ssl_context=tls) as public,
        open_websocket_url(url, ssl_context=tls) as private,
        trio.open_nursery() as nursery,
    ):
        listing = await ask(public, "public/get_all_instruments", instrument_type="option", currency="ETH")
        await ask(private, "public/login", wallet=order["owner"])
        trader = Trader(order, private)
        trader.listed = {row["instrument_name"]: row for row in listing["instruments"]}
        nursery.start_soon(trader.on_answers)
        nursery.start_soon(end_with_stdin, nursery.cancel_scope)
        channels = [f"orderbook.{name}.1.10" for name in trader.listed]
        await public.send_message(json.dumps({"id": 2, "method": "subscribe", "params": {"channels": channels}}))
        while True:
            message = json.loads(await public.get_message())
            if message.get("method") == "subscription" and message["params"]["channel"].startswith("orderbook"):
                await trader.on_book(message["params"]["data"])


async def end_with_stdin(scope: trio.CancelScope) -> None:
    await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
    scope.cancel()


if __name__ == "__main__":
    trio.run(trade, *first_question())
