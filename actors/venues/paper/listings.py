"""An instrument as the exchange lists it: state, reference values, price band, book, tape.

Owns the `Listing` and what the world feeds into it. Never decides about an order. Invariant: a listing's book is empty
once its state is DELIVERED.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import attrs

from actors.trading.instruments import Instrument
from actors.venues.paper.book import Book
from actors.venues.paper.events import InstrumentState
from actors.venues.paper.rules import BandRule
from actors.venues.paper.tickets import ZERO, Reason, Refusal
from actors.venues.paper.tickets import Reference as Reference
from actors.venues.paper.valuation import Valuer

NO_CEILING = 1 << 62
"""The price in ticks above which nothing is."""


@attrs.define(eq=False)
class TradeStats:
    """Since listing (a face that wants 24 h keeps its own). Amounts in steps, prices in ticks, zero: none yet."""

    volume: int = 0
    value: int = 0
    """Sum of price x amount."""
    count: int = 0
    high: int = 0
    low: int = 0
    last: int = 0
    tick_direction: int = 1
    open_interest: int = 0

    def note(self, price: int, amount: int) -> None:
        """Take a trade in; the direction follows Deribit: 0 up, 1 zero-plus, 2 down, 3 zero-minus."""
        if price != self.last:
            self.tick_direction = 0 if price > self.last else 2
        else:
            self.tick_direction |= 1
        self.volume += amount
        self.value += price * amount
        self.count += 1
        self.high = max(self.high, price)
        self.low = min(self.low, price) if self.low else price
        self.last = price


@attrs.define(eq=False)
class Listing:
    instrument: Instrument
    state: InstrumentState
    valuer: Valuer
    band_rule: BandRule
    name: str
    book: Book = attrs.Factory(Book)
    reference: Reference | None = None
    index: Decimal = ZERO
    settlement_price: Decimal | None = None
    stats: TradeStats = attrs.Factory(TradeStats)
    _band_of: Reference | None = None
    _band: tuple[int, int] = (1, NO_CEILING)

    @property
    def mark(self) -> Decimal:
        """Zero while the world has said nothing."""
        return self.reference.mark if self.reference is not None else ZERO

    def price_of(self, value: str | float | Decimal) -> int:
        """Wire price to ticks; Refusal BAD_PRICE off the smallest tick (the ladder is checked at entry)."""
        return _whole(self.instrument.price_ticks, value, Reason.BAD_PRICE)

    def amount_of(self, value: str | float | Decimal) -> int:
        """Wire amount to steps; Refusal BAD_AMOUNT off the step."""
        return _whole(self.instrument.amount_steps, value, Reason.BAD_AMOUNT)

    def band(self) -> tuple[int, int]:
        """Lowest and highest price in ticks; (1, NO_CEILING) while there is no reference.

        Reckoned once per reference, with the index of that moment.
        """
        reference = self.reference
        if reference is not self._band_of and reference is not None:
            self._band_of = reference
            self._band = self._reckon_band(reference)
        return self._band

    def _reckon_band(self, reference: Reference) -> tuple[int, int]:
        low, high = reference.min_price, reference.max_price
        if low is None or high is None:
            rule_low, rule_high = self.band_rule(self.instrument, reference, self.index)
            low, high = rule_low if low is None else low, rule_high if high is None else high
        tick = self.instrument.tick
        floor = int((low / tick).to_integral_value(ROUND_CEILING))
        return max(1, floor), max(1, int((high / tick).to_integral_value(ROUND_FLOOR)))


def _whole(units: Callable[[Decimal], int], value: str | float | Decimal, reason: Reason) -> int:
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        return units(number) if number.is_finite() else _refuse(reason, value)
    except (ValueError, ArithmeticError):
        return _refuse(reason, value)


def _refuse(reason: Reason, value: object) -> int:
    raise Refusal(reason, str(value)[:64]) from None
