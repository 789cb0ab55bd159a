"""What the engine tells its faces: one typed event for each change of state, in the order in which it happened.

Owns the event types only. Orders and fills inside are copies, safe to keep. House accounts draw no `OrderChanged` and no
`BalanceChanged` (nobody listens to them), yet their trades and book changes are told. `BookChanged` is gathered per
instrument between two drains and comes last. Invariant: an order's final `OrderChanged` is its last.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import msgspec

from actors.trading.instruments import Side
from actors.venues.paper.tickets import Fill, Order, Refusal


class InstrumentState(StrEnum):
    OPEN = "open"
    LOCKED = "locked"
    """Cancels only: before activation, after deactivation, or by order of the operator."""
    SETTLEMENT = "settlement"
    """Nothing is accepted."""
    HALTED = "halted"
    DELIVERED = "delivered"


class BalanceUpdate(StrEnum):
    TRADE = "trade"
    DEPOSIT = "asset_deposit"
    TRANSFER = "transfer"
    LIQUIDATION = "liquidation"
    DRIFT_FIX = "onchain_drift_fix"
    PERP_SETTLEMENT = "perp_settlement"
    OPTION_SETTLEMENT = "option_settlement"


class OrderChanged(msgspec.Struct, frozen=True):
    """One per order and engine call, however many fills it had in it."""

    order: Order


class OrderReleased(msgspec.Struct, frozen=True):
    """The outcome of a `Placed.pending` request: its fills, or the refusal it met when its turn came."""

    order: Order
    fills: tuple[Fill, ...] = ()
    refusal: Refusal | None = None


class Traded(msgspec.Struct, frozen=True):
    maker: Fill
    taker: Fill


class LevelChange(NamedTuple):
    """A price level whose size differs from the last drain: `before` 0 is new, `amount` 0 is gone."""

    side: Side
    price: int
    before: int
    amount: int


class BookChanged(msgspec.Struct, frozen=True):
    instrument: str
    change_id: int
    prev_change_id: int
    levels: tuple[LevelChange, ...]


class BalanceChanged(msgspec.Struct, frozen=True):
    """`name` is a currency for cash, an instrument for a position."""

    account_id: int
    name: str
    previous: Decimal
    new: Decimal
    why: BalanceUpdate


class Listed(msgspec.Struct, frozen=True):
    instrument: str


class StateChanged(msgspec.Struct, frozen=True):
    instrument: str
    state: InstrumentState


class MmpTripped(msgspec.Struct, frozen=True):
    account_id: int
    scope: str
    """Derive: currency; Deribit: index name."""
    group: str
    frozen_until_ms: int
    """Zero: until reset by hand."""


class Settled(msgspec.Struct, frozen=True):
    instrument: str
    price: Decimal


class MaintenanceSwitched(msgspec.Struct, frozen=True):
    on: bool


Event = (
    OrderChanged
    | OrderReleased
    | Traded
    | BookChanged
    | BalanceChanged
    | Listed
    | StateChanged
    | MmpTripped
    | Settled
    | MaintenanceSwitched
)
