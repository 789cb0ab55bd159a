"""The checks an order passes before it may match, in the venue's order.

Owns refusal. `validate` looks at the request alone (state, expiry, nonce, amount, price, flags, fee cap, signature);
`working_price` and `admit` look at the book and the account (protection, deadline, self-cross, post-only, band, count,
margin). Changes nothing but the nonce book, and under `cancel_maker` the own orders in the way. House accounts skip what
binds customers. Invariant: a request that passed both can be booked as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from actors.trading.instruments import Side
from actors.venues.paper.accounts import Account
from actors.venues.paper.events import InstrumentState
from actors.venues.paper.fees import least_max_fee
from actors.venues.paper.floor import Floor
from actors.venues.paper.listings import Listing
from actors.venues.paper.margin import MarginDesk, NewOrder
from actors.venues.paper.matcher import Matcher, immediate, match_limit
from actors.venues.paper.rules import MS, SECOND, BandMode
from actors.venues.paper.tickets import (
    ZERO,
    CancelReason,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Reason,
    Refusal,
)

Verify = Callable[[], None]
"""Called after ticks and fee cap, before protection: the face's signature check; raises what the face likes."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be admitted: a new order, an edited one, or one side of a mass quote."""

    side: Side
    price: int
    """Ticks; zero: a market order without limit."""
    amount: int
    """What would rest: the remainder."""
    passive: bool
    """Post-only."""
    reject_passive: bool
    immediate: bool
    mmp: bool
    mmp_group: str
    instead_of: Order | None = None
    """The resting order it takes the place of: not counted against it."""


def terms_of(request: OrderRequest) -> Terms:
    return Terms(
        side=request.side,
        price=request.price or 0,
        amount=request.amount,
        passive=request.post_only,
        reject_passive=request.reject_post_only,
        immediate=immediate(request.order_type, request.tif),
        mmp=request.mmp,
        mmp_group=request.mmp_group,
    )


