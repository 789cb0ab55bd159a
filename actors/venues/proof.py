"""How everything of ours is pulled, and what counts as proof that nothing rests (design law 10).

Owns the one sweep that the desk at start, after a reconnect and on its way out, the guard and `strikemaker cancel-all`
all use. Pure scripts: somebody else's link or REST client drives them. Invariant: "none" is said only of an open-orders
query that was sent after every order that could still be in flight had become impossible.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import attrs

from actors.trading.errors import VenueRefused
from actors.venues.dialect import Call, Dialect, Script, VenueOrder

LATE_MS = 250
"""A packet handed over just before `reject_ms` may be answered this much later; "none" is asked after that."""
SINGLY = 5
"""Of quotes that one call should have cancelled, so many are cancelled one by one as well in each round."""
LABEL_FAMILY = "sm"
"""First word of every label of ours."""


@attrs.frozen
class RunLabel:
    """Whose an order is. Derive: the label of every order of the run; Deribit: the start of each order's own label."""

    tag: str
    cell: str
    run: str

    @cached_property
    def text(self) -> str:
        return f"{LABEL_FAMILY}-{self.tag}-{self.cell}-{self.run}"

    @property
    def cell_prefix(self) -> str:
        """Orders of this cell, of any run."""
        return f"{LABEL_FAMILY}-{self.tag}-{self.cell}-"


def tag_prefix(tag: str) -> str:
    """Orders of every cell and run under one tag: what the guard and `cancel-all` pull."""
    return f"{LABEL_FAMILY}-{tag}-"


def prefixed(prefix: str) -> Callable[[VenueOrder], bool]:
    return lambda order: order.label.startswith(prefix)


def everything(_: VenueOrder) -> bool:
    """`--scope account`: the operator's manual orders too."""
    return True


def sweep(
    dialect: Dialect, underlying: str, is_ours: Callable[[VenueOrder], bool], run_label: str = ""
) -> Script[list[VenueOrder]]:
    """One round: the cheap calls for a run, then the question, then cancels for whatever the answer still shows.

    Returns what of ours rested when asked; an empty list is the venue's word for "none". A refused cancel proves
    nothing, so it is not an error here: the next round's question tells.
    """
    if run_label:
        for call in dialect.cancel_ours(run_label, underlying):
            yield from _try(call)
    resting = [order for order in (yield from dialect.open_orders(underlying)) if is_ours(order)]
    for call in _cancels(dialect, underlying, resting):
        yield from _try(call)
    return resting


def _cancels(dialect: Dialect, underlying: str, resting: list[VenueOrder]) -> list[Call]:
    """The fewest scoped cancels for these orders: by label where one label covers many, else one by one."""
    calls: list[Call] = []
    if dialect.labels_are_identity:
        # Only mass quotes share a label; a few of them are cancelled singly too, should the call for all be refused.
        shared = dict.fromkeys(order.label for order in resting if order.client_id != order.label) if dialect.mass else {}
        calls += [dialect.mass.cancel_run(label) for label in shared if label and dialect.mass]
        quotes = [order for order in resting if order.label in shared]
        return calls + [dialect.cancel(order) for order in resting if order not in quotes[SINGLY:]]
    for label in dict.fromkeys(order.label for order in resting):
        bulk = dialect.cancel_ours(label, underlying) if label else []
        calls += bulk or [dialect.cancel(order) for order in resting if order.label == label]
    return calls


def _try(call: Call) -> Script[None]:
    try:
        yield call
    except VenueRefused:
        return
