"""Wire numbers to whole ticks and steps, exactly: each distinct number is converted once and remembered.

Owns the crossing on the hot path (a price of 100.1 is seen thousands of times). A number may come as text or as a JSON
number; the latter is read by its shortest text, which is what was printed, also where it was printed as `3.2e-4`.
Invariant: an exact conversion either gives the integer or raises ValueError; it never rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

from actors.trading.instruments import Instrument, whole_units

MOST = Decimal("1e18")
"""No price or amount of any venue. Beyond it integers take seconds to make and floats cannot hold them."""
LEAST_SEEN, MOST_SEEN = 1e-12, 1e15
"""Between them lies every figure of a market; models that are given others divide by zero."""
REMEMBERED = 1 << 14
"""A memory of conversions is emptied at this size: a hostile feed must not eat the machine, and to grow or to empty a larger
one holds the loop for milliseconds."""
LEVELS_REMEMBERED = 64
"""Of one instrument's book: each is some 300 bytes, and all of them are forgotten at once."""


class Units(dict[str | float, int]):
    """Wire number to whole units, by lookup; `exact` ones raise ValueError off the grid, others are cut down to it."""

    def __init__(self, unit: Decimal, what: str, *, exact: bool = True) -> None:
        super().__init__()
        self._unit = unit
        self._what = what
        self._exact = exact

    def __missing__(self, text: str | float) -> int:
        value = decimal_of(text, self._what)
        if self._exact:
            count = whole_units(value, self._unit, self._what)
        else:
            count = int((value / self._unit).to_integral_value(ROUND_FLOOR))
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = count
        return count


class Levels(dict[tuple[str | float, str | float], tuple[int, int]]):
    """A level of an instrument's book as it is on the wire, (price, amount), to (ticks, steps): ValueError for a price off
    the grid. From one book to the next a level or two change, so that nearly all are found, and nothing is made for them."""

    def __init__(self, ticks: Units, steps: Units) -> None:
        super().__init__()
        self._ticks = ticks
        self._steps = steps

    def __missing__(self, level: tuple[str | float, str | float]) -> tuple[int, int]:
        price, amount = level
        if len(self) >= LEVELS_REMEMBERED:
            self.clear()
        units = self[level] = (self._ticks[price], self._steps[amount])
        return units

    def of(self, side: Iterable[tuple[str | float, str | float]]) -> tuple[tuple[int, int], ...]:
        """One side of a book, in its order."""
        return tuple(map(self.__getitem__, side))


class Grids:
    """The memories of conversion, shared by all instruments of one tick or step."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Decimal], tuple[Units, Units]] = {}

    def prices(self, instrument: Instrument) -> tuple[Units, Units]:
        """(exact ticks, ticks cut down)."""
        return self._of("price", instrument.tick)

    def amounts(self, instrument: Instrument) -> tuple[Units, Units]:
        """(exact steps, steps cut down)."""
        return self._of("amount", instrument.amount_step)

    def _of(self, what: str, unit: Decimal) -> tuple[Units, Units]:
        known = self._known.get((what, unit))
        if known is None:
            known = self._known[what, unit] = Units(unit, what), Units(unit, what, exact=False)
        return known


def decimal_of(text: str | float | Decimal, what: str) -> Decimal:
    """A finite decimal from the wire; ValueError for anything else."""
    try:
        value = Decimal(str(text))
    except ArithmeticError:
        raise ValueError(f"{what} {text!r} is not a number") from None
    if not value.is_finite() or abs(value) > MOST:
        raise ValueError(f"{what} {text!r} is not a number")
    return value


def present(value: float | None) -> float | None:
    """None for absent (zero or null), and for what no price, forward or volatility can be."""
    return value if value is not None and LEAST_SEEN < value < MOST_SEEN else None
