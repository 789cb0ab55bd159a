"""Greek and scenario limits of a rehearsal: a share of the cells has some that bind, on a follower of the book or on a
maker around fair value.

Owns their ranges, in what one contract at the money is worth. Pure: a seed in, the same limits out, whatever else the
scene has drawn. Invariant: no scene loses anything else by them.
"""

from __future__ import annotations

import random

from actors.console.settings import CellSettings

SHARE = 0.16
AROUND_FAIR = 0.3
"""So many of those quote around the venue's mark or a surface of their own, in place of the market's best."""
ONE_CONTRACT = {"max_delta": 0.5, "max_gamma": 0.0018, "max_vega": 1.4, "max_theta": 6.0, "max_scenario_loss": 150.0}
"""About what one contract at the money makes of each metric, five days before its end."""
NEAR = {"base_bps": 0.0, "vol_of_vol_points": 0.0, "adverse_weight": 0.0, "doubt_weight": 0.2, "required_edge": 0.2}
"""Close enough to fair value to be filled within a minute."""
PATIENCE = 1.0
"""Requote threshold, quote currency: an index tick alone is seldom worth a request here."""


def limit_greeks(seed: int, cell: CellSettings) -> None:
    """Sets what the seed says; leaves most cells alone."""
    rng = random.Random(f"greeks {seed}")
    if rng.random() >= SHARE:
        return
    limits, size = cell.limits, cell.quoting.size or 0.1
    for name in rng.sample(sorted(ONE_CONTRACT), rng.choice((1, 2))):
        setattr(limits, name, rng.choice((1.2, 2.0, 3.0)) * size * ONE_CONTRACT[name])
    limits.expiry_share = rng.choice((1.0, 1.0, 0.7))
    limits.scenario_spot, limits.scenario_vol = [-0.1, 0.1], rng.choice(([0.0], [-0.2, 0.2]))
    if rng.random() < AROUND_FAIR:
        cell.quoting.strategy, cell.quoting.requote_threshold = "theoretical", PATIENCE
        cell.quoting.params = NEAR | {"position_skew": rng.choice((0.0, 0.5))}
