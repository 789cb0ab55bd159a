"""The strategy study: is `theoretical` with skew and protections worth more than `improve`, and what is each part worth?

Plays every variant on the same seeds of the paper world and compares them in pairs; sweeps the share of informed takers;
widens a quote to see fills thin out. Parameters, worlds and seeds are fixed in `study_terms.py` and `study_variants.py`.
Runs are kept in a file of rows (`--rows`), so that a long study can be stopped and taken up again; rows of other code
or parameters must not be mixed with it. Invariant: a figure is only ever made of whole, paired runs.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from actors.console.settings import QuotingSettings
from actors.venues.paper.market import WorldSettings
from benchmarks import study_variants as variants
from benchmarks.study_figures import MEASURES, break_even, compare, summary, text
from benchmarks.study_run import Outcome, play
from benchmarks.study_terms import (
    CALM,
    INFORMED_SWEEP,
    MARK_STD_VOL_POINTS,
    RUN_S,
    SEEDS,
    THIN,
    THIN_MARK_STD_VOL_POINTS,
    THIN_SEEDS,
    WORLD,
)

WIDENING = (0.2, 0.6, 1.2, 2.4)
"""Required edge of a fixed-distance quote, quote currency per unit."""
PARTS = {"widening": 0.05, "contributions": 0.2, "sweep": 0.12, "calm": 0.2, "shipped": 0.05}
"""Side tables are played on the first of the seeds only, this part of them; the duel is played on all."""


@attrs.define
class Study:
    """Plays what has not been played yet; `say` is told of progress."""

    seeds: Sequence[int]
    run_s: float = RUN_S
    rows: Path | None = None
    say: Callable[[str], None] = print
    _played: dict[tuple[str, int], Outcome] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.rows is not None and self.rows.exists():
            for line in self.rows.read_text().splitlines():
                row = json.loads(line)
                self._played[row.pop("cell"), row["seed"]] = msgspec.convert(row, _Row).outcome()

    def first(self, table: str) -> Sequence[int]:
        """The seeds of a side table, three at least."""
        return self.seeds[: max(3, round(len(self.seeds) * PARTS[table]))]

    def outcomes(
        self,
        cell: str,
        quoting: QuotingSettings,
        seeds: Sequence[int],
        world: WorldSettings = WORLD,
        mark_std_vol_points: float = MARK_STD_VOL_POINTS,
    ) -> list[Outcome]:
        """One cell of a table: a variant in a world on these seeds, in their order."""
        missing = [seed for seed in seeds if (cell, seed) not in self._played]
        for seed in missing:
            outcome = play(seed, world, quoting, run_s=self.run_s, mark_std_vol_points=mark_std_vol_points)
            self._played[cell, seed] = outcome
            self._keep(cell, outcome)
        if missing:
            self.say(f"  {cell}: {len(missing)} runs")
            gc.collect()
        return [self._played[cell, seed] for seed in seeds]

    def _keep(self, cell: str, outcome: Outcome) -> None:
        if self.rows is not None:
            with self.rows.open("a") as file:
                file.write(json.dumps({"cell": cell, **attrs.asdict(outcome)}) + "\n")


class _Row(msgspec.Struct):
    """An outcome as it comes back from the file."""

    seed: int
    pnl: float
    hedged: float
    fees: float
    captured: float
    fills: int
    contracts: float
    adverse: list[float]
    adverse_contracts: list[float]
    requests: int
    refused: int
    deepest: float

    def outcome(self) -> Outcome:
        facts = msgspec.structs.asdict(self)
        return Outcome(**facts | {name: tuple(facts[name]) for name in ("adverse", "adverse_contracts")})


# -- the tables


def widening(study: Study) -> list[dict[str, Any]]:
    """Fills against distance: without this, profit in simulation means nothing."""
    seeds = study.first("widening")
    print(f"\nFills as the quote widens ({len(seeds)} seeds)")
    rows = []
    for edge in WIDENING:
        found = summary(study.outcomes(f"wide {edge:g}", variants.wide(edge), seeds))
        print(f"  edge {edge:4.1f}: {found.fills:6.1f} fills, {found.contracts:6.1f} contracts a run")
        rows.append({"edge": edge, "fills": found.fills, "contracts": found.contracts})
    return rows


def duel(study: Study) -> dict[str, Any]:
    """The headline: `full` against `improve` on every seed."""
    ours = study.outcomes("full", variants.full(), study.seeds)
    theirs = study.outcomes("improve", variants.improve(), study.seeds)
    return _versus("full", ours, "improve", theirs)


def thin_duel(study: Study) -> dict[str, Any]:
    """The same two where half-spreads are below the fee, as recorded, on seeds of their own."""
    seeds = THIN_SEEDS[: len(study.seeds)]
    cells = [
        study.outcomes(f"thin {name}", quoting, seeds, THIN, THIN_MARK_STD_VOL_POINTS)
        for name, quoting in (("full", variants.full()), ("improve", variants.improve()))
    ]
    return _versus("thin full", cells[0], "thin improve", cells[1])


def calm_duel(study: Study) -> dict[str, Any]:
    """The same two in the paper's own calm market, with a mark that is exact."""
    seeds = study.first("calm")
    cells = [
        study.outcomes(f"calm {name}", quoting, seeds, CALM, 0.0)
        for name, quoting in (("full", variants.full()), ("improve", variants.improve()))
    ]
    return _versus("calm full", cells[0], "calm improve", cells[1])


