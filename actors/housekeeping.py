"""When Python's garbage collector may run in a cell: never at length while quotes are out.

Counting references frees nearly all that the path from tick to order makes; the collector is only for cycles, and a full
pass over everything a cell holds takes tens of milliseconds, which is a stall. So: what exists shortly before quoting is
frozen (no pass looks at it again); after that only what came since is searched, every TIDY_S, and what survives is frozen
too. Left to itself the collector counts allocations, and in a crowd of ticks it spent a twentieth of the CPU on finding
nothing. Cycles that die frozen (a lost connection's tasks, mostly) are found by a full pass while the order link is down:
never on the way out, nor while somebody is only told to wait, for then orders rest that may have to be cancelled. Freezing
loses nothing that reference counts would free. Invariant: a full pass runs only while nothing could be sent anyway.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

import trio

MANY = 50_000
"""Net allocations since the last pass that have the collector run by itself: only when nobody could keep house."""
NEVER = 1 << 30
TIDY_S = 0.1
"""A pass then takes a millisecond with 200 instruments and 3,000 ticks a second, and less than a tenth of that at rest."""


def tame() -> None:
    """Once, shortly before quoting begins: a full pass now, none by itself later."""
    sweep()
    gc.set_threshold(MANY, NEVER, NEVER)


def sweep() -> None:
    """A full pass, also over what was frozen; tens of milliseconds."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def keep_house(is_cut_off: Callable[[], bool]) -> None:
    """Forever, after `tame`. `is_cut_off`: nothing could be sent now, whatever happens."""
    was_cut_off = False
    while True:
        await trio.sleep(TIDY_S)
        now_cut_off = is_cut_off()
        if not now_cut_off:
            gc.collect(0)
            gc.freeze()
        elif not was_cut_off:
            sweep()
        was_cut_off = now_cut_off
