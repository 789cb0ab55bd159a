"""The venue of `tick_to_order` and `scale`: speaks Derive as fast as it can, trades nothing, and holds the stopwatch.

A client is all connections of one path. Each is answered as Derive would answer (login, listing, subscriptions, orders
and their ids), so the real cell starts up on it unchanged. A measurement sends books, and times on this process's clock
until every order of each tick has been read off the socket. CPU is the client process's, kernel included.

Questions (a line of JSON each, after the first) name their client by `path`. Runs on another core than the clients.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import deque
from typing import Any

import msgspec

from benchmarks.peer_scripts.bench_board import INDEX, Option, Resting, order_ids, order_row, spot_feed
from benchmarks.peer_scripts.bench_sockets import Connection, Hub

TIMEOUT_S = 60.0
QUIET_NS = 50_000_000
"""A storm is over when nothing has come for so long: what a later fit of the surface moves is not of it."""
REPUBLISH_NS = 4_000_000_000
SETTLED_S = 0.3
"""After the last order of the start, before anything is measured: every client has read its answers by then."""


class Params(msgspec.Struct):
    """Everything a client's request may hold that is looked at."""

    channels: list[str] = []
    instrument_type: str = ""
    instrument_name: str = ""
    direction: str = ""
    amount: str = ""
    limit_price: str = ""
    max_fee: str = ""
    nonce: str = ""
    signature: str = ""
    signature_expiry_sec: int = 0
    signer: str = ""
    label: str = ""
    order_id: str = ""
    order_id_to_cancel: str = ""


class Request(msgspec.Struct):
    id: int | str
    method: str
    params: Params


_read = msgspec.json.Decoder(Request, strict=False).decode


class Run:
    """One measurement: ticks sent, and what came back for each."""

    def __init__(self, total: int, in_flight: int) -> None:
        self.total = total
        self.in_flight = in_flight
        self.sent: dict[str, int] = {}
        """By instrument: when its tick left, perf_counter ns."""
        self.missing: dict[str, int] = {}
        self.republished_ns = time.perf_counter_ns()
        self.latencies: list[int] = []
        self.first: list[int] = []
        """When each order request was read, in order."""
        self.methods: list[str] = []


class Client:
    """One path: its connections, its board and its run."""

    def __init__(self, instruments: int, listed: type[Option] = Option) -> None:
        self.options = {option.name: option for option in map(listed, range(instruments))}
        self.order = deque(self.options.values())
        self.public: Connection | None = None
        self.private: Connection | None = None
        self.run: Run | None = None
        self.index = INDEX
        self.met_at = 0
        """When its first request came; perf_counter ns, as all of these."""
        self.quoted_at = 0
        self.orders = 0

    @property
    def resting(self) -> int:
        """Orders at rest."""
        return sum(len(option.orders) for option in self.options.values())


