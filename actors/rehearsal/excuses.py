"""What moves our worst case without our doing, and for how long nobody is blamed for it.

Owns three cases: a fill of the operator's own order, of which we hear a moment later; the same when the network loses the
very notice, of which we hear at the next audit; and a request that the wire says twice where the venue takes it twice
(no nonce guards it there, only its deadline). Pure. Invariant: an excuse is a stretch of time after a row of the ledger,
never a wider limit.
"""

from __future__ import annotations

from actors.rehearsal.floor_replay import FloorReplay
from actors.rehearsal.terms import Terms
from actors.rehearsal.tongues import Row

HEARD_NS = 10_000_000_000
AUDITED_NS = 35_000_000_000
"""An audit every thirty seconds, and the time to ask."""
LOSING = frozenset({"drop", "truncate", "delay", "reorder", "half_open", "stall", "torn"})
NEAR_NS = 5_000_000_000


class Excuses:
    """Fed by a check with the rows that it sees."""

    def __init__(self, replay: FloorReplay, terms: Terms) -> None:
        self._replay = replay
        self._terms = terms
        self._filled_ns = self._lost_ns = self._until_ns = -AUDITED_NS

    def see(self, row: Row) -> None:
        at_ns = row["t"]
        if row["kind"] == "fault" and row["fault"] in LOSING:
            self._lost_ns = at_ns
        elif row["kind"] == "fill" and row["account"] == self._terms.account and not self._is_ours(row):
            self._filled_ns = at_ns
            self._until_ns = max(self._until_ns, at_ns + HEARD_NS)
        else:
            return
        if abs(self._lost_ns - self._filled_ns) < NEAR_NS:
            self._until_ns = max(self._until_ns, self._filled_ns + AUDITED_NS)

    def _is_ours(self, row: Row) -> bool:
        return self._replay.tag(row).startswith(self._terms.ours)

    def hold(self, at_ns: int) -> bool:
        """Whether one of them holds at this moment."""
        return at_ns <= max(self._until_ns, self._replay.echoed_ns + AUDITED_NS)
