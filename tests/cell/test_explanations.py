"""Every fill is journalled with the terms that made the price it was filled at."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import trio.testing

from actors.rehearsal.stage import open_stage, paper_settings
from actors.trading.instruments import Side
from actors.venues.paper.run import PaperRun

NEAR = {"base_bps": 0.0, "vol_of_vol_points": 0.0, "adverse_weight": 0.0, "doubt_weight": 0.0, "required_edge": 0.2}


async def test_a_fill_keeps_the_explanation_of_its_own_price(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Fair value, half-spread and leaning of the moment the order was sent give its price, to the rounding away."""
    settings, path = paper_settings(), tmp_path / "journal.jsonl"
    settings.cells[0].quoting.strategy, settings.cells[0].quoting.params = "theoretical", NEAR
    world = {"strikes": 2, "dailies": 0, "weeklies": 0, "taker_rate_per_s": 8.0}
    async with open_stage(PaperRun(seed=3, world=world, keep_records=True), seed=3) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings, journal=path)
        await nursery.start(cell.run)
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    fills = [row for row in rows if row["what"] == "fill" and row["ours"]]
    assert len(fills) > 5
    for fill in fills:
        terms, option = fill["terms"], cell.instruments[fill["instrument"]]
        side = Side(fill["side"])
        wanted = terms["fair"] + terms["skew"] - side * terms["half_spread"]
        away = (wanted - option.price_float(fill["price"])) * side
        assert -1e-9 <= away < option.tick_float or "mark_guard" in terms
    assert fills[0]["terms"]["fees"] == pytest.approx(0.3, abs=0.01)
