"""Room under `max_exposure` is held by what could be filled and by nothing else: it comes back, and is never given twice."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
import trio
from cell_kit import MASS, Form, Placed, in_every_form, quoting, resting, still

from actors import order_desk
from actors.cell import Cell
from actors.rehearsal.stage import open_stage
from actors.rehearsal.targets import TARGETS
from actors.trading.exposure import worst_position
from actors.trading.quotes import QuotePair, RiskApproved
from actors.trading.strategies import Inventory, View, Wish
from actors.venues.deribit.mass import MassQuotes
from actors.venues.paper.faults import FrameFault


class Quiet(Placed):
    """Wants nothing while `is_quiet`."""

    is_quiet = False

    def quote(self, view: View, inventory: Inventory) -> Wish:
        return Wish(None, None, "for the test") if self.is_quiet else super().quote(view, inventory)


class Uneven(Placed):
    """Moves the earlier instruments by more ticks than the later ones: they are the dearer to leave as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.up = 0

    def quote(self, view: View, inventory: Inventory) -> Wish:
        wish, instrument = super().quote(view, inventory), view.market.instrument
        assert wish.bid is not None
        assert wish.ask is not None
        moved = 5 * (len(self.marks) - list(self.marks).index(instrument.name)) * self.up * instrument.tick_float
        return Wish(wish.bid + moved, wish.ask + moved)


def worked_out(cell: Cell) -> int:
    """The worst case of all that is there now, in steps."""
    exposure = cell.risk.exposure
    names = cell.instruments.keys() | exposure.positions.keys()
    return sum(worst_position(exposure.position(name), *exposure.most(name)) for name in names)


def quoted(cell: Cell) -> set[str]:
    return {order.instrument for order in cell.orders.live()}


@in_every_form
async def test_after_a_reconnect_what_is_no_longer_quoted_takes_no_room(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Its orders are proven gone, and nobody will ever place or cancel there again to have it worked out anew."""
    async with still(form, Placed()) as (_, cell):
        name, before = next(iter(cell.instruments)), cell.risk.exposure.total
        cell.market.pictures[name].tradable = False
        cell.desk.link.drop("a reconnect")
        await trio.sleep(0.01)
        assert not cell.desk.may_send
        assert cell.risk.exposure.total == before
        await trio.sleep(60)
        assert cell.desk.may_send
        assert quoted(cell) == set(cell.instruments) - {name}
        assert cell.risk.exposure.total == worked_out(cell) == before - before // len(cell.instruments)


@in_every_form
async def test_after_a_reconnect_the_room_goes_to_whoever_is_nearest_the_money_now(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """There is room for two of six, and the market moves while the link is down: two others take it, and all of it."""
    settings = form.settings()
    limits, own = settings.cells[0].limits, settings.cells[0].quoting
    own.size, limits.max_position, limits.max_exposure = form.least, form.least, 2 * form.least
    own.max_index_age_s = 3600.0
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        await quoting(cell, 4)
        before = quoted(cell)
        stage.exchange.faults.arm(FrameFault("drop", "out", match=f'"channel":"{TARGETS[form.venue].index}', count=None))
        await trio.sleep(0.5)
        cell.market.index.price = max(instrument.strike for instrument in cell.instruments.values())
        cell.desk.link.drop("a reconnect")
        await trio.sleep(70)
        assert len(before) == len(quoted(cell)) == 2
        assert not before & quoted(cell)
        assert cell.risk.exposure.total == worked_out(cell) == cell.risk.exposure.max_exposure
        assert len(resting(stage)) == 4
        nursery.cancel_scope.cancel()


async def test_what_a_batch_has_gathered_takes_room_from_who_comes_next(autojump_clock: trio.testing.MockClock) -> None:
    """Two pairs wait for their mass quote and lose what was reserved for them; a third is approved: two may leave."""
    strategy = Quiet()
    async with still(MASS, strategy) as (stage, cell):
        exposure, pairs = cell.risk.exposure, [quoter.wish for quoter in cell.quoters.values()]
        strategy.is_quiet = True
        cell.crier.tell(cell.instruments)
        while resting(stage) or exposure.total:
            await trio.sleep(0.1)
        first, before = pairs[0], len(stage.exchange.ledger.records)
        assert first is not None
        assert first.bid is not None
        exposure.max_exposure = 2 * first.bid.amount
        for number, pair in enumerate(pairs[:3]):
            assert isinstance(pair, QuotePair)
            approved = cell.risk.review(msgspec.structs.replace(pair, decided_at=trio.current_time()))
            assert isinstance(approved, RiskApproved)
            cell.desk.want(approved)
            if number < 2:
                exposure.release(pair.instrument)
        await trio.sleep(0.5)
        (sent,) = MASS.sent(stage, before)
        assert len([name for name in cell.instruments if name in str(sent["params"])]) == 2


async def test_where_few_fit_into_a_mass_quote_nobody_starves(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is left out grows dearer until he is served, and is cheap again after that, like everywhere else."""
    monkeypatch.setattr(order_desk, "PATIENCE_PRICE", 1e4)
    strategy = Uneven()
    async with still(MASS, strategy) as (stage, cell):
        cell.crier.tell(cell.instruments)
        await trio.sleep(5)
        monkeypatch.setattr(MassQuotes, "most_instruments", 1)
        mass = cell.dialect.mass
        assert mass is not None
        cell.desk.quote_in_mass(mass)
        before = len(stage.exchange.ledger.records)
        for turn in range(300):
            strategy.up = turn % 2
            cell.crier.tell(cell.instruments)
            await trio.sleep(0.05)
        sent = MASS.sent(stage, before)
        served = Counter(name for row in sent for name in cell.instruments if name in str(row["params"]))
        assert len(sent) >= 20
        assert min(served[name] for name in cell.instruments) >= len(sent) // (2 * len(cell.instruments))
