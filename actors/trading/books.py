"""The picture of one instrument's market that a strategy sees: what others rest, and what the venue says it is worth.

Owns the removal of the account's own size from a book, and the crossing between money (quote currency) and the
instrument's premium. Never awaits, keeps nothing between calls. Invariant: a level of `Market.book` holds size that
belongs to somebody else (design law 4), so a maker who reads it cannot outbid itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from actors.trading.instruments import BID, Instrument, Numeraire, OptionKind, Side
from actors.trading.pricing import black76
from actors.venues.dialect import BookUpdate, TickerUpdate

Level = tuple[int, int]
"""Price in smallest ticks, amount in steps."""

T = TypeVar("T")

OwnOrder = tuple[Side, int, int]
"""Side, price in smallest ticks and *remaining* amount in steps of an order the account has at rest."""

STEP_TOLERANCE = 1e-6
"""Of a step: 0.3 contracts of step 0.1 are three steps although 0.3 / 0.1 is not 3 in floats."""


class Kept(Generic[T]):
    """A property worked out once for each object: `functools.cached_property` without its lock, which costs more than most
    of what is kept."""

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, of: Any, owner: type) -> T:
        value = of.__dict__[self._name] = self._work(of)
        return value


class Book(msgspec.Struct, frozen=True, gc=False):
    """Levels best first; an empty side is an empty tuple. `ts_ms` is the venue's clock."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    ts_ms: int

    @classmethod
    def of(cls, update: BookUpdate) -> Book:
        return cls(tuple(update.bids), tuple(update.asks), update.ts_ms)

    def side(self, side: Side) -> tuple[Level, ...]:
        return self.bids if side is BID else self.asks

    def best(self, side: Side) -> int | None:
        """The best price of a side in ticks, or None when it is empty."""
        levels = self.bids if side is BID else self.asks
        return levels[0][0] if levels else None


def others_only(book: Book, own: Sequence[OwnOrder]) -> Book:
    """The book without the account's orders, as they stood at the book's own time.

    A level is cut at zero, never below (our knowledge may be a moment ahead of the book), and an emptied one is gone.
    """
    if not own:
        return book
    bids, asks = book.bids, book.asks
    for side, price, amount in own:
        if side is BID:
            bids = _without(bids, price, amount)
        else:
            asks = _without(asks, price, amount)
    return Book(bids, asks, book.ts_ms)


def _without(levels: tuple[Level, ...], price: int, amount: int) -> tuple[Level, ...]:
    for place, (at, there) in enumerate(levels):
        if at == price:
            left = ((price, there - amount),) if there > amount else ()
            return levels[:place] + left + levels[place + 1 :]
    return levels


def best_with_size(levels: Sequence[Level], reference_steps: int) -> int | None:
    """Price of the best level that alone holds at least `reference_steps`; None when none does."""
    for price, amount in levels:
        if amount >= reference_steps:
            return price
    return None


def steps_at_least(instrument: Instrument, contracts: float) -> int:
    """The fewest whole steps that hold `contracts`."""
    return math.ceil(contracts / instrument.step_float - STEP_TOLERANCE)


def steps_at_most(instrument: Instrument, contracts: float) -> int:
    """The most whole steps within `contracts`."""
    return math.floor(contracts / instrument.step_float + STEP_TOLERANCE)


class Market(msgspec.Struct, frozen=True, dict=True):
    """Others' book and the last facts of the ticker. Prices are in the instrument's premium; vols annual fractions."""

    instrument: Instrument
    book: Book
    """Of others: the account's own size is out."""
    mark: float | None = None
    mark_vol: float | None = None
    forward: float | None = None
    index: float | None = None
    discount: float = 1.0
    band_low: int = 0
    band_high: int = 0
    manual: tuple[OwnOrder, ...] = ()
    """The operator's own orders on this account: no reference for a price, but nothing of ours may cross them."""

    @classmethod
    def of(
        cls, instrument: Instrument, book: Book, ticker: TickerUpdate | None, manual: tuple[OwnOrder, ...] = ()
    ) -> Market:
        """`book` must be of others already; without a ticker there is no mark, hence mostly no quote."""
        if ticker is None:
            return cls(instrument, book, manual=manual)
        return cls(
            instrument,
            book,
            mark=ticker.mark,
            mark_vol=ticker.mark_vol,
            forward=ticker.forward,
            index=ticker.index,
            discount=ticker.discount,
            band_low=ticker.band_low,
            band_high=ticker.band_high,
            manual=manual,
        )

    @Kept
    def coin_value(self) -> float | None:
        """Quote currency per unit of premium: 1, or the forward where the premium is paid in the coin itself.

        None for a coin premium without forward and index: then money cannot be turned into a price.
        """
        if self.instrument.numeraire is Numeraire.QUOTE:
            return 1.0
        return present(self.forward) or present(self.index)

    def premium(self, money: float) -> float | None:
        """An amount of quote currency per unit of the underlying, in the instrument's premium."""
        value = self.coin_value
        return None if value is None else money / value

    def barrier(self, side: Side) -> int | None:
        """The price, in ticks, an order on `side` must stay inside of: the other side's best, manual orders too."""
        opposite = self.book.asks if side is BID else self.book.bids
        if not self.manual:
            return opposite[0][0] if opposite else None
        prices = [price for owner, price, _ in self.manual if owner is not side]
        if opposite:
            prices.append(opposite[0][0])
        if not prices:
            return None
        return min(prices) if side is BID else max(prices)

    def price(self, ticks: int) -> float:
        return self.instrument.price_float(ticks)

    def tick_near(self, price: float) -> float:
        """The ladder's tick around a price, in premium."""
        instrument = self.instrument
        return instrument.tick_at(max(0, round(price / instrument.tick_float))) * instrument.tick_float


def present(value: float | None) -> float | None:
    """A fact of the venue that must be positive: zero, NaN and infinity mean that there is none."""
    return value if value is not None and math.isfinite(value) and value > 0 else None


def fair_mark(market: Market, t_years: float) -> float | None:
    """The venue's mark in premium; recomputed from its vol and forward where it is absent, rounded away to zero, or more
    than any option can be worth: a call is worth its forward at most, a put its strike.

    None when neither is possible. A coin premium is the Black-76 price over the forward.
    """
    mark, forward, instrument = present(market.mark), present(market.forward), market.instrument
    most = None if forward is None else market.premium(max(forward, instrument.strike))
    if mark is not None and (most is None or mark <= most):
        return mark
    vol = present(market.mark_vol)
    if vol is None or forward is None or instrument.kind is None or t_years <= 0:
        return None
    discount = present(market.discount) or 1.0
    money = black76(forward, instrument.strike, t_years, vol, instrument.kind is OptionKind.CALL, discount)
    return present(market.premium(money))
