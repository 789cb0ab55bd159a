"""The smallest exchange a world can trade on: price-time books in memory, that refuse what a world must never do."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from actors.trading.instruments import Instrument, Side
from actors.venues.paper.terms import Levels, Reference

MAKER = "maker"
"""The owner of quotes that a test puts up."""


class OpenPit:
    """Books as {instrument: {side: {owner: [[price, amount], ...]}}}; every call is hashed into `digest`."""

    def __init__(self) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.references: dict[str, Reference] = {}
        self.index: dict[str, float] = {}
        self.books: dict[str, dict[Side, dict[str, list[list[int]]]]] = {}
        self.trades: list[tuple[str, Side, int, int, str]] = []
        """(instrument, the taker's side, price, amount, whose quote)."""
        self.calls: dict[str, int] = defaultdict(int)
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def list(self, instrument: Instrument) -> None:
        self._note("list", instrument.name, instrument.strike, instrument.expiry_s)
        assert instrument.name not in self.instruments, f"{instrument.name} listed twice"
        self.instruments[instrument.name] = instrument
        self.books[instrument.name] = {Side.BID: {}, Side.ASK: {}}

    def set_index(self, index_name: str, price: float) -> None:
        self._note("index", index_name, price)
        self.index[index_name] = price

    def set_reference(self, instrument: str, reference: Reference) -> None:
        self._note("reference", instrument, reference.mark, reference.vol)
        assert instrument in self.instruments
        self.references[instrument] = reference

    def replace_rival_quotes(self, instrument: str, rival: str, bids: Levels, asks: Levels) -> None:
        self._note("quotes", instrument, rival, tuple(bids), tuple(asks))
        self.quote(instrument, rival, bids, asks)

    def quote(self, instrument: str, owner: str, bids: Levels, asks: Levels) -> None:
        listed = self.instruments[instrument]
        for side, levels in ((Side.BID, bids), (Side.ASK, asks)):
            prices = [price for price, _ in levels]
            assert all(price > 0 and listed.on_ladder(price) for price in prices), (instrument, levels)
            assert prices == sorted(set(prices), reverse=side is Side.BID), (instrument, side, levels)
            assert all(amount >= listed.min_amount for _, amount in levels)
            self.books[instrument][side][owner] = [list(level) for level in levels]
        bid, ask = self.best(instrument)
        assert not (bid and ask and bid >= ask), f"{instrument} crossed: {bid} / {ask}, by {owner}"

    def best(self, instrument: str, besides: str = "") -> tuple[int, int]:
        book = self.books[instrument]
        bids = [level[0][0] for owner, level in book[Side.BID].items() if level and owner != besides]
        asks = [level[0][0] for owner, level in book[Side.ASK].items() if level and owner != besides]
        return max(bids, default=0), min(asks, default=0)

    def take(self, instrument: str, side: Side, amount: int, limit: int) -> int:
        """The maker of a test stands first in each queue."""
        self._note("take", instrument, side, amount, limit)
        assert amount >= self.instruments[instrument].min_amount
        book, left = self.books[instrument][side.other], amount
        while left:
            prices = self.best(instrument)
            price = prices[1] if side is Side.BID else prices[0]
            if not price or (limit - price) * side < 0:
                break
            owners = [owner for owner, levels in book.items() if levels and levels[0][0] == price]
            owner = MAKER if MAKER in owners else owners[0]
            top = book[owner][0]
            part = min(left, top[1])
            self.trades.append((instrument, side, price, part, owner))
            left -= part
            top[1] -= part
            if not top[1]:
                del book[owner][0]
        return amount - left

    def _note(self, what: str, *details: object) -> None:
        self.calls[what] += 1
        self._hash.update(repr((what, *details)).encode())
