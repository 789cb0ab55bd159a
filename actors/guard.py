"""The guard: the process that cancels when everybody else is dead. `python -m actors.guard`.

Born before any order can exist, in a session of its own; holds a pipe to the supervisor, its own signed access over REST
and no strategy state. When the pipe ends, the heartbeat stops or the supervisor leaves without the agreed farewell, it
first kills the cells (an orphaned or re-awakened one would quote again after the proof), then cancels everything of
ours and asks until the venue answers "none" to a question sent after every order in flight had become impossible.
Invariant: it ends only by `AllDone`, or with that proof; no signal but SIGKILL moves it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO

import attrs
import trio
from loguru import logger

from actors.child import Child, main
from actors.clock import Clock
from actors.journal import Journal
from actors.mailboxes import Acting, AllDone, Birth, CellBorn, CellGone, Farewell, Message, Ready
from actors.pipes import kill_exactly, start_ticks
from actors.run_folder import hold
from actors.sweeper import FIRST_PAUSE_S, LONGEST_PAUSE_S, Sweeper, until_none
from actors.venues.rest import RestLink

WATCH_S = 0.02
"""Between two looks at whether it is needed."""


@attrs.define
class _Watch:
    """What the guard knows of the living."""

    cells: dict[str, CellBorn] = attrs.field(factory=dict)
    all_done: bool = False

    def hear(self, message: Message) -> None:
        match message:
            case CellBorn():
                self.cells[message.name] = message
            case CellGone():
                self.cells.pop(message.name, None)
            case AllDone():
                self.all_done = True
            case _:
                logger.debug("ignored: {}", type(message).__name__)

    def kill_cells(self) -> bool:
        """Every cell that was born and not reported gone; True when one still lived."""
        killed = [name for name, cell in self.cells.items() if kill_exactly(cell.pid, cell.start_ticks, os.kill)]
        self.cells.clear()
        if killed:
            logger.warning("killed {}", ", ".join(killed))
        return bool(killed)


async def work(child: Child) -> Farewell:
    """Watches, and acts when the supervisor is no more."""
    birth = child.birth
    watch = _Watch()
    child.on_message = watch.hear
    clock = Clock()
    journal = Journal(Path(birth.folder) / "journal-guard.jsonl", clock.now_ns)
    async with trio.open_nursery() as nursery:
        with contextlib.suppress(OSError):  # whoever is dead, nobody removes the folder in which we may have to write
            nursery.start_soon(_keep_open, hold(Path(birth.folder)))
        await nursery.start(journal.run)
        async with RestLink(birth.access.rest_form(clock), birth.settings.venue.request_timeout_s) as rest:
            sweeper = Sweeper(birth.settings, birth.access, clock, rest)
            nursery.start_soon(_get_ready, child, sweeper)
            why = await _until_needed(child, watch)
            farewell = Farewell(True, None, text="all cells have proven that nothing rests")
            if why:
                logger.error("guard acts: {}", why)
                child.pipe.send(Acting(why))
                journal.write("guard", why=why, cells=list(watch.cells))
                farewell = await prove(sweeper, journal, why, watch.kill_cells, _is_gone(birth))
        nursery.cancel_scope.cancel()
    return farewell


async def _keep_open(file: IO[bytes]) -> None:
    with file:
        await trio.sleep_forever()


async def _until_needed(child: Child, watch: _Watch) -> str:
    """Why the guard must act; empty after the agreed farewell."""
    bound_s = child.birth.settings.supervision.heartbeat_bound_s
    while True:
        if watch.all_done:
            return ""
        if child.parent_died:
            return "the supervisor is gone, or has handed over"
        silent = child.parent_silent_s()
        if silent > bound_s:
            return f"the supervisor has been silent for {silent:.1f} s"
        await trio.sleep(WATCH_S)


class _VenueGone(Exception):
    """Nobody is left who could be asked."""


async def prove(
    sweeper: Sweeper,
    journal: Journal,
    why: str,
    kill_cells: Callable[[], bool] = lambda: False,
    is_venue_gone: Callable[[], bool] = lambda: False,
) -> Farewell:
    """Cancel and ask, for as long as it takes; cells are killed before, and again should one more be born meanwhile."""

    def go_on(failure: Exception) -> None:
        logger.warning("guard: {}; going on", failure)
        if is_venue_gone():
            raise _VenueGone

    def note(resting: int) -> None:
        journal.write("sweep", resting=resting)

    try:
        took = await _persist(lambda: until_none(sweeper, before_asking=kill_cells, on_answer=note, on_failure=go_on))
    except _VenueGone:
        text = "guard: the paper exchange is no more, and nobody is left who could be asked"
        logger.error(text)
        journal.write("proof", confirmed=False, resting=None, text=text)
        return Farewell(False, None, text=text)
    text = f"guard: the venue shows none of ours ({took:.2f} s after {why})"
    logger.warning(text)
    journal.write("proof", confirmed=True, resting=0, text=text, took_s=took)
    return Farewell(True, 0, text=text)


async def _persist(attempt: Callable[[], Awaitable[float]]) -> float:
    """Not even a defect of our own ends the guard before its proof."""
    while True:
        try:
            return await attempt()
        except _VenueGone:
            raise
        except Exception as exc:
            logger.opt(exception=exc).error("guard: {!r}; beginning again", exc)
            await trio.sleep(1.0)


def _is_gone(birth: Birth) -> Callable[[], bool]:
    """Of a paper exchange that was started with the run: dead, and nobody can ask it any more. Any other is never gone."""
    return lambda: birth.venue_pid != 0 and start_ticks(birth.venue_pid) != birth.venue_ticks


async def _get_ready(child: Child, sweeper: Sweeper) -> None:
    """Says Ready only once the venue has answered this process: a guard that cannot log in guards nothing."""
    pause = FIRST_PAUSE_S
    while True:
        try:
            await sweeper.identify()
        except Exception as exc:  # whatever it is: beside us the proof may be on its way, and would end with us
            logger.warning("guard cannot reach its account yet: {!r}", exc)
            await trio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, pause * 2)
        else:
            child.pipe.send(Ready("guard"))
            return


if __name__ == "__main__":
    sys.exit(main(work, obey_sigterm=False))
