"""The dry run: what would be done, on paper. A pure function makes the plan, another prints it.

Takes the effective configuration, the venue's listing and what login told (or None where nobody logged in); never asks
anybody anything itself. Shows every value with its origin, every instrument with its room, tick and the tick's worth in
money. Invariant: what the plan shows as quoted is what a cell with the same inputs would quote.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from actors.console import keys, shapes
from actors.console.config import Effective
from actors.console.listing import Chosen, expiry_of
from actors.console.secrets import Secret, redact
from actors.console.settings import CellSettings, Settings
from actors.trading.allotment import allot_exposure, size_steps
from actors.trading.instruments import Instrument, Numeraire
from actors.venues.dialect import AccountFacts

BANNERS = {
    "paper": "PAPER: everything runs on the built-in paper exchange; no order leaves this machine",
    "testnet": "TESTNET: orders go to the venue's public testnet; no real money",
    "live": "LIVE: orders go to the real venue and trade real money",
}
PLAIN_WIDTH = 160


@attrs.frozen
class ConfigRow:
    path: str
    value: str
    unit: str
    origin: str


@attrs.frozen
class PlanRow:
    """One instrument that would be quoted. Texts are for printing; `room` is contracts each side."""

    instrument: str
    expiry: str
    size: str
    room: str
    has_room: bool
    tick: str
    tick_money: float | None
    """One tick at the bottom of the ladder, for one contract, in quote currency; None without an index."""
    improvement: str
    """What the configured improvement comes to in ticks, and what is done where it is less than one."""


@attrs.frozen
class CellPlan:
    title: str
    rows: tuple[PlanRow, ...]
    limits: tuple[ConfigRow, ...]

    @property
    def without_room(self) -> tuple[str, ...]:
        return tuple(row.instrument for row in self.rows if not row.has_room)


@attrs.frozen
class CellFacts:
    """What the caller learnt of one cell's market: its choice, and the index (or forward) in quote currency."""

    chosen: Chosen
    index: float | None = None


@attrs.frozen
class Plan:
    banner: str
    configuration: tuple[ConfigRow, ...]
    cells: tuple[CellPlan, ...]
    endpoints: tuple[tuple[str, str], ...]
    key: str
    account: tuple[str, ...]


def banner(settings: Settings) -> str:
    """Where orders go, in words; printed at every start."""
    words = BANNERS[settings.network]
    if settings.network == "paper" and settings.venue.url:
        return words.replace("the built-in paper exchange", f"the paper exchange at {settings.venue.url}")
    return words


def make_plan(
    effective: Effective,
    cells: Sequence[CellFacts],
    facts: AccountFacts | None = None,
    endpoints: Mapping[str, str] | None = None,
) -> Plan:
    """`cells` in the order of `settings.cells`; `endpoints` by purpose ("WebSocket" -> address)."""
    settings = effective.settings
    return Plan(
        banner=banner(settings),
        configuration=tuple(configuration(effective)),
        cells=tuple(
            _plan_cell(effective, index, cell, found)
            for index, (cell, found) in enumerate(zip(settings.cells, cells, strict=True))
        ),
        endpoints=tuple((endpoints or {}).items()),
        key=_key_line(settings),
        account=tuple(_account_lines(facts)),
    )


def configuration(effective: Effective) -> Iterator[ConfigRow]:
    """Every key in force, in the order of the documentation."""
    for path, value, field in shapes.values(effective.settings):
        yield ConfigRow(path, _plain(value), field.metadata.get("unit", ""), effective.origin(path))


def _plain(value: Any) -> str:
    if isinstance(value, Secret):
        return str(value) if value else "unset"
    if value is None or value == "":
        return "unset"
    if isinstance(value, list):
        return ", ".join(_plain(one) for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items()) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else redact(str(value))


def _key_line(settings: Settings) -> str:
    if not settings.needs_key:
        return "the paper exchange's own test credentials"
    return keys.fingerprint(settings.venue)


def _account_lines(facts: AccountFacts | None) -> Iterator[str]:
    if facts is None:
        yield "not asked (no login)"
        return
    yield f"account {facts.account}"
    for pool, limit in facts.limits.items():
        yield f"{pool.value}: {limit.per_second:g} requests/s, burst {limit.burst:g}"
    if facts.per_instrument is not None:
        yield f"per instrument: {facts.per_instrument.per_second:g} requests/s, burst {facts.per_instrument.burst:g}"
    yield f"cancel-on-disconnect {'on' if facts.cancel_on_disconnect else 'off'}"


