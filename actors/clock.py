"""The one place that reads the wall clock (design law 7).

Deadlines run on trio's clock; a `Clock` answers only what the venues count in: UTC. Invariant: within one process its
answers never go backwards by our own doing; a jump of the machine's clock is followed, and noticed by `jumped`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import trio

SPAN_S = 120.0
"""What was heard longer ago than two of these vouches for nothing: clocks drift, and where one is slewed by half a
millisecond a second, two spans make 120 ms, which is within what a proof allows for."""


class Clock:
    """UTC as this machine believes it; `offset_ns` is what the venue's clock is ahead of ours."""

    def __init__(self) -> None:
        self.offset_ns = 0
        self._venue_ahead_ms = self._heard_ms = self._heard_before_ms = -math.inf
        self._turn_at = -math.inf
        self._wall_at_check = self.wall_ns()
        self._trio_at_check: float | None = None

    wall_ns: Callable[[], int] = staticmethod(time.time_ns)
    """UTC nanoseconds, this machine's."""

    def now_ns(self) -> int:
        """UTC nanoseconds, the venue's as far as we know."""
        return self.wall_ns() + self.offset_ns

    def now_ms(self) -> int:
        return (self.wall_ns() + self.offset_ns) // 1_000_000

    def now_s(self) -> float:
        return (self.wall_ns() + self.offset_ns) / 1e9

    def hear_venue(self, ts_ms: int, now: float) -> None:
        """A stamp of the venue's has arrived at `now` by trio's clock: the venue's is there or further.

        The one that travelled least counts, of this span and the one before.
        """
        ahead_ms = ts_ms - now * 1000
        if now >= self._turn_at:
            self._heard_before_ms, self._heard_ms, self._turn_at = self._heard_ms, ahead_ms, now + SPAN_S
            self._venue_ahead_ms = max(self._heard_before_ms, ahead_ms)
        elif ahead_ms > self._heard_ms:
            self._heard_ms = ahead_ms
            self._venue_ahead_ms = max(self._heard_before_ms, ahead_ms)

    def venue_ms(self, now: float | None = None) -> int:
        """The venue's clock, never ahead of it: its own stamps carried on by trio's clock; ours until one was heard.

        What must have passed *there* is judged by this, so that a wall clock that is wrong or jumps proves nothing.
        `now`: trio's clock, for who has just read it.
        """
        if self._venue_ahead_ms == -math.inf:
            return self.now_ms()
        return math.floor(self._venue_ahead_ms + (trio.current_time() if now is None else now) * 1000)

    def behind_s(self) -> float:
        """By how much our clock is behind the venue's at least; below zero where nothing shows that it is. One that is ahead
        makes all that comes look old."""
        return -math.inf if self._venue_ahead_ms == -math.inf else (self.venue_ms() - self.now_ms()) / 1000

    def jumped(self) -> float:
        """Seconds by which the wall clock and trio's clock have parted since the last call; 0 at the first."""
        wall, mono = self.wall_ns(), trio.current_time()
        before_wall, before_mono = self._wall_at_check, self._trio_at_check
        self._wall_at_check, self._trio_at_check = wall, mono
        if before_mono is None:
            return 0.0
        return (wall - before_wall) / 1e9 - (mono - before_mono)


class VirtualClock(Clock):
    """UTC that follows trio's clock from a given start: for rehearsals and tests. `jump_ns` moves it like a bad NTP step."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._started_at = trio.current_time()
        self.jump_ns = 0
        super().__init__()

    def wall_ns(self) -> int:
        return self._start_ns + round((trio.current_time() - self._started_at) * 1e9) + self.jump_ns
