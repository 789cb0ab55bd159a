"""The judge: reads the paper exchange's ledger of a run and says which of our promises were broken.

Owns the list of invariants; each is a small class in `invariants.py` that sees every row. Pure, and independent of the
makers: it recomputes positions, resting orders and worst cases from the exchange's own record, and takes the makers'
word for nothing but what they claim at the end, which is what it checks. The same judge reads the ledger file of real
processes. Invariant: a verdict without violations was reached by looking at every row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import attrs

from actors.rehearsal.floor_replay import FloorReplay, Outage
from actors.rehearsal.greek_checks import WithinGreekLimits
from actors.rehearsal.invariants import EVERY, Check, Violation
from actors.rehearsal.terms import Claim, Halt, Terms
from actors.rehearsal.tongues import Row
from actors.venues.paper.ledger import read_ledger

__all__ = ["Claim", "Halt", "Outage", "Terms", "Verdict", "Violation", "judge", "judge_file"]


@attrs.define
class Verdict:
    """What a run has shown."""

    violations: list[Violation] = attrs.field(factory=list)
    fills: int = 0
    orders: int = 0
    """Order requests of ours that the exchange heard."""
    volume: Decimal = Decimal(0)
    faults: Counter[str] = attrs.field(factory=Counter)
    hits: int = 0
    """Faults that struck while an order of ours rested, or the very request for one."""
    foreign: int = 0
    """Orders of the operator's own that were there to be left alone."""
    rows: int = 0
    asked_last: bool = False
    """The row before was a request for an order of ours."""

    @property
    def counts(self) -> bool:
        """A run without a fill or without a fault in the presence of an order has shown nothing."""
        return self.fills > 0 and self.hits > 0


def judge(rows: Iterable[Row], terms: Terms) -> Verdict:
    """One pass over the ledger; violations in the order in which they happened."""
    replay = FloorReplay(terms.account, terms.outages)
    verdict = Verdict()
    checks: list[Check] = [kind(replay, terms, verdict.violations.append) for kind in (*EVERY, WithinGreekLimits)]
    for row in rows:
        for check in checks:
            check.ahead(row)
        replay.take(row)
        for check in checks:
            check.see(row)
        _count(row, replay, terms, verdict)
    for check in checks:
        check.close()
    verdict.violations.sort(key=lambda violation: violation.n)
    return verdict


def judge_file(path: Path, terms: Terms) -> Verdict:
    """The same for a ledger file; ValueError when it is none."""
    return judge(read_ledger(path), terms)


def _count(row: Row, replay: FloorReplay, terms: Terms, verdict: Verdict) -> None:
    verdict.rows += 1
    kind = row["kind"]
    if kind == "fill" and row["account"] == terms.account and replay.tag(row).startswith(terms.ours):
        verdict.fills += 1
        verdict.volume += Decimal(row["amount"])
    elif kind == "order" and row["account"] == terms.account and not replay.tag(row).startswith(terms.ours):
        verdict.foreign += row["status"] == "open" and row["filled"].strip("0.") == ""
    elif kind == "request":
        ours = sum(asked.tag.startswith(terms.ours) for asked in replay.asked(row))
        verdict.orders += ours
        verdict.asked_last = ours > 0
        return
    elif kind == "settled":
        verdict.faults["expiry"] = 1  # one end of the board, however many options it has
    elif kind == "fault":
        verdict.faults[row["fault"]] += 1
        verdict.hits += verdict.asked_last or any(one.label.startswith(terms.ours) for one in replay.resting.values())
    verdict.asked_last = False
