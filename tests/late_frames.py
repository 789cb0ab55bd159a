"""What is lost or late on its way to a venue and back, played once for each way of trading there.

Each scenario plays one such misfortune on a small exchange, holds the cell to its promise, and hands back what a test may
want to know beyond it. Invariant: what rests is read from the exchange, never from the cell.
"""

from __future__ import annotations

from collections import Counter

import attrs
import trio
from cell_kit import ACCOUNT, DERIVE, MASS, ORDERS, Form, resting

from actors.cell import Cell
from actors.rehearsal.company import Company
from actors.rehearsal.floor_replay import FloorReplay
from actors.rehearsal.scene import draw_scene
from actors.rehearsal.stage import Stage, open_stage
from actors.trading.instruments import Side
from actors.venues.paper.faults import FrameFault
from actors.venues.paper.run import PaperRun

TINY = {"strikes": 2, "dailies": 0, "weeklies": 0, "quarters": 0}


@attrs.frozen
class Words:
    """What the wire calls things. `first`: the request that makes the first orders; `news`: how a notice of them begins."""

    first: str
    cancel: str
    news: str
    last_moment: str
    """The parameter, milliseconds, after which the venue drops a request."""
    refusal: int


WORDS = {
    DERIVE: Words("private/order", "private/cancel", f"{ACCOUNT}.orders", "reject_timestamp", 11004),
    ORDERS: Words("private/buy", "private/cancel", "user.changes", "valid_until", 11044),
    MASS: Words("private/mass_quote", "private/mass_quote", "user.changes", "valid_until", 11044),
}


def tiny(form: Form, *, frozen: bool = False) -> PaperRun:
    """Derive's days are not Deribit's: each venue has the seed on which everything here happens."""
    return form.paper(seed=3 if form is DERIVE else 5, world=TINY, frozen=frozen)


async def something_in_flight(cell: Cell) -> None:
    while not any(cell.orders.in_flight(name) for name in cell.instruments):
        await trio.sleep(0.01)


async def overtaken_by_the_stop(form: Form) -> None:
    """Orders in flight when the stop comes arrive after the cancel and the question that overtook them."""
    async with open_stage(tiny(form)) as stage:
        stage.exchange.faults.arm(FrameFault("reorder", "in", match=f'"{WORDS[form].first}"'))
        cell = stage.cell(form.settings())
        after_proof: list[int] = []

        async def look_on() -> None:
            await trio.sleep(1.5)
            after_proof.append(len(resting(stage)))

        cell.before_leaving = look_on
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await something_in_flight(cell)
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed
        assert after_proof == [0]


async def answers_lost(form: Form) -> int:
    """Two orders rest, neither answer nor notice tells: how many answers were swallowed."""
    settings = form.settings()
    settings.venue.request_timeout_s = 0.5
    async with open_stage(tiny(form, frozen=True)) as stage:
        faults = stage.exchange.faults
        faults.swallow_answer(WORDS[form].first, 2)
        faults.arm(FrameFault("drop", "out", match=f'"channel":"{WORDS[form].news}'))
        cell = stage.cell(settings)
        with trio.move_on_after(6):
            await cell.run()
        assert most_in_one_place(stage) == 1
        assert cell.proof.confirmed
        assert resting(stage) == {}
        return faults.struck["swallow"]


def most_in_one_place(stage: Stage) -> int:
    """The most orders of ours that ever rested beside one another, on one side of one instrument."""
    replay, most = FloorReplay(ACCOUNT), 0
    for row in stage.exchange.ledger.records:
        replay.take(row)
        places = Counter((order.instrument, order.side) for order in replay.resting.values())
        most = max(most, *places.values(), 0)
    return most


async def cancels_refused(form: Form) -> int:
    """Two orders are pulled and the venue will not, and the table never holds less than rests: how often it refused."""
    async with open_stage(tiny(form, frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(form.settings())
        nursery.start_soon(cell.run)
        await trio.sleep(5)
        name = next(iter(cell.instruments))
        assert len(stage.exchange.engine.open_orders(ACCOUNT, name)) == 2
        stage.exchange.faults.refuse(WORDS[form].cancel, WORDS[form].refusal, "refused on purpose", 2)
        cell.desk.pull(name, "for the test")
        for _ in range(100):
            await trio.sleep(0.01)
            rests = Counter[Side]()
            for order in stage.exchange.engine.open_orders(ACCOUNT, name):
                rests[order.side] += order.amount - order.filled
            assert all(cell.orders.worst(name, side) >= rests[side] for side in Side)
        nursery.cancel_scope.cancel()
    return stage.exchange.faults.struck["refuse"]


async def killed_while_in_flight(form: Form) -> Stage:
    """The guard asks while packets of a killed cell are still under way, and believes only a later answer."""
    scene = draw_scene(3, (), form.venue)
    if form.mode:
        scene.cell.quoting.quote_mode = form.mode
    async with open_stage(tiny(form)) as stage:
        company = Company(stage, scene, lambda text: None)
        company.scene = attrs.evolve(scene, lag_s=(0.3, 0.3))  # of the cell's cables; the guard's way stays quick
        async with trio.open_nursery() as nursery:
            nursery.start_soon(company.play)
            while company.life is None or not company.may_send:
                await trio.sleep(0.01)
            await something_in_flight(company.life.cell)
            await trio.sleep(0.05)
            company.stopping = True
            company.kill_all()
        assert [proof.who for proof in company.proofs] == ["the guard"]
        at_ns = company.proofs[0].at_ns
        await trio.sleep(3)
        ours = [row for row in stage.exchange.ledger.of("order") if row["account"] == ACCOUNT]
        assert [row for row in ours if row["t"] > at_ns] == []
        assert resting(stage) == {}
        return stage


async def wall_clock_ahead(form: Form) -> None:
    """Ours is two seconds ahead: what we send still dies at the venue within one."""
    async with open_stage(tiny(form)) as stage:
        stage.clock.jump_ns = 1_900_000_000
        cell = stage.cell(form.settings())
        with trio.move_on_after(10):
            await cell.run()
        sent = form.sent(stage)
        assert sent
        assert max(row["params"][WORDS[form].last_moment] - row["t"] // 1_000_000 for row in sent) <= 1000