def shipped(study: Study) -> dict[str, Any]:
    """Both with every parameter as shipped."""
    seeds = study.first("shipped")
    found = {}
    print(f"\nAs shipped ({len(seeds)} seeds)")
    for name, quoting in (("improve", variants.shipped_improve()), ("theoretical", variants.shipped_theoretical())):
        row = summary(study.outcomes(f"shipped {name}", quoting, seeds))
        print(f"  {name:<12} pnl {text(row.pnl)}  fills {row.fills:.1f}")
        found[name] = attrs.asdict(row)
    return found


def contributions(study: Study) -> dict[str, Any]:
    """What each part adds: `full` less itself without the part, paired."""
    seeds = study.first("contributions")
    everything = study.outcomes("full", variants.full(), seeds)
    print(f"\nWhat each part adds ({len(seeds)} seeds): full less full without it")
    print(f"  {'without':<26} {'pnl':>22} {'hedged pnl':>22} {'variance of hedged, ratio':>28}")
    found = {}
    for name, build in variants.SWITCHED_OFF.items():
        without = study.outcomes(name, build(), seeds)
        pnl, hedged = (compare(everything, without, measure) for measure in MEASURES)
        print(f"  {name:<26} {text(pnl.difference):>22} {text(hedged.difference):>22} {text(hedged.variance_ratio):>28}")
        found[name] = {"pnl": attrs.asdict(pnl), "hedged": attrs.asdict(hedged), "without": attrs.asdict(summary(without))}
    return found


def sweep(study: Study) -> dict[str, Any]:
    """Profit over the share of informed takers, and where it ends."""
    return _sweep(study, "", study.first("sweep"), WORLD, MARK_STD_VOL_POINTS)


def thin_sweep(study: Study) -> dict[str, Any]:
    """The same where half-spreads are below the fee."""
    return _sweep(study, "thin ", THIN_SEEDS[: len(study.first("sweep"))], THIN, THIN_MARK_STD_VOL_POINTS)


def _sweep(study: Study, prefix: str, seeds: Sequence[int], world: WorldSettings, mark_std: float) -> dict[str, Any]:
    print(f"\n{prefix}informed takers ({len(seeds)} seeds): mean profit a run")
    found: dict[str, Any] = {"shares": list(INFORMED_SWEEP)}
    for name, build in (("improve", variants.improve), ("full", variants.full)):
        rows = []
        for share in INFORMED_SWEEP:
            other = attrs.evolve(world, informed_share=share)
            cell = f"{prefix}{name}" if share == world.informed_share else f"{prefix}{name} informed {share:g}"
            rows.append(summary(study.outcomes(cell, build(), seeds, other, mark_std)))
        ends = {measure: break_even(INFORMED_SWEEP, [getattr(row, measure)[0] for row in rows]) for measure in MEASURES}
        shown = "  ".join(f"{share:.0%}: {text(row.pnl)}" for share, row in zip(INFORMED_SWEEP, rows, strict=True))
        print(f"  {name:<8} raw    {shown}")
        print(f"  {'':<8} hedged " + "  ".join(text(row.hedged) for row in rows))
        print(f"  {'':<8} earns nothing from {ends['pnl']} (raw), {ends['hedged']} (hedged); None: no crossing")
        found[name] = {"rows": [attrs.asdict(row) for row in rows], "break_even": ends}
    return found


def _versus(name: str, ours: Sequence[Outcome], other: str, theirs: Sequence[Outcome]) -> dict[str, Any]:
    print(f"\n{name} against {other} ({len(ours)} paired seeds)")
    rows = {label: summary(cell) for label, cell in ((name, ours), (other, theirs))}
    for label, row in rows.items():
        adverse = " / ".join(f"{each:.2f}" for each in row.adverse_per_contract)
        print(f"  {label:<14} pnl {text(row.pnl)} std {row.pnl_std:.2f}; hedged {text(row.hedged)} std {row.hedged_std:.2f}")
        print(
            f"  {'':<14} {row.fills:.1f} fills, {row.contracts:.1f} contracts; per contract: captured"
            f" {row.captured_per_contract:.2f}, fee {row.fee_per_contract:.2f}, adverse {adverse}; worst {row.worst_pnl:.1f}"
        )
    compared = {measure: compare(ours, theirs, measure) for measure in MEASURES}
    for measure, found in compared.items():
        print(f"  {measure:<7} difference {text(found.difference)}, variance ratio {text(found.variance_ratio)}")
    figures = {label: attrs.asdict(row) for label, row in rows.items()}
    return figures | {measure: attrs.asdict(found) for measure, found in compared.items()}


TABLES: dict[str, Callable[[Study], Any]] = {
    "widening": widening,
    "duel": duel,
    "thin": thin_duel,
    "thin_sweep": thin_sweep,
    "contributions": contributions,
    "sweep": sweep,
    "calm": calm_duel,
    "shipped": shipped,
}


def run(rounds: int = len(SEEDS), quick: bool = False, rows: Path | None = None) -> dict[str, Any]:
    """Every table on `rounds` seeds; `quick`: four seeds of half a minute, to see that it runs."""
    seeds = list(SEEDS)[: 4 if quick else rounds]
    study = Study(seeds, run_s=30.0 if quick else RUN_S, rows=rows)
    gc.disable()  # a run makes much garbage and few cycles
    try:
        return {"seeds": len(seeds), "run_s": study.run_s} | {name: table(study) for name, table in TABLES.items()}
    finally:
        gc.enable()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="study", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many of the evaluation seeds (default: all)")
    parser.add_argument("--quick", action="store_true", help="four short runs of everything")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="keep every run here, and take up what is there")
    given = parser.parse_args(arguments)
    figures = run(given.seeds, given.quick, given.rows)
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
