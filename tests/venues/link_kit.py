"""A venue for link tests: real JSON-RPC over trio-websocket, on in-memory streams or real sockets.

Its behaviour is a coroutine per request, so a test can answer late, twice, out of order, not at all, or hang up.
"""

from __future__ import annotations

import contextlib
import json
import random
import ssl
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import trio
from trio.testing import memory_stream_pair
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from actors.venues.dialect import Call
from actors.venues.link import LinkSettings, Posted, VenueLink

URL = "ws://127.0.0.1/ws?token=never-shown"
Behaviour = Callable[[WebSocketConnection, dict[str, Any]], Awaitable[None]]


async def echo(socket: WebSocketConnection, request: dict[str, Any]) -> None:
    await socket.send_message(result_of(request))


async def silent(socket: Any, request: dict[str, Any]) -> None:
    """A venue that hears and never answers."""


async def moody(socket: Any, request: dict[str, Any]) -> None:
    """Refuses what is called bad, does not answer mute."""
    if request["method"] == "bad":
        await socket.send_message(refusal_of(request, 13, "no"))
    elif request["method"] != "mute":
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
        self.wrap: Callable[[trio.abc.Stream], trio.abc.Stream] = lambda stream: stream

    async def connect(self) -> trio.abc.Stream:
        self.dials += 1
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.serve, theirs)
        return self.wrap(ours)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """The library's own reader outlives the conversation, so that a close of ours can hear its reply."""
        try:
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(nursery, stream)
                self.headers.append({name.decode(): value.decode() for name, value in request.headers})
                socket = await request.accept()
                with contextlib.suppress(ConnectionClosed):
                    await self.converse(socket)
        except* (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass

    async def converse(self, socket: WebSocketConnection) -> None:
        self.sockets.append(socket)
        while True:
            request = json.loads(await socket.get_message())
            self.heard.append(request)
            self.nursery.start_soon(self.answer, socket, request)

    async def answer(self, socket: WebSocketConnection, request: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self.behaviour(socket, request)

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
        self._news = trio.Event()

    def on_notice(self, heard: Any) -> None:
        self._note(self.notices, (heard.channel, bytes(heard.data).decode()))

    def on_up(self, facts: Any) -> None:
        self._note(self.ups, facts)

    def on_down(self, reason: str) -> None:
        self._note(self.downs, reason)

    def on_answer(self, posted: Posted) -> None:
        self._note(self.answers, posted)

    def _note(self, ledger: list[Any], news: Any) -> None:
        ledger.append(news)
        self._news.set()
        self._news = trio.Event()

    async def until(self, *, ups: int = 0, downs: int = 0, answers: int = 0, notices: int = 0) -> None:
        """Wait until at least so much was heard since the beginning."""
        with trio.fail_after(600):
            while any(
                len(ledger) < count
                for ledger, count in (
                    (self.ups, ups),
                    (self.downs, downs),
                    (self.answers, answers),
                    (self.notices, notices),
                )
            ):
                await self._news.wait()


def make_link(desk: Desk, connect: Callable[[], Awaitable[trio.abc.Stream]], *, seed: int = 7, **named: Any) -> VenueLink:
    settings = LinkSettings(**{key: named.pop(key) for key in list(named) if hasattr(LinkSettings, key)})
    owner = {"on_notice": desk.on_notice, "on_up": desk.on_up, "on_down": desk.on_down}
    return VenueLink("test", named.pop("url", URL), connect, settings=settings, rng=random.Random(seed), **owner | named)


def ask(method: str = "public/test", **params: Any) -> Call:
    return Call(method, json.dumps(params).encode(), kind="test")


async def up(nursery: trio.Nursery, venue: Venue, desk: Desk, **named: Any) -> VenueLink:
    """A link that runs and has connected."""
    link = make_link(desk, venue.connect, **named)
    await nursery.start(link.run)
    return link


def login() -> Generator[Call, msgspec.Raw, str]:
    """An opening script of two questions."""
    yield ask("login")
    yield ask("account")
    return "in"


async def accept_by_hand(stream: trio.abc.Stream, beside: bytes = b"") -> None:
    """Answer the WebSocket handshake with bare bytes, and with `beside` in the same write."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive_some()
    (key,) = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")]
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    accept = b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_key(key.decode()).encode()
    await stream.send_all(upgrade + accept + beside)


def by_hand(
    nursery: trio.Nursery, talk: Callable[[trio.abc.Stream], Awaitable[None]], pair: Any = memory_stream_pair
) -> Any:
    """A dial whose other end accepts the handshake with bare bytes and then does what it likes."""

    async def serve(stream: trio.abc.Stream) -> None:
        try:
            await accept_by_hand(stream)
            await talk(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def dial() -> trio.abc.Stream:
        ours, theirs = pair()
        nursery.start_soon(serve, theirs)
        return ours

    return dial


def frame_of(opcode: Opcode, data: str | bytes, fin: bool = True) -> bytes:
    """One frame as a server writes it."""
    return Frame(opcode, data.encode() if isinstance(data, str) else data, fin).serialize(mask=False)


async def listen(nursery: trio.Nursery, venue: Venue, certificate: Path | None = None) -> str:
    """The venue on a real port; its address as the link wants it."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    host, port = listener.socket.getsockname()[:2]
    if certificate is None:
        nursery.start_soon(trio.serve_listeners, venue.serve, [listener])
        return f"ws://{host}:{port}/ws"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    secure = trio.SSLListener(listener, context, https_compatible=True)
    nursery.start_soon(trio.serve_listeners, venue.serve, [secure])
    return f"wss://{host}:{port}/ws"
