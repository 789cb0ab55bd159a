"""Kill real processes at random moments and measure from the exchange's ledger: `scripts/chaos.sh`.

Owns the sitting: one exchange, maker after maker on it, kill after kill, and the file that samples are kept in, so that
sittings add up. Every kill is at a random moment after the first order rests, with orders in flight. Invariant: the exit
code is 0 only when every sample kept its promise and its bound.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import kill_rows
import kill_table
import msgspec
from kill_kit import Exchange, Maker, until
from kill_rows import HEARTBEAT_BOUND_S, ROWS, Row, Sample, slow_rows
from kill_venues import VENUES, KillVenue
from network_cut import has_namespace

QUICK, FULL, SLOW_KILLS = 1, 20, 2
PAUSE_S = 1.5
CALM = (
    "-set", f"supervision.heartbeat_bound_s={HEARTBEAT_BOUND_S}", "-set", "supervision.heartbeat_s=0.5",
    "-set", "supervision.cell_max_restarts=1000", "-set", "supervision.backoff_s=0.1",
    "-set", "supervision.backoff_max_s=0.2",
)  # fmt: skip


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    random.seed(options.seed)
    venue = VENUES[options.venue]
    known = (*ROWS, *slow_rows(venue)) if options.full or options.rows else ROWS
    names = options.rows.split(";") if options.rows else [""]
    chosen = [row for row in known if any(_is_meant(row, name) for name in names)]
    kills = options.kills or (FULL if options.full else QUICK)
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="chaos") as folder, contextlib.closing(_exchange(folder, venue)) as exchange:
        for row in chosen:
            for sample in _kills(row, exchange, Path(folder), options.kills or SLOW_KILLS if row.is_slow else kills):
                samples.append(sample)
                _keep(sample, options.samples)
                _say(sample)
    if options.samples:
        samples = kill_table.load(Path(options.samples))
    table = kill_table.table(samples, venue)
    print("\n" + table)
    if options.docs:
        kill_table.into_docs(table, venue)
    return 1 if kill_table.broken(samples) else 0


def _is_meant(row: Row, name: str) -> bool:
    """By its whole name, or by the beginning that it shares with others."""
    return row.name == name or (name not in {each.name for each in ROWS} and row.name.startswith(name))


def _exchange(folder: str, venue: KillVenue) -> Exchange:
    return Exchange(Path(folder), venue, through_proxy=not has_namespace())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/chaos.sh", description="Kill real processes; print the kill table.")
    parser.add_argument("--full", action="store_true", help=f"{FULL} kills a row instead of {QUICK}")
    parser.add_argument("--venue", default="derive", choices=list(VENUES), help="which one is simulated (derive)")
    parser.add_argument("--kills", type=int, default=0, help="kills a row")
    parser.add_argument("--rows", default="", help="only rows that begin so; several with semicolons")
    parser.add_argument("--samples", default="", help="file of JSON lines that samples are added to; sittings add up")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/what-happens-when.md")
    parser.add_argument("--seed", type=int, default=None, help="of the moments of the kills")
    return parser


def _kills(row: Row, exchange: Exchange, folder: Path, kills: int) -> Iterator[Sample]:
    """So many kills of one row; a run that goes on is killed again and again, one that ends is followed by a new one.

    Where a venue has several modes, each has its share of the kills.
    """
    done, share = 0, -(-kills // len(exchange.venue.modes))
    while done < kills:
        maker = Maker(exchange, folder / f"maker{time.time_ns()}", *CALM)
        try:
            maker.quoting(1)
            for _ in range(1 if row.ends else min(share, kills - done)):
                done += 1
                time.sleep(random.uniform(0.0, PAUSE_S))
                yield _one(row, exchange, maker)
        finally:
            maker.close()
            until(lambda: exchange.reader.read().resting == 0, "cancel-on-disconnect after the run")


def _one(row: Row, exchange: Exchange, maker: Maker) -> Sample:
    carry_out = row.carry_out or kill_rows.strike
    try:
        sample = carry_out(row, exchange, maker)
    except AssertionError as wrong:
        return Sample(row.name, None, broken=str(wrong).splitlines()[0])
    if row.bound_s is not None and (sample.zero_s is None or sample.zero_s > row.bound_s):
        sample.broken = sample.broken or f"{sample.zero_s} s is over the bound"
    return sample


def _keep(sample: Sample, path: str) -> None:
    if path:
        with Path(path).open("ab") as file:
            file.write(msgspec.json.encode(attrs.asdict(sample)) + b"\n")


def _say(sample: Sample) -> None:
    times = " ".join(
        f"{name} {value:.3f} s" for name, value in (("zero", sample.zero_s), ("back", sample.back_s)) if value is not None
    )
    print(f"{sample.row:<28} {times} {'BROKEN: ' + sample.broken if sample.broken else ''}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
