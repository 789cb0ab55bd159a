"""What the account does beside us: hedges in the perpetual, settlements of what is not ours, stops put on by hand."""

from __future__ import annotations

import msgspec
import pytest
import trio
from cell_kit import ACCOUNT, DERIVE, ORDERS, SIDES, Form, Placed, in_every_form, quoting, resting, still

from actors.cell import Cell
from actors.rehearsal.stage import Stage, open_stage
from actors.trading.instruments import ASK, BID, Side
from actors.venues.dialect import SettledPrice

HEDGED = -20_000
"""Steps of the perpetual: twenty coins on Derive, as many thousand dollars on Deribit, both far above the limits."""


def hedge(stage: Stage) -> str:
    """The operator is short in the perpetual. Its name."""
    engine = stage.exchange.engine
    (perp, *_) = [listing for listing in engine.live_listings() if listing.instrument.kind is None]
    engine.account(ACCOUNT).position_for(perp.name, perp.valuer, stage.exchange.clock_ns()).amount = HEDGED
    return perp.name


@pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)
async def test_a_hedge_in_the_perpetual_takes_no_room_from_the_options(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Its steps are of another size than theirs; counted among them, nothing would ever be quoted."""
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        perp, cell = hedge(stage), stage.cell(form.settings())
        nursery.start_soon(cell.run)
        with trio.fail_after(60):
            await quoting(cell)
        assert len(resting(stage)) == SIDES
        assert abs(HEDGED) > cell.risk.exposure.max_exposure
        assert perp not in cell.risk.exposure.positions
        total = cell.risk.exposure.total
        cell.desk.link.drop("a reconnect")
        await trio.sleep(60)
        assert len(resting(stage)) == SIDES
        assert perp not in cell.risk.exposure.positions
        assert cell.risk.exposure.total == total
        assert cell.truth.alarms == 0
        nursery.cancel_scope.cancel()


@in_every_form
async def test_a_settlement_of_what_the_cell_does_not_quote_leaves_no_position_behind(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Venues tell of every option of the account, another cell's too; of one of ours the position is gone."""
    async with still(form, Placed()) as (_, cell):
        exposure, name = cell.risk.exposure, next(iter(cell.instruments))
        exposure.set_position(name, 3)
        before = set(exposure.positions)
        cell.clerk.take(SettledPrice("ETH-19991231-100-C", 5))
        cell.clerk.take(SettledPrice(name, 3))
        await trio.sleep(0.1)
        assert set(exposure.positions) == before
        assert exposure.position(name) == 0


def stop_loss(cell: Cell, name: str) -> None:
    """The operator sells if the mark falls: the notice of it, as Deribit words it."""
    now_ms = cell.clock.now_ms()
    row = {
        "order_id": "SLTS-1",
        "order_state": "untriggered",
        "order_type": "stop_market",
        "instrument_name": name,
        "direction": "sell",
        "price": "market_price",
        "amount": 1.0,
        "filled_amount": 0.0,
        "average_price": 0.0,
        "label": "",
        "trigger": "mark_price",
        "trigger_price": 0.01,
        "time_in_force": "good_til_cancelled",
        "creation_timestamp": now_ms,
        "last_update_timestamp": now_ms,
    }
    data = msgspec.Raw(msgspec.json.encode({"instrument_name": name, "orders": [row], "trades": [], "positions": []}))
    for news in cell.dialect.decode_notice("subscription", "user.changes.option.ETH.raw", data):
        cell.clerk.take(news)


@pytest.mark.parametrize("strategy", ["improve", "theoretical"])
async def test_a_stop_put_on_by_hand_silences_no_side_of_ours(strategy: str, autojump_clock: trio.testing.MockClock) -> None:
    """It has no price yet; taken for an offer at nothing, our bid would cross it until the operator took it off."""
    settings = ORDERS.settings()
    settings.cells[0].quoting.strategy = strategy
    async with open_stage(ORDERS.paper()) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        await trio.sleep(20)
        name = next(order.instrument for order in cell.orders.live() if order.side is BID)
        before = sides(cell, name)
        stop_loss(cell, name)
        await trio.sleep(8)
        assert before == sides(cell, name) == {BID, ASK}
        assert cell.orders.foreign(name) == []
        nursery.cancel_scope.cancel()


def sides(cell: Cell, name: str) -> set[Side]:
    return {order.side for order in cell.orders.working(name) if order.state.is_live}
