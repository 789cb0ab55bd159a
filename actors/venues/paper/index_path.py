"""The index of the synthetic world: a seeded path that knows its own near future.

Owns the random walk of price and variance on a fixed grid of world time, some seconds ahead (for informed takers) and
some behind (for slow makers). Never depends on who trades or on when it is asked: the same seed gives the same price at
the same world time, so two makers can be compared on one path. Invariant: the past does not change.
"""

from __future__ import annotations

import math
from random import Random

from actors.trading.pricing import SECONDS_PER_YEAR
from actors.venues.paper.terms import WorldSettings

_DAY_S = 86_400.0


class IndexPath:
    """Log-normal diffusion whose log-variance is an Ornstein-Uhlenbeck process, with normal jumps at Poisson times."""

    def __init__(self, settings: WorldSettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self._tick_s = settings.tick_interval_s
        self._dt = settings.tick_interval_s / SECONDS_PER_YEAR
        self._behind = 1 + int(max(settings.rival_delay_s, default=0.0) / self._tick_s) + 1
        self._ahead = 1 + int(settings.informed_horizon_s / self._tick_s) + 1
        self._log_variance = 0.0
        self._prices = [settings.spot_usd]
        self._variances = [self._variance_now()]
        self._first = 0
        self._next_jump = self._draw_jump(0)

    def price(self, world_s: float) -> float:
        """Quote currency, at the last tick at or before `world_s`; before the opening, the opening price."""
        return self._prices[self._at(world_s)]

    def variance(self, world_s: float) -> float:
        """Annual variance of the diffusion then."""
        return self._variances[self._at(world_s)]

    def extend(self, world_s: float) -> None:
        """Draw the path far enough for all questions about times up to `world_s`."""
        missing = int(world_s / self._tick_s) + self._ahead - self._first - len(self._prices) + 1
        for _ in range(missing):
            self._walk()

    def forget(self, world_s: float) -> None:
        """Nobody will ask about times before `world_s` any more, less the slowest rival's delay."""
        spare = int(world_s / self._tick_s) - self._behind - self._first
        if spare > 4096:
            del self._prices[:spare]
            del self._variances[:spare]
            self._first += spare

    def _at(self, world_s: float) -> int:
        return min(max(int(world_s / self._tick_s) - self._first, 0), len(self._prices) - 1)

    def _variance_now(self) -> float:
        """The log-variance is centred so that the variance's own mean is the long-run one."""
        s = self._settings
        spread = s.vol_of_variance_annual**2 / (2.0 * s.reversion_per_year)
        return s.vol_annual**2 * math.exp(self._log_variance - 0.5 * spread)

    def _walk(self) -> None:
        s, dt = self._settings, self._dt
        shock, own = self._rng.gauss(0.0, 1.0), self._rng.gauss(0.0, 1.0)
        variance = self._variances[-1]
        move = math.sqrt(variance * dt) * shock - 0.5 * variance * dt
        if self._first + len(self._prices) >= self._next_jump:
            move += self._rng.gauss(0.0, s.jump_std_fraction)
            self._next_jump = self._draw_jump(self._first + len(self._prices))
        joint = s.spot_vol_correlation
        pushed = s.vol_of_variance_annual * math.sqrt(dt) * (joint * shock + math.sqrt(1.0 - joint * joint) * own)
        self._log_variance += pushed - s.reversion_per_year * self._log_variance * dt
        self._prices.append(self._prices[-1] * math.exp(move))
        self._variances.append(self._variance_now())

    def _draw_jump(self, tick: int) -> int:
        """The tick of the next jump after `tick`."""
        if self._settings.jumps_per_day <= 0.0:
            return 1 << 62
        return tick + 1 + int(self._rng.expovariate(self._settings.jumps_per_day / _DAY_S) / self._tick_s)
