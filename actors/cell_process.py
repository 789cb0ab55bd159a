"""A cell as a process: `python -m actors.cell_process`, born and stopped through its pipe.

Owns the bridge between the supervisor's messages and one `Cell`. After its proof it holds its sockets open until it is
told to leave, for on Derive any socket that closes while cancel-on-disconnect is on pulls the operator's manual orders
too. Invariant: it says `confirmed` only with the cell's own proof.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import msgspec
import trio
from loguru import logger

from actors.cell import Cell
from actors.child import Child, main
from actors.clock import Clock
from actors.console.exits import Exit
from actors.housekeeping import keep_house, tame
from actors.mailboxes import Event, Farewell, GuardState, Leave, Left, Message, Ready, Snapshot
from actors.reports import Roll, figures, gather_in_turns, snapshot
from actors.trading.errors import (
    ClockWrong,
    ConfigError,
    NotGranted,
    StrikemakerError,
    VenueRefused,
    VenueUnreachable,
    leading_error,
)
from actors.venues.proof import RunLabel

SNAPSHOT_S, A_ROW_S = 0.5, 0.001
"""Pause between two snapshots: the longer of half a second and a millisecond a row, so that a board of a thousand costs no
more each second than one of five hundred."""
LEAVE_S = 2.0
"""How long a proven cell waits to be told to leave."""


async def work(child: Child) -> Farewell:
    """One cell from birth to farewell."""
    birth = child.birth
    settings = birth.settings
    access = birth.access
    cell = Cell(
        settings,
        settings.cells[birth.cell],
        access,
        RunLabel(settings.venue.tag, birth.name, birth.run),
        Clock(),
        random.Random(),
        dial=access.dial(settings.venue.connect_timeout_s),
        journal=Path(birth.folder) / f"journal-{birth.name}.jsonl",
        slot=birth.slot,
        share=birth.share,
        guarded=birth.guarded,
        heir=birth.heir,
    )

    def tell(level: str, text: str) -> None:
        child.pipe.send(Event(level, f"{birth.name}: {text}"))

    trio.lowlevel.add_instrument(cell.stalls)
    cell.on_event = tell
    cell.clerk.verbose = birth.log_level in ("DEBUG", "TRACE")
    leaving = _Leaving(cell, child)
    child.on_message = leaving.hear
    cell.before_leaving = leaving.hold
    failure = await _run(cell, child)
    return _farewell(cell, failure)


async def _run(cell: Cell, child: Child) -> Exception | None:
    """Quotes until told to stop; the error that ended it, if one did."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_when_told, child, nursery.cancel_scope)
        nursery.start_soon(child.watch_parent)
        nursery.start_soon(_show, cell, child)
        nursery.start_soon(_announce, cell, child)
        try:
            await cell.run()
        except* Exception as group:
            error = leading_error(group)
            failure = error if isinstance(error, Exception) else None
            logger.error("cell ended: {}", failure)
        nursery.cancel_scope.cancel()
    child.pipe.send(Snapshot(snapshot(cell)))
    return failure


async def _stop_when_told(child: Child, scope: trio.CancelScope) -> None:
    await child.stopping.wait()
    scope.cancel()


async def _announce(cell: Cell, child: Child) -> None:
    """The collector's last full pass comes while reconciling still holds every order back."""
    while cell.truth.facts is None:
        await trio.sleep(0.005)
    tame()
    while cell.desk.blocks.keys() & {"start"}:
        await trio.sleep(0.02)
    child.pipe.send(Ready("", cell.truth.facts.restore_cancel_on_disconnect))
    cell.stalls.begin()
    await keep_house(lambda: not cell.desk.link.is_up)


async def _show(cell: Cell, child: Child) -> None:
    roll = Roll()
    while True:
        gathered = await gather_in_turns(cell, roll)
        child.pipe.send(Snapshot(snapshot(cell, gathered)))
        await trio.sleep(max(SNAPSHOT_S, A_ROW_S * len(gathered.rows)))


class _Leaving:
    """The supervisor's messages to a running cell, and the pause between proof and hanging up."""

    def __init__(self, cell: Cell, child: Child) -> None:
        self._cell = cell
        self._child = child
        self._leave: Leave | None = None
        self._told = trio.Event()

    def hear(self, message: Message) -> None:
        match message:
            case GuardState(alive=True):
                self._cell.desk.unblock("guard")
            case GuardState(alive=False):
                self._cell.desk.block("guard", "no guard: nothing new is sent")
            case Leave():
                self._leave = message
                self._told.set()
            case _:
                logger.debug("ignored: {}", type(message).__name__)

    async def hold(self) -> None:
        """After the proof: tells the supervisor, waits to be let go, restores the wallet's setting if asked."""
        self._child.pipe.send(_farewell(self._cell, None))
        with trio.move_on_after(LEAVE_S):
            while not self._told.is_set() and not self._child.parent_died:
                await trio.sleep(0.01)
        wanted = self._leave.restore_cancel_on_disconnect if self._leave else None
        if wanted is not None:
            try:
                await self._cell.truth.restore(wanted)
                self._child.pipe.send(Left(True))
            except StrikemakerError as exc:
                logger.warning("cancel-on-disconnect could not be restored: {}", exc)
                self._child.pipe.send(Left(False))


def _farewell(cell: Cell, failure: Exception | None) -> Farewell:
    proof = cell.proof
    text = proof.text if failure is None else str(failure)
    return Farewell(
        confirmed=proof.confirmed,
        open_orders=proof.resting,
        nothing_sent=proof.nothing_sent,
        text=text,
        figures=msgspec.to_builtins(figures(cell)) | {"took_s": proof.took_s},
        fatal=_fatal(failure, cell),
    )


def _fatal(failure: Exception | None, cell: Cell) -> int:
    """The exit code of what no restart can mend; 0 for what one can: a venue that was busy, a connection that broke."""
    match failure:
        case ConfigError() | ClockWrong():
            return Exit.BAD_INPUT
        case NotGranted():
            return Exit.REFUSED
        case VenueRefused() if cell.dialect.is_fatal(failure.code):
            return Exit.REFUSED
        case VenueUnreachable() if not cell.market.link.epoch:
            return Exit.UNREACHABLE
        case _:
            return 0


if __name__ == "__main__":
    sys.exit(main(work))
