"""What is due when: the engine's alarm clock, without a clock.

Owns a heap of (instant, turn, action). Actions of one instant run in the order in which they were entered, so a replay
is the same run. Invariant: `due(now)` runs nothing that lies after `now`, and an action sees the instant it was due at.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[int], None]
NEVER = 1 << 63


class Agenda:
    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Action]] = []
        self._turn = 0
        self.next_ns = NEVER
        """The earliest instant entered (UTC ns)."""

    def at(self, due_ns: int, action: Action) -> None:
        """Run `action(due_ns)` once the clock has reached it."""
        self._turn += 1
        heapq.heappush(self._heap, (due_ns, self._turn, action))
        self.next_ns = self._heap[0][0]

    def run_until(self, now_ns: int) -> None:
        """Run everything due, including what those actions enter for instants not after `now_ns`."""
        while self._heap and self._heap[0][0] <= now_ns:
            due_ns, _, action = heapq.heappop(self._heap)
            self.next_ns = self._heap[0][0] if self._heap else NEVER
            action(due_ns)
