"""The paper the floor works with: requests, orders, fills, refusals, in words that belong to no venue.

Owns the vocabulary shared by the matching engine and the protocol faces. Prices are whole smallest ticks, amounts whole
steps of the instrument, money is `Decimal`, instants are UTC nanoseconds unless the name says otherwise. Faces translate
venue JSON to `OrderRequest` and `Reason` to their error codes; nothing here knows a code or a field name of a venue.
Invariant: an `Order` reaches at most one final status, and `filled + remaining` never exceeds `amount`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from actors.trading.instruments import Side

ZERO = Decimal(0)


class OrderType(StrEnum):
    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(StrEnum):
    """How long an order may rest. Post-only is a flag of its own (`OrderRequest.post_only`), also for Derive."""

    GTC = "gtc"
    DAY = "day"
    IOC = "ioc"
    FOK = "fok"


class OrderStatus(StrEnum):
    """PENDING is an aggressive order waiting in the speed bump: not on the book, not final."""

    PENDING = "pending"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        return self not in (OrderStatus.OPEN, OrderStatus.PENDING)


class CancelReason(StrEnum):
    NONE = ""
    USER = "user_request"
    MMP = "mmp_trigger"
    MMP_CURTAILED = "mmp_config_curtailment"
    MARGIN = "insufficient_margin"
    MAX_FEE = "signed_max_fee_too_low"
    DISCONNECT = "cancel_on_disconnect"
    IMMEDIATE = "ioc_or_market_partial_fill"
    EDIT_POST_ONLY = "edit_post_only_reject"
    SELF_TRADE = "order_overlap"
    SETTLEMENT = "settlement"
    KEY_REMOVED = "session_key_deregistered"
    ADMIN = "compliance"


class Role(StrEnum):
    MAKER = "maker"
    TAKER = "taker"


class Reason(StrEnum):
    """Why a request was refused; each face maps these to its venue's codes."""

    UNKNOWN_ACCOUNT = "no such account"
    UNKNOWN_INSTRUMENT = "no such instrument"
    UNKNOWN_ORDER = "no such order"
    ALREADY_CANCELLED = "order already cancelled"
    ALREADY_FILLED = "order already filled"
    ALREADY_EXPIRED = "order already expired"
    NOT_LIVE = "instrument is not live"
    SETTLING = "settlement in progress"
    MAINTENANCE = "exchange under maintenance"
    BAD_AMOUNT = "amount is off the step or out of bounds"
    BAD_PRICE = "price is off the tick or not positive"
    PRICE_TOO_HIGH = "price above the band"
    PRICE_TOO_LOW = "price below the band"
    BAD_ARGUMENTS = "arguments contradict each other"
    POST_ONLY_MARKET = "post-only on a market or immediate order"
    POST_ONLY_CROSS = "post-only order would cross"
    NO_SLIDE = "post-only price cannot be modified"
    SELF_CROSS = "order would cross an own order"
    NOTHING_TO_MATCH = "nothing to match"
    FOK_UNFILLED = "fill-or-kill not filled"
    REDUCE_ONLY_RESTING = "reduce-only order may not rest"
    WOULD_NOT_REDUCE = "order would not reduce the position"
    MMP_FROZEN = "market-maker protection is frozen"
    MMP_REQUIRED = "market-maker protection is not configured"
    MMP_QUANTITY = "quote quantity limit of market-maker protection"
    QUOTES_FROZEN = "quotes are frozen"
    NONCE_USED = "nonce already used"
    NONCE_WINDOW = "nonce outside its time window"
    EXPIRY_BOUNDS = "signature expiry out of bounds"
    MAX_FEE_LOW = "max fee too low"
    TOO_LATE = "reached the engine after its deadline"
    TOO_MANY_ORDERS = "too many open orders"
    NOT_ENOUGH_MARGIN = "not enough margin"
    FILL_DIFFERS = "filled amount differs from the expected one"
    LABEL_NOT_UNIQUE = "label does not name exactly one open order"
    REPLACED_MEANWHILE = "order was changed by another request"
    QUOTE_ORDER = "order belongs to a mass quote"
    QUOTE_CROSSED = "own bid at or above own ask"
    TOO_MANY_QUOTES = "too many quotes"
    SEVERAL_INDICES = "quotes of several indices in one request"


class Refusal(Exception):
    """The request had no effect, except where the venue's rule says otherwise (a failed edit may cancel its order).

    `limit` holds the bound that was breached when there is one (the band's edge, the minimum fee, ...).
    """

    def __init__(self, reason: Reason, detail: str = "", limit: str = "") -> None:
        super().__init__(f"{reason.value}" + (f": {detail}" if detail else ""))
        self.reason = reason
        self.detail = detail
        self.limit = limit


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What the world says about one instrument. Prices in the instrument's own unit (coin for inverse options).

    At most 12 decimals. `min_price` and `max_price` None: the venue's band rule applies. Greeks are per contract.
    """

    mark: Decimal
    forward: Decimal = ZERO
    mark_vol: float = 0.0
    """A fraction a year."""
    discount: float = 1.0
    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0
    rho: float = 0.0
    funding_rate: float = 0.0
    min_price: Decimal | None = None
    max_price: Decimal | None = None


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the face read it. `price` None only for a market order without a limit."""

    instrument: str
    side: Side
    amount: int
    price: int | None = None
    order_type: OrderType = OrderType.LIMIT
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reject_post_only: bool = True
    """False: a crossing post-only slides to one tick from the opposite best."""
    reduce_only: bool = False
    mmp: bool = False
    mmp_group: str = ""
    label: str = ""
    nonce: int = 0
    """Zero: the venue has none."""
    signer: str = ""
    signature: str = ""
    signature_expiry_s: int = 0
    """UTC seconds at which a resting order dies; zero: never."""
    max_fee: Decimal | None = None
    """Cap per unit of amount; None: not checked."""
    reject_after_ms: int = 0
    """Refused when the engine's clock (UTC ms) is past this; zero: no deadline."""
    connection: int = 0
    """The socket it came on, for connection-scoped cancel on disconnect; zero: none."""
    echo: dict[str, Any] | None = None
    """Fields of the face, returned untouched on the order."""


class Order(msgspec.Struct, kw_only=True, eq=False):
    """An order's whole life. The engine alone writes it; events carry copies, queries the live object."""

    order_id: str
    account_id: int
    instrument: str
    side: Side
    price: int
    """The working price in ticks (slid or edited); zero for a market order without limit."""
    signed_price: int
    amount: int
    """Total, filled part included."""
    order_type: OrderType
    tif: TimeInForce
    created_ns: int
    updated_ns: int
    filled: int = 0
    status: OrderStatus = OrderStatus.OPEN
    cancel_reason: CancelReason = CancelReason.NONE
    post_only: bool = False
    reject_post_only: bool = True
    reduce_only: bool = False
    mmp: bool = False
    mmp_group: str = ""
    label: str = ""
    nonce: int = 0
    signer: str = ""
    signature: str = ""
    signature_expiry_s: int = 0
    max_fee: Decimal | None = None
    connection: int = 0
    fee_paid: Decimal = ZERO
    value_filled: int = 0
    """Sum of price x amount over the fills, in ticks x steps."""
    replaced_order_id: str = ""
    """Derive: the order this one took the place of."""
    replaced: bool = False
    """Deribit: the order was edited."""
    quote_id: str = ""
    """Non-empty for orders born in a mass quote."""
    quote_set_id: str = ""
    echo: dict[str, Any] | None = None

    @property
    def remaining(self) -> int:
        return self.amount - self.filled

    @property
    def average_ticks(self) -> Decimal:
        """Average fill price in smallest ticks; zero when unfilled. Multiply by `instrument.tick`."""
        return Decimal(self.value_filled) / self.filled if self.filled else ZERO


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One side's row of a trade; maker and taker rows share `trade_id` and `seq`."""

    trade_id: str
    seq: int
    """Per instrument, from 1, without gaps."""
    instrument: str
    account_id: int
    order_id: str
    side: Side
    """This account's own side."""
    role: Role
    price: int
    amount: int
    fee: Decimal
    """In the settlement currency, non-negative, cut to the venue's decimals."""
    realized_pnl: Decimal
    """After fees of the opened and of this trade."""
    realized_pnl_excl_fees: Decimal
    mark: Decimal
    index: Decimal
    forward: Decimal
    mark_vol: float
    label: str
    mmp: bool
    at_ns: int
    tick_direction: int
    """0 up-tick, 1 zero-plus, 2 down-tick, 3 zero-minus."""


class Placed(msgspec.Struct, frozen=True):
    """What became of a request: the order as it stands, and the fills it made at once.

    `pending`: it waits in the speed bump; the outcome follows as an `OrderReleased` event.
    """

    order: Order
    fills: tuple[Fill, ...] = ()
    pending: bool = False


class Replaced(msgspec.Struct, frozen=True):
    """Derive's replace: `cancelled` stays cancelled also when `failure` says why the new order was not born."""

    cancelled: Order
    placed: Placed | None = None
    failure: Refusal | None = None


class EditRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Deribit's edit: `amount` is the new total, filled part included."""

    amount: int
    price: int | None = None
    """None: unchanged."""
    post_only: bool = False
    reject_post_only: bool = False
    reduce_only: bool = False
    reject_after_ms: int = 0


class QuoteSide(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a mass quote; None keeps the resting value; amount 0 cancels the side."""

    price: int | None = None
    amount: int | None = None
    post_only: bool = False
    reject_post_only: bool = False


class QuoteEntry(msgspec.Struct, frozen=True, kw_only=True):
    instrument: str
    quote_set_id: str = ""
    bid: QuoteSide | None = None
    ask: QuoteSide | None = None


class QuoteError(msgspec.Struct, frozen=True):
    instrument: str
    side: Side
    refusal: Refusal


class MassQuoted(msgspec.Struct, frozen=True):
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    errors: tuple[QuoteError, ...]
    pending: int = 0
    """Sides that wait in the speed bump."""
