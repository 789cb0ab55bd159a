"""Marks, volatilities and forwards come with tickers: one that stopped coming is worth no more than a book that did."""

from __future__ import annotations

import pytest
import trio
from cell_kit import DERIVE, Form, in_every_form, quoting, resting

from actors.cell import Cell
from actors.console.settings import Settings
from actors.rehearsal.stage import open_stage
from actors.venues.paper.faults import FrameFault

SETTLE_S = 5.0
TICKERS = FrameFault("drop", "out", match='"channel":"ticker', count=None)
BUSY = {"strikes": 3, "dailies": 0, "weeklies": 0, "taker_rate_per_s": 20.0}


def patient(form: Form, book_s: float, index_s: float) -> Settings:
    settings = form.settings()
    own = settings.cells[0].quoting
    own.max_book_age_s, own.max_index_age_s = book_s, index_s
    return settings


def reasons(cell: Cell) -> set[str]:
    return {quoter.unquotable().split(" is ")[0] for quoter in cell.quoters.values()}


@in_every_form
@pytest.mark.parametrize(("book_s", "index_s"), [(8.0, 30.0), (30.0, 8.0)])
async def test_without_tickers_nothing_is_quoted_until_they_come_again(
    form: Form, book_s: float, index_s: float, autojump_clock: trio.testing.MockClock
) -> None:
    """Older than both bounds, whichever is wider: books and index go on, and say nothing of what an option is worth."""
    async with open_stage(form.paper(frozen=form is DERIVE, world=BUSY)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(patient(form, book_s, index_s))
        nursery.start_soon(cell.run)
        await quoting(cell)
        stage.exchange.faults.arm(TICKERS)
        await trio.sleep(20.0)
        assert "stale: ticker" not in reasons(cell)
        await trio.sleep(10.0 + SETTLE_S)
        assert "stale: ticker" in reasons(cell)
        assert reasons(cell) <= {"stale: ticker", "stale: book"}
        assert not resting(stage)
        stage.exchange.faults.clear()
        await quoting(cell, sides=1)
        await trio.sleep(SETTLE_S)
        assert "stale: ticker" not in reasons(cell)
        assert resting(stage)
        nursery.cancel_scope.cancel()


@in_every_form
async def test_a_lost_link_forgets_what_tickers_told(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """Books are back at once; marks, and whether it is tradable, are from before until a ticker says so anew."""
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(patient(form, 3600.0, 3600.0))
        nursery.start_soon(cell.run)
        await quoting(cell)
        closed = next(iter(cell.market.pictures.values()))
        closed.tradable, closed.state = False, "closed"
        stage.exchange.faults.arm(TICKERS)
        cell.market.link.drop("the network is down")
        dropped_at = trio.current_time()
        await trio.sleep(SETTLE_S)
        assert all(picture.ticker is None for picture in cell.market.pictures.values())
        assert all(picture.heard_at > dropped_at for picture in cell.market.pictures.values())
        assert reasons(cell) == {"no ticker yet"}
        assert not resting(stage)
        stage.exchange.faults.clear()
        await quoting(cell)
        assert reasons(cell) == {""}
        nursery.cancel_scope.cancel()
