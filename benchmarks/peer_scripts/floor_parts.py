"""What the floors of tick to order share: picows sockets, the start-up conversation, the outer shape of frames.

Everything after the start happens inside one callback of a floor's own: nothing here is called for a tick but that
callback. Each venue's rows are given as types, decoders are built once.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

Number = TypeVar("Number")
Result = TypeVar("Result")


class BookRow(msgspec.Struct, Generic[Number], gc=False):
    instrument_name: str
    bids: list[tuple[Number, Number]]
    asks: list[tuple[Number, Number]]


class BookParams(msgspec.Struct, Generic[Number], gc=False):
    data: BookRow[Number]


class BookFrame(msgspec.Struct, Generic[Number], gc=False):
    params: BookParams[Number]


class AnswerFrame(msgspec.Struct, Generic[Result], gc=False):
    id: int
    result: Result


class Listener(WSListener):  # type: ignore[misc]  # picows ships no types
    """Start-up answers go to `answers`; then everything to `hear`."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.hear: Any = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if self.hear is not None:
            self.hear(payload)
        elif b'"id":' in payload[:24]:
            self.answers.put_nowait(json.loads(payload))


class Socket:
    """One connection at its start: questions one after another, then every frame to a callback."""

    def __init__(self, transport: WSTransport, listener: Listener) -> None:
        self.transport = transport
        self._listener = listener

    async def ask(self, method: str, **params: Any) -> Any:
        self._send(1, method, params)
        while True:
            answer = await self._listener.answers.get()
            if answer["id"] == 1:
                return answer["result"]

    def hear(self, callback: Callable[[bytes], None]) -> None:
        self._listener.hear = callback

    def subscribe(self, method: str, channels: list[str]) -> None:
        """Nobody waits for the answer."""
        self._send(2, method, {"channels": channels})

    def _send(self, number: int, method: str, params: dict[str, Any]) -> None:
        text = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        self.transport.send(WSMsgType.TEXT, text.encode())


async def connect(url: str, tls: ssl.SSLContext | None) -> Socket:
    return Socket(*await ws_connect(Listener, url, ssl_context=tls))


async def end_of_stdin() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
