"""Who is woken by what becomes of our own orders: nobody when all came out as wished, the quoter when anything did not."""

from __future__ import annotations

import trio
from cell_kit import ACCOUNT, Form, in_every_form, resting, still

from actors.cell import Cell
from actors.trading.strategies import Inventory, View, Wish


class AroundMark:
    """Far around the venue's mark, moved by `shift` hundredths of it; counts how often each instrument asks."""

    uses_book = False
    needs_surface = False

    def __init__(self) -> None:
        self.shift = 0
        self.asked: dict[str, int] = {}

    def quote(self, view: View, inventory: Inventory) -> Wish:
        name = view.market.instrument.name
        self.asked[name] = self.asked.get(name, 0) + 1
        mark = (view.mark or 0.0) * (1 + self.shift / 100)
        return Wish(0.7 * mark, 1.4 * mark)


async def moved(cell: Cell, strategy: AroundMark, name: str) -> None:
    """One decision at another price, and all that follows from it within a tenth of a second."""
    strategy.shift, strategy.asked = 5, {}
    cell.market.pictures[name].bell.ring()
    await trio.sleep(0.1)


@in_every_form
async def test_a_quote_that_came_out_as_wished_wakes_nobody(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """A move of both sides is decided once; when an order goes without our doing it is decided anew, and replaced.

    The market, which would wake them too, is silent.
    """
    strategy = AroundMark()
    async with still(form, strategy) as (stage, cell):
        name, before = next(iter(cell.instruments)), resting(stage)
        await moved(cell, strategy, name)
        here = [row["price"] for row in resting(stage).values() if row["instrument"] == name]
        assert len(here) == 2
        assert not {row["price"] for row in before.values() if row["instrument"] == name} & set(here)
        assert strategy.asked == {name: 1}
        order_id, row = next((key, row) for key, row in resting(stage).items() if row["instrument"] == name)
        stage.exchange.engine.cancel(ACCOUNT, order_id)
        stage.exchange.tell()
        await trio.sleep(0.3)
        assert strategy.asked == {name: 2}
        again = [now for now in resting(stage).values() if (now["instrument"], now["side"]) == (name, row["side"])]
        assert [now["price"] for now in again] == [row["price"]]
