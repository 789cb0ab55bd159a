"""The live table on a terminal: per instrument the market and our quote, the totals below, the latest events last.

Draws snapshots and events that it is given; asks nobody, starts no thread (whoever feeds it also makes it redraw).
Invariant: nothing it cannot fit is dropped in silence; the rows farthest from the money go first, and are counted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from actors.console.narrator import progress_text
from actors.console.secrets import redact
from actors.console.snapshots import QUOTING, CellSnapshot, EventLine, InstrumentRow, duration_text

EVENTS_KEPT = 8
FEWEST_ROWS = 3
GOOD_STATES = ("quoting",)
BAD_STATES = ("stale", "halted", "quarantined")


class LiveView:
    """The screen of a run, as a context manager; give it snapshots with `show` and events with `event`."""

    def __init__(self, banner: str, console: Console | None = None) -> None:
        self.banner = banner
        self.console = console or Console()
        self.events: deque[EventLine] = deque(maxlen=EVENTS_KEPT)
        self._snapshots: Sequence[CellSnapshot] = ()
        self._live = Live(console=self.console, auto_refresh=False, transient=False, vertical_overflow="crop")

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def show(self, snapshots: Sequence[CellSnapshot]) -> None:
        """Redraws; well called a few times a second at most."""
        self._snapshots = snapshots
        self._live.update(self.render(), refresh=True)

    def event(self, level: str, text: str, time_s: float) -> None:
        """Keeps a line for the bottom of the screen; shown with the next `show`."""
        self.events.append(EventLine(time_s, level, redact(text)))

    def render(self) -> RenderableType:
        return draw(self.banner, self._snapshots, list(self.events), self.console.size)


def draw(
    banner: str, snapshots: Sequence[CellSnapshot], events: Sequence[EventLine], size: ConsoleDimensions
) -> RenderableType:
    """The whole screen, fitted to a size: the rows of the tables give way, then the older events."""
    head = [Text(banner, style="bold red" if banner.startswith("LIVE") else "bold cyan")]
    if not snapshots:
        head.append(Text("starting ...", style="dim"))
    foot = [_event(event) for event in events[-max(1, size.height // 5) :]]
    foot.append(Text("Ctrl-C stops: every order is cancelled, and the venue asked until it says so", style="dim"))
    below = [_below(snapshot) for snapshot in snapshots]
    # A line each for a cell's title, its table's header and the count of what was left out.
    taken = _height([*head, *foot, *(text for texts in below for text in texts)], size.width) + 3 * len(snapshots)
    room = max(FEWEST_ROWS, (size.height - taken) // max(1, len(snapshots)))
    parts: list[RenderableType] = [*head]
    for snapshot, texts in zip(snapshots, below, strict=True):
        parts += [_title(snapshot), *_table(snapshot, room), *texts]
    return Group(*parts, *foot)


def _height(texts: Sequence[Text], width: int) -> int:
    """Lines that texts take, long ones wrapped."""
    return sum(1 if text.no_wrap else math.ceil(max(1, len(text)) / width) for text in texts)


def _below(snapshot: CellSnapshot) -> list[Text]:
    warnings = [Text(f"! {warning}", style="bold red") for warning in snapshot.warnings]
    return [_totals(snapshot), _budget(snapshot), *warnings]


def _table(snapshot: CellSnapshot, room: int) -> list[RenderableType]:
    shown = nearest_the_money(snapshot, room)
    parts: list[RenderableType] = [_rows(shown)] if shown else []
    if len(shown) < len(snapshot.rows):
        parts.append(Text(_left_out(snapshot, shown), style="dim"))
    return parts


def _title(snapshot: CellSnapshot) -> Text:
    text = Text(f"{snapshot.cell}", style="bold", no_wrap=True, overflow="ellipsis")
    text.append(f"  {snapshot.exchange} {snapshot.network}, up {duration_text(snapshot.uptime_s)}  ", style="not bold")
    if snapshot.phase == QUOTING and snapshot.rows:
        text.append(progress_text(snapshot), style="not bold green")
    else:
        text.append(f"{snapshot.phase} {snapshot.phase_detail}".strip(), style="not bold yellow")
    return text


def nearest_the_money(snapshot: CellSnapshot, count: int) -> list[InstrumentRow]:
    """At most `count` rows, those nearest the money, in the snapshot's own order."""
    centre = snapshot.forward or snapshot.index
    if len(snapshot.rows) <= count:
        return snapshot.rows
    if centre is None:
        return snapshot.rows[:count]
    ranked = sorted(range(len(snapshot.rows)), key=lambda at: abs(snapshot.rows[at].strike - centre))
    return [snapshot.rows[at] for at in sorted(ranked[:count])]


