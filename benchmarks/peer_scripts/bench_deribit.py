"""The benchmarks' venue as Deribit: linear options of the same board, numbers instead of texts, edits instead of replaces.

Owns what Deribit words otherwise than Derive; the sockets, the stopwatch and the measurements are `bench_venue`'s. Orders
need no signature there, which is why it is measured: what is left is everything around one. Invariant: the same ticks,
prices and sizes as on the Derive face.
"""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec

from actors.venues.deribit.auth import SCOPE_WANTED
from actors.venues.deribit.names import day_text
from benchmarks.peer_scripts.bench_board import EXPIRY_S, HALF_SPREAD, INDEX, VOL, Option, Resting
from benchmarks.peer_scripts.bench_rest import Posts, account_summaries, whole_listing
from benchmarks.peer_scripts.bench_sockets import Connection
from benchmarks.peer_scripts.bench_venue import Client, Venue

UNDERLYING = "ETH_USDC"
PERPETUAL = f"{UNDERLYING}-PERPETUAL"


class Params(msgspec.Struct, frozen=True):
    """Everything a client's request may hold that is looked at."""

    channels: list[str] = []
    kind: str = ""
    instrument_name: str = ""
    amount: float = 0.0
    price: float = 0.0
    label: str = ""
    order_id: str = ""


class Request(msgspec.Struct):
    id: int | str
    method: str
    params: Params = Params()


_read = msgspec.json.Decoder(Request, strict=False).decode


