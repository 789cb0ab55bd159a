"""nautilus_trader's path from a book to two orders: its live node, its Deribit adapter, a strategy that quotes both sides.

Data client, data engine, cached book, the strategy's callback, risk engine, execution engine, cache, portfolio, the Rust
client's JSON and the answers' way back to order events: all theirs. Its execution client had to be given, as `Lanes`, an
address (it does not read `base_url_ws`) and many connections (each lets five orders a second through; nothing sets that
otherwise). Its log is silent below errors and its risk engine's rates are lifted, which flatters it. Question: {"url"};
it then trades until stdin ends.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from nautilus_trader.adapters.deribit.config import (  # type: ignore[import-not-found]
    DeribitDataClientConfig,
    DeribitExecClientConfig,
)
from nautilus_trader.adapters.deribit.execution import DeribitExecutionClient  # type: ignore[import-not-found]
from nautilus_trader.adapters.deribit.factories import (  # type: ignore[import-not-found]
    DeribitLiveDataClientFactory,
    DeribitLiveExecClientFactory,
)
from nautilus_trader.config import (  # type: ignore[import-not-found]
    InstrumentProviderConfig,
    LiveExecEngineConfig,
    LiveRiskEngineConfig,
    LoggingConfig,
    TradingNodeConfig,
)
from nautilus_trader.core.nautilus_pyo3 import (  # type: ignore[import-not-found]
    DeribitProductType,
    DeribitWebSocketClient,
)
from nautilus_trader.live.node import TradingNode  # type: ignore[import-not-found]
from nautilus_trader.model.data import OrderBookDeltas  # type: ignore[import-not-found]
from nautilus_trader.model.enums import BookType, OrderSide  # type: ignore[import-not-found]
from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found]

from benchmarks.peer_scripts.first_question import first_question

TICK, AMOUNT = 0.1, 0.1
VENUE = "DERIBIT"
KEYS = {"api_key": "key", "api_secret": "secret"}
LANES = 100
"""Two instruments on each: start-up and a round stay within the burst of twenty orders that each allows."""
UNLIMITED = "1000000/00:00:01"


class Lanes:
    """The connections of the execution client, all used as its one: orders by instrument, everything else on each."""

    def __init__(self, url: str, account: Any) -> None:
        self.lanes = [DeribitWebSocketClient(url=url, **KEYS) for _ in range(LANES)]
        for lane in self.lanes:
            lane.set_account_id(account)
        self.used: dict[Any, Any] = {}
        """By instrument."""

    def submit_order(self, **order: Any) -> Awaitable[None]:
        return self._lane(order["instrument_id"]).submit_order(**order)  # type: ignore[no-any-return]

    def modify_order(self, **order: Any) -> Awaitable[None]:
        return self._lane(order["instrument_id"]).modify_order(**order)  # type: ignore[no-any-return]

    def _lane(self, instrument: Any) -> Any:
        if instrument not in self.used:
            self.used[instrument] = self.lanes[len(self.used) % LANES]
        return self.used[instrument]

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        async def each(*args: Any, **named: Any) -> None:
            for lane in self.lanes:
                await getattr(lane, name)(*args, **named)

        return each


class ExecFactory(DeribitLiveExecClientFactory):  # type: ignore[misc]
    """Theirs, with the connections exchanged."""

    @staticmethod
    def create(loop: Any, name: str, config: DeribitExecClientConfig, *rest: Any, **named: Any) -> DeribitExecutionClient:
        client = DeribitLiveExecClientFactory.create(loop, name, config, *rest, **named)
        client._ws_client = Lanes(config.base_url_ws, client.pyo3_account_id)
        return client


class Maker(Strategy):  # type: ignore[misc]
    """Both sides of every instrument, a tick better than the best of others."""

    def on_start(self) -> None:
        self.quoted: dict[tuple[Any, Any], Any] = {}
        """By instrument and side: the order at rest, which the cache keeps up to date."""
        self.instruments = {instrument.id: instrument for instrument in self.cache.instruments()}
        for key in self.instruments:
            self.subscribe_order_book_deltas(key, BookType.L2_MBP)

    def on_order_book_deltas(self, deltas: OrderBookDeltas) -> None:
        key = deltas.instrument_id
        book = self.cache.order_book(key)
        bid, ask = self.quoted.get((key, OrderSide.BUY)), self.quoted.get((key, OrderSide.SELL))
        best_bid, best_ask = book.best_bid_price(), book.best_ask_price()
        if bid is not None and best_bid == bid.price and book.best_bid_size() == bid.quantity:
            best_bid = book.bids()[1].price
        if ask is not None and best_ask == ask.price and book.best_ask_size() == ask.quantity:
            best_ask = book.asks()[1].price
        self.quote(key, OrderSide.BUY, bid, float(best_bid) + TICK)
        self.quote(key, OrderSide.SELL, ask, float(best_ask) - TICK)

    def quote(self, key: Any, side: Any, order: Any, wanted: float) -> None:
        price = self.instruments[key].make_price(wanted)
        if order is None:
            amount = self.instruments[key].make_qty(AMOUNT)
            order = self.quoted[key, side] = self.order_factory.limit(key, side, amount, price, post_only=True)
            self.submit_order(order)
        elif price != order.price:
            self.modify_order(order, price=price)


def make_node(url: str) -> TradingNode:
    venue = {
        "base_url_ws": url,
        "base_url_http": url.replace("ws", "http", 1),
        "product_types": (DeribitProductType.OPTION,),
        "instrument_provider": InstrumentProviderConfig(load_all=True),
    }
    config = TradingNodeConfig(
        trader_id="BENCH-001",
        logging=LoggingConfig(log_level="ERROR"),
        exec_engine=LiveExecEngineConfig(reconciliation=False),
        risk_engine=LiveRiskEngineConfig(max_order_submit_rate=UNLIMITED, max_order_modify_rate=UNLIMITED),
        data_clients={VENUE: DeribitDataClientConfig(**venue)},
        exec_clients={VENUE: DeribitExecClientConfig(**KEYS, **venue)},
    )
    node = TradingNode(config)
    node.add_data_client_factory(VENUE, DeribitLiveDataClientFactory)
    node.add_exec_client_factory(VENUE, ExecFactory)
    node.trader.add_strategy(Maker())
    node.build()
    return node


async def trade(node: TradingNode) -> None:
    running = asyncio.create_task(node.run_async())
    await asyncio.to_thread(sys.stdin.read)
    running.cancel()


def main() -> None:
    url, _, _ = first_question()
    node = make_node(url)
    node.get_event_loop().run_until_complete(trade(node))


if __name__ == "__main__":
    main()
