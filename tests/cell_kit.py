"""What the tests of whole cells share: the forms of trading there are, a small world for each, and readings of the ledger.

Owns no expectation. Invariant: what rests is read from the exchange's own order rows, never from the cell.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio

from actors.cell import Cell
from actors.console.settings import Settings
from actors.rehearsal.stage import Stage, open_stage, paper_settings
from actors.rehearsal.targets import TARGETS
from actors.trading.strategies import Inventory, Strategy, View, Wish
from actors.venues.paper.faults import FrameFault
from actors.venues.paper.run import PaperRun

SMALL = {"strikes": 3, "dailies": 0, "weeklies": 0}
ACCOUNT = 30_001
"""The first test account's, on either venue."""
BY_HAND = "by-hand"
SIDES = 12
"""Of the small world: three strikes, calls and puts, both sides."""


@attrs.frozen
class Form:
    """A venue and a way of quoting there. `ordering`: what can become an order; `pulls`: what ends the orders of a run."""

    venue: str
    mode: str
    ordering: frozenset[str]
    pulls: frozenset[str]
    question: str
    """Which orders are open?"""
    least: float
    """Contracts: the smallest order."""

    def __str__(self) -> str:
        return f"{self.venue} {self.mode}".strip()

    def paper(self, **changes: Any) -> PaperRun:
        return PaperRun(**{"venue": self.venue, "seed": 5, "keep_records": True, "world": SMALL, **changes})

    def settings(self, **cell: Any) -> Settings:
        """Room for fifty of the smallest orders in each instrument."""
        settings = paper_settings(**cell)
        settings.venue.exchange = self.venue
        if self.mode:
            settings.cells[0].quoting.quote_mode = self.mode
            settings.cells[0].limits.max_position = 50 * self.least
            settings.cells[0].limits.max_exposure = 500 * self.least
        return settings

    def sent(self, stage: Stage, since: int = 0) -> list[dict[str, Any]]:
        """Every request since a row that could place or move an order, as the exchange got it.

        A mass quote without any price only cancels.
        """
        asked = [row for row in stage.exchange.ledger.records[since:] if row["kind"] == "request"]
        return [row for row in asked if row["method"] in self.ordering and "price" in str(row["params"])]


DERIVE = Form(
    "derive", "", frozenset({"private/order", "private/replace"}), frozenset({"private/cancel_by_label"}),
    "private/get_open_orders", 0.1,
)  # fmt: skip
ORDERS = Form(
    "deribit", "orders", frozenset({"private/buy", "private/sell", "private/edit"}), frozenset({"private/cancel"}),
    "private/get_open_orders_by_currency", 1.0,
)  # fmt: skip
MASS = Form(
    "deribit", "mass", frozenset({"private/mass_quote"}), frozenset({"private/cancel_quotes", "private/cancel"}),
    "private/get_open_orders_by_currency", 1.0,
)  # fmt: skip
FORMS = (DERIVE, ORDERS, MASS)
in_every_form = pytest.mark.parametrize("form", FORMS, ids=str)
on_deribit = pytest.mark.parametrize("form", [ORDERS, MASS], ids=str)


def methods(stage: Stage, since: int = 0) -> Counter[str]:
    return Counter(in_order(stage, since))


def in_order(stage: Stage, since: int = 0) -> list[str]:
    """The methods of all requests since a row."""
    return [row["method"] for row in stage.exchange.ledger.records[since:] if row["kind"] == "request"]


def resting(stage: Stage) -> dict[str, dict[str, Any]]:
    """Orders of ours by id, from the ledger's own order rows."""
    orders: dict[str, dict[str, Any]] = {}
    for row in stage.exchange.ledger.records:
        if row["kind"] == "order" and row["account"] == ACCOUNT and not row["label"].startswith(BY_HAND):
            orders[row["order_id"]] = row
    return {key: row for key, row in orders.items() if row["status"] == "open"}


async def quoting(cell: Cell, sides: int = SIDES) -> None:
    """Until so many of the cell's orders rest."""
    while sum(1 for _ in cell.orders.live()) < sides or any(cell.orders.in_flight(n) for n in cell.instruments):
        await trio.sleep(0.05)


class Placed:
    """Around the first mark it saw of each instrument; `ticks` moves the bid, `ask_ticks` the ask; raises what it is
    `armed` with."""

    uses_book = False
    needs_surface = False

    def __init__(self) -> None:
        self.ticks = self.ask_ticks = 0
        self.armed: Exception | None = None
        self.marks: dict[str, float] = {}

    def quote(self, view: View, inventory: Inventory) -> Wish:
        if self.armed is not None:
            fault, self.armed = self.armed, None
            raise fault
        instrument = view.market.instrument
        mark, tick = self.marks.setdefault(instrument.name, view.mark or 0.0), instrument.tick_float
        return Wish(0.6 * mark + self.ticks * tick, 1.5 * mark + self.ask_ticks * tick)


@contextlib.asynccontextmanager
async def still(form: Form, strategy: Strategy, threshold: float | None = None) -> AsyncIterator[tuple[Stage, Cell]]:
    """A cell that quotes the whole small world by a strategy, and hears nothing any more but what the test tells it."""
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        settings = form.settings()
        own = settings.cells[0].quoting
        own.refresh_s = own.max_book_age_s = own.max_index_age_s = 3600.0
        own.requote_threshold = threshold
        cell = stage.cell(settings)
        cell.strategy = strategy
        nursery.start_soon(cell.run)
        await quoting(cell)
        for channel in (TARGETS[form.venue].index, *TARGETS[form.venue].book):
            stage.exchange.faults.arm(FrameFault("drop", "out", match=f'"channel":"{channel}', count=None))
        await trio.sleep(1)
        yield stage, cell
        nursery.cancel_scope.cancel()


async def quote_and_vanish(stage: Stage, cell: Cell, ready: Callable[[], Awaitable[None]]) -> set[str]:
    """Quotes until `ready` returns, then is gone without a word, and the venue does not notice: what it leaves at rest.

    Nobody can connect afterwards until the stage's door is opened.
    """
    stage.exchange.faults.late_cancel_s = 1e6
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cell.run)
        await ready()
        stage.open_door = False
        cell.desk.link.drop("the network is down")
        nursery.cancel_scope.cancel()
    assert not cell.proof.confirmed
    return set(resting(stage))
