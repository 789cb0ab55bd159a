"""How orders are born, replaced, edited and cancelled.

Owns the order of steps of each request: check, admit, wait out the speed bump, match. The rules themselves are `checks`'s
and the booking `matcher`'s. Invariant: a refused request leaves everything as it was, except where the venue's own rule
says otherwise (a replacement's cancelled order, an edit that would cross).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from actors.trading.instruments import Side
from actors.venues.paper.accounts import Account
from actors.venues.paper.checks import Checks, Terms, Verify, terms_of
from actors.venues.paper.events import InstrumentState, OrderReleased
from actors.venues.paper.floor import Floor
from actors.venues.paper.listings import Listing
from actors.venues.paper.margin import MarginDesk
from actors.venues.paper.matcher import Matcher, immediate, match_limit
from actors.venues.paper.tickets import (
    CancelReason,
    EditRequest,
    Fill,
    Order,
    OrderRequest,
    OrderStatus,
    Placed,
    Reason,
    Refusal,
    Replaced,
    TimeInForce,
)

GONE = {
    OrderStatus.CANCELLED: Reason.ALREADY_CANCELLED,
    OrderStatus.REJECTED: Reason.ALREADY_CANCELLED,
    OrderStatus.FILLED: Reason.ALREADY_FILLED,
    OrderStatus.EXPIRED: Reason.ALREADY_EXPIRED,
}


class OrderEntry:
    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.matcher = Matcher(floor)
        self.margin = MarginDesk(floor)
        self.checks = Checks(floor, self.margin, self.matcher)

    # -- birth

    def place(
        self, account: Account, listing: Listing, request: OrderRequest, now_ns: int, verify: Verify | None
    ) -> Placed:
        self.checks.validate(account, listing, request, now_ns, verify)
        return self._admit(account, listing, request, now_ns, "")

    def _admit(
        self, account: Account, listing: Listing, request: OrderRequest, now_ns: int, replaced_order_id: str
    ) -> Placed:
        self.checks.deadline(request.reject_after_ms, now_ns)
        terms = terms_of(request)
        price = self.checks.admit(account, listing, terms, now_ns)
        if terms.immediate and not self.floor.rules.speed_bump_ns:
            self._find_counterpart(listing, terms, price, request.tif)
        order = self._write(account, listing, request, price, now_ns)
        order.replaced_order_id = replaced_order_id
        self.floor.admit(order, account)
        return self.launch(order, listing, now_ns)

    def launch(self, order: Order, listing: Listing, now_ns: int) -> Placed:
        """Match a PENDING order, at once or after the speed bump."""
        if self._bumped(order, listing):
            self.floor.agenda.at(now_ns + self.floor.rules.speed_bump_ns, lambda due_ns: self._release(order, due_ns))
            return Placed(order, pending=True)
        return Placed(order, self._match(order, listing, now_ns))

    def _write(self, account: Account, listing: Listing, request: OrderRequest, price: int, now_ns: int) -> Order:
        return Order(
            order_id=self.floor.order_id(listing),
            account_id=account.account_id,
            instrument=listing.name,
            side=request.side,
            price=price,
            signed_price=request.price or 0,
            amount=request.amount,
            order_type=request.order_type,
            tif=request.tif,
            created_ns=now_ns,
            updated_ns=now_ns,
            status=OrderStatus.PENDING,
            post_only=request.post_only,
            reject_post_only=request.reject_post_only,
            reduce_only=request.reduce_only,
            mmp=request.mmp,
            mmp_group=request.mmp_group,
            label=request.label,
            nonce=request.nonce,
            signer=request.signer,
            signature=request.signature,
            signature_expiry_s=request.signature_expiry_s,
            max_fee=request.max_fee,
            connection=request.connection,
            echo=request.echo,
        )

    def _find_counterpart(self, listing: Listing, terms: Terms, price: int, tif: TimeInForce) -> None:
        """Derive refuses an immediate order that would find nothing, and a fill-or-kill that would find too little."""
        if not self.floor.rules.unfilled_immediate_refused:
            return
        limit = match_limit(listing, terms.side, price, clipped=True)
        there = listing.book.within(terms.side, limit, terms.amount)
        if tif is TimeInForce.FOK and there < terms.amount:
            raise Refusal(Reason.FOK_UNFILLED)
        if not there:
            raise Refusal(Reason.NOTHING_TO_MATCH)

    def _fillable(self, order: Order, listing: Listing) -> bool:
        limit = match_limit(listing, order.side, order.price, clipped=True)
        return listing.book.within(order.side, limit, order.remaining) == order.remaining

    # -- the speed bump

    def _bumped(self, order: Order, listing: Listing) -> bool:
        rules = self.floor.rules
        if not rules.speed_bump_ns or order.post_only:
            return False
        if rules.bump_all_but_post_only:
            return True
        limit = match_limit(listing, order.side, order.price, immediate(order.order_type, order.tif))
        return listing.book.within(order.side, limit, 1) > 0

    def _release(self, order: Order, due_ns: int) -> None:
        """The order's turn after the bump, in the order of arrival: what has changed since is checked again."""
        fills: tuple[Fill, ...] = ()
        refusal = None
        if not order.status.final:
            listing = self.floor.listings[order.instrument]
            try:
                self._check_late(order, listing)
                fills = self._match(order, listing, due_ns)
            except Refusal as late:
                refusal = late
                reason = CancelReason.SELF_TRADE if late.reason is Reason.SELF_CROSS else CancelReason.IMMEDIATE
                self.floor.end(order, OrderStatus.CANCELLED, reason, due_ns)
        self.floor.tell_orders()
        self.floor.events.append(OrderReleased(copy(order), fills, refusal))

    def _check_late(self, order: Order, listing: Listing) -> None:
        terms = _terms_now(order)
        self.checks.tradable(listing)
        if terms.immediate:
            self._find_counterpart(listing, terms, order.price, order.tif)
        account = self.floor.accounts[order.account_id]
        if not account.house and self.checks.own_in_the_way(account, listing, terms):
            raise Refusal(Reason.SELF_CROSS)

    def _match(self, order: Order, listing: Listing, due_ns: int) -> tuple[Fill, ...]:
        if order.tif is TimeInForce.FOK and not self._fillable(order, listing):
            self.floor.end(order, OrderStatus.CANCELLED, CancelReason.IMMEDIATE, due_ns)
            return ()
        return tuple(self.matcher.work(order, listing, due_ns))

    # -- replace (Derive)

    def replace(
        self, account: Account, old: Order, listing: Listing, request: OrderRequest, expected_filled: int | None,
        now_ns: int, verify: Verify | None,
    ) -> Replaced:  # fmt: skip
        """The old order dies first; whatever then stops the new one is an answer, not an exception."""
        if self.floor.rules.replace_validates_first:
            self.checks.validate(account, listing, request, now_ns, verify)
        filled = old.filled
        self.cancel(old, CancelReason.USER, now_ns)
        try:
            if expected_filled is not None and expected_filled != filled:
                raise Refusal(Reason.FILL_DIFFERS, str(filled))
            if not self.floor.rules.replace_validates_first:
                self.checks.validate(account, listing, request, now_ns, verify)
            return Replaced(old, self._admit(account, listing, request, now_ns, old.order_id))
        except Refusal as failure:
            return Replaced(old, None, failure)

    # -- edit (Deribit)

    def edit(self, order: Order, account: Account, listing: Listing, request: EditRequest, now_ns: int) -> Placed:
        """In place: less at the same price keeps its turn in the queue, anything else goes behind."""
        self.checks.tradable(listing)
        self.checks.deadline(request.reject_after_ms, now_ns)
        if order.status is not OrderStatus.OPEN:
            raise Refusal(Reason.REPLACED_MEANWHILE, order.order_id)
        price = order.price if request.price is None else request.price
        self.checks.price(listing, price)
        if request.amount <= order.filled:
            self.floor.end(order, OrderStatus.CANCELLED, CancelReason.USER, now_ns)
            return Placed(order)
        self.checks.amount_of(listing, request.amount)
        if price == order.price and request.amount <= order.amount:
            return self._shrink(order, account, listing, request, now_ns)
        return self._move(order, account, listing, request, price, now_ns)

    def _shrink(self, order: Order, account: Account, listing: Listing, request: EditRequest, now_ns: int) -> Placed:
        if request.amount < order.amount:
            self.floor.shrink(order, listing, order.amount - request.amount)
        self._rewrite(order, account, request, order.price, now_ns)
        return Placed(order)

    def _move(
        self, order: Order, account: Account, listing: Listing, request: EditRequest, price: int, now_ns: int
    ) -> Placed:
        terms = Terms(
            side=order.side,
            price=price,
            amount=request.amount - order.filled,
            passive=request.post_only,
            reject_passive=request.reject_post_only,
            immediate=False,
            mmp=order.mmp,
            mmp_group=order.mmp_group,
            instead_of=order,
        )
        try:
            working = self.checks.admit(account, listing, terms, now_ns)
        except Refusal as refusal:
            if refusal.reason is Reason.POST_ONLY_CROSS:
                self.floor.end(order, OrderStatus.CANCELLED, CancelReason.EDIT_POST_ONLY, now_ns)
            raise
        self.floor.unrest(order, listing)
        self._rewrite(order, account, request, working, now_ns)
        return self.launch(order, listing, now_ns)

    def _rewrite(self, order: Order, account: Account, request: EditRequest, price: int, now_ns: int) -> None:
        order.price, order.amount, order.updated_ns, order.replaced = price, request.amount, now_ns, True
        order.post_only, order.reject_post_only = request.post_only, request.reject_post_only
        order.reduce_only = request.reduce_only
        self.floor.note(order, account)

    # -- cancel

    def find(self, account: Account, order_id: str) -> Order:
        """The open order; Refusal says how it is gone."""
        order = account.open_orders.get(order_id)
        return order if order is not None else self.gone(account.ended.get(order_id), order_id)

    def find_by_nonce(self, account: Account, nonce: int) -> Order:
        order = account.by_nonce.get(nonce)
        return order if order is not None and not order.status.final else self.gone(order, str(nonce))

    @staticmethod
    def gone(order: Order | None, what: str) -> Order:
        raise Refusal(Reason.UNKNOWN_ORDER if order is None else GONE[order.status], what[:64])

    def cancel(self, order: Order, reason: CancelReason, now_ns: int) -> None:
        """Ends it, or (in the speed bump) makes it immediate-or-cancel."""
        self.matcher.pull(order, reason, now_ns)

    def cancel_some(
        self, account: Account, which: Callable[[Order], bool], reason: CancelReason, now_ns: int
    ) -> list[Order]:
        """Those chosen, oldest first; who asks is refused while an instrument settles, a lost connection is not."""
        chosen = [order for order in account.open_orders.values() if which(order)]
        if reason is not CancelReason.DISCONNECT:
            listings = self.floor.listings
            chosen = [o for o in chosen if listings[o.instrument].state is not InstrumentState.SETTLEMENT]
        for order in chosen:
            self.cancel(order, reason, now_ns)
        return chosen


def _terms_now(order: Order) -> Terms:
    return Terms(
        side=Side(order.side),
        price=order.price,
        amount=order.remaining,
        passive=False,
        reject_passive=False,
        immediate=immediate(order.order_type, order.tif),
        mmp=order.mmp,
        mmp_group=order.mmp_group,
        instead_of=order,
    )
