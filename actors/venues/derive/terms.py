"""What one process knows of Derive's instruments: units, signing words, and the fee cap of each.

Owns the crossing between wire text and integers on the hot path: each distinct text is converted exactly, once, and
remembered (a price of 100.1 is seen thousands of times). Never awaits. Invariant: the text and the signed integer of a
price, an amount or a fee come from one conversion of one integer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from actors.trading.errors import StrikemakerError
from actors.trading.instruments import Instrument, decimal_text, whole_units
from actors.venues.derive.signing import asset_words

FINEST = Decimal("1E-12")
"""Derive keeps 12 decimals: the unit of an instrument we were never taught."""

REFERENCE_TOLERANCE = 0.01
"""The fee cap follows the index only when it moved by more; the cap's factor of three over the fee covers the rest."""

FEE_DECIMALS = 6
_REMEMBERED = 1 << 16


class Units(dict[str | float, int]):
    """Wire text to whole units, by lookup; `exact` ones raise ValueError off the grid, others are cut down to it."""

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
        if len(self) >= _REMEMBERED:
            self.clear()
        self[text] = count
        return count


class Wording(dict[int, tuple[str, int]]):
    """Whole units to (wire text, the value x 1e18), by lookup."""

    def __init__(self, text: Callable[[int], str], e18: Callable[[int], int]) -> None:
        super().__init__()
        self._text = text
        self._e18 = e18

    def __missing__(self, count: int) -> tuple[str, int]:
        if len(self) >= _REMEMBERED:
            self.clear()
        worded = self[count] = (self._text(count), self._e18(count))
        return worded


def decimal_of(text: str | float, what: str) -> Decimal:
    """A finite decimal from the wire; ValueError for anything else."""
    try:
        value = Decimal(str(text))
    except ArithmeticError:
        raise ValueError(f"{what} {text!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{what} {text!r} is not a number")
    return value


def required_max_fee(instrument: Instrument, reference: float) -> int:
    """Fee cap per unit, in 1e-6 of quote currency: 3 x taker rate x reference + base fee / minimum amount, rounded up.

    `reference` is the larger of index and mark. The source is Derive's own maker tool (derive.md section 1.8).
    """
    rate, base, spot = (Decimal(str(x)) for x in (instrument.fees.taker_rate, instrument.fees.base, reference))
    fee = 3 * rate * spot
    if base:
        fee += base / (instrument.min_amount * instrument.amount_step)
    return int(fee.scaleb(FEE_DECIMALS).to_integral_value(ROUND_CEILING))


class Terms:
    """One instrument as orders need it: words, units, and the fee cap that follows the index."""

    __slots__ = (
        "amounts",
        "asset_words",
        "frame_heads",
        "instrument",
        "loose_steps",
        "loose_ticks",
        "max_fee_e18",
        "max_fee_text",
        "prices",
        "reference",
        "steps",
        "ticks",
    )

    def __init__(self, instrument: Instrument, scales: Scales) -> None:
        self.reference = 0.0
        self.max_fee_text = ""
        self.max_fee_e18 = 0
        self.frame_heads: tuple[str, str] | None = None
        """What every order's parameters begin with, (sell, buy); None until written, and again when the fee moved."""
        self.revise(instrument, scales)

    def revise(self, instrument: Instrument, scales: Scales) -> None:
        """Take a changed listing in place: decoders that hold this object go on with the new units."""
        self.instrument = instrument
        self.ticks, self.loose_ticks, self.prices = scales.prices(instrument)
        self.steps, self.loose_steps, self.amounts = scales.amounts(instrument)
        self.asset_words = asset_words(instrument.asset_address, instrument.sub_id) if instrument.asset_address else b""
        self.frame_heads = None
        if self.reference:
            self._set_fee(self.reference)

    def note_reference(self, index: float, mark: float) -> None:
        """Follow the index (or a mark above it); called per tick, so it does nothing while within the tolerance."""
        reference = index if index > mark else mark
        if not abs(reference - self.reference) > REFERENCE_TOLERANCE * self.reference:
            return
        if 0.0 < reference < float("inf"):
            self._set_fee(reference)

    def _set_fee(self, reference: float) -> None:
        self.reference = reference
        micros = required_max_fee(self.instrument, reference)
        self.max_fee_text = decimal_text(micros, FEE_DECIMALS)
        self.max_fee_e18 = micros * 10 ** (18 - FEE_DECIMALS)
        self.frame_heads = None

    def require_fee(self) -> None:
        """StrikemakerError when no index was ever noted: an order without a fee cap cannot be signed."""
        if not self.reference:
            raise StrikemakerError(f"{self.instrument.name}: no index price noted yet, so no fee cap can be signed")


class Scales:
    """The memories of conversion, shared by all instruments of one tick or step."""

    def __init__(self) -> None:
        self._prices: dict[Decimal, tuple[Units, Units, Wording]] = {}
        self._amounts: dict[Decimal, tuple[Units, Units, Wording]] = {}

    def prices(self, instrument: Instrument) -> tuple[Units, Units, Wording]:
        """(exact ticks, ticks cut down, wording)."""
        wording = Wording(instrument.price_text, instrument.price_e18)
        return self._prices.setdefault(instrument.tick, _scale(instrument.tick, "price", wording))

    def amounts(self, instrument: Instrument) -> tuple[Units, Units, Wording]:
        """(exact steps, steps cut down, wording)."""
        wording = Wording(instrument.amount_text, instrument.amount_e18)
        return self._amounts.setdefault(instrument.amount_step, _scale(instrument.amount_step, "amount", wording))


def _scale(unit: Decimal, what: str, wording: Wording) -> tuple[Units, Units, Wording]:
    return Units(unit, what), Units(unit, what, exact=False), wording


class Board:
    """Every instrument this process was taught, by name."""

    def __init__(self) -> None:
        self._terms: dict[str, Terms] = {}
        self._scales = Scales()
        self.strays: set[str] = set()
        """Names the venue spoke of that nobody taught us: new listings, or another underlying's."""
        self.unreadable: list[str] = []
        """Listings that could not be read, in words."""

    def learn(self, instruments: Iterable[Instrument]) -> None:
        for instrument in instruments:
            known = self._terms.get(instrument.name)
            if known is None:
                self._terms[instrument.name] = Terms(instrument, self._scales)
            elif known.instrument != instrument:
                known.revise(instrument, self._scales)
            self.strays.discard(instrument.name)

    def get(self, name: str) -> Terms | None:
        return self._terms.get(name)

    def all(self) -> Iterable[Terms]:
        return self._terms.values()

    def known(self, name: str) -> Terms:
        """For orders of ours: StrikemakerError when the instrument was never learned."""
        terms = self._terms.get(name)
        if terms is None:
            raise StrikemakerError(f"{name}: not a listed instrument")
        return terms

    def any(self, name: str) -> Terms:
        """For rows of a query: an unlearned instrument's price and amount are counted in 1e-12."""
        terms = self._terms.get(name)
        if terms is not None:
            return terms
        self.strays.add(name)
        stranger = Instrument(name, "derive", name.partition("-")[0], FINEST, FINEST, 1, 1)
        return Terms(stranger, self._scales)

    def index_name(self, underlying: str) -> str:
        """What instruments of this underlying call their index."""
        for terms in self._terms.values():
            if terms.instrument.underlying == underlying and terms.instrument.index_name:
                return terms.instrument.index_name
        return f"{underlying}-USD"
