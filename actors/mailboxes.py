"""Every message and every inbox, once (design section 3).

Two kinds of mailbox. *Every one counts*: a bounded trio memory channel, or an `Inbox`; full is an incident. *Latest
wins*: the newest value per key lies in its owner's table and a `Doorbell` says that there is news; ringing twice is
ringing once. Messages between processes are msgspec structs, one JSON line each, tagged by name; they hold no secret.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec
import trio

from actors.console.settings import Settings
from actors.console.snapshots import CellSnapshot
from actors.venues.access import Access

T = TypeVar("T")

INBOX_SIZE = 10_000
"""Bound of every channel that must not lose anything; a burst of a thousand orders is a few thousand messages."""
CALM_S = 0.0003
"""What comes this soon after something else was dealt with does not come alone, and is not dealt with at once."""


class Doorbell:
    """Latest-wins news: `ring` never blocks, `wait` returns once for any number of rings. One waiter."""

    __slots__ = ("_give_up", "_sleeper", "is_rung")

    def __init__(self) -> None:
        self.is_rung = False
        """Whoever waits is on the way already."""
        self._sleeper: trio.lowlevel.Task | None = None
        self._give_up = self._stop_waiting
        """Made once: what a thousand waiters hold is what the collector looks at."""

    @property
    def is_awaited(self) -> bool:
        """Somebody waits, and nobody has rung: he has nothing else to do."""
        return self._sleeper is not None

    def ring(self) -> None:
        self.is_rung = True
        if self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None

    async def wait(self) -> None:
        """Until rung (now, if it was rung since the last wait). A checkpoint in either case."""
        if self.is_rung:
            await trio.lowlevel.checkpoint()
        else:
            self._sleeper = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._give_up)
        self.is_rung = False

    def _stop_waiting(self, _: Any) -> trio.lowlevel.Abort:
        self._sleeper = None
        return trio.lowlevel.Abort.SUCCEEDED


class Inbox(Generic[T]):
    """Every one counts: whatever many put in, one reader takes, in order. Full is an incident: `put` raises WouldBlock.

    A memory channel for one reader who takes all there is: that costs a quarter of receiving one by one.
    """

    __slots__ = ("_bell", "_news", "_size")

    def __init__(self, size: int = INBOX_SIZE) -> None:
        self._news: deque[T] = deque()
        self._bell = Doorbell()
        self._size = size

    def put(self, news: T) -> None:
        if len(self._news) >= self._size:
            raise trio.WouldBlock
        self._news.append(news)
        if not self._bell.is_rung:
            self._bell.ring()

    async def wait(self) -> None:
        """Until something may be in. A checkpoint in any case."""
        await self._bell.wait()

    def take_all(self) -> list[T]:
        """All there is now."""
        news = list(self._news)
        self._news.clear()
        return news

    def take(self, most: int) -> Iterator[T]:
        """What there is, and what comes while it is being read; beyond `most` the next `wait` is over at once.

        A reader who stops half way leaves the rest in.
        """
        for _ in range(most):
            if not self._news:
                return
            yield self._news.popleft()
        if self._news:
            self._bell.ring()


# -- between processes: supervisor <-> cell, supervisor <-> guard


class Birth(msgspec.Struct, tag=True):
    """The first line a child reads: everything it needs, key included, so that no key is in argv or environment."""

    settings: Settings
    access: Access
    run: str
    folder: str
    cell: int = -1
    """Index into `settings.cells`; -1 for the guard."""
    name: str = ""
    slot: int = 0
    share: float = 1.0
    log_level: str = "INFO"
    log_file: str = ""
    guarded: bool = False
    heir: bool = False
    """An earlier life of this cell has just died in this run, without a proof."""
    venue_pid: int = 0
    """The paper exchange that this run started; 0: the venue is nobody's child."""
    venue_ticks: int = 0


class Alive(msgspec.Struct, tag=True):
    """Heartbeat; `beat` rises."""

    beat: int


class GuardState(msgspec.Struct, tag=True):
    """Supervisor to cells: without a living guard no new order is sent."""

    alive: bool


class Stop(msgspec.Struct, tag=True):
    """Supervisor to child: stop as on SIGTERM."""

    reason: str


class Ready(msgspec.Struct, tag=True):
    """Child to supervisor: connected and (a cell) about to quote."""

    text: str = ""
    former_cancel_on_disconnect: bool | None = None
    """The wallet's setting before this process touched it, where it persists."""


class Leave(msgspec.Struct, tag=True):
    """Supervisor to a cell that has said farewell: close the sockets, after restoring this setting if one is given."""

    restore_cancel_on_disconnect: bool | None = None


class Left(msgspec.Struct, tag=True):
    """Cell to supervisor: restored (or it could not be), about to close."""

    restored: bool


class Snapshot(msgspec.Struct, tag=True):
    """Cell to supervisor, about once a second: what the live table and the status page show."""

    cell: CellSnapshot


class Event(msgspec.Struct, tag=True):
    """A line for the live view: fills, warnings, connection changes."""

    level: str
    text: str


class Farewell(msgspec.Struct, tag=True):
    """A child's last word. `confirmed` only if the venue answered an open-orders query with none of ours."""

    confirmed: bool
    open_orders: int | None
    """None: could not be asked."""
    nothing_sent: bool = False
    """No order request ever left this incarnation, so none of its orders can exist."""
    text: str = ""
    figures: dict[str, Any] = {}
    fatal: int = 0
    """Not 0: starting it again cannot help; the exit code to end with (wrong key, bad configuration, unreachable)."""


class CellBorn(msgspec.Struct, tag=True):
    """Supervisor to guard: whom to kill before the proof."""

    name: str
    pid: int
    start_ticks: int
    """Start time of the process in clock ticks since boot, so that a reused pid is not hit."""


class CellGone(msgspec.Struct, tag=True):
    name: str
    pid: int


class Acting(msgspec.Struct, tag=True):
    """Guard to supervisor: it kills the cells and proves. From here there is no way on but to stop."""

    why: str


class AllDone(msgspec.Struct, tag=True):
    """Supervisor to guard: the agreed farewell; every cell has proven that nothing rests."""


Message = (
    Alive
    | GuardState
    | Stop
    | Ready
    | Leave
    | Left
    | Snapshot
    | Event
    | Farewell
    | CellBorn
    | CellGone
    | Acting
    | AllDone
    | Birth
)
