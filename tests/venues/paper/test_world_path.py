"""The world is a function of its seed and of time, and of nothing else."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import mean, pstdev

import attrs
import pytest
from open_pit import OpenPit

from actors.trading.errors import ConfigError
from actors.trading.pricing import SECONDS_PER_YEAR
from actors.venues.paper.index_path import IndexPath
from actors.venues.paper.market import World, WorldSettings

NOW_NS = 1_795_338_000 * 10**9
SECOND_NS = 10**9
SMALL = WorldSettings(dailies=1, weeklies=1, monthlies=0, quarters=0, strikes=5, taker_rate_per_s=2.0)

DIGEST_SCRIPT = """
from open_pit import OpenPit
from test_world_path import SMALL, run
print(run(SMALL, 7, 60).digest)
"""


def run(settings: WorldSettings, seed: int, seconds: int, *, every_s: float = 0.2) -> OpenPit:
    pit = OpenPit()
    world = World(settings, "derive", pit, seed)
    world.open(NOW_NS)
    for n in range(1, round(seconds / every_s) + 1):
        world.step(NOW_NS + int(n * every_s * SECOND_NS))
    return pit


def test_one_seed_makes_one_world() -> None:
    """Everything that the world does to the exchange, to the last digit, follows from the seed; another seed differs."""
    first = run(SMALL, 3, 60)
    assert first.trades
    assert first.digest == run(SMALL, 3, 60).digest
    assert first.digest != run(SMALL, 4, 60).digest


def test_a_world_does_not_depend_on_the_hash_seed_of_the_process() -> None:
    """Two interpreters with different hash seeds build the same world."""
    here = Path(__file__).parent
    root = here.parents[2]
    digests = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{root}{os.pathsep}{here}"}
        done = subprocess.run(
            [sys.executable, "-c", DIGEST_SCRIPT], env=environment, cwd=root, capture_output=True, text=True, check=True
        )
        digests.append(done.stdout)
    assert digests[0] == digests[1]
    assert len(digests[0].strip()) == 64


def test_the_index_does_not_depend_on_how_often_the_world_is_stepped() -> None:
    """Index and takers' arrivals at a world time are the same whether it came in small or in large steps."""
    fine, coarse = run(SMALL, 5, 60, every_s=0.1), run(SMALL, 5, 60, every_s=5.0)
    assert fine.index == coarse.index
    assert fine.calls["index"] > coarse.calls["index"]


def test_a_long_sleep_is_caught_up_on_the_same_path() -> None:
    """Takers that came while nobody stepped the world for ten minutes meet the index of their own moment."""
    pit = OpenPit()
    world = World(SMALL, "derive", pit, 5)
    world.open(NOW_NS)
    world.step(NOW_NS + 600 * SECOND_NS)
    assert pit.index == run(SMALL, 5, 600, every_s=60.0).index
    assert pit.calls["index"] > 600 * SMALL.taker_rate_per_s * 0.8


def test_the_index_does_not_depend_on_who_trades() -> None:
    """Two worlds with different rivals and takers walk the same path on one seed."""
    crowded = attrs.evolve(SMALL, taker_rate_per_s=20.0, informed_share=1.0)
    lonely = attrs.evolve(SMALL, rival_delay_s=(), rival_look_s=(), rival_width=(), taker_rate_per_s=0.0)
    assert run(crowded, 5, 30).index == run(lonely, 5, 30).index


def test_speed_scales_the_world_and_not_the_clock_of_the_venue() -> None:
    """Ten times the speed for a tenth of the time reaches the same index, while expiries stay where they were."""
    slow, fast = run(SMALL, 6, 100), run(attrs.evolve(SMALL, speed=10.0), 6, 10)
    assert slow.index == fast.index
    assert slow.instruments == fast.instruments


def test_a_frozen_world_repeats_itself() -> None:
    """Nothing moves in a frozen world: no quote, no trade, no other index or mark; both are only said again."""
    frozen = attrs.evolve(SMALL, frozen=True)
    pit = OpenPit()
    world = World(frozen, "derive", pit, 1)
    world.open(NOW_NS)
    index, references, quotes, said = dict(pit.index), dict(pit.references), pit.calls["quotes"], pit.calls["index"]
    for n in range(1, 601):
        world.step(NOW_NS + n * SECOND_NS)
    assert pit.index == index
    assert pit.references == references
    assert pit.calls["quotes"] == quotes
    assert pit.calls["take"] == 0
    assert pit.calls["index"] == said + 600


def test_realised_volatility_is_the_volatility_asked_for() -> None:
    """Without jumps, the path's own volatility comes out at the setting, within sampling error."""
    settings = WorldSettings(vol_annual=0.65, vol_of_variance_annual=0.0, jumps_per_day=0.0, tick_interval_s=60.0)
    path = IndexPath(settings, Random(1))
    path.extend(4_000 * 60.0)
    returns = [math.log(path.price(60.0 * (n + 1)) / path.price(60.0 * n)) for n in range(4_000)]
    realised = pstdev(returns) * math.sqrt(SECONDS_PER_YEAR / 60.0)
    assert realised == pytest.approx(0.65, rel=0.05)


def test_jumps_come_as_often_as_they_should() -> None:
    """At a hundred jumps a day the path holds about that many moves no diffusion could make."""
    settings = WorldSettings(vol_annual=0.01, jumps_per_day=100.0, jump_std_fraction=0.02, tick_interval_s=10.0)
    path = IndexPath(settings, Random(2))
    days = 0.4
    path.extend(days * 86_400.0)
    prices = [path.price(10.0 * n) for n in range(int(days * 8_640))]
    jumps = sum(abs(math.log(b / a)) > 1e-4 for a, b in pairwise(prices))
    assert 20 <= jumps <= 62


def test_the_variance_keeps_its_mean() -> None:
    """The variance wanders around its long-run level, not away from it."""
    settings = WorldSettings(vol_annual=0.5, tick_interval_s=60.0)
    levels = []
    for seed in range(40):
        path = IndexPath(settings, Random(seed))
        for day in range(1, 4):
            path.extend(day * 86_400.0)
        levels.append(path.variance(3 * 86_400.0))
    assert mean(levels) == pytest.approx(0.25, rel=0.2)
    assert pstdev(levels) > 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 0.0},
        {"speed": -1.0},
        {"vol_annual": float("nan")},
        {"informed_share": 1.5},
        {"rival_delay_s": (0.1,)},
        {"wing": 1.8, "skew": -0.5},
        {"taker_rate_per_s": -1.0},
    ],
)
def test_settings_that_make_no_world_are_refused(wrong: dict[str, object]) -> None:
    """A setting out of range is one clear configuration error that names it."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        WorldSettings(**wrong)  # type: ignore[arg-type]
