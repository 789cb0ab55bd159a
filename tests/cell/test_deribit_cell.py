"""Whole cells on Deribit's face of the paper exchange: single orders and mass quotes, hanging up, renewing a login."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import trio

from actors.cell import Cell
from actors.console.settings import Settings
from actors.rehearsal.stage import Stage, open_stage, paper_settings
from actors.trading.errors import ConfigError
from actors.trading.instruments import Side
from actors.trading.orders import OrderState
from actors.venues.paper.run import PaperRun

SMALL = {"strikes": 3, "dailies": 0, "weeklies": 0}
ACCOUNT = 30_001
MODES = ("orders", "mass")
LADDER_END, COARSE = 50, 5


def deribit_paper(**changes: Any) -> PaperRun:
    return PaperRun(**{"venue": "deribit", "seed": 5, "keep_records": True, "world": SMALL, **changes})


def deribit_settings(mode: str = "orders") -> Settings:
    settings = paper_settings()
    settings.venue.exchange = "deribit"
    settings.cells[0].quoting.quote_mode = mode
    settings.cells[0].limits.max_position = 5
    settings.cells[0].limits.max_exposure = 500
    return settings


def methods(stage: Stage, since: int = 0) -> Counter[str]:
    return Counter(row["method"] for row in stage.exchange.ledger.records[since:] if row["kind"] == "request")


def resting(stage: Stage) -> dict[str, dict[str, Any]]:
    """By order id, from the ledger's own order rows."""
    orders = {row["order_id"]: row for row in stage.exchange.ledger.records if row["kind"] == "order"}
    return {key: row for key, row in orders.items() if row["status"] == "open" and row["account"] == ACCOUNT}


async def quoting(cell: Cell, sides: int) -> None:
    """Until so many of the cell's orders rest."""
    while sum(1 for _ in cell.orders.live()) < sides or any(cell.orders.in_flight(n) for n in cell.instruments):
        await trio.sleep(0.05)


