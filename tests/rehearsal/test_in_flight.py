""""None rests" is said only of a moment after which nothing of ours can arrive any more."""

from __future__ import annotations

from collections import Counter

import attrs
import trio
import trio.testing

from actors.rehearsal.company import Company
from actors.rehearsal.floor_replay import FloorReplay
from actors.rehearsal.scene import draw_scene
from actors.rehearsal.stage import Stage, open_stage, paper_settings
from actors.trading.instruments import Side
from actors.venues.paper.faults import FrameFault
from actors.venues.paper.run import PaperRun

SMALL = {"strikes": 2, "dailies": 0, "weeklies": 0, "quarters": 0}


def resting(stage: Stage) -> int:
    account = int(stage.facts["subaccount_id"])
    return len(stage.exchange.engine.open_orders(account))


async def test_a_packet_that_is_overtaken_on_its_way_never_becomes_an_order_after_the_proof(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Orders in flight when the stop comes arrive after the cancel and the question that overtook them."""
    async with open_stage(PaperRun(seed=3, keep_records=True, world=SMALL)) as stage:
        stage.exchange.faults.arm(FrameFault("reorder", "in", match='"private/order"'))
        cell = stage.cell(paper_settings())
        after_proof: list[int] = []

        async def look_on() -> None:
            await trio.sleep(1.5)
            after_proof.append(resting(stage))

        cell.before_leaving = look_on
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            while not any(cell.orders.in_flight(name) for name in cell.instruments):
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed
        assert after_proof == [0]


async def test_an_order_whose_answer_was_lost_keeps_its_place(autojump_clock: trio.testing.MockClock) -> None:
    """It rests, neither answer nor notice tells; nothing is placed beside it before the venue was asked."""
    settings = paper_settings()
    settings.venue.request_timeout_s = 0.5
    async with open_stage(PaperRun(seed=3, frozen=True, keep_records=True, world=SMALL)) as stage:
        faults = stage.exchange.faults
        faults.swallow_answer("private/order", 2)
        faults.arm(FrameFault("drop", "out", match='"channel":"30001.orders"'))
        cell = stage.cell(settings)
        with trio.move_on_after(6):
            await cell.run()
        replay, most = FloorReplay(int(stage.facts["subaccount_id"])), 0
        for row in stage.exchange.ledger.records:
            replay.take(row)
            places = Counter((order.instrument, order.side) for order in replay.resting.values())
            most = max(most, *places.values(), 0)
        assert faults.struck["swallow"] == 2
        assert most == 1


async def test_a_cancel_that_was_refused_leaves_its_orders_counted(autojump_clock: trio.testing.MockClock) -> None:
    """They rest on at the venue: the table holds at least what can still be filled, until the venue shows them gone."""
    paper = PaperRun(seed=3, frozen=True, keep_records=True, world=SMALL)
    async with open_stage(paper) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(paper_settings())
        nursery.start_soon(cell.run)
        await trio.sleep(5)
        account, name = int(stage.facts["subaccount_id"]), next(iter(cell.instruments))
        assert len(stage.exchange.engine.open_orders(account, name)) == 2
        stage.exchange.faults.refuse("private/cancel", 11004, "refused on purpose", 2)
        cell.desk.pull(name, "for the test")
        for _ in range(100):
            await trio.sleep(0.01)
            rests = Counter[Side]()
            for order in stage.exchange.engine.open_orders(account, name):
                rests[order.side] += order.amount - order.filled
            assert all(cell.orders.worst(name, side) >= rests[side] for side in Side)
        assert stage.exchange.faults.struck["refuse"] == 2
        nursery.cancel_scope.cancel()


async def test_the_guard_waits_for_what_the_dead_have_sent(autojump_clock: trio.testing.MockClock) -> None:
    """It asks while packets of a killed cell are still under way, and believes only a later answer."""
    scene = draw_scene(3, ())
    async with open_stage(PaperRun(seed=3, keep_records=True, world=SMALL)) as stage:
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
        at = company.proofs[0].at_ns
        await trio.sleep(3)
        later = [row for row in stage.exchange.ledger.of("order") if row["t"] > at and row["label"].startswith("sm-")]
        assert resting(stage) == 0
        assert later == []
        questions = [row for row in stage.exchange.ledger.of("request") if row["method"] == "private/get_open_orders"]
        assert len([row for row in questions if row["session"] == 0]) < 8  # whoever comes next needs the budget


async def test_a_wrong_wall_clock_makes_no_deadline_later(autojump_clock: trio.testing.MockClock) -> None:
    """Ours is two seconds ahead: what we send still dies at the venue within one."""
    async with open_stage(PaperRun(seed=3, keep_records=True, world=SMALL)) as stage:
        stage.clock.jump_ns = 1_900_000_000
        cell = stage.cell(paper_settings())
        with trio.move_on_after(10):
            await cell.run()
        rows = stage.exchange.ledger.records
        sent = [row for row in rows if row["kind"] == "request" and row["method"] == "private/order"]
        assert sent
        assert max(row["params"]["reject_timestamp"] - row["t"] // 1_000_000 for row in sent) <= 1000
