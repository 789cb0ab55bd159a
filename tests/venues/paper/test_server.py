"""The front door: WebSockets and POSTs on one port, over TCP and over streams in memory, and whoever dies on it."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import trio
from derive_desk import CALL, NOW_S, Signer, Venue
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from actors.venues.paper.faults import FrameFault
from actors.venues.paper.run import virtual_clock
from actors.venues.paper.server import Server, ServerSettings

HANDSHAKE = (
    b"GET /v3/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class House:
    """A venue of two options behind a real server, on trio's (virtual) clock."""

    def __init__(self, nursery: trio.Nursery, settings: ServerSettings | None, **run: Any) -> None:
        base_ns = NOW_S * 1_000_000_000 - round(trio.current_time() * 1e9)
        self.venue = Venue(virtual_clock(base_ns), **run)
        self.exchange = self.venue.exchange
        self.server = Server(self.exchange, settings)
        self.nursery = nursery

    def stream(self, peer: str = "memory") -> trio.abc.Stream:
        """One end of a pair whose other end is being served."""
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.server.serve_stream, theirs, peer)
        return ours

    async def socket(self, peer: str = "memory", path: str = "/v3/ws") -> Wire:
        return Wire(await wrap_client_stream(self.nursery, self.stream(peer), "localhost", path))

    async def trader(self, account: int = 0) -> tuple[Wire, Signer]:
        """A socket that is logged in."""
        wire, signer = await self.socket(), Signer(self.venue, account)
        await wire.call("public/login", **signer.login_params())
        return wire, signer

    def resting(self, account: int = 0) -> int:
        return len(self.venue.engine.open_orders(self.venue.face.wallets.credentials[account].subaccount_id))


class Wire:
    """JSON-RPC over one WebSocket."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.notices: list[Any] = []
        self._id = 0

    async def call(self, method: str, **params: Any) -> Any:
        self._id += 1
        await self.socket.send_message(json.dumps({"id": self._id, "method": method, "params": params}))
        while True:
            frame = json.loads(await self.socket.get_message())
            if frame.get("id") == self._id:
                return frame["result"] if "result" in frame else frame["error"]
            self.notices.append(frame)


@asynccontextmanager
async def open_house(settings: ServerSettings | None = None, **run: Any) -> AsyncIterator[House]:
    async with trio.open_nursery() as nursery:
        house = House(nursery, settings, **run)
        async with house.server.running():
            yield house
        nursery.cancel_scope.cancel()


async def test_a_whole_conversation_in_memory(autojump_clock: MockClock) -> None:
    """Login, subscription, order, replace and cancel by label over a stream in memory; the book goes out by itself."""
    async with open_house() as house:
        wire, signer = await house.trader()
        channel = f"orderbook.{CALL}.1.10"
        assert (await wire.call("subscribe", channels=[channel]))["status"] == {channel: "ok"}
        placed = await wire.call("private/order", **signer.signed("buy", "99", "1"))
        old = placed["order"]["order_id"]
        replaced = await wire.call("private/replace", order_id_to_cancel=old, **signer.signed("buy", "99.5", "1"))
        assert replaced["order"]["replaced_order_id"] == old
        assert house.resting() == 1
        await trio.sleep(0.2)
        assert (await wire.call("private/cancel_by_label", subaccount_id=signer.subaccount, label="run-1")) == {
            "cancelled_orders": -1
        }
        assert house.resting() == 0
        books = [n["params"]["data"] for n in wire.notices if n.get("params", {}).get("channel") == channel]
        assert books[-1]["bids"] == [["99.5", "1"]]


async def test_a_still_book_is_told_every_second(autojump_clock: MockClock) -> None:
    """Nothing changes, yet the whole snapshot comes again each second, with its own time."""
    async with open_house() as house:
        wire = await house.socket()
        await wire.call("subscribe", channels=[f"orderbook.{CALL}.1.10"])
        await trio.sleep(5.5)
        await wire.call("public/get_time")
        times = [notice["params"]["data"]["timestamp"] for notice in wire.notices]
        assert 5 <= len(times) <= 7
        assert all(1000 <= later - sooner <= 1150 for sooner, later in pairwise(times))


async def test_the_drop_of_any_logged_in_socket_pulls_the_wallets_orders(autojump_clock: MockClock) -> None:
    """With cancel-on-disconnect on, a second idle socket's death cancels what the first one placed."""
    async with open_house() as house:
        first, signer = await house.trader()
        second, _ = await house.trader()
        wallet = signer.account.wallet
        await first.call("private/set_cancel_on_disconnect", wallet=wallet, enabled=True)
        await first.call("private/order", **signer.signed())
        await second.socket.aclose()
        await trio.sleep(0.1)
        assert house.resting() == 0
        rows = house.exchange.ledger.of("cancel_on_disconnect")
        assert [(row["wallet"], row["orders"]) for row in rows] == [(wallet, 1)]
        ended = house.exchange.ledger.of("order")[-1]
        assert (ended["status"], ended["reason"]) == ("cancelled", "cancel_on_disconnect")


