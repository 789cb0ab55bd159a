"""What has ended is forgotten while the cell runs: memory and audits do not grow with its age."""

from __future__ import annotations

import trio
from cell_kit import DERIVE, still
from test_at_once import Placed

from actors.trading.instruments import Side
from actors.venues.dialect import OrderStatus, VenueOrder

AGE_S = 700
"""Ended orders are kept for ten minutes, and an audit comes every half."""


async def test_an_order_that_ended_long_ago_is_forgotten_and_what_rests_is_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Replaced once, both halves known; ten minutes later only the half that rests."""
    strategy = Placed()
    async with still(DERIVE, strategy) as (_, cell):
        name = next(iter(cell.instruments))
        (old,) = cell.orders.working(name, Side.BID)
        strategy.ticks = 5
        cell.market.on_changed(name, trio.current_time())
        await trio.sleep(60)
        (new,) = cell.orders.working(name, Side.BID)
        assert new is not old

        def known(client_id: str) -> bool:
            told = VenueOrder(client_id, "", "", name, Side.BID, 1, 1, 0, OrderStatus.OPEN, 1)
            return cell.orders.known(told) is not None

        assert known(old.client_id)
        await trio.sleep(AGE_S)
        assert not known(old.client_id)
        assert all(known(order.client_id) for order in cell.orders.live())
        assert cell.orders.working(name, Side.BID)
        assert cell.truth.alarms == 0
