"""The batch of a mass quote: what it takes in, and what may only be moved."""

from __future__ import annotations

from actors.trading.actions import Action, ActionKind
from actors.trading.batch import Batch, moves_only
from actors.trading.instruments import Side
from actors.trading.orders import Order, OrderState
from actors.trading.quotes import Quote
from actors.venues.dialect import OrderRequest


def resting(amount: int = 5, seen: int = 0) -> Order:
    order = Order("1", "A", Side.BID, 100, amount, "sm", OrderState.OPEN, 0.0, 0, 0)
    order.seen_filled = seen
    return order


def test_a_move_stays_a_move_only_while_the_size_does() -> None:
    """A quote that must grow or shrink is taken away: sent with a size it could fill twice."""
    move = Action(ActionKind.REPLACE, Side.BID, Quote(101, 5), resting(), danger=2.0)
    assert moves_only([move]) == [move]
    for order in (resting(6), resting(5, seen=1)):
        grown = Action(ActionKind.REPLACE, Side.BID, Quote(101, 5), order, danger=2.0)
        (action,) = moves_only([grown])
        assert (action.kind, action.quote, action.order, action.danger) == (ActionKind.CANCEL, None, order, 2.0)


def test_other_actions_pass_as_they_are() -> None:
    """Placing has a size of its own, cancelling needs none."""
    actions = [Action(ActionKind.PLACE, Side.ASK, Quote(1, 9)), Action(ActionKind.CANCEL, Side.BID, order=resting())]
    assert moves_only(actions) == actions


def test_a_batch_holds_so_many_instruments_and_is_empty_once_taken() -> None:
    """Both sides of one count once; a replacement moves, a placement brings its size, a cancel asks for nothing."""
    batch, order = Batch(2), resting()
    request = OrderRequest("A", Side.BID, 100, 5, "1", "sm", 0, 0)
    batch.add(ActionKind.PLACE, order, None, request)
    batch.add(ActionKind.REPLACE, order, order, request)
    assert batch.has_room("B")
    batch.add(ActionKind.CANCEL, Order("2", "B", Side.ASK, 1, 1, "sm", OrderState.OPEN, 0.0, 0, 0), None, None)
    assert (batch.has_room("A"), batch.has_room("C")) == (True, False)
    parts = batch.take()
    assert [(part.side.order, part.side.moves) for part in parts] == [(request, False), (request, True), (None, False)]
    assert (batch.take(), batch.has_room("C")) == ([], True)
