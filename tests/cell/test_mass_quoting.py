"""Mass quotes are the venue's to grant and to take back: what is sent instead, under which protection, and what rests."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from cell_kit import ACCOUNT, MASS, ORDERS, Placed, methods, quoting, resting, still

from actors.console.settings import MmpSettings
from actors.rehearsal.stage import open_stage
from actors.trading.errors import NotGranted
from actors.venues.paper.faults import FrameFault

AUTO = attrs.evolve(ORDERS, mode="auto")
WITHDRAWN = pytest.mark.parametrize("code", [13902, 13040, 13042])


@WITHDRAWN
async def test_quotes_that_rest_when_mass_quotes_are_withdrawn_are_swept_away(
    code: int, autojump_clock: trio.testing.MockClock
) -> None:
    """None of them can ever be edited; and no single order leaves before what protects single orders is set."""
    settings = AUTO.settings()
    settings.cells[0].mmp = MmpSettings(enabled=True, interval_s=5, frozen_s=10, amount_limit=50)
    async with open_stage(ORDERS.paper()) as stage:
        cell = stage.cell(settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            assert methods(stage)["private/mass_quote"]
            stage.exchange.faults.refuse("private/mass_quote", code, "withdrawn", count=None)
            account = stage.exchange.engine.account(ACCOUNT)
            with trio.fail_after(60):
                while not methods(stage)["private/buy"]:
                    assert ("eth_usd", "") not in account.guards or cell.desk.link.epoch == 2
                    await trio.sleep(0.01)
            assert ("eth_usd", "") in account.guards
            assert not [order for order in account.open_orders.values() if order.quote_id]
            await quoting(cell)
            assert cell.desk.link.epoch == 2
            assert not [action for action in cell.clerk.figures.rejects if action.startswith("amend")]
            assert all(order.mmp and not order.mmp_group for order in account.open_orders.values())
            nursery.cancel_scope.cancel()
        assert cell.truth.alarms == 0
        assert cell.proof.confirmed
        assert resting(stage) == {}


async def test_mass_quotes_in_flight_when_the_first_is_refused_are_still_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Each answer belongs to who wrote the call; that they are withdrawn is said once."""
    strategy, said = Placed(), []
    async with still(AUTO, strategy) as (stage, cell):
        cell.on_event = lambda level, text: said.append(text)
        stage.exchange.faults.refuse("private/mass_quote", 13902, "withdrawn", count=None)
        stage.exchange.faults.arm(FrameFault("delay", "out", match="withdrawn", count=None, delay_s=(0.5, 0.5)))
        seen = len(stage.exchange.ledger.records)
        strategy.ticks = 5
        for name in list(cell.instruments)[:3]:
            cell.market.on_changed(name, trio.current_time())
            await trio.sleep(0.11)
        assert methods(stage, seen)["private/mass_quote"] == 3
        with trio.fail_after(30):
            while methods(stage, seen)["private/buy"] < 6:
                await trio.sleep(0.1)
        await quoting(cell)
        assert len([text for text in said if "mass quotes are withdrawn" in text and "going on" in text]) == 1
        assert methods(stage, seen)["private/mass_quote"] == 3


async def test_mass_quotes_that_were_wanted_and_are_withdrawn_end_the_run_cleanly(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """In the middle of it, with others in flight: one line that names the setting, and the proof that nothing rests."""
    strategy, cells, stages = Placed(), [], []
    with pytest.RaisesGroup(NotGranted, flatten_subgroups=True, allow_unwrapped=True) as caught:
        async with still(MASS, strategy) as (stage, cell):
            cells.append(cell)
            stages.append(stage)
            stage.exchange.faults.refuse("private/mass_quote", 13902, "withdrawn", count=None)
            stage.exchange.faults.arm(FrameFault("delay", "out", match="withdrawn", count=None, delay_s=(0.5, 0.5)))
            strategy.ticks = 5
            for name in list(cell.instruments)[:3]:
                cell.market.on_changed(name, trio.current_time())
                await trio.sleep(0.11)
            await trio.sleep(60)
    assert str(first(caught.value)).startswith("quote_mode: mass quotes are not granted")
    assert cells[0].proof.confirmed
    assert cells[0].desk.link.counts.connections == 1  # a fault while the others are read would end it
    assert resting(stages[0]) == {}


async def test_mass_quotes_that_are_withdrawn_give_way_to_single_orders(autojump_clock: trio.testing.MockClock) -> None:
    """Once the venue says that they are not enabled, it is not asked again."""
    async with open_stage(ORDERS.paper()) as stage:
        cell = stage.cell(attrs.evolve(ORDERS, mode="auto").settings())
        stage.exchange.faults.refuse("private/mass_quote", 13902, "mass_quotes_disabled")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            assert methods(stage)["private/mass_quote"] == 1
            assert methods(stage)["private/buy"] >= 6
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed


async def test_mass_quotes_that_were_asked_for_and_are_refused_end_the_run_cleanly(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nothing else than mass was wanted: one line that names the setting, and the proof that nothing rests."""
    async with open_stage(MASS.paper()) as stage:
        cell = stage.cell(MASS.settings())
        stage.exchange.faults.refuse("private/mass_quote", 13902, "mass_quotes_disabled")
        with pytest.RaisesGroup(NotGranted, flatten_subgroups=True, allow_unwrapped=True) as caught:
            await cell.run()
        assert str(first(caught.value)).startswith("quote_mode: mass quotes are not granted")
        assert cell.proof.confirmed
        assert resting(stage) == {}


async def test_mass_quotes_that_are_not_granted_are_one_clear_line(autojump_clock: trio.testing.MockClock) -> None:
    """Asked for by name they end the start; left to us, single orders are sent."""
    async with open_stage(ORDERS.paper(frozen=True)) as stage:
        face: Any = stage.exchange.face
        for key in face.clients.keys.values():
            key.user.mmp_enabled = key.user.mass_quotes_enabled = False
        with pytest.RaisesGroup(NotGranted, flatten_subgroups=True, allow_unwrapped=True) as caught:
            await stage.cell(MASS.settings()).run()
        assert "quote_mode: mass quotes are not granted" in str(first(caught.value))
        cell = stage.cell(attrs.evolve(ORDERS, mode="auto").settings(), run="r2")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            nursery.cancel_scope.cancel()
        assert methods(stage)["private/mass_quote"] == 0


def first(error: BaseException) -> BaseException:
    return first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def test_single_orders_have_their_own_protection_where_that_of_mass_quotes_is_refused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Orders are sent under protection that was never set, else."""
    settings = AUTO.settings()
    settings.cells[0].mmp = MmpSettings(enabled=True, interval_s=5, frozen_s=10, amount_limit=50)
    async with open_stage(ORDERS.paper()) as stage:
        stage.exchange.faults.refuse("private/set_mmp_config", 11050, "no groups for you", count=1)
        cell = stage.cell(settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            account = stage.exchange.engine.account(ACCOUNT)
            assert list(account.guards) == [("eth_usd", "")]
            assert all(order.mmp for order in account.open_orders.values())
            assert not methods(stage)["private/mass_quote"]
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed
