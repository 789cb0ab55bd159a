"""A run told in lines: the phases of a cell, how far its quotes are, and the regular figures.

Turns a stream of snapshots into log lines for whoever has no live table (and for the file, always). Never draws, never
logs itself. Invariant: a line says something that the one before it did not, except the figures, which come on time.
"""

from __future__ import annotations

import attrs

from actors.console.logs import statistics_line
from actors.console.snapshots import QUOTING, CellSnapshot, duration_text

PROGRESS_EVERY_S = 2.0


@attrs.define
class Narrator:
    """One per cell. `statistics_s` is `status.statistics_s`; times are the snapshots' own."""

    statistics_s: float
    _phase: str = ""
    _said: str = ""
    _progress_at: float = -1e18
    _statistics_at: float | None = None
    _is_filled: bool = False

    def lines(self, snapshot: CellSnapshot) -> list[str]:
        """What is worth saying of this snapshot; mostly nothing."""
        return [*self._phase_lines(snapshot), *self._progress_lines(snapshot), *self._statistics_lines(snapshot)]

    def _phase_lines(self, snapshot: CellSnapshot) -> list[str]:
        phase = f"{snapshot.phase} {snapshot.phase_detail}".strip()
        if phase == self._phase:
            return []
        self._phase = phase
        return [f"{snapshot.cell}: {phase}"]

    def _progress_lines(self, snapshot: CellSnapshot) -> list[str]:
        """Until every wanted quote rests for the first time."""
        if snapshot.phase != QUOTING or self._is_filled or not snapshot.sides_wanted:
            return []
        self._is_filled = snapshot.sides_resting >= snapshot.sides_wanted
        text = progress_text(snapshot)
        if text == self._said or (not self._is_filled and snapshot.time_s - self._progress_at < PROGRESS_EVERY_S):
            return []
        self._said, self._progress_at = text, snapshot.time_s
        return [f"{snapshot.cell}: {text}"]

    def _statistics_lines(self, snapshot: CellSnapshot) -> list[str]:
        if self._statistics_at is None:
            self._statistics_at = snapshot.time_s + self.statistics_s
        if snapshot.time_s < self._statistics_at:
            return []
        self._statistics_at = snapshot.time_s + self.statistics_s
        return [statistics_line(snapshot)]


def progress_text(snapshot: CellSnapshot) -> str:
    """ "quoting 12 of 40 instruments, 24 of 80 quotes; 56 s to go at 1 request/s"."""
    text = f"quoting {snapshot.instruments_quoted} of {len(snapshot.rows)} instruments"
    if snapshot.sides_resting >= snapshot.sides_wanted:
        return text
    text += f", {snapshot.sides_resting} of {snapshot.sides_wanted} quotes"
    if snapshot.time_to_go_s is None:
        return text
    rate = f"{snapshot.requests_per_s:.3g} request{'' if snapshot.requests_per_s == 1 else 's'}/s"
    return f"{text}; {duration_text(snapshot.time_to_go_s)} to go at {rate}"
