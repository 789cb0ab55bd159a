"""The stall watch: how long the event loop works between two looks at the sockets (design section 3: at most 5 ms).

Owns a histogram of those gaps since `begin`, and the worst. Attached with `trio.lowlevel.add_instrument`; never logs,
never slows a pass by more than about a microsecond. A gap is told twice: as the clock saw it, and as CPU time of this
thread, for what the kernel gave to other processes meanwhile is nobody's fault here. Invariant: a gap is counted in the
first bin whose bound it does not exceed.
"""

from __future__ import annotations

import time
from bisect import bisect_left

import trio

BOUND_S = 0.005
BINS_S = (0.0005, 0.001, 0.002, BOUND_S, 0.010, 0.020, 0.050, 0.100)
"""Upper bounds; longer gaps have a bin of their own at the end."""


class StallWatch(trio.abc.Instrument):
    """`wall` and `cpu` are counts by bin; `worst_s` and `worst_cpu_s` the longest gap of either kind."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget everything so far: steady state starts now."""
        self.wall = [0] * (len(BINS_S) + 1)
        self.cpu = [0] * (len(BINS_S) + 1)
        self.worst_s = 0.0
        self.worst_cpu_s = 0.0
        self._woke = time.perf_counter()
        self._cpu_then = time.thread_time()

    @property
    def stalls(self) -> int:
        """Gaps in which this thread itself worked for longer than BOUND_S."""
        return sum(self.cpu[BINS_S.index(BOUND_S) + 1 :])

    # -- told by trio

    def after_io_wait(self, timeout: float) -> None:
        self._woke = time.perf_counter()
        self._cpu_then = time.thread_time()

    def before_io_wait(self, timeout: float) -> None:
        gap = time.perf_counter() - self._woke
        self.wall[bisect_left(BINS_S, gap)] += 1
        if gap > self.worst_s:
            self.worst_s = gap
        own = time.thread_time() - self._cpu_then
        self.cpu[bisect_left(BINS_S, own)] += 1
        if own > self.worst_cpu_s:
            self.worst_cpu_s = own
