"""The matching engine of the paper exchange: everything an exchange decides, and nothing it says.

Owns listings, accounts, orders, protection, settlement; speaks typed requests in and typed events out (`drain`). Never
awaits, reads a wall clock, or draws chance of its own: the clock and the seeded generator for ids are passed in. Every
public call first lets due time pass (`advance`), so nothing matches against an order that should be dead. Invariant: the
books are never crossed between two calls.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from actors.trading.instruments import Instrument
from actors.venues.paper.accounts import Account
from actors.venues.paper.events import Event, InstrumentState
from actors.venues.paper.listings import Listing, Reference
from actors.venues.paper.margin import Margins
from actors.venues.paper.mmp import MmpConfig, MmpStatus
from actors.venues.paper.rules import VenueRules
from actors.venues.paper.tickets import (
    CancelReason,
    EditRequest,
    Fill,
    MassQuoted,
    Order,
    OrderRequest,
    Placed,
    QuoteEntry,
    Replaced,
)

Verify = Callable[[], None]
"""Called at its venue's place among the checks (after ticks and fees, before protection); raises what the face likes."""


class Engine:
    """One venue. All methods raise `Refusal` and then have had no effect, except where they say otherwise."""

    rules: VenueRules
    listings: dict[str, Listing]
    """Every instrument ever listed, by name, in order of listing; read only."""
    accounts: dict[int, Account]
    """Read only."""
    indices: dict[str, Decimal]
    """Last price by index name; read only."""
    maintenance: bool

    def __init__(self, rules: VenueRules, clock_ns: Callable[[], int], rng: random.Random) -> None: ...

    # -- time and news

    def advance(self) -> None:
        """Let everything due by the clock happen: expiries, deactivation, index prints, settlement, thaws, releases."""
        raise NotImplementedError

    @property
    def next_due_ns(self) -> int:
        """When `advance` has something to do next (UTC ns); never more than a minute ahead once an index is set."""
        raise NotImplementedError

    def drain(self) -> list[Event]:
        """The events since the last drain, in order; `BookChanged` of touched books last."""
        raise NotImplementedError

    # -- the world

    def list_instrument(self, instrument: Instrument) -> Listing:
        """List it (LOCKED before its activation, else OPEN); listing a name twice is a defect (ValueError)."""
        raise NotImplementedError

    def listing(self, name: str) -> Listing:
        """Refusal UNKNOWN_INSTRUMENT for a name never listed."""
        raise NotImplementedError

    def live_listings(self) -> list[Listing]:
        """Those not DELIVERED."""
        raise NotImplementedError

    def set_state(self, name: str, state: InstrumentState) -> None:
        raise NotImplementedError

    def set_maintenance(self, on: bool) -> None:
        """While on, every request but queries is refused with MAINTENANCE; orders stay."""
        raise NotImplementedError

    def set_index(self, index_name: str, price: Decimal) -> None:
        raise NotImplementedError

    def set_reference(self, name: str, reference: Reference) -> None:
        raise NotImplementedError

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
        raise NotImplementedError

    def account(self, account_id: int) -> Account:
        """Refusal UNKNOWN_ACCOUNT."""
        raise NotImplementedError

    def deposit(self, account_id: int, currency: str, amount: Decimal) -> None:
        raise NotImplementedError

    def margins(self, account_id: int, currency: str) -> Margins:
        raise NotImplementedError

    # -- orders

    def place(self, account_id: int, request: OrderRequest, verify: Verify | None = None) -> Placed:
        raise NotImplementedError

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
        """Derive's replace. Raises when the old order is gone (nothing new is born); a failed birth is in the answer."""
        raise NotImplementedError

    def edit(self, account_id: int, order_id: str, request: EditRequest) -> Placed:
        """Deribit's edit in place. A crossing `reject_post_only` edit raises POST_ONLY_CROSS *and* cancels the order."""
        raise NotImplementedError

    def cancel(self, account_id: int, order_id: str, instrument: str | None = None) -> Order:
        """The order as it ended; pending orders become IOC instead and come back PENDING. Refusal says how it was gone."""
        raise NotImplementedError

    def cancel_by_nonce(self, account_id: int, instrument: str, nonce: int) -> list[Order]:
        """Empty when no order had it; the nonce is then burnt."""
        raise NotImplementedError

    def cancel_by_label(
        self, account_id: int, label: str, *, instrument: str | None = None, underlying: str | None = None
    ) -> list[Order]:
        raise NotImplementedError

    def cancel_by_instrument(self, account_id: int, instrument: str) -> list[Order]:
        raise NotImplementedError

    def cancel_where(
        self,
        account_id: int,
        which: Callable[[Order, Listing], bool] | None = None,
        *,
        reason: CancelReason = CancelReason.USER,
        freeze_quotes: bool = False,
    ) -> list[Order]:
        """Every open order of the account, or those chosen: cancel all, by currency, by kind, quotes only..."""
        raise NotImplementedError

    def cancel_owner(self, owner: str) -> list[Order]:
        """Derive's cancel on disconnect: all accounts of a wallet."""
        raise NotImplementedError

    def cancel_connection(self, connection: int) -> list[Order]:
        """Deribit's: the orders that came on this socket."""
        raise NotImplementedError

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
        raise NotImplementedError

    # -- market-maker protection

    def set_mmp(self, account_id: int, config: MmpConfig) -> MmpConfig:
        """Replaces the whole config of that scope and group; answers it as stored."""
        raise NotImplementedError

    def mmp_status(self, account_id: int, scope: str | None = None, group: str | None = None) -> list[MmpStatus]:
        raise NotImplementedError

    def reset_mmp(self, account_id: int, scope: str | None = None, group: str | None = None) -> None:
        raise NotImplementedError

    # -- queries

    def open_orders(self, account_id: int, instrument: str | None = None) -> list[Order]:
        """Oldest first."""
        raise NotImplementedError

    def order(self, account_id: int, order_id: str) -> Order:
        """Open or ended; Refusal UNKNOWN_ORDER."""
        raise NotImplementedError

    def order_by_nonce(self, account_id: int, nonce: int) -> Order:
        raise NotImplementedError

    def orders_by_label(self, account_id: int, label: str) -> list[Order]:
        """Open ones, oldest first."""
        raise NotImplementedError

    def ended_orders(self, account_id: int) -> Iterable[Order]:
        """Newest first."""
        raise NotImplementedError

    def fills(self, account_id: int) -> Sequence[Fill]:
        """Oldest first."""
        raise NotImplementedError
