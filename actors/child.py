"""What every child process is made of: birth, heartbeat, signals, the parent's death, a last word.

Owns a child's side of the pipe. The work itself is handed in. A child ignores Ctrl-C (it reaches the whole group; the
supervisor decides), stops on SIGTERM, on a `Stop` message and on end of file, which means that the parent died.
Invariant: the signal receiver is open from before the work starts until its last word is said, so that no second signal
can interrupt a shielded cleanup.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio
from loguru import logger

from actors.console import logs
from actors.console.exits import Exit
from actors.console.secrets import remember
from actors.mailboxes import Alive, Birth, Farewell, Message, Stop
from actors.pipes import Pipe, hear_signals, own_pipe

LOOKS = 50
"""Looks at the parent's last word within the time that it may be silent."""


class Child:
    """One child process. `on_message` hears everything but `Stop`; `stop` is set once, with the reason."""

    def __init__(self, birth: Birth, pipe: Pipe) -> None:
        self.birth = birth
        self.pipe = pipe
        self.stopping = trio.Event()
        self.stop_reason = ""
        self.parent_died = False
        self.parent_heard = trio.current_time()
        self._asked = trio.current_time()
        self.on_message: Callable[[Message], None] = lambda message: None

    def stop(self, reason: str) -> None:
        if not self.stopping.is_set():
            logger.info("stopping: {}", reason)
            self.stop_reason = reason
            self.stopping.set()

    async def beat(self) -> None:
        beat = 0
        while True:
            beat += 1
            self.pipe.send(Alive(beat))
            await trio.sleep(self.birth.settings.supervision.heartbeat_s)

    def parent_silent_s(self) -> float:
        """Since the parent was last heard. To be asked often: a gap between two asks is our own sleep, and not counted."""
        now = trio.current_time()
        if now - self._asked > self.birth.settings.supervision.heartbeat_bound_s / 2:
            self.parent_heard = now
        self._asked = now
        return now - self.parent_heard

    async def watch_parent(self) -> None:
        """A frozen supervisor is a dead one, also where no guard is left to act on it."""
        bound_s = self.birth.settings.supervision.heartbeat_bound_s
        while self.parent_silent_s() <= bound_s:
            await trio.sleep(bound_s / LOOKS)
        self.stop("the supervisor is silent")

    async def listen(self) -> None:
        """Messages until end of file."""
        async for message in self.pipe.inbox:
            self.parent_heard = trio.current_time()
            if isinstance(message, Stop):
                self.stop(message.reason)
            elif not isinstance(message, Alive):
                self.on_message(message)
        self.parent_died = True
        self.stop("the supervisor is gone")


def main(work: Callable[[Child], Awaitable[Farewell]], *, obey_sigterm: bool = True) -> int:
    """Runs a child's `work` to its farewell; the process's exit status."""
    return trio.run(_main, work, obey_sigterm)


async def _main(work: Callable[[Child], Awaitable[Farewell]], obey_sigterm: bool) -> int:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        hear_signals()
        async with trio.open_nursery() as nursery:
            pipe = own_pipe()
            await nursery.start(pipe.run)
            try:
                birth = await pipe.inbox.receive()
            except trio.EndOfChannel:  # the parent died, or thought better of it, before it said what we are
                nursery.cancel_scope.cancel()
                return Exit.NOT_CONFIRMED  # noqa: ASYNC121  (all that runs in it was just cancelled)
            assert isinstance(birth, Birth)  # the first line, by agreement
            _set_up(birth)
            child = Child(birth, pipe)
            nursery.start_soon(child.beat)
            nursery.start_soon(child.listen)
            nursery.start_soon(_obey, signals, child, obey_sigterm)
            farewell = await work(child)
            pipe.send(farewell)
            await pipe.flush(0.5)
            nursery.cancel_scope.cancel()
    return farewell.fatal or (Exit.OK if farewell.confirmed else Exit.NOT_CONFIRMED)


async def _obey(signals: object, child: Child, obey_sigterm: bool) -> None:
    async for number in signals:  # type: ignore[attr-defined]  # trio names no public type for a signal receiver
        if number == signal.SIGTERM and obey_sigterm:
            child.stop("SIGTERM")
        else:
            logger.debug("{} ignored: the supervisor decides", signal.Signals(number).name)


def _set_up(birth: Birth) -> None:
    remember(birth.access.key)
    file = Path(birth.log_file or f"{birth.folder}/{birth.name}.log")
    logs.set_up(birth.log_level, stream=None if birth.log_file else sys.stderr, file=file)
    logger.configure(extra={"actor": birth.name})