async def test_a_cut_stream_counts_as_a_drop(autojump_clock: MockClock) -> None:
    """A peer that vanishes without a closing handshake fires cancel-on-disconnect just the same."""
    async with open_house() as house:
        stream = house.stream()
        wire = Wire(await wrap_client_stream(house.nursery, stream, "localhost", "/v3/ws"))
        signer = Signer(house.venue)
        await wire.call("public/login", **signer.login_params())
        await wire.call("private/set_cancel_on_disconnect", enabled=True)
        await wire.call("private/order", **signer.signed())
        assert house.resting() == 1
        await stream.aclose()
        await trio.sleep(0.1)
        assert house.resting() == 0


async def test_without_the_setting_orders_survive_their_socket(autojump_clock: MockClock) -> None:
    """Off by default: the order outlives the connection, and dies with its signature."""
    async with open_house() as house:
        wire, signer = await house.trader()
        await wire.call("private/order", **signer.signed())
        await wire.socket.aclose()
        await trio.sleep(500)
        assert house.resting() == 1
        await trio.sleep(101)
        assert house.resting() == 0
        assert house.exchange.ledger.of("order")[-1]["status"] == "expired"


async def test_a_binary_frame_ends_the_connection(autojump_clock: MockClock) -> None:
    """Text only: a binary frame is refused with code 1003."""
    async with open_house() as house:
        wire = await house.socket()
        await wire.socket.send_message(b"{}")
        with pytest.raises(ConnectionClosed):
            await wire.socket.get_message()
        assert wire.socket.closed is not None
        assert wire.socket.closed.code == 1003


async def test_text_ping_gets_text_pong(autojump_clock: MockClock) -> None:
    """The plain word is answered with the plain word."""
    async with open_house() as house:
        wire = await house.socket()
        await wire.socket.send_message("ping")
        assert await wire.socket.get_message() == "pong"


async def test_a_reader_that_lets_frames_pile_up_is_dropped(autojump_clock: MockClock) -> None:
    """A client that stops reading blocks its own writer only, and is cut once too much waits for it."""
    async with open_house(max_waiting=20_000) as house:
        good = await house.socket()
        ours, theirs = lockstep_stream_pair()
        house.nursery.start_soon(house.server.serve_stream, theirs, "sluggish")
        async with trio.open_nursery() as shaking:
            shaking.start_soon(ours.send_all, HANDSHAKE)
            assert b"101" in await ours.receive_some()
        await trio.sleep(0.1)
        session = list(house.exchange.sessions.open.values())[-1]
        for _ in range(400):
            session.say("x" * 100)
            await trio.sleep(0.001)
        await trio.sleep(3)
        assert [row["why"] for row in house.exchange.ledger.of("close")] == ["slow reader"]
        assert await good.call("public/get_time") > 0


