"""The crossing of orders: sweeps the book, books both sides of each trade, ends or rests what is left.

Owns what happens between an admitted order and the book. Never checks whether an order may be placed (`checks` did).
Invariant: every trade is at the maker's price, on both accounts, with one trade id and one running number.
"""

from __future__ import annotations

from decimal import Decimal

from actors.trading.instruments import Numeraire, Side
from actors.venues.paper.accounts import Account
from actors.venues.paper.allotting import allot
from actors.venues.paper.events import BalanceChanged, BalanceUpdate, MmpTripped, Traded
from actors.venues.paper.fees import rate_fee, trade_fee
from actors.venues.paper.floor import Floor
from actors.venues.paper.listings import NO_CEILING, Listing
from actors.venues.paper.mmp import FOREVER, Counted
from actors.venues.paper.rules import MS
from actors.venues.paper.tickets import ZERO, CancelReason, Fill, Order, OrderStatus, OrderType, Role, TimeInForce


def immediate(order_type: OrderType, tif: TimeInForce) -> bool:
    """Whether what does not match at once is cancelled."""
    return order_type is OrderType.MARKET or tif is TimeInForce.IOC or tif is TimeInForce.FOK


def match_limit(listing: Listing, side: Side, price: int, clipped: bool) -> int:
    """The worst price in ticks a taker may pay: its limit (zero: none), within the band when `clipped`."""
    if not clipped and price:
        return price
    low, high = listing.band()
    if side > 0:
        return min(price or NO_CEILING, high)
    return max(price, low)


