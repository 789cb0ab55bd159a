"""The matching engine of the paper exchange: everything an exchange decides, and nothing it says.

The one door to its parts (`floor`, `checks`, `matcher`, `entry`, `settlement`, ...): typed requests in, typed events out
(`drain`). Never awaits, reads a wall clock, or draws chance of its own: the clock and the seeded generator for ids are
passed in. Every public call first lets due time pass, so nothing matches against an order that should be dead.
Invariant: the books are never crossed between two calls.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from actors.trading.instruments import Instrument, Side
from actors.venues.paper.accounts import Account
from actors.venues.paper.allotting import in_steps
from actors.venues.paper.checks import Verify
from actors.venues.paper.entry import OrderEntry
from actors.venues.paper.events import BalanceChanged, BalanceUpdate, Event, InstrumentState, Listed, MaintenanceSwitched
from actors.venues.paper.floor import Floor
from actors.venues.paper.listings import Listing, Reference
from actors.venues.paper.margin import Margins, Requirement, order_reserve
from actors.venues.paper.mass_quotes import QuoteRun
from actors.venues.paper.mmp import MmpConfig, MmpGuard, MmpStatus, as_stored
from actors.venues.paper.rules import SECOND, VenueRules
from actors.venues.paper.settlement import Calendar
from actors.venues.paper.tickets import (
    CancelReason,
    EditRequest,
    Fill,
    MassQuoted,
    Order,
    OrderRequest,
    Placed,
    QuoteEntry,
    Reason,
    Refusal,
    Replaced,
)
from actors.venues.paper.valuation import Valuer, cut

Which = Callable[[Order, Listing], bool]


class Engine:
    """One venue. All methods raise `Refusal` and then have had no effect, except where they say otherwise."""

    def __init__(self, rules: VenueRules, clock_ns: Callable[[], int], rng: random.Random) -> None:
        self.rules = rules
        self._floor = Floor(rules, clock_ns, rng)
        self._entry = OrderEntry(self._floor)
        self._calendar = Calendar(self._floor)

    # -- time and news

    def advance(self) -> None:
        """Let everything due by the clock happen: expiries, deactivation, index prints, settlement, releases."""
        self._floor.begin()

    @property
    def next_due_ns(self) -> int:
        """When `advance` has something to do next (UTC ns); at most a minute ahead once an index is set."""
        return self._floor.agenda.next_ns

    def drain(self) -> list[Event]:
        """The events since the last drain, in order; `BookChanged` of touched books last."""
        return self._floor.drain()

    # -- the world

    @property
    def listings(self) -> dict[str, Listing]:
        """Every instrument ever listed, by name, in order of listing; read only."""
        return self._floor.listings

    @property
    def accounts(self) -> dict[int, Account]:
        """Read only."""
        return self._floor.accounts

    @property
    def indices(self) -> dict[str, Decimal]:
        """Last price by index name; read only."""
        return self._floor.indices

    @property
    def maintenance(self) -> bool:
        return self._floor.maintenance

    def list_instrument(self, instrument: Instrument) -> Listing:
        """List it (LOCKED before its activation, else OPEN); listing a name twice is a defect (ValueError)."""
        now = self._floor.begin()
        if instrument.name in self._floor.listings:
            raise ValueError(f"{instrument.name} is listed already")
        rules = self.rules
        early = instrument.activation_s * SECOND > now
        listing = Listing(
            instrument,
            InstrumentState.LOCKED if early else InstrumentState.OPEN,
            Valuer(instrument, rules.quote_currency),
            rules.band_rule,
            instrument.name,
            index=self._floor.indices.get(instrument.index_name, Decimal(0)),
        )
        allotment = rules.perp_allotment if instrument.kind is None else rules.option_allotment
        self._floor.enlist(listing, in_steps(allotment, instrument))
        self._floor.events.append(Listed(instrument.name))
        self._calendar.enter(listing, now)
        return listing

    def listing(self, name: str) -> Listing:
        """Refusal UNKNOWN_INSTRUMENT for a name never listed."""
        return self._floor.listing(name)

    def live_listings(self) -> list[Listing]:
        """Those not DELIVERED."""
        return [listing for listing in self.listings.values() if listing.state is not InstrumentState.DELIVERED]

    def set_state(self, name: str, state: InstrumentState) -> None:
        """Lock, halt or reopen by hand; orders stay where they are."""
        self._floor.begin()
        self._floor.set_state(self._floor.listing(name), state)

    def set_maintenance(self, on: bool) -> None:
        """While on, every request but queries is refused with MAINTENANCE; orders stay, time goes on."""
        self._floor.begin()
        if on is not self._floor.maintenance:
            self._floor.maintenance = on
            self._floor.events.append(MaintenanceSwitched(on))

    def set_index(self, index_name: str, price: Decimal) -> None:
        """A new index price; its listings see it at once."""
        now = self._floor.begin()
        self._floor.set_index(index_name, cut(price) if _finer(price) else price)
        self._calendar.index_set(index_name, now)

    def set_reference(self, name: str, reference: Reference) -> None:
        self._floor.listing(name).reference = reference

    def settlement_mean(self, index_name: str, expiry_s: int) -> tuple[Decimal, int]:
        """The mean of an expiry's minute prints so far, and their number (0..30), for marks in the last half hour."""
        return self._calendar.mean(index_name, expiry_s * SECOND)

    # -- accounts

    def open_account(
        self,
        account_id: int,
        *,
        owner: str = "",
        house: bool = False,
        base_fee_waived: bool = False,
        cash: dict[str, Decimal] | None = None,
    ) -> Account:
        """Open it with its cash; an id twice is a defect (ValueError)."""
        if account_id in self.accounts:
            raise ValueError(f"account {account_id} is open already")
        account = Account(account_id, owner or str(account_id), house, base_fee_waived, cash=dict(cash or {}))
        self._floor.enrol(account)
        return account

    def account(self, account_id: int) -> Account:
        """Refusal UNKNOWN_ACCOUNT."""
        return self._floor.account(account_id)

    def deposit(self, account_id: int, currency: str, amount: Decimal) -> None:
        """Also a withdrawal, when negative."""
        self._floor.begin()
        self._floor.move_cash(self._floor.account(account_id), currency, amount, BalanceUpdate.DEPOSIT)

    def move_position(self, account_id: int, name: str, steps: int, why: BalanceUpdate) -> None:
        """Steps come, or go when negative, without a trade and without cash: at the lowest price there is."""
        now = self._floor.begin()
        account, listing = self._floor.account(account_id), self._floor.listing(name)
        step, before = listing.instrument.amount_step, account.amount(name)
        position = account.position_for(name, listing.valuer, now)
        position.take(Side.BID if steps > 0 else Side.ASK, 1, abs(steps), Decimal(0))
        self._floor.events.append(BalanceChanged(account_id, name, before * step, (before + steps) * step, why))

    def margins(self, account_id: int, currency: str) -> Margins:
        now = self._floor.begin()
        return self._entry.margin.margins(self._floor.account(account_id), currency, now)

    def position_margin(self, account_id: int, name: str) -> tuple[Requirement, float]:
        """One instrument's requirement by itself, and what its open orders reserve (zero or positive)."""
        self._floor.begin()
        account, listing = self._floor.account(account_id), self._floor.listing(name)
        return self._entry.margin.alone(account, listing), order_reserve(account, listing, self.rules.margin)

    # -- orders

    def place(self, account_id: int, request: OrderRequest, verify: Verify | None = None) -> Placed:
        """Check, match, rest. `Placed.pending`: it waits in the speed bump, `OrderReleased` follows."""
        now = self._floor.begin()
        account, listing = self._floor.account(account_id), self._floor.listing(request.instrument)
        return self._entry.place(account, listing, request, now, verify)

    def replace(
        self,
        account_id: int,
        request: OrderRequest,
        *,
        order_id: str | None = None,
        nonce: int | None = None,
        expected_filled: int | None = None,
        verify: Verify | None = None,
    ) -> Replaced:
        """Derive's replace. Raises when the old order is gone (nothing new is born); a failed birth is in the answer.

        A request that is wrong by itself (nonce, tick, signature, ...) raises before the old order is touched.
        """
        now = self._floor.begin()
        if (order_id is None) == (nonce is None):
            raise Refusal(Reason.BAD_ARGUMENTS, "exactly one of order id and nonce names the old order")
        account, listing = self._floor.account(account_id), self._floor.listing(request.instrument)
        entry = self._entry
        old = entry.find(account, order_id) if order_id is not None else entry.find_by_nonce(account, nonce or 0)
        if old.instrument != listing.name:
            raise Refusal(Reason.BAD_ARGUMENTS, f"the old order is in {old.instrument}")
        return entry.replace(account, old, listing, request, expected_filled, now, verify)

    def edit(self, account_id: int, order_id: str, request: EditRequest) -> Placed:
        """Deribit's edit in place. A crossing `reject_post_only` edit raises POST_ONLY_CROSS *and* cancels the order."""
        now = self._floor.begin()
        account = self._floor.account(account_id)
        order = self._entry.find(account, order_id)
        if order.quote_id:
            raise Refusal(Reason.QUOTE_ORDER, order_id)
        return self._entry.edit(order, account, self._floor.listing(order.instrument), request, now)

    def edit_by_label(self, account_id: int, label: str, instrument: str, request: EditRequest) -> Placed:
        """As `edit`, if exactly one open order of the instrument has the label."""
        found = [order for order in self.orders_by_label(account_id, label) if order.instrument == instrument]
        if len(found) != 1:
            raise Refusal(Reason.LABEL_NOT_UNIQUE if found else Reason.UNKNOWN_ORDER, label[:64])
        return self.edit(account_id, found[0].order_id, request)

    def cancel(self, account_id: int, order_id: str, instrument: str | None = None) -> Order:
        """The order as it ended; pending orders become IOC instead and stay PENDING. Refusal says how it was gone."""
        now = self._floor.begin()
        order = self._entry.find(self._floor.account(account_id), order_id)
        if instrument is not None and order.instrument != instrument:
            raise Refusal(Reason.UNKNOWN_ORDER, order_id)
        self._entry.checks.cancellable(self._floor.listing(order.instrument))
        self._entry.cancel(order, CancelReason.USER, now)
        return order

    def cancel_by_nonce(self, account_id: int, instrument: str, nonce: int) -> list[Order]:
        """Empty when no open order of the instrument has it; a nonce never seen is then burnt."""
        now = self._floor.begin()
        account, listing = self._floor.account(account_id), self._floor.listing(instrument)
        self._entry.checks.cancellable(listing)
        order = account.by_nonce.get(nonce)
        if order is None:
            account.burnt_nonces.add(nonce)
        if order is None or order.status.final or order.instrument != instrument:
            return []
        self._entry.cancel(order, CancelReason.USER, now)
        return [order]

    def cancel_by_label(
        self, account_id: int, label: str, *, instrument: str | None = None, underlying: str | None = None
    ) -> list[Order]:
        """Labels match exactly."""

        def ours(order: Order, listing: Listing) -> bool:
            right_place = instrument is None or order.instrument == instrument
            return order.label == label and right_place and underlying in (None, listing.instrument.underlying)

        return self.cancel_where(account_id, ours)

    def cancel_by_instrument(self, account_id: int, instrument: str) -> list[Order]:
        self._floor.begin()
        self._entry.checks.cancellable(self._floor.listing(instrument))
        return self.cancel_where(account_id, lambda order, _: order.instrument == instrument)

    def cancel_where(
        self,
        account_id: int,
        which: Which | None = None,
        *,
        reason: CancelReason = CancelReason.USER,
        freeze_quotes: bool = False,
    ) -> list[Order]:
        """Every open order of the account, or those chosen: cancel all, by currency, by kind, quotes only...

        Instruments in settlement are passed over. `freeze_quotes` stops new mass quotes for a second.
        """
        now = self._floor.begin()
        account, listings = self._floor.account(account_id), self.listings
        self._entry.checks.working()
        if freeze_quotes:
            account.quotes_frozen_until_ns = now + self.rules.quote_freeze_ns

        def chosen(order: Order) -> bool:
            return which is None or which(order, listings[order.instrument])

        return self._entry.cancel_some(account, chosen, reason, now)

    def cancel_owner(self, owner: str) -> list[Order]:
        """Derive's cancel on disconnect: all accounts of a wallet, whatever state the exchange is in."""
        now = self._floor.begin()
        accounts = self._floor.owners.get(owner, [])
        return [o for a in accounts for o in self._entry.cancel_some(a, _any, CancelReason.DISCONNECT, now)]

    def cancel_connection(self, connection: int) -> list[Order]:
        """Deribit's: the orders that came on this socket."""
        now = self._floor.begin()

        def came_on_it(order: Order) -> bool:
            return order.connection == connection

        accounts = [account for account in self.accounts.values() if not account.house]
        return [o for a in accounts for o in self._entry.cancel_some(a, came_on_it, CancelReason.DISCONNECT, now)]

    def mass_quote(
        self,
        account_id: int,
        quote_id: str,
        mmp_group: str,
        entries: Sequence[QuoteEntry],
        *,
        reject_after_ms: int = 0,
        connection: int = 0,
    ) -> MassQuoted:
        """Deribit's mass quote. Refused as a whole before anything changed; later each side has its own error."""
        now = self._floor.begin()
        account = self._floor.account(account_id)
        return QuoteRun(self._entry, account, quote_id, mmp_group, connection, now).run(entries, reject_after_ms)

    # -- market-maker protection

    def set_mmp(self, account_id: int, config: MmpConfig) -> MmpConfig:
        """Replaces the whole config of that scope and group; answers it as stored. A freeze stays."""
        now = self._floor.begin()
        account, stored = self._floor.account(account_id), as_stored(config, self.rules)
        key = (config.scope, config.group)
        guard = account.guards.get(key)
        if self.rules.mmp_scope_is_index and not stored.interval_ms:
            account.guards.pop(key, None)
        elif guard is None:
            account.guards[key] = MmpGuard(stored)
        else:
            guard.config = stored
        self._curtail(account, stored, now)
        return stored

    def _curtail(self, account: Account, config: MmpConfig, now_ns: int) -> None:
        """A lower quote quantity cancels what exceeds it, the youngest first."""
        if config.max_quote_quantity is None:
            return
        kept: dict[tuple[str, Side], Decimal] = {}
        for order in list(account.open_orders.values()):
            listing = self.listings[order.instrument]
            if not order.mmp or order.mmp_group != config.group or self._floor.scope_of(listing) != config.scope:
                continue
            key = (order.instrument, order.side)
            size = kept.get(key, Decimal(0)) + order.remaining * listing.valuer.size
            if size > config.max_quote_quantity:
                self._entry.cancel(order, CancelReason.MMP_CURTAILED, now_ns)
            else:
                kept[key] = size

    def mmp_status(self, account_id: int, scope: str | None = None, group: str | None = None) -> list[MmpStatus]:
        now = self._floor.begin()
        return [guard.status(now) for guard in self._guards(account_id, scope, group)]

    def reset_mmp(self, account_id: int, scope: str | None = None, group: str | None = None) -> None:
        """Thaw, and forget what was counted."""
        self._floor.begin()
        for guard in self._guards(account_id, scope, group):
            guard.reset()

    def _guards(self, account_id: int, scope: str | None, group: str | None) -> list[MmpGuard]:
        guards = self._floor.account(account_id).guards
        return [g for key, g in guards.items() if scope in (None, key[0]) and group in (None, key[1])]

    # -- queries

    def open_orders(self, account_id: int, instrument: str | None = None) -> list[Order]:
        """Oldest first, pending ones included."""
        self._floor.begin()
        account = self._floor.account(account_id)
        orders = account.open_orders if instrument is None else account.by_instrument.get(instrument, {})
        return list(orders.values())

    def order(self, account_id: int, order_id: str) -> Order:
        """Open or ended; Refusal UNKNOWN_ORDER."""
        self._floor.begin()
        account = self._floor.account(account_id)
        order = account.open_orders.get(order_id) or account.ended.get(order_id)
        return order if order is not None else self._entry.gone(None, order_id)

    def order_by_nonce(self, account_id: int, nonce: int) -> Order:
        """Open or ended; Refusal UNKNOWN_ORDER."""
        self._floor.begin()
        order = self._floor.account(account_id).by_nonce.get(nonce)
        return order if order is not None else self._entry.gone(None, str(nonce))

    def orders_by_label(self, account_id: int, label: str) -> list[Order]:
        """Open ones, oldest first."""
        return [order for order in self.open_orders(account_id) if order.label == label]

    def ended_orders(self, account_id: int) -> Iterable[Order]:
        """Newest first."""
        self._floor.begin()
        return reversed(self._floor.account(account_id).ended.values())

    def fills(self, account_id: int) -> Sequence[Fill]:
        """Oldest first; a view, not to be changed."""
        self._floor.begin()
        return self._floor.account(account_id).fills


def _any(_: Order) -> bool:
    return True


def _finer(price: Decimal) -> bool:
    """Whether it has more decimals than the engine's money."""
    exponent = price.as_tuple().exponent
    return isinstance(exponent, int) and exponent < -12
