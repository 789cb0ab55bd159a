"""The exchange's shared state, and the few ways in which it may change.

Owns listings, accounts, the agenda, ids and the event queue, and keeps the indexes of an order (book, account, expiry) in
step. Never checks whether a change is allowed. Invariant: an order rests in a book exactly while it is OPEN, and nothing
changes a final one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import copy
from decimal import Decimal

from actors.venues.paper.accounts import Account
from actors.venues.paper.agenda import Agenda
from actors.venues.paper.allotting import StepAllotment
from actors.venues.paper.events import (
    BalanceChanged,
    BalanceUpdate,
    BookChanged,
    Event,
    InstrumentState,
    LevelChange,
    OrderChanged,
    StateChanged,
)
from actors.venues.paper.listings import Listing
from actors.venues.paper.nonces import NonceBook
from actors.venues.paper.rules import SECOND, VenueRules
from actors.venues.paper.tickets import ZERO, CancelReason, Order, OrderStatus, Reason, Refusal


class Floor:
    def __init__(self, rules: VenueRules, clock_ns: Callable[[], int], rng: random.Random) -> None:
        self.rules = rules
        self.clock_ns = clock_ns
        self.agenda = Agenda()
        self.nonces = NonceBook(rules)
        self.listings: dict[str, Listing] = {}
        self.allotments: dict[str, StepAllotment] = {}
        self.accounts: dict[int, Account] = {}
        self.owners: dict[str, list[Account]] = {}
        self.indices: dict[str, Decimal] = {}
        self.maintenance = False
        self.events: list[Event] = []
        self._by_index: dict[str, list[Listing]] = {}
        self._rng = rng
        self._count = 0
        self._changed: dict[str, Order] = {}
        self._touched: dict[str, Listing] = {}
        self._expiring: dict[int, dict[str, Order]] = {}

    # -- time

    def begin(self) -> int:
        """Start of every public call: tell what the last one changed, let due time pass; UTC ns."""
        if self._changed:
            self.tell_orders()
        now = self.clock_ns()
        if now >= self.agenda.next_ns:
            self.agenda.run_until(now)
            self.tell_orders()
        return now

    # -- looking up

    def listing(self, name: str) -> Listing:
        listing = self.listings.get(name)
        if listing is None:
            raise Refusal(Reason.UNKNOWN_INSTRUMENT, name[:64])
        return listing

    def account(self, account_id: int) -> Account:
        account = self.accounts.get(account_id)
        if account is None:
            raise Refusal(Reason.UNKNOWN_ACCOUNT, str(account_id))
        return account

    def scope_of(self, listing: Listing) -> str:
        """What market-maker protection of this instrument is kept under."""
        instrument = listing.instrument
        return instrument.index_name if self.rules.mmp_scope_is_index else instrument.underlying

    # -- what exists

    def enlist(self, listing: Listing, allotment: StepAllotment) -> None:
        self.listings[listing.name] = listing
        self.allotments[listing.name] = allotment
        self._by_index.setdefault(listing.instrument.index_name, []).append(listing)

    def enrol(self, account: Account) -> None:
        self.accounts[account.account_id] = account
        self.owners.setdefault(account.owner, []).append(account)

    def set_index(self, index_name: str, price: Decimal) -> None:
        """One write here and in each live listing; delivered ones drop out on the way."""
        self.indices[index_name] = price
        live = [x for x in self._by_index.get(index_name, []) if x.state is not InstrumentState.DELIVERED]
        self._by_index[index_name] = live
        for listing in live:
            listing.index = price

    # -- ids

    def order_id(self, listing: Listing) -> str:
        return self._uuid() if self.rules.uuid_ids else self._counted(listing)

    def trade_id(self, listing: Listing) -> str:
        return self._uuid() if self.rules.uuid_ids else self._counted(listing)

    def _uuid(self) -> str:
        text = f"{self._rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _counted(self, listing: Listing) -> str:
        """Rising, not consecutive; only BTC's carry no prefix."""
        self._count += self._rng.randint(1, 9)
        currency = listing.valuer.currency
        return str(10**10 + self._count) if currency == "BTC" else f"{currency}-{10**10 + self._count}"

    # -- an order's life

    def admit(self, order: Order, account: Account) -> None:
        """Enter a new order in its account's indexes (not in the book)."""
        account.open_orders[order.order_id] = order
        account.by_instrument.setdefault(order.instrument, {})[order.order_id] = order
        if order.nonce:
            account.by_nonce[order.nonce] = order
        if order.signature_expiry_s:
            self._expire_at(order)
        self.note(order, account)

    def rest(self, order: Order, listing: Listing) -> None:
        """Put a PENDING order on the book, behind everybody at its price."""
        order.status = OrderStatus.OPEN
        listing.book.add(order)
        self._touched[listing.name] = listing

    def unrest(self, order: Order, listing: Listing) -> None:
        """Take it off the book, back to PENDING; it stays in its account."""
        listing.book.remove(order)
        order.status = OrderStatus.PENDING
        self._touched[listing.name] = listing

    def shrink(self, order: Order, listing: Listing, by: int) -> None:
        """Less of a resting order, at its place in the queue; the caller then changes `filled` or `amount`."""
        listing.book.shrink(order, by)
        self._touched[listing.name] = listing

    def end(self, order: Order, status: OrderStatus, reason: CancelReason, now_ns: int) -> None:
        """The order's one final state; it leaves the book if it was there."""
        account = self.accounts[order.account_id]
        if order.status is OrderStatus.OPEN:
            self.unrest(order, self.listings[order.instrument])
        order.status, order.cancel_reason, order.updated_ns = status, reason, now_ns
        del account.open_orders[order.order_id]
        del account.by_instrument[order.instrument][order.order_id]
        if order.quote_id:
            key = (order.instrument, order.mmp_group, order.side)
            if account.quotes.get(key) is order:
                del account.quotes[key]
        if order.signature_expiry_s:
            self._expiring[order.signature_expiry_s].pop(order.order_id, None)
        if not account.house:
            account.keep_ended(order, self.rules.ended_orders_kept)
        self.note(order, account)

    def note(self, order: Order, account: Account) -> None:
        """Tell of this order's change once the call is through."""
        if not account.house:
            self._changed[order.order_id] = order
            account.stale_orders[order.instrument] = None

    def _expire_at(self, order: Order) -> None:
        second = order.signature_expiry_s
        bucket = self._expiring.get(second)
        if bucket is None:
            bucket = self._expiring[second] = {}
            self.agenda.at(second * SECOND, self._expire)
        bucket[order.order_id] = order

    def _expire(self, due_ns: int) -> None:
        for order in list(self._expiring[due_ns // SECOND].values()):
            self.end(order, OrderStatus.EXPIRED, CancelReason.NONE, due_ns)
        del self._expiring[due_ns // SECOND]

    # -- state and money

    def set_state(self, listing: Listing, state: InstrumentState) -> None:
        if listing.state is not state:
            listing.state = state
            self.events.append(StateChanged(listing.name, state))

    def move_cash(self, account: Account, currency: str, by: Decimal, why: BalanceUpdate) -> None:
        before = account.cash.get(currency, ZERO)
        account.cash[currency] = before + by
        if by and not account.house:
            self.events.append(BalanceChanged(account.account_id, currency, before, before + by, why))

    # -- telling

    def tell_orders(self) -> None:
        """One `OrderChanged` for each order that changed since the last time, as it is now."""
        self.events.extend([OrderChanged(copy(order)) for order in self._changed.values()])
        self._changed.clear()

    def drain(self) -> list[Event]:
        self.tell_orders()
        for listing in self._touched.values():
            change = self._book_change(listing)
            if change is not None:
                self.events.append(change)
        self._touched.clear()
        events, self.events = self.events, []
        return events

    @staticmethod
    def _book_change(listing: Listing) -> BookChanged | None:
        book = listing.book
        changes = []
        for (side, price), before in book.touched.items():
            level = book.ladder(side).levels.get(price)
            amount = level.total if level is not None else 0
            if amount != before:
                changes.append(LevelChange(side, price, before, amount))
        book.touched.clear()
        if not changes:
            return None
        previous, book.told_id = book.told_id, book.change_id
        return BookChanged(listing.name, book.change_id, previous, tuple(changes))
