"""Deribit's error codes, once: what each means, which end a run, which leave an outcome open.

Owns the table; the tokens that come with a code vary ("price_too_high 43666.4") and are never tested. The numbers are
those of the complete table in deribit.md section 6; the venue's own short list contradicts it and is wrong. Invariant:
a code that is not listed is an ordinary refusal, neither fatal nor ambiguous.
"""

from __future__ import annotations

from actors.venues.dialect import Refusal

ORDER_NOT_FOUND = 10004
RATE_LIMITED = 10028
NOT_OPEN_ORDER = 11044
POST_ONLY_REJECT = 11054
INVALID_CREDENTIALS = 13004
COD_NOT_ENABLED = 13042
MMP_REQUIRED = 13040
SCOPE_EXCEEDED = 13403
MASS_QUOTES_DISABLED = 13902
TOO_MANY_QUOTES = 13903
BAD_REQUEST = 11050
LOGIN_FOR_PUBLIC = 11056
INVALID_PARAMS = -32602

MEANINGS: dict[int, str] = {
    -32700: "the request is not JSON",
    -32600: "the request is malformed or too large",
    -32601: "no such method",
    -32602: "bad parameters",
    -32000: "parameters are missing",
    10000: "not logged in",
    10001: "error without a name: outcome unknown",
    10002: "amount below the minimum",
    10003: "would trade with an order of the same account",
    10004: "no such order",
    10005: "price below the band",
    10006: "price too low against the index",
    10007: "price above the band",
    10009: "not enough margin",
    10010: "already closed",
    10011: "price not allowed",
    10012: "the book is closed",
    10013: "too many open orders",
    10014: "too many open futures orders",
    10015: "too many open option orders",
    10016: "open futures orders too large",
    10017: "open option orders too large",
    10018: "futures position too large",
    10019: "the account is locked by the venue",
    10020: "no such instrument, or not supported",
    10021: "bad amount",
    10022: "bad quantity",
    10023: "bad price",
    10024: "bad display amount",
    10025: "bad order id",
    10026: "price finer than allowed",
    10027: "amount is no whole number of contracts",
    10028: "over the rate limit: the venue ends the session",
    10029: "not the owner of the order",
    10030: "only over a WebSocket",
    10031: "arguments do not fit the instrument",
    10032: "order worth too little",
    10033: "not implemented there",
    10034: "trigger price too high",
    10035: "trigger price too low",
    10036: "bad display amount",
    10037: "short options too large",
    10038: "too many risk-reducing orders",
    10039: "not enough margin in the currency",
    10040: "the venue asks to retry",
    10041: "settlement in progress",
    10043: "price off the tick",
    10044: "trigger price off the tick",
    10045: "a liquidation order cannot be cancelled",
    10046: "a liquidation order cannot be edited",
    10047: "the engine's queue is full",
    10048: "not on this server",
    10049: "cancel-on-disconnect failed there: orders may rest",
    10050: "the engine was locked for too long: outcome unknown",
    10066: "too many concurrent requests",
    10072: "the position is locked: only reducing orders",
    11008: "the order was filled before",
    11013: "too many open spot orders",
    11021: "a post-only price could not be moved",
    11022: "spot order too large",
    11029: "bad arguments",
    11030: "refused for a reason of its own",
    11031: "other error: outcome unknown",
    11035: "too many trigger orders",
    11036: "bad trigger price",
    11042: "permission denied",
    11043: "bad argument",
    11044: "the order is not open any more",
    11045: "bad event",
    11046: "the instrument is outdated",
    11047: "arguments that do not go together",
    11048: "bad display amount for an option",
    11049: "bad arguments",
    11050: "bad request (or market-maker protection is not enabled for the account)",
    11051: "maintenance",
    11052: "subscription failed: not subscribed",
    11054: "post-only order would cross the market",
    11055: "post-only is not allowed here",
    11056: "public requests need a login for now",
    11094: "internal error of the venue: outcome unknown",
    11098: "the account is locked",
    13004: "wrong client id or secret (or our clock is off by more than a minute)",
    13008: "the request failed",
    13009: "the login is bad or has ended",
    13010: "a value is missing",
    13011: "a value is too short",
    13012: "not available in a subaccount",
    13016: "bad input",
    13019: "the book is closed",
    13020: "not found",
    13021: "forbidden for this key",
    13025: "switched off by the venue",
    13028: "temporarily unavailable",
    13030: "market-maker protection is frozen",
    13031: "the account needs verification",
    13032: "more than one order has this label",
    13035: "too many active combos",
    13036: "not available for combo books",
    13040: "no market-maker protection group is configured",
    13042: "cancel-on-disconnect is not enabled",
    13043: "quotes are frozen after a cancel",
    13403: "beyond the key's scope",
    13503: "unavailable",
    13666: "the request was cancelled while it waited, by a mass cancel of ours",
    13668: "the key needs a second factor",
    13777: "another edit was faster",
    13778: "raw channels need a login",
    13888: "timed out at the venue: outcome unknown",
    13902: "mass quotes are not enabled for the account",
    13903: "too many quotes",
    13910: "our own bid and ask would cross",
}

FATAL = frozenset((11042, 13004, 13021, 13031, 13403, 13668))
"""Retrying cannot help. 13009 can: another connection logs in again."""

AMBIGUOUS = frozenset((10001, 10050, 11031, 11094, 13888))
"""The venue itself does not know what became of the request; 13888 is also the answer to one that came too late."""


def explain(code: int) -> str:
    """An error code in words."""
    return MEANINGS.get(code, "unlisted error")


BUSY = (10040, 10041, 10047, 10066, 11051, 13028, 13043)
"""Refused unread because too much is under way there, of ours or of all: to be sent again a little later."""
BUSY_S = 0.1
"""At once they would keep the queue full, for our cancels too."""

CLASSES: dict[int, Refusal] = dict.fromkeys(BUSY, Refusal.RATE) | {
    RATE_LIMITED: Refusal.RATE,
    TOO_MANY_QUOTES: Refusal.RATE,
    -32700: Refusal.UNREAD,
    -32600: Refusal.UNREAD,
    -32601: Refusal.UNREAD,
    -32000: Refusal.UNREAD,
    INVALID_PARAMS: Refusal.UNREAD,
    10000: Refusal.LOGIN,
    13009: Refusal.LOGIN,
    10009: Refusal.MARGIN,
    10019: Refusal.LOCKED,
    11098: Refusal.LOCKED,
    10037: Refusal.MARGIN,
    10039: Refusal.MARGIN,
    13030: Refusal.PROTECTED,
}


def classify(code: int) -> Refusal:
    return CLASSES.get(code, Refusal.OTHER)
