"""Whole cells against the paper exchange over memory streams, on a virtual clock: what the exchange saw, in order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import trio
from cell_kit import DERIVE, SIDES, SMALL, Form, in_every_form, in_order, quote_and_vanish, quoting, resting

from actors.mailboxes import Doorbell
from actors.rehearsal.stage import START_NS, open_stage
from actors.rehearsal.targets import TARGETS
from actors.trading.strategies import Inventory, View, Wish
from actors.venues.paper.faults import FrameFault


@in_every_form
async def test_a_newcomer_sees_every_strike_quoted_and_nothing_left(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Both sides of each call and put within seconds; after the end the venue says none, and so does its ledger."""
    async with open_stage(form.paper()) as stage:
        cell = stage.cell(form.settings())
        with trio.move_on_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cell.run)
                await quoting(cell)
                assert len(resting(stage)) == SIDES
        assert len(cell.quoted_ever) == 6
        assert form.sent(stage)
        assert (cell.market.malformed, cell.truth.alarms) == (0, 0)
        assert cell.proof.confirmed
        assert resting(stage) == {}


@in_every_form
async def test_a_stop_pulls_then_asks_until_none_and_only_then_hangs_up(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """The order of death: quoters, what pulls the run, the question after the last possible arrival, the sockets."""
    async with open_stage(form.paper(frozen=True)) as stage:
        cell = stage.cell(form.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            seen = len(stage.exchange.ledger.records)
            nursery.cancel_scope.cancel()
        tail = in_order(stage, seen)
        sweeps = tail[: max(i for i, method in enumerate(tail) if method == form.question) + 1]
        assert form.pulls & set(sweeps)
        assert set(sweeps) <= {*form.pulls, form.question}
        assert form.sent(stage, seen) == []
        rows = stage.exchange.ledger.records
        questions = [i for i, row in enumerate(rows) if row.get("method") == form.question]
        ends = [i for i, row in enumerate(rows) if row["kind"] == "order" and row["status"] == "cancelled"]
        assert max(ends) < max(questions)
        assert min(i for i, row in enumerate(rows) if row["kind"] == "close") > max(questions)
        assert cell.proof.confirmed


@in_every_form
async def test_quotes_are_pulled_while_the_books_are_silent(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """The link lives, the index comes, the books do not: past their age nothing rests and nothing is sent."""
    async with open_stage(form.paper()) as stage, trio.open_nursery() as nursery:
        settings = form.settings()
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        await quoting(cell)
        silence = [FrameFault("drop", "out", match=f'"channel":"{channel}') for channel in TARGETS[form.venue].book]
        stage.exchange.faults.arm(*silence)
        await trio.sleep(settings.cells[0].quoting.max_book_age_s + 1.5)
        seen = len(stage.exchange.ledger.records)
        assert resting(stage) == {}
        await trio.sleep(10)
        assert form.sent(stage, seen) == []
        for fault in silence:
            fault.count = 0
        await quoting(cell)
        nursery.cancel_scope.cancel()


@in_every_form
async def test_without_a_living_guard_no_order_is_sent(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """None before the first word of one, none once it is gone, and again when there is one."""
    async with open_stage(form.paper()) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(form.settings(), guarded=True)
        nursery.start_soon(cell.run)
        await trio.sleep(5)
        assert cell.market.pictures
        assert form.sent(stage) == []
        cell.desk.unblock("guard")
        await quoting(cell)
        cell.desk.block("guard", "no guard: nothing new is sent")
        seen = len(stage.exchange.ledger.records)
        await trio.sleep(10)
        assert form.sent(stage, seen) == []
        cell.desk.unblock("guard")
        await trio.sleep(10)
        assert form.sent(stage, seen)
        nursery.cancel_scope.cancel()


@in_every_form
async def test_a_market_that_stands_still_is_left_alone(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """No self-improvement, no no-op requotes, priority survives: a frozen market draws no order request at all."""
    async with open_stage(form.paper(frozen=True)) as stage:
        cell = stage.cell(form.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            await trio.sleep(5)
            before = len(stage.exchange.ledger.records)
            await trio.sleep(60)
            assert form.sent(stage, before) == []
            nursery.cancel_scope.cancel()


@in_every_form
async def test_what_an_earlier_run_left_is_pulled_before_the_first_quote(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """A run whose network went away leaves orders; its successor asks, pulls, knows its position, and only then quotes."""
    settings = form.settings()
    settings.supervision.stop_timeout_s = 2.0
    async with open_stage(form.paper(world={**SMALL, "taker_rate_per_s": 2.0})) as stage:
        first = stage.cell(settings)

        async def filled() -> None:
            while not first.clerk.figures.fills:
                await trio.sleep(0.5)
            await quoting(first, 8)

        left = await quote_and_vanish(stage, first, filled)
        assert len(left) >= 8
        stage.open_door = True
        seen = len(stage.exchange.ledger.records)
        second = stage.cell(settings, run="r2")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(second.run)
            while not form.sent(stage, seen):
                await trio.sleep(0.01)
            pulled = {row["order_id"] for row in stage.exchange.ledger.records[seen:] if row["kind"] == "order"}
            asked = in_order(stage, seen)
            first_order = min(asked.index(method) for method in form.ordering if method in asked)
            assert left <= pulled
            assert not left & set(resting(stage))
            assert {form.question, "private/get_positions"} <= set(asked[:first_order])
            await quoting(second, 8)
            held = {name: steps for name, steps in second.risk.exposure.positions.items() if steps}
            nursery.cancel_scope.cancel()
        engine = stage.exchange.engine
        assert held
        assert second.truth.alarms == 0
        assert second.proof.confirmed
        positions = engine.accounts[30_001].positions
        after = {name: steps for name, steps in second.risk.exposure.positions.items() if steps}
        assert after == {name: held.amount for name, held in positions.items() if held.amount}


async def test_orders_are_renewed_before_their_signatures_end(autojump_clock: trio.testing.MockClock) -> None:
    """In a frozen market the only requests are renewals, spread out, and no order ever expires."""
    settings = DERIVE.settings()
    settings.cells[0].quoting.order_life_s = 320.0
    async with open_stage(DERIVE.paper(frozen=True)) as stage:
        cell = stage.cell(settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            await trio.sleep(5)
            before = len(stage.exchange.ledger.records)
            await trio.sleep(330)
            renewals = DERIVE.sent(stage, before)
            nursery.cancel_scope.cancel()
        rows = [r for r in stage.exchange.ledger.records if r["kind"] == "order"]
        assert {row["method"] for row in renewals} == {"private/replace"}
        assert 12 <= len(renewals) <= 24
        assert len({row["t"] // 1_000_000_000 for row in renewals}) > 3
        assert Counter(r["status"] for r in rows if r["label"].startswith("sm-"))["expired"] == 0


class Exploding:
    """A strategy that crashes on one instrument, so many times."""

    uses_book = True
    needs_surface = False

    def __init__(self, inner: Any, name: str, crashes: int) -> None:
        self.inner, self.name, self.crashes = inner, name, crashes
        self.armed = False

    def quote(self, view: View, inventory: Inventory) -> Wish:
        if self.armed and self.crashes and view.market.instrument.name == self.name:
            self.crashes -= 1
            raise RuntimeError("a hook in the test")
        wish: Wish = self.inner.quote(view, inventory)
        return wish


@in_every_form
@pytest.mark.parametrize("crashes", [1, 10])
async def test_a_crashed_quoter_is_restarted_alone_its_orders_cancelled_first(
    form: Form, crashes: int, autojump_clock: trio.testing.MockClock
) -> None:
    """Neighbours' orders stay untouched; too many crashes quarantine the one instrument, and the others go on."""
    async with open_stage(form.paper(frozen=True)) as stage:
        cell = stage.cell(form.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell)
            await trio.sleep(2)
            victim = next(iter(cell.instruments))
            others = {key for key, row in resting(stage).items() if row["instrument"] != victim}
            bomb = Exploding(cell.strategy, victim, crashes)
            cell.strategy = bomb
            for quoter in cell.quoters.values():
                quoter.strategy = bomb
            bomb.armed = True
            cell.market.pictures[victim].bell.ring()
            await trio.sleep(90)
            assert cell.restarts == min(crashes, 5)
            assert (victim in cell.quarantined) == (crashes > 5)
            now = resting(stage)
            assert others <= set(now)
            mine = [row for row in now.values() if row["instrument"] == victim]
            assert len(mine) == (0 if crashes > 5 else 2)
            nursery.cancel_scope.cancel()


async def test_two_rings_are_one_and_a_ring_before_the_wait_is_not_lost() -> None:
    """Latest wins: the doorbell says that there is news, not how much."""
    bell = Doorbell()
    bell.ring()
    bell.ring()
    await bell.wait()
    with trio.move_on_after(0) as scope:
        await bell.wait()
    assert scope.cancelled_caught


@in_every_form
async def test_room_follows_the_money_and_an_instrument_ends_in_time(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """With room for two of six the nearest are quoted; near expiry every quoter ends normally and nothing rests."""
    settings = form.settings(expiries=["20261123"])
    settings.cells[0].limits.max_exposure = 2 * form.least
    settings.cells[0].quoting.stop_before_expiry_s = 3600.0
    paper = form.paper(world={**SMALL, "dailies": 1}, frozen=True)
    async with open_stage(paper, start_ns=START_NS + (21 * 60 + 56) * 60 * 10**9) as stage:
        cell = stage.cell(settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 4)
            assert len({row["instrument"] for row in resting(stage).values()}) == 2
            assert len(cell.no_room) == 4
            with trio.fail_after(3 * 3600):
                while len(cell.ended) < 6:
                    await trio.sleep(5)
            assert resting(stage) == {}
            nursery.cancel_scope.cancel()
        assert cell.restarts == 0


@in_every_form
async def test_a_clock_that_steps_back_counts_no_fill_of_before_our_time(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Fills of an earlier run are in the positions read at the start: asking from further back must not add them again."""
    async with open_stage(form.paper(world={**SMALL, "taker_rate_per_s": 2.0})) as stage:
        first = stage.cell(form.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.run)
            while not first.clerk.figures.fills:
                await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
        await trio.sleep(65)
        second = stage.cell(form.settings(), run="r2", guarded=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(second.run)
            await trio.sleep(3)
            stage.clock.jump_ns -= 20 * 10**9
            await trio.sleep(40)
            held = {name: steps for name, steps in second.risk.exposure.positions.items() if steps}
            nursery.cancel_scope.cancel()
        positions = stage.exchange.engine.accounts[30_001].positions
        assert held == {name: each.amount for name, each in positions.items() if each.amount}
        assert second.clerk.figures.fills == second.truth.alarms == 0
