"""Instruments that come, close, open again and expire while a cell runs, and what that costs in requests."""

from __future__ import annotations

import attrs
import trio
from cell_kit import DERIVE, ORDERS, Form, methods, on_deribit, quoting

from actors.rehearsal.stage import START_NS, Stage, open_stage
from actors.trading.instruments import Instrument, OptionKind
from actors.venues.deribit.names import option_name
from actors.venues.paper.events import InstrumentState
from actors.venues.paper.faults import FrameFault


def list_above(stage: Stage, highest: Instrument, strikes: int) -> list[str]:
    """New calls and puts above the highest strike, listed at once: their names."""
    names = []
    for number in range(1, strikes + 1):
        strike = highest.strike + 50 * number
        for kind in OptionKind:
            name = option_name(highest.underlying, highest.expiry_s, strike, kind)
            stage.exchange.engine.list_instrument(attrs.evolve(highest, name=name, strike=strike, kind=kind))
            names.append(name)
    stage.exchange.tell()
    return names


async def test_many_new_strikes_are_joined_in_one_request(autojump_clock: trio.testing.MockClock) -> None:
    """Deribit lets ten such requests through at once: one each would end in a refusal, and the books of all others."""
    async with open_stage(ORDERS.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(ORDERS.settings())
        nursery.start_soon(cell.run)
        await quoting(cell)
        seen, epoch = len(stage.exchange.ledger.records), cell.market.link.epoch
        new = list_above(stage, max(cell.instruments.values(), key=lambda one: one.strike), 12)
        with trio.fail_after(30):
            while not all(name in cell.quoters and cell.market.pictures[name].book for name in new):
                await trio.sleep(0.1)
        assert methods(stage, seen)["public/subscribe"] == 1
        assert cell.market.link.epoch == epoch
        nursery.cancel_scope.cancel()


async def test_what_opens_again_while_the_market_data_is_away_is_quoted_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nobody tells that it has opened: its first ticker says that it is."""
    async with open_stage(ORDERS.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell, engine = stage.cell(ORDERS.settings()), stage.exchange.engine
        nursery.start_soon(cell.run)
        await quoting(cell)
        name = next(iter(cell.instruments))
        engine.set_state(name, InstrumentState.LOCKED)
        stage.exchange.tell()
        await trio.sleep(0.02)  # its state has been told, and no ticker since that would
        assert not cell.market.pictures[name].tradable
        stage.open_door = False
        cell.market.link.drop("pulled by the test")
        await trio.sleep(1)
        engine.set_state(name, InstrumentState.OPEN)
        stage.exchange.tell()
        stage.open_door = True
        with trio.fail_after(60):
            await quoting(cell)
        nursery.cancel_scope.cancel()


@on_deribit
async def test_what_closed_while_the_market_data_was_away_is_not_quoted(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Its book alone does not say it: nothing is quoted before a ticker has come, whatever the last one said."""
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell, engine = stage.cell(form.settings()), stage.exchange.engine
        nursery.start_soon(cell.run)
        await quoting(cell)
        name = next(iter(cell.instruments))
        stage.open_door = False
        cell.market.link.drop("pulled by the test")
        await trio.sleep(1)
        engine.set_state(name, InstrumentState.LOCKED)
        stage.exchange.tell()
        stage.exchange.faults.arm(FrameFault("drop", "out", match=f'"channel":"ticker.{name}', count=None))
        seen = len(stage.exchange.ledger.records)
        stage.open_door = True
        await trio.sleep(30)
        assert form.sent(stage, seen)
        assert not [row for row in form.sent(stage, seen) if name in str(row["params"])]
        nursery.cancel_scope.cancel()


async def test_after_an_expiry_the_market_data_link_comes_up_again(autojump_clock: trio.testing.MockClock) -> None:
    """What has expired is not joined again: the venue does not know it any more, and a trader has 25 questions in 5 s."""
    world = {"strikes": 27, "dailies": 2, "weeklies": 0, "monthlies": 1, "quarters": 0}
    start_ns = START_NS + (22 * 3600 + 58 * 60 + 30) * 10**9
    async with open_stage(DERIVE.paper(frozen=True, world=world, tier="trader"), start_ns=start_ns) as stage:
        settings = DERIVE.settings(expiries=stage.facts["expiries"][:2], all_strikes=True)
        cell, listings = stage.cell(settings, guarded=True), stage.exchange.engine.listings
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await trio.sleep(100)
            gone = [name for name in cell.instruments if listings[name].state is InstrumentState.DELIVERED]
            assert (len(cell.instruments), len(gone)) == (108, 54)
            seen = len(stage.exchange.ledger.records)
            cell.market.link.drop("pulled by the test")
            with trio.fail_after(30):
                while not cell.market.link.is_up:
                    await trio.sleep(0.1)
            asked = [row for row in stage.exchange.ledger.records[seen:] if row["kind"] == "request"]
            joins = [row["params"] for row in asked if row["method"] == "subscribe"]
            assert len(joins) == 3
            assert not [name for name in gone if name in str(joins)]
            nursery.cancel_scope.cancel()
