"""Those who come to trade: many who want a price near fair, some who know where the index is going.

Owns the stream of arrivals. Everything a taker is (when it comes, what it wants, how much it would pay, what it knows)
is drawn on arrival and never depends on the book, so two makers on one seed meet the same takers. Never rests an order.
Invariant: each arrival uses the same number of draws, whatever it finds.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random

import msgspec

from actors.trading.instruments import Side
from actors.venues.paper.fair import Line, Slice
from actors.venues.paper.index_path import IndexPath
from actors.venues.paper.rivals import whole_amount
from actors.venues.paper.terms import Pit, WorldSettings

_WINGS, _DEEP = 0.03, 0.6
"""Deltas below and above which takers seldom come."""


class Arrival(msgspec.Struct, frozen=True):
    """What a taker did, for tests and figures."""

    world_s: float
    instrument: str
    side: Side
    amount: int
    filled: int
    informed: bool


class Takers:
    def __init__(self, settings: WorldSettings, rng: Random) -> None:
        self._settings = settings
        self._rng = rng
        self._choices: list[tuple[Slice, Line]] = []
        self._weights: list[float] = []
        """Running sums."""
        self.next_s = self._draw_wait()

    def survey(self, slices: Sequence[Slice]) -> None:
        """Learn what is listed, and how popular each instrument is: near the money and soon, the perpetual aside."""
        options = [(part, line) for part in slices if part.expiry_s for line in part.lines]
        perps = [(part, line) for part in slices if not part.expiry_s for line in part.lines]
        weights = [_appeal(part, line) for part, line in options]
        share = self._settings.perp_share if options else 1.0
        of_perps = sum(weights) * share / (1.0 - share) if share < 1.0 else 1.0
        if share >= 1.0:
            weights = [0.0] * len(weights)
        weights += [of_perps / len(perps)] * len(perps)
        self._choices = options + perps
        self._weights = list(accumulate(weights))

    def arrive(self, world_s: float, path: IndexPath, pit: Pit) -> Arrival | None:
        """One taker comes, and trades if it likes a price; None when nothing is listed or nothing worth it."""
        s, rng = self._settings, self._rng
        self.next_s = world_s + self._draw_wait()
        informed = rng.random() < s.informed_share
        knows_s = rng.random() * s.informed_horizon_s
        picks = [rng.random() for _ in range(s.informed_looks)]
        side = Side.BID if rng.random() < 0.5 else Side.ASK
        size = s.taker_size * min(math.exp(rng.gauss(0.0, s.taker_size_spread)), 10.0)
        patience = rng.expovariate(1.0)
        if not self._choices:
            return None
        if informed:
            coming = path.price(world_s + knows_s)
            return self._trade_on_knowledge(world_s, coming, picks, size * s.informed_size, pit)
        part, line = self._pick(picks[0])
        forward = part.forward_for(path.price(world_s))
        reach = patience * self._mean_reach(line, forward)
        limit = self._limit(line, side, line.value_usd(forward) + side * reach, forward)
        return self._take(world_s, line, side, size, limit, pit, informed=False)

    def _mean_reach(self, line: Line, forward: float) -> float:
        """How far beyond fair an uninformed taker goes on average, money."""
        s = self._settings
        return 0.01 * s.taker_reach_vol_points * line.vega + 1e-4 * s.taker_reach_bps * forward

    def _trade_on_knowledge(
        self, world_s: float, coming: float, picks: Sequence[float], size: float, pit: Pit
    ) -> Arrival | None:
        """Of the instruments looked at, take the side and the one with the largest profit at the coming index."""
        edge = 1e-4 * self._settings.informed_edge_bps * coming
        found: tuple[float, Line, Side, int] | None = None
        for pick in picks:
            part, line = self._pick(pick)
            forward = part.forward_for(coming)
            value = line.value_usd(forward)
            bid, ask = pit.best(line.name)
            for side, price in ((Side.BID, ask), (Side.ASK, bid)):
                profit = side * (value - _money(line, price, forward)) - edge if price else 0.0
                if profit > (found[0] if found else 0.0):
                    found = profit, line, side, self._limit(line, side, value - side * edge, forward)
        if found is None:
            return None
        _, line, side, limit = found
        return self._take(world_s, line, side, size, limit, pit, informed=True)

    def _take(
        self, world_s: float, line: Line, side: Side, size: float, limit: int, pit: Pit, *, informed: bool
    ) -> Arrival | None:
        bid, ask = pit.best(line.name)
        price = ask if side is Side.BID else bid
        if not price or limit <= 0 or (limit - price) * side < 0:
            return None
        amount = whole_amount(line.instrument, size, self._settings.spot_usd)
        filled = pit.take(line.name, side, amount, limit)
        return Arrival(world_s, line.name, side, amount, filled, informed)

    def _limit(self, line: Line, side: Side, usd: float, forward: float) -> int:
        """The worst price worth taking, in ticks, rounded to the taker's good; 0 when none."""
        return max(line.instrument.round_away(line.premium(max(usd, 0.0), forward), side), 0)

    def _pick(self, draw: float) -> tuple[Slice, Line]:
        at = bisect(self._weights, draw * self._weights[-1])
        return self._choices[min(at, len(self._choices) - 1)]

    def _draw_wait(self) -> float:
        rate = self._settings.taker_rate_per_s
        return self._rng.expovariate(rate) if rate > 0.0 else math.inf


def _appeal(part: Slice, line: Line) -> float:
    """Relative frequency of trades in an option."""
    depth = abs(line.delta)
    popular = 1.0 if _WINGS <= depth <= _DEEP else 0.25
    return popular / (1.0 + 365.0 * part.t_years / 10.0)


def _money(line: Line, price: int, forward: float) -> float:
    """A price in ticks to quote currency."""
    premium = line.instrument.price_float(price)
    return premium * forward if line.coin else premium
