"""Who trades: cash, positions, orders and their history, exact to the last decimal.

Owns the money. Never decides whether a trade may happen. Invariant: cash moves only by trades, fees, settlements and
deposits, and each trade moves the two sides by opposite amounts before fees.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from actors.trading.instruments import Instrument
from actors.venues.paper.tickets import Fill, Order

ZERO = Decimal(0)


@attrs.define(eq=False)
class Position:
    instrument: Instrument
    amount: int = 0
    """Signed, in steps."""
    cost: Decimal = ZERO
    """What was paid (positive) or received (negative) for the open amount, excluding fees, settlement currency."""
    open_fees: Decimal = ZERO
    """Fees that belong to the open amount."""
    realized_pnl: Decimal = ZERO
    realized_pnl_excl_fees: Decimal = ZERO
    total_fees: Decimal = ZERO
    created_ns: int = 0

    @property
    def average_price(self) -> Decimal:
        """Including fees (a short's is premium less fees); zero when flat."""
        raise NotImplementedError

    @property
    def average_price_excl_fees(self) -> Decimal:
        raise NotImplementedError

    def unrealized(self, mark: Decimal) -> Decimal:
        """Against a mark, excluding fees, in the settlement currency."""
        raise NotImplementedError


@attrs.define(eq=False)
class Account:
    """A Derive subaccount or a Deribit user. House accounts are unlimited and unchecked (the world's own)."""

    account_id: int
    owner: str
    """Derive: the wallet; Deribit: the main account."""
    house: bool = False
    base_fee_waived: bool = False
    cancel_maker_on_self_cross: bool = False
    """Deribit's `cancel_maker`; False refuses the taker."""
    cash: dict[str, Decimal] = attrs.Factory(dict)
    positions: dict[str, Position] = attrs.Factory(dict)
    """Open ones only."""
    open_orders: dict[str, Order] = attrs.Factory(dict)
    """By order id, oldest first; pending ones included."""
    fills: list[Fill] = attrs.Factory(list)
    """Oldest first; house accounts keep none."""
