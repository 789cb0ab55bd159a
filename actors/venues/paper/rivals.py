"""The other makers: each quotes its own late and blurred view of fair value, several levels deep.

Owns what a rival believes and what it last quoted. A rival looks at its quotes every so often, sees the index of some
seconds ago, and moves a quote only when its value moved enough, so slow rivals leave stale prices. What it draws from
its generator never depends on who traded. Never crosses the best price of others. Invariant: a rival's bid is below its
ask.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

import msgspec

from actors.trading.instruments import Instrument, Side
from actors.venues.paper.fair import Line, Slice
from actors.venues.paper.index_path import IndexPath
from actors.venues.paper.terms import Levels, Pit, WorldSettings

_LEVEL_DISTANCE = 0.6
"""Each further level lies this share of the half-spread behind the one before, and holds more."""
_TOLERANCE = 0.25
"""A quote moves when its value moved by this share of the half-spread."""
_VIEW_REVERSION_S = 120.0
_NEAR, _WING_COVER = 0.05, 0.55
"""Strikes beyond this delta (or this close to 1) are quoted by a rival with that probability, others nearly always."""
_CLOSE_COVER = 0.96
_PERP_DEPTH = 20.0
"""Sizes in the perpetual, as a multiple of those in options."""


class RecordedWidth(msgspec.Struct, frozen=True):
    """A recorded quote as distances from fair value, money; None where there was no price."""

    down_usd: float | None
    up_usd: float | None


class Stance:
    """What a rival thinks of one instrument and what it shows there."""

    __slots__ = ("amounts", "bias", "cover", "patience", "recorded", "refresh_s", "shown_usd", "threshold_usd")

    def __init__(self, bias: float, cover: tuple[float, float], amounts: tuple[int, ...], patience: float) -> None:
        self.bias = bias
        """Of this strike, in vol (1.00 = 100 points)."""
        self.cover = cover
        """Two draws: a side is quoted while its draw is below the cover of such a delta."""
        self.amounts = amounts
        self.patience = patience
        """Factor on the move that is let pass; strikes differ, so that they do not all move at once."""
        self.recorded: RecordedWidth | None = None
        self.shown_usd = math.inf
        """The value behind the quote that rests; none yet."""
        self.threshold_usd = 0.0
        self.refresh_s = 0.0


class Rival:
    def __init__(self, number: int, settings: WorldSettings, rng: Random, *, blurred: bool = True) -> None:
        self.name = f"rival-{number + 1}"
        self._number = number
        self._settings = settings
        self._rng = rng
        self._delay_s = settings.rival_delay_s[number]
        self._look_every_s = settings.rival_look_s[number]
        self._width = settings.rival_width[number]
        self._blurred = blurred
        """A world that starts from a recording starts with rivals that agree with it."""
        self._views: dict[int, float] = {}
        """Opinion on an expiry's vol less the truth, in vol, by expiry."""
        self._viewed_s = 0.0
        self._stances: dict[str, Stance] = {}
        self._due_s: dict[int, float] = {}
        """World time of the next look, by expiry."""

    def meet(self, line: Line, recorded: RecordedWidth | None = None) -> None:
        """Form an opinion of a new listing; all draws for it are made here."""
        rng, s = self._rng, self._settings
        if line.instrument.expiry_s not in self._views:
            self._views[line.instrument.expiry_s] = self._draw_view()
            self._due_s[line.instrument.expiry_s] = 0.0
        bias = rng.gauss(0.0, 0.01 * s.rival_view_std_vol_points)
        cover = (rng.random(), rng.random())
        amounts = self._draw_amounts(line.instrument)
        stance = Stance(bias if self._blurred else 0.0, cover, amounts, rng.uniform(0.5, 1.5))
        stance.recorded = recorded
        stance.refresh_s = rng.random() * s.rival_refill_s
        self._stances[line.name] = stance

    def look(self, world_s: float, slices: Iterable[Slice], path: IndexPath, pit: Pit) -> None:
        """See the market as of the delay ago and move the quotes whose value moved, in the expiries whose turn it is."""
        self._change_views(world_s)
        index = path.price(world_s - self._delay_s)
        for part in slices:
            if world_s >= self._due_s[part.expiry_s]:
                self._due_s[part.expiry_s] = self._next_look(world_s)
                self._look_at(part, world_s, index, pit)

    def _look_at(self, part: Slice, world_s: float, index: float, pit: Pit) -> None:
        forward, view = part.forward_for(index), self._views[part.expiry_s]
        for line in part.lines:
            stance = self._stances[line.name]
            value = line.value_usd(forward) + line.vega * (view + stance.bias)
            if abs(value - stance.shown_usd) >= stance.threshold_usd or world_s >= stance.refresh_s:
                self._quote(line, stance, value, forward, pit)
                stance.refresh_s = world_s + self._settings.rival_refill_s

    def _next_look(self, world_s: float) -> float:
        """Expiries drift apart, so that they do not all come at once."""
        return world_s + self._look_every_s * self._rng.uniform(0.8, 1.2)

    def forget(self, part: Slice) -> None:
        """An expiry whose trading ended: the exchange has cancelled what rested."""
        for line in part.lines:
            del self._stances[line.name]
        del self._views[part.expiry_s], self._due_s[part.expiry_s]

    # -- opinions

    def _draw_view(self) -> float:
        view = self._rng.gauss(0.0, 0.01 * self._settings.rival_view_std_vol_points)
        return view if self._blurred else 0.0

    def _change_views(self, world_s: float) -> None:
        """An Ornstein-Uhlenbeck step for each expiry, at most once a second."""
        passed = world_s - self._viewed_s
        if passed < 1.0:
            return
        self._viewed_s = world_s
        keep = math.exp(-passed / _VIEW_REVERSION_S)
        spread = 0.01 * self._settings.rival_view_std_vol_points * math.sqrt(1.0 - keep * keep)
        for expiry in self._views:
            self._views[expiry] = keep * self._views[expiry] + self._rng.gauss(0.0, spread)

    def _draw_amounts(self, instrument: Instrument) -> tuple[int, ...]:
        """Steps at each level, best first: log-normal, doubling with the depth."""
        s = self._settings
        best = s.rival_size * math.exp(self._rng.gauss(0.0, 0.5))
        if instrument.kind is None:
            best *= _PERP_DEPTH
        return tuple(whole_amount(instrument, best * (1 << level), s.spot_usd) for level in range(s.rival_levels))

    # -- quotes

    def _quote(self, line: Line, stance: Stance, value: float, forward: float, pit: Pit) -> None:
        tick = line.tick_usd(forward)
        down, up = self._halves(line, stance, tick)
        stance.shown_usd = value
        stance.threshold_usd = max(tick, stance.patience * _TOLERANCE * line.half_usd * self._width)
        best_bid, best_ask = pit.best(line.name, self.name)
        bids: Levels = ()
        asks: Levels = ()
        if down is not None:
            bids = self._ladder(line, stance, Side.BID, value, down, forward, best_ask)
        if up is not None:
            asks = self._ladder(line, stance, Side.ASK, value, up, forward, best_bid)
        pit.replace_rival_quotes(line.name, self.name, bids, asks)

    def _halves(self, line: Line, stance: Stance, tick: float) -> tuple[float | None, float | None]:
        """Distance of bid and ask from the value, money; None where this rival shows no side."""
        if stance.recorded is not None:
            further = 0.0 if self._number == 0 else _LEVEL_DISTANCE * self._number * max(line.half_usd, tick)
            down, up = stance.recorded.down_usd, stance.recorded.up_usd
            return (None if down is None else down + further, None if up is None else up + further)
        half = max(line.half_usd * self._width, 0.5 * tick)
        depth = abs(line.delta)
        cover = _CLOSE_COVER if line.instrument.kind is None or _NEAR <= depth <= 1.0 - _NEAR else _WING_COVER
        if line.instrument.kind is None:
            return half, half
        return (half if stance.cover[0] < cover else None, half if stance.cover[1] < cover else None)

    def _ladder(
        self, line: Line, stance: Stance, side: Side, value: float, half: float, forward: float, opposite: int
    ) -> Levels:
        """The levels of one side, best first, none at or through the `opposite` best of others (0: none).

        Those behind the best stand on a coarser grid, so that a small move leaves most of them (and their queue) alone.
        """
        instrument, levels = line.instrument, []
        gap = _LEVEL_DISTANCE * max(line.half_usd * self._width, 0.5 * line.tick_usd(forward))
        grid = max(1, int(0.5 * gap / line.tick_usd(forward)))
        bound = opposite
        for depth, amount in enumerate(stance.amounts):
            usd = value - side * (half + depth * gap)
            price = instrument.round_away(line.premium(usd, forward), side)
            if depth:
                price = instrument.onto_ladder(side * (side * price // grid) * grid, side)
            if bound and (price - bound) * side >= 0:
                price = instrument.step_down(bound) if side is Side.BID else instrument.step_up(bound)
            if price <= 0:
                break
            levels.append((price, amount))
            bound = price
        return tuple(levels)


def whole_amount(instrument: Instrument, units: float, spot_usd: float) -> int:
    """Units of the underlying to whole steps, at least the smallest order; a coin perpetual counts in money."""
    if instrument.kind is None and instrument.numeraire.value == "coin":
        units *= spot_usd
    steps = round(units / instrument.step_float)
    return min(max(steps, instrument.min_amount), instrument.max_amount)
