"""Which executions have been counted, by trade id: each of them once, however often and by whomever it is told.

Owns the ids, for as long as one could still be told again. Never awaits, reads no clock. Invariant: `ever` rises by one for
each different execution, and never falls.
"""

from __future__ import annotations

from itertools import takewhile


class Executions:
    """One table's."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        """Trade id -> milliseconds of the venue's clock."""
        self._forgotten = 0

    @property
    def ever(self) -> int:
        """How many different ones; unchanged means no news."""
        return len(self._seen) + self._forgotten

    def is_new(self, trade_id: str, ts_ms: int) -> bool:
        """Takes note of it; False when it was seen before."""
        if trade_id in self._seen:
            return False
        self._seen[trade_id] = ts_ms
        return True

    def forget(self, before_ms: int) -> None:
        """Those of before a venue time, in the order they came and up to the first that is younger."""
        for trade_id in list(takewhile(lambda each: self._seen[each] < before_ms, self._seen)):
            del self._seen[trade_id]
            self._forgotten += 1
