"""What is lost or late on its way to Deribit and back: no order beside another, none after the proof, none that lives on."""

from __future__ import annotations

from collections import Counter

import attrs
import trio
from cell_kit import ACCOUNT, MASS, Form, on_deribit, resting

from actors.rehearsal.company import Company
from actors.rehearsal.floor_replay import FloorReplay
from actors.rehearsal.scene import draw_scene
from actors.rehearsal.stage import open_stage
from actors.trading.instruments import Side
from actors.venues.paper.faults import FrameFault

TINY = {"strikes": 2, "dailies": 0, "weeklies": 0, "quarters": 0}


def first_request(form: Form) -> str:
    return "private/mass_quote" if form is MASS else "private/buy"


@on_deribit
async def test_a_packet_that_is_overtaken_never_becomes_an_order_after_the_proof(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Orders in flight when the stop comes arrive after the cancel and the question that overtook them."""
    async with open_stage(form.paper(world=TINY)) as stage:
        stage.exchange.faults.arm(FrameFault("reorder", "in", match=f'"{first_request(form)}"'))
        cell = stage.cell(form.settings())
        after_proof: list[int] = []

        async def look_on() -> None:
            await trio.sleep(1.5)
            after_proof.append(len(resting(stage)))

        cell.before_leaving = look_on
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            while not any(cell.orders.in_flight(name) for name in cell.instruments):
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed
        assert after_proof == [0]


@on_deribit
async def test_an_order_whose_answer_was_lost_keeps_its_place(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """It rests, neither answer nor notice tells; nothing is placed beside it before the venue was asked."""
    settings = form.settings()
    settings.venue.request_timeout_s = 0.5
    async with open_stage(form.paper(world=TINY, frozen=True)) as stage:
        faults = stage.exchange.faults
        faults.swallow_answer(first_request(form), 2)
        faults.arm(FrameFault("drop", "out", match='"channel":"user.changes'))
        cell = stage.cell(settings)
        with trio.move_on_after(6):
            await cell.run()
        replay, most = FloorReplay(ACCOUNT), 0
        for row in stage.exchange.ledger.records:
            replay.take(row)
            places = Counter((order.instrument, order.side) for order in replay.resting.values())
            most = max(most, *places.values(), 0)
        assert faults.struck["swallow"] >= 1
        assert most == 1
        assert cell.proof.confirmed
        assert resting(stage) == {}


@on_deribit
async def test_a_cancel_that_was_refused_leaves_its_orders_counted(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """They rest on at the venue: the table holds at least what can still be filled, until the venue shows them gone."""
    async with open_stage(form.paper(world=TINY, frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(form.settings())
        nursery.start_soon(cell.run)
        await trio.sleep(5)
        name = next(iter(cell.instruments))
        assert len(stage.exchange.engine.open_orders(ACCOUNT, name)) == 2
        refused = "private/mass_quote" if form is MASS else "private/cancel"
        stage.exchange.faults.refuse(refused, 11044, "refused on purpose", 2)
        cell.desk.pull(name, "for the test")
        for _ in range(100):
            await trio.sleep(0.01)
            rests = Counter[Side]()
            for order in stage.exchange.engine.open_orders(ACCOUNT, name):
                rests[order.side] += order.amount - order.filled
            assert all(cell.orders.worst(name, side) >= rests[side] for side in Side)
        assert stage.exchange.faults.struck["refuse"] >= 1
        nursery.cancel_scope.cancel()


@on_deribit
async def test_the_guard_waits_for_what_the_dead_have_sent(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """It asks while packets of a killed cell are still under way, and believes only a later answer."""
    scene = draw_scene(3, (), "deribit")
    scene.cell.quoting.quote_mode = form.mode
    async with open_stage(form.paper(world=TINY)) as stage:
        company = Company(stage, scene, lambda text: None)
        company.scene = attrs.evolve(scene, lag_s=(0.3, 0.3))  # of the cell's cables; the guard's way stays quick
        async with trio.open_nursery() as nursery:
            nursery.start_soon(company.play)
            while company.life is None or not company.may_send:
                await trio.sleep(0.01)
            while not any(company.life.cell.orders.in_flight(name) for name in company.life.cell.instruments):
                await trio.sleep(0.01)
            await trio.sleep(0.05)
            company.stopping = True
            company.kill_all()
        assert [proof.who for proof in company.proofs] == ["the guard"]
        at_ns = company.proofs[0].at_ns
        await trio.sleep(3)
        ours = [row for row in stage.exchange.ledger.of("order") if row["account"] == ACCOUNT]
        assert [row for row in ours if row["t"] > at_ns] == []
        assert resting(stage) == {}


@on_deribit
async def test_a_wrong_wall_clock_makes_no_deadline_later(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """Ours is two seconds ahead: what we send still dies at the venue within one."""
    async with open_stage(form.paper(world=TINY)) as stage:
        stage.clock.jump_ns = 1_900_000_000
        cell = stage.cell(form.settings())
        with trio.move_on_after(10):
            await cell.run()
        sent = form.sent(stage)
        assert sent
        assert max(row["params"]["valid_until"] - row["t"] // 1_000_000 for row in sent) <= 1000
        assert all("valid_until" in row["params"] for row in sent)
