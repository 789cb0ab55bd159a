"""What only a long run meets: a key that ends, a clock that drifts, expiries that pass, news of a time without a line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
import trio
from cell_kit import ACCOUNT, DERIVE, MASS, ORDERS, SIDES, Form, Placed, in_every_form, methods, quoting, resting

from actors.cell import REALLOT_S, Cell
from actors.market_data import RELIST_S
from actors.rehearsal.stage import START_NS, Stage, open_stage
from actors.reports import snapshot
from actors.status import health
from actors.trading.errors import NotGranted, leading_error
from actors.trading.instruments import OptionKind
from actors.trading.lives import SHORTEST_S
from actors.trading.strategies import Inventory, View, Wish
from actors.venues.deribit.names import option_name

AT_EIGHT_NS = START_NS + 23 * 3600 * 10**9
"""23 November 2026, 08:00 UTC: a daily ends."""
TWO_DAILIES = {"strikes": 3, "dailies": 2, "weeklies": 0, "monthlies": 0, "quarters": 0}
ONE_DAILY = TWO_DAILIES | {"dailies": 1}
on_either_venue = pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)


def before_eight(seconds: float) -> int:
    return AT_EIGHT_NS - round(seconds * 1e9)


def day_of(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y%m%d")


TODAY, TOMORROW = day_of(AT_EIGHT_NS), day_of(AT_EIGHT_NS + 86_400 * 10**9)


def quoted(cell: Cell) -> set[str]:
    return {order.instrument for order in cell.orders.live()}


def end_keys(stage: Stage, in_s: float) -> float:
    """Every session key ends then. When, in UTC seconds."""
    face: Any = stage.exchange.face
    end_s = int(stage.clock.now_s() + in_s)
    for wallet in face.wallets.by_address.values():
        for key in wallet.keys.values():
            key.expiry_s = end_s
    return float(end_s)


# -- the session key's end


@pytest.mark.parametrize("left_s", [SHORTEST_S + 60, SHORTEST_S - 60])
async def test_a_cell_whose_key_ends_leaves_with_a_proof(left_s: float, autojump_clock: trio.testing.MockClock) -> None:
    """Once the key has ended nothing can be cancelled or asked; and every order before that is refused (11011)."""
    async with open_stage(DERIVE.paper(frozen=True)) as stage:
        end_s, cell, failure = end_keys(stage, left_s), stage.cell(DERIVE.settings()), None
        with trio.move_on_after(left_s + 30):
            try:
                await cell.run()
            except BaseExceptionGroup as group:
                failure = leading_error(group)
        assert isinstance(failure, NotGranted)
        assert "the session key ends in minutes" in str(failure)
        assert cell.proof.confirmed
        assert stage.clock.now_s() < end_s - min(left_s, SHORTEST_S) + 10
        assert not resting(stage)
        assert sum(snapshot(cell).rejects.values()) <= (0 if left_s > SHORTEST_S else SIDES)  # each tried once at most


async def test_a_key_that_lives_long_enough_ends_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """A minute more than an order needs is a minute of quoting."""
    async with open_stage(DERIVE.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        end_keys(stage, SHORTEST_S + 90)
        cell = stage.cell(DERIVE.settings())
        nursery.start_soon(cell.run)
        await trio.sleep(60)
        assert len(resting(stage)) == SIDES
        nursery.cancel_scope.cancel()


# -- the clock


def drift(stage: Stage, by_s: float) -> None:
    stage.clock.jump_ns += round(by_s * 1e9)


@in_every_form
async def test_a_clock_that_falls_behind_pulls_everything_until_it_is_right(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Half a second at a time is no jump; yet old news look fresh, and signatures end before the venue takes them."""
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        settings = form.settings()
        bound_s, cell = settings.venue.max_clock_skew_s, stage.cell(settings)
        nursery.start_soon(cell.run)
        await quoting(cell)
        for _ in range(round(2 * bound_s) - 1):
            drift(stage, -0.5)
            await trio.sleep(2)
        assert not cell.risk.halts
        assert len(resting(stage)) == SIDES
        for _ in range(3):
            drift(stage, -0.5)
            await trio.sleep(2)
        assert set(cell.risk.halts) == {"clock"}
        assert "clock is behind" in str(health([snapshot(cell)], 1, True).problems)
        assert not resting(stage)
        seen = len(stage.exchange.ledger.records)
        await trio.sleep(300)
        assert not form.sent(stage, seen)
        for _ in range(round(2 * bound_s) + 2):
            drift(stage, 0.5)
            await trio.sleep(1)
        with trio.fail_after(60):
            await quoting(cell)
        assert not cell.risk.halts
        nursery.cancel_scope.cancel()


