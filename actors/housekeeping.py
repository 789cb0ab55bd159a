"""When Python's garbage collector may run in a cell: never at length while quotes are out.

Counting references frees nearly all that the path from tick to order makes; the collector is only for cycles, and a full
pass over everything a cell holds takes tens of milliseconds, which is a stall. So: what exists shortly before quoting is
frozen (no pass looks at it again); after that only what came since is searched, so often that a pass takes a millisecond,
and what survives is frozen too. Left to itself the collector counts allocations net of what is freed, and where new things
replace old ones it comes late and finds much. Cycles that die frozen (a lost connection's tasks, mostly) are found by a
full pass while the order link is down: never on the way out, nor while somebody is only told to wait, for then orders rest
that may have to be cancelled. Freezing loses nothing that reference counts would free. Invariant: a full pass runs only
while nothing could be sent anyway.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import trio

MANY = 50_000
"""Net allocations since the last pass that have the collector run by itself: only when nobody could keep house."""
NEVER = 1 << 30
PASS_S = 0.001
"""What a pass may take of the CPU: the pause before it is as long as that lets it be, within the two bounds."""
LEAST_S, TIDY_S = 0.01, 0.05


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
    was_cut_off, pause_s = False, TIDY_S
    while True:
        await trio.sleep(pause_s)
        now_cut_off = is_cut_off()
        if not now_cut_off:
            pause_s = min(TIDY_S, max(LEAST_S, pause_s * PASS_S / max(_search(), 1e-9)))
        elif not was_cut_off:
            sweep()
        was_cut_off = now_cut_off


def _search() -> float:
    """A pass over what came since the last, and what is left of it frozen; CPU seconds it took."""
    begun = time.thread_time()
    gc.collect(0)
    gc.freeze()
    return time.thread_time() - begun
