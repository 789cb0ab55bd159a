"""What the path of a tick leaves behind is nothing that Python's collector has to look at, twenty times a second."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
from cell_kit import DERIVE, still
from test_waking import AroundMark, moved

from actors.trading.strategies import Inventory, View, Wish
from actors.venues.pending import PendingCall, PendingCalls


class Explained(AroundMark):
    def quote(self, view: View, inventory: Inventory) -> Wish:
        wish = super().quote(view, inventory)
        return Wish(wish.bid, wish.ask, terms={"mark": view.mark or 0.0} | {"shift": float(self.shift)})


async def test_a_request_and_its_quote_are_nothing_to_the_collector(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """The waiting call, whoever hears its answer, the order, the wish and its terms."""
    waiting: list[PendingCall] = []
    add = PendingCalls.add

    def noted(table: PendingCalls, number: int, pending: PendingCall) -> bool:
        if pending.call.method in ("private/order", "private/replace"):
            waiting.append(pending)
        return add(table, number, pending)

    strategy = Explained()
    async with still(DERIVE, strategy) as (_, cell):
        monkeypatch.setattr(PendingCalls, "add", noted)
        name = next(iter(cell.instruments))
        await moved(cell, strategy, name)
        wish, orders = cell.quoters[name].wish, cell.orders.standing(name).live
        assert len(waiting) == len(orders) == 2
        assert wish is not None
        assert wish.terms["shift"] == 5.0
        left: list[Any] = [*waiting, *(call.on_answer for call in waiting), *(call.call for call in waiting)]
        left += [*orders, *(order.terms for order in orders), wish, wish.terms]
        assert [thing for thing in left if gc.is_tracked(thing)] == []