class Checks:
    def __init__(self, floor: Floor, margin: MarginDesk, matcher: Matcher) -> None:
        self._floor = floor
        self._rules = floor.rules
        self._margin = margin
        self._matcher = matcher

    # -- the request alone

    def validate(
        self, account: Account, listing: Listing, request: OrderRequest, now_ns: int, verify: Verify | None
    ) -> None:
        """Everything up to the signature; the nonce counts as used from here on, whatever the book says."""
        self.tradable(listing)
        signed = self._rules.needs_nonce and not account.house
        if self._rules.needs_expiry and not account.house:
            self._expiry(listing, request, now_ns)
        if signed:
            self._floor.nonces.check(account, request, now_ns)
        self.amount(listing, request)
        self.price(listing, request.price, request.order_type)
        self._flags(account, request)
        if self._rules.checks_max_fee and not account.house:
            self._max_fee(account, listing, request)
        if verify is not None:
            verify()
        if signed:
            self._floor.nonces.use(account, request)

    def tradable(self, listing: Listing) -> None:
        """New orders and edits need an OPEN instrument."""
        self.working()
        if listing.state is InstrumentState.OPEN:
            return
        raise Refusal(Reason.SETTLING if listing.state is InstrumentState.SETTLEMENT else Reason.NOT_LIVE, listing.name)

    def cancellable(self, listing: Listing) -> None:
        self.working()
        if listing.state is InstrumentState.SETTLEMENT:
            raise Refusal(Reason.SETTLING, listing.name)

    def working(self) -> None:
        if self._floor.maintenance:
            raise Refusal(Reason.MAINTENANCE)

    def _expiry(self, listing: Listing, request: OrderRequest, now_ns: int) -> None:
        rules, expiry_s = self._rules, request.signature_expiry_s
        life_ns = expiry_s * SECOND - now_ns
        longest_s = rules.max_mmp_expiry_s if request.mmp and rules.max_mmp_expiry_s else rules.max_expiry_s
        if not rules.min_expiry_s * SECOND <= life_ns <= longest_s * SECOND:
            raise Refusal(Reason.EXPIRY_BOUNDS, f"{life_ns // SECOND} s ahead", f"{rules.min_expiry_s}..{longest_s}")
        option_s = listing.instrument.expiry_s
        if rules.expiry_within_option and option_s and expiry_s > option_s:
            raise Refusal(Reason.EXPIRY_BOUNDS, "beyond the option's expiry", str(option_s))

    def amount(self, listing: Listing, request: OrderRequest) -> None:
        taking = request.reduce_only or immediate(request.order_type, request.tif)
        self.amount_of(listing, request.amount, small=taking and not self._rules.minimum_binds_takers)

    def amount_of(self, listing: Listing, amount: int, *, small: bool = False) -> None:
        """Within bounds and on the venue's step; `small` allows less than the minimum."""
        instrument, least = listing.instrument, listing.instrument.min_amount
        if amount <= 0 or amount > instrument.max_amount:
            raise Refusal(Reason.BAD_AMOUNT, instrument.amount_text(amount), instrument.amount_text(instrument.max_amount))
        if amount % least if self._rules.amount_multiple_of_minimum else amount < least and not small:
            raise Refusal(Reason.BAD_AMOUNT, instrument.amount_text(amount), instrument.amount_text(least))

    def price(self, listing: Listing, price: int | None, order_type: OrderType = OrderType.LIMIT) -> None:
        """Positive and on the ladder; None only for a market order."""
        if price is None:
            if order_type is not OrderType.MARKET:
                raise Refusal(Reason.BAD_PRICE, "missing")
        elif price <= 0 or not listing.instrument.on_ladder(price):
            raise Refusal(Reason.BAD_PRICE, listing.instrument.price_text(price))

    def _flags(self, account: Account, request: OrderRequest) -> None:
        taking = immediate(request.order_type, request.tif)
        if request.post_only and taking:
            raise Refusal(Reason.POST_ONLY_MARKET)
        if request.mmp and request.order_type is OrderType.MARKET:
            raise Refusal(Reason.BAD_ARGUMENTS, "a market order has no market-maker protection")
        if request.reduce_only:
            if not taking and not self._rules.reduce_only_may_rest:
                raise Refusal(Reason.REDUCE_ONLY_RESTING)
            if account.amount(request.instrument) * request.side >= 0:
                raise Refusal(Reason.WOULD_NOT_REDUCE)

    def _max_fee(self, account: Account, listing: Listing, request: OrderRequest) -> None:
        crossing, base = 0, ZERO
        if not request.post_only and not account.base_fee_waived:
            limit = match_limit(listing, request.side, request.price or 0, clipped=False)
            crossing, base = listing.book.within(request.side, limit, request.amount), listing.valuer.fee_base
        least = least_max_fee(listing, crossing, base)
        if (request.max_fee if request.max_fee is not None else Decimal(-1)) < least:
            raise Refusal(Reason.MAX_FEE_LOW, str(request.max_fee), f"{least:f}")

    # -- the book and the account

    def deadline(self, reject_after_ms: int, now_ns: int) -> None:
        if reject_after_ms and now_ns > reject_after_ms * MS:
            raise Refusal(Reason.TOO_LATE)

    def admit(self, account: Account, listing: Listing, terms: Terms, now_ns: int) -> int:
        """The working price in ticks (slid where asked for)."""
        if account.house:
            return self.working_price(listing, terms, house=True)
        if terms.mmp:
            self.not_frozen(account, listing, terms.mmp_group, now_ns)
        self._self_cross(account, listing, terms, now_ns)
        price = self.working_price(listing, terms, house=False)
        if terms.instead_of is None and len(account.open_orders) >= self._rules.max_open_orders:
            raise Refusal(Reason.TOO_MANY_ORDERS, "", str(self._rules.max_open_orders))
        if terms.mmp:
            self._quote_quantity(account, listing, terms)
        new = NewOrder(terms.side, price, terms.amount)
        self._margin.refuse_beyond(account, listing, new, now_ns, terms.instead_of)
        return price

    def not_frozen(self, account: Account, listing: Listing, group: str, now_ns: int) -> None:
        guard = account.guards.get((self._floor.scope_of(listing), group))
        if guard is not None and guard.frozen(now_ns):
            raise Refusal(Reason.MMP_FROZEN, str(guard.status(now_ns).frozen_until_ms))

    def _self_cross(self, account: Account, listing: Listing, terms: Terms, now_ns: int) -> None:
        """Refused, or (`cancel_maker`) the own orders in the way are cancelled. A sliding order slides past instead."""
        if terms.passive and not terms.reject_passive:
            return
        for order in self.own_in_the_way(account, listing, terms):
            if not account.cancel_maker_on_self_cross:
                raise Refusal(Reason.SELF_CROSS, order.order_id)
            self._matcher.pull(order, CancelReason.SELF_TRADE, now_ns)

    def own_in_the_way(self, account: Account, listing: Listing, terms: Terms) -> list[Order]:
        """Resting orders of the same account (or owner) at prices the terms reach, others in front of them or not."""
        mates = self._floor.owners[account.owner] if self._rules.self_cross_by_owner else (account,)
        found: list[Order] = []
        for mate in mates:
            for order in mate.by_instrument.get(listing.name, {}).values():
                if order.side is terms.side or order is terms.instead_of or order.status is not OrderStatus.OPEN:
                    continue
                if not terms.price or terms.price * terms.side >= order.price * terms.side:
                    found.append(order)
        return found

    def working_price(self, listing: Listing, terms: Terms, *, house: bool) -> int:
        """Post-only and band: the price, the slid price, or the refusal."""
        passive, price, side = terms.passive, terms.price, terms.side
        if not house and price:
            passive = self._band(listing, terms) or passive
        if not passive or not listing.book.crosses(side, price):
            return price
        if terms.reject_passive:
            raise Refusal(Reason.POST_ONLY_CROSS)
        best = listing.book.best(side.other)
        assert best is not None  # it crosses
        slid = listing.instrument.step_down(best) if side is Side.BID else listing.instrument.step_up(best)
        if slid <= 0:
            raise Refusal(Reason.NO_SLIDE)
        return slid

    def _band(self, listing: Listing, terms: Terms) -> bool:
        """Refused beyond the band (Deribit), or True: the limit now acts post-only (Derive)."""
        low, high = listing.band()
        above, below = terms.side > 0 and terms.price > high, terms.side < 0 and terms.price < low
        if not above and not below:
            return False
        if self._rules.band_mode is BandMode.CLIP:
            return not terms.immediate
        edge = listing.instrument.price_text(high if above else low)
        raise Refusal(Reason.PRICE_TOO_HIGH if above else Reason.PRICE_TOO_LOW, edge, edge)

    def _quote_quantity(self, account: Account, listing: Listing, terms: Terms) -> None:
        """Deribit's maximum quote quantity: protected resting size per side and instrument."""
        guard = account.guards.get((self._floor.scope_of(listing), terms.mmp_group))
        if guard is None or guard.config.max_quote_quantity is None:
            return
        resting = sum(
            order.amount - order.filled
            for order in account.by_instrument.get(listing.name, {}).values()
            if order.mmp and order.mmp_group == terms.mmp_group and order.side is terms.side
            and order is not terms.instead_of
        )  # fmt: skip
        most = guard.config.max_quote_quantity
        if (resting + terms.amount) * listing.valuer.size > most:
            raise Refusal(Reason.MMP_QUANTITY, "", str(most))
