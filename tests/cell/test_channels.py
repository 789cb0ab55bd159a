"""Channels that a venue does not let us join: without our own orders and fills nothing is quoted; others are only told."""

from __future__ import annotations

import pytest
import trio
from cell_kit import DERIVE, MASS, ORDERS, Form, quoting, resting

from actors.rehearsal.stage import open_stage
from actors.venues.paper.faults import ChannelFault

VITAL = [(DERIVE, ".orders"), (DERIVE, ".trades"), (ORDERS, "user.changes"), (MASS, "user.changes")]


@pytest.mark.parametrize(("form", "channel"), VITAL, ids=str)
async def test_nothing_is_quoted_before_our_own_orders_and_fills_are_heard(
    form: Form, channel: str, autojump_clock: trio.testing.MockClock
) -> None:
    """The venue leaves the channel out of its answer, or says so in it: it is asked again until it is there."""
    async with open_stage(form.paper()) as stage:
        stage.exchange.faults.arm(ChannelFault(channel))
        cell = stage.cell(form.settings())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await trio.sleep(15)
            assert stage.exchange.faults.struck["channel"] > 5
            assert form.sent(stage) == []
            stage.exchange.faults.clear()
            await quoting(cell)

            stage.exchange.faults.arm(ChannelFault(channel))
            cell.desk.link.drop("pulled by the test")
            await trio.sleep(5)
            seen = len(stage.exchange.ledger.records)
            await trio.sleep(10)
            assert form.sent(stage, seen) == []
            assert resting(stage) == {}
            stage.exchange.faults.clear()
            await quoting(cell)
            nursery.cancel_scope.cancel()
        assert cell.proof.confirmed


@pytest.mark.parametrize(("form", "channel"), [(DERIVE, ".balances"), (ORDERS, "user.mmp_trigger")], ids=str)
async def test_a_channel_that_is_not_needed_to_quote_is_only_told(
    form: Form, channel: str, autojump_clock: trio.testing.MockClock
) -> None:
    """What it would have said is learnt later, from refusals and the audit."""
    said: list[str] = []
    async with open_stage(form.paper()) as stage, trio.open_nursery() as nursery:
        stage.exchange.faults.arm(ChannelFault(channel))
        cell = stage.cell(form.settings())
        cell.on_event = lambda level, text: said.append(text)
        nursery.start_soon(cell.run)
        await quoting(cell)
        assert len([text for text in said if text.startswith("the venue did not accept channel") and channel in text]) == 1
        nursery.cancel_scope.cancel()
