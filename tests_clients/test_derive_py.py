"""derive-py (v3), the venue's official client, trades on the paper exchange's Derive face, unchanged but for the address.

The exchange runs under Sepolia's chain id, so that the client's own signing domain applies as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from derive_py import HTTPClient, WebSocketClient
from derive_py.config import CONFIGS
from derive_py.data_types import Chain, ClientConfig, D, Direction, OrderType
from derive_py.data_types.generated_models import TimeInForce
from derive_py.exceptions import DeriveJSONRPCError
from paper_venue import paper_venue

SEPOLIA_ID = "11155111"


@pytest.fixture(scope="module")
def config() -> Iterator[ClientConfig]:
    with paper_venue("derive", "--chain-id", SEPOLIA_ID) as ready:
        assert ready["domain_separator"] == CONFIGS[Chain.SEPOLIA].DOMAIN_SEPARATOR
        address = {"base_url": ready["rest_url"], "ws_address": ready["ws_url"]}
        CONFIGS[Chain.SEPOLIA] = CONFIGS[Chain.SEPOLIA].model_copy(update=address)
        yield ClientConfig(
            chain=Chain.SEPOLIA,
            session_key=ready["session_key"],
            wallet=ready["wallet"],
            subaccount_id=ready["subaccount_id"],
        )


def bid(client: Any, instrument: str, price: str, **terms: Any) -> Any:
    """A small post-only bid: what `orders.create` of either client takes."""
    return client.orders.create(
        instrument_name=instrument,
        amount=D("0.1"),
        limit_price=D(price),
        direction=Direction.buy,
        order_type=OrderType.limit,
        time_in_force=TimeInForce.post_only,
        **terms,
    )


@pytest.fixture(scope="module")
def http(config: ClientConfig) -> Iterator[HTTPClient]:
    client = HTTPClient(config)
    client.connect()
    yield client
    client.disconnect()


def test_public_market_data_decodes(http: HTTPClient) -> None:
    """Currencies, instruments of every kind, tickers, universes, limits and the time, all through its own models."""
    assert http.system.get_time() > 0
    assert "ETH" in [one.currency for one in http.markets.get_all_currencies()]
    options = http.markets.option_instruments_cache
    assert options
    assert "ETH-PERP" in http.markets.perp_instruments_cache
    for name in ("ETH-PERP", next(iter(options))):
        ticker = http.markets.get_ticker(instrument_name=name)
        assert D(ticker.index_price) > 0
    assert http.markets.get_risk_universes()
    assert http.system.get_rate_limits()


def test_an_order_lives_through_rest(http: HTTPClient) -> None:
    """Signed by the official package, accepted here: placed, found, replaced, cancelled in several ways."""
    order = bid(http, "ETH-PERP", "1000", label="one").order
    assert http.orders.get(order_id=order.order_id).order_status.value == "open"
    assert [one.order_id for one in http.orders.list_open()] == [order.order_id]
    replaced = http.orders.replace(
        order_id_to_cancel=order.order_id,
        instrument_name="ETH-PERP",
        amount=D("0.2"),
        limit_price=D("1001"),
        direction=Direction.buy,
        time_in_force=TimeInForce.post_only,
        label="one",
    )
    assert (replaced.cancelled_order.order_id, replaced.order.limit_price) == (order.order_id, D("1001"))
    cancelled = http.orders.cancel(instrument_name="ETH-PERP", order_id=replaced.order.order_id)
    assert cancelled.order_status.value == "cancelled"
    bid(http, "ETH-PERP", "1000", label="two")
    assert http.orders.cancel_by_label(label="two", instrument_name="ETH-PERP").cancelled_orders == 1
    by_nonce = bid(http, "ETH-PERP", "1000").order
    assert http.orders.cancel_by_nonce(instrument_name="ETH-PERP", nonce=int(by_nonce.nonce)).cancelled_orders == 1
    bid(http, "ETH-PERP", "1000")
    assert http.orders.cancel_all() == "ok"
    assert http.orders.list_open() == []


def test_an_option_trades_and_shows_in_positions_history_and_collateral(http: HTTPClient) -> None:
    """A taker's fill through the book of an option."""
    names = sorted(http.markets.option_instruments_cache)
    tickers = [(name, http.markets.get_ticker(instrument_name=name)) for name in names[len(names) // 2 :][:8]]
    name, ticker = next((name, one) for name, one in tickers if D(one.best_ask_amount) >= D("0.1"))
    placed = http.orders.create(
        instrument_name=name,
        amount=D("0.1"),
        limit_price=D(ticker.best_ask_price) * 2,
        direction=Direction.buy,
        time_in_force=TimeInForce.ioc,
    )
    assert placed.trades
    assert placed.order.filled_amount == D("0.1")
    assert [one.instrument_name for one in http.positions.list()] == [name]
    assert http.history.trades().trades[0].order_id == placed.order.order_id
    assert http.collateral.get().collaterals


def test_protection_is_set_read_and_reset(http: HTTPClient) -> None:
    """MMP through the client's own models."""
    http.mmp.set_config(currency="ETH", mmp_frozen_time=1000, mmp_interval=5000, mmp_amount_limit=D("10"))
    [config] = http.mmp.get_config(currency="ETH")
    assert (config.mmp_interval, config.is_frozen) == (5000, False)
    assert http.mmp.reset(currency="ETH") == "ok"


def test_refusals_arrive_with_their_codes(http: HTTPClient) -> None:
    """An unknown order is 11006; a fee cap below the venue's least 11023."""
    with pytest.raises(DeriveJSONRPCError, match="11006"):
        http.orders.get(order_id="00000000-0000-0000-0000-000000000000")
    with pytest.raises(DeriveJSONRPCError, match="11023"):
        bid(http, "ETH-PERP", "1000", max_fee=D("0.000001"))


def over_socket(config: ClientConfig, story: Callable[[WebSocketClient], Awaitable[None]]) -> None:
    async def run() -> None:
        client = WebSocketClient(config)
        await client.connect()
        try:
            await asyncio.wait_for(story(client), 30)
        finally:
            await client.disconnect()

    asyncio.run(run())


def test_the_socket_streams_books_tickers_and_orders(config: ClientConfig) -> None:
    """Public channels decode, and the private one tells of the order that was placed over the same socket."""

    async def story(client: WebSocketClient) -> None:
        books: asyncio.Queue[Any] = asyncio.Queue()
        orders: asyncio.Queue[Any] = asyncio.Queue()
        await client.public_channels.orderbook_group_depth_by_instrument_name("ETH-PERP", 1, 10, books.put_nowait)
        await client.public_channels.ticker_slim_interval_by_instrument_name("ETH-PERP", 100, books.put_nowait)
        await client.private_channels.orders_by_subaccount_id(str(config.subaccount_id), orders.put_nowait)
        assert await books.get()
        assert await books.get()
        order = (await bid(client, "ETH-PERP", "1000")).order
        assert [one.order_id for one in await orders.get()] == [order.order_id]
        assert (await client.orders.cancel_by_instrument(instrument_name="ETH-PERP")).cancelled_orders == 1
        assert (await orders.get())[0].order_status.value == "cancelled"

    over_socket(config, story)


def test_cancel_on_disconnect_pulls_the_order(config: ClientConfig, http: HTTPClient) -> None:
    """Set by the client, fired by its own leaving."""

    async def story(client: WebSocketClient) -> None:
        await client.set_cancel_on_disconnect(True)
        await bid(client, "ETH-PERP", "1000")
        assert len(http.orders.list_open()) == 1

    over_socket(config, story)
    assert http.orders.list_open() == []
