"""The kill table: samples in, markdown out, and its place in the documentation.

Pure but for the two files. Invariant: a row shows how many kills it rests on, and a broken promise is never averaged away.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec
from kill_kit import ROOT
from kill_rows import ROWS, Row, Sample, ignored, slow_rows
from kill_venues import KillVenue

DOCS = ROOT / "docs" / "what-happens-when.md"


def load(path: Path) -> list[Sample]:
    return [Sample(**msgspec.json.decode(line)) for line in path.read_bytes().splitlines()]


def broken(samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.broken]


def table(samples: Sequence[Sample], venue: KillVenue) -> str:
    lines = [
        "| killed | kills | median s to zero | worst s | bound s | trading possible again after, s (median, worst) "
        "| what happens | broken |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in (*ROWS, *slow_rows(venue)):
        mine = [sample for sample in samples if sample.row == row.name]
        if mine:
            lines.append(_line(row, mine))
    return "\n".join(lines)


def _line(row: Row, samples: Sequence[Sample]) -> str:
    zeros = [sample.zero_s for sample in samples if sample.zero_s is not None]
    backs = [sample.back_s for sample in samples if sample.back_s is not None]
    median, worst = _figures(zeros)
    back = " / ".join(_figures(backs)) if backs else ""
    bound = f"{row.bound_s:g}" if row.bound_s is not None else "untouched" if row.carry_out is ignored else "may rest"
    cells = [row.name, str(len(samples)), median, worst, bound, back, row.means, str(len(broken(samples)))]
    return "| " + " | ".join(cells) + " |"


def _figures(times: Sequence[float]) -> tuple[str, str]:
    return (f"{statistics.median(times):.3f}", f"{max(times):.3f}") if times else ("", "")


def into_docs(text: str, venue: KillVenue) -> None:
    """Between the venue's own two marks."""
    page = DOCS.read_text()
    begin, end = (f"<!-- kill table {venue.name}: {edge} -->" for edge in ("begin", "end"))
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    DOCS.write_text(f"{before}{begin}\n{text}\n{end}{after}")
