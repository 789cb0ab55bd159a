"""What cells do on Deribit alone: coin ladders, mass quotes, hanging up, renewing a login."""

from __future__ import annotations

import pytest
import trio
from cell_kit import ACCOUNT, MASS, ORDERS, SIDES, SMALL, Form, methods, on_deribit, quoting, resting

from actors.rehearsal.stage import open_stage
from actors.trading.instruments import Side
from actors.trading.orders import OrderState
from actors.venues.paper.faults import FrameFault

LADDER_END, COARSE = 50, 5


@on_deribit
async def test_every_price_is_on_the_ladder(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """Coin prices step by five ticks above 0.0050; a mode sends its own kind of request and no other."""
    async with open_stage(form.paper()) as stage:
        cell = stage.cell(form.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            await trio.sleep(15)
            prices = [order.price for order in cell.orders.live()]
            nursery.cancel_scope.cancel()
        assert max(prices) > LADDER_END
        assert all(price <= LADDER_END or price % COARSE == 0 for price in prices)
        assert ("private/mass_quote" in methods(stage)) == (form is MASS)
        assert ("private/buy" in methods(stage)) == (form is ORDERS)


@on_deribit
async def test_linear_options_are_quoted_in_dollars_under_their_own_currency(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Fills, positions and fees in USDC; the inverse orders of the same coin are another underlying's and stay."""
    paper = form.paper(underlyings=("ETH", "ETH_USDC"), world={**SMALL, "taker_rate_per_s": 2.0})
    async with open_stage(paper) as stage:
        inverse, linear = stage.cell(form.settings()), stage.cell(form.settings(underlying="ETH_USDC"), name="linear")
        async with trio.open_nursery() as others:
            others.start_soon(inverse.run)
            await quoting(inverse)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(linear.run)
                await quoting(linear)
                assert {one.underlying for one in linear.instruments.values()} == {"ETH_USDC"}
                live = linear.orders.live()
                assert max(linear.instruments[order.instrument].price_float(order.price) for order in live) > 20
                while linear.clerk.figures.fills < 3:
                    await trio.sleep(1)
                nursery.cancel_scope.cancel()
            assert linear.proof.confirmed
            assert {row["instrument"].partition("-")[0] for row in resting(stage).values()} == {"ETH"}
            others.cancel_scope.cancel()
        assert set(linear.clerk.figures.fees) == {"USDC"}
        assert (linear.market.malformed, linear.truth.alarms, inverse.truth.alarms) == (0, 0, 0)
        held = {name: steps for name, steps in linear.risk.exposure.positions.items() if steps}
        positions = stage.exchange.engine.accounts[ACCOUNT].positions
        at_venue = {name: each.amount for name, each in positions.items() if each.amount and "_USDC-" in name}
        assert held == at_venue
        assert resting(stage) == {}


async def test_many_orders_on_a_small_account_are_pulled_by_hanging_up(autojump_clock: trio.testing.MockClock) -> None:
    """Eighty single cancels would take longer than a stop may; the proof comes over a fresh connection."""
    async with open_stage(
        ORDERS.paper(world={"strikes": 8, "dailies": 0, "weeklies": 0}, tier="trader", frozen=True)
    ) as stage:
        cell = stage.cell(ORDERS.settings())
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
    async with open_stage(ORDERS.paper(frozen=True)) as stage:
        cell = stage.cell(ORDERS.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            before = len(stage.exchange.ledger.records)
            nursery.cancel_scope.cancel()
        assert methods(stage, before)["private/cancel"] == SIDES
        assert methods(stage, before)["public/auth"] == 0
        assert cell.proof.confirmed


@on_deribit
async def test_a_lost_connection_is_reconciled_and_quoting_goes_on(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Orders are never adopted: those of the old socket are gone by its loss, new ones are placed."""
    async with open_stage(form.paper()) as stage:
        cell = stage.cell(form.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            old = set(resting(stage))
            cell.desk.link.drop("pulled by the test")
            await trio.sleep(0.5)
            await quoting(cell)
            await trio.sleep(3)
            assert len(resting(stage)) == SIDES
            assert not old & set(resting(stage))
            assert not any(order.state is OrderState.UNKNOWN for order in cell.orders.live())
            nursery.cancel_scope.cancel()
        assert cell.truth.alarms == 0
        assert cell.proof.confirmed


async def test_a_login_is_renewed_before_it_ends(autojump_clock: trio.testing.MockClock) -> None:
    """At four fifths of its life, by its token, with nothing interrupted."""
    async with open_stage(ORDERS.paper(frozen=True, face={"token_life_s": 60})) as stage:
        cell = stage.cell(ORDERS.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            old, before = set(resting(stage)), len(stage.exchange.ledger.records)
            await trio.sleep(150)
            assert methods(stage, before)["public/auth"] == 3
            assert set(resting(stage)) == old
            assert cell.desk.link.epoch == 1
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed


@on_deribit
@pytest.mark.parametrize("code", [10009, 11054, 13777, 13888])
async def test_a_refused_move_is_settled_by_evidence(form: Form, code: int, autojump_clock: trio.testing.MockClock) -> None:
    """Whatever the refusal means for the order, no order stays unknown and no side stays empty for long."""
    async with open_stage(form.paper()) as stage:
        cell = stage.cell(form.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            await trio.sleep(2)
            stage.exchange.faults.refuse("private/mass_quote" if form is MASS else "private/edit", code, "token", count=3)
            await trio.sleep(45)
            assert not stage.exchange.faults.armed
            assert not any(order.state is OrderState.UNKNOWN for order in cell.orders.live())
            sides = {(order.instrument, order.side) for order in cell.orders.live()}
            assert len(sides & {(name, side) for name in cell.instruments for side in Side}) >= 10
            nursery.cancel_scope.cancel()
        assert cell.truth.alarms == 0
        assert cell.proof.confirmed


async def test_a_refused_edit_makes_us_ask_what_became_of_the_order(autojump_clock: trio.testing.MockClock) -> None:
    """Its end was told in frames that were lost: the refusal is the first we hear, and nobody waits for the audit."""
    async with open_stage(ORDERS.paper()) as stage, trio.open_nursery() as nursery:
        cell, engine = stage.cell(ORDERS.settings()), stage.exchange.engine
        nursery.start_soon(cell.run)
        await quoting(cell)
        silence = FrameFault("drop", "out", match='"channel":"user.')
        stage.exchange.faults.arm(silence)
        gone = {order.order_id for order in engine.open_orders(ACCOUNT)}
        for order_id in gone:
            engine.cancel(ACCOUNT, order_id)
        stage.exchange.tell()
        await trio.sleep(1)
        silence.count = 0
        while not any(action.startswith("amend") for action in cell.clerk.figures.rejects):
            await trio.sleep(0.1)
        await trio.sleep(10)
        assert cell.truth.alarms == 0  # the audit has not been yet, or had nothing to find
        edits = [row["params"] for row in stage.exchange.ledger.of("request") if row["method"] == "private/edit"]
        refused = gone & {str(params["order_id"]) for params in edits}
        assert refused
        assert not refused & {order.venue_id for order in cell.orders.live()}
        nursery.cancel_scope.cancel()


@on_deribit
async def test_a_locked_account_is_pulled_from_and_quotes_again_when_it_is_unlocked(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Told by the venue, or by its refusals and the audit's question where no notice came; the operator hears of both."""
    async with open_stage(form.paper()) as stage:
        cell, face = stage.cell(form.settings()), stage.exchange.face
        said: list[str] = []
        cell.on_event = lambda level, text: said.append(text)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            face.lock(ACCOUNT, True)
            await trio.sleep(2)
            assert resting(stage) == {}
            seen = len(stage.exchange.ledger.records)
            await trio.sleep(10)
            assert form.sent(stage, seen) == []
            face.lock(ACCOUNT, False)
            await quoting(cell)
            assert [text for text in said if "account" in text] == [
                "halt: the account may not trade: locked by the venue or its owner (ALL)", "resume: account",
            ]

            face.clients.users[ACCOUNT].is_locked = True  # and nobody says so
            while "account" not in cell.risk.halts:
                await trio.sleep(0.1)
            await trio.sleep(2)
            assert resting(stage) == {}
            face.clients.users[ACCOUNT].is_locked = False
            await trio.sleep(40)
            await quoting(cell)
            nursery.cancel_scope.cancel()
        assert cell.truth.alarms == 0
        assert cell.proof.confirmed


async def test_a_forgotten_login_costs_the_connection_and_nothing_else(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever is not known any more logs in again on a new connection and quotes on."""
    async with open_stage(ORDERS.paper()) as stage:
        cell = stage.cell(ORDERS.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            stage.exchange.faults.refuse("private/edit", 13009, "unauthorized")
            while cell.desk.link.epoch == 1:
                await trio.sleep(0.5)
            await trio.sleep(3)
            await quoting(cell)
            assert methods(stage)["public/auth"] == 2
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed
