"""What the venue refuses is not asked for again until something is new, holds nobody up, and counts for its own side."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio
from cell_kit import ACCOUNT, DERIVE, MASS, ORDERS, Form, Placed, in_every_form, in_order, methods, still

from actors.cell import Cell
from actors.rehearsal.stage import Stage, open_stage
from actors.trading.instruments import ASK, BID, Side
from actors.trading.orders import Order, OrderState
from actors.venues.paper.faults import FrameFault
from actors.venues.paper.tickets import OrderRequest

TOO_MANY = {"derive": 11019, "deribit": 10015}
"""Open orders."""
MOVES = [
    (DERIVE, "private/replace", -32602),
    (ORDERS, "private/edit", 10041),
    (ORDERS, "private/edit", 10047),
    (ORDERS, "private/edit", -32602),
    (MASS, "private/mass_quote", 10047),
    (MASS, "private/mass_quote", -32602),
]
"""Refused before they were looked at: what rested rests on, in its old place."""


def gone(stage: Stage, names: tuple[str, ...]) -> int:
    """Orders of ours in these instruments that have been cancelled."""
    rows = [row for row in stage.exchange.ledger.records if row["kind"] == "order" and row["account"] == ACCOUNT]
    return len([row for row in rows if row["instrument"] in names and row["status"] == "cancelled"])


def deafen(stage: Stage) -> None:
    """On Derive tickers come each second, also of a market that stands still."""
    stage.exchange.faults.arm(FrameFault("drop", "out", match='"channel":"ticker', count=None))


def held(cell: Cell, name: str, side: Side) -> Order:
    """The one order that rests there."""
    (order,) = [order for order in cell.orders.working(name, side) if order.state is OrderState.OPEN]
    return order


def strike(stage: Stage, order: Order) -> None:
    """Somebody trades against it, all of it: nobody else is left in its book."""
    engine = stage.exchange.engine
    houses = [key for key, account in engine.accounts.items() if account.house]
    for house in houses:
        for other in list(engine.accounts[house].open_orders.values()):
            if other.instrument == order.instrument:
                engine.cancel(house, other.order_id)
    now_ns = stage.exchange.clock_ns()
    taken = OrderRequest(
        instrument=order.instrument,
        side=Side(-order.side),
        amount=order.remaining,
        price=order.price,
        label="by-hand",
        nonce=now_ns // 1000,
        max_fee=Decimal(1000),
        signature_expiry_s=now_ns // 10**9 + 1800,
    )
    engine.place(houses[0], taken)
    stage.exchange.tell()


def stands(cell: Cell, name: str) -> set[Side]:
    return {order.side for order in cell.orders.working(name) if order.state is OrderState.OPEN}


@pytest.mark.parametrize(("form", "method", "code"), MOVES, ids=str)
async def test_a_move_that_is_refused_is_not_asked_for_again_at_once(
    form: Form, method: str, code: int, autojump_clock: trio.testing.MockClock
) -> None:
    """The refusal is no news of the market: sent again at each it would take all that cancels and the others need."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        name, other = list(cell.instruments)[:2]
        deafen(stage)
        stage.exchange.faults.refuse(method, code, "refused", count=None)
        before = len(stage.exchange.ledger.records)
        strategy.ask_ticks = 5
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(0.01)
        if form is not MASS:  # there a cancel is a mass quote as well
            cell.desk.pull(other, "for the test")
            await trio.sleep(0.2)
            assert gone(stage, (other,)) == 2
        await trio.sleep(5)
        assert 1 <= methods(stage, before)[method] <= 2
        assert stands(cell, name) == {BID, ASK}
        stage.exchange.faults.clear()
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(0.5)
        wish = cell.quoters[name].wish
        assert wish is not None
        assert wish.ask is not None
        assert held(cell, name, ASK).price == wish.ask.price


@pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)
async def test_an_order_that_is_refused_is_not_placed_again_at_once(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Nor does its refusal keep a cancel elsewhere waiting; whatever is heard next has it tried once more."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        name, other = list(cell.instruments)[:2]
        deafen(stage)
        for method in ("private/order", "private/sell"):
            stage.exchange.faults.refuse(method, TOO_MANY[form.venue], "refused", count=None)
        before = len(stage.exchange.ledger.records)
        stage.exchange.engine.cancel(ACCOUNT, held(cell, name, ASK).venue_id)
        stage.exchange.tell()
        await trio.sleep(5)
        asked = methods(stage, before)
        assert 1 <= asked["private/order"] + asked["private/sell"] <= 2
        cell.desk.pull(other, "for the test")
        await trio.sleep(0.05)
        assert gone(stage, (other,)) == 2
        stage.exchange.faults.clear()
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(0.5)
        assert stands(cell, name) == {BID, ASK}


@pytest.mark.parametrize(("strategy", "most"), [("improve", 60), ("theoretical", 150)])
@pytest.mark.parametrize("code", [10041, 10047, -32602])
async def test_while_every_edit_is_refused_only_the_market_has_it_tried_again(
    strategy: str, most: int, code: int, autojump_clock: trio.testing.MockClock
) -> None:
    """A living market, twelve sides, five seconds: what is asked follows books, index and refresh, and not the answers."""
    settings = ORDERS.settings()
    settings.cells[0].quoting.strategy = strategy
    async with open_stage(ORDERS.paper()) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        await trio.sleep(20)
        stage.exchange.faults.refuse("private/edit", code, "refused", count=None)
        before = len(stage.exchange.ledger.records)
        await trio.sleep(5)
        assert 5 <= methods(stage, before)["private/edit"] <= most
        nursery.cancel_scope.cancel()


async def test_a_side_that_was_refused_and_is_taken_again_is_refused_no_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Hours later the other side is filled: half a quote for a moment, and no reason to pull what rests."""
    strategy = Placed()
    async with still(DERIVE, strategy) as (stage, cell):
        name = next(iter(cell.instruments))
        deafen(stage)
        stage.exchange.faults.refuse("private/order", 11008, "refused", count=1)
        stage.exchange.engine.cancel(ACCOUNT, held(cell, name, ASK).venue_id)
        stage.exchange.tell()
        await trio.sleep(0.5)
        assert set(cell.clerk.refusals.since) == {(name, ASK)}
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(0.5)
        assert stands(cell, name) == {BID, ASK}
        assert not cell.clerk.refusals.since
        await trio.sleep(120)
        before = len(stage.exchange.ledger.records)
        strike(stage, held(cell, name, BID))
        await trio.sleep(3)
        assert in_order(stage, before) == ["private/order"]
        assert stands(cell, name) == {BID, ASK}


async def test_a_refusal_of_one_side_is_no_refusal_of_the_other(autojump_clock: trio.testing.MockClock) -> None:
    """The ask could not be moved, and rests where it is wanted again; the bid that is filled meanwhile was never refused."""
    strategy = Placed()
    async with still(DERIVE, strategy) as (stage, cell):
        name = next(iter(cell.instruments))
        deafen(stage)
        stage.exchange.faults.refuse("private/replace", -32602, "refused", count=1)
        strategy.ask_ticks = 5
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(10)
        assert set(cell.clerk.refusals.since) == {(name, ASK)}
        assert stands(cell, name) == {BID, ASK}
        strategy.ask_ticks = 0
        before = len(stage.exchange.ledger.records)
        strike(stage, held(cell, name, BID))
        await trio.sleep(3)
        assert "private/cancel" not in in_order(stage, before)
        assert stands(cell, name) == {BID, ASK}


@pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)
async def test_of_half_a_quote_only_the_side_that_is_refused_again_and_again_is_tried(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """The other one is pulled once and not placed again at each look, which would be a bet and cost two requests more."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        name = next(iter(cell.instruments))
        deafen(stage)
        for method in ("private/order", "private/sell"):
            stage.exchange.faults.refuse(method, TOO_MANY[form.venue], "refused", count=None)
        before = len(stage.exchange.ledger.records)
        stage.exchange.engine.cancel(ACCOUNT, held(cell, name, ASK).venue_id)
        stage.exchange.tell()
        for look in range(20):
            await trio.sleep(0.35)
            assert stands(cell, name) == ({BID} if look < 6 else set()), look
            cell.market.on_changed(name, trio.current_time())
        asked = methods(stage, before)
        assert asked["private/buy"] == 0
        assert asked["private/cancel"] == 1
        assert 20 <= asked["private/order"] + asked["private/sell"] <= 22
        stage.exchange.faults.clear()
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(0.5)
        assert stands(cell, name) == {BID, ASK}
        assert not cell.clerk.refusals.since


async def test_while_the_refused_side_is_on_its_way_the_other_one_waits(autojump_clock: trio.testing.MockClock) -> None:
    """An order that nobody has taken yet makes no whole of a half; in a quick market somebody always looks in between."""
    strategy = Placed()
    async with still(DERIVE, strategy) as (stage, cell):
        name = next(iter(cell.instruments))
        deafen(stage)
        stage.exchange.faults.refuse("private/order", TOO_MANY["derive"], "refused", count=None)
        stage.exchange.engine.cancel(ACCOUNT, held(cell, name, ASK).venue_id)
        stage.exchange.tell()
        for _ in range(30):
            await trio.sleep(0.1)
            cell.market.on_changed(name, trio.current_time())
        assert stands(cell, name) == set()
        stage.exchange.faults.arm(
            FrameFault("delay", "in", match='"method":"private/order"', count=None, delay_s=(0.25, 0.25))
        )
        for _ in range(30):
            await trio.sleep(0.1)
            cell.market.on_changed(name, trio.current_time())
            assert not cell.orders.working(name, BID)


@pytest.mark.parametrize(("form", "method", "code"), MOVES, ids=str)
async def test_what_cannot_be_moved_does_not_rest_at_its_old_price_for_ever(
    form: Form, method: str, code: int, autojump_clock: trio.testing.MockClock
) -> None:
    """Whatever the reason: after a while it goes, and what is wanted is placed anew."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        name = next(iter(cell.instruments))
        deafen(stage)
        old = held(cell, name, ASK)
        if form is MASS:  # there a place is the same request
            stage.exchange.faults.refuse(method, code, "refused", count=8)
        else:
            stage.exchange.faults.refuse(method, code, "refused", count=None)
        strategy.ask_ticks = 5
        for look in range(16):
            cell.market.on_changed(name, trio.current_time())
            await trio.sleep(0.5)
            assert old.state.is_live or look >= 4
        assert not old.state.is_live
        assert stands(cell, name) == {BID, ASK}
        assert held(cell, name, ASK).price != old.price


@in_every_form
async def test_a_cancel_that_is_done_says_nothing_of_the_margin(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """A side without margin keeps its pause, whatever else is taken off it; the other one is quoted at once."""
    async with still(form, Placed()) as (_, cell):
        name = next(iter(cell.instruments))
        cell.risk.margin_refused(name, BID)
        cell.desk.pull(name, "for the test")
        await trio.sleep(1)
        assert stands(cell, name) == {ASK}
        await trio.sleep(5)
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(1)
        assert stands(cell, name) == {BID, ASK}


async def test_one_side_alone_does_not_rest_at_its_old_price_for_ever_either(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Who quotes one side only has no other half that could be missing."""
    strategy = Placed()
    async with still(DERIVE, strategy) as (stage, cell):
        name = next(iter(cell.instruments))
        deafen(stage)
        cell.settings.quoting.ask_only = True
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(1)
        assert stands(cell, name) == {ASK}
        old = held(cell, name, ASK)
        stage.exchange.faults.refuse("private/replace", -32602, "refused", count=None)
        strategy.ask_ticks = 5
        for _ in range(8):
            cell.market.on_changed(name, trio.current_time())
            await trio.sleep(0.5)
        assert not old.state.is_live
        assert stands(cell, name) == {ASK}
