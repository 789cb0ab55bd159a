"""`--dry-run`: asks the venue for its listing and index, prints the plan, sends no order.

Owns the few questions that a plan needs; the plan itself is `plan.py`'s. On paper the exchange is started for the
purpose and ended after it; elsewhere only public data is read, without logging in. Invariant: nothing is signed here.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import trio
from rich.console import Console

from actors.clock import Clock
from actors.console import logs
from actors.console.config import Effective
from actors.console.exits import Exit
from actors.console.listing import choose
from actors.console.plan import CellFacts, make_plan, print_plan
from actors.console.settings import CellSettings, Settings
from actors.market_data import MarketData
from actors.paper_process import PaperProcess, access_of, follow_renaming
from actors.trading.errors import ConfigError, VenueUnreachable
from actors.venues.access import Access
from actors.venues.link import LinkSettings, VenueLink

INDEX_S = 3.0
"""How long an index is waited for; the plan can do without."""


def dry_run(effective: Effective) -> int:
    """Prints the plan; the exit code. Raises ConfigError and VenueUnreachable as a run would."""
    logs.set_up("WARNING", stream=sys.stderr)
    return trio.run(_dry_run, effective)


async def _dry_run(effective: Effective) -> int:
    settings = effective.settings
    with tempfile.TemporaryDirectory() as folder:
        paper: PaperProcess | None = None
        try:
            if settings.is_paper and not settings.venue.url:
                paper = PaperProcess(settings, str(Path(folder) / "ledger.jsonl"), None)
                facts = await paper.start()
                for line in follow_renaming(settings, facts):
                    print(line)
                access = access_of(settings, facts)
            else:
                access = Access.of(settings)
            found = [await _look(settings, cell, access) for cell in settings.cells]
        finally:
            if paper is not None:
                paper.end()
    endpoints = {"WebSocket": access.ws_url, "REST": access.rest_url}
    print_plan(make_plan(effective, found, None, endpoints), Console())
    return Exit.OK


async def _look(settings: Settings, cell: CellSettings, access: Access) -> CellFacts:
    """Listing and index of one cell's underlying over a public link."""
    clock = Clock()
    dialect = access.dialect(clock, 0)
    patience_s = settings.venue.give_up_after_s

    def connect(opening, on_notice, on_down):  # type: ignore[no-untyped-def]  # MarketData's own callback types
        return VenueLink(
            "dry run",
            access.ws_url,
            access.dial(settings.venue.connect_timeout_s),
            opening=opening,
            on_notice=on_notice,
            on_down=on_down,
            settings=LinkSettings(connect_timeout_s=settings.venue.connect_timeout_s),
            rng=random.Random(),
        )

    market = MarketData(dialect, cell.underlying, clock, connect, lambda _: False, lambda _: None)
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(patience_s) as patience:
            await nursery.start(market.link.run)
        if patience.cancelled_caught:
            raise VenueUnreachable(f"{access.exchange} ({access.network}): no connection in {patience_s:g} s")
        chosen = choose(cell, await market.load(), clock.now_s())
        if not chosen.instruments:
            raise ConfigError(f"nothing is listed for {cell.underlying} that this cell could quote")
        await market.follow(chosen.instruments[:1])
        with trio.move_on_after(INDEX_S):
            while market.index.price is None:
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    return CellFacts(chosen, market.index.price)
