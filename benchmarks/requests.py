"""How many requests does it cost to move a quote? Counted by the exchange, on one expiry of both venues, side by side.

A whole cell quotes every option of an expiry (48 of them) while an index with jumps moves the market: on Derive, on
Deribit in single orders, and on Deribit in mass quotes. From the exchange's ledger: every request that places, moves or
cancels, and every instrument whose resting price it changed (both sides within a moment of each other are one repricing).
A move is what follows a jump of the index until the slowest of the other makers has seen it; those that reprice at least
forty instruments are counted apart, and so is what it took until the fortieth was repriced. Virtual time: the same seed
gives the same figures on any machine. Invariant: all three see the same index.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

import attrs
import trio
import trio.testing
from loguru import logger

from actors.console.settings import Settings
from actors.rehearsal.stage import Stage, open_stage, paper_settings
from actors.venues.paper.run import PaperRun, Worlds

STRIKES = 24
LARGE = 40
"""Instruments that a move must reprice to count as one of the whole board."""
WARM_S = 30.0
MOST_SEEDS = 3
JUMP = 0.003
"""Of the index, from one look to the next: more than an ordinary second brings."""
LOOK_S = 0.02
MOVE_S = 5.0
"""How long what follows a jump is counted with it: the slowest of the other makers sees it after 3 s and looks every 2."""
MOMENT_NS = 50_000_000
ACCOUNT = 30_001
ORDERING = ("private/order", "private/replace", "private/buy", "private/sell", "private/edit", "private/mass_quote")
FORMS = {"derive": ("derive", "auto"), "deribit orders": ("deribit", "orders"), "deribit mass": ("deribit", "mass")}
Row = dict[str, Any]


@attrs.define
class Tally:
    """What one stretch of the ledger held."""

    requests: int = 0
    repricings: int = 0
    instruments: set[str] = attrs.field(factory=set)
    """Repriced at least once."""
    until_large: int = 0
    """Requests until `LARGE` of them had been; 0 while they have not."""

    def add(self, other: Tally) -> None:
        self.requests += other.requests
        self.repricings += other.repricings
        self.instruments |= other.instruments


class Counter:
    """Follows the ledger's rows; prices are remembered from the beginning on."""

    def __init__(self) -> None:
        self._prices: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}
        """By instrument: the venue's time of its latest change of price."""

    def take(self, rows: Iterable[Row]) -> Tally:
        tally = Tally()
        for row in rows:
            if row["kind"] == "request" and (row["method"] in ORDERING or row["method"].startswith("private/cancel")):
                tally.requests += 1
            elif row["kind"] == "order" and row["status"] == "open" and row["account"] == ACCOUNT:
                self._hear(row, tally)
        return tally

    def _hear(self, row: Row, tally: Tally) -> None:
        name, place = row["instrument"], (row["instrument"], row["side"])
        before, self._prices[place] = self._prices.get(place), row["price"]
        if before in (None, row["price"]):
            return
        if row["t"] - self._last.get(name, 0) > MOMENT_NS:
            tally.repricings += 1
        self._last[name] = row["t"]
        tally.instruments.add(name)
        if len(tally.instruments) == LARGE and not tally.until_large:
            tally.until_large = tally.requests


def _settings(venue: str, mode: str) -> Settings:
    settings = paper_settings()
    settings.venue.exchange = venue
    cell = settings.cells[0]
    cell.quoting.quote_mode = mode
    cell.limits.max_position, cell.limits.max_exposure = 50.0, 5000.0
    cell.mmp.amount_limit = 4000.0  # no trip in a benchmark
    return settings


async def _run(form: str, seed: int, strikes: int, seconds: float) -> dict[str, float]:
    venue, mode = FORMS[form]
    world = {"strikes": strikes, "dailies": 0, "weeklies": 0, "jumps_per_day": 4000.0, "jump_std_fraction": 0.01,
             "taker_rate_per_s": 0.01}  # fmt: skip
    paper = PaperRun(venue=venue, seed=seed, keep_records=True, record_market=False, world=world)
    async with open_stage(paper, seed=seed) as stage:
        cell = stage.cell(_settings(venue, mode))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await trio.sleep(WARM_S)
            figures = await _watch(stage, seconds)
            nursery.cancel_scope.cancel()
    return figures


async def _watch(stage: Stage, seconds: float) -> dict[str, float]:
    records, counter = stage.exchange.ledger.records, Counter()
    seen = len(records)
    counter.take(records)
    whole, large = Tally(), Tally()
    moves = until_large = 0
    end = trio.current_time() + seconds
    while trio.current_time() < end:
        jumped = await _until_jump(stage, end)
        whole.add(counter.take(records[seen:]))
        seen = len(records)
        if not jumped:
            break
        await trio.sleep(MOVE_S)
        move = counter.take(records[seen:])
        seen = len(records)
        whole.add(move)
        if move.until_large:
            large.add(move)
            moves, until_large = moves + 1, until_large + move.until_large
    return {
        "instruments": float(len(whole.instruments)),
        "requests": float(whole.requests),
        "repricings": float(whole.repricings),
        "per repricing": whole.requests / max(1, whole.repricings),
        "moves": float(moves),
        "moves, per repricing": large.requests / max(1, large.repricings),
        "moves, until the 40th": until_large / max(1, moves * LARGE),
    }


async def _until_jump(stage: Stage, end: float) -> bool:
    worlds = stage.exchange.world
    assert isinstance(worlds, Worlds)  # the run asked for one
    world = worlds.each[0]
    before = world.index
    while trio.current_time() < end:
        await trio.sleep(LOOK_S)
        now = world.index
        if abs(now / before - 1) > JUMP:
            return True
        before = now
    return False


def measure(form: str, seed: int, strikes: int, seconds: float) -> dict[str, float]:
    """One virtual run."""
    return trio.run(_run, form, seed, strikes, seconds, clock=trio.testing.MockClock(autojump_threshold=0))


def run(rounds: int, quick: bool) -> dict[str, Any]:
    """A round is a seed."""
    logger.remove()
    strikes, seconds, seeds = (4, 20.0, 1) if quick else (STRIKES, 120.0, min(rounds, MOST_SEEDS))
    print(f"\n{2 * strikes} instruments, {seconds:.0f} s of market with jumps of the index, seeds 1 to {seeds}; medians")
    print(f"{'':16s}{'requests':>10s}{'repricings':>12s}{'per repricing':>15s}{'moves':>8s}", end="")
    print(f"{'per repricing':>15s}{'until the 40th':>16s}   (moves that reprice {LARGE} instruments or more)")
    medians: dict[str, float] = {}
    for form in FORMS:
        runs = [measure(form, seed, strikes, seconds) for seed in range(1, seeds + 1)]
        row = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
        print(
            f"{form:16s}{row['requests']:10.0f}{row['repricings']:12.0f}{row['per repricing']:15.3f}{row['moves']:8.0f}"
            f"{row['moves, per repricing']:15.3f}{row['moves, until the 40th']:16.3f}",
            flush=True,
        )
        medians |= {f"{form} {name}": value for name, value in row.items()}
    names = ("per repricing", "moves, per repricing", "moves, until the 40th")
    ratios = {f"{form}: requests {name}": medians[f"{form} {name}"] for form in FORMS for name in names}
    return {"ratios": ratios, "medians": medians, "absent": []}
