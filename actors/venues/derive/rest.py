"""Derive's REST form of the same calls, for whoever has no socket: the guard.

Owns the shape of a POST and what its answer proves; somebody else awaits the HTTP. Each private request is signed by
itself (there is no login, and so no socket whose loss would fire cancel-on-disconnect). Reference: derive.md 1.1 and 2.
Invariant: an answer that is not Derive's JSON proves nothing about a request that may have arrived.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import msgspec

from actors.venues.derive.codes import RATE_LIMITED
from actors.venues.derive.signing import SigningKey, checked_wallet
from actors.venues.dialect import Call
from actors.venues.protocol import http_answer

USER_AGENT = "strikemaker/0.1"
"""A missing or library-default one has drawn 403."""


@attrs.frozen
class DeriveRest:
    """POSTs of one account. `wallet` is the owner's address, whoever signs; `clock_ns` the wall clock."""

    base_url: str
    key: SigningKey
    wallet: str = attrs.field(converter=checked_wallet)
    clock_ns: Callable[[], int] = attrs.field(repr=False)

    def request(self, call: Call) -> tuple[str, dict[str, str], bytes]:
        """URL, headers, body; a private one signed this instant."""
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        if call.method.startswith("private/"):
            stamp = str(self.clock_ns() // 1_000_000)
            headers["X-DeriveWallet"] = self.wallet
            headers["X-DeriveTimestamp"] = stamp
            headers["X-DeriveSignature"] = self.key.sign_text(stamp)
        return f"{self.base_url.rstrip('/')}/{call.method}", headers, call.params

    def answer(self, status: int, body: bytes) -> tuple[msgspec.Raw | None, tuple[int, str, str] | None]:
        """(result, None) or (None, (code, message, data)); raises as `http_answer` does."""
        return http_answer(status, body, RATE_LIMITED)
