"""From what is wanted to the fewest requests: the desk's plan for one instrument (keep, amend, replace, cancel, place).

Pure. Decides from the order table and an approved pair; the desk executes in the given order while its budget lasts. It
never places a second order beside one of ours that may still rest on the same side, nor one that would meet one of ours
on the other. Invariant: the first action is the one that takes most danger out of the market.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from actors.trading.instruments import ASK, BID, Instrument, Side
from actors.trading.orders import OPEN, Order
from actors.trading.quotes import Quote, QuotePair
from actors.trading.quoting import stale_money


class ActionKind(StrEnum):
    CANCEL = "cancel"
    REPLACE = "replace"
    AMEND = "amend"
    PLACE = "place"


class Action(msgspec.Struct, frozen=True, gc=False):
    kind: ActionKind
    side: Side
    quote: Quote | None = None
    order: Order | None = None
    danger: float = 0.0
    """Money (quote currency or coin) lost if the resting order is hit at its price instead of the wanted one."""
    renews: bool = False
    """Sent only because the old order's life ends soon."""


def plan(
    instrument: Instrument,
    pair: QuotePair,
    working: list[Order],
    *,
    needs_requote: Callable[[Order, Quote], bool],
    must_renew: Callable[[Order], bool],
    native_amend: bool,
) -> list[Action]:
    """Requests that bring what rests to what is wanted, most dangerous first; sides with an unanswered request wait, and so
    do those that would meet one of our own."""
    bids: list[Order] = []
    asks: list[Order] = []
    for order in working:
        if order.state.is_live:
            (bids if order.side is BID else asks).append(order)
    bid = _side(instrument, BID, pair.bid, bids, needs_requote, must_renew, native_amend)
    ask = _side(instrument, ASK, pair.ask, asks, needs_requote, must_renew, native_amend)
    if bid is not None and _meets(bid, asks):
        bid = None
    if ask is not None and _meets(ask, bids):
        ask = None
    if bid is None or ask is None:
        return [action for action in (bid, ask) if action is not None]
    return [bid, ask] if _rank(bid) <= _rank(ask) else [ask, bid]


def _meets(action: Action, others: list[Order]) -> bool:
    """Whether it would cross an order of ours that may still rest, at its price or the one it is being moved to.

    That the other side is on its way too proves nothing: its request may be lost. Who has to wait is never the side in
    danger, for that one moves away.
    """
    if action.quote is None:
        return False
    price = action.quote.price
    for order in others:
        if (price >= order.price) if action.side is BID else (price <= order.price):
            return True
        moved_to = order.pending
        if moved_to is not None and ((price >= moved_to.price) if action.side is BID else (price <= moved_to.price)):
            return True
    return False


def _rank(action: Action) -> tuple[int, float]:
    return (0 if action.kind is ActionKind.CANCEL else 1, -action.danger)


def _side(
    instrument: Instrument,
    side: Side,
    wanted: Quote | None,
    live: list[Order],
    needs_requote: Callable[[Order, Quote], bool],
    must_renew: Callable[[Order], bool],
    native_amend: bool,
) -> Action | None:
    open_orders = [o for o in live if o.state is OPEN]
    if wanted is None or len(open_orders) > 1:
        return Action(ActionKind.CANCEL, side, order=open_orders[0], danger=float("inf")) if open_orders else None
    if len(live) > len(open_orders):
        return None  # an answer is awaited, or an order is unknown and holds this slot
    if not open_orders:
        return Action(ActionKind.PLACE, side, quote=wanted)
    order = open_orders[0]
    renew = must_renew(order)
    if not renew and not needs_requote(order, wanted):
        return None
    danger = stale_money(instrument, side, Quote(order.price, order.remaining), wanted)
    kind = ActionKind.AMEND if native_amend and not renew else ActionKind.REPLACE
    return Action(kind, side, quote=wanted, order=order, danger=danger, renews=renew)
