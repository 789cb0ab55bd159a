"""A child process as its parent sees it: spawned, heard, watched for silence, its last word kept.

Owns one incarnation from spawn to exit status. Decides nothing about restarts. A child silent for longer than the bound
is killed: a frozen process is a dead one, and waking up later it must not act on what it believed before. So is one that
says what cannot be read. Invariant: `live` returns only after the process has exited and its pipe is closed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import attrs
import trio
from loguru import logger

from actors.console.snapshots import CellSnapshot
from actors.mailboxes import Acting, Alive, Birth, Event, Farewell, Left, Message, Ready, Snapshot, Stop
from actors.pipes import Pipe, Unreadable, spawn, start_ticks, wait_exit
from actors.trading.errors import leading_error

BIRTH_S = 60.0
"""How long an interpreter may take to start and say its first word on a busy machine; it can place nothing before."""
NOT_BORN = -1
"""Status of an incarnation that could not be spawned at all."""


class Spare:
    """An interpreter that has done its imports and waits to be told who it is; it ends when its pipe does.

    A busy machine takes seconds to start one, and without a guard nothing new is sent. Raises OSError.
    """

    def __init__(self, module: str, *, new_session: bool) -> None:
        self.process, self.pipe = spawn(module, new_session=new_session)

    def dismiss(self) -> None:
        self.pipe.close()


class Hosted:
    """One incarnation of a cell or of the guard."""

    def __init__(
        self,
        module: str,
        birth: Birth,
        *,
        new_session: bool,
        on_event: Callable[[str, str], None],
        spare: Spare | None = None,
    ) -> None:
        self.name = birth.name
        self.birth = birth
        self.ready: Ready | None = None
        self.snapshot: CellSnapshot | None = None
        self.farewell: Farewell | None = None
        self.left = False
        self.restored = False
        """It has set the wallet back to its former setting."""
        self.acting = ""
        """Why the guard is pulling everything; empty while it only watches."""
        self.status: int | None = None
        self.killed_for = ""
        self.on_change: Callable[[], None] = lambda: None
        self._module = module
        self._new_session = new_session
        self._spare = spare
        self._on_event = on_event
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Pipe | None = None
        self._heard = trio.current_time()
        self.has_spoken = False
        """It runs, and has read its birth."""

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def ticks(self) -> int:
        return (start_ticks(self.pid) or 0) if self._process else 0

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self.status is None

    def send(self, message: Message) -> bool:
        return self._pipe is not None and self._pipe.send(message)

    def stop(self, reason: str) -> None:
        self.send(Stop(reason))

    def hang_up(self) -> None:
        """Our sending end closes: the child reads end of file, and what it says after that is still heard."""
        if self._pipe is not None:
            self._pipe.close_sending()

    def kill(self, why: str) -> None:
        """SIGKILL; its orders are the venue's disconnect's, its successor's and the guard's business."""
        if self.is_alive and self._process is not None:
            self.killed_for = why
            self._process.kill()

    async def live(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> int:
        """Spawn, serve the pipe, return the exit status. A birth that fails is a death: `NOT_BORN`."""
        try:
            body = self._spare or Spare(self._module, new_session=self._new_session)
        except OSError as exc:
            logger.error("{} cannot be started: {}", self.name, exc)
            self.status = NOT_BORN
            task_status.started()
            self.on_change()
            return NOT_BORN
        self._process, self._pipe = body.process, body.pipe
        self._heard = trio.current_time()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._serve, self._pipe)
                self._pipe.send(self.birth)
                nursery.start_soon(self._beat)
                nursery.start_soon(self._watch)
                task_status.started()
                await self._listen(self._pipe)
                self.status = await wait_exit(self._process)
                nursery.cancel_scope.cancel()
        finally:
            self._pipe.close()
            if self.status is None:
                self.status = self._process.poll()
            self.on_change()
        return self.status if self.status is not None else -1

    async def _serve(self, pipe: Pipe) -> None:
        """A line that cannot be read is the end of this child alone: what else it says cannot be trusted either."""
        try:
            await pipe.run()
        except* Unreadable as group:
            logger.error("{} cannot be understood ({}): killing it", self.name, leading_error(group))
            self.kill("cannot be understood")

    async def _listen(self, pipe: Pipe) -> None:
        async for message in pipe.inbox:
            self._heard, self.has_spoken = trio.current_time(), True
            match message:
                case Snapshot():
                    self.snapshot = message.cell
                case Event():
                    self._on_event(message.level, message.text)
                case Ready():
                    self.ready = message
                case Farewell():
                    self.farewell = message
                case Left():
                    self.left, self.restored = True, message.restored
                case Acting():
                    self.acting = message.why
                case _:
                    pass
            self.on_change()

    async def _beat(self) -> None:
        beat = 0
        while True:
            beat += 1
            self.send(Alive(beat))
            await trio.sleep(self.birth.settings.supervision.heartbeat_s)

    async def _watch(self) -> None:
        bound_s = self.birth.settings.supervision.heartbeat_bound_s
        while True:
            before = trio.current_time()
            await trio.sleep(bound_s / 10)
            if trio.current_time() - before > bound_s / 2:
                self._heard = trio.current_time()  # it was us who slept: give the child time to be heard
            if trio.current_time() - self._heard > (bound_s if self.has_spoken else max(bound_s, BIRTH_S)):
                logger.error("{} has been silent for {:.1f} s: killing it", self.name, trio.current_time() - self._heard)
                self.kill("silent")
                return


@attrs.define
class CellPost:
    """One cell's place: its present incarnation and what the earlier ones left behind."""

    index: int
    name: str
    hosted: Hosted | None = None
    restarts: int = 0
    past: list[dict[str, Any]] = attrs.field(factory=list)
    gone: bool = False
    unproven: bool = False
    """An incarnation died without proof and no later one has reconciled yet."""
    was_asked: bool = False
    """The venue has answered this cell's last question with none."""

    @property
    def has_spoken(self) -> bool:
        """The present incarnation has said its last word."""
        return self.hosted is not None and self.hosted.farewell is not None
