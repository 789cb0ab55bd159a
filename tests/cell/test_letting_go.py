"""What a step of the desk has decided is on record in the same step, or has never been."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from cell_kit import DERIVE, ORDERS, Form, Placed, resting, still

from actors.order_desk import OrderDesk

FORMS = pytest.mark.parametrize("form", [DERIVE, ORDERS], ids=str)


@FORMS
async def test_a_pair_is_on_record_before_anything_is_awaited(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Hence before any answer can be there, though it is written down after it has left."""
    strategy = Placed()
    async with still(form, strategy) as (_, cell):
        name, asked = next(iter(cell.instruments)), sum(cell.clerk.figures.requests.values())
        strategy.ticks = strategy.ask_ticks = 5
        cell.market.on_changed(name, trio.current_time())
        assert sum(cell.clerk.figures.requests.values()) == asked + 2


@FORMS
async def test_what_the_link_does_not_take_has_never_been(
    form: Form, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its order goes on as it was and the quoter asks once more; the other side is not held up."""
    strategy = Placed()
    async with still(form, strategy) as (stage, cell):
        name, post, left_out = next(iter(cell.instruments)), cell.desk.link.post, 1

        def take_all_but_one(*call: Any) -> bool:
            nonlocal left_out
            left_out -= 1
            return left_out < 0 and post(*call)

        monkeypatch.setattr(cell.desk.link, "post", take_all_but_one)
        before = len(form.sent(stage))
        strategy.ticks = strategy.ask_ticks = 5
        cell.market.on_changed(name, trio.current_time())
        assert left_out == -1
        await trio.sleep(0.5)
        assert len(form.sent(stage)) == before + 2
        pair = cell.quoters[name].wish
        standing = cell.orders.standing(name)
        assert pair is not None
        assert not standing.in_flight
        assert sorted(order.price for order in standing.live) == sorted(q.price for q in (pair.bid, pair.ask) if q)
        assert sum(row["instrument"] == name for row in resting(stage).values()) == 2
        assert cell.restarts == 0


async def test_of_a_step_that_fails_nothing_leaves(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk that breaks between the two halves of a pair sends neither; and nothing is left behind."""
    act = OrderDesk._act
    halves = 0

    def breaks_at_the_second(desk: OrderDesk, *rest: Any) -> None:
        nonlocal halves
        halves += 1
        if halves == 2:
            raise RuntimeError("a bug of the desk")
        act(desk, *rest)

    sent: list[int] = []
    with pytest.RaisesGroup(RuntimeError, flatten_subgroups=True):
        strategy = Placed()
        async with still(DERIVE, strategy) as (stage, cell):
            sent.append(len(DERIVE.sent(stage)))
            monkeypatch.setattr(OrderDesk, "_act", breaks_at_the_second)
            strategy.ticks = strategy.ask_ticks = 5
            cell.market.on_changed(next(iter(cell.instruments)), trio.current_time())
            await trio.sleep(60)
    assert halves == 2
    assert sent == [len(DERIVE.sent(stage))]
    assert cell.proof.confirmed
    assert not resting(stage)
