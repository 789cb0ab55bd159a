"""Deribit's error codes: the one table from the engine's reasons to numbers, and the refusals the face makes itself.

Owns code, token and `data` of every JSON-RPC error of the Deribit face (reference section 6, the complete table, not the
"common errors" above it). Decides nothing. Invariant: every `Reason` of the engine has a code, so that nothing the engine
refuses can end as an internal error by oversight.
"""

from __future__ import annotations

from typing import Any

from actors.venues.paper.tickets import Reason, Refusal

PARSE_ERROR = -32700
BAD_REQUEST = -32600
NO_METHOD = -32601
BAD_PARAMS = -32602

LOGIN_NEEDED = 10000
GENERIC = 10001
QTY_TOO_LOW = 10002
OVERLAP = 10003
UNKNOWN_ORDER = 10004
BOOK_CLOSED = 10012
LOCKED_BY_ADMIN = 10019
BAD_AMOUNT = 10021
BAD_PRICE = 10023
NON_INTEGER_CONTRACTS = 10027
TOO_MANY_REQUESTS = 10028
NEEDS_WEBSOCKET = 10030
NOT_IMPLEMENTED = 10033
SETTLING = 10041
WRONG_TICK = 10043
OTHER_REJECT = 11030
ARG_COMBINATION = 11047
NOT_OPEN = 11044
REFUSED_REQUEST = 11050
MAINTENANCE = 11051
POST_ONLY_REJECT = 11054
POST_ONLY_NOT_ALLOWED = 11055
INTERNAL = 11094
BAD_CREDENTIALS = 13004
UNAUTHORIZED = 13009
NO_INSTRUMENT = 13020
FORBIDDEN = 13021
MMP_FROZEN = 13030
LABEL_NOT_UNIQUE = 13032
MMP_REQUIRED = 13040
COD_NEEDED = 13042
QUOTES_FROZEN = 13043
REPLACED = 13777
RAW_NEEDS_LOGIN = 13778
TIMED_OUT = 13888
MASS_QUOTES_OFF = 13902
TOO_MANY_QUOTES = 13903
QUOTE_CROSSED = 13910

TOKENS: dict[int, str] = {
    PARSE_ERROR: "Parse error",
    BAD_REQUEST: "Invalid request",
    NO_METHOD: "Method not found",
    BAD_PARAMS: "Invalid params",
    LOGIN_NEEDED: "authorization_required",
    GENERIC: "error",
    QTY_TOO_LOW: "qty_too_low",
    OVERLAP: "order_overlap",
    UNKNOWN_ORDER: "order_not_found",
    10005: "price_too_low",
    10007: "price_too_high",
    10009: "not_enough_funds",
    10011: "price_not_allowed",
    BOOK_CLOSED: "book_closed",
    10013: "pme_max_total_open_orders",
    LOCKED_BY_ADMIN: "locked_by_admin",
    BAD_AMOUNT: "invalid_amount",
    BAD_PRICE: "invalid_price",
    NON_INTEGER_CONTRACTS: "non_integer_contract_amount",
    TOO_MANY_REQUESTS: "too_many_requests",
    NEEDS_WEBSOCKET: "must_be_websocket_request",
    10031: "invalid_args_for_instrument",
    NOT_IMPLEMENTED: "not_implemented",
    10040: "retry",
    SETTLING: "settlement_in_progress",
    WRONG_TICK: "price_wrong_tick",
    10047: "matching_engine_queue_full",
    10049: "cancel_on_disconnect_failed",
    10066: "too_many_concurrent_requests",
    11021: "post_only_price_modification_not_possible",
    11029: "invalid_arguments",
    OTHER_REJECT: "other_reject",
    11039: "no_adv_postonly",
    NOT_OPEN: "not_open_order",
    ARG_COMBINATION: "unsupported_arg_combination",
    REFUSED_REQUEST: "bad_request",
    MAINTENANCE: "system_maintenance",
    POST_ONLY_REJECT: "post_only_reject",
    POST_ONLY_NOT_ALLOWED: "post_only_not_allowed",
    INTERNAL: "internal_server_error",
    BAD_CREDENTIALS: "invalid_credentials",
    UNAUTHORIZED: "unauthorized",
    NO_INSTRUMENT: "not_found",
    FORBIDDEN: "forbidden",
    13028: "temporarily_unavailable",
    MMP_FROZEN: "mmp_trigger",
    LABEL_NOT_UNIQUE: "non_unique_order_label",
    MMP_REQUIRED: "mmp_required",
    COD_NEEDED: "cod_not_enabled",
    QUOTES_FROZEN: "quotes_frozen",
    13666: "request_cancelled_by_user",
    REPLACED: "replaced",
    RAW_NEEDS_LOGIN: "raw_subscriptions_not_available_for_unauthorized",
    TIMED_OUT: "timed_out",
    MASS_QUOTES_OFF: "mass_quotes_disabled",
    TOO_MANY_QUOTES: "too_many_quotes",
    QUOTE_CROSSED: "quote_crossed",
}

