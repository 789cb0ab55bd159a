"""An instrument as the exchange lists it: state, reference values, price band, book, tape.

Owns the `Listing` and what the world feeds into it. Never decides about an order. Invariant: a listing's book is empty
once its state is DELIVERED.
"""

from __future__ import annotations

from decimal import Decimal

import attrs
import msgspec

from actors.trading.instruments import Instrument
from actors.venues.paper.book import Book
from actors.venues.paper.events import InstrumentState

ZERO = Decimal(0)


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What the world says about one instrument. Prices in the instrument's own unit (coin for inverse options).

    `min_price` and `max_price` None: the venue's band rule applies. Greeks are per contract; `delta` drives MMP.
    """

    mark: Decimal
    forward: Decimal = ZERO
    mark_vol: float = 0.0
    discount: float = 1.0
    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0
    rho: float = 0.0
    funding_rate: float = 0.0
    min_price: Decimal | None = None
    max_price: Decimal | None = None


@attrs.define(eq=False)
class TradeStats:
    """Since listing (a face that wants 24 h keeps its own): contracts, premium, count, extremes, last."""

    volume: int = 0
    """In amount steps."""
    value: int = 0
    """Sum of price x amount, ticks x steps."""
    count: int = 0
    high: int = 0
    low: int = 0
    last: int = 0
    """Last trade price in ticks; zero: none yet."""
    open_interest: int = 0


@attrs.define(eq=False)
class Listing:
    instrument: Instrument
    state: InstrumentState
    book: Book
    reference: Reference | None = None
    index: Decimal = ZERO
    settlement_price: Decimal | None = None
    stats: TradeStats = attrs.Factory(TradeStats)

    @property
    def name(self) -> str:
        return self.instrument.name

    def price_of(self, value: str | float | Decimal) -> int:
        """Wire price to ticks; Refusal BAD_PRICE off the smallest tick (the ladder is checked at entry)."""
        raise NotImplementedError

    def amount_of(self, value: str | float | Decimal) -> int:
        """Wire amount to steps; Refusal BAD_AMOUNT off the step."""
        raise NotImplementedError

    def band(self) -> tuple[int, int]:
        """Lowest and highest price in ticks; (1, 1 << 62) while there is no reference."""
        raise NotImplementedError
