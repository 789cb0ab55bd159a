"""The calendar of an instrument: activation, deactivation, expiry and its settlement, the daily pause.

Owns what happens by the clock alone, entered in the agenda when an instrument is listed. An option settles in cash to the
mean of the last 30 one-minute prints of its index before expiry. Invariant: when an instrument is DELIVERED nobody holds
a position or an order in it, and what the longs got the shorts paid.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import NamedTuple

from actors.venues.paper.accounts import Account, Position
from actors.venues.paper.events import BalanceChanged, BalanceUpdate, InstrumentState, Settled
from actors.venues.paper.fees import delivery_fee
from actors.venues.paper.floor import Floor
from actors.venues.paper.listings import Listing
from actors.venues.paper.rules import DAY_S, SECOND
from actors.venues.paper.tickets import ZERO, CancelReason, OrderStatus, TimeInForce
from actors.venues.paper.valuation import cut

MINUTE = 60 * SECOND
SETTLEMENT_HOUR_S = 8 * 3600
FAR = 1 << 40
"""Seconds beyond which a deactivation means never."""


class Print(NamedTuple):
    at_ns: int
    price: Decimal


class Calendar:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._prints: dict[str, deque[Print]] = {}
        if floor.rules.settlement_pause_ns:
            now_s = floor.clock_ns() // SECOND
            next_s = (now_s - SETTLEMENT_HOUR_S) // DAY_S * DAY_S + SETTLEMENT_HOUR_S + DAY_S
            floor.agenda.at(next_s * SECOND, self._pause)

    def enter(self, listing: Listing, now_ns: int) -> None:
        """Put the instrument's dates on the agenda; those past take effect at the next call."""
        instrument, agenda = listing.instrument, self._floor.agenda
        if instrument.activation_s * SECOND > now_ns:
            agenda.at(instrument.activation_s * SECOND, lambda _: self._activate(listing))
        if instrument.deactivation_s < FAR:
            agenda.at(instrument.deactivation_s * SECOND, lambda due_ns: self._deactivate(listing, due_ns))
        if instrument.expiry_s:
            agenda.at(instrument.expiry_s * SECOND, lambda due_ns: self._settle(listing, due_ns))

    # -- index prints

    def index_set(self, index_name: str, now_ns: int) -> None:
        """The first price of an index starts its minute prints."""
        if index_name not in self._prints:
            self._prints[index_name] = deque(maxlen=self._floor.rules.settlement_prints)
            self._floor.agenda.at((now_ns // MINUTE + 1) * MINUTE, lambda due_ns: self._print(index_name, due_ns))

    def _print(self, index_name: str, due_ns: int) -> None:
        self._prints[index_name].append(Print(due_ns, self._floor.indices[index_name]))
        self._floor.agenda.at(due_ns + MINUTE, lambda due: self._print(index_name, due))

    def mean(self, index_name: str, expiry_ns: int) -> tuple[Decimal, int]:
        """The mean of the prints in the window before an expiry so far, and how many they are; the index when none."""
        since = expiry_ns - self._floor.rules.settlement_prints * MINUTE
        prices = [p.price for p in self._prints.get(index_name, ()) if since <= p.at_ns < expiry_ns]
        if not prices:
            return self._floor.indices.get(index_name, ZERO), 0
        return cut(sum(prices, ZERO) / len(prices)), len(prices)

    # -- an instrument's life

    def _activate(self, listing: Listing) -> None:
        if listing.state is InstrumentState.LOCKED:
            self._floor.set_state(listing, InstrumentState.OPEN)

    def _deactivate(self, listing: Listing, due_ns: int) -> None:
        if listing.state is not InstrumentState.DELIVERED:
            self._floor.set_state(listing, InstrumentState.LOCKED)
            self._end_orders(listing, due_ns)

    def _end_orders(self, listing: Listing, due_ns: int) -> None:
        status = self._floor.rules.deactivated_status
        reason = CancelReason.SETTLEMENT if status is OrderStatus.CANCELLED else CancelReason.NONE
        for account in self._floor.accounts.values():
            for order in list(account.by_instrument.get(listing.name, {}).values()):
                self._floor.end(order, status, reason, due_ns)

    def _settle(self, listing: Listing, due_ns: int) -> None:
        self._end_orders(listing, due_ns)
        price, _ = self.mean(listing.instrument.index_name, due_ns)
        listing.settlement_price = price
        self._floor.set_state(listing, InstrumentState.DELIVERED)
        self._floor.events.append(Settled(listing.name, price))
        payoff = listing.valuer.payoff(price) if price else ZERO
        for account in self._floor.accounts.values():
            position = account.positions.get(listing.name)
            if position is not None:
                self._deliver(account, position, listing, payoff, price)
        listing.stats.open_interest = 0

    def _deliver(
        self, account: Account, position: Position, listing: Listing, payoff: Decimal, price: Decimal
    ) -> None:
        """Cash for the position, less the delivery fee; the position is gone."""
        floor, amount = self._floor, position.amount
        worth = payoff * amount * listing.valuer.size
        fee = delivery_fee(floor.rules, listing, amount, payoff, price)
        position.settle(worth, fee)
        account.file_if_flat(listing.name)
        floor.move_cash(account, listing.valuer.currency, worth - fee, BalanceUpdate.OPTION_SETTLEMENT)
        if not account.house:
            account.stale_positions[listing.name] = None
            held = amount * listing.instrument.amount_step
            why = BalanceUpdate.OPTION_SETTLEMENT
            floor.events.append(BalanceChanged(account.account_id, listing.name, held, ZERO, why))

    # -- the daily pause (Deribit)

    def _pause(self, due_ns: int) -> None:
        """Every open book stops for a moment; orders good for the day die."""
        floor = self._floor
        paused = [listing for listing in floor.listings.values() if listing.state is InstrumentState.OPEN]
        for account in floor.accounts.values():
            for order in list(account.open_orders.values()):
                if order.tif is TimeInForce.DAY:
                    floor.end(order, OrderStatus.CANCELLED, CancelReason.SETTLEMENT, due_ns)
        for listing in paused:
            floor.set_state(listing, InstrumentState.SETTLEMENT)
        floor.agenda.at(due_ns + floor.rules.settlement_pause_ns, lambda _: self._resume(paused))
        floor.agenda.at(due_ns + DAY_S * SECOND, self._pause)

    def _resume(self, paused: list[Listing]) -> None:
        for listing in paused:
            if listing.state is InstrumentState.SETTLEMENT:
                self._floor.set_state(listing, InstrumentState.OPEN)
