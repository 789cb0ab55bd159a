"""Requests over HTTP whose answers come badly: how long one is waited for, and that none of it is taken for an outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import msgspec
import pytest
import trio

from actors.trading.errors import OutcomeUnknown
from actors.venues.dialect import Call
from actors.venues.protocol import http_answer
from actors.venues.rest import RestLink

TIMEOUT_S = 5.0
BODY = b'{"id":1,"result":"ok"}'


class Form:
    """Posts nothing in particular; reads answers as both venues' forms do."""

    def request(self, call: Call) -> tuple[str, dict[str, str], bytes]:
        return f"http://127.0.0.1/{call.method}", {}, b"{}"

    def answer(self, status: int, body: bytes) -> tuple[msgspec.Raw | None, tuple[int, str, str] | None]:
        return http_answer(status, body, 1)


class Dripping(httpx2.AsyncByteStream, httpx2.AsyncBaseTransport):
    """A gateway whose answer's body comes byte by byte, each in time."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=self, request=request)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for byte in BODY:
            await trio.sleep(self.every_s)
            yield bytes([byte])


async def test_a_body_that_drips_is_not_waited_for_without_end(autojump_clock: trio.testing.MockClock) -> None:
    """The guard asks one thing at a time: behind such an answer it would sweep nothing. What became of it is not known."""
    async with RestLink(Form(), TIMEOUT_S, transport=lambda: Dripping(TIMEOUT_S - 1)) as rest:
        started = trio.current_time()
        with trio.fail_after(60), pytest.raises(OutcomeUnknown, match="private/x"):
            await rest.call(Call("private/x"))
        assert trio.current_time() - started == pytest.approx(2 * TIMEOUT_S)


async def test_a_body_that_is_only_slow_is_an_answer(autojump_clock: trio.testing.MockClock) -> None:
    """Within twice the bound it may come in any pieces."""
    async with RestLink(Form(), TIMEOUT_S, transport=lambda: Dripping(1.5 * TIMEOUT_S / len(BODY))) as rest:
        assert bytes(await rest.call(Call("private/x"))) == b'"ok"'
