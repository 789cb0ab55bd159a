"""Who trades: cash, positions, orders and their history, exact to the last decimal.

Owns the money. Never decides whether a trade may happen. Invariant: cash moves only by trades, fees, settlements and
deposits, and each trade moves the two sides by opposite amounts before fees (cash plus cost of perpetuals).
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from actors.trading.instruments import Instrument, Side
from actors.venues.paper.mmp import MmpGuard
from actors.venues.paper.tickets import ZERO, Fill, Order
from actors.venues.paper.valuation import Valuer, cut

PRECISE = Decimal("1e-18")


@attrs.define(eq=False)
class Position:
    valuer: Valuer
    amount: int = 0
    """Signed, in steps."""
    cost: Decimal = ZERO
    """What the open amount must earn back to be even: positive for a long, negative for a short (inverse: reversed)."""
    open_fees: Decimal = ZERO
    """Fees that belong to the open amount."""
    realized_pnl: Decimal = ZERO
    """After fees, since the first trade."""
    realized_pnl_excl_fees: Decimal = ZERO
    total_fees: Decimal = ZERO
    created_ns: int = 0

    @property
    def instrument(self) -> Instrument:
        return self.valuer.instrument

    @property
    def average_price(self) -> Decimal:
        """Including fees (a short's is premium less fees); zero when flat."""
        return self.valuer.average(self.cost + self.open_fees, self.amount)

    @property
    def average_price_excl_fees(self) -> Decimal:
        return self.valuer.average(self.cost, self.amount)

    def unrealized(self, mark: Decimal) -> Decimal:
        """Against a mark, excluding fees, in the settlement currency."""
        return self.valuer.mark_value(self.amount, mark) - self.cost

    def take(self, side: Side, price: int, amount: int, fee: Decimal) -> tuple[Decimal, Decimal]:
        """Book a trade; (realized PnL after fees, before fees) of the part that closed something."""
        self.total_fees += fee
        closing = min(amount, abs(self.amount)) if self.amount * side < 0 else 0
        cost = self.valuer.cost(side, price, amount)
        if not closing:
            self.amount += side * amount
            self.cost += cost
            self.open_fees += fee
            return ZERO, ZERO
        closing_cost = cost if closing == amount else self.valuer.cost(side, price, closing)
        closing_fee = fee if closing == amount else cut(fee * closing / amount)
        opened_cost, opened_fee = self._part(closing)
        gain = -(opened_cost + closing_cost)
        self.amount += side * amount
        self.cost += cost - closing_cost - opened_cost
        self.open_fees += fee - closing_fee - opened_fee
        self.realized_pnl_excl_fees += gain
        self.realized_pnl += gain - opened_fee - closing_fee
        return gain - opened_fee - closing_fee, gain

    def _part(self, closing: int) -> tuple[Decimal, Decimal]:
        """The cost and fees of the `closing` steps of the open amount; what division leaves over stays behind."""
        whole = abs(self.amount)
        if closing == whole:
            return self.cost, self.open_fees
        return cut(self.cost * closing / whole, PRECISE), cut(self.open_fees * closing / whole, PRECISE)

    def settle(self, worth: Decimal, fee: Decimal) -> None:
        """Close everything against its settlement worth (signed, settlement currency)."""
        gain = worth - self.cost
        self.realized_pnl_excl_fees += gain
        self.realized_pnl += gain - self.open_fees - fee
        self.total_fees += fee
        self.amount, self.cost, self.open_fees = 0, ZERO, ZERO


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
    """Open ones, by instrument."""
    flat: dict[str, Position] = attrs.Factory(dict)
    """Closed and settled ones: what was realized and paid stays on record."""
    open_orders: dict[str, Order] = attrs.Factory(dict)
    """By order id, oldest first; pending ones included."""
    by_instrument: dict[str, dict[str, Order]] = attrs.Factory(dict)
    """The same, by instrument."""
    ended: dict[str, Order] = attrs.Factory(dict)
    """Oldest first, bounded."""
    by_nonce: dict[int, Order] = attrs.Factory(dict)
    burnt_nonces: set[int] = attrs.Factory(set)
    """Cancelled before any order had them; asked for membership only."""
    quotes: dict[tuple[str, str, Side], Order] = attrs.Factory(dict)
    """Deribit's resting mass quotes by (instrument, group, side)."""
    quotes_frozen_until_ns: int = 0
    guards: dict[tuple[str, str], MmpGuard] = attrs.Factory(dict)
    """Protection by (scope, group)."""
    stale_orders: dict[str, None] = attrs.Factory(dict)
    """Instruments whose orders changed since margin was reckoned."""
    stale_positions: dict[str, None] = attrs.Factory(dict)
    fills: list[Fill] = attrs.Factory(list)
    """Oldest first; house accounts keep none."""

    def amount(self, instrument: str) -> int:
        """The signed position in steps."""
        position = self.positions.get(instrument)
        return position.amount if position is not None else 0

    def position_for(self, instrument: str, valuer: Valuer, now_ns: int) -> Position:
        """The position to book a trade on, opened (again) when there is none."""
        position = self.positions.get(instrument)
        if position is None:
            position = self.flat.pop(instrument, None) or Position(valuer)
            position.created_ns = now_ns
            self.positions[instrument] = position
        return position

    def file_if_flat(self, instrument: str) -> None:
        position = self.positions[instrument]
        if not position.amount:
            self.flat[instrument] = self.positions.pop(instrument)

    def keep_ended(self, order: Order, most: int) -> None:
        """Put an ended order on file; the oldest beyond `most` is forgotten."""
        self.ended[order.order_id] = order
        if len(self.ended) > most:
            oldest = self.ended.pop(next(iter(self.ended)))
            if self.by_nonce.get(oldest.nonce) is oldest:
                del self.by_nonce[oldest.nonce]
