"""The stage: one paper exchange and any number of cells in one process, on trio's (virtual) clock, over memory streams.

Owns the wiring only; exchange, server, cells and guard are the very ones that run as processes. No thread, no real I/O,
no wall clock: everything that happens follows from the seed. Used by `strikemaker rehearse` and by the tests. Invariant:
a run on the same seed and settings makes the same ledger.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio
import trio.testing

from actors.cell import Cell, Dial
from actors.clock import VirtualClock
from actors.console.settings import CellSettings, Settings
from actors.paper_process import access_of
from actors.venues.access import FIRST_CELL_SLOT, Access
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.run import PaperRun, build_exchange, ready_line
from actors.venues.paper.server import Server, ServerSettings
from actors.venues.proof import RunLabel

START_NS = 1_795_338_000_000_000_000
"""22 November 2026, 09:00:00 UTC: where every stage's clock begins, unless told otherwise."""

StreamPair = Callable[[], tuple[trio.abc.Stream, trio.abc.Stream]]


@attrs.define
class Stage:
    """What stands on it. `clock` is the makers'; the exchange's own follows trio's and never jumps."""

    exchange: Exchange
    server: Server
    clock: VirtualClock
    facts: dict[str, Any]
    nursery: trio.Nursery
    rng: random.Random
    streams: StreamPair
    dials: int = 0
    open_door: bool = True
    """False: the network is down, nobody can connect."""

    def access(self, settings: Settings, account: int = 0) -> Access:
        return access_of(settings, self.facts, account)

    async def dial(self) -> trio.abc.Stream:
        """A fresh connection to the exchange."""
        if not self.open_door:
            await trio.lowlevel.checkpoint()
            raise OSError("the network is down")
        self.dials += 1
        ours, theirs = self.streams()
        self.nursery.start_soon(self.server.serve_stream, theirs, f"stage-{self.dials}")
        await trio.lowlevel.checkpoint()
        return ours

    def cell(
        self,
        settings: Settings,
        index: int = 0,
        *,
        run: str = "r1",
        name: str = "",
        guarded: bool = False,
        heir: bool = False,
        dial: Dial | None = None,
        journal: Path | None = None,
    ) -> Cell:
        """A cell of these settings, not yet running; `dial` in place of the stage's own."""
        return Cell(
            settings,
            settings.cells[index],
            self.access(settings),
            RunLabel(settings.venue.tag, name or f"cell{index}", run),
            self.clock,
            random.Random(self.rng.getrandbits(64)),
            dial=dial or self.dial,
            slot=FIRST_CELL_SLOT + index,
            share=1.0 / len(settings.cells),
            guarded=guarded,
            heir=heir,
            journal=journal,
        )


@asynccontextmanager
async def open_stage(
    paper: PaperRun | None = None,
    *,
    seed: int = 1,
    streams: StreamPair = trio.testing.memory_stream_pair,
    server: ServerSettings | None = None,
    start_ns: int = START_NS,
) -> AsyncIterator[Stage]:
    """An exchange that serves until the block ends. `paper` decides its world, tier and accounts."""
    paper = paper or PaperRun(seed=seed, keep_records=True)
    clock = VirtualClock(start_ns)
    venue_clock = VirtualClock(start_ns)
    exchange = build_exchange(paper, venue_clock.now_ns)
    async with Server(exchange, server).running() as running, trio.open_nursery() as nursery:
        facts = ready_line(exchange, "stage", 0)
        yield Stage(exchange, running, clock, facts, nursery, random.Random(f"stage {seed}"), streams)
        nursery.cancel_scope.cancel()


def paper_settings(**cell: Any) -> Settings:
    """Settings of one cell on the paper exchange, with room inside the market; `cell` overrides a cell's own keys."""
    chosen = CellSettings(**{"expiries": ["nearest-monthly"], "all_strikes": True, **cell})
    chosen.quoting.min_spread_bps = min(chosen.quoting.min_spread_bps, 5.0)
    return Settings(cells=[chosen])
