"""The shapes of Derive's answers and notifications, as msgspec Structs: only the fields somebody reads.

Owns names and types of the wire, nothing else. Unknown fields are skipped, unknown enum values stay text; a decimal may
come as string or number. Fields read as plain floats are decoded by `strict=False`, which takes both. Reference:
derive.md sections 3 to 5 and the schema file beside it.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")

Num = str | float
"""A decimal as the venue wrote it, to be counted exactly."""


def reader(shape: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder of one shape; numbers may be quoted or not."""
    return msgspec.json.Decoder(shape, strict=False)


# -- market data


class Pricing(msgspec.Struct, gc=False):
    """Its Greeks (d, g, v, t) are not read: ours are of the surface that we quote by."""

    i: float | None = None
    f: float | None = None
    df: float | None = None


class Snapshot(msgspec.Struct, gc=False, kw_only=True):
    """A slim ticker: b, a best prices; I index; M mark; minp, maxp band; "0" is absent. Fields stand as the venue sends
    them: msgspec looks for each key first where the last one was found."""

    I: float | None = None  # noqa: E741  the venue's own name
    M: float | None = None
    a: Num = "0"
    b: Num = "0"
    maxp: Num = "0"
    minp: Num = "0"
    option_pricing: Pricing | None = None
    t: int


class SlimTicker(msgspec.Struct, gc=False):
    instrument_ticker: Snapshot


class BookSnapshot(msgspec.Struct, gc=False):
    timestamp: int
    bids: list[tuple[Num, Num]]
    asks: list[tuple[Num, Num]]


class SpotPrice(msgspec.Struct, gc=False):
    price: float


class SpotFeed(msgspec.Struct, gc=False):
    timestamp: int
    feeds: dict[str, SpotPrice]


# -- orders


class OrderRow(msgspec.Struct, gc=False, kw_only=True):
    """Fields in the venue's order, as above."""

    order_id: str
    instrument_name: str
    direction: str
    label: str | None = ""
    amount: Num
    filled_amount: Num = "0"
    average_price: float | None = None
    limit_price: Num
    nonce: str | int = ""
    signature_expiry_sec: int = 0
    mmp: bool = False
    order_status: str
    cancel_reason: str | None = ""
    last_update_timestamp: int = 0
    replaced_order_id: str | None = None


class TradeRow(msgspec.Struct, gc=False):
    trade_id: str
    order_id: str
    instrument_name: str
    direction: str
    trade_price: Num
    trade_amount: Num
    timestamp: int
    trade_fee: Num = "0"
    label: str | None = ""
    liquidity_role: str = ""
    index_price: float | None = None
    mark_price: float | None = None


class Placed(msgspec.Struct, gc=False):
    order: OrderRow
    trades: list[TradeRow] = []


class CreateError(msgspec.Struct):
    code: int
    message: str = ""
    data: object = None


class Replaced(msgspec.Struct, gc=False):
    cancelled_order: OrderRow | None = None
    order: OrderRow | None = None
    trades: list[TradeRow] | None = None
    create_order_error: CreateError | None = None


class CancelledCount(msgspec.Struct, gc=False):
    cancelled_orders: int


class BalanceRow(msgspec.Struct, gc=False):
    name: str
    update_type: str
    previous_balance: Num
    new_balance: Num


# -- queries


class SviNumbers(msgspec.Struct):
    SVI_a: float
    SVI_b: float
    SVI_rho: float
    SVI_m: float
    SVI_sigma: float
    SVI_fwd: float
    SVI_refTau: float = 0.0


class SmileRow(msgspec.Struct):
    expiry: int
    vol_data: SviNumbers
    timestamp: float = 0.0


class SignedFeeds(msgspec.Struct):
    """By currency, then expiry; rows stay raw: one that cannot be read must not hide the others."""

    vol_data: dict[str, dict[str, msgspec.Raw] | None] = {}


class Pagination(msgspec.Struct, frozen=True):
    num_pages: int = 1


class OrderPage(msgspec.Struct):
    orders: list[OrderRow]
    pagination: Pagination = Pagination()


class TradePage(msgspec.Struct):
    trades: list[TradeRow]
    pagination: Pagination = Pagination()


class PositionRow(msgspec.Struct):
    instrument_name: str
    amount: Num


class PositionPage(msgspec.Struct):
    positions: list[PositionRow]


class OptionDetails(msgspec.Struct):
    expiry: int
    strike: float
    option_type: str
    index: str = ""


class PerpDetails(msgspec.Struct):
    index: str = ""


class InstrumentRow(msgspec.Struct):
    instrument_name: str
    tick_size: Num
    amount_step: Num
    minimum_amount: Num
    maximum_amount: Num
    base_asset_address: str
    base_asset_sub_id: str | int
    base_currency: str = ""
    is_active: bool = True
    scheduled_activation: int = 0
    scheduled_deactivation: int = 1 << 62
    maker_fee_rate: float = 0.0
    taker_fee_rate: float = 0.0
    base_fee: float = 0.0
    mark_price_fee_rate_cap: float | None = None
    option_details: OptionDetails | None = None
    perp_details: PerpDetails | None = None


class InstrumentPage(msgspec.Struct):
    """Rows stay raw: one that cannot be read must not hide the others."""

    instruments: list[msgspec.Raw]
    pagination: Pagination = Pagination()


class Account(msgspec.Struct):
    subaccount_ids: list[int]
    fallback_subaccount_id: int | None = None
    websocket_matching_tps: float | None = None
    websocket_non_matching_tps: float | None = None
    websocket_option_tps: float | None = None
    per_endpoint_tps: dict[str, object] | None = None
    cancel_on_disconnect: bool = False


class Points(msgspec.Struct, frozen=True):
    consumedPoints: int = 0


class RateLimits(msgspec.Struct):
    remaining_matching: Points = Points()
    remaining_non_matching: Points = Points()


class SessionKeyRow(msgspec.Struct):
    public_session_key: str
    expiry_sec: int


class SessionKeys(msgspec.Struct):
    public_session_keys: list[SessionKeyRow]


class Subscribed(msgspec.Struct):
    status: dict[str, str]
    current_subscriptions: list[str] = []


class MmpRow(msgspec.Struct):
    currency: str
    mmp_interval: int = 0
    mmp_frozen_time: int = 0
    mmp_amount_limit: Num = "0"
    mmp_delta_limit: Num = "0"
    is_frozen: bool = False
    mmp_unfreeze_time: int = 0
