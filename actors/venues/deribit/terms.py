"""What one process knows of Deribit's instruments: units, the words of an order, and the running book of each.

Owns the crossing between wire numbers and integers (shared memories in `units`). Never awaits. Invariant: one `Terms`
per instrument for the life of the process, revised in place, so a decoder that holds it is never out of date.
"""

from __future__ import annotations

from actors.trading.instruments import Instrument
from actors.venues.board import Board as VenueBoard
from actors.venues.deribit.books import RunningBook
from actors.venues.units import Grids, Levels, Units


class Terms:
    """One instrument as orders and feeds need it."""

    __slots__ = (
        "_grids",
        "book",
        "instrument",
        "levels",
        "loose_steps",
        "loose_ticks",
        "order_head",
        "state",
        "steps",
        "ticks",
    )

    ticks: Units
    loose_ticks: Units
    steps: Units
    loose_steps: Units
    levels: Levels

    def __init__(self, instrument: Instrument, grids: Grids) -> None:
        self._grids = grids
        self.book = RunningBook()
        self.state = ""
        """As the venue last said it; empty before."""
        self.revise(instrument)

    def revise(self, instrument: Instrument) -> None:
        """Take a changed listing in place."""
        self.instrument = instrument
        self.ticks, self.loose_ticks = self._grids.prices(instrument)
        self.steps, self.loose_steps = self._grids.amounts(instrument)
        self.levels = Levels(self.ticks, self.loose_steps)
        self.order_head = (
            f'{{"instrument_name":"{instrument.name}","type":"limit","time_in_force":"good_til_cancelled",'
            '"post_only":true,"reject_post_only":true,'
        )


class Board(VenueBoard[Terms]):
    """Every instrument of Deribit's this process was taught, by name."""

    def __init__(self) -> None:
        grids = Grids()
        super().__init__("deribit", lambda instrument: Terms(instrument, grids))
