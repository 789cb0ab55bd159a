"""Derive's error codes: the one table from the engine's reasons to numbers, and the refusals the face makes itself.

Owns code and message of every JSON-RPC error of the Derive face (reference section 6). Decides nothing. Invariant: every
`Reason` of the engine has a code, so that nothing the engine refuses can end as an internal error by oversight.
"""

from __future__ import annotations

from typing import Any

from actors.venues.paper.tickets import Reason, Refusal

PARSE_ERROR = -32700
BAD_REQUEST = -32600
NO_METHOD = -32601
BAD_PARAMS = -32602
INTERNAL = -32603
RATE_LIMIT = -32000
TOO_MANY_SOCKETS = -32100

NO_ACCOUNT = 14000
NO_SUBACCOUNT = 14001
NOT_CHECKSUMMED = 14012
NOT_AN_ADDRESS = 14013
BAD_SIGNATURE = 14014
NO_WALLET = 14020
WALLET_DIFFERS = 14025
CHANNEL_REFUSED = 14022
NOT_A_SIGNER = 14023
KEY_EXPIRED = 14030
KEY_SCOPE = 14031
NO_ATOMIC = 14033
ORDER_OUTLIVES_KEY = 14038
NO_CHANNELS = 13000
NO_INSTRUMENT = 12001
NO_CURRENCY = 12002
BAD_PRICE = 11013
TRIGGER_TYPE = 11053
UNKNOWN_ORDER = 11006

MESSAGES: dict[int, str] = {
    PARSE_ERROR: "Parse error",
    BAD_REQUEST: "Invalid request",
    NO_METHOD: "Method not found",
    BAD_PARAMS: "Invalid params",
    INTERNAL: "Internal error",
    RATE_LIMIT: "Rate limit exceeded",
    TOO_MANY_SOCKETS: "Number of concurrent websocket clients limit exceeded",
    9000: "Order confirmation timeout",
    9001: "Engine confirmation timeout",
    9002: "Cache confirmation failed",
    11000: "Insufficient funds",
    11003: "Already cancelled",
    11004: "Already filled",
    11005: "Already expired",
    11006: "Does not exist",
    11007: "Self-crossing disallowed",
    11008: "Post-only order would cross",
    11009: "Zero liquidity for market or IOC order",
    11010: "Post-only with a market order",
    11011: "Invalid signature expiry",
    11012: "Invalid amount",
    11013: "Invalid limit price",
    11014: "Fill-or-kill not filled",
    11015: "MMP frozen",
    11017: "Nonce already used",
    11018: "Nonce out of its window",
    11019: "Open orders limit exceeded",
    11021: "Instrument is not live",
    11022: "Reject timestamp exceeded",
    11023: "Max fee order param is too low",
    11024: "Reduce only cannot rest",
    11025: "Cannot reduce position",
    11028: "Replace fill differs from the expected one",
    11053: "Trigger orders are not simulated",
    12001: "Instrument not found",
    12002: "Currency not found",
    13000: "Invalid channels",
    14000: "Account not found",
    14001: "Subaccount not found",
    14012: "Address not in checksum format",
    14013: "Not an address",
    14014: "Signature invalid for message or transaction",
    14020: "Missing wallet: log in first",
    14022: "Unauthorized channel",
    14023: "Signer is neither the owner nor a session key",
    14025: "Wallet mismatch",
    14026: "Session key not found",
    14030: "Session key expired",
    14031: "Session key scope missing",
    14033: "Atomic signing not allowed",
    14038: "Order expires after its session key",
}

REASON_CODES: dict[Reason, int] = {
    Reason.UNKNOWN_ACCOUNT: NO_SUBACCOUNT,
    Reason.UNKNOWN_INSTRUMENT: NO_INSTRUMENT,
    Reason.UNKNOWN_ORDER: UNKNOWN_ORDER,
    Reason.ALREADY_CANCELLED: 11003,
    Reason.ALREADY_FILLED: 11004,
    Reason.ALREADY_EXPIRED: 11005,
    Reason.NOT_LIVE: 11021,
    Reason.SETTLING: 11021,
    Reason.MAINTENANCE: 11021,
    Reason.BAD_AMOUNT: 11012,
    Reason.BAD_PRICE: BAD_PRICE,
    Reason.PRICE_TOO_HIGH: BAD_PRICE,
    Reason.PRICE_TOO_LOW: BAD_PRICE,
    Reason.BAD_ARGUMENTS: BAD_PARAMS,
    Reason.POST_ONLY_MARKET: 11010,
    Reason.POST_ONLY_CROSS: 11008,
    Reason.NO_SLIDE: BAD_PRICE,
    Reason.SELF_CROSS: 11007,
    Reason.NOTHING_TO_MATCH: 11009,
    Reason.FOK_UNFILLED: 11014,
    Reason.REDUCE_ONLY_RESTING: 11024,
    Reason.WOULD_NOT_REDUCE: 11025,
    Reason.MMP_FROZEN: 11015,
    Reason.MMP_REQUIRED: BAD_PARAMS,
    Reason.MMP_QUANTITY: BAD_PARAMS,
    Reason.QUOTES_FROZEN: 11015,
    Reason.NONCE_USED: 11017,
    Reason.NONCE_WINDOW: 11018,
    Reason.EXPIRY_BOUNDS: 11011,
    Reason.MAX_FEE_LOW: 11023,
    Reason.TOO_LATE: 11022,
    Reason.TOO_MANY_ORDERS: 11019,
    Reason.NOT_ENOUGH_MARGIN: 11000,
    Reason.FILL_DIFFERS: 11028,
    Reason.LABEL_NOT_UNIQUE: UNKNOWN_ORDER,
    Reason.REPLACED_MEANWHILE: UNKNOWN_ORDER,
    Reason.QUOTE_ORDER: BAD_PARAMS,
    Reason.QUOTE_CROSSED: 11007,
    Reason.TOO_MANY_QUOTES: BAD_PARAMS,
    Reason.SEVERAL_INDICES: BAD_PARAMS,
}


class Refused(Exception):
    """A request the face answers with a JSON-RPC error."""

    def __init__(self, code: int, detail: str | None = None, message: str | None = None) -> None:
        self.code = code
        self.message = message or MESSAGES.get(code, "Error")
        self.detail = detail
        super().__init__(f"{code} {self.message}")

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "data": self.detail}


def refused(refusal: Refusal) -> Refused:
    """The engine's refusal in Derive's numbers; detail and breached limit travel in `data`."""
    limit = f"limit {refusal.limit}" if refusal.limit else ""
    detail = "; ".join(part for part in (refusal.detail, limit) if part)
    return Refused(REASON_CODES[refusal.reason], detail or refusal.reason.value)
