"""The Deribit face behind the real front door: one socket's life over streams in memory, on the virtual clock."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from deribit_desk import CALL, NOW_S, Venue
from trio.testing import MockClock, memory_stream_pair
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from actors.venues.paper.run import virtual_clock
from actors.venues.paper.server import Server


class House:
    """A venue behind a server."""

    def __init__(self, nursery: trio.Nursery, **run: Any) -> None:
        base_ns = NOW_S * 1_000_000_000 - round(trio.current_time() * 1e9)
        self.venue = Venue(virtual_clock(base_ns), **run)
        self.server = Server(self.venue.exchange)
        self.nursery = nursery

    def stream(self) -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.server.serve_stream, theirs)
        return ours

    async def socket(self) -> WebSocketConnection:
        return await wrap_client_stream(self.nursery, self.stream(), "localhost", "/ws/api/v2")

    async def trader(self) -> WebSocketConnection:
        socket, key = await self.socket(), self.venue.face.clients.test_keys[0]
        login = {"grant_type": "client_credentials", "client_id": key.client_id, "client_secret": key.secret}
        await call(socket, "public/auth", **login)
        return socket

    def resting(self) -> int:
        return len(self.venue.engine.open_orders(self.venue.face.clients.test_keys[0].user.user_id))


async def call(socket: WebSocketConnection, method: str, **params: Any) -> Any:
    await socket.send_message(json.dumps({"jsonrpc": "2.0", "id": method, "method": method, "params": params}))
    while True:
        frame = json.loads(await socket.get_message())
        if frame.get("id") == method:
            return frame["result"] if "result" in frame else frame["error"]


@asynccontextmanager
async def open_house(**run: Any) -> AsyncIterator[House]:
    async with trio.open_nursery() as nursery:
        house = House(nursery, **run)
        async with house.server.running():
            yield house
        nursery.cancel_scope.cancel()


async def test_a_dropped_socket_loses_its_orders(autojump_clock: MockClock) -> None:
    """Cancel-on-disconnect fires for a close without a word."""
    async with open_house() as house:
        socket = await house.trader()
        await call(socket, "private/enable_cancel_on_disconnect")
        await call(socket, "private/buy", instrument_name=CALL, amount=1, price=0.03)
        assert house.resting() == 1
        await socket.aclose()
        await trio.sleep(0.1)
        assert house.resting() == 0


async def test_an_unanswered_heartbeat_closes_with_4000_and_pulls(autojump_clock: MockClock) -> None:
    """Within two intervals of silence; the orders go with the socket."""
    async with open_house() as house:
        socket = await house.trader()
        await call(socket, "private/enable_cancel_on_disconnect")
        await call(socket, "public/set_heartbeat", interval=10)
        await call(socket, "private/buy", instrument_name=CALL, amount=1, price=0.03)
        started = trio.current_time()
        kinds = [json.loads(await socket.get_message())["params"]["type"] for _ in range(2)]
        with pytest.raises(ConnectionClosed) as closed:
            await socket.get_message()
        assert (closed.value.reason.code, closed.value.reason.reason) == (4000, "heartbeat close")
        assert kinds == ["heartbeat", "test_request"]
        assert 19 <= trio.current_time() - started <= 22
        await trio.sleep(1.5)
        assert house.resting() == 0


async def test_the_session_ends_when_the_credits_do(autojump_clock: MockClock) -> None:
    """The refusal arrives, then the close."""
    async with open_house(tier="4") as house:
        socket = await house.trader()
        for _ in range(20):
            assert (await call(socket, "private/cancel", order_id="x"))["code"] == 10004
        assert (await call(socket, "private/cancel", order_id="x"))["code"] == 10028
        with pytest.raises(ConnectionClosed):
            await socket.get_message()


async def test_a_connection_that_served_http_may_become_a_socket(autojump_clock: MockClock) -> None:
    """Common clients reuse the connection of their last request for the WebSocket's handshake."""
    async with open_house() as house:
        stream = house.stream()
        for _ in range(2):
            await stream.send_all(b"GET /api/v2/public/get_time HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await stream.receive_some(65_536)
            assert answer.startswith(b"HTTP/1.1 200")
        socket = await wrap_client_stream(house.nursery, stream, "localhost", "/ws/api/v2")
        assert (await call(socket, "public/test"))["version"]


async def test_an_http_order_waits_out_the_speed_bump(autojump_clock: MockClock) -> None:
    """The answer has the fill."""
    async with open_house(speed_bump_ms=5) as house:
        maker, key = await house.trader(), house.venue.face.clients.test_keys[1]
        await call(maker, "private/sell", instrument_name=CALL, amount=1, price=0.05)
        proof = base64.b64encode(f"{key.client_id}:{key.secret}".encode())
        stream = house.stream()
        head = b"GET /api/v2/private/buy?instrument_name=%s&amount=1&price=0.05 HTTP/1.1\r\nHost: x\r\n"
        await stream.send_all(head % CALL.encode() + b"Authorization: Basic %s\r\n\r\n" % proof)
        answer = (await stream.receive_some(65_536)).partition(b"\r\n\r\n")[2]
        assert json.loads(answer)["result"]["order"]["order_state"] == "filled"


async def test_two_requests_in_one_packet_are_answered_in_turn(autojump_clock: MockClock) -> None:
    """What came after the first request is the beginning of the next."""
    async with open_house() as house:
        stream = house.stream()
        one = b"GET /api/v2/public/get_index_price?index_name=%s HTTP/1.1\r\nHost: x\r\n\r\n"
        await stream.send_all(one % b"eth_usd" + one % b"nothing")
        received = b""
        while received.count(b"HTTP/1.1") < 2 or not received.endswith(b"}"):
            received += await stream.receive_some(65_536)
        assert received.index(b"HTTP/1.1 200") < received.index(b"HTTP/1.1 400")