class LinearOption(Option):
    """Paid and priced in USDC, in steps of 0.1: what Derive's are."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        strike, kind = self.name.split("-")[2:]
        self.name = f"{UNDERLYING}-{day_text(EXPIRY_S)}-{strike}-{kind}"
        self.told_ms = 0
        """Of the last book: what happens to an order is later than the book that caused it, even within a millisecond."""

    def listing(self) -> dict[str, Any]:
        strike, kind = self.name.split("-")[2:]
        return _listing(self.name) | {
            "kind": "option",
            "option_type": {"C": "call", "P": "put"}[kind],
            "strike": float(strike),
            "expiration_timestamp": EXPIRY_S * 1000,
            "tick_size": 0.1,
            "min_trade_amount": 0.1,
        }

    def book(self, ts_ms: int) -> str:
        """The next book: a whole one, as Deribit's grouped channel sends."""
        bids, asks = self.sides()
        self.told_ms = ts_ms
        return _notice(
            self.book_channels[0],
            f'{{"timestamp":{ts_ms},"instrument_name":"{self.name}","change_id":{ts_ms},'
            f'"bids":{_levels(bids)},"asks":{_levels(asks)}}}',
        )

    def ticker(self, ts_ms: int) -> str:
        row = {
            "timestamp": ts_ms,
            "instrument_name": self.name,
            "state": "open",
            "best_bid_price": (self.base - HALF_SPREAD) / 10,
            "best_bid_amount": 1.5,
            "best_ask_price": (self.base + HALF_SPREAD) / 10,
            "best_ask_amount": 1.5,
            "index_price": INDEX,
            "mark_price": self.base / 10,
            "mark_iv": VOL * 100,
            "underlying_price": INDEX,
            "interest_rate": 0.0,
            "min_price": (self.base // 2) / 10,
            "max_price": (self.base * 2) / 10,
            "greeks": {"delta": 0.51873, "gamma": 0.00072, "vega": 3.60214, "theta": -2.11345, "rho": 0.95311},
        }
        return _notice(self.ticker_channels[0], json.dumps(row, separators=(",", ":")))


def _listing(name: str) -> dict[str, Any]:
    return {
        "instrument_name": name,
        "instrument_type": "linear",
        "base_currency": "ETH",
        "quote_currency": "USDC",
        "settlement_currency": "USDC",
        "price_index": UNDERLYING.lower(),
        "contract_size": 1,
        "maker_commission": 0.0003,
        "taker_commission": 0.0003,
        "is_active": True,
        "state": "open",
        "creation_timestamp": 1_700_000_000_000,
        "tick_size_steps": [],
    }


def _notice(channel: str, data: str) -> str:
    return f'{{"jsonrpc":"2.0","method":"subscription","params":{{"channel":"{channel}","data":{data}}}}}'


def _levels(levels: list[tuple[int, str]]) -> str:
    inner = ",".join([f"[{price // 10}.{price % 10},{amount}]" for price, amount in levels])
    return f"[{inner}]"


def _row(name: str, direction: str, order: Params, order_id: str, label: str, ts_ms: int) -> str:
    """An order as Deribit describes it."""
    return (
        f'{{"order_id":"{order_id}","instrument_name":"{name}","direction":"{direction}","order_state":"open",'
        f'"order_type":"limit","time_in_force":"good_til_cancelled","price":{order.price},"amount":{order.amount},'
        f'"filled_amount":0.0,"average_price":0.0,"label":"{label}","post_only":true,"reject_post_only":true,'
        f'"reduce_only":false,"replaced":false,"api":true,"web":false,"mmp":false,"is_liquidation":false,'
        f'"max_show":{order.amount},"creation_timestamp":{ts_ms},"last_update_timestamp":{ts_ms}}}'
    )


class DeribitVenue(Venue):
    listed = LinearOption

    def __init__(self, instruments: int) -> None:
        super().__init__(instruments)
        self.hub.posts = Posts
        self._placed: dict[str, tuple[str, str, str]] = {}
        """By order id: instrument, direction, label."""

    def _reply(self, client: Client, connection: Connection, text: bytes, read_ns: int) -> str:
        request = _read(text)
        method, order = request.method, request.params
        if method in ("private/buy", "private/sell"):
            self._note(client, method, order.instrument_name, read_ns)
            order_id = next(self.ids)
            self._placed[order_id] = (order.instrument_name, method[8:], order.label)
            result = self._stand(client, order, order_id)
        elif method == "private/edit":
            self._note(client, method, self._placed[order.order_id][0], read_ns)
            result = self._stand(client, order, order.order_id)
        else:
            if method.startswith("private/cancel"):
                self._note_cancel(client, method, read_ns)
            result = self._say(client, connection, method, order)
        number = f'"{request.id}"' if isinstance(request.id, str) else request.id
        now_us = time.time_ns() // 1000
        return (
            f'{{"jsonrpc":"2.0","id":{number},"result":{result},"usIn":{now_us},"usOut":{now_us},"usDiff":0,"testnet":true}}'
        )

    def _stand(self, client: Client, order: Params, order_id: str) -> str:
        name, direction, label = self._placed[order_id]
        option = client.options[name]
        assert isinstance(option, LinearOption)  # this venue lists no others
        row = _row(name, direction, order, order_id, label, max(time.time_ns() // 1_000_000, option.told_ms + 1))
        self._rest_order(client, option, direction, Resting(round(order.price * 10), f"{order.amount}", order_id, row))
        return f'{{"order":{row},"trades":[]}}'

    def _say(self, client: Client, connection: Connection, method: str, params: Params) -> str:
        match method:
            case "public/auth":
                client.private = connection
                token = {"access_token": "a", "refresh_token": "r", "expires_in": 86_400, "scope": SCOPE_WANTED}
                return json.dumps(token | {"token_type": "bearer"})
            case "public/get_time":
                return str(time.time_ns() // 1_000_000)
            case "public/status":
                return '{"locked":"false","locked_indices":[]}'
            case "public/get_instruments":
                listed = [option.listing() for option in client.options.values()]
                return json.dumps(whole_listing(listed) if isinstance(connection, Posts) else listed)
            case "private/get_account_summaries":
                return json.dumps(account_summaries())
            case "public/get_instrument":
                kind = {"kind": "future", "tick_size": 0.05, "min_trade_amount": 0.001, "settlement_period": "perpetual"}
                return json.dumps(_listing(PERPETUAL) | kind)
            case "public/subscribe" | "private/subscribe":
                return self._join(client, connection, params.channels)
            case "private/get_cancel_on_disconnect":
                return '{"enabled":true,"scope":"connection"}'
            case "private/get_account_summary":
                rate = {"rate": 100_000, "burst": 100_000}
                limits = {"non_matching_engine": rate, "matching_engine": {"trading": {"total": rate}, "cancel_all": rate}}
                return json.dumps({"id": 30769, "mmp_enabled": False, "limits": limits})
            case "private/get_open_orders_by_currency":
                return f"[{','.join(o.row for option in client.options.values() for o in option.orders.values())}]"
            case "private/cancel":
                return self._away(client, params.order_id)
            case "private/get_positions" | "private/get_user_locks":
                return "[]"
            case "private/get_user_trades_by_currency_and_time":
                return '{"trades":[],"has_more":false}'
            case _:
                return '"ok"'

    def _away(self, client: Client, order_id: str) -> str:
        name, direction, _ = self._placed[order_id]
        order = client.options[name].orders.pop(direction)
        return order.row.replace('"order_state":"open"', '"order_state":"cancelled"')

    def _join(self, client: Client, connection: Connection, channels: list[str]) -> str:
        now_ms = time.time_ns() // 1_000_000
        news = []
        for channel in channels:
            kind, _, rest = channel.partition(".")
            option = client.options.get(rest.partition(".")[0])
            if kind == "book" and isinstance(option, LinearOption):
                option.book_channels = [channel]
                news.append(option.book(now_ms))
            elif kind == "ticker" and isinstance(option, LinearOption):
                option.ticker_channels = [channel]
                news.append(option.ticker(now_ms))
            elif kind == "deribit_price_index":
                news.append(self.index_text(now_ms, INDEX))
        if news:
            client.public = connection
            connection.send(news)
        return json.dumps(channels)

    def index_text(self, ts_ms: int, price: float) -> str:
        data = f'{{"index_name":"{UNDERLYING.lower()}","price":{price:.4f},"timestamp":{ts_ms}}}'
        return _notice(f"deribit_price_index.{UNDERLYING.lower()}", data)
