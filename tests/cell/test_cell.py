"""Whole cells against the paper exchange over memory streams, on a virtual clock: what the exchange saw, in order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import trio

from actors.cell import Cell
from actors.mailboxes import Doorbell
from actors.rehearsal.stage import START_NS, Stage, open_stage, paper_settings
from actors.trading.strategies import Inventory, View, Wish
from actors.venues.paper.run import PaperRun

SMALL = {"strikes": 3, "dailies": 0, "weeklies": 0}


def small_paper(**changes: Any) -> PaperRun:
    return PaperRun(**{"seed": 5, "keep_records": True, "world": SMALL, **changes})


def order_requests(stage: Stage) -> list[dict[str, Any]]:
    """Every request of ours that could place or move an order, as the exchange got it."""
    methods = ("private/order", "private/replace")
    return [row for row in stage.exchange.ledger.records if row["kind"] == "request" and row["method"] in methods]


def methods_after(stage: Stage, count: int) -> list[str]:
    rows = stage.exchange.ledger.records[count:]
    return [row["method"] for row in rows if row["kind"] == "request"]


def resting(stage: Stage, label: str = "sm-main-") -> dict[str, dict[str, Any]]:
    """By order id, from the ledger's own order rows."""
    orders: dict[str, dict[str, Any]] = {}
    for row in stage.exchange.ledger.records:
        if row["kind"] == "order" and row["label"].startswith(label):
            orders[row["order_id"]] = row
    return {key: row for key, row in orders.items() if row["status"] == "open"}


async def quoting(cell: Cell, sides: int) -> None:
    """Until so many of the cell's orders rest."""
    while sum(1 for _ in cell.orders.live()) < sides or any(cell.orders.in_flight(n) for n in cell.instruments):
        await trio.sleep(0.05)


async def test_a_newcomer_sees_every_strike_quoted_and_nothing_left(autojump_clock: trio.testing.MockClock) -> None:
    """Both sides of each call and put within seconds; after the end the venue says none, and so does its ledger."""
    async with open_stage(small_paper()) as stage:
        cell = stage.cell(paper_settings())
        with trio.move_on_after(20):
            await cell.run()
        assert len(cell.quoted_ever) == 6
        assert cell.clerk.figures.requests["place"] >= 12
        assert cell.proof.confirmed
        assert resting(stage) == {}


async def test_shutdown_cancels_by_label_then_asks_until_none_and_only_then_hangs_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The order of death: quoters, the bulk cancel, the question after the last possible arrival, the sockets."""
    async with open_stage(small_paper(frozen=True)) as stage:
        cell = stage.cell(paper_settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            seen = len(stage.exchange.ledger.records)
            nursery.cancel_scope.cancel()
        tail = methods_after(stage, seen)
        sweeps = tail[: max(i for i, method in enumerate(tail) if method == "private/get_open_orders") + 1]
        assert sweeps[0] == "private/cancel_by_label"
        assert set(sweeps) == {"private/cancel_by_label", "private/get_open_orders"}
        assert not {"private/order", "private/replace"} & set(tail)
        rows = stage.exchange.ledger.records
        questions = [i for i, row in enumerate(rows) if row.get("method") == "private/get_open_orders"]
        assert min(i for i, row in enumerate(rows) if row["kind"] == "close") > max(questions)
        assert cell.proof.confirmed


async def test_without_a_living_guard_no_order_is_sent(autojump_clock: trio.testing.MockClock) -> None:
    """None before the first word of one, none once it is gone, and again when there is one."""
    async with open_stage(small_paper()) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(paper_settings(), guarded=True)
        nursery.start_soon(cell.run)
        await trio.sleep(5)
        assert cell.orders.trades_seen == len(order_requests(stage)) == 0
        cell.desk.unblock("guard")
        await quoting(cell, 12)
        cell.desk.block("guard", "no guard: nothing new is sent")
        sent = len(order_requests(stage))
        await trio.sleep(10)
        assert len(order_requests(stage)) == sent >= 12
        cell.desk.unblock("guard")
        await trio.sleep(10)
        assert len(order_requests(stage)) > sent
        nursery.cancel_scope.cancel()


async def test_a_market_that_stands_still_is_left_alone(autojump_clock: trio.testing.MockClock) -> None:
    """No self-improvement, no no-op requotes: once quoted, a frozen market draws no order request at all."""
    async with open_stage(small_paper(frozen=True)) as stage:
        cell = stage.cell(paper_settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            await trio.sleep(5)
            before = len(order_requests(stage))
            await trio.sleep(60)
            assert len(order_requests(stage)) == before
            nursery.cancel_scope.cancel()


async def test_orders_are_renewed_before_their_signatures_end(autojump_clock: trio.testing.MockClock) -> None:
    """In a frozen market the only requests are renewals, spread out, and no order ever expires."""
    settings = paper_settings()
    settings.cells[0].quoting.order_life_s = 320.0
    async with open_stage(small_paper(frozen=True)) as stage:
        cell = stage.cell(settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
            await trio.sleep(5)
            before = len(order_requests(stage))
            await trio.sleep(330)
            renewals = order_requests(stage)[before:]
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


@pytest.mark.parametrize("crashes", [1, 10])
async def test_a_crashed_quoter_is_restarted_alone_its_orders_cancelled_first(
    autojump_clock: trio.testing.MockClock, crashes: int
) -> None:
    """Neighbours' orders stay untouched; too many crashes quarantine the one instrument, and the others go on."""
    async with open_stage(small_paper(frozen=True)) as stage:
        cell = stage.cell(paper_settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await quoting(cell, 12)
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




async def test_room_follows_the_money_and_an_instrument_ends_in_time(autojump_clock: trio.testing.MockClock) -> None:
    """With room for two of six the nearest are quoted; near expiry every quoter ends normally and nothing rests."""
    settings = paper_settings(expiries=["20261123"])
    settings.cells[0].limits.max_exposure = 0.2
    settings.cells[0].quoting.stop_before_expiry_s = 3600.0
    paper = small_paper(world={**SMALL, "dailies": 1}, frozen=True)
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