async def test_a_pong_and_a_burst_of_frames_share_a_slow_stream(autojump_clock: MockClock) -> None:
    """While a big write waits for the peer, a ping's answer queues behind it instead of colliding with it."""
    async with open_house() as house:
        ours, theirs = lockstep_stream_pair()
        house.nursery.start_soon(house.server.serve_stream, theirs, "slow")
        async with trio.open_nursery() as shaking:
            shaking.start_soon(ours.send_all, HANDSHAKE)
            await ours.receive_some()
        await trio.sleep(0.1)
        session = next(iter(house.exchange.sessions.open.values()))
        session.say("x" * 5_000)
        await trio.sleep(0.1)
        await ours.send_all(b"\x89\x80\x00\x00\x00\x00")
        received = b""
        with trio.fail_after(5):
            await trio.sleep(0.1)
            while not received.endswith(b"\x8a\x00"):
                received += await ours.receive_some(100)
                await trio.sleep(0.01)
        assert len(received) == 4 + 5_000 + 2
        assert not house.exchange.ledger.of("close")


async def test_too_many_sockets_from_one_address_are_told_so(autojump_clock: MockClock) -> None:
    """The one too many gets -32100 and is closed; those that are in stay."""
    async with open_house(max_connections_per_ip=2) as house:
        kept = [await house.socket("10.0.0.1"), await house.socket("10.0.0.1")]
        third = await house.socket("10.0.0.1")
        assert json.loads(await third.socket.get_message())["error"]["code"] == -32100
        with pytest.raises(ConnectionClosed):
            await third.socket.get_message()
        other = await house.socket("10.0.0.2")
        for wire in [*kept, other]:
            assert await wire.call("public/get_time") > 0


async def test_a_silent_peer_is_dropped_after_a_ping_without_pong(autojump_clock: MockClock) -> None:
    """Heartbeats find a half-open socket: no pong in time is a drop."""
    async with open_house(ServerSettings(heartbeat_s=10, silence_s=5)) as house:
        stream = house.stream()
        await stream.send_all(HANDSHAKE)
        lively = await house.socket()
        await trio.sleep(1)
        assert len(house.exchange.sessions.open) == 2
        await trio.sleep(60)
        assert [row["why"] for row in house.exchange.ledger.of("close")] == ["no pong"]
        assert await lively.call("public/get_time") > 0


async def shake(house: House, path: str = "/v3/ws") -> int:
    """The status of a handshake by hand, without a User-Agent; 0 when the door stays shut."""
    stream = house.stream()
    await stream.send_all(HANDSHAKE.replace(b"/v3/ws", path.encode()))
    answer = await stream.receive_some()
    return int(answer.split()[1]) if answer else 0


async def test_a_wrong_path_is_not_found(autojump_clock: MockClock) -> None:
    """Only the venue's path upgrades."""
    async with open_house() as house:
        assert await shake(house) == 101
        assert await shake(house, "/v2/ws") == 404


async def test_a_missing_user_agent_can_be_refused(autojump_clock: MockClock) -> None:
    """Where the real venue's edge would answer 403, so does this one when told to."""
    async with open_house(ServerSettings(demand_user_agent=True)) as house:
        assert await shake(house) == 403


async def test_garbage_at_the_door_disturbs_nobody(autojump_clock: MockClock) -> None:
    """What is neither a WebSocket nor HTTP, or nothing at all, ends its own connection only."""
    async with open_house() as house:
        wire = await house.socket()
        for junk in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"POST /v3/public/get_time HTTP/9\r\n\r\n", b""):
            stream = house.stream()
            with trio.move_on_after(30):
                await stream.send_all(junk)
                await trio.aclose_forcefully(stream)
        half = house.stream()
        await half.send_all(b"GET /v3/ws HT")
        await trio.sleep(20)
        assert await half.receive_some() == b""
        assert await wire.call("public/get_time") > 0


