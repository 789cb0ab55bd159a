"""A request that the wire says twice makes two orders where no nonce prevents it: the second is ours to end."""

from __future__ import annotations

from collections import Counter

import trio
from cell_kit import ACCOUNT, ORDERS, quoting, resting

from actors.rehearsal.stage import open_stage
from actors.truth import AUDIT_S
from actors.venues.paper.faults import FrameFault


async def test_the_twin_of_an_order_is_cancelled_by_the_next_audit(autojump_clock: trio.testing.MockClock) -> None:
    """It is neither taken for its twin nor for the operator's own, also when that one has ended in the meantime."""
    async with open_stage(ORDERS.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell, engine = stage.cell(ORDERS.settings()), stage.exchange.engine
        stage.exchange.faults.arm(FrameFault("duplicate", "in", match='"method":"private/sell"', count=2))
        nursery.start_soon(cell.run)
        await quoting(cell)
        await trio.sleep(1)
        twins = [label for label, many in Counter(row["label"] for row in resting(stage).values()).items() if many == 2]
        assert len(twins) == 2
        held = {order.label: order for order in cell.orders.live()}
        engine.cancel(ACCOUNT, held[twins[0]].venue_id)
        stage.exchange.tell()
        await trio.sleep(2 * AUDIT_S)
        left = Counter(row["label"] for row in resting(stage).values())
        assert set(left.values()) == {1}
        assert {order.venue_id for order in cell.orders.live()} == set(resting(stage))
        assert cell.truth.alarms == 2
        nursery.cancel_scope.cancel()
    assert cell.proof.confirmed
