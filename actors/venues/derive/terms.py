"""What one process knows of Derive's instruments: units, signing words, and the fee cap of each.

Owns the words of a price or amount as they are sent and signed, each written once and remembered. Never awaits.
Invariant: the text and the signed integer of a price, an amount or a fee come from one conversion of one integer.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal

from actors.trading.errors import StrikemakerError
from actors.trading.instruments import Instrument, decimal_text
from actors.venues.board import Board as VenueBoard
from actors.venues.derive.signing import asset_words
from actors.venues.units import REMEMBERED, Grids, Levels, Units

REFERENCE_TOLERANCE = 0.01
"""The fee cap follows the index only when it moved by more; the cap's factor of three over the fee covers the rest."""

FEE_DECIMALS = 6


class Wording(dict[int, tuple[str, int]]):
    """Whole units to (wire text, the value x 1e18), by lookup."""

    def __init__(self, text: Callable[[int], str], e18: Callable[[int], int]) -> None:
        super().__init__()
        self._text = text
        self._e18 = e18

    def __missing__(self, count: int) -> tuple[str, int]:
        if len(self) >= REMEMBERED:
            self.clear()
        worded = self[count] = (self._text(count), self._e18(count))
        return worded


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
        "_board",
        "amounts",
        "asset_words",
        "frame_heads",
        "instrument",
        "levels",
        "loose_steps",
        "loose_ticks",
        "max_fee_e18",
        "max_fee_text",
        "prices",
        "reference",
        "steps",
        "ticks",
    )

    def __init__(self, instrument: Instrument, board: Board) -> None:
        self._board = board
        self.reference = 0.0
        self.max_fee_text = ""
        self.max_fee_e18 = 0
        self.frame_heads: tuple[str, str] | None = None
        """What every order's parameters begin with, (sell, buy); None until written, and again when the fee moved."""
        self.revise(instrument)

    def revise(self, instrument: Instrument) -> None:
        """Take a changed listing in place: decoders that hold this object go on with the new units."""
        self.instrument = instrument
        self.ticks, self.loose_ticks, self.prices = self._board.prices(instrument)
        self.steps, self.loose_steps, self.amounts = self._board.amounts(instrument)
        self.levels = Levels(self.ticks, self.loose_steps)
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


class Board(VenueBoard[Terms]):
    """Every instrument of Derive's this process was taught, by name."""

    def __init__(self) -> None:
        self._grids = Grids()
        self._prices: dict[Decimal, Wording] = {}
        self._amounts: dict[Decimal, Wording] = {}
        super().__init__("derive", self._make_terms)

    def _make_terms(self, instrument: Instrument) -> Terms:
        return Terms(instrument, self)

    def prices(self, instrument: Instrument) -> tuple[Units, Units, Wording]:
        """(exact ticks, ticks cut down, wording), shared by all instruments of one tick."""
        wording = self._prices.get(instrument.tick)
        if wording is None:
            wording = self._prices[instrument.tick] = Wording(instrument.price_text, instrument.price_e18)
        return *self._grids.prices(instrument), wording

    def amounts(self, instrument: Instrument) -> tuple[Units, Units, Wording]:
        """(exact steps, steps cut down, wording), shared by all instruments of one step."""
        wording = self._amounts.get(instrument.amount_step)
        if wording is None:
            wording = self._amounts[instrument.amount_step] = Wording(instrument.amount_text, instrument.amount_e18)
        return *self._grids.amounts(instrument), wording
