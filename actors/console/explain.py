"""`strikemaker explain INSTRUMENT`: the terms that made the present bid and ask of a running maker.

Reads the latest run's `status.json`, which the supervisor writes every other second; asks no process and no venue.
Invariant: says how old what it shows is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.table import Table

from actors.clock import Clock
from actors.console.exits import Exit
from actors.console.flags import OneLineParser, two_dashes
from actors.console.listing import same_instrument
from actors.console.page import Page
from actors.console.snapshots import CellSnapshot, InstrumentRow, duration_text
from actors.trading.errors import ConfigError


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(two_dashes(argv))
    file = _status_file(options.run, options.folder)
    try:
        cells = msgspec.json.decode(file.read_bytes(), type=list[CellSnapshot])
    except msgspec.DecodeError as error:
        raise ConfigError(f"{file}: cannot be read ({error}); name another run with --run") from None
    cell, row = _find(cells, options.instrument)
    _print(cell, row)
    return Exit.OK


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        "strikemaker explain", description="Show the terms that made the quotes of an instrument.", allow_abbrev=False
    )
    parser.add_argument("instrument", help="its name, in either venue's spelling")
    parser.add_argument("--run", default="", help="folder of the run (the latest)")
    parser.add_argument("--folder", default="runs", help="where runs are kept (journal.folder)")
    return parser


def _status_file(run: str, folder: str) -> Path:
    found = [Path(run) / "status.json"] if run else sorted(Path(folder).glob("*/status.json"))
    if not found or not found[-1].is_file():
        raise ConfigError(f"no status.json below {run or folder}; start a run, or name its folder with --run")
    return found[-1]


def _find(cells: Sequence[CellSnapshot], wanted: str) -> tuple[CellSnapshot, InstrumentRow]:
    for cell in cells:
        for row in cell.rows:
            if same_instrument(row.instrument, wanted):
                return cell, row
    known = ", ".join(row.instrument for cell in cells for row in cell.rows[:4]) or "none"
    raise ConfigError(f"instrument: {wanted} is not quoted in this run; quoted are for example {known}")


def _print(cell: CellSnapshot, row: InstrumentRow) -> None:
    console = Page(highlight=False)
    age_s = Clock().now_s() - cell.time_s
    console.print(f"{row.instrument} in {cell.cell}, {duration_text(age_s)} ago: {row.state} {row.reason}".rstrip())
    table = Table("term", "value", box=None)
    table.columns[1].justify = "right"
    quotes = {"market bid": row.market_bid, "bid": row.bid, "ask": row.ask, "market ask": row.market_ask, "mark": row.mark}
    for name, price in quotes.items():
        table.add_row(name, "none" if price is None else f"{price:.{row.decimals}f}")
    for name, value in row.terms.items():
        table.add_row(name.replace("_", " "), f"{value:.6g}")
    console.print(table)
