"""One request a second for more quotes than that can follow: nothing refused, nothing idle, dear ones first."""

from __future__ import annotations

import attrs
import pytest
import trio
from cell_kit import DERIVE, ORDERS, SIDES, in_order, quote_and_vanish, quoting, resting

from actors.rehearsal.stage import open_stage
from benchmarks.urgency import measure


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
