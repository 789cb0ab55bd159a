"""The operator's own orders on the makers' account: placed by hand, never to be touched by anything of ours.

Owns the placing of a few manual orders, some far from the market, one beside it. Acts on the engine directly, as a
person at the venue's web page does. Invariant: only the operator's own hand, at the moments it keeps, ends his orders.
"""

from __future__ import annotations

import random
from decimal import Decimal

import attrs

from actors.trading.instruments import Side
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.listings import Listing
from actors.venues.paper.tickets import OrderRequest, Reason, Refusal

LABEL = "by-hand"


@attrs.define
class Operator:
    exchange: Exchange
    account: int
    rng: random.Random
    near: list[str] = attrs.field(factory=list)
    """Order ids of those that may trade."""
    acted_ns: list[int] = attrs.field(factory=list)
    placed: int = 0
    tried: int = 0
    """A nonce is used up even where the book refuses the order."""

    def place(self, count: int) -> None:
        """One in three beside the market, the others where nobody trades."""
        listings = [one for one in self.exchange.engine.live_listings() if one.instrument.kind is not None]
        for _ in range(count):
            self._place_one(self.rng.choice(listings), self.rng.choice((Side.BID, Side.ASK)), self.rng.random() < 0.34)
        self.exchange.tell()

    def _place_one(self, listing: Listing, side: Side, near: bool) -> None:
        price = self._price(listing, side, near)
        self.tried += 1
        request = OrderRequest(
            instrument=listing.name,
            side=side,
            amount=listing.instrument.min_amount * self.rng.choice((1, 3)),
            price=price,
            post_only=True,
            label=f"{LABEL}-{self.placed + 1}",
            nonce=self.exchange.clock_ns() // 1000 * 1000 + self.tried,
            max_fee=Decimal(1000),
            signature_expiry_s=self._expiry_s(listing),
        )
        try:
            placed = self.exchange.engine.place(self.account, request)
        except Refusal as no:
            if no.reason not in (Reason.PRICE_TOO_HIGH, Reason.PRICE_TOO_LOW, Reason.POST_ONLY_CROSS, Reason.SELF_CROSS):
                raise  # a rehearsal without his orders would show nothing about them
            return  # off the venue's band just now, or another of his own is in the way: he lets it be
        self.placed += 1
        if near:
            self.near.append(placed.order.order_id)

    def _expiry_s(self, listing: Listing) -> int:
        """Half an hour, or to the option's end."""
        return min(self.exchange.clock_ns() // 1_000_000_000 + 1800, listing.instrument.expiry_s)

    def _price(self, listing: Listing, side: Side, near: bool) -> int:
        instrument, mark = listing.instrument, float(listing.mark)
        share = 0.02 if near else self.rng.uniform(0.25, 0.45)
        return max(1, instrument.onto_ladder(int(mark * (1 - side * share) / instrument.tick_float), side))

    def withdraw(self) -> None:
        """Takes back what could still trade, so that positions stand still at the end."""
        self.acted_ns.append(self.exchange.clock_ns())
        for order_id in self.near:
            try:
                self.exchange.engine.cancel(self.account, order_id)
            except Refusal:
                continue  # filled, or pulled by the wallet's cancel-on-disconnect
        self.exchange.tell()
