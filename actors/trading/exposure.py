"""How much could be held if everything that rests or is in flight were filled: the arithmetic behind the risk gate.

Owns positions, reservations of approved but unsent quotes, and their worst-case sums; reads the order table for what may
still fill. All amounts are contracts in steps of one common step per cell (every instrument of a cell shares it). Never
awaits; a check and its reservation are one call. `refresh` only notes that an instrument changed; it is worked out again
before anybody is told a number, once for however many changes. Invariant: `total` is the sum over instruments of
max(|position + bids|, |position - asks|), each as of the last `refresh` of that instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from actors.trading.instruments import Side
from actors.trading.orders import OrderTable, Tally
from actors.trading.quotes import QuotePair, Room

_NOTHING = (0, 0)


class Exposure:
    """Positions and worst cases of one cell. Limits in steps; `caps` narrows single instruments (allotment)."""

    def __init__(self, orders: OrderTable, max_position: int, max_exposure: int) -> None:
        self._orders = orders
        self.max_position = max_position
        self.max_exposure = max_exposure
        self.caps: dict[str, int] = {}
        self.positions: dict[str, int] = {}
        self.on_worst: Callable[[str], None] | None = None
        """Told after each change of an instrument's worst case (Greek limits follow it)."""
        self._changed: dict[str, None] = {}
        """Instruments to be worked out again, in the order they changed."""
        self._peak = 0
        self._total = 0
        self._worst: dict[str, int] = {}
        self._reserved: dict[str, tuple[int, int]] = {}

    def position(self, instrument: str) -> int:
        """Signed steps."""
        return self.positions.get(instrument, 0)

    def set_position(self, instrument: str, steps: int) -> None:
        """What a venue query says."""
        self.positions[instrument] = steps
        self.refresh(instrument)

    def add_fill(self, instrument: str, side: Side, steps: int) -> None:
        self.positions[instrument] = self.positions.get(instrument, 0) + side * steps
        self.refresh(instrument)

    def refresh(self, instrument: str) -> None:
        """Its orders, position or reservation changed."""
        self._changed[instrument] = None

    def refresh_all(self, instruments: Iterable[str]) -> None:
        self._changed.update(dict.fromkeys(instruments))

    @property
    def total(self) -> int:
        """The cell's worst case now."""
        self._settle()
        return self._total

    @property
    def peak(self) -> int:
        """The largest total that any check has seen."""
        self._settle()
        return self._peak

    def _settle(self, asked: str = "") -> Tally | None:
        """Works out what changed. Returns what the orders of the instrument `asked` amount to, where that was among it."""
        found = None
        while self._changed:
            instrument = next(iter(self._changed))
            tally = self._orders.tally(instrument)
            self._work_out(instrument, tally)
            del self._changed[instrument]
            if instrument == asked:
                found = tally
        if self._total > self._peak:
            self._peak = self._total
        return found

    def _work_out(self, instrument: str, tally: Tally) -> None:
        worst = worst_position(self.position(instrument), *self._most(instrument, tally))
        self._total += worst - self._worst.get(instrument, 0)
        self._worst[instrument] = worst
        if self.on_worst is not None:
            self.on_worst(instrument)

    def most(self, instrument: str) -> tuple[int, int]:
        """The most that could still be bought and sold there, reservations included, in steps.

        Live orders, or the reservation that replaces them if larger; beside an unknown order the sum.
        """
        return self._most(instrument, self._orders.tally(instrument))

    def _most(self, instrument: str, tally: Tally) -> tuple[int, int]:
        bids, asks = self._reserved.get(instrument, _NOTHING)
        bids, asks = bids + tally.bids_apart, asks + tally.asks_apart
        return bids if bids > tally.bids else tally.bids, asks if asks > tally.asks else tally.asks

    def apart(self, instrument: str) -> tuple[int, int]:
        """What may still be bought and sold beside anything new, in steps: orders that no new one takes the place of."""
        tally = self._orders.tally(instrument)
        return tally.bids_apart, tally.asks_apart

    def room(self, instrument: str) -> Room:
        """What this instrument may show, everything else staying as it is; negative means pull that side."""
        tally = self._settle(instrument) or self._orders.tally(instrument)
        position = self.position(instrument)
        others = self._total - self._worst.get(instrument, 0)
        left = self.max_exposure - others
        cap = self.caps.get(instrument, self.max_position)
        if cap > self.max_position:
            cap = self.max_position
        bound, limit = ("max_exposure", left) if left < cap else ("max_position", cap)
        # Reducing is always allowed: a side that brings the position towards zero may show all of it.
        free = limit if limit > 0 else 0
        return Room(free - position - tally.bids_apart, free + position - tally.asks_apart, bound)

    def reserve(self, pair: QuotePair) -> None:
        """Holds room for an approved pair until `release`; a newer pair replaces an older reservation."""
        self._reserved[pair.instrument] = (
            pair.bid.amount if pair.bid else 0,
            pair.ask.amount if pair.ask else 0,
        )
        self.refresh(pair.instrument)

    def release(self, instrument: str) -> None:
        """The pair was superseded, refused or has become orders."""
        if self._reserved.pop(instrument, None) is not None:
            self.refresh(instrument)


def worst_position(position: int, bids: int, asks: int) -> int:
    """max(|position + bids|, |position - asks|), in steps."""
    high, low = abs(position + bids), abs(position - asks)
    return high if high > low else low