class Venue:
    """Derive's; `bench_deribit` overrides what Deribit says otherwise."""

    listed: type[Option] = Option

    def __init__(self, instruments: int) -> None:
        self.clients: dict[str, Client] = {}
        self.instruments = instruments
        self.hub = Hub(self.hear)
        self.ids = order_ids()
        self._next_index = 0.0

    def client(self, path: str) -> Client:
        if path not in self.clients:
            self.clients[path] = Client(self.instruments, self.listed)
        return self.clients[path]

    # -- what clients say

    def hear(self, connection: Connection, texts: list[bytes], read_ns: int) -> None:
        client = self.client(connection.path)
        client.met_at = client.met_at or time.perf_counter_ns()
        answers = [self._reply(client, connection, text, read_ns) for text in texts]
        connection.send(answers)
        if client.run is not None and client.run.in_flight > 1:
            self._go_on(client, client.run)

    def _reply(self, client: Client, connection: Connection, text: bytes, read_ns: int) -> str:
        request = _read(text)
        if request.method.startswith("private/cancel"):
            self._note_cancel(client, request.method, read_ns)
        if request.method in ("private/order", "private/replace"):
            self._note(client, request.method, request.params.instrument_name, read_ns)
            result = f'"result":{self._order(client, request)}'
        elif request.method == "private/cancel":
            result = self._cancel(client, request.params)
        else:
            result = f'"result":{self._answer(client, connection, request)}'
        number = f'"{request.id}"' if isinstance(request.id, str) else request.id
        return f'{{"id":{number},{result}}}'

    def _note_cancel(self, client: Client, method: str, read_ns: int) -> None:
        if client.run is not None:
            client.run.first.append(read_ns)
            client.run.methods.append(method)

    def _note(self, client: Client, method: str, name: str, read_ns: int) -> None:
        """An order of ours was read: the tick's stopwatch stops at its second one."""
        client.orders += 1
        run = client.run
        if run is None:
            return
        run.first.append(read_ns)
        run.methods.append(method)
        left = run.missing.get(name)
        if left is None:
            return
        if left == 1:
            del run.missing[name]
            run.latencies.append(read_ns - run.sent.pop(name))
        else:
            run.missing[name] = left - 1

    def _order(self, client: Client, request: Request) -> str:
        order, now_ms, order_id = request.params, time.time_ns() // 1_000_000, next(self.ids)
        option = client.options[order.instrument_name]
        whole, _, part = order.limit_price.partition(".")
        old, replaced = option.orders.get(order.direction), order.order_id_to_cancel
        row = order_row(order, order_id, now_ms, f'"{replaced}"' if replaced else "null")
        price = int(whole) * 10 + int(part or 0)
        self._rest_order(client, option, order.direction, Resting(price, order.amount, order_id, row))
        if request.method == "private/order" or old is None:
            return f'{{"order":{row},"trades":[]}}'
        return f'{{"cancelled_order":{old.gone(now_ms)},"order":{row},"trades":[],"create_order_error":null}}'

    def _rest_order(self, client: Client, option: Option, direction: str, order: Resting) -> None:
        option.orders[direction] = order
        if not client.quoted_at and client.resting >= 2 * len(client.options):
            client.quoted_at = time.perf_counter_ns()

    def _answer(self, client: Client, connection: Connection, request: Request) -> str:
        match request.method:
            case "public/get_time":
                return str(time.time_ns() // 1_000_000)
            case "public/get_all_instruments":
                listed = [option.listing() for option in client.options.values()]
                of_kind = listed if request.params.instrument_type == "option" else []
                return json.dumps({"instruments": of_kind, "pagination": {"num_pages": 1}})
            case "subscribe":
                return self._join(client, connection, request.params.channels)
            case "public/login":
                client.private = connection
                return "[30769]"
            case "private/get_account":
                rates = {"websocket_matching_tps": 100_000, "websocket_non_matching_tps": 1000}
                account = {"subaccount_ids": [30769], "cancel_on_disconnect": True, "websocket_option_tps": 10_000}
                return json.dumps(account | rates | {"per_endpoint_tps": {}})
            case "private/cancel_by_label" | "private/cancel_all":
                for option in client.options.values():
                    option.orders.clear()
                return '{"cancelled_orders":-1}'
            case "private/get_open_orders":
                rows = [order.row for option in client.options.values() for order in option.orders.values()]
                return f'{{"subaccount_id":30769,"orders":[{",".join(rows)}]}}'
            case "private/get_trade_history":
                return '{"trades":[],"pagination":{"num_pages":1,"count":0}}'
            case "private/get_positions":
                return '{"positions":[]}'
            case _:
                return "null"

    def _cancel(self, client: Client, order: Params) -> str:
        orders = client.options[order.instrument_name].orders
        for direction, resting in orders.items():
            if resting.order_id == order.order_id:
                del orders[direction]
                return f'"result":{resting.gone(time.time_ns() // 1_000_000)}'
        return '"error":{"code":11006,"message":"Does not exist","data":null}'

    def _join(self, client: Client, connection: Connection, channels: list[str]) -> str:
        now_ms = time.time_ns() // 1_000_000
        news = []
        for channel in channels:
            kind, _, rest = channel.partition(".")
            if kind == "orderbook":
                option = client.options[rest.partition(".")[0]]
                option.book_channels = [channel]
                news.append(option.book(now_ms))
            elif kind == "ticker_slim":
                option = client.options[rest.partition(".")[0]]
                option.ticker_channels = [channel]
                news.append(option.ticker(now_ms))
            elif kind == "spot_feed":
                news.append(spot_feed(now_ms, INDEX))
        if news:
            client.public = connection
            connection.send(news)
        status = {"status": dict.fromkeys(channels, "ok"), "current_subscriptions": channels}
        return json.dumps(status)

    # -- measuring

    def measure(self, question: dict[str, Any]) -> dict[str, Any]:
        """`ticks` books, `in_flight` at a time, `pause_us` between them when one at a time."""
        client = self.client(question["path"])
        run = client.run = Run(question["ticks"], question["in_flight"])
        pause_s = question.get("pause_us", 0) / 1e6
        cpu, started = cpu_ns(question["pid"]), time.perf_counter_ns()
        deadline = time.perf_counter() + TIMEOUT_S
        if run.in_flight > 1:
            self._go_on(client, run)
            self._until(lambda: len(run.latencies) >= run.total, deadline)
        else:
            for number in range(run.total):
                self._tick(client, run)
                self._until(lambda number=number: len(run.latencies) > number, deadline)
                self._pass_time(pause_s)
        wall, spent = time.perf_counter_ns() - started, cpu_ns(question["pid"]) - cpu
        client.run = None
        self._pass_time(0.005)
        return {
            "latencies_us": [ns / 1000 for ns in run.latencies],
            "cpu_us": spent / run.total / 1000,
            "wall_us": wall / run.total / 1000,
            "orders": len(run.first),
        }

    def storm(self, question: dict[str, Any]) -> dict[str, Any]:
        """Everything moves at once: `what` is `index` (one print, of `index`) or `books` (one of every instrument).

        Until `orders` requests have come, cancels included, or nothing more comes for a while.
        """
        client = self.client(question["path"])
        run = client.run = Run(0, 0)
        self._pass_time(0.02)
        assert client.public is not None  # it quotes
        now_ms, wanted = time.time_ns() // 1_000_000, question["orders"]
        if question["what"] == "index":
            client.index = question["index"]
            texts = [self.index_text(now_ms, client.index)]
        else:
            texts = [option.book(now_ms) for option in client.options.values()]
        cpu, started = cpu_ns(question["pid"]), time.perf_counter_ns()
        client.public.send(texts)
        self._until(lambda: len(run.first) >= wanted or self._is_quiet(run, started), time.perf_counter() + TIMEOUT_S)
        spent = cpu_ns(question["pid"]) - cpu
        self._pass_time(0.1)
        client.run = None
        return {"order_us": [(ns - started) / 1000 for ns in run.first], "methods": run.methods, "cpu_us": spent / 1000}

    def _is_quiet(self, run: Run, started: int) -> bool:
        return time.perf_counter_ns() - max([started, *run.first[-1:]]) > QUIET_NS

    def wait(self, question: dict[str, Any]) -> dict[str, Any]:
        """Until every strike of this client is quoted on both sides."""
        client = self.client(question["path"])
        wanted = 2 * len(client.options)
        self._until(lambda: client.resting >= wanted, time.perf_counter() + question.get("timeout_s", TIMEOUT_S))
        self._pass_time(SETTLED_S)
        return {"resting": client.resting, "quoted_s": (client.quoted_at - client.met_at) / 1e9}

    def _tick(self, client: Client, run: Run) -> None:
        option = client.order[0]
        client.order.rotate(-1)
        assert client.public is not None  # it has joined the books
        text = option.book(time.time_ns() // 1_000_000)
        run.missing[option.name] = 2
        run.sent[option.name] = time.perf_counter_ns()
        client.public.send([text])

    def _go_on(self, client: Client, run: Run) -> None:
        """Keeps `in_flight` ticks out, one of an instrument at a time."""
        while len(run.missing) < run.in_flight and len(run.latencies) + len(run.missing) < run.total:
            if client.order[0].name in run.missing:
                break
            self._tick(client, run)

    def _until(self, done: Any, deadline: float) -> None:
        while not done():
            self.hub.turn(0.05)
            self.feed_index()
            for client in self.clients.values():
                self._republish(client)
            if time.perf_counter() > deadline:
                stuck = {path: client.run.missing for path, client in self.clients.items() if client.run}
                raise TimeoutError(f"no answer from a client of the benchmark: {stuck}")

    def _republish(self, client: Client) -> None:
        """Some seconds on, the next book of each instrument that is still waited for, as the real venue does.

        A client that had not yet read the answers to its last orders may rightly let a book pass. Its tick counts from
        the first book on.
        """
        run, now_ns = client.run, time.perf_counter_ns()
        if run is None or client.public is None or now_ns - run.republished_ns < REPUBLISH_NS:
            return
        run.republished_ns = now_ns
        late = [name for name in run.missing if now_ns - run.sent[name] > REPUBLISH_NS]
        client.public.send([client.options[name].book(time.time_ns() // 1_000_000) for name in late])

    def _pass_time(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.hub.turn(left)

    def feed_index(self) -> None:
        """Once a second, to everybody."""
        now = time.monotonic()
        if now >= self._next_index:
            self._next_index = now + 1.0
            for client in self.clients.values():
                if client.public is not None and not client.public.closed:
                    client.public.send([self.index_text(time.time_ns() // 1_000_000, client.index)])

    def index_text(self, ts_ms: int, price: float) -> str:
        return spot_feed(ts_ms, price)


def cpu_ns(pid: int) -> int:
    """CPU time of another process, user and kernel."""
    return time.clock_gettime_ns(((~pid) << 3) | 2)


def _venue(first: dict[str, Any]) -> Venue:
    if first.get("exchange") == "deribit":
        from benchmarks.peer_scripts.bench_deribit import DeribitVenue

        return DeribitVenue(first["instruments"])
    return Venue(first["instruments"])


def main() -> None:
    """Until stdin ends."""
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {0})
    first = json.loads(sys.stdin.readline())
    venue = _venue(first)
    ports = {"plain": venue.hub.listen(), "tls": 0}
    if first.get("certificate"):
        ports["tls"] = venue.hub.listen(first["certificate"])
    print(json.dumps(ports), flush=True)
    jobs = {"measure": venue.measure, "wait": venue.wait, "storm": venue.storm}
    lines: list[str] = []
    venue.hub.watch(sys.stdin.fileno(), lambda: lines.append(sys.stdin.readline()))
    while True:
        venue.hub.turn(0.2)
        venue.feed_index()
        if lines:  # out here: a job turns the hub itself, and may close what an unfinished turn still holds
            line = lines.pop()
            if not line:
                return
            question = json.loads(line)
            print(json.dumps(jobs[question["do"]](question)), flush=True)


if __name__ == "__main__":
    main()
