"""The tables of Avellaneda and Stoikov (2008), section 3.3, from the formulas our strategy quotes with.

Mid 100, one day, sigma 2, steps of 0.005, A 140, k 1.5, a thousand paths; in each step the mid moves by sigma sqrt(dt)
up or down and each side fills with probability A exp(-k distance) dt, literally. The inventory strategy quotes about
the reservation price; the symmetric one quotes the same average spread about the mid. Prints ours beside theirs.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from actors.trading.strategies.avellaneda_stoikov import half_spread, reservation_shift

MID, HORIZON, SIGMA, STEP, K, ARRIVALS, PATHS = 100.0, 1.0, 2.0, 0.005, 1.5, 140.0, 1000

PUBLISHED = {
    (0.1, "inventory"): (65.0, 6.6, 2.9),
    (0.1, "symmetric"): (68.4, 12.7, 8.4),
    (0.01, "inventory"): (68.6, 8.7, 5.1),
    (0.01, "symmetric"): (68.8, 12.8, 8.7),
    (1.0, "inventory"): (31.4, 5.0, 1.7),
    (1.0, "symmetric"): (44.0, 11.0, 5.1),
}
"""By risk aversion and strategy: mean profit, its standard deviation, standard deviation of the final inventory."""

Floats = NDArray[np.float64]


@attrs.frozen(eq=False)
class Outcome:
    """One number a path."""

    profit: Floats
    inventory: Floats

    def figures(self) -> tuple[float, float, float]:
        """Mean profit, standard deviation of profit, standard deviation of final inventory."""
        return float(self.profit.mean()), float(self.profit.std(ddof=1)), float(self.inventory.std(ddof=1))


def simulate(gamma: float, strategy: str, paths: int, seed: int) -> Outcome:
    """Profit is cash plus inventory at the last mid."""
    rng = np.random.default_rng(seed)
    steps = round(HORIZON / STEP)
    mid, cash, inventory = np.full(paths, MID), np.zeros(paths), np.zeros(paths)
    average = sum(half_spread(gamma, SIGMA, HORIZON - i * STEP, K) for i in range(steps)) / steps
    for i in range(steps):
        left = HORIZON - i * STEP
        if strategy == "inventory":
            shift = inventory * reservation_shift(1.0, gamma, SIGMA, left)
            half = half_spread(gamma, SIGMA, left, K)
        else:
            shift, half = np.zeros(paths), average
        sold, bought = (_fills(distance, rng) for distance in (half + shift, half - shift))
        cash += sold * (mid + half + shift) - bought * (mid - half + shift)
        inventory += bought - sold
        mid += SIGMA * math.sqrt(STEP) * rng.choice((-1.0, 1.0), paths)
    return Outcome(cash + inventory * mid, inventory)


def _fills(distance: Floats, rng: np.random.Generator) -> Floats:
    """1 where a quote at this distance from the mid is hit within a step."""
    chance = ARRIVALS * np.exp(-K * distance) * STEP
    return (rng.random(distance.shape) < chance).astype(np.float64)


def run(rounds: int = 1, quick: bool = False) -> dict[str, Any]:
    """Every table row, ours and the published one; `rounds` seeds are pooled, `quick` uses a tenth of the paths."""
    paths = PATHS // 10 if quick else PATHS
    print(f"{'gamma':>6} {'strategy':>10} {'profit':>14} {'std profit':>14} {'std final q':>14}   (ours / published)")
    rows = []
    for (gamma, strategy), published in PUBLISHED.items():
        outcomes = [simulate(gamma, strategy, paths, seed) for seed in range(rounds)]
        pooled = Outcome(
            np.concatenate([one.profit for one in outcomes]), np.concatenate([one.inventory for one in outcomes])
        )
        ours = pooled.figures()
        cells = " ".join(f"{mine:7.1f}/{theirs:6.1f}" for mine, theirs in zip(ours, published, strict=True))
        print(f"{gamma:6.2f} {strategy:>10} {cells}")
        rows.append({"gamma": gamma, "strategy": strategy, "ours": ours, "published": published})
    return {"paths": paths * rounds, "rows": rows}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    run(arguments.rounds, arguments.quick)
