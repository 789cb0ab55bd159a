"""Deribit's mass quotes: many two-sided quotes in one request, each side for itself.

Owns the quote rules over ordinary orders (4.6 of the reference): one quote per instrument, group and side; a new one
replaces, a smaller one at the same price keeps its turn. A side that fails its checks is an error in the answer, and
its resting quote is gone. Invariant: own quotes never cross each other, since prices that rise move the ask first.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.trading.instruments import Side
from actors.venues.paper.accounts import Account
from actors.venues.paper.checks import Terms
from actors.venues.paper.entry import OrderEntry
from actors.venues.paper.listings import Listing
from actors.venues.paper.tickets import (
    CancelReason,
    Fill,
    MassQuoted,
    Order,
    OrderStatus,
    OrderType,
    QuoteEntry,
    QuoteError,
    QuoteSide,
    Reason,
    Refusal,
    TimeInForce,
)


class QuoteRun:
    """One mass quote in the making: where it stands and what came of it so far."""

    def __init__(
        self, entry: OrderEntry, account: Account, quote_id: str, group: str, connection: int, now_ns: int
    ) -> None:
        self._entry = entry
        self._account = account
        self._quote_id = quote_id
        self._group = group
        self._connection = connection
        self._now_ns = now_ns
        self._orders: list[Order] = []
        self._fills: list[Fill] = []
        self._errors: list[QuoteError] = []
        self._pending = 0

    def run(self, entries: Sequence[QuoteEntry], reject_after_ms: int) -> MassQuoted:
        """The whole call may be refused; after that each side stands for itself."""
        self._refuse_whole(entries, reject_after_ms)
        for entry in entries:
            self._quote(entry)
        return MassQuoted(tuple(self._orders), tuple(self._fills), tuple(self._errors), self._pending)

    def _refuse_whole(self, entries: Sequence[QuoteEntry], reject_after_ms: int) -> None:
        checks, floor = self._entry.checks, self._entry.floor
        checks.working()
        checks.deadline(reject_after_ms, self._now_ns)
        if self._now_ns < self._account.quotes_frozen_until_ns:
            raise Refusal(Reason.QUOTES_FROZEN)
        if len({entry.instrument for entry in entries}) > floor.rules.max_quotes:
            raise Refusal(Reason.TOO_MANY_QUOTES, "", str(floor.rules.max_quotes))
        scopes = {floor.scope_of(floor.listing(entry.instrument)) for entry in entries}
        if len(scopes) > 1:
            raise Refusal(Reason.SEVERAL_INDICES)
        for scope in scopes:
            guard = self._account.guards.get((scope, self._group))
            if guard is None or not guard.config.interval_ms:
                raise Refusal(Reason.MMP_REQUIRED, f"{scope} {self._group}")
            if guard.frozen(self._now_ns):
                raise Refusal(Reason.MMP_FROZEN, str(guard.status(self._now_ns).frozen_until_ms))

    # -- one instrument

    def _quote(self, entry: QuoteEntry) -> None:
        listing = self._entry.floor.listing(entry.instrument)
        wanted = [(side, quote) for side, quote in ((Side.BID, entry.bid), (Side.ASK, entry.ask)) if quote is not None]
        try:
            self._entry.checks.tradable(listing)
            if self._crossed(entry):
                raise Refusal(Reason.QUOTE_CROSSED)
        except Refusal as refusal:
            self._errors.extend([QuoteError(entry.instrument, side, refusal) for side, _ in wanted])
            return
        if self._rising(entry):
            wanted.reverse()
        for side, quote in wanted:
            self._quote_side(listing, entry, side, quote)

    def _resting(self, instrument: str, side: Side) -> Order | None:
        return self._account.quotes.get((instrument, self._group, side))

    def _price(self, entry: QuoteEntry, side: Side) -> int | None:
        """The price the side will have: the new one, else the resting one."""
        quote = entry.bid if side > 0 else entry.ask
        if quote is not None and quote.amount == 0:
            return None
        if quote is not None and quote.price is not None:
            return quote.price
        resting = self._resting(entry.instrument, side)
        return resting.price if resting is not None else None

    def _crossed(self, entry: QuoteEntry) -> bool:
        bid, ask = self._price(entry, Side.BID), self._price(entry, Side.ASK)
        return bid is not None and ask is not None and bid >= ask

    def _rising(self, entry: QuoteEntry) -> bool:
        """Whether the new bid moves up, or onto the resting ask: then the ask moves first."""
        resting, bid = self._resting(entry.instrument, Side.BID), self._price(entry, Side.BID)
        if bid is None:
            return False
        ask = self._resting(entry.instrument, Side.ASK)
        return (resting is not None and bid > resting.price) or (ask is not None and bid >= ask.price)

    # -- one side

    def _quote_side(self, listing: Listing, entry: QuoteEntry, side: Side, quote: QuoteSide) -> None:
        resting = self._resting(listing.name, side)
        try:
            self._change(listing, entry, side, quote, resting)
        except Refusal as refusal:
            self._errors.append(QuoteError(listing.name, side, refusal))
            if resting is not None and resting.status is OrderStatus.OPEN:
                self._entry.cancel(resting, CancelReason.USER, self._now_ns)

    def _change(
        self, listing: Listing, entry: QuoteEntry, side: Side, quote: QuoteSide, resting: Order | None
    ) -> None:
        if quote.amount == 0:
            if resting is not None:
                self._entry.cancel(resting, CancelReason.USER, self._now_ns)
                self._orders.append(resting)
            return
        price = quote.price if quote.price is not None else resting.price if resting is not None else None
        amount = quote.amount if quote.amount is not None else resting.remaining if resting is not None else None
        if price is None or amount is None:
            raise Refusal(Reason.BAD_ARGUMENTS, "price and amount are needed where nothing rests")
        if resting is not None and self._keeps_turn(resting, entry, price, amount):
            self._shrink(listing, entry, resting, amount)
        else:
            self._renew(listing, entry, side, quote, price, amount, resting)

    @staticmethod
    def _keeps_turn(resting: Order, entry: QuoteEntry, price: int, amount: int) -> bool:
        """A smaller size or another set id only; an identical quote goes behind."""
        if price != resting.price or resting.status is not OrderStatus.OPEN:
            return False
        return amount < resting.remaining or (
            amount == resting.remaining and entry.quote_set_id != resting.quote_set_id
        )

    def _shrink(self, listing: Listing, entry: QuoteEntry, resting: Order, amount: int) -> None:
        self._entry.checks.amount_of(listing, amount)
        if amount < resting.remaining:
            self._entry.floor.shrink(resting, listing, resting.remaining - amount)
            resting.amount = resting.filled + amount
        resting.quote_id, resting.quote_set_id = self._quote_id, entry.quote_set_id
        resting.updated_ns, resting.replaced = self._now_ns, True
        self._entry.floor.note(resting, self._account)
        self._orders.append(resting)

    def _renew(
        self, listing: Listing, entry: QuoteEntry, side: Side, quote: QuoteSide, price: int, amount: int,
        resting: Order | None,
    ) -> None:  # fmt: skip
        """A fresh order in place of the resting one, once it has passed the checks."""
        checks = self._entry.checks
        checks.amount_of(listing, amount)
        checks.price(listing, price)
        terms = Terms(
            side=side,
            price=price,
            amount=amount,
            passive=quote.post_only,
            reject_passive=quote.reject_post_only,
            immediate=False,
            mmp=True,
            mmp_group=self._group,
            instead_of=resting,
        )
        working = checks.admit(self._account, listing, terms, self._now_ns)
        if resting is not None:
            self._entry.cancel(resting, CancelReason.USER, self._now_ns)
        order = self._write(listing, entry, terms, working)
        self._entry.floor.admit(order, self._account)
        self._account.quotes[(listing.name, self._group, side)] = order
        placed = self._entry.launch(order, listing, self._now_ns)
        self._orders.append(order)
        self._fills.extend(placed.fills)
        self._pending += placed.pending

    def _write(self, listing: Listing, entry: QuoteEntry, terms: Terms, price: int) -> Order:
        return Order(
            order_id=self._entry.floor.order_id(listing),
            account_id=self._account.account_id,
            instrument=listing.name,
            side=terms.side,
            price=price,
            signed_price=terms.price,
            amount=terms.amount,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.GTC,
            created_ns=self._now_ns,
            updated_ns=self._now_ns,
            status=OrderStatus.PENDING,
            post_only=terms.passive,
            reject_post_only=terms.reject_passive,
            mmp=True,
            mmp_group=self._group,
            connection=self._connection,
            quote_id=self._quote_id,
            quote_set_id=entry.quote_set_id,
        )
