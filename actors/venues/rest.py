"""The venue over HTTP, for whoever must not hold a socket: drives the same scripts as a link does.

Owns the awaiting of single requests and nothing of their meaning. On Derive every request is signed by itself; no login,
so that no socket's loss can fire the wallet's cancel-on-disconnect. Invariant: an answer that did not come, or is not
the venue's, raises OutcomeUnknown, never "done".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, TypeVar

import httpx2
import msgspec
import trio

from actors.trading.errors import OutcomeUnknown, VenueRefused
from actors.venues.dialect import Call, Script
from actors.venues.scripts import drive

T = TypeVar("T")


class RestForm(Protocol):
    """What a venue's folder provides: a POST out of a call, and proof out of an answer."""

    def request(self, call: Call) -> tuple[str, dict[str, str], bytes]:
        """URL, headers, body."""

    def answer(self, status: int, body: bytes) -> tuple[msgspec.Raw | None, tuple[int, str, str] | None]: ...


class RestLink:
    """`async with RestLink(...)`: `follow` as on a link."""

    def __init__(
        self, form: RestForm, timeout_s: float, transport: Callable[[], httpx2.AsyncBaseTransport] | None = None
    ) -> None:
        self._form = form
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(timeout=timeout_s, transport=transport() if transport else None, trust_env=False)

    async def __aenter__(self) -> RestLink:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def call(self, call: Call) -> msgspec.Raw:
        """Raises VenueRefused or OutcomeUnknown."""
        url, headers, body = self._form.request(call)
        try:
            # The client's own bound is for each read: a body that drips would be waited for without end.
            with trio.fail_after(2 * self._timeout_s):
                response = await self._client.post(url, content=body, headers=headers)
        except (httpx2.HTTPError, trio.TooSlowError) as exc:
            raise OutcomeUnknown(f"{call.method}: {type(exc).__name__}") from exc
        result, error = self._form.answer(response.status_code, response.content)
        if error is not None:
            raise VenueRefused(*error)
        if result is None:
            raise OutcomeUnknown(f"{call.method}: an answer without a result")
        return result

    async def follow(self, script: Script[T], ask: Callable[[Call], Awaitable[msgspec.Raw]] | None = None) -> T:
        """Holds the conversation of a script over single requests; `ask` in place of `call` as on a link."""
        return await drive(script, ask or self.call)
