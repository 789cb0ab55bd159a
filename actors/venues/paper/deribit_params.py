"""What a Deribit client may send: the parameters of every method the paper exchange answers, as typed structs.

Owns the reading of parameters, from JSON as from a query string, where every value is text. Knows nothing of accounts or
orders. Invariant: what `read` returns has the right types; anything else was refused with -32602 and the name of the
parameter. Numbers stay exact decimals. Unknown parameters pass, as on the venue; a null is no value and is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar

import msgspec

from actors.venues.paper.deribit_errors import BAD_PARAMS, Refused, bad_param

Kind = Literal["future", "option", "spot", "future_combo", "option_combo", "combo", "any"]
Scope = Literal["connection", "account"]
Interval = Literal["raw", "100ms", "agg2"]
CancelWhat = Literal["all", "limit", "trigger_all", "stop", "take", "trailing_stop"]
OpenWhat = Literal[
    "all", "limit", "trigger_all", "stop_all", "stop_limit", "stop_market", "take_all", "take_limit", "take_market",
    "trailing_all", "trailing_stop",
]  # fmt: skip
MAX_LABEL = 64
MAX_COUNT = 1000


class Exact(Decimal):
    """A number as it stood in the request."""


class Empty(msgspec.Struct):
    pass


# -- session


class Hello(msgspec.Struct):
    client_name: str
    client_version: str


class Test(msgspec.Struct):
    expected_result: str = ""


class Auth(msgspec.Struct, kw_only=True):
    grant_type: str
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    timestamp: int | str = 0
    signature: str = ""
    nonce: str = ""
    data: str = ""
    scope: str = ""
    state: str | None = None


class Fork(msgspec.Struct):
    refresh_token: str
    session_name: str
    scope: str = ""


class Swap(msgspec.Struct):
    """`public/exchange_token`."""

    refresh_token: str
    subject_id: int
    scope: str = ""


class Logout(msgspec.Struct):
    invalidate_token: bool = True


class Heartbeat(msgspec.Struct):
    interval: Exact


class Cod(msgspec.Struct):
    scope: Scope = "connection"


class Channels(msgspec.Struct):
    channels: list[str]
    label: str = ""


# -- market


class Instruments(msgspec.Struct):
    currency: str = "any"
    kind: Kind = "any"
    expired: bool = False


class ByInstrument(msgspec.Struct):
    instrument_name: str


class OrderBook(msgspec.Struct):
    instrument_name: str
    depth: int = 20


class ByIndex(msgspec.Struct):
    index_name: str


class IndexNames(msgspec.Struct):
    extended: bool = False


class ByCurrency(msgspec.Struct):
    currency: str
    kind: Kind = "any"


class Expirations(msgspec.Struct):
    currency: str
    kind: Kind = "any"
    currency_pair: str = "any"


class LastTrades(msgspec.Struct, kw_only=True):
    """The public tape, by instrument or by currency; the `_and_time` forms give the times."""

    instrument_name: str = ""
    currency: str = ""
    kind: Kind = "any"
    start_seq: int = 0
    end_seq: int = 1 << 62
    start_id: str = ""
    end_id: str = ""
    start_timestamp: int | str = 0
    end_timestamp: int | str = 1 << 62
    count: int = 10
    sorting: Literal["asc", "desc", "default"] = "default"


class DeliveryPrices(msgspec.Struct):
    index_name: str
    offset: int = 0
    count: int = 10


# -- orders


class Place(msgspec.Struct, kw_only=True):
    instrument_name: str
    amount: Exact | None = None
    contracts: Exact | None = None
    price: Exact | None = None
    type: str = "limit"
    label: str = ""
    time_in_force: Literal["good_til_cancelled", "good_til_day", "fill_or_kill", "immediate_or_cancel"] | None = None
    post_only: bool | None = None
    reject_post_only: bool = False
    reduce_only: bool = False
    mmp: bool = False
    valid_until: int | str = 0
    advanced: str = ""
    display_amount: Exact | None = None
    max_show: Exact | None = None
    trigger: str = ""
    trigger_price: Exact | None = None
    linked_order_type: str = ""


class EditTerms(msgspec.Struct, kw_only=True):
    amount: Exact | None = None
    contracts: Exact | None = None
    price: Exact | None = None
    post_only: bool | None = None
    reject_post_only: bool | None = None
    reduce_only: bool | None = None
    mmp: bool | None = None
    valid_until: int | str = 0
    advanced: str = ""


class Edit(EditTerms, kw_only=True):
    order_id: str


class EditByLabel(EditTerms, kw_only=True):
    label: str
    instrument_name: str


class ById(msgspec.Struct):
    order_id: str


class CancelByLabel(msgspec.Struct):
    label: str
    currency: str = ""


class CancelAll(msgspec.Struct, kw_only=True):
    """Every mass cancel; each form requires its own field."""

    currency: str | list[str] = ""
    currency_pair: str = ""
    instrument_name: str = ""
    kind: Kind = "any"
    type: CancelWhat = "all"
    include_combos: bool = False
    detailed: bool = False
    freeze_quotes: bool = False


class ClosePosition(msgspec.Struct):
    instrument_name: str
    type: Literal["limit", "market"]
    price: Exact | None = None


class QuoteSide(msgspec.Struct):
    price: Exact | None = None
    amount: Exact | None = None
    post_only: bool = False
    reject_post_only: bool = False


class Quote(msgspec.Struct):
    instrument_name: str
    quote_set_id: str = ""
    bid: QuoteSide | None = None
    ask: QuoteSide | None = None


class MassQuote(msgspec.Struct, kw_only=True):
    quote_id: str
    mmp_group: str
    quotes: list[Quote]
    wait_for_response: bool = True
    detailed: bool = False
    valid_until: int | str = 0


class CancelQuotes(msgspec.Struct, kw_only=True):
    cancel_type: Literal["delta", "quote_set_id", "instrument", "instrument_kind", "currency", "currency_pair", "all"]
    min_delta: float = 0.0
    max_delta: float = 1.0
    quote_set_id: str = ""
    instrument_name: str = ""
    kind: Kind = "any"
    currency: str = ""
    currency_pair: str = ""
    detailed: bool = False
    freeze_quotes: bool = False


class MmpConfig(msgspec.Struct, kw_only=True):
    index_name: str
    interval: int
    frozen_time: int = 0
    mmp_group: str = ""
    quantity_limit: Exact | None = None
    delta_limit: Exact | None = None
    vega_limit: Exact | None = None
    max_quote_quantity: Exact | None = None
    block_rfq: bool = False


class MmpScope(msgspec.Struct):
    index_name: str = ""
    mmp_group: str | None = None


class SelfTrading(msgspec.Struct):
    mode: Literal["reject_taker", "cancel_maker"]
    extended_to_subaccounts: bool


# -- queries


class OpenOrders(msgspec.Struct, kw_only=True):
    kind: Kind = "any"
    type: OpenWhat = "all"
    currency: str = ""
    instrument_name: str = ""


class ByLabel(msgspec.Struct):
    currency: str
    label: str


class OrderHistory(msgspec.Struct, kw_only=True):
    currency: str = ""
    instrument_name: str = ""
    kind: Kind = "any"
    count: int = 20
    offset: int = 0
    include_old: bool = False
    include_unfilled: bool = False
    with_continuation: bool = False
    continuation: str = ""
    historical: bool = False


class UserTrades(LastTrades, kw_only=True):
    order_id: str = ""
    historical: bool = False


class Positions(msgspec.Struct):
    currency: str = "any"
    kind: Kind = "any"
    subaccount_id: int = 0


class Summary(msgspec.Struct):
    currency: str
    extended: bool = False
    subaccount_id: int = 0


class Summaries(msgspec.Struct):
    extended: bool = False
    subaccount_id: int = 0


class Margins(msgspec.Struct):
    instrument_name: str
    amount: Exact
    price: Exact


class TransactionLog(msgspec.Struct, kw_only=True):
    currency: str
    start_timestamp: int | str
    end_timestamp: int | str
    query: str = ""
    count: int = 100
    continuation: int = 0


P = TypeVar("P", bound=msgspec.Struct)
MISSING = re.compile(r"missing required field `(\w+)`")
WHERE = re.compile(r"`\$\.(\w+)[^`]*`$")


def number(value: Any, *, from_text: bool) -> Exact:
    """A JSON number, or with `from_text` also its text, as an exact decimal; ValueError when it is none."""
    wanted = (str, int, float) if from_text else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise ValueError("must be a number")
    try:
        exact = Exact(str(value))
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if not exact.is_finite():
        raise ValueError("must be a number")
    return exact


def _strict(wanted: type, value: Any) -> Any:
    if wanted is not Exact:
        raise NotImplementedError(wanted)
    return number(value, from_text=False)


def _lax(wanted: type, value: Any) -> Any:
    if wanted is not Exact:
        raise NotImplementedError(wanted)
    return number(value, from_text=True)


def read(params: dict[str, Any], wanted: type[P], *, lax: bool = False) -> P:
    """The parameters as `wanted`; Refused(-32602) says which is wrong and how. `lax`: text stands for any type."""
    nulls = [name for name, value in params.items() if value is None]
    if nulls and not lax:
        raise bad_param(nulls[0], "must not be null")
    given = {name: _unpacked(value) if lax else value for name, value in params.items() if value is not None}
    try:
        return msgspec.convert(given, wanted, strict=not lax, dec_hook=_lax if lax else _strict)
    except msgspec.ValidationError as wrong:
        raise _refused(str(wrong)) from None


def _unpacked(value: Any) -> Any:
    """A list or object that came as text of a query string."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value


def _refused(text: str) -> Refused:
    missing = MISSING.search(text)
    if missing:
        return bad_param(missing[1], "value required")
    where = WHERE.search(text)
    reason = text.split(" - at ")[0].replace("`", "'")
    return Refused(BAD_PARAMS, reason, where[1] if where else "")


def milliseconds(value: int | str, param: str) -> int:
    """A time of milliseconds; the venue takes a number or its digits."""
    text = str(value)
    if not (text.isascii() and text.isdigit()):
        raise bad_param(param, "must be an integer")
    return int(text)
