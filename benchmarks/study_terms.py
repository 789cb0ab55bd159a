"""What the strategy study holds fixed: the worlds, the maker's common settings, the seeds and the variants.

`CALM` is the paper exchange's own market with one weekly expiry: rivals who agree within 0.15 vol points, half-spreads
four times the fee, so that whoever undercuts them by a dime lives on their work. In `WORLD` rivals disagree by 0.6 points,
and so does the venue's mark from the truth. `THIN` is to the recorded venues' measure, where fees exceed the half-spread
of most filled options: spreads are cut so that the median half-spread beside us (0.25) is under the fee (0.30). All have a
jump every quarter of an hour on average. Each was written down before its first evaluated run, in this order; `THIN` came
when `WORLD` had been evaluated, its makers unchanged, and is played on seeds of its own. Parameters of `theoretical` were
chosen in `WORLD` on `TUNING_SEEDS` only.
Invariant: variants differ in nothing but what their name says.
"""

from __future__ import annotations

import attrs

from actors.console.settings import LimitSettings
from actors.venues.paper.terms import WorldSettings

CALM = WorldSettings.usual(
    "ETH",
    dailies=0,
    weeklies=1,
    monthlies=0,
    quarters=0,
    strikes=7,
    jumps_per_day=96.0,
    jump_std_fraction=0.0015,
    perp_share=0.0,
    taker_rate_per_s=2.0,
    informed_share=0.1,
    rival_levels=1,
)
WORLD = attrs.evolve(CALM, rival_view_std_vol_points=0.6)
THIN = attrs.evolve(WORLD, rival_width=(0.3, 0.36, 0.45), rival_view_std_vol_points=0.2)
MARK_STD_VOL_POINTS = 0.6
"""The venue's mark strays as far as a rival does, once for all strikes and once for each; `CALM` has it exact."""
THIN_MARK_STD_VOL_POINTS = 0.2
RUN_S = 120.0
"""One run, venue time."""
WARM_UP_S = 5.0
"""The maker watches for this long before it quotes; nothing of it is counted."""
REACTION_S = 0.2
"""From the venue's news to our request in its engine, all delays together."""

QUOTED_NEAR = 0.075
"""Quoted: out-of-the-money options (and both at the money) with strikes within this part of the opening index."""
SIZE = 0.5
"""Contracts a side."""

SEEDS = range(1, 201)
THIN_SEEDS = range(201, 401)
TUNING_SEEDS = range(10_001, 10_061)
INFORMED_SWEEP = (0.0, 0.1, 0.2, 0.3, 0.4)


def limits() -> LimitSettings:
    """Every variant's limits, `improve` too: the gate is no part of a strategy."""
    return LimitSettings(
        max_position=2.0,
        max_exposure=12.0,
        max_delta=3.0,
        max_vega=8.0,
        max_gamma=0.02,
        max_scenario_loss=2500.0,
        scenario_spot=[-0.1, 0.1],
        scenario_vol=[0.0],
    )