async def test_broken_frames_end_their_own_connection_only(autojump_clock: MockClock) -> None:
    """Random bytes behind a good handshake, or an end in the middle of a frame, never reach anybody else."""
    rng = random.Random(8)
    async with open_house() as house:
        wire = await house.socket()
        for length in range(1, 60):
            stream = house.stream()
            await stream.send_all(HANDSHAKE + rng.randbytes(length))
            with trio.move_on_after(0.5):
                await stream.receive_some()
            await trio.aclose_forcefully(stream)
        await trio.sleep(1)
        assert len(house.exchange.sessions.open) == 1
        assert await wire.call("public/get_time") > 0


async def test_delayed_frames_keep_their_order_and_reordered_ones_need_not(autojump_clock: MockClock) -> None:
    """A delay holds up what follows on the same socket, as a network does."""
    async with open_house() as house:
        wire = await house.socket()
        house.exchange.faults.arm(FrameFault("delay", count=1, delay_s=(2.0, 2.0)))
        start = trio.current_time()
        await wire.socket.send_message('{"id":"a","method":"public/get_time"}')
        await wire.socket.send_message('{"id":"b","method":"public/get_time"}')
        ids = [json.loads(await wire.socket.get_message())["id"] for _ in range(2)]
        assert ids == ["a", "b"]
        assert trio.current_time() - start >= 2.0


async def test_a_restart_cuts_everybody_and_turns_newcomers_away_until_it_is_over(autojump_clock: MockClock) -> None:
    """While the venue is down no handshake succeeds; afterwards the same exchange is there, orders and all."""
    async with open_house() as house:
        wire, signer = await house.trader()
        await wire.call("private/order", **signer.signed())
        house.exchange.faults.restart(down_s=3.0)
        with pytest.raises(ConnectionClosed):
            await wire.call("public/get_time")
        assert await shake(house) == 0
        await trio.sleep(3.1)
        again, _ = await house.trader()
        assert len((await again.call("private/get_open_orders", subaccount_id=signer.subaccount))["orders"]) == 1


async def test_a_restart_may_lose_every_order(autojump_clock: MockClock) -> None:
    """Told so, the venue comes back empty, and the ledger shows each order's end."""
    async with open_house() as house:
        wire, signer = await house.trader()
        await wire.call("private/order", **signer.signed())
        house.exchange.faults.restart(down_s=1.0, orders_survive=False)
        await trio.sleep(2)
        assert house.resting() == 0
        kinds = [row["kind"] for row in house.exchange.ledger.of("down", "up", "order")]
        assert kinds[-3:] == ["down", "order", "up"]


async def test_late_cancel_on_disconnect_comes_late(autojump_clock: MockClock) -> None:
    """Between the drop and the late cancel the order is still there, and the fault is counted."""
    async with open_house() as house:
        wire, signer = await house.trader()
        await wire.call("private/set_cancel_on_disconnect", enabled=True)
        await wire.call("private/order", **signer.signed())
        house.exchange.faults.late_cancel_s = 5.0
        await wire.socket.aclose()
        await trio.sleep(4)
        assert house.resting() == 1
        await trio.sleep(2)
        assert house.resting() == 0
        assert house.exchange.faults.struck["late_cancel"] == 1


async def test_the_end_of_the_server_pulls_the_orders_of_protected_wallets(autojump_clock: MockClock) -> None:
    """A graceful shutdown is a disconnect too; the ledger ends with it."""
    async with open_house() as house:
        wire, signer = await house.trader()
        await wire.call("private/set_cancel_on_disconnect", enabled=True)
        await wire.call("private/order", **signer.signed())
    assert house.resting() == 0
    assert house.exchange.ledger.records[-1]["kind"] == "stop"


# -- REST


