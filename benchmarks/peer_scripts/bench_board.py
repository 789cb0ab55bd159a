"""What the venue of the benchmarks lists and publishes: instruments, books, tickers, answers, as Derive words them.

Owns the texts, built ahead where they can be, so that the venue costs little and every client hears the same. The mid of
each instrument steps up and down by a few ticks, so that each book asks for two new prices. Our own resting orders are
in the books, as they are at the venue. Prices in smallest ticks of 0.1, amounts in text.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from actors.trading.pricing import black76
from actors.venues.names import expiry_text

EXPIRY_S = (int(time.time()) // 86_400 + 60) * 86_400 + 8 * 3600
"""08:00 UTC in two months: every process of a benchmark started today names the same."""
EXPIRY = expiry_text(EXPIRY_S)
YEARS = 60 / 365
VOL = 0.58
INDEX = 2600.0
ASSET = "0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4"
DEPTH = 10
HALF_SPREAD = 10
"""Ticks from the mid to the best of others."""
STEPS = (2, -2, 3, -1, 1, -3)
"""Where the mid goes from its base, in ticks, one after the other: never where it was."""


def price_text(ticks: int) -> str:
    return f"{ticks // 10}.{ticks % 10}"


class Resting(NamedTuple):
    """An order of the client: price in ticks, and its row as Derive shows it."""

    price: int
    amount: str
    order_id: str
    row: str

    def gone(self, ts_ms: int) -> str:
        """The row after its cancel."""
        still = '"order_status":"open","cancel_reason":""'
        over = '"order_status":"cancelled","cancel_reason":"user_request"'
        return self.row.replace(still, over).rpartition('"last_update_timestamp":')[0] + (
            f'"last_update_timestamp":{ts_ms},"quote_id":null,"replaced_order_id":null}}'
        )


class Option:
    """One instrument: its name, its mid, and what the client has at rest there."""

    def __init__(self, number: int) -> None:
        strike, is_call = 1000 + number // 2 * 10, bool(number % 2)
        self.name = f"ETH-{EXPIRY}-{strike}-{'PC'[is_call]}"
        self.sub_id = 39_614_081_266_355_540_835_774_234_624 + number
        self.base = max(60, round(black76(INDEX, strike, YEARS, VOL, is_call) * 10))
        self.stepped = number % len(STEPS)
        self.orders: dict[str, Resting] = {}
        """By direction."""
        self.book_channels: list[str] = []
        self.ticker_channels: list[str] = []

    def listing(self) -> dict[str, Any]:
        strike, kind = self.name.split("-")[2:]
        return {
            "instrument_name": self.name,
            "instrument_type": "option",
            "is_active": True,
            "scheduled_activation": 1_700_000_000,
            "scheduled_deactivation": EXPIRY_S - 60,
            "base_currency": "ETH",
            "quote_currency": "USDC",
            "tick_size": "0.1",
            "minimum_amount": "0.1",
            "maximum_amount": "10000",
            "amount_step": "0.01",
            "base_asset_address": ASSET,
            "base_asset_sub_id": str(self.sub_id),
            "maker_fee_rate": "0.0001",
            "taker_fee_rate": "0.0003",
            "base_fee": "0.5",
            "mark_price_fee_rate_cap": "0.125",
            "option_details": {
                "index": "ETH-USD",
                "expiry": EXPIRY_S,
                "strike": strike,
                "option_type": kind,
                "settlement_price": None,
            },
            "perp_details": None,
            "erc20_details": None,
        }

    def sides(self) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
        """The next bids and asks: others around a new mid, and the client's own orders where they rest."""
        self.stepped += 1
        mid = self.base + STEPS[self.stepped % len(STEPS)]
        bids = [(mid - HALF_SPREAD - level, "1.5") for level in range(DEPTH)]
        asks = [(mid + HALF_SPREAD + level, "1.5") for level in range(DEPTH)]
        if (bid := self.orders.get("buy")) is not None:
            bids = _with_own(bids, bid, down=True)
        if (ask := self.orders.get("sell")) is not None:
            asks = _with_own(asks, ask, down=False)
        return bids, asks

    def book(self, ts_ms: int) -> str:
        """The next book as Derive sends it."""
        bids, asks = self.sides()
        return (
            f'{{"method":"subscription","params":{{"channel":"{self.book_channels[0]}","data":{{"timestamp":{ts_ms},'
            f'"instrument_name":"{self.name}","publish_id":{ts_ms},"bids":{_levels(bids)},"asks":{_levels(asks)}}}}}}}'
        )

    def ticker(self, ts_ms: int) -> str:
        pricing = {
            "d": "0.51873",
            "g": "0.00072",
            "v": "3.60214",
            "t": "-2.11345",
            "r": "0.95311",
            "i": f"{VOL}",
            "m": price_text(self.base),
            "f": f"{INDEX}",
            "df": "1",
            "bi": "0.5791",
            "ai": "0.5862",
        }
        snapshot = {
            "t": ts_ms,
            "A": "1.5",
            "a": price_text(self.base + HALF_SPREAD),
            "B": "1.5",
            "b": price_text(self.base - HALF_SPREAD),
            "M": price_text(self.base),
            "I": f"{INDEX}",
            "f": None,
            "minp": price_text(self.base // 2),
            "maxp": price_text(self.base * 2),
            "option_pricing": pricing,
            "stats": {"c": "38.5", "v": "102345.22", "pr": "3401.12", "n": 41, "oi": "1203.5", "h": "121", "l": "95.5"},
        }
        params = {"channel": self.ticker_channels[0], "data": {"timestamp": ts_ms, "instrument_ticker": snapshot}}
        return json.dumps({"method": "subscription", "params": params}, separators=(",", ":"))


def _with_own(levels: list[tuple[int, str]], own: Resting, *, down: bool) -> list[tuple[int, str]]:
    return sorted([*levels[: DEPTH - 1], (own.price, own.amount)], reverse=down)


def _levels(levels: list[tuple[int, str]]) -> str:
    inner = ",".join([f'["{price // 10}.{price % 10}","{amount}"]' for price, amount in levels])
    return f"[{inner}]"


def spot_feed(ts_ms: int, price: float) -> str:
    """The index."""
    feed = {"price": f"{price:.4f}", "confidence": "1", "price_prev_daily": "2590", "timestamp_prev_daily": ts_ms}
    params = {"channel": "spot_feed.ETH", "data": {"timestamp": ts_ms, "feeds": {"ETH": feed}}}
    return json.dumps({"method": "subscription", "params": params})


def order_row(order: Any, order_id: str, ts_ms: int, replaced: str = "null") -> str:
    """A resting order as Derive describes it; `order` has the request's fields."""
    return (
        f'{{"order_id":"{order_id}","subaccount_id":30769,"instrument_name":"{order.instrument_name}",'
        f'"direction":"{order.direction}","label":"{order.label}","order_type":"limit","time_in_force":"post_only",'
        f'"amount":"{order.amount}","filled_amount":"0","average_price":"0","limit_price":"{order.limit_price}",'
        f'"signed_limit_price":null,"max_fee":"{order.max_fee}","order_fee":"0","extra_fee":"0","nonce":"{order.nonce}",'
        f'"signature":"{order.signature}","signature_expiry_sec":{order.signature_expiry_sec},"signer":"{order.signer}",'
        f'"mmp":false,"is_transfer":false,"order_status":"open","cancel_reason":"",'
        f'"creation_timestamp":{ts_ms},"last_update_timestamp":{ts_ms},"quote_id":null,"replaced_order_id":{replaced}}}'
    )


def order_ids() -> Iterator[str]:
    """Each once, as long as a venue's."""
    number = 0
    while True:
        number += 1
        yield f"6a6eed97-b882-4909-a7ac-{number:012x}"
