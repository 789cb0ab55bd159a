"""One run of the strategy study, and what is counted in it.

Owns the account of one maker on one seed: profit after fees with the position at the world's own fair value, the spread
captured at each fill, and what fair value did against us one, ten and sixty seconds later. `hedged` is the profit less
what the position's delta earned from the index, as a hedge without cost once a second would take away. Money in quote
currency. Invariant: profit = captured + drift of what was held - fees, to rounding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs

from actors.console.settings import LimitSettings, QuotingSettings
from actors.venues.paper.market import WorldSettings
from actors.venues.paper.tickets import Fill
from benchmarks.study_floor import CASH, STEP_NS, TICKER_STEPS, StudyFloor
from benchmarks.study_maker import Maker
from benchmarks.study_terms import MARK_STD_VOL_POINTS, QUOTED_NEAR, REACTION_S, RUN_S, WARM_UP_S
from benchmarks.study_terms import limits as study_limits

HORIZONS_S = (1.0, 10.0, 60.0)


@attrs.frozen
class Outcome:
    """One run's figures; adverse selection is per contract, positive when fair value went against us."""

    seed: int
    pnl: float
    hedged: float
    fees: float
    captured: float
    fills: int
    contracts: float
    adverse: tuple[float, ...]
    """Sum over fills of amount x move against us, per horizon; fills too late for a horizon are left out of it."""
    adverse_contracts: tuple[float, ...]
    requests: int
    refused: int
    deepest: float
    """Lowest profit of the run, at fair value, once a second."""


@attrs.define(eq=False)
class Account:
    """Follows one maker through a run."""

    floor: StudyFloor
    maker: Maker
    captured: float = 0.0
    hedge: float = 0.0
    deepest: float = 0.0
    _seen: int = 0
    _delta: float = 0.0
    _index: float = 0.0
    _adverse: list[float] = attrs.field(factory=lambda: [0.0] * len(HORIZONS_S))
    _counted: list[float] = attrs.field(factory=lambda: [0.0] * len(HORIZONS_S))
    _waiting: list[deque[tuple[int, Fill, float]]] = attrs.field(factory=lambda: [deque() for _ in HORIZONS_S])

    def note(self) -> None:
        """After each step."""
        self._mark_out()
        for fill in self.maker.fills[self._seen :]:
            fair = self.floor.world.fair_usd(fill.instrument)
            self.captured += fill.side * (fair - self._price(fill)) * self._amount(fill)
            for waiting, horizon_s in zip(self._waiting, HORIZONS_S, strict=True):
                waiting.append((self.floor.now_ns + round(horizon_s * 1e9), fill, fair))
        self._seen = len(self.maker.fills)
        if self.floor.steps % TICKER_STEPS == 0:
            self._hedge()
            self.deepest = min(self.deepest, self.profit())

    def profit(self) -> float:
        account, world = self.floor.account, self.floor.world
        held = sum(
            self.floor.pictures[name].instrument.amount_float(position.amount) * world.fair_usd(name)
            for name, position in account.positions.items()
        )
        return float(account.cash["USDC"] - CASH) + held

    def outcome(self, seed: int) -> Outcome:
        fills = self.maker.fills
        profit = self.profit()
        return Outcome(
            seed=seed,
            pnl=profit,
            hedged=profit - self.hedge,
            fees=sum(float(fill.fee) for fill in fills),
            captured=self.captured,
            fills=len(fills),
            contracts=sum(self._amount(fill) for fill in fills),
            adverse=tuple(self._adverse),
            adverse_contracts=tuple(self._counted),
            requests=self.maker.requests,
            refused=self.maker.refused,
            deepest=self.deepest,
        )

    def _mark_out(self) -> None:
        for at, waiting in enumerate(self._waiting):
            while waiting and waiting[0][0] <= self.floor.now_ns:
                _, fill, fair = waiting.popleft()
                amount = self._amount(fill)
                self._adverse[at] += fill.side * (fair - self.floor.world.fair_usd(fill.instrument)) * amount
                self._counted[at] += amount

    def _hedge(self) -> None:
        """What the delta held over the last second has gained; then the delta to hold over the next."""
        index = self.floor.world.index
        self.hedge += self._delta * (index - self._index)
        self._index = index
        self._delta = 0.0
        for name, position in self.floor.account.positions.items():
            reference = self.floor.engine.listing(name).reference
            assert reference is not None  # the world speaks of whatever it lists
            self._delta += reference.delta * self.floor.pictures[name].instrument.amount_float(position.amount)

    def _price(self, fill: Fill) -> float:
        return self.floor.pictures[fill.instrument].instrument.price_float(fill.price)

    def _amount(self, fill: Fill) -> float:
        return self.floor.pictures[fill.instrument].instrument.amount_float(fill.amount)


def play(
    seed: int,
    world: WorldSettings,
    quoting: QuotingSettings,
    *,
    mark_std_vol_points: float = MARK_STD_VOL_POINTS,
    run_s: float = RUN_S,
    limits: LimitSettings | None = None,
    watch: Callable[[Maker], None] | None = None,
) -> Outcome:
    """One run; `watch` is called after every step."""
    floor = StudyFloor(world, seed, mark_std_vol_points)
    maker = Maker(floor, floor.near_the_money(QUOTED_NEAR), quoting, limits or study_limits(), REACTION_S)
    account = Account(floor, maker)
    warm = round(WARM_UP_S * 1e9 / STEP_NS)
    for number in range(warm + round(run_s * 1e9 / STEP_NS)):
        changed = floor.step()
        maker.step(changed, quotes=number >= warm)
        account.note()
        if watch is not None:
            watch(maker)
    return account.outcome(seed)
