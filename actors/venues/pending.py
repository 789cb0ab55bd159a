"""The calls that wait for an answer, by id, and their deadlines.

Owns who is still owed an answer. Never awaits, calls nobody, has no clock: times are seconds on the caller's clock.
Invariant: an entry leaves the table exactly once, by whichever of answer, deadline and loss of the link comes first.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

import msgspec

from actors.venues.dialect import Call


class Posted(msgspec.Struct, frozen=True, gc=False):
    """How a posted call ended: one of `result`, `error` and `lost`."""

    call: Call
    result: msgspec.Raw | None = None
    error: tuple[int, str, str] | None = None
    """Code, message, details."""
    lost: bool = False
    """No answer, and none will be delivered: the venue may or may not have acted."""


class PendingCall(msgspec.Struct, frozen=True):
    call: Call
    on_answer: Callable[[Posted], None]
    sent_at: float
    deadline: float


class PendingCalls:
    """Table and deadline heap; entries answered in time leave the heap lazily."""

    def __init__(self) -> None:
        self._by_id: dict[int, PendingCall] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, number: int, pending: PendingCall) -> None:
        self._by_id[number] = pending
        heapq.heappush(self._deadlines, (pending.deadline, number))
        if len(self._deadlines) > 4 * len(self._by_id) + 256:
            self._compact()

    def take(self, number: int | str | None) -> PendingCall | None:
        """The call this id belongs to, now settled; None when it is unknown or already settled."""
        if isinstance(number, str):
            number = int(number) if number.isdecimal() and len(number) < 20 else None
        return self._by_id.pop(number, None) if number is not None else None

    def take_all(self) -> list[PendingCall]:
        """Everything, in the order it was sent."""
        entries = list(self._by_id.values())
        self._by_id.clear()
        self._deadlines.clear()
        return entries

    def take_overdue(self, now: float) -> list[PendingCall]:
        """What is past its deadline, earliest first."""
        overdue = []
        while self._deadlines and self._deadlines[0][0] <= now:
            pending = self._by_id.pop(heapq.heappop(self._deadlines)[1], None)
            if pending is not None:
                overdue.append(pending)
        return overdue

    def next_deadline(self) -> float:
        """Infinite when nothing waits."""
        while self._deadlines and self._deadlines[0][1] not in self._by_id:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else math.inf

    def _compact(self) -> None:
        self._deadlines = [entry for entry in self._deadlines if entry[1] in self._by_id]
        heapq.heapify(self._deadlines)
