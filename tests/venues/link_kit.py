"""A venue for link tests: real JSON-RPC over trio-websocket, on in-memory streams or real sockets.

Its behaviour is a coroutine per request, so a test can answer late, twice, out of order, not at all, or hang up.
"""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import trio
from trio.testing import memory_stream_pair
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from actors.venues.dialect import Call
from actors.venues.link import LinkSettings, Posted, VenueLink

URL = "ws://127.0.0.1/ws?token=never-shown"
Behaviour = Callable[[WebSocketConnection, dict[str, Any]], Awaitable[None]]


async def echo(socket: WebSocketConnection, request: dict[str, Any]) -> None:
    await socket.send_message(result_of(request))


def result_of(request: dict[str, Any], result: Any = None) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result or request["method"]})


def refusal_of(request: dict[str, Any], code: int, message: str, data: Any = None) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message, "data": data}})


def notice(channel: str, data: Any) -> str:
    params = {"channel": channel, "data": data}
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})


class Venue:
    """Serves every stream it hands out with `behaviour`; remembers what it heard."""

    def __init__(self, nursery: trio.Nursery, behaviour: Behaviour = echo) -> None:
        self.nursery = nursery
        self.behaviour = behaviour
        self.heard: list[dict[str, Any]] = []
        self.sockets: list[WebSocketConnection] = []
        self.headers: list[dict[str, str]] = []
        self.dials = 0
        self.arrived = trio.Event()
        self.wrap: Callable[[trio.abc.Stream], trio.abc.Stream] = lambda stream: stream

    async def connect(self) -> trio.abc.Stream:
        self.dials += 1
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.serve, theirs)
        return self.wrap(ours)

    async def serve(self, stream: trio.abc.Stream) -> None:
        try:
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(nursery, stream)
                self.headers.append({name.decode(): value.decode() for name, value in request.headers})
                socket = await request.accept()
                await self.converse(socket)
        except* (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass

    async def converse(self, socket: WebSocketConnection) -> None:
        self.sockets.append(socket)
        async with trio.open_nursery() as nursery:
            while True:
                request = json.loads(await socket.get_message())
                self.heard.append(request)
                self.arrived.set()
                nursery.start_soon(self.behaviour, socket, request)

    @property
    def methods(self) -> list[str]:
        return [request["method"] for request in self.heard]


class Desk:
    """Everything a link says to its owner, in order."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, str]] = []
        self.ups: list[Any] = []
        self.downs: list[str] = []
        self.answers: list[Posted] = []
        self.up = trio.Event()
        self.down = trio.Event()
        self.answered = trio.Event()

    def on_notice(self, heard: Any) -> None:
        self.notices.append((heard.channel, bytes(heard.data).decode()))

    def on_up(self, facts: Any) -> None:
        self.ups.append(facts)
        self.up.set()
        self.down = trio.Event()

    def on_down(self, reason: str) -> None:
        self.downs.append(reason)
        self.down.set()
        self.up = trio.Event()

    def on_answer(self, posted: Posted) -> None:
        self.answers.append(posted)
        self.answered.set()
        self.answered = trio.Event()

    async def until_answers(self, count: int) -> None:
        with trio.fail_after(600):
            while len(self.answers) < count:
                await self.answered.wait()


def make_link(desk: Desk, connect: Callable[[], Awaitable[trio.abc.Stream]], *, seed: int = 7, **named: Any) -> VenueLink:
    settings = LinkSettings(**{key: named.pop(key) for key in list(named) if hasattr(LinkSettings, key)})
    owner = {"on_notice": desk.on_notice, "on_up": desk.on_up, "on_down": desk.on_down}
    link = VenueLink("test", named.pop("url", URL), connect, settings=settings, rng=random.Random(seed), **owner | named)
    return link


def ask(method: str = "public/test", **params: Any) -> Call:
    return Call(method, json.dumps(params).encode(), kind="test")
