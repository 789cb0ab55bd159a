"""How much time a rehearsal packs into a second: virtual minutes per wall second, with every fault and with none.

A rehearsal is a whole company on a virtual clock in this process: paper exchange, cell, guard, disasters, judge. The
figure says how many nights of trading fit into a coffee break. `run` is called by `python -m benchmarks rehearse`.
"""

from __future__ import annotations

import time
from typing import Any

from loguru import logger

from actors.rehearsal.faults import KINDS
from actors.rehearsal.run import SETTLE_S, rehearse
from actors.rehearsal.scene import draw_scene
from benchmarks.rounds import Medians, one_core, print_table

FIRST_SEED = 1


def minutes_per_second(seed: int, kinds: tuple[str, ...]) -> float:
    """One seed. ArithmeticError when the run itself fails: a crash is fast."""
    virtual_s = draw_scene(seed, kinds).length_s + 2 * SETTLE_S
    started = time.perf_counter()
    outcome = rehearse(seed, kinds)
    if outcome.crash:
        raise ArithmeticError(f"rehearsal of seed {seed} crashed: {outcome.crash}")
    return virtual_s / 60 / (time.perf_counter() - started)


def run(rounds: int, quick: bool) -> dict[str, Any]:
    """Prints a table of wall microseconds per virtual second; {"ratios": virtual minutes per wall second, "medians"}."""
    logger.disable("actors")
    variants: dict[str, tuple[str, ...]] = {"no faults": (), "every fault": KINDS}
    found: dict[str, list[float]] = {name: [] for name in variants}
    with one_core():
        for number in range(1 if quick else rounds + 1):
            for name, kinds in variants.items():
                found[name].append(minutes_per_second(FIRST_SEED + number, kinds))
    logger.enable("actors")
    costs = Medians({name: [1e6 / (60 * speed) for speed in speeds] for name, speeds in found.items()})
    print_table("A second of a rehearsal", costs, "no faults", {})
    speeds = Medians(found)
    print("\nvirtual minutes per wall second: " + ", ".join(f"{name} {speeds[name]:.1f}" for name in variants))
    return {
        "ratios": {f"virtual minutes per wall second, {name}": speeds[name] for name in variants},
        "medians": {name: costs[name] for name in variants},
    }