def _left_out(snapshot: CellSnapshot, shown: Sequence[InstrumentRow]) -> str:
    names = {row.instrument for row in shown}
    hidden = [row for row in snapshot.rows if row.instrument not in names]
    idle = sum(1 for row in hidden if not row.sides)
    tail = f", {idle} of them without a quote" if idle else ", all quoted"
    return f"and {len(hidden)} farther from the money{tail} (a taller window shows more)"


def _rows(rows: Sequence[InstrumentRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
    table.add_column("instrument", no_wrap=True)
    for name in ("market bid", "ask", "our bid", "our ask", "bid inside", "ask inside", "position", "age"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*_row(row))
    return table


def _row(row: InstrumentRow) -> list[Text]:
    return [
        Text(row.instrument),
        _price(row.market_bid, row),
        _price(row.market_ask, row),
        _price(row.bid, row, "green"),
        _price(row.ask, row, "red"),
        _distance(row.bid_distance, row),
        _distance(row.ask_distance, row),
        Text(f"{row.position:+g}" if row.position else "0", style="bold" if row.position else "dim"),
        Text("-" if row.quote_age_s is None else duration_text(row.quote_age_s), style="dim"),
        _state(row),
    ]


def _price(value: float | None, row: InstrumentRow, style: str = "") -> Text:
    return Text("-", style="dim") if value is None else Text(f"{value:.{row.decimals}f}", style=style)


def _distance(value: float | None, row: InstrumentRow) -> Text:
    if value is None:
        return Text("-", style="dim")
    return Text(f"{value:+.{row.decimals}f}", style="green" if value > 0 else "yellow")


def _state(row: InstrumentRow) -> Text:
    style = "green" if row.state in GOOD_STATES else "bold red" if row.state in BAD_STATES else "yellow"
    text = Text(row.state, style=style)
    if row.reason and row.state not in GOOD_STATES:
        text.append(f": {row.reason}", style="dim")
    return text


def _totals(snapshot: CellSnapshot) -> Text:
    parts = [
        f"exposure {snapshot.exposure:g} of {snapshot.max_exposure:g} (peak {snapshot.exposure_peak:g})",
        f"position {snapshot.position:+g}" if snapshot.position else "position 0",
        f"fills {snapshot.fills}, {snapshot.volume:g} contracts",
        f"fees {snapshot.fees} {snapshot.premium_currency}",
    ]
    if snapshot.pnl is not None:
        parts.append(f"P&L {snapshot.pnl:+.2f}")
    parts += [f"{name} {value:+.4g}" for name, value in snapshot.greeks.items()]
    if snapshot.index is not None:
        parts.append(f"index {snapshot.index:g}")
    return Text(" | ".join(parts))


def _budget(snapshot: CellSnapshot) -> Text:
    sent = ", ".join(f"{kind} {count}" for kind, count in sorted(snapshot.requests.items())) or "nothing sent yet"
    parts = [f"{pool.name} {pool.left:.0f}/{pool.burst:.0f} at {pool.per_second:.3g}/s" for pool in snapshot.budgets]
    text = Text(" | ".join([sent, f"rejected {sum(snapshot.rejects.values())}", *parts]))
    for link in snapshot.links:
        text.append(" | ")
        text.append(f"{link.name} {link.state}", style="green" if link.state == "connected" else "bold red")
    if snapshot.restarts:
        text.append(f" | restarts {snapshot.restarts}", style="yellow")
    return text


def _event(event: EventLine) -> Text:
    when = datetime.fromtimestamp(event.time_s, UTC).strftime("%H:%M:%S")
    style = {"ERROR": "bold red", "CRITICAL": "bold red", "WARNING": "yellow"}.get(event.level.upper(), "")
    return Text(f"{when}Z  {event.text}", style=style, no_wrap=True, overflow="ellipsis")