class Matcher:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._working: Order | None = None
        self._pulled: CancelReason | None = None

    def work(self, taker: Order, listing: Listing, now_ns: int) -> list[Fill]:
        """Match a PENDING order and bring it to its place: ended, or resting. Its own fills."""
        account = self._floor.accounts[taker.account_id]
        clipped = immediate(taker.order_type, taker.tif)
        limit = match_limit(listing, taker.side, taker.price, clipped)
        base = self._base_per_unit(taker, account, listing, limit)
        fills: list[Fill] = []
        self._working, self._pulled = taker, None
        while self._pulled is None:
            level = listing.book.top(taker.side.other)
            wanted = min(taker.amount - taker.filled, self._reducible(taker, account))
            if not wanted or level is None or level.price * taker.side > limit * taker.side:
                break
            for share in allot(level, wanted, self._floor.allotments[listing.name]):
                if share.order.status is OrderStatus.OPEN and self._pulled is None:
                    self._meet(share.order, taker, listing, share.amount, base, fills, now_ns)
        self._working = None
        self._finish(taker, account, listing, now_ns)
        return fills

    def _finish(self, taker: Order, account: Account, listing: Listing, now_ns: int) -> None:
        floor = self._floor
        if taker.filled == taker.amount:
            floor.end(taker, OrderStatus.FILLED, CancelReason.NONE, now_ns)
        elif self._pulled is not None:
            floor.end(taker, OrderStatus.CANCELLED, self._pulled, now_ns)
        elif immediate(taker.order_type, taker.tif):
            floor.end(taker, OrderStatus.CANCELLED, CancelReason.IMMEDIATE, now_ns)
        elif not self._reducible(taker, account):
            floor.end(taker, OrderStatus.CANCELLED, CancelReason.NONE, now_ns)
        else:
            floor.rest(taker, listing)
            floor.note(taker, account)

    def _meet(
        self, maker: Order, taker: Order, listing: Listing, amount: int, base: Decimal, fills: list[Fill], now_ns: int
    ) -> None:
        """One maker against the taker; a side whose signed fee cap is too low is cancelled instead."""
        if maker.reduce_only:
            amount = min(amount, self._reducible(maker, self._floor.accounts[maker.account_id]))
            if not amount:
                self._floor.end(maker, OrderStatus.CANCELLED, CancelReason.NONE, now_ns)
                return
        if self._too_dear(maker, listing, Role.MAKER, maker.price, amount, ZERO):
            self._floor.end(maker, OrderStatus.CANCELLED, CancelReason.MAX_FEE, now_ns)
        elif self._too_dear(taker, listing, Role.TAKER, maker.price, amount, base):
            self._pulled = CancelReason.MAX_FEE
        else:
            fills.append(self._trade(maker, taker, listing, amount, now_ns))

    # -- one trade

    def _trade(self, maker: Order, taker: Order, listing: Listing, amount: int, now_ns: int) -> Fill:
        """Book it on both sides; the taker's row. Protection is asked last, so the fill that trips it stands."""
        price = maker.price
        listing.stats.note(price, amount)
        trade_id = self._floor.trade_id(listing)
        self._leave_book(maker, listing, amount, now_ns)
        made = self._book_side(maker, Role.MAKER, listing, price, amount, trade_id, now_ns)
        took = self._book_side(taker, Role.TAKER, listing, price, amount, trade_id, now_ns)
        self._floor.events.append(Traded(made, took))
        self._tell_money(made, listing)
        self._tell_money(took, listing)
        self._protect(maker, listing, amount, now_ns)
        self._protect(taker, listing, amount, now_ns)
        return took

    def _leave_book(self, maker: Order, listing: Listing, amount: int, now_ns: int) -> None:
        if amount == maker.amount - maker.filled:
            self._floor.end(maker, OrderStatus.FILLED, CancelReason.NONE, now_ns)
        else:
            self._floor.shrink(maker, listing, amount)
            self._floor.note(maker, self._floor.accounts[maker.account_id])

    def _book_side(
        self, order: Order, role: Role, listing: Listing, price: int, amount: int, trade_id: str, now_ns: int
    ) -> Fill:
        """Order, position, cash and open interest of one side; its row of the trade."""
        account = self._floor.accounts[order.account_id]
        base = self._base_owed(order, account, listing) if role is Role.TAKER else ZERO
        fee = trade_fee(self._floor.rules, listing, role, price, amount, base)
        order.filled += amount
        order.value_filled += price * amount
        order.fee_paid += fee
        order.updated_ns = now_ns
        position = account.position_for(listing.name, listing.valuer, now_ns)
        long_before = max(position.amount, 0)
        pnl, gross = position.take(order.side, price, amount, fee)
        listing.stats.open_interest += max(position.amount, 0) - long_before
        self._pay(account, listing, order.side, price, amount, gross, fee)
        fill = _row(order, role, listing, price, amount, trade_id, now_ns, fee, pnl, gross)
        if not account.house:
            account.fills.append(fill)
            account.stale_positions[listing.name] = None
        return fill

    @staticmethod
    def _pay(
        account: Account, listing: Listing, side: Side, price: int, amount: int, gross: Decimal, fee: Decimal
    ) -> None:
        """Premium of options at once, profit of perpetuals when realized; fees always."""
        valuer = listing.valuer
        gain = -valuer.cost(side, price, amount) if valuer.is_option else gross
        account.cash[valuer.currency] = account.cash.get(valuer.currency, ZERO) + gain - fee

    def _tell_money(self, fill: Fill, listing: Listing) -> None:
        """Position and cash as they are after the trade; the position leaves the open ones when flat."""
        account = self._floor.accounts[fill.account_id]
        position = account.positions.get(fill.instrument)
        if position is None:  # both sides were this account's, and the first row filed it
            return
        if not account.house:
            self._tell_balances(account, fill, listing, position.amount)
        account.file_if_flat(fill.instrument)

    def _tell_balances(self, account: Account, fill: Fill, listing: Listing, amount: int) -> None:
        valuer = listing.valuer
        gain = -valuer.cost(fill.side, fill.price, fill.amount) if valuer.is_option else fill.realized_pnl_excl_fees
        cash = account.cash[valuer.currency]
        step = listing.instrument.amount_step
        before = (amount - fill.side * fill.amount) * step
        why, events, who = BalanceUpdate.TRADE, self._floor.events, account.account_id
        events.append(BalanceChanged(who, valuer.currency, cash - gain + fill.fee, cash, why))
        events.append(BalanceChanged(who, fill.instrument, before, amount * step, why))

    # -- limits met while matching

    def _reducible(self, order: Order, account: Account) -> int:
        """How many steps the order may still trade: all of them, unless it may only reduce."""
        if not order.reduce_only:
            return NO_CEILING
        return max(0, -account.amount(order.instrument) * order.side)

    def _base_owed(self, order: Order, account: Account, listing: Listing) -> Decimal:
        """The base fee is once an order."""
        return ZERO if order.filled or account.base_fee_waived else listing.valuer.fee_base

    def _base_per_unit(self, taker: Order, account: Account, listing: Listing, limit: int) -> Decimal:
        """The base fee spread over what the order will take, for the comparison with its signed cap."""
        if taker.max_fee is None:
            return ZERO
        base = self._base_owed(taker, account, listing)
        crossing = listing.book.within(taker.side, limit, taker.amount - taker.filled) if base else 0
        return base / (crossing * listing.valuer.size) if crossing else ZERO

    def _too_dear(self, order: Order, listing: Listing, role: Role, price: int, amount: int, base: Decimal) -> bool:
        if order.max_fee is None:
            return False
        fee = rate_fee(self._floor.rules, listing, role, price, amount) / (amount * listing.valuer.size)
        return fee + base > order.max_fee

    # -- market-maker protection

    def _protect(self, order: Order, listing: Listing, amount: int, now_ns: int) -> None:
        if not order.mmp:
            return
        account = self._floor.accounts[order.account_id]
        scope = self._floor.scope_of(listing)
        guard = account.guards.get((scope, order.mmp_group))
        if guard is None or not guard.note(self._counted(order, listing, amount, now_ns), self._floor.rules):
            return
        until = guard.frozen_until_ns
        until_ms = 0 if until == FOREVER else until // MS
        self._floor.events.append(MmpTripped(account.account_id, scope, order.mmp_group, until_ms))
        self.pull_protected(account, scope, order.mmp_group, now_ns)

    @staticmethod
    def _counted(order: Order, listing: Listing, amount: int, now_ns: int) -> Counted:
        """What protection counts: contracts, and the signed delta (coin options: net of premium) and vega."""
        size = amount * listing.valuer.size
        reference = listing.reference
        if reference is None:
            return Counted(now_ns, size, 0.0, 0.0)
        coin = listing.instrument.numeraire is Numeraire.COIN and listing.valuer.is_option
        delta = reference.delta - (float(reference.mark) if coin else 0.0)
        signed = float(size) * order.side
        return Counted(now_ns, size, delta * signed, reference.vega * signed)

    def pull_protected(self, account: Account, scope: str, group: str, now_ns: int) -> None:
        """Cancel every protected order of a scope and group; what waits in the speed bump only loses its right to rest."""
        for order in list(account.open_orders.values()):
            if not order.mmp or order.mmp_group != group:
                continue
            if self._floor.scope_of(self._floor.listings[order.instrument]) == scope:
                self.pull(order, CancelReason.MMP, now_ns)

    def pull(self, order: Order, reason: CancelReason, now_ns: int) -> None:
        """Cancel one open order, wherever it is: resting, being matched, or waiting in the speed bump."""
        if order is self._working:
            self._pulled = reason
        elif order.status is OrderStatus.PENDING:
            order.tif = TimeInForce.IOC
        else:
            self._floor.end(order, OrderStatus.CANCELLED, reason, now_ns)


def _row(
    order: Order, role: Role, listing: Listing, price: int, amount: int, trade_id: str, now_ns: int, fee: Decimal,
    pnl: Decimal, gross: Decimal,
) -> Fill:  # fmt: skip
    """One side's account of a trade, with the reference values of that moment."""
    reference = listing.reference
    return Fill(
        trade_id=trade_id,
        seq=listing.stats.count,
        instrument=listing.name,
        account_id=order.account_id,
        order_id=order.order_id,
        side=order.side,
        role=role,
        price=price,
        amount=amount,
        fee=fee,
        realized_pnl=pnl,
        realized_pnl_excl_fees=gross,
        mark=listing.mark,
        index=listing.index,
        forward=reference.forward if reference is not None else ZERO,
        mark_vol=reference.mark_vol if reference is not None else 0.0,
        label=order.label,
        mmp=order.mmp,
        at_ns=now_ns,
        tick_direction=listing.stats.tick_direction,
    )
