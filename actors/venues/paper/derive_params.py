"""What a Derive client may send: the parameters of every method the paper exchange answers, as typed structs.

Owns the reading of JSON parameters (names and optional fields after the v3 schema). Knows nothing of accounts or orders.
Invariant: what `read` returns has the right types; anything else was refused with -32602. Decimals arrive as text or
number and stay exact; text with an exponent or a 13th decimal is refused as on the venue. Unknown fields are refused too
unless told otherwise: the venue's own view of them is not documented, and a misspelt optional field is a silent defect.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar

import msgspec

from actors.venues.paper.derive_errors import BAD_PARAMS, Refused
from actors.venues.paper.derive_signatures import DECIMALS

INT64_MAX = (1 << 63) - 1
MAX_PAGE = 1000


class Exact(Decimal):
    """A decimal as it stood in the JSON."""


class Empty(msgspec.Struct):
    pass


class ListInstruments(msgspec.Struct):
    instrument_type: Literal["option", "perp", "erc20"]
    expired: bool
    currency: str | None = None
    risk_universe_id: int | None = None
    page: int = 1
    page_size: int = 100


class ByInstrument(msgspec.Struct):
    instrument_name: str


class GetTickers(msgspec.Struct):
    instrument_type: Literal["option", "perp", "erc20"]
    currency: str | None = None
    expiry_date: int | str | None = None


class ByCurrency(msgspec.Struct):
    currency: str


class GetFeeds(msgspec.Struct):
    currency: str | None = None
    expiry: int | None = None


class PublicTrades(msgspec.Struct):
    batch_status: str | None = None
    currency: str | None = None
    from_timestamp: int = 0
    to_timestamp: int = INT64_MAX
    instrument_name: str | None = None
    instrument_type: str | None = None
    page: int = 1
    page_size: int = 100
    subaccount_id: int | None = None
    trade_id: str | None = None


class Login(msgspec.Struct):
    wallet: str
    timestamp: int | str
    signature: str


class Channels(msgspec.Struct):
    channels: list[str] | None = None


class OrderFields(msgspec.Struct, kw_only=True):
    """A whole new order; `private/order`, `order_debug` and `order_quote`."""

    subaccount_id: int
    instrument_name: str
    direction: Literal["buy", "sell"]
    amount: Exact
    limit_price: Exact
    max_fee: Exact
    nonce: str
    signature: str
    signature_expiry_sec: int
    signer: str
    order_type: Literal["limit", "market"] = "limit"
    time_in_force: Literal["gtc", "post_only", "fok", "ioc"] = "gtc"
    reject_post_only: bool = True
    reduce_only: bool = False
    mmp: bool = False
    label: str = ""
    reject_timestamp: int = INT64_MAX
    referral_code: str = ""
    client: str = ""
    extra_fee: Exact = Exact(0)
    is_atomic_signing: bool = False
    trigger_type: str | None = None
    trigger_price: Exact | None = None
    trigger_price_type: str | None = None
    algo_type: str | None = None
    algo_duration_sec: int | None = None
    algo_num_slices: int | None = None


class ReplaceFields(OrderFields, kw_only=True):
    order_id_to_cancel: str | None = None
    nonce_to_cancel: str | None = None
    expected_filled_amount: Exact | None = None


class BySubaccount(msgspec.Struct):
    subaccount_id: int


class Cancel(msgspec.Struct):
    subaccount_id: int
    order_id: str
    instrument_name: str


class CancelByNonce(msgspec.Struct):
    subaccount_id: int
    instrument_name: str
    nonce: str


class CancelByLabel(msgspec.Struct):
    subaccount_id: int
    label: str
    instrument_name: str | None = None


class CancelByInstrument(msgspec.Struct):
    subaccount_id: int
    instrument_name: str


class CancelAll(msgspec.Struct):
    subaccount_id: int
    cancel_trigger_orders: bool = False
    cancel_algo_orders: bool = False


class GetOrder(msgspec.Struct):
    subaccount_id: int
    order_id: str


class OrderHistory(msgspec.Struct):
    subaccount_id: int | None = None
    wallet: str | None = None
    from_timestamp: int = 0
    to_timestamp: int = INT64_MAX
    page: int = 1
    page_size: int = 100


class TradeHistory(OrderHistory):
    instrument_name: str | None = None
    order_id: str | None = None
    quote_id: str | None = None


class ByWallet(msgspec.Struct):
    wallet: str


class SetCancelOnDisconnect(msgspec.Struct):
    enabled: bool
    wallet: str | None = None


class SetMmp(msgspec.Struct):
    subaccount_id: int
    currency: str
    mmp_interval: int
    mmp_frozen_time: int
    mmp_amount_limit: Exact = Exact(0)
    mmp_delta_limit: Exact = Exact(0)


class MmpScope(msgspec.Struct):
    subaccount_id: int
    currency: str | None = None


class SimulatedPosition(msgspec.Struct):
    instrument_name: str
    amount: Exact
    entry_price: Exact | None = None


class SimulatedCollateral(msgspec.Struct):
    asset_name: str
    amount: Exact


class GetMargin(msgspec.Struct):
    subaccount_id: int
    is_delayed_liquidation: bool = False
    simulated_position_changes: list[SimulatedPosition] = []
    simulated_collateral_changes: list[SimulatedCollateral] = []


P = TypeVar("P", bound=msgspec.Struct)


def _exact(wanted: type, value: Any) -> Any:
    """A JSON text or number as an exact decimal; ValueError names what is wrong."""
    if wanted is not Exact:
        raise NotImplementedError(wanted)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{value!r} is no decimal")
    if isinstance(value, str) and not value.lstrip("-").replace(".", "", 1).isdigit():
        raise ValueError(f"{value!r} is no plain decimal")
    try:
        exact = Exact(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is no decimal") from None
    exponent = exact.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -DECIMALS:
        raise ValueError(f"{value!r} has more than {DECIMALS} decimals")
    return exact


def read(raw: msgspec.Raw, wanted: type[P], *, strict: bool = True) -> P:
    """The parameters as `wanted`; Refused(-32602) says which field is wrong and how."""
    try:
        params = msgspec.json.decode(raw, type=wanted, dec_hook=_exact)
        if strict:
            unknown = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).keys() - set(wanted.__struct_fields__)
            if unknown:
                raise Refused(BAD_PARAMS, f"unknown field {min(unknown)}")
    except msgspec.DecodeError as wrong:
        raise Refused(BAD_PARAMS, str(wrong)) from None
    return params


def nonce_of(text: str) -> int:
    """A nonce travels as a string of digits; a number was already refused by its type."""
    if not (text.isascii() and text.isdigit()):
        raise Refused(BAD_PARAMS, f"nonce {text!r} is no integer text")
    return int(text)
