"""The cell process with a counter in it: every call of a Python or C function between SIGUSR1 and SIGUSR2.

Started in place of `actors.cell_process` with a file's name as argument; at SIGUSR2 it writes to that file, as JSON, each
function with its calls and its own time (cProfile's, which taxes small functions most: shares, not microseconds). What C
functions cost counts as their caller's, and waiting for the sockets counts as nothing. Snapshots and audits do not run here:
they would be shared among few ticks on a slow day and many on a quick one, and calls would depend on company as times do.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import signal
import sys
from pathlib import Path
from types import FrameType

from actors import cell_process, protection, truth
from actors.cell_process import work
from actors.child import main

NEVER_S = 3600.0


class Counter:
    def __init__(self, target: Path) -> None:
        self._target = target
        self._profile = cProfile.Profile()

    def listen(self) -> None:
        signal.signal(signal.SIGUSR1, self._begin)
        signal.signal(signal.SIGUSR2, self._end)

    def _begin(self, _number: int, _frame: FrameType | None) -> None:
        self._profile = cProfile.Profile()
        self._profile.enable()

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._profile.disable()
        part = self._target.with_suffix(".part")
        part.write_text(json.dumps(flatten(pstats.Stats(self._profile))))
        part.rename(self._target)


def flatten(stats: pstats.Stats) -> list[dict[str, object]]:
    """[{"file", "function", "python" calls of it, "c" calls from it, "own_s"}], C functions charged to their callers."""
    rows: dict[tuple[str, int, str], dict[str, float]] = {}

    def row(where: tuple[str, int, str]) -> dict[str, float]:
        return rows.setdefault(where, {"python": 0, "c": 0, "own_s": 0.0})

    for where, (_, calls, own_s, _, callers) in stats.stats.items():  # type: ignore[attr-defined]  # of every pstats
        if "'poll' of 'select.epoll'" in where[2]:
            continue
        if where[0] != "~":
            row(where)["python"] += calls
            row(where)["own_s"] += own_s
            continue
        for caller, (_, from_it, own_there_s, _) in callers.items():
            row(caller)["c"] += from_it
            row(caller)["own_s"] += own_there_s
    return [{"file": file, "function": name, **figures} for (file, _, name), figures in rows.items()]


if __name__ == "__main__":
    cell_process.SNAPSHOT_S = truth.AUDIT_S = protection.LOOK_S = NEVER_S
    Counter(Path(sys.argv[1])).listen()
    sys.exit(main(work))