# -- what has ended


@on_either_venue
async def test_what_has_ended_leaves_its_room_to_the_others(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """There is room for six of twelve; once the nearest have ended, the others need not wait for the money to move."""
    async with (
        open_stage(form.paper(frozen=True, world=TWO_DAILIES), start_ns=before_eight(420)) as stage,
        trio.open_nursery() as nursery,
    ):
        settings = form.settings(expiries=[TODAY, TOMORROW])
        settings.cells[0].limits.max_position = form.least
        settings.cells[0].limits.max_exposure = 6 * form.least
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        await trio.sleep(20)
        assert (len(cell.instruments), len(cell.no_room)) == (12, 6)
        waiting = {name for name, one in cell.instruments.items() if one.expiry_s > AT_EIGHT_NS / 1e9} & set(cell.no_room)
        assert waiting
        with trio.fail_after(420):
            while len(cell.ended) < 6:
                await trio.sleep(0.1)
        await trio.sleep(REALLOT_S + 10)
        assert not cell.no_room.keys() & waiting
        assert quoted(cell) == cell.instruments.keys() - cell.ended.keys()
        nursery.cancel_scope.cancel()


async def test_what_has_ended_leaves_its_renewals_to_the_others(autojump_clock: trio.testing.MockClock) -> None:
    """A trader has one order a second: two expiries are too many to be kept alive, one is not."""
    world = TWO_DAILIES | {"strikes": 9}
    async with (
        open_stage(DERIVE.paper(frozen=True, world=world, tier="trader"), start_ns=before_eight(480)) as stage,
        trio.open_nursery() as nursery,
    ):
        settings = DERIVE.settings(expiries=[TODAY, TOMORROW])
        settings.cells[0].quoting.order_life_s = SHORTEST_S
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        await trio.sleep(60)
        assert len(cell.instruments) == 36
        assert cell.no_room
        assert all("renewals" in why for why in cell.no_room.values())
        with trio.fail_after(480):
            while len(cell.ended) < 18:
                await trio.sleep(0.1)
        await trio.sleep(REALLOT_S + 60)
        assert not cell.no_room
        assert quoted(cell) == cell.instruments.keys() - cell.ended.keys()
        nursery.cancel_scope.cancel()


async def test_what_has_ended_makes_the_lives_of_the_others_no_longer(autojump_clock: trio.testing.MockClock) -> None:
    """Renewals of a trader's seventy-two orders fit into longer lives only; half as many may die sooner, and should."""
    world = TWO_DAILIES | {"strikes": 9}
    async with (
        open_stage(DERIVE.paper(frozen=True, world=world, tier="trader"), start_ns=before_eight(400)) as stage,
        trio.open_nursery() as nursery,
    ):
        cell = stage.cell(DERIVE.settings(expiries=[TODAY, TOMORROW]))
        nursery.start_soon(cell.run)
        await trio.sleep(5)
        assert not cell.ended
        assert cell.desk.life_s > SHORTEST_S
        with trio.fail_after(400):
            while len(cell.ended) < 18:
                await trio.sleep(0.1)
        await trio.sleep(REALLOT_S + 5)
        assert cell.desk.life_s == SHORTEST_S
        nursery.cancel_scope.cancel()


class Crashing(Placed):
    """Cannot quote what is in `bad`."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: set[str] = set()

    def quote(self, view: View, inventory: Inventory) -> Wish:
        if view.market.instrument.name in self.bad:
            raise ArithmeticError("for the test")
        return super().quote(view, inventory)


@in_every_form
async def test_what_is_quarantined_leaves_its_room_to_the_others(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """Nobody comes back from there in this life of the cell, and its room is not kept for it."""
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        settings = form.settings()
        settings.cells[0].limits.max_position = form.least
        settings.cells[0].limits.max_exposure = 4 * form.least
        settings.supervision.quoter_max_restarts = 0
        cell, strategy = stage.cell(settings), Crashing()
        cell.strategy = strategy
        nursery.start_soon(cell.run)
        await quoting(cell, 8)
        waiting = set(cell.no_room)
        assert len(waiting) == 2
        strategy.bad = set(sorted(quoted(cell))[:2])
        await trio.sleep(REALLOT_S + 20)
        assert cell.quarantined.keys() == strategy.bad
        assert not cell.no_room
        assert quoted(cell) == cell.instruments.keys() - strategy.bad
        assert snapshot(cell).sides_wanted == 8
        nursery.cancel_scope.cancel()


@on_either_venue
async def test_who_watches_is_told_when_everything_has_ended(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """A cell does not move on to another expiry, and one that quotes nothing is not healthy."""
    async with (
        open_stage(form.paper(frozen=True, world=ONE_DAILY), start_ns=before_eight(420)) as stage,
        trio.open_nursery() as nursery,
    ):
        cell = stage.cell(form.settings(expiries=[TODAY]))
        nursery.start_soon(cell.run)
        await trio.sleep(20)
        assert snapshot(cell).sides_wanted
        assert not health([snapshot(cell)], 1, True).problems
        await trio.sleep(420)
        seen = snapshot(cell)
        assert cell.ended.keys() == cell.instruments.keys()
        assert not resting(stage)
        assert (seen.instruments_quoted, seen.sides_wanted) == (0, 0)
        said = "cell0: all its instruments have ended: nothing is quoted any more"
        assert said in health([seen], 1, True).problems
        nursery.cancel_scope.cancel()


# -- what happened while a line was down


def list_above(stage: Stage, cell: Cell) -> list[str]:
    """A call and a put of a new strike: their names."""
    model = max(cell.instruments.values(), key=lambda one: one.strike)
    names = []
    for kind in OptionKind:
        name = option_name(model.underlying, model.expiry_s, model.strike + 50, kind)
        stage.exchange.engine.list_instrument(attrs.evolve(model, name=name, strike=model.strike + 50, kind=kind))
        names.append(name)
    stage.exchange.tell()
    return names


async def test_strikes_announced_while_the_market_data_was_away_join(autojump_clock: trio.testing.MockClock) -> None:
    """Deribit announces each once. The listing is asked for after a reconnect, and never while the line holds."""
    listing = "public/get_instruments"
    async with open_stage(ORDERS.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(ORDERS.settings())
        nursery.start_soon(cell.run)
        await quoting(cell)
        seen = len(stage.exchange.ledger.records)
        await trio.sleep(4 * RELIST_S)
        assert methods(stage, seen)[listing] == 0
        stage.open_door = False
        cell.market.link.drop("pulled by the test")
        await trio.sleep(1)
        new = list_above(stage, cell)
        await trio.sleep(1)
        stage.open_door = True
        with trio.fail_after(10):
            while not cell.market.link.is_up:
                await trio.sleep(0.1)
        await trio.sleep(RELIST_S + 10)
        assert all(name in cell.quoters and cell.market.pictures[name].book for name in new)
        await trio.sleep(4 * RELIST_S)
        assert methods(stage, seen)[listing] == 1
        nursery.cancel_scope.cancel()


def give(stage: Stage, name: str, steps: int) -> None:
    """The account holds that many of it, from the beginning."""
    engine = stage.exchange.engine
    listing = engine.listings[name]
    engine.account(ACCOUNT).position_for(name, listing.valuer, stage.exchange.clock_ns()).amount = steps


@pytest.mark.parametrize("form", [DERIVE, ORDERS, MASS], ids=str)
@pytest.mark.parametrize("is_settled", [True, False], ids=["settled", "changed by another hand"])
async def test_a_settlement_while_the_line_is_down_is_no_alarm(
    form: Form, is_settled: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """What has expired is gone by right; what is missing of anything else is not."""
    async with (
        open_stage(form.paper(frozen=True, world=TWO_DAILIES), start_ns=before_eight(100)) as stage,
        trio.open_nursery() as nursery,
    ):
        listings, eight_s = stage.exchange.engine.listings, AT_EIGHT_NS // 10**9
        ended, lives = (
            next(name for name, one in listings.items() if one.instrument.kind and one.instrument.expiry_s == expiry_s)
            for expiry_s in (eight_s, eight_s + 86_400)
        )
        give(stage, ended, 3)
        give(stage, lives, 3)
        cell = stage.cell(form.settings(expiries=[TODAY, TOMORROW]))
        nursery.start_soon(cell.run)
        await quoting(cell)
        assert (cell.risk.exposure.position(ended), cell.risk.exposure.position(lives)) == (3, 3)
        stage.open_door = False
        cell.desk.link.drop("pulled by the test")
        await trio.sleep(1)
        if not is_settled:
            give(stage, lives, 0)
        await trio.sleep(120)
        stage.open_door = True
        await trio.sleep(60)
        assert cell.desk.may_send
        assert cell.risk.exposure.position(ended) == 0
        assert cell.risk.exposure.position(lives) == (3 if is_settled else 0)
        assert cell.truth.alarms == (0 if is_settled else 1)
        nursery.cancel_scope.cancel()
