"""A book kept from changes: verified link by link, and untrusted from the first missing one to the next snapshot.

Owns one instrument's levels and the id of the change that made them. Pure. Each change names its predecessor; one that
names another proves that something was lost, and no later change can mend that. Reference: deribit.md 3.4. Invariant:
`levels` are given only of a book whose every change since its snapshot was heard, in order.
"""

from __future__ import annotations

from collections.abc import Iterable

Level = tuple[int, int]
"""Price in ticks, size in steps."""
Change = tuple[str, int, int]
"""Action, price in ticks, the level's new size in steps."""


class RunningBook:
    """`last_id` None: not trusted, waiting for a snapshot."""

    __slots__ = ("_asks", "_bids", "last_id")

    def __init__(self) -> None:
        self._bids: dict[int, Level] = {}
        """By price."""
        self._asks: dict[int, Level] = {}
        self.last_id: int | None = None

    def start(self, change_id: int, bids: Iterable[Change], asks: Iterable[Change]) -> None:
        """A snapshot: whatever was before is forgotten."""
        self._bids.clear()
        self._asks.clear()
        self._apply(change_id, bids, asks)

    def follow(self, previous: int, change_id: int, bids: Iterable[Change], asks: Iterable[Change]) -> bool:
        """A change; False when it does not follow the last one, and the book is untrusted from then on."""
        if self.last_id is None or previous != self.last_id:
            self.last_id = None
            return False
        self._apply(change_id, bids, asks)
        return True

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """(bids, asks), best first."""
        return tuple(sorted(self._bids.values(), reverse=True)), tuple(sorted(self._asks.values()))

    def _apply(self, change_id: int, bids: Iterable[Change], asks: Iterable[Change]) -> None:
        for side, changes in ((self._bids, bids), (self._asks, asks)):
            for action, price, amount in changes:
                if action == "delete" or amount == 0:
                    side.pop(price, None)
                else:
                    side[price] = price, amount
        self.last_id = change_id
