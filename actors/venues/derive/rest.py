"""Derive's REST form of the same calls, for whoever has no socket: the guard.

Owns the shape of a POST and what its answer proves; somebody else awaits the HTTP. Each private request is signed by
itself (there is no login, and so no socket whose loss would fire cancel-on-disconnect). Reference: derive.md 1.1 and 2.
Invariant: an answer that is not Derive's JSON proves nothing about a request that may have arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from actors.trading.errors import OutcomeUnknown, VenueRefused
from actors.venues.derive.codes import RATE_LIMITED
from actors.venues.derive.signing import SigningKey, address_bytes, checksum_address
from actors.venues.dialect import Call
from actors.venues.protocol import Answer, JsonRpc, MalformedFrame

USER_AGENT = "strikemaker/0.1"
"""A missing or library-default one has drawn 403."""


class RestRequest(NamedTuple):
    """A POST: `url` whole, `body` JSON."""

    url: str
    headers: dict[str, str]
    body: bytes


_frames = JsonRpc()


def rest_request(rest_url: str, call: Call, *, key: SigningKey, wallet: str, now_ms: int) -> RestRequest:
    """The POST of any call; `wallet` is the owner's address, `now_ms` the wall clock."""
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    if call.method.startswith("private/"):
        stamp = str(now_ms)
        headers |= {
            "X-DeriveWallet": wallet,
            "X-DeriveTimestamp": stamp,
            "X-DeriveSignature": key.sign_text(stamp),
        }
    return RestRequest(f"{rest_url.rstrip('/')}/{call.method}", headers, call.params)


def rest_answer(status: int, body: bytes) -> tuple[msgspec.Raw | None, tuple[int, str, str] | None]:
    """(result, None) or (None, (code, message, data)), as `read_outcome` takes them.

    Without Derive's JSON: a 4xx raises VenueRefused (a gateway turned it away), anything else OutcomeUnknown.
    """
    try:
        answer = _frames.receive(body)
    except MalformedFrame:
        answer = None
    if isinstance(answer, Answer) and (answer.error is not None or status < 400):
        return answer.result, answer.error
    if status == 429:
        raise VenueRefused(RATE_LIMITED, "over the rate limit", "HTTP 429")
    if 400 <= status < 500:
        raise VenueRefused(status, "turned away before the exchange", f"HTTP {status}")
    raise OutcomeUnknown(f"HTTP {status} without an answer of the exchange")


class DeriveRest:
    """The form as the guard's REST link takes it; `clock_ns` is the wall clock."""

    def __init__(self, rest_url: str, key: SigningKey, wallet: str, clock_ns: Callable[[], int]) -> None:
        self._url = rest_url
        self._key = key
        self._wallet = checksum_address(address_bytes(wallet))
        self._clock_ns = clock_ns

    def request(self, call: Call) -> tuple[str, dict[str, str], bytes]:
        return rest_request(
            self._url, call, key=self._key, wallet=self._wallet, now_ms=self._clock_ns() // 1_000_000
        )

    def answer(self, status: int, body: bytes) -> tuple[msgspec.Raw | None, tuple[int, str, str] | None]:
        return rest_answer(status, body)
