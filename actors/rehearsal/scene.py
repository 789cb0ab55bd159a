"""What a rehearsal's seed decides before the curtain rises: the world, the maker's settings, its limits, the operator.

Owns the ranges that runs are drawn from: small boards, short minutes, limits that bind. Pure: a seed in, a `Scene` out,
the same in every process. Invariant: every scene is one an operator could have configured.
"""

from __future__ import annotations

import random

import attrs

from actors.console.settings import CellSettings, Settings
from actors.rehearsal.greek_scene import limit_greeks
from actors.rehearsal.stage import START_NS, paper_settings
from actors.venues.paper.run import PaperRun

FIRST_EXPIRY_NS = 1_795_420_800_000_000_000
"""23 November 2026, 08:00 UTC: when the first daily ends."""
EXPIRING = 0.06
"""Share of runs in which the board's options end."""
LAST_ORDERS_S = (322.0, 350.0)
"""How long before the end such a run begins: Derive takes no signature that ends within about five minutes."""
AFTERWARDS_S = 15.0


@attrs.frozen(kw_only=True)
class Scene:
    """One run, whole."""

    seed: int
    length_s: float
    start_ns: int
    paper: PaperRun
    settings: Settings
    lag_s: tuple[float, float]
    """Each connection's delay each way lies between these."""
    manual: int
    """How many orders of his own the operator has resting."""
    pump_s: float

    @property
    def expires(self) -> bool:
        """The options end during the run: even in a market without a move their marks do not stand still."""
        return self.start_ns != START_NS

    @property
    def cell(self) -> CellSettings:
        return self.settings.cells[0]


def draw_scene(seed: int, kinds: tuple[str, ...], venue: str = "derive") -> Scene:
    """`kinds`: faults that may happen in the run; some need a stage of their own."""
    scene = _draw(seed, kinds, random.Random(f"scene {seed}"))
    if venue != "derive":
        scene = _at_deribit(scene, random.Random(f"deribit {seed}"))
    if not scene.paper.world["dailies"]:
        limit_greeks(seed, scene.cell)
    return scene


def _at_deribit(scene: Scene, rng: random.Random) -> Scene:
    """The same play on the other stage: coin or USDC options, single orders or mass quotes, its sizes and tiers."""
    settings, cell = scene.settings, scene.cell
    settings.venue.exchange = "deribit"
    cell.quoting.quote_mode = rng.choice(("orders", "orders", "mass", "auto"))
    cell.underlying = rng.choice(("ETH", "ETH", "ETH", "ETH_USDC"))
    if cell.underlying == "ETH":
        cell.quoting.size = round((cell.quoting.size or 0.1) * 10)
        cell.limits.max_position = round(cell.limits.max_position * 10)
        cell.limits.max_exposure = round(cell.limits.max_exposure * 10)
    # A quiet instrument's ticker comes every four seconds; heartbeats are at least ten apart.
    cell.quoting.max_book_age_s += 3.0
    settings.venue.idle_s = max(settings.venue.idle_s, 15.0)
    tier = rng.choice(("trader", "1", "2", "market_maker", "market_maker"))
    paper = attrs.evolve(scene.paper, venue="deribit", tier=tier, underlyings=(cell.underlying,))
    if not scene.expires:
        return attrs.evolve(scene, paper=paper)
    ahead_s = rng.uniform(60.0, 100.0)  # orders need no life of their own here: quoting goes on until shortly before
    start_ns = FIRST_EXPIRY_NS - round(ahead_s * 1e9)
    return attrs.evolve(scene, paper=paper, start_ns=start_ns, length_s=ahead_s + AFTERWARDS_S)


def _draw(seed: int, kinds: tuple[str, ...], rng: random.Random) -> Scene:
    expires = "expiry" in kinds and rng.random() < EXPIRING
    length_s = rng.choice((60.0, 60.0, 60.0, 60.0, 60.0, 90.0))
    ahead_s = rng.uniform(*LAST_ORDERS_S)
    return Scene(
        seed=seed,
        length_s=ahead_s + AFTERWARDS_S if expires else length_s,
        start_ns=FIRST_EXPIRY_NS - round(ahead_s * 1e9) if expires else START_NS,
        paper=_paper(rng, seed, expires),
        settings=_settings(rng, expires),
        lag_s=rng.choice(((0.0, 0.0), (0.001, 0.004), (0.005, 0.03), (0.02, 0.12))),
        manual=rng.choice((0, 1, 2, 3)),
        pump_s=rng.choice((0.1, 0.2, 0.3)),
    )


def _paper(rng: random.Random, seed: int, expires: bool) -> PaperRun:
    world = {
        "strikes": rng.choice((2, 2, 2, 3)),
        "dailies": 1 if expires else 0,
        "weeklies": 0,
        "monthlies": 0 if expires else 1,
        "quarters": 0,
        "taker_rate_per_s": rng.choice((2.0, 4.0, 8.0)),
        "informed_share": rng.choice((0.1, 0.5)),
        "rival_delay_s": (0.1, 2.0),
        "rival_look_s": (0.3, 1.0),
        "rival_width": (1.0, 1.3),
    }
    return PaperRun(
        seed=seed,
        tier=rng.choice(("trader", "market_maker", "market_maker")),
        frozen=rng.random() < 0.03,
        world=world,
        keep_records=True,
    )


def _settings(rng: random.Random, expires: bool) -> Settings:
    settings = paper_settings(expiries=["20261123" if expires else "nearest-monthly"])
    cell = settings.cells[0]
    cell.quoting.strategy = rng.choice(("improve", "mid_spread"))
    cell.quoting.size = rng.choice((0.1, 0.1, 0.2, 0.3))
    cell.quoting.spread_bps = rng.choice((50.0, 200.0))
    cell.quoting.max_through_mark = rng.choice((0.0, 0.0, 2.0))
    cell.quoting.max_book_age_s = rng.choice((2.0, 3.0, 5.0))
    cell.quoting.max_index_age_s = rng.choice((3.0, 5.0, 10.0))
    cell.quoting.refresh_s = 2.0
    cell.quoting.order_life_s = rng.choice((310.0, 900.0))
    cell.quoting.stop_before_expiry_s = rng.choice((20.0, 60.0)) if expires else 300.0
    size = cell.quoting.size
    cell.limits.max_position = rng.choice((1, 2, 3)) * size
    cell.limits.max_exposure = rng.choice((2, 4, 8)) * size
    cell.mmp.enabled = rng.random() < 0.4
    cell.mmp.interval_s, cell.mmp.frozen_s = 1.0, 2.0
    settings.venue.request_timeout_s = rng.choice((1.0, 2.0, 5.0))
    settings.venue.idle_s = rng.choice((6.0, 15.0))
    settings.venue.ping_s = rng.choice((2.0, 5.0))
    settings.venue.connect_timeout_s = 5.0
    settings.supervision.stop_timeout_s = rng.choice((5.0, 10.0))
    return settings
