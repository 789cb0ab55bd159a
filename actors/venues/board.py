"""Every instrument one process was taught, by name, as its venue's folder needs it.

Owns the lookup and what is said of strangers: names the venue spoke of that nobody taught us, and listings that could
not be read. What is kept of each instrument (`Terms`) is the venue's. Invariant: decoders that hold an entry see a
changed listing at once, because entries are revised in place; units never change under those who count in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

import msgspec

from actors.trading.errors import StrikemakerError
from actors.trading.instruments import Instrument
from actors.venues.names import underlying_of

FINEST = Decimal("1E-12")
"""The unit of an instrument that we were never taught: no venue prints more decimals."""
ROWS_KEPT = 10_000
"""Rows of listings remembered as they were written, some hundred bytes each; beyond that all are forgotten."""


class TermsOf(Protocol):
    """What every venue's terms have."""

    instrument: Instrument

    def revise(self, instrument: Instrument) -> None:
        """Take a changed listing in place."""


T = TypeVar("T", bound=TermsOf)


class Board(Generic[T]):
    """`make` turns a listing into the venue's terms of it."""

    def __init__(self, venue: str, make: Callable[[Instrument], T]) -> None:
        self._venue = venue
        self._make = make
        self._terms: dict[str, T] = {}
        self.strays: set[str] = set()
        """Names the venue spoke of that nobody taught us: new listings, or another underlying's."""
        self.unreadable: list[str] = []
        """Listings that could not be read, in words."""
        self._rows: dict[bytes, Instrument | None] = {}
        """What a listing's row said; None for one that is not active, or could not be read."""

    def learn(self, instruments: Iterable[Instrument]) -> None:
        for instrument in instruments:
            known = self._terms.get(instrument.name)
            if known is None:
                self._terms[instrument.name] = self._make(instrument)
            elif known.instrument is not instrument and known.instrument != instrument and _may_follow(known, instrument):
                known.revise(instrument)
            self.strays.discard(instrument.name)

    def read_active(
        self, listed: Iterable[msgspec.Raw], read: Callable[[msgspec.Raw], tuple[Instrument, bool]]
    ) -> list[Instrument]:
        """The active instruments of a listing. Rows that cannot be read are left out: `unreadable` says why.

        A row that came before, letter for letter, is not read again: listings are asked for while quotes are out, and a
        thousand rows take some ten milliseconds.
        """
        if len(self._rows) > ROWS_KEPT:
            self._rows.clear()
        return [active for raw in listed if (active := self._read_row(bytes(raw), read)) is not None]

    def _read_row(self, row: bytes, read: Callable[[msgspec.Raw], tuple[Instrument, bool]]) -> Instrument | None:
        if row in self._rows:
            return self._rows[row]
        try:
            instrument, is_active = read(msgspec.Raw(row))
        except ValueError as exc:
            self.unreadable.append(str(exc))
            is_active = False
        active = self._rows[row] = instrument if is_active else None
        return active

    def get(self, name: str) -> T | None:
        return self._terms.get(name)

    def all(self) -> Iterable[T]:
        return self._terms.values()

    def known(self, name: str) -> T:
        """For orders of ours: StrikemakerError when the instrument was never learned."""
        terms = self._terms.get(name)
        if terms is None:
            raise StrikemakerError(f"{name}: not a listed instrument")
        return terms

    def any(self, name: str) -> T:
        """For rows of a query: an unlearned instrument's price and amount are counted in 1e-12."""
        terms = self._terms.get(name)
        if terms is not None:
            return terms
        self.strays.add(name)
        return self._make(Instrument(name, self._venue, underlying_of(name), FINEST, FINEST, 1, 1))

    def is_known(self, name: str) -> bool:
        """Also notes a stranger's name."""
        if name in self._terms:
            return True
        self.strays.add(name)
        return False

    def index_name(self, underlying: str, default: str) -> str:
        """What instruments of this underlying call their index."""
        for terms in self._terms.values():
            if terms.instrument.underlying == underlying and terms.instrument.index_name:
                return terms.instrument.index_name
        return default


def _may_follow(known: TermsOf, instrument: Instrument) -> bool:
    """In other units every price and amount held anywhere in this process would mean something else at once."""
    return known.instrument.units == instrument.units
