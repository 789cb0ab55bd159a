"""typed-deribit, which holds every reply against its own schema, trades on the paper exchange's Deribit face.

Unchanged but for the address. Its schema wants a number for a ticker's `underlying_index`, where recorded messages carry
the future's name: the one field in which we side with the recordings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from paper_venue import paper_venue
from typed_core.exceptions import ApiError, AuthError, ValidationError
from typed_deribit import Deribit
from typed_deribit.core.transport import http, ws

WAYS = [("http", "token"), ("http", "hmac"), ("ws", "token")]


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, Any]]:
    with paper_venue("deribit") as facts:
        http.DERIBIT_TEST_HTTP_URL, ws.DERIBIT_TEST_WS_URL = facts["rest_url"], facts["ws_url"]
        yield facts


def client(ready: dict[str, Any], auth: str = "token") -> Any:
    client_id, secret = ready["session_key"].split(":")
    return Deribit.new(client_id=client_id, client_secret=secret, testnet=True, http_auth=auth)


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 60))


async def a_call(deribit: Any) -> str:
    rows = await deribit.market_data.get_instruments("ETH", kind="option")
    calls = [row["instrument_name"] for row in rows if row["option_type"] == "call"]
    return str(calls[len(calls) // 2])


@pytest.mark.parametrize(("way", "auth"), WAYS)
def test_market_data_passes_the_schema(ready: dict[str, Any], way: str, auth: str) -> None:
    """Instruments, books, tickers, summaries, index, tape, currencies: every reply validates."""

    async def story() -> None:
        async with client(ready, auth) as deribit:
            market, over = deribit.market_data, {"transport": way}
            name = await a_call(deribit)
            await market.get_instruments("any", **over)
            await market.get_instrument(name, **over)
            await market.get_contract_size(name, **over)
            await market.get_order_book("ETH-PERPETUAL", depth=5, **over)
            await market.ticker("ETH-PERPETUAL", **over)
            with pytest.raises(ValidationError, match=r"1 validation error.*\nunderlying_index"):
                await market.ticker(name, **over)
            await market.get_book_summary_by_currency("ETH", **over)
            await market.get_book_summary_by_instrument(name, **over)
            await market.get_index_price("eth_usd", **over)
            await market.get_index_price_names(**over)
            await market.get_index_price_names(extended=True, **over)
            await market.get_delivery_prices("eth_usd", **over)
            await market.get_expirations(currency="ETH", kind="option", **over)
            await market.get_last_trades_by_currency(currency="ETH", **over)
            await market.get_last_trades_by_instrument(name, **over)
            assert await deribit.supporting.test(**over)
            await deribit.supporting.get_time(**over)
            await deribit.supporting.status(**over)

    run(story())


@pytest.mark.parametrize(("way", "auth"), WAYS)
def test_the_life_of_orders_passes_the_schema(ready: dict[str, Any], way: str, auth: str) -> None:
    """Placed, edited by id and by label, queried in every form, cancelled; a taker's fill in trades and positions."""

    async def story() -> None:
        async with client(ready, auth) as deribit:
            trading, over = deribit.trading, {"transport": way}
            name = await a_call(deribit)
            book = await deribit.market_data.get_order_book(name, depth=10, validate=False)
            bid, ask = book["bids"][-1][0], book["asks"][0][0]
            terms = {"instrument_name": name, "amount": 1, "price": bid, "label": f"{way}-{auth}"}
            placed = await trading.buy({**terms, "post_only": True, "reject_post_only": True}, **over)
            order_id = placed["order"]["order_id"]
            await trading.edit(order_id, amount=2, price=bid, post_only=True, reject_post_only=True, **over)
            await trading.edit_by_label(label=terms["label"], instrument_name=name, amount=3, price=bid, **over)
            assert [order["order_id"] for order in await trading.get_open_orders(**over)] == [order_id]
            await trading.get_open_orders_by_currency("ETH", **over)
            await trading.get_open_orders_by_instrument(name, **over)
            await trading.get_open_orders_by_label(currency="ETH", label=terms["label"], **over)
            assert (await trading.get_order_state(order_id, **over))["amount"] == 3.0
            await trading.get_order_state_by_label(currency="ETH", label=terms["label"], **over)
            assert (await trading.cancel(order_id, **over))["order_state"] == "cancelled"
            taken = await trading.buy({"instrument_name": name, "amount": 1, "price": ask}, **over)
            await trading.sell({"instrument_name": name, "amount": 1, "type": "market"}, **over)
            await trading.get_order_history_by_currency(currency="ETH", include_unfilled=True, **over)
            await trading.get_order_history_by_instrument(instrument_name=name, **over)
            await trading.get_user_trades_by_currency(currency="ETH", **over)
            await trading.get_user_trades_by_instrument(instrument_name=name, **over)
            assert await trading.get_user_trades_by_order(taken["order"]["order_id"], **over)
            await trading.get_margins(name, amount=1, price=bid, **over)
            assert await trading.cancel_all(**over) == 0

    run(story())


