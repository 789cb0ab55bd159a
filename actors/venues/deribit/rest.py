"""Deribit's HTTP form of the same calls, for whoever has no socket: the guard.

Owns the shape of a POST and what its answer proves; somebody else awaits the HTTP. Each private request is signed by
itself. Cancel-on-disconnect does not exist here, so whoever uses this cancels what it finds, order by order. Reference:
deribit.md 1.2 and 2.1. Invariant: an answer that is not Deribit's JSON proves nothing about a request that may have
arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import attrs
import msgspec

from actors.trading.errors import VenueRefused
from actors.venues.deribit.auth import Credentials
from actors.venues.deribit.codes import RATE_LIMITED
from actors.venues.dialect import Call
from actors.venues.protocol import JsonRpc, http_answer

USER_AGENT = "strikemaker/0.1"

_frames = JsonRpc()


@attrs.frozen
class DeribitRest:
    """POSTs of one account; `clock_ns` is the wall clock. `is_basic`: the secret itself instead of a signature."""

    base_url: str
    credentials: Credentials | None
    clock_ns: Callable[[], int] = attrs.field(repr=False)
    is_basic: bool = False

    def request(self, call: Call) -> tuple[str, dict[str, str], bytes]:
        """URL, headers, body; a private one signed this instant."""
        url = f"{self.base_url.rstrip('/')}/{call.method}"
        _, body = _frames.request(call)
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        if call.method.startswith("private/"):
            headers["Authorization"] = self._authorization(urlsplit(url).path, body.decode())
        return url, headers, body

    def _authorization(self, path: str, body: str) -> str:
        if self.credentials is None:
            raise VenueRefused(13009, "a private request needs credentials")
        if self.is_basic:
            return self.credentials.basic_header()
        now_ns = self.clock_ns()
        return self.credentials.rest_header(now_ns // 1_000_000, f"{now_ns:x}", "POST", path, body)

    def answer(self, status: int, body: bytes) -> tuple[msgspec.Raw | None, tuple[int, str, str] | None]:
        """(result, None) or (None, (code, message, data)); raises as `http_answer` does."""
        return http_answer(status, body, RATE_LIMITED)
