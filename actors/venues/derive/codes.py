"""Derive's error codes, once: what each means, which end a run, which leave an outcome open.

Owns the table; the messages that come with a code vary and are never tested. Reference: derive.md section 6.
Invariant: a code that is not listed is an ordinary refusal, neither fatal nor ambiguous.
"""

from __future__ import annotations

import re

from actors.venues.dialect import Refusal

RATE_LIMITED = -32000
INVALID_PARAMS = -32602
ORDER_NOT_FOUND = 11006
NOTHING_FOUND = 12001
NO_VALID_CHANNEL = 13000
BAD_SIGNATURE = 14014

MEANINGS: dict[int, str] = {
    -32700: "the request is not JSON",
    -32600: "the request is malformed",
    -32601: "no such method",
    -32602: "bad parameters",
    -32603: "internal error of the venue: outcome unknown",
    -32000: "over the rate limit",
    -32100: "too many sockets",
    9000: "no confirmation from the engine in time: outcome unknown",
    9001: "the engine timed out: outcome unknown",
    9002: "the venue's backing store has trouble: outcome unknown",
    10007: "too many assets in the subaccount",
    10008: "too many expiries in the subaccount",
    10015: "currency not allowed under portfolio margin",
    10016: "collateral not allowed under portfolio margin",
    11000: "not enough margin",
    11002: "the order did not reach the engine's queue in time",
    11003: "the order was cancelled before",
    11004: "the order was filled before",
    11005: "the order expired before",
    11006: "no such order",
    11007: "would trade with an order of the same account",
    11008: "post-only order would cross the market",
    11009: "nothing to match",
    11010: "a market order cannot be post-only",
    11011: "signature expiry out of bounds",
    11012: "bad amount: off step, below the minimum or above the maximum",
    11013: "bad price: off tick or out of the band",
    11014: "fill-or-kill order could not be filled",
    11015: "market-maker protection is frozen",
    11016: "the order was consumed before",
    11017: "nonce already used",
    11018: "nonce's time out of the window",
    11019: "too many open orders",
    11020: "would make a token balance negative",
    11021: "instrument is not live",
    11022: "arrived after its reject_timestamp",
    11023: "max_fee too low",
    11024: "reduce-only is for orders that do not rest",
    11025: "reduce-only order would not reduce",
    11027: "the subaccount is under liquidation",
    11028: "the replaced order's fill differs from the expected one",
    11050: "trigger order was cancelled in flight",
    11051: "trigger price on the wrong side of the market",
    11052: "too many trigger orders",
    11053: "unsupported trigger price type",
    11054: "trigger orders cannot be replaced",
    11055: "trigger order could not be filled",
    12000: "no such asset",
    12001: "no such instrument",
    12002: "no such currency",
    13000: "no valid channel",
    14000: "no such account",
    14001: "no such subaccount",
    14002: "the subaccount was withdrawn",
    14012: "address without a valid checksum",
    14013: "not an address",
    14014: "the signature does not give the signer",
    14020: "wallet header missing",
    14021: "wallet parameter missing",
    14022: "private channel refused: not logged in",
    14023: "the signer is neither the owner nor a registered session key",
    14025: "wallet does not match the login",
    14026: "session key not known",
    14027: "not an RFQ maker",
    14028: "RFQ across currencies",
    14029: "session key is not allowed from this address",
    14030: "session key expired",
    14031: "session key lacks the scope for this",
    14033: "account may not send contract-signed orders",
    14038: "the order would outlive its session key",
    14039: "session key expires in less than five minutes",
    16000: "not available in this region",
    16001: "the account is disabled",
    16002: "the account is sanctioned",
    18011: "vault: refused",
    18013: "vault: refused",
}

FATAL = frozenset(
    {11027, 14000, 14001, 14002, 14012, 14013, 14014, 14020, 14021, 14023, 14025, 14026, 14029, 14030, 14031}
    | {16000, 16001, 16002}
)
"""Retrying cannot help. 14014 deserves one retry with a fresh signature before it is believed."""

AMBIGUOUS = frozenset((-32603, 9000, 9001, 9002, 11017, 11018))
"""The venue itself does not know what became of the request, or (a nonce that was used) an earlier copy of it may have
been taken: a request can arrive twice. The two nonce codes may be swapped, so both."""

ALREADY_ENDED = frozenset((11003, 11004, 11005, 11006, 11016))
"""A cancel (or the cancel in a replace) found no order to act on. Hearsay: no proof of how it ended, or that it did."""


def explain(code: int) -> str:
    """An error code in words; RFQ codes and unknown ones in general words."""
    known = MEANINGS.get(code)
    if known is not None:
        return known
    return "RFQ refused" if 11100 <= code <= 11113 else "unlisted error"


CLASSES: dict[int, Refusal] = {
    RATE_LIMITED: Refusal.RATE,
    -32100: Refusal.UNREAD,
    -32700: Refusal.UNREAD,
    -32600: Refusal.UNREAD,
    -32601: Refusal.UNREAD,
    INVALID_PARAMS: Refusal.UNREAD,
    14022: Refusal.UNREAD,
    11000: Refusal.MARGIN,
    11015: Refusal.PROTECTED,
    14014: Refusal.SIGNATURE,
}


_RETRY = re.compile(r"(\d{1,5})\s*ms")


def retry_s(details: str) -> float | None:
    """Seconds, out of "Retry after N ms"; None where the details say something else."""
    found = _RETRY.search(details)
    return int(found[1]) / 1000 if found else None


def classify(code: int) -> Refusal:
    return CLASSES.get(code, Refusal.OTHER)
