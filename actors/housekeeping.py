"""When Python's garbage collector may run in a cell: never at length while quotes are out.

Counting references frees nearly all that the path from tick to order makes; the collector is only for cycles, and a full
pass over everything a cell holds takes tens of milliseconds, which is a stall. So: what exists shortly before quoting is
frozen (no pass looks at it again); only the youngest generation is searched by itself, often and briefly; what survives
that is frozen too, every FREEZE_S. Cycles that die frozen (a lost connection's tasks, mostly) are found by a full pass
when nothing is quoted anyway: after a connection was lost, before reconciling ends. Freezing loses nothing that
reference counts would free. Invariant: a full pass runs only while the desk may not send.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

import trio

YOUNG = 700
"""Net allocations between two passes over the youngest: a millisecond or two each; of ten thousand it took up to twelve."""
NEVER = 1 << 30
FREEZE_S = 5.0


def tame() -> None:
    """Once, shortly before quoting begins: a full pass now, none by itself later."""
    sweep()
    gc.set_threshold(YOUNG, NEVER, NEVER)


def sweep() -> None:
    """A full pass, also over what was frozen; tens of milliseconds."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def keep_house(may_send: Callable[[], bool]) -> None:
    """Forever, after `tame`."""
    was_up = True
    while True:
        await trio.sleep(FREEZE_S if was_up else 0.1)
        if may_send():
            gc.freeze()
            was_up = True
        elif was_up:
            sweep()
            was_up = False