REASON_CODES: dict[Reason, int] = {
    Reason.UNKNOWN_ACCOUNT: FORBIDDEN,
    Reason.UNKNOWN_INSTRUMENT: NO_INSTRUMENT,
    Reason.UNKNOWN_ORDER: UNKNOWN_ORDER,
    Reason.ALREADY_CANCELLED: NOT_OPEN,
    Reason.ALREADY_FILLED: NOT_OPEN,
    Reason.ALREADY_EXPIRED: NOT_OPEN,
    Reason.NOT_LIVE: BOOK_CLOSED,
    Reason.SETTLING: SETTLING,
    Reason.MAINTENANCE: MAINTENANCE,
    Reason.BAD_AMOUNT: BAD_AMOUNT,
    Reason.BAD_PRICE: WRONG_TICK,
    Reason.PRICE_TOO_HIGH: 10007,
    Reason.PRICE_TOO_LOW: 10005,
    Reason.BAD_ARGUMENTS: ARG_COMBINATION,
    Reason.POST_ONLY_MARKET: POST_ONLY_NOT_ALLOWED,
    Reason.POST_ONLY_CROSS: POST_ONLY_REJECT,
    Reason.NO_SLIDE: 11021,
    Reason.SELF_CROSS: OVERLAP,
    Reason.NOTHING_TO_MATCH: OTHER_REJECT,
    Reason.FOK_UNFILLED: OTHER_REJECT,
    Reason.REDUCE_ONLY_RESTING: OTHER_REJECT,
    Reason.WOULD_NOT_REDUCE: OTHER_REJECT,
    Reason.MMP_FROZEN: MMP_FROZEN,
    Reason.MMP_REQUIRED: MMP_REQUIRED,
    Reason.MMP_QUANTITY: OTHER_REJECT,
    Reason.QUOTES_FROZEN: QUOTES_FROZEN,
    Reason.NONCE_USED: GENERIC,
    Reason.NONCE_WINDOW: GENERIC,
    Reason.EXPIRY_BOUNDS: GENERIC,
    Reason.MAX_FEE_LOW: GENERIC,
    Reason.TOO_LATE: TIMED_OUT,
    Reason.TOO_MANY_ORDERS: 10013,
    Reason.NOT_ENOUGH_MARGIN: 10009,
    Reason.FILL_DIFFERS: GENERIC,
    Reason.LABEL_NOT_UNIQUE: LABEL_NOT_UNIQUE,
    Reason.REPLACED_MEANWHILE: REPLACED,
    Reason.QUOTE_ORDER: UNKNOWN_ORDER,
    Reason.QUOTE_CROSSED: QUOTE_CROSSED,
    Reason.TOO_MANY_QUOTES: TOO_MANY_QUOTES,
    Reason.SEVERAL_INDICES: REFUSED_REQUEST,
}
WITH_VALUE = (Reason.PRICE_TOO_HIGH, Reason.PRICE_TOO_LOW)
"""Whose message carries the breached limit after the token."""
OF_PARAM = {Reason.SEVERAL_INDICES: "quotes", Reason.MMP_QUANTITY: "amount"}


class Refused(Exception):
    """A request the face answers with a JSON-RPC error; `param` and `reason` travel in `data` where there are any."""

    def __init__(self, code: int, reason: str = "", param: str = "", message: str = "") -> None:
        self.code = code
        self.reason = reason
        self.param = param
        self.message = message or TOKENS.get(code, "error")
        super().__init__(f"{code} {self.message}")

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"code": self.code, "message": self.message}
        data = {name: value for name, value in (("reason", self.reason), ("param", self.param)) if value}
        if data:
            found["data"] = data
        return found


def refused(refusal: Refusal) -> Refused:
    """The engine's refusal in Deribit's numbers; a band's edge is part of the message, as on the venue."""
    reason = refusal.reason
    code = REASON_CODES[reason]
    if reason in WITH_VALUE:
        return Refused(code, message=f"{TOKENS[code]} {refusal.limit}")
    if code == OTHER_REJECT:
        return Refused(code, param=OF_PARAM.get(reason, ""), message=f"{TOKENS[code]} {reason.value}")
    if reason in OF_PARAM:
        return Refused(code, reason.value, OF_PARAM[reason])
    return Refused(code)


def bad_param(param: str, reason: str) -> Refused:
    """-32602 for one parameter."""
    return Refused(BAD_PARAMS, reason, param)
