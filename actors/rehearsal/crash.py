"""Death at an exact step: an error, a cancel or a kill at the n-th step of a chosen task, as trio runs it.

Owns one trio instrument that is installed while a blow is pending. An error takes the place of whatever the task was
about to be woken with (a value, or a cancel of its own sleep), so it is raised at the very await it slept in. Never
inside a nursery's exit: trio's own bookkeeping is not what is being rehearsed; and never where an await cannot be looked
into. Invariant: each blow falls once, and is told when it fell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import outcome
import trio

NURSERY_EXITS = frozenset({"_nested_child_finished", "__aexit__"})
LEAF = "_real_async_yield"
"""Where every await of trio's ends."""


class InjectedCrash(RuntimeError):
    """What an actor dies of in a rehearsal."""


class Blow(trio.abc.Instrument):
    """`chosen` says which tasks count; at the `steps`-th step of such a task `strike(task)` is called, once.

    `strike` answers with an error to raise there, or None when it has done its work itself.
    """

    def __init__(
        self,
        chosen: Callable[[trio.lowlevel.Task], bool],
        steps: int,
        strike: Callable[[trio.lowlevel.Task], Exception | None],
        *,
        raises: bool = True,
    ) -> None:
        self._chosen = chosen
        self._steps = steps
        self._strike = strike
        self._raises = raises
        self.fell = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.fell or not self._chosen(task):
            return
        self._steps -= 1
        if self._steps > 0 or (self._raises and not may_raise(task)):
            return
        self.fell = True
        error = self._strike(task)
        if error is not None:
            waking: Any = task
            waking._next_send = outcome.Error(error)


def may_raise(task: trio.lowlevel.Task) -> bool:
    """The task sleeps at an await of its own that can be seen into: not its first step, not a nursery's exit."""
    names = awaiting(task)
    return bool(names) and names[-1] == LEAF and NURSERY_EXITS.isdisjoint(names)


def awaiting(task: trio.lowlevel.Task) -> list[str]:
    """The functions the task is in, outermost first; ends early where an await is opaque (an async generator's)."""
    names: list[str] = []
    at: Any = task.coro
    while at is not None:
        code = getattr(at, "cr_code", None) or getattr(at, "gi_code", None)
        if code is None:
            return names
        names.append(code.co_name)
        at = getattr(at, "cr_await", None) if hasattr(at, "cr_await") else getattr(at, "gi_yieldfrom", None)
    return names


def below(ancestor: trio.lowlevel.Task) -> Callable[[trio.lowlevel.Task], bool]:
    """Whether a task is in the tree under another (the other itself not counted)."""

    def is_below(task: trio.lowlevel.Task) -> bool:
        at: trio.lowlevel.Task | None = task
        while at is not None and at is not ancestor:
            nursery = at.parent_nursery
            at = nursery.parent_task if nursery is not None else None
        return at is ancestor and task is not ancestor

    return is_below
