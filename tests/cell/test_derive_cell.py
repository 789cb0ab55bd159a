"""What cells do on Derive alone: positions that move without a trade, signatures near an expiry, a login refused once."""

from __future__ import annotations

import pytest
import trio
from cell_kit import ACCOUNT, DERIVE, Placed, methods, quoting, resting

from actors.rehearsal.stage import START_NS, open_stage
from actors.trading.errors import VenueRefused
from actors.venues.paper.events import BalanceUpdate

MOVES = [BalanceUpdate.LIQUIDATION, BalanceUpdate.TRANSFER, BalanceUpdate.DRIFT_FIX]


@pytest.mark.parametrize("why", MOVES)
async def test_a_position_that_moves_without_a_trade_is_read_afresh(
    why: BalanceUpdate, autojump_clock: trio.testing.MockClock
) -> None:
    """No channel tells positions and no fill will: it would be quoted on, and counted wrong, until the next connection."""
    async with open_stage(DERIVE.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell, engine = stage.cell(DERIVE.settings()), stage.exchange.engine
        nursery.start_soon(cell.run)
        await quoting(cell)
        name = next(iter(cell.instruments))
        known, epoch = cell.risk.exposure.position(name), cell.desk.link.epoch
        engine.move_position(ACCOUNT, name, -300, why)
        stage.exchange.tell()
        with trio.fail_after(30):
            while cell.risk.exposure.position(name) == known:
                await trio.sleep(0.1)
            await quoting(cell, 6)
        assert cell.risk.exposure.position(name) == engine.account(ACCOUNT).amount(name) == known - 300
        assert cell.desk.link.epoch == epoch + 1
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("stop_s", [30.0, 300.0])
async def test_nothing_is_sent_that_no_signature_would_be_taken_for(
    stop_s: float, autojump_clock: trio.testing.MockClock
) -> None:
    """A signature ends with its option and must last 300 s, else the order is refused (11011). What is held settles."""
    world = {"strikes": 2, "dailies": 1, "weeklies": 0, "monthlies": 0, "quarters": 0}
    start_ns = START_NS + (22 * 60 + 53) * 60 * 10**9
    expiry_s = START_NS // 10**9 + 23 * 3600
    settings = DERIVE.settings(all_strikes=True)
    settings.cells[0].quoting.stop_before_expiry_s = stop_s
    async with open_stage(DERIVE.paper(frozen=True, world=world), start_ns=start_ns) as stage:
        settings.cells[0].expiries = stage.facts["expiries"][:1]
        engine, cell, strategy = stage.exchange.engine, stage.cell(settings), Placed()
        held = next(name for name in engine.listings if "-20261123-" in name)
        engine.move_position(ACCOUNT, held, 200, BalanceUpdate.TRANSFER)
        cell.strategy = strategy
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            with trio.fail_after(60):
                await quoting(cell, 4)
            for turn in range(130):
                strategy.ticks = turn % 7
                await trio.sleep(1)
            assert resting(stage) == {}
            assert set(cell.ended) == set(cell.instruments)
            assert cell.risk.exposure.position(held) == 200
            await trio.sleep(300)
            assert engine.account(ACCOUNT).amount(held) == cell.risk.exposure.position(held) == 0
            assert (cell.desk.link.epoch, cell.truth.alarms) == (1, 0)
            nursery.cancel_scope.cancel()
        assert max(row["t"] for row in DERIVE.sent(stage)) // 10**9 < expiry_s - 300
        assert not cell.clerk.figures.rejects


async def test_a_login_refused_once_costs_nothing_and_refused_again_the_run(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A bad signature is fatal, but not the first time: the venue had a mishap, or its clock and ours had."""
    logins: list[int] = []
    async with open_stage(DERIVE.paper(frozen=True)) as stage:
        cell = stage.cell(DERIVE.settings())
        with pytest.RaisesGroup(VenueRefused, flatten_subgroups=True, allow_unwrapped=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cell.run)
                await quoting(cell)
                stage.exchange.faults.refuse("public/login", 14014)
                cell.desk.link.drop("pulled by the test")
                await trio.sleep(3)
                await quoting(cell)
                logins.append(methods(stage)["public/login"])
                stage.exchange.faults.refuse("public/login", 14014, count=2)
                cell.desk.link.drop("pulled by the test")
                await trio.sleep(30)
        assert logins == [3]
        assert methods(stage)["public/login"] >= 5