def _plan_cell(effective: Effective, index: int, cell: CellSettings, found: CellFacts) -> CellPlan:
    instruments = found.chosen.instruments
    granted = allot_exposure(instruments, found.index, cell.limits, size=cell.quoting.size)
    at = f"cells[{index}].limits."
    return CellPlan(
        title=f"{cell.underlying} {', '.join(found.chosen.expiries)}: {len(instruments)} instruments",
        rows=tuple(_row(one, cell, granted[one.name], found.index) for one in instruments),
        limits=tuple(row for row in configuration(effective) if row.path.startswith(at) and row.value != "unset"),
    )


def _row(one: Instrument, cell: CellSettings, granted: int, index: float | None) -> PlanRow:
    return PlanRow(
        instrument=one.name,
        expiry=expiry_of(one),
        size=one.amount_text(size_steps(one, cell.quoting.size)),
        room=one.amount_text(granted),
        has_room=granted > 0,
        tick=_ladder_text(one),
        tick_money=tick_money(one, 1, index),
        improvement=improvement_text(one, cell, index),
    )


def tick_money(one: Instrument, ticks: int, index: float | None) -> float | None:
    """Ticks in quote currency for one contract; coin premiums are converted with the index."""
    in_premium = one.price_float(ticks)
    if one.numeraire is Numeraire.QUOTE:
        return in_premium
    return None if index is None else in_premium * index


def _ladder_text(one: Instrument) -> str:
    steps = [f"{one.price_text(step)} above {one.price_text(above)}" for above, step in one.ladder]
    unit = f" {one.underlying}" if one.numeraire is Numeraire.COIN else ""
    return ", ".join([one.price_text(1), *steps]) + unit


def improvement_text(one: Instrument, cell: CellSettings, index: float | None) -> str:
    """The improvement in ticks at each rung of the ladder, or what `coarse_tick` makes of it."""
    if cell.quoting.strategy != "improve":
        return "not used"
    texts = []
    for step in dict.fromkeys([1, *(rung.step for rung in one.ladder)]):
        money = tick_money(one, step, index)
        if money is None:
            return "unknown without an index"
        texts.append(_rung_text(cell, money))
    return " / ".join(dict.fromkeys(texts))


def _rung_text(cell: CellSettings, money: float) -> str:
    ticks = math.floor(cell.quoting.improvement / money + 1e-9)
    if ticks:
        return f"{ticks} tick{'s' if ticks > 1 else ''}"
    if cell.quoting.improvement <= 0 or cell.quoting.coarse_tick == "join":
        return "joins the best"
    return f"1 tick (worth {money:.2f}, coarser than {cell.quoting.improvement:g})"


# -- printing


def print_plan(plan: Plan, console: Console) -> None:
    """Tables as wide as the terminal; elsewhere wide enough that no value is folded in the middle."""
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    console.print(Text(plan.banner, style="bold reverse" if plan.banner.startswith("LIVE") else "bold"))
    keys_in_force = [(row.path, row.value, row.unit, row.origin) for row in plan.configuration]
    console.print(_table("Effective configuration", ("key", "value", "unit", "origin"), keys_in_force))
    for cell in plan.cells:
        _print_cell(cell, console)
    where = [*plan.endpoints, ("key", plan.key), *(("account", line) for line in plan.account)]
    console.print(_table("Endpoints and account", ("what", "value"), where))


def _print_cell(cell: CellPlan, console: Console) -> None:
    columns = ("instrument", "size", "room a side", "tick", "tick in money", "improvement")
    console.print(_table(cell.title, columns, [_texts(row) for row in cell.rows]))
    if cell.without_room:
        names = ", ".join(cell.without_room)
        console.print(Text(f"No room under max_exposure ({len(cell.without_room)}), nearest the money first: {names}"))
    limits = [(row.path.rpartition(".")[2], row.value, row.unit, row.origin) for row in cell.limits]
    console.print(_table("Limits", ("limit", "value", "unit", "origin"), limits))


def _texts(row: PlanRow) -> tuple[str, ...]:
    money = "unknown" if row.tick_money is None else f"{row.tick_money:.4g}"
    return row.instrument, row.size, row.room if row.has_room else "none", row.tick, money, row.improvement


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Values are `Text`, for a bracket in one is a bracket and no markup."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
