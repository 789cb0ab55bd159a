"""One request a second for more quotes than that can follow: nothing refused, nothing idle, dear ones first."""

from __future__ import annotations

import attrs
import pytest
import trio
from cell_kit import DERIVE, MASS, ORDERS, SIDES, Form, Placed, in_order, quote_and_vanish, quoting, resting, still

from actors.rehearsal.stage import open_stage
from actors.venues.paper.faults import RequestFault
from benchmarks.urgency import measure

WIDE = {"strikes": 50, "dailies": 0, "weeklies": 0}


def test_at_the_traders_tier_the_budget_is_used_and_never_overdrawn() -> None:
    """While demand exceeds it at least 90 % is spent, no rate refusal is drawn, and by money beats in turn."""
    ours, in_turn = measure(1, 8, 60.0, False), measure(1, 8, 60.0, True)
    assert ours["refused"] == in_turn["refused"] == 0
    assert 0.9 <= ours["used"] <= 1.0
    assert ours["stale"] <= 0.7 * in_turn["stale"]


async def test_who_follows_a_dead_cell_cancels_at_once_and_orders_when_nothing_of_before_counts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Deribit does not say what the life before has spent, and ends the session of who overdraws."""
    settings = ORDERS.settings()
    settings.supervision.stop_timeout_s = 2.0
    async with open_stage(ORDERS.paper(frozen=True, tier="trader")) as stage:
        first = stage.cell(settings)
        left = await quote_and_vanish(stage, first, lambda: quoting(first))
        stage.open_door = True
        seen, begun = len(stage.exchange.ledger.records), trio.current_time()
        second = stage.cell(settings, run="r2", heir=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(second.run)
            while left & set(resting(stage)):
                await trio.sleep(0.01)
            assert trio.current_time() - begun < 3.0
            while not ORDERS.sent(stage, seen):
                await trio.sleep(0.01)
            assert trio.current_time() - begun >= 4.0
            assert in_order(stage, seen).count("private/cancel") == len(left)
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("cells", [1, 3, 4])
async def test_a_share_of_the_budget_too_small_for_a_pair_still_quotes_both_sides(
    cells: int, autojump_clock: trio.testing.MockClock
) -> None:
    """A third of a trader's five requests is one: the sides go one after the other, or nothing would ever go."""
    settings = DERIVE.settings()
    settings.cells = [attrs.evolve(settings.cells[0]) for _ in range(cells)]
    async with open_stage(DERIVE.paper(frozen=True, tier="trader")) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        with trio.fail_after(120):
            await quoting(cell)
        assert len(resting(stage)) == SIDES
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("form", "method", "code", "details", "pause_s"),
    [
        (ORDERS, "private/edit", 10047, "", 0.1),
        (ORDERS, "private/edit", 13028, "", 0.1),
        (DERIVE, "private/replace", -32000, "Retry after 20 ms", 0.02),
        (DERIVE, "private/replace", -32000, "Retry after 4500 ms", 4.5),
        (DERIVE, "private/replace", -32000, "", 1.0),
    ],
)
async def test_after_a_refusal_nothing_is_sent_for_as_long_as_the_venue_says(
    form: Form, method: str, code: int, details: str, pause_s: float, autojump_clock: trio.testing.MockClock
) -> None:
    """Neither for the one that was refused nor for any other; and no longer than that."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        fault = RequestFault("refuse", method, 1, code=code, message="later", detail=details)
        stage.exchange.faults.arm(fault)
        strategy.ticks = 5
        refused, other, *_ = cell.instruments
        cell.market.on_changed(refused, trio.current_time())
        while fault.count:
            await trio.sleep(0.001)
        seen, begun = len(stage.exchange.ledger.records), trio.current_time()
        await trio.sleep(0.005)
        cell.market.on_changed(other, trio.current_time())
        with trio.fail_after(10):
            while not form.sent(stage, seen):
                await trio.sleep(0.001)
        assert pause_s - 0.002 <= trio.current_time() - begun < pause_s + 0.05


async def test_mass_quotes_hold_no_more_sides_a_second_than_the_venue_takes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Ten calls a second would be let through; it is their sides together that are counted, and 13903 that is drawn."""
    async with open_stage(MASS.paper(world={**WIDE, "taker_rate_per_s": 0.0}, frozen=True)) as stage:
        settings, strategy = MASS.settings(), Placed()
        settings.cells[0].limits.max_exposure = 9000.0
        cell = stage.cell(settings)
        cell.strategy = strategy
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            with trio.fail_after(60):
                await quoting(cell, 180)
            await trio.sleep(2)
            seen = len(stage.exchange.ledger.records)
            for turn in range(15):
                strategy.ticks, strategy.ask_ticks = -(turn % 7) - 1, 5 * (turn % 7 + 1)
                for name in cell.instruments:
                    cell.market.on_changed(name, trio.current_time())
                await trio.sleep(0.1)
            calls = [(row["t"], row["params"]["quotes"]) for row in MASS.sent(stage, seen)]
            sides = [(t, sum(("bid" in quote) + ("ask" in quote) for quote in quotes)) for t, quotes in calls]
            nursery.cancel_scope.cancel()
        assert sum(count for _, count in sides) > 500
        assert max(sum(count for at, count in sides if t <= at < t + 10**9) for t, _ in sides) <= 500
        assert not [what for what in cell.clerk.figures.rejects if "13903" in what]
