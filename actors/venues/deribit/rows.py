"""The shapes of Deribit's answers and notifications, as msgspec Structs: only the fields somebody reads.

Owns names and types of the wire, nothing else. Unknown fields are skipped, unknown enum values stay text; what one
source writes as a number another writes as a string or leaves out (the recordings, the documentation, HTTP), so all
three are taken. Reference: deribit.md sections 3, 4 and 9.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

import msgspec

T = TypeVar("T")

Num = float | str
"""A decimal as the venue wrote it, to be counted exactly: by a float's shortest text, which is what was printed."""


def reader(shape: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder of one shape; numbers may be quoted or not."""
    return msgspec.json.Decoder(shape, strict=False)


# -- market data


class TickerRow(msgspec.Struct, gc=False):
    """Absent prices are 0.0 (or null, says the documentation); `mark_iv` is in percent. Its Greeks are not read: ours are of
    the surface that we quote by."""

    timestamp: int
    state: str = ""
    best_bid_price: Num | None = None
    best_ask_price: Num | None = None
    index_price: float | None = None
    mark_price: float | None = None
    mark_iv: float | None = None
    underlying_price: float | None = None
    interest_rate: float | None = None
    min_price: Num | None = None
    max_price: Num | None = None


class BookRow(msgspec.Struct, gc=False):
    """A snapshot or a change: (action, price, new size of the level)."""

    timestamp: int
    change_id: int
    bids: list[tuple[str, Num, Num]] = []
    asks: list[tuple[str, Num, Num]] = []
    prev_change_id: int | None = None
    type: str = ""


class GroupedRow(msgspec.Struct, gc=False):
    timestamp: int
    bids: list[tuple[Num, Num]] = []
    asks: list[tuple[Num, Num]] = []


class IndexRow(msgspec.Struct, gc=False):
    index_name: str
    price: float
    timestamp: int


class StateRow(msgspec.Struct, gc=False):
    instrument_name: str
    state: str


class PlatformRow(msgspec.Struct, gc=False):
    price_index: str = ""
    locked: bool | str | None = None
    maintenance: bool | None = None


class LockRow(msgspec.Struct, gc=False):
    """`locked` in notifications and examples, `enabled` in the documented schema: enabled is the lock."""

    currency: str = ""
    locked: bool | str | None = None
    enabled: bool | str | None = None
    message: str | None = None


class MmpTriggerRow(msgspec.Struct, gc=False):
    index_name: str
    frozen_until: int = 0
    mmp_group: str | None = None
    block_rfq: bool = False


# -- orders


class OrderRow(msgspec.Struct, gc=False):
    """`price` is "market_price" where there is none; a mass quote's order has `quote` set and no label."""

    order_id: str
    instrument_name: str
    direction: str
    order_state: str
    amount: Num = 0.0
    price: Num | None = None
    filled_amount: Num | None = None
    label: str | None = ""
    average_price: float | None = None
    last_update_timestamp: int = 0
    cancel_reason: str | None = ""
    mmp: bool = False
    quote: bool = False
    quote_id: str | None = None
    quote_set_id: str | None = None


class TradeRow(msgspec.Struct, gc=False):
    trade_id: str
    order_id: str
    instrument_name: str
    direction: str
    price: Num
    amount: Num
    timestamp: int
    fee: Decimal = Decimal(0)
    fee_currency: str = ""
    label: str | None = ""
    quote_set_id: str | None = None
    liquidity: str = ""
    index_price: float | None = None
    mark_price: float | None = None


class Placed(msgspec.Struct, gc=False):
    order: OrderRow
    trades: list[TradeRow] = []


class MassFault(msgspec.Struct, gc=False):
    code: int = 0
    message: str = ""


class MassError(msgspec.Struct, gc=False):
    """`side` is "bid" or "ask"."""

    instrument_name: str
    side: str
    error: MassFault


class MassResult(msgspec.Struct, gc=False):
    orders: list[OrderRow] = []
    trades: list[TradeRow] = []
    errors: list[MassError] = []


class Changes(msgspec.Struct, gc=False):
    orders: list[OrderRow] = []
    trades: list[TradeRow] = []


# -- queries


class TradePage(msgspec.Struct):
    trades: list[TradeRow]
    has_more: bool = False


class PositionRow(msgspec.Struct):
    instrument_name: str
    size: Num


class TickStep(msgspec.Struct):
    above_price: Num
    tick_size: Num


class InstrumentRow(msgspec.Struct):
    instrument_name: str
    tick_size: Num
    min_trade_amount: Num
    kind: str = "option"
    option_type: str | None = None
    strike: float = 0.0
    expiration_timestamp: int = 0
    base_currency: str = ""
    quote_currency: str = ""
    settlement_currency: str = ""
    instrument_type: str = ""
    price_index: str = ""
    tick_size_steps: list[TickStep] = []
    maker_commission: float = 0.0
    taker_commission: float = 0.0
    is_active: bool = True
    state: str = ""
    creation_timestamp: int = 0


class LoginRow(msgspec.Struct):
    refresh_token: str = ""
    expires_in: float = 0.0
    scope: str = ""


class CancelOnDisconnect(msgspec.Struct):
    enabled: bool
    scope: str = ""


class Summary(msgspec.Struct):
    id: int | str = ""
    mmp_enabled: bool = False
    limits: dict[str, object] | None = None


class StatusRow(msgspec.Struct):
    locked: bool | str = "false"
    locked_indices: list[str] | None = None
    locked_currencies: list[str] | None = None


class MmpRow(msgspec.Struct):
    """Times in seconds; a limit that is not set is absent or null."""

    index_name: str
    interval: float = 0.0
    frozen_time: float = 0.0
    quantity_limit: Decimal | None = None
    delta_limit: Decimal | None = None
    vega_limit: Decimal | None = None
    max_quote_quantity: Decimal | None = None
    mmp_group: str | None = None


class MmpStatusRow(msgspec.Struct):
    index_name: str
    frozen_until: int = 0
    mmp_group: str | None = None
