"""`strikemaker rehearse`: runs seeds, alone or over several processes, and reports what broke.

Owns the command line, the report and the exit code. A failing seed prints its violations, the end of its timeline and
one command that replays it. Invariant: the JSON holds nothing that differs between two runs of the same code and seeds.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
from loguru import logger

from actors.console.exits import Exit
from actors.console.flags import OneLineParser
from actors.console.places import unwritable
from actors.rehearsal.faults import KINDS
from actors.rehearsal.run import Outcome, Tally, rehearse
from actors.rehearsal.targets import TARGETS
from actors.trading.errors import ConfigError

SHOWN_LINES = 60
CHUNK = 8
PROGRESS = 50
"""A line on standard error after so many runs."""


def parser() -> argparse.ArgumentParser:
    command = OneLineParser(
        "strikemaker rehearse",
        description="Seeded disasters on a virtual clock, judged by the paper exchange's own ledger.",
        allow_abbrev=False,
    )
    command.add_argument("--runs", type=int, default=100, help="how many seeds, from --seed upwards (100)")
    command.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    command.add_argument("--venue", default="derive", choices=tuple(TARGETS), help="whose protocol is spoken (derive)")
    command.add_argument("--faults", default="all", help=f"all, none, or a list out of {', '.join(KINDS)}")
    command.add_argument("--json", type=Path, default=None, help="write the report here")
    command.add_argument("--ledger", type=Path, default=None, help="write the exchange's ledger of the one run here")
    command.add_argument("--jobs", type=int, default=1, help="processes to spread the runs over (1)")
    command.add_argument("--until-failure", action="store_true", help="end at the first seed that fails")
    command.add_argument("--timeline", action="store_true", help="print the whole timeline of every run")
    return command


def kinds_of(words: str) -> tuple[str, ...]:
    """The chosen kinds in their own order; ConfigError names one that there is not."""
    if words in ("all", "none"):
        return KINDS if words == "all" else ()
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [word for word in wanted if word not in KINDS]
    if unknown:
        raise ConfigError(f"--faults: {', '.join(unknown)} unknown; choose out of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in wanted)


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    if options.runs < 1 or options.jobs < 1:
        raise ConfigError("--runs and --jobs: give 1 or more")
    if options.ledger is not None and options.runs > 1:
        raise ConfigError("--ledger: goes with --runs 1")
    for path in (options.json, options.ledger):
        problem = unwritable(path or "")
        if problem:
            raise ConfigError(f"{path}: {problem}")
    kinds = kinds_of(options.faults)
    tally = Tally(options.seed)
    started = time.monotonic()
    seeds = range(options.seed, options.seed + options.runs)
    for outcome in perform(seeds, kinds, options.venue, options.jobs):
        tally.add(outcome)
        if options.ledger is not None:
            options.ledger.write_bytes(outcome.ledger)
        if outcome.failed or options.timeline:
            print(story(outcome, options.faults, options.venue, whole=options.timeline), flush=True)
        if outcome.failed and options.until_failure:
            break
        if tally.runs % PROGRESS == 0:
            sys.stderr.write(f"{tally.runs} runs, {len(tally.failed_seeds)} failed\n")
    print(summary(tally, time.monotonic() - started))
    if options.json is not None:
        told = msgspec.json.encode(report(tally, kinds, options.venue))
        options.json.write_bytes(msgspec.json.format(told, indent=2) + b"\n")
    return Exit.NOT_CONFIRMED if tally.failed_seeds else Exit.OK


def perform(seeds: range, kinds: tuple[str, ...], venue: str, jobs: int) -> Iterator[Outcome]:
    """The outcomes in the order of the seeds, whoever worked on them."""
    if jobs == 1:
        _hush()
        yield from (rehearse(seed, kinds, venue, keep_ledger=len(seeds) == 1) for seed in seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _hush) as pool:
        yield from pool.imap(partial(rehearse, kinds=kinds, venue=venue), seeds, CHUNK)


def _hush() -> None:
    """Log lines of thousands of disasters help nobody; the timeline of a failed seed is kept by the run.

    What is loaded by now stays: the collection before each run need not look through it again (a tenth of a run's time).
    """
    logger.remove()
    gc.collect()
    gc.freeze()


def story(outcome: Outcome, faults: str, venue: str = "derive", *, whole: bool = False) -> str:
    """What a failed seed needs to be understood, and the command that plays it again."""
    lines = [f"seed {outcome.seed}: {outcome.crash or f'{len(outcome.verdict.violations)} violations'}"]
    lines += [f"  {one.invariant}: {one.text} (row {one.n})" for one in outcome.verdict.violations[:10]]
    told = outcome.timeline if whole else outcome.timeline[-SHOWN_LINES:]
    lines += [f"    {line}" for line in told]
    place = "" if venue == "derive" else f" --venue {venue}"
    lines.append(f"  replay: strikemaker rehearse --runs 1 --seed {outcome.seed}{place} --faults {faults} --timeline")
    return "\n".join(lines)


def summary(tally: Tally, took_s: float) -> str:
    broken = ", ".join(f"{name} {count}" for name, count in sorted(tally.violations.items())) or "none"
    struck = ", ".join(f"{name} {count}" for name, count in sorted(tally.faults.items())) or "none"
    return (
        f"{tally.runs} runs from seed {tally.seed} ({tally.counted} with a fill and a fault that hit a live order), "
        f"{tally.runs / max(took_s, 1e-9):.2f} runs/s; {tally.orders} orders, {tally.fills} fills, {tally.lives} lives, "
        f"{tally.foreign} orders by hand\n"
        f"faults: {struck}\nviolations: {broken}"
    )


def report(tally: Tally, kinds: tuple[str, ...], venue: str) -> dict[str, object]:
    return {
        "venue": venue,
        "runs": tally.runs,
        "seed": tally.seed,
        "counted": tally.counted,
        "violations": sum(tally.violations.values()),
        "violations_by_invariant": dict(sorted(tally.violations.items())),
        "failed_seeds": tally.failed_seeds,
        "faults": dict(sorted(tally.faults.items())),
        "fault_kinds": list(kinds),
        "fills": tally.fills,
        "orders": tally.orders,
        "foreign_orders": tally.foreign,
        "lives": tally.lives,
        "volume": format(tally.volume, "f"),
        "digest": tally.digest,
    }


if __name__ == "__main__":
    sys.exit(main())