@pytest.mark.parametrize("mode", MODES)
async def test_every_strike_is_quoted_on_the_ladder_and_nothing_is_left(
    mode: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Coin prices step by five ticks above 0.0050; after the end the venue says none, and so does its ledger."""
    async with open_stage(deribit_paper()) as stage:
        cell = stage.cell(deribit_settings(mode))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            await trio.sleep(15)
            prices = [order.price for order in cell.orders.live()]
            assert len(resting(stage)) == 12
            nursery.cancel_scope.cancel()
        assert len(cell.quoted_ever) == 6
        assert max(prices) > LADDER_END
        assert all(price <= LADDER_END or price % COARSE == 0 for price in prices)
        assert (cell.market.malformed, cell.truth.alarms) == (0, 0)
        assert cell.proof.confirmed
        assert resting(stage) == {}
        assert ("private/mass_quote" in methods(stage)) == (mode == "mass")
        assert ("private/buy" in methods(stage)) == (mode == "orders")


@pytest.mark.parametrize("mode", MODES)
async def test_a_market_that_stands_still_is_left_alone(mode: str, autojump_clock: trio.testing.MockClock) -> None:
    """No no-op quotes, so that priority survives."""
    async with open_stage(deribit_paper(frozen=True)) as stage:
        cell = stage.cell(deribit_settings(mode))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            await trio.sleep(5)
            before = len(stage.exchange.ledger.records)
            await trio.sleep(60)
            sent = methods(stage, before)
            nursery.cancel_scope.cancel()
        assert not {"private/buy", "private/sell", "private/edit", "private/mass_quote", "private/cancel"} & set(sent)


async def test_many_orders_on_a_small_account_are_pulled_by_hanging_up(autojump_clock: trio.testing.MockClock) -> None:
    """Eighty single cancels would take longer than a stop may; the proof comes over a fresh connection."""
    async with open_stage(
        deribit_paper(world={"strikes": 8, "dailies": 0, "weeklies": 0}, tier="trader", frozen=True)
    ) as stage:
        cell = stage.cell(deribit_settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 30)
            before = len(stage.exchange.ledger.records)
            nursery.cancel_scope.cancel()
        rows = stage.exchange.ledger.records[before:]
        gone = [row for row in rows if row["kind"] == "order" and row["account"] == ACCOUNT]
        assert len({row["order_id"] for row in gone if row["reason"] == "cancel_on_disconnect"}) >= 30
        assert methods(stage, before)["private/cancel"] == 0
        assert methods(stage, before)["public/auth"] == 1
        assert cell.proof.confirmed
        assert cell.proof.took_s < 3


async def test_few_orders_are_cancelled_without_losing_the_connection(autojump_clock: trio.testing.MockClock) -> None:
    """Where the budget has room for single cancels nobody hangs up."""
    async with open_stage(deribit_paper(frozen=True)) as stage:
        cell = stage.cell(deribit_settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            before = len(stage.exchange.ledger.records)
            nursery.cancel_scope.cancel()
        assert methods(stage, before)["private/cancel"] == 12
        assert methods(stage, before)["public/auth"] == 0
        assert cell.proof.confirmed


@pytest.mark.parametrize("mode", MODES)
async def test_a_lost_connection_is_reconciled_and_quoting_goes_on(
    mode: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Orders are never adopted: those of the old socket are gone by its loss, new ones are placed."""
    async with open_stage(deribit_paper()) as stage:
        cell = stage.cell(deribit_settings(mode))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            old = set(resting(stage))
            cell.desk.link.drop("pulled by the test")
            await trio.sleep(0.5)
            await quoting(cell, 12)
            await trio.sleep(3)
            assert len(resting(stage)) == 12
            assert not old & set(resting(stage))
            assert not any(order.state is OrderState.UNKNOWN for order in cell.orders.live())
            nursery.cancel_scope.cancel()
        assert cell.truth.alarms == 0
        assert cell.proof.confirmed


async def test_a_login_is_renewed_before_it_ends(autojump_clock: trio.testing.MockClock) -> None:
    """At four fifths of its life, by its token, with nothing interrupted."""
    async with open_stage(deribit_paper(frozen=True, face={"token_life_s": 60})) as stage:
        cell = stage.cell(deribit_settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            old, before = set(resting(stage)), len(stage.exchange.ledger.records)
            await trio.sleep(150)
            assert methods(stage, before)["public/auth"] == 3
            assert set(resting(stage)) == old
            assert cell.desk.link.epoch == 1
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", [10009, 11054, 13777, 13888])
async def test_a_refused_move_is_settled_by_evidence(mode: str, code: int, autojump_clock: trio.testing.MockClock) -> None:
    """Whatever the refusal means for the order, no order stays unknown and no side stays empty for long."""
    async with open_stage(deribit_paper()) as stage:
        cell = stage.cell(deribit_settings(mode))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            await trio.sleep(2)
            stage.exchange.faults.refuse("private/mass_quote" if mode == "mass" else "private/edit", code, "token", count=3)
            await trio.sleep(45)
            assert not stage.exchange.faults.armed
            assert not any(order.state is OrderState.UNKNOWN for order in cell.orders.live())
            sides = {(order.instrument, order.side) for order in cell.orders.live()}
            assert len(sides & {(name, side) for name in cell.instruments for side in Side}) >= 10
            nursery.cancel_scope.cancel()
        assert cell.truth.alarms == 0
        assert cell.proof.confirmed


async def test_a_forgotten_login_costs_the_connection_and_nothing_else(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever is not known any more logs in again on a new connection and quotes on."""
    async with open_stage(deribit_paper()) as stage:
        cell = stage.cell(deribit_settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            stage.exchange.faults.refuse("private/edit", 13009, "unauthorized")
            while cell.desk.link.epoch == 1:
                await trio.sleep(0.5)
            await trio.sleep(3)
            await quoting(cell, 12)
            assert methods(stage)["public/auth"] == 2
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed


async def test_mass_quotes_that_are_withdrawn_give_way_to_single_orders(autojump_clock: trio.testing.MockClock) -> None:
    """Once the venue says that they are not enabled, it is not asked again."""
    async with open_stage(deribit_paper()) as stage:
        cell = stage.cell(deribit_settings("auto"))
        stage.exchange.faults.refuse("private/mass_quote", 13902, "mass_quotes_disabled")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            assert methods(stage)["private/mass_quote"] == 1
            assert methods(stage)["private/buy"] >= 6
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed


async def test_mass_quotes_that_are_not_granted_are_one_clear_line(autojump_clock: trio.testing.MockClock) -> None:
    """Asked for by name they end the start; left to us, single orders are sent."""
    async with open_stage(deribit_paper(frozen=True)) as stage:
        face: Any = stage.exchange.face
        for key in face.clients.keys.values():
            key.user.mmp_enabled = key.user.mass_quotes_enabled = False
        with pytest.RaisesGroup(ConfigError, flatten_subgroups=True, allow_unwrapped=True) as caught:
            await stage.cell(deribit_settings("mass")).run()
        assert "quote_mode: mass quotes are not granted" in str(first(caught.value))
        cell = stage.cell(deribit_settings("auto"), run="r2")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            nursery.cancel_scope.cancel()
        assert methods(stage)["private/mass_quote"] == 0


def first(error: BaseException) -> BaseException:
    return first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
