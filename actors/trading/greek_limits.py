"""Portfolio Greeks and scenario losses on the worst case of everything that rests or is in flight.

Owns, for each instrument, what one contract adds to every metric (delta, gamma, vega, theta, and the loss in each cell of
the spot x vol grid), and the sums of the most and the least the orders could make of them. Pure; never prices an option:
metrics are handed in. A side that brings every breached metric back is never refused, because only the bound that a fill
pushes outwards is asked. Invariant: with every order preceded by `room`, no fill of any subset of the orders takes a
metric past its limit, as long as the metrics per contract stay what they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from actors.console.settings import LimitSettings
from actors.trading.pricing import Greeks, black76

Floats = NDArray[np.float64]

NAMES = ("delta", "gamma", "vega", "theta")
TOTAL = "total"


@attrs.frozen
class OptionTerms:
    """What is needed to value one option in a scenario: quote currency, years, annual fraction."""

    forward: float
    strike: float
    t_years: float
    vol: float
    is_call: bool
    discount: float = 1.0


def shocks_of(limits: LimitSettings) -> list[tuple[float, float]]:
    """(spot, vol) of each scenario, spot outer, vol inner; none where no loss is limited, for nobody would look."""
    if limits.max_scenario_loss is None:
        return []
    return [(spot, vol) for spot in limits.scenario_spot for vol in limits.scenario_vol]


def metrics_of(
    greeks: Greeks, terms: OptionTerms, limits: LimitSettings, contract_size: float = 1.0, index_share: float = 1.0
) -> Floats:
    """One contract's metrics: delta (units of the underlying), gamma (delta per quote currency), vega (quote currency per
    vol point), theta (quote currency a day), then its profit in each scenario of `shocks_of`.

    `index_share`: of a move of the index, what reaches the settlement value (less than all in the last half hour).
    """

    def value(spot: float, vol: float) -> float:
        forward = terms.forward * (1 + spot * index_share)
        return black76(forward, terms.strike, terms.t_years, terms.vol * (1 + vol), terms.is_call, terms.discount)

    shocks = shocks_of(limits)
    now = value(0.0, 0.0) if shocks else 0.0
    profits = [value(spot, vol) - now for spot, vol in shocks]
    delta, gamma = greeks.delta * index_share, greeks.gamma * index_share**2
    firsts = [delta, gamma, greeks.vega / 100, greeks.theta / 365]
    return np.array(firsts + profits) * contract_size


@attrs.frozen
class Bound:
    """Which limit a room came from, with its numbers; empty `name` when none bound."""

    name: str = ""
    limit: float = math.inf
    at: float = 0.0
    """The worst case with the present orders, in the limit's unit."""


@attrs.define(eq=False)
class _Line:
    """One instrument: metrics of a contract, and the range that position and orders span."""

    group: str
    metrics: Floats
    position: float = 0.0
    orders: tuple[float, float] = (0.0, 0.0)
    """The most that could still be bought and sold."""
    low: Floats = attrs.field(init=False)
    high: Floats = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.low = np.zeros_like(self.metrics)
        self.high = np.zeros_like(self.metrics)