async def post(stream: trio.abc.Stream, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """One HTTP request by hand on a stream that stays open."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(payload)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    await stream.send_all("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await stream.receive_some()
    head, _, rest = answer.partition(b"\r\n\r\n")
    length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
    while len(rest) < length:
        rest += await stream.receive_some()
    return int(head.split()[1]), json.loads(rest)


async def test_rest_serves_the_same_methods_with_signed_headers(autojump_clock: MockClock) -> None:
    """Public calls need nothing, private ones the three headers; one connection serves many requests."""
    async with open_house() as house:
        signer = Signer(house.venue)
        stream = house.stream()
        status, answer = await post(stream, "/v3/public/get_time", {})
        assert (status, answer["result"]) == (200, house.exchange.clock_ns() // 1_000_000)
        _, answer = await post(stream, "/v3/private/order", signer.signed(), signer.headers())
        assert answer["result"]["order"]["order_status"] == "open"
        _, answer = await post(
            stream, "/v3/private/cancel_by_label", {"subaccount_id": signer.subaccount, "label": "run-1"}, signer.headers()
        )
        assert answer["result"] == {"cancelled_orders": -1}
        assert house.resting() == 0


async def test_rest_without_or_with_wrong_headers_is_refused(autojump_clock: MockClock) -> None:
    """Missing headers are 14020, a signature of somebody else 14014, an unknown method -32601."""
    async with open_house() as house:
        signer, stranger = Signer(house.venue), Signer(house.venue, 1)
        stream = house.stream()
        body = {"subaccount_id": signer.subaccount}
        _, answer = await post(stream, "/v3/private/get_open_orders", body)
        assert answer["error"]["code"] == 14020
        wrong = {**signer.headers(), "X-DeriveSignature": stranger.headers()["X-DeriveSignature"]}
        _, answer = await post(stream, "/v3/private/get_open_orders", body, wrong)
        assert answer["error"]["code"] == 14014
        _, answer = await post(stream, "/v3/public/no_such_thing", {})
        assert answer["error"]["code"] == -32601
        _, answer = await post(stream, "/v3/public/get_time", b"{")
        assert answer["error"]["code"] == -32700


async def test_levers_are_there_only_when_asked_for(autojump_clock: MockClock) -> None:
    """A process can be told to misbehave over HTTP; a venue without levers knows no such path."""
    async with open_house() as house:
        assert (await post(house.stream(), "/paper/struck", {}))[0] == 404
    async with open_house(levers=True) as house:
        stream, wire = house.stream(), await house.socket()
        assert (await post(stream, "/paper/frame", {"kind": "explode"}))[0] == 400
        assert (await post(stream, "/paper/unheard", {}))[0] == 404
        status, _ = await post(stream, "/paper/request", {"name": "refuse", "method": "public/get_time", "code": -32603})
        assert status == 200
        assert (await wire.call("public/get_time"))["code"] == -32603
        assert await wire.call("public/get_time") > 0
        assert (await post(stream, "/paper/channel", {"match": "nothing", "count": 1}))[0] == 200
        assert (await post(stream, "/paper/channel", {"count": 1}))[0] == 400
        assert await post(stream, "/paper/late_cancel", {"seconds": 3}) == (200, {"struck": {"refuse": 1}})
        assert house.exchange.faults.late_cancel_s == 3
        assert (await post(stream, "/paper/kill", {}))[0] == 200
        with pytest.raises(ConnectionClosed):
            await wire.call("public/get_time")
        assert (await post(stream, "/paper/maintenance", {"on": True}))[0] == 200
        assert house.venue.engine.maintenance
        assert (await post(stream, "/paper/clear", {}))[0] == 200
        assert house.exchange.faults.late_cancel_s == 0


async def test_other_http_requests_are_told_what_they_are(autojump_clock: MockClock) -> None:
    """A path outside the venue's is 404; the connection lives on."""
    async with open_house() as house:
        stream = house.stream()
        assert (await post(stream, "/v2/public/get_time", {}))[0] == 404
        assert (await post(stream, "/v3/public/get_time", {}))[0] == 200
