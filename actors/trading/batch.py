"""One mass quote in the making: sides gathered from many instruments, each tied to its record in the order table.

Pure. Decides which of the desk's actions a mass quote can carry and how; sends nothing. Invariant: an instrument has at
most one entry per side, and no more instruments than the venue takes in one call.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from actors.trading.actions import Action, ActionKind
from actors.trading.orders import Order
from actors.venues.dialect import MassSide, OrderRequest


@attrs.frozen
class Part:
    """One side on its way: what was asked for, and whose record its outcome belongs to."""

    side: MassSide
    kind: ActionKind
    order: Order
    old: Order | None


class Batch:
    """Filled in one pass over the desk's bag, then taken."""

    def __init__(self, most_instruments: int) -> None:
        self._most = most_instruments
        self._parts: list[Part] = []
        self._names: set[str] = set()

    @property
    def sides(self) -> int:
        """Gathered so far: each is one quote to the venue."""
        return len(self._parts)

    def has_room(self, instrument: str) -> bool:
        return instrument in self._names or len(self._names) < self._most

    def add(self, kind: ActionKind, order: Order, old: Order | None, request: OrderRequest | None) -> None:
        """`request` None takes the side away. A replacement only moves the price: `moves_only` saw to that."""
        side = MassSide(order.instrument, order.side, order.client_id, request, moves=kind is ActionKind.REPLACE)
        self._parts.append(Part(side, kind, order, old))
        self._names.add(order.instrument)

    def take(self) -> list[Part]:
        parts, self._parts, self._names = self._parts, [], set()
        return parts


def moves_only(actions: Iterable[Action]) -> list[Action]:
    """A size never changes in place: a quote that must grow or shrink is cancelled, and placed anew in a later pass.

    With a size in the call, a quote that was filled a moment ago would come to rest again at its full size.
    """
    return [_away(action) if _resizes(action) else action for action in actions]


def _resizes(action: Action) -> bool:
    if action.kind is not ActionKind.REPLACE or action.quote is None or action.order is None:
        return False
    return action.quote.amount != action.order.remaining


def _away(action: Action) -> Action:
    return Action(ActionKind.CANCEL, action.side, order=action.order, danger=action.danger)
