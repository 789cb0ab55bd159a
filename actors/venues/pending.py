"""The calls that wait for an answer, by id, and their deadlines.

Owns who is still owed an answer. Never awaits, calls nobody, has no clock: times are seconds on the caller's clock.
Invariant: an entry leaves the table exactly once, by whichever of answer, deadline and loss of the link comes first.
"""

from __future__ import annotations

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


class PendingCall(msgspec.Struct, frozen=True, gc=False):
    call: Call
    on_answer: Callable[[Posted], None]
    sent_at: float
    deadline: float


class PendingCalls:
    """Deadlines are only looked through when the earliest may have come: nearly every call is answered long before."""

    def __init__(self) -> None:
        self._by_id: dict[int, PendingCall] = {}
        self._none_before = math.inf

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, number: int, pending: PendingCall) -> bool:
        """Whether its deadline is the earliest that has to be watched now."""
        self._by_id[number] = pending
        if pending.deadline >= self._none_before:
            return False
        self._none_before = pending.deadline
        return True

    def take(self, number: int | str | None) -> PendingCall | None:
        """The call this id belongs to, now settled; None when it is unknown or already settled."""
        if isinstance(number, str):
            number = int(number) if number.isdecimal() and len(number) < 20 else None
        return self._by_id.pop(number, None) if number is not None else None

    def take_all(self) -> list[PendingCall]:
        """Everything, in the order it was sent."""
        entries = list(self._by_id.values())
        self._by_id.clear()
        return entries

    def take_overdue(self, now: float) -> list[PendingCall]:
        """What is past its deadline, earliest first."""
        late = [(pending.deadline, number) for number, pending in self._by_id.items() if pending.deadline <= now]
        return [self._by_id.pop(number) for _, number in sorted(late)]

    def next_deadline(self) -> float:
        """Of what waits now; infinite when nothing does."""
        self._none_before = min((pending.deadline for pending in self._by_id.values()), default=math.inf)
        return self._none_before
