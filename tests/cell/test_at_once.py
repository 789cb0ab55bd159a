"""What comes alone is served in the turn that brought it; what comes in a burst takes its place in line."""

from __future__ import annotations

import pytest
import trio
from cell_kit import DERIVE, ORDERS, Form, Placed, in_every_form, resting, still

from actors.cell import Cell
from actors.trading.instruments import Numeraire


def moving(cell: Cell) -> list[str]:
    """Instruments of which a request is on its way."""
    return [name for name in cell.instruments if cell.orders.in_flight(name)]


@in_every_form
async def test_news_that_comes_alone_is_on_the_wire_before_anybody_else_has_a_turn(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """From the book to the request without a pass of the scheduler; in mass the desk waits for what else moves."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        name = next(iter(cell.instruments))
        before, asked = form.sent(stage), sum(cell.clerk.figures.requests.values())
        strategy.ticks = 5
        cell.market.on_changed(name, trio.current_time())
        at_once = form.mode != "mass"
        assert moving(cell) == ([name] if at_once else [])
        assert sum(cell.clerk.figures.requests.values()) - asked == (1 if at_once else 0)
        await trio.sleep(0.1)
        assert not moving(cell)
        assert len(form.sent(stage)) == len(before) + 1


@pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)
async def test_in_a_burst_one_is_served_at_once_and_the_others_by_urgency(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """A desk that served each as it came would send the least urgent first, each in a write of its own."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        before = len(form.sent(stage))
        strategy.ticks = -5  # what rests is too high: every tick of it may be lost
        for name in cell.instruments:
            cell.market.on_changed(name, trio.current_time())
        first = next(iter(cell.instruments))
        assert moving(cell) == [first]
        await trio.sleep(0.1)
        assert len(form.sent(stage)) == before + len(cell.instruments)
        assert not moving(cell)


@in_every_form
async def test_what_may_not_be_sent_is_not_sent_at_once_either(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """The gate has approved it in the same breath; whether anything may leave is the desk's to say."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        before, name = len(form.sent(stage)), next(iter(cell.instruments))
        cell.desk.block("guard", "for the test")
        strategy.ticks = 5
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(1)
        assert len(form.sent(stage)) == before
        cell.desk.unblock("guard")
        await trio.sleep(1)
        assert len(form.sent(stage)) > before


@in_every_form
async def test_a_quoter_that_crashes_while_acting_at_once_is_restarted_alone(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Also when it raises what malformed market data would: it is its own crash, and the link that brought it lives on."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        name, connections = next(iter(cell.instruments)), cell.market.link.counts.connections
        others = {key for key, row in resting(stage).items() if row["instrument"] != name}
        strategy.armed = ValueError("a bug of the strategy")
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(5)
        assert (cell.restarts, cell.market.malformed) == (1, 0)
        assert cell.market.link.counts.connections == connections
        assert {key for key, row in resting(stage).items() if row["instrument"] != name} == others
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(1)
        assert sum(row["instrument"] == name for row in resting(stage).values()) == 2


async def test_a_fault_of_the_desk_is_not_the_crash_of_the_quoter_that_came(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk that cannot do its work is the end of the cell, whoever's turn it was in; and nothing is left behind."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bug of the desk")

    restarts = []
    with pytest.RaisesGroup(RuntimeError, flatten_subgroups=True):
        strategy = Placed()
        async with still(DERIVE, strategy) as (stage, cell):
            monkeypatch.setattr(cell.desk, "_plan", broken)
            strategy.ticks = 5
            cell.market.on_changed(next(iter(cell.instruments)), trio.current_time())
            restarts.append(cell.restarts)
            await trio.sleep(60)
    assert restarts == [0]
    assert cell.restarts == 0
    assert cell.proof.confirmed
    assert not resting(stage)


async def test_a_requote_threshold_is_money_where_the_premium_is_paid_in_coin(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A bid that could be higher is left where it is until the difference is worth it, in quote currency."""
    async with still(ORDERS, Placed(), threshold=0.0) as (_, cell):
        index, instrument = cell.market.index.price, next(iter(cell.instruments.values()))
        assert instrument.numeraire is Numeraire.COIN
        assert index is not None
    worth_three = 2.5 * instrument.tick_float * index
    strategy = Placed()
    async with still(ORDERS, strategy, threshold=worth_three) as (_, cell):
        ladder_tick = {name: each.tick_at(cell.orders.working(name)[0].price) for name, each in cell.instruments.items()}
        name = next(name for name, tick in ladder_tick.items() if tick == 1)
        for ticks, moves in ((2, False), (3, True)):
            strategy.ticks = ticks
            cell.market.on_changed(name, trio.current_time())
            assert (moving(cell) == [name]) is moves, ticks
            await trio.sleep(0.1)