class GreekBook:
    """Sums over a cell. `expiry_share` is the part of each limit that one expiry alone may use."""

    def __init__(self, limits: LimitSettings) -> None:
        self._shocks = shocks_of(limits)
        tops = [limits.max_delta, limits.max_gamma, limits.max_vega, limits.max_theta]
        known = [math.inf if top is None else top for top in tops]
        loss = math.inf if limits.max_scenario_loss is None else limits.max_scenario_loss
        self.is_limited = any(math.isfinite(top) for top in [*known, loss])
        self._high_limit = np.array(known + [math.inf] * len(self._shocks))
        self._low_limit = -np.array(known + [loss] * len(self._shocks))
        self._share = limits.expiry_share
        self._lines: dict[str, _Line] = {}
        self._low: dict[str, Floats] = {}
        self._high: dict[str, Floats] = {}
        self._positions: dict[str, None] = {}
        """Instruments that are held at all: few, and all that `held` and `local_gamma` look at."""
        self._unpriced: dict[str, None] = {}
        """Held or ordered, and their metrics not known: until they are, nobody knows what there is room for."""
        self._changed: dict[str, None] = {}
        """Instruments whose part of the sums is to be worked out again before anybody is told one."""
        self._held: dict[str, float] | None = None

    def learn(self, name: str, expiry: str, metrics: Floats) -> None:
        """New metrics of one contract; its position and orders stay as they are."""
        self._held = None
        self._unpriced.pop(name, None)
        line = self._lines.get(name)
        if line is None:
            self._lines[name] = _Line(expiry, metrics)
            for group in (TOTAL, expiry):
                self._low.setdefault(group, np.zeros_like(metrics))
                self._high.setdefault(group, np.zeros_like(metrics))
        else:
            line.metrics = metrics
            self._changed[name] = None

    def update(self, name: str, position: float, bids: float, asks: float) -> None:
        """Signed contracts held, and the most that could still be bought and sold."""
        line = self._lines.get(name)
        if line is None:
            if position or bids or asks:
                self._unpriced[name] = None
            else:
                self._unpriced.pop(name, None)
            return
        if line.position == position and line.orders == (bids, asks):
            return
        if line.position != position:
            self._held = None
            if position:
                self._positions[name] = None
            else:
                self._positions.pop(name, None)
        line.position, line.orders = position, (bids, asks)
        self._changed[name] = None

    def _settle(self) -> None:
        """The sums follow what changed: once for however many changes, and never where nobody asks."""
        for name in self._changed:
            line = self._lines[name]
            bids, asks = line.orders
            long, short = line.metrics * (line.position + bids), line.metrics * (line.position - asks)
            low, high = np.minimum(long, short), np.maximum(long, short)
            for group in (TOTAL, line.group):
                self._low[group] += low - line.low
                self._high[group] += high - line.high
            line.low, line.high = low, high
        self._changed.clear()

    def room(self, name: str, sign: int) -> tuple[float, Bound]:
        """Contracts that a bid (`sign` 1) or ask (-1) may show, everything else staying.

        An option without metrics has none, and nobody has while anything held or ordered is without.
        """
        line = self._lines.get(name)
        if line is None:
            return 0.0, Bound("Greeks not known yet", 0.0)
        if self._unpriced:
            return 0.0, Bound(f"Greeks of {next(iter(self._unpriced))} not known yet", 0.0)
        self._settle()
        best, bound = math.inf, Bound()
        for group, share in ((TOTAL, 1.0), (line.group, self._share)):
            room, found = self._group_room(line, group, share, sign)
            if room < best:
                best, bound = room, found
        return best, bound

    def _group_room(self, line: _Line, group: str, share: float, sign: int) -> tuple[float, Bound]:
        step = line.metrics * sign
        others_high, others_low = self._high[group] - line.high, self._low[group] - line.low
        limit = np.where(step > 0, self._high_limit * share, self._low_limit * share)
        others = np.where(step > 0, others_high, others_low)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rooms = np.where(step == 0, math.inf, (limit - others) / step - sign * line.position)
        rooms = np.where(np.isfinite(limit), rooms, math.inf)
        worst = int(np.argmin(rooms))
        at = float(self._high[group][worst] if step[worst] > 0 else self._low[group][worst])
        return float(rooms[worst]), Bound(self._name(worst, group), float(abs(limit[worst])), at)

    def _name(self, index: int, group: str) -> str:
        if index < len(NAMES):
            words = f"max_{NAMES[index]}"
        else:
            spot, vol = self._shocks[index - len(NAMES)]
            words = f"max_scenario_loss (spot {spot:+.0%}, vol {vol:+.0%})"
        return words if group == TOTAL else f"{words} of {group}"

    # -- looking

    def held(self) -> dict[str, float]:
        """Greeks of the positions alone, without orders."""
        if self._held is None:
            total = np.zeros(len(NAMES))
            for name in self._positions:
                total += self._lines[name].metrics[: len(NAMES)] * self._lines[name].position
            self._held = dict(zip(NAMES, (float(x) for x in total), strict=True))
        return self._held

    def local_gamma(self, is_near: Callable[[str], bool]) -> float:
        """Gamma held in the instruments that are near."""
        near = [self._lines[name] for name in self._positions if is_near(name)]
        return sum(float(line.metrics[1]) * line.position for line in near)