@pytest.mark.parametrize(("way", "auth"), WAYS)
def test_the_account_passes_the_schema(ready: dict[str, Any], way: str, auth: str) -> None:
    """Summaries, positions, locks, log, protection and self-trade settings."""

    async def story() -> None:
        async with client(ready, auth) as deribit:
            account, trading, over = deribit.account, deribit.trading, {"transport": way}
            name = await a_call(deribit)
            await account.get_account_summary("ETH", extended=True, **over)
            await account.get_account_summaries(extended=True, **over)
            await account.get_positions(currency="ETH", **over)
            await account.get_position(name, **over)
            await account.get_position("ETH-PERPETUAL", **over)
            await account.get_user_locks(**over)
            now = datetime.now(UTC)
            await account.get_transaction_log(
                currency="ETH", start_timestamp=now - timedelta(hours=1), end_timestamp=now + timedelta(minutes=1), **over
            )
            await account.set_self_trading_config(mode="reject_taker", extended_to_subaccounts=False, **over)
            await trading.set_mmp_config(
                "eth_usd", interval=5, frozen_time=1, max_quote_quantity=100, mmp_group="g1", **over
            )
            await trading.get_mmp_config(index_name="eth_usd", **over)
            await trading.get_mmp_status(**over)
            assert await trading.reset_mmp(index_name="eth_usd", mmp_group="g1", **over) == "ok"

    run(story())


def test_mass_quotes_session_control_and_streams_pass_the_schema(ready: dict[str, Any]) -> None:
    """Over one socket: cancel-on-disconnect, a mass quote and its cancel, heartbeats, market and private streams."""

    async def story() -> None:
        async with client(ready) as deribit:
            name = await a_call(deribit)
            over = {"transport": "ws"}
            await deribit.trading.set_mmp_config(
                "eth_usd", interval=5, frozen_time=1, max_quote_quantity=100, mmp_group="g2", **over
            )
            await deribit.session.enable_cancel_on_disconnect(**over)
            assert (await deribit.session.get_cancel_on_disconnect(**over))["enabled"]
            streams = deribit.streams
            async with streams.user.changes_by_kind_currency("option", currency="ETH", interval="raw") as changes:
                book = await deribit.market_data.get_order_book(name, depth=10, validate=False)
                bid, ask = ({"price": book[side][-1][0], "amount": 1} for side in ("bids", "asks"))
                quote = {"instrument_name": name, "quote_set_id": "s", "bid": bid, "ask": ask}
                quoted = await deribit.trading.mass_quote(quote_id="1", mmp_group="g2", quotes=[quote], detailed=True)
                assert len(quoted["orders"]) == 2
                assert quoted["errors"] == []
                assert (await anext(aiter(changes)))["instrument_name"] == name
                where = {"quote_set_id": "s", "currency": "ETH", "currency_pair": "eth_usd"}
                assert await deribit.trading.cancel_quotes(cancel_type="quote_set_id", **where, **over) == 2
            for stream in (
                streams.market_data.book(name, interval="raw"),
                streams.market_data.book_grouped(name, group="none", depth="10", interval="100ms"),
                streams.market_data.quote(name),
                streams.market_data.price_index("eth_usd"),
                streams.market_data.mark_price_options("eth_usd"),
                streams.market_data.ticker("ETH-PERPETUAL", interval="raw"),
                streams.user.portfolio("eth"),
            ):
                async with stream as messages:
                    assert await anext(aiter(messages))
            await deribit.session.set_heartbeat(interval=10)
            await deribit.session.disable_heartbeat()

    run(story())


def test_refusals_arrive_with_their_codes(ready: dict[str, Any]) -> None:
    """Off the ladder, unknown order, no such instrument, wrong secret."""

    async def story() -> None:
        async with client(ready) as deribit:
            name = await a_call(deribit)
            with pytest.raises(ApiError, match="10043"):
                await deribit.trading.buy({"instrument_name": name, "amount": 1, "price": 0.01234})
            with pytest.raises(ApiError, match="10004"):
                await deribit.trading.cancel("ETH-1")
            with pytest.raises(ApiError, match="13020"):
                await deribit.market_data.get_instrument("ETH-1JAN30-1-C")
        wrong = Deribit.new(client_id="x", client_secret="y", testnet=True)
        async with wrong:
            with pytest.raises((ApiError, AuthError), match="13004"):
                await wrong.trading.get_open_orders()

    run(story())
