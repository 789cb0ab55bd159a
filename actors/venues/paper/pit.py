"""The world's hands on the engine: rivals' quotes, takers' orders, index and references, as house accounts.

Owns the house accounts and which of their orders rest where. Decides nothing: what to quote and when to trade is the
world's (`market.py`). Invariant: after `replace_rival_quotes` nothing rests for that rival but what was asked for; a
level that stayed the same kept its order and with it its place in the queue.
"""

from __future__ import annotations

from decimal import Decimal

from actors.trading.instruments import Instrument, Side
from actors.venues.paper import listings
from actors.venues.paper.book import Book
from actors.venues.paper.engine import Engine
from actors.venues.paper.terms import Levels, Reference
from actors.venues.paper.tickets import Order, OrderRequest, Refusal, TimeInForce

FIRST_HOUSE_ACCOUNT = 900_001
TAKERS = "takers"
MONEY = Decimal("1e-12")
Resting = dict[tuple[Side, int], Order]


class EnginePit:
    """`terms.Pit` on a matching engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._accounts: dict[str, int] = {}
        self._resting: dict[tuple[str, str], Resting] = {}

    def list(self, instrument: Instrument) -> None:
        self._engine.list_instrument(instrument)

    def set_index(self, index_name: str, price: float) -> None:
        self._engine.set_index(index_name, exact(price))

    def set_reference(self, instrument: str, reference: Reference) -> None:
        self._engine.set_reference(
            instrument,
            listings.Reference(
                mark=exact(reference.mark),
                forward=exact(reference.forward),
                mark_vol=reference.vol,
                discount=reference.discount,
                delta=reference.delta,
                gamma=reference.gamma,
                vega=reference.vega,
                theta=reference.theta,
            ),
        )

    def replace_rival_quotes(self, instrument: str, rival: str, bids: Levels, asks: Levels) -> None:
        account = self._account(rival)
        wanted = {(Side.BID, price): amount for price, amount in bids}
        wanted.update({(Side.ASK, price): amount for price, amount in asks})
        resting = self._resting.setdefault((instrument, rival), {})
        for place, order in list(resting.items()):
            if order.status.final:
                del resting[place]
            elif order.remaining != wanted.get(place):
                self._pull(account, order)
                del resting[place]
        for place, amount in wanted.items():
            if place not in resting:
                self._quote(account, instrument, place, amount, resting)

    def _pull(self, account: int, order: Order) -> None:
        try:
            self._engine.cancel(account, order.order_id)
        except Refusal:
            return  # it ended in the very moment (an expiry, a settlement)

    def _quote(self, account: int, instrument: str, place: tuple[Side, int], amount: int, resting: Resting) -> None:
        """One level; what the engine refuses (closed, would cross by now) is simply not there."""
        side, price = place
        request = OrderRequest(instrument=instrument, side=side, price=price, amount=amount, post_only=True)
        try:
            placed = self._engine.place(account, request)
        except Refusal:
            return
        resting[place] = placed.order

    def take(self, instrument: str, side: Side, amount: int, limit: int) -> int:
        request = OrderRequest(instrument=instrument, side=side, price=limit, amount=amount, tif=TimeInForce.IOC)
        try:
            placed = self._engine.place(self._account(TAKERS), request)
        except Refusal:
            return 0
        return sum(fill.amount for fill in placed.fills)

    def best(self, instrument: str, besides: str = "") -> tuple[int, int]:
        own = self._resting.get((instrument, besides), {})
        book = self._engine.listing(instrument).book
        return _best_of_others(book, Side.BID, own), _best_of_others(book, Side.ASK, own)

    def _account(self, name: str) -> int:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = FIRST_HOUSE_ACCOUNT + len(self._accounts)
            self._engine.open_account(account, house=True)
        return account


def _best_of_others(book: Book, side: Side, own: Resting) -> int:
    """The best price with more at it than our own; 0 when there is none."""
    top = book.top(side)
    if top is None:
        return 0
    mine = own.get((side, top.price))
    if mine is None or mine.remaining < top.total:
        return top.price
    for price, amount in book.levels(side, len(own) + 1):
        mine = own.get((side, price))
        if mine is None or mine.remaining < amount:
            return price
    return 0


def exact(value: float) -> Decimal:
    """A model's float as money of twelve decimals: the crossing from the world to the exchange."""
    return Decimal(repr(value)).quantize(MONEY)
