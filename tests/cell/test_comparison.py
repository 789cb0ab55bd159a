"""Derive's published SVI stands beside our surface wherever a strategy quotes around fair value, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
from cell_kit import DERIVE, FORMS, ORDERS, Form, methods, quoting
from loguru import logger
from prometheus_client import CollectorRegistry, generate_latest

from actors import comparison, metrics, reports
from actors.cell import Cell
from actors.console.settings import Settings
from actors.rehearsal.stage import Stage, open_stage
from actors.trading.fair import OWN
from actors.trading.svi import SviSlice
from actors.venues.paper.derive_face import DeriveFace

SIDES = 28
NEAR = {"base_bps": 0.0, "vol_of_vol_points": 0.0, "adverse_weight": 0.0, "doubt_weight": 0.0, "required_edge": 0.2}
FEEDS = "public/get_latest_signed_feeds"
SEVEN = {"strikes": 7, "dailies": 0, "weeklies": 0, "taker_rate_per_s": 4.0}


@pytest.fixture(autouse=True)
def more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a minute is long where every option of a world is repriced at each tick."""
    monkeypatch.setattr(comparison, "ASK_S", 2.0)
    monkeypatch.setattr(comparison, "LOG_S", 5.0)
    monkeypatch.setattr(comparison, "MAX_AGE_S", 6.0)


def fair_value(form: Form) -> Settings:
    settings = form.settings()
    settings.cells[0].quoting.strategy = "theoretical"
    settings.cells[0].limits.max_exposure = 1e3
    return settings


@asynccontextmanager
async def running(form: Form, settings: Settings, journal: Path | None = None) -> AsyncIterator[tuple[Stage, Cell]]:
    async with open_stage(form.paper(world=SEVEN)) as stage:
        cell = stage.cell(settings, journal=journal)
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            yield stage, cell
            nursery.cancel_scope.cancel()


@pytest.fixture(name="lines")
def log_lines() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="DEBUG")
    yield lines
    logger.remove(sink)


async def test_every_explanation_shows_the_venues_smile(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, lines: list[str]
) -> None:
    """Beside our vol and the mark's: in the snapshot that `explain` reads, with the fills of the journal, as the largest
    difference an expiry among the metrics, and in the log now and then."""
    path, settings = tmp_path / "journal.jsonl", fair_value(DERIVE)
    settings.cells[0].quoting.params = NEAR
    async with running(DERIVE, settings, path) as (stage, cell):
        await quoting(cell, SIDES)
        await trio.sleep(12)
        shown, asked, age_s = reports.snapshot(cell), methods(stage)[FEEDS], trio.current_time()
        marks = {name: stage.exchange.engine.listings[name].reference for name in cell.instruments}
        values = [cell.valuation.fair(picture) for picture in cell.market.pictures.values()]
    assert all(value is not None and value.source == OWN for value in values)
    assert len(shown.rows) == SIDES / 2
    for row in shown.rows:
        mark = marks[row.instrument]
        assert mark is not None
        assert row.terms["venue_svi_vol_points"] == pytest.approx(100 * mark.mark_vol, abs=0.5)
        assert row.terms["venue_vol_points"] == pytest.approx(100 * mark.mark_vol, abs=0.5)
    gap = max(abs(row.terms["vol_points"] - row.terms["venue_svi_vol_points"]) for row in shown.rows)
    (expiry,) = {row.expiry for row in shown.rows}
    assert set(shown.venue_gaps) == {expiry}
    assert 0.0 < shown.venue_gaps[expiry] == pytest.approx(gap, abs=1.0)
    assert 5 <= asked <= age_s / 2.0
    rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    fills = [row["terms"] for row in rows if row["what"] == "fill" and row["ours"]]
    assert fills
    assert "venue_svi_vol_points" in fills[-1]
    told = [line for line in lines if line.startswith("our surface and the venue's SVI")]
    assert 2 <= len(told) <= age_s / 5.0
    assert expiry in told[-1]
    registry = CollectorRegistry()
    registry.register(metrics.CellCollector(lambda: [shown]))
    assert f'strikemaker_venue_gap_vol_points{{cell="cell0",expiry="{expiry}"}}' in generate_latest(registry).decode()


async def test_no_price_hangs_on_it(autojump_clock: trio.testing.MockClock) -> None:
    """What a venue publishes is shown even if it is nonsense, and our values and quotes stay where the market is."""
    async with running(DERIVE, fair_value(DERIVE)) as (stage, cell):
        face = stage.exchange.face
        assert isinstance(face, DeriveFace)
        face.feeds.svi = lambda underlying, expiry_s: SviSlice(a=0.0, b=1.0, rho=0.0, m=0.0, sigma=0.001)
        await quoting(cell, SIDES)
        await trio.sleep(7)
        shown = reports.snapshot(cell)
    assert max(shown.venue_gaps.values()) > 30
    for row in shown.rows:
        assert abs(row.terms["vol_points"] - row.terms["venue_vol_points"]) < 5
        assert row.bid is not None
        assert row.ask is not None
        assert row.bid < row.terms["fair"] < row.ask


@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_who_follows_the_book_asks_nothing(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """`improve` needs no surface, not even when Greek limits have one fitted."""
    settings = form.settings()
    settings.cells[0].limits.max_vega = 1e9
    async with running(form, settings) as (stage, cell):
        await trio.sleep(8)
        assert cell.valuation.is_needed
        assert cell.valuation.fits > 1
        assert methods(stage)[FEEDS] == 0
        assert not any("venue_svi_vol_points" in row.terms for row in reports.snapshot(cell).rows)


async def test_a_venue_without_smiles_is_not_asked(autojump_clock: trio.testing.MockClock) -> None:
    """On Deribit the same strategy runs as it is, with the mark beside our vol and no metric."""
    async with running(ORDERS, fair_value(ORDERS)) as (_, cell):
        await trio.sleep(10)
        shown = reports.snapshot(cell)
    assert any("venue_vol_points" in row.terms for row in shown.rows)
    assert not any("venue_svi_vol_points" in row.terms for row in shown.rows)
    assert shown.venue_gaps == {}


async def test_a_refusal_is_no_incident_and_old_smiles_go(autojump_clock: trio.testing.MockClock) -> None:
    """Refused again and again it quotes on, and what was heard is shown for a while and no longer."""
    async with running(DERIVE, fair_value(DERIVE)) as (stage, cell):
        await quoting(cell, SIDES)
        while not cell.valuation.comparison.gaps:
            await trio.sleep(0.5)
        stage.exchange.faults.rate_limit(FEEDS, None)
        await trio.sleep(12)
        shown = reports.snapshot(cell)
    assert shown.venue_gaps == {}
    assert all(row.sides == 2 and "venue_svi_vol_points" not in row.terms for row in shown.rows)
    assert not shown.warnings
