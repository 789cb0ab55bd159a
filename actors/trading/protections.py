"""What keeps a quote out of harm whatever the strategy: each protection by itself, each off unless configured.

Refusals (fast market, delta and tenor range), widening (volatility above what is implied, a least edge), size by vega,
and the gauge of what a resting quote would lose if the index is right. Never decides a price from scratch. Invariant:
a protection only ever pulls, widens or shrinks.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from actors.console.settings import ProtectionSettings, QuotingSettings
from actors.trading.books import Market
from actors.trading.fair import fair_of, maker_fee
from actors.trading.instruments import Side
from actors.trading.pricing import SECONDS_PER_YEAR
from actors.trading.quotes import Quote, QuotePair
from actors.trading.strategies import IndexMoves, Inventory, View, Wish

DAYS_PER_YEAR = 365.0
LEAST_SPAN_S = 10.0
"""Realised volatility of a shorter stretch is noise and is not told."""


class IndexWindow:
    """The index's last seconds: its widest move over `window_s` and realised volatility over `vol_window_s`.

    Fed by the actor that hears the index, in order of time; both answers cost a constant a tick. A price stands until
    the next print. `reprice` False keeps the newest price to itself, so that no fair value moves with it.
    """

    def __init__(self, window_s: float, vol_window_s: float = 300.0, *, reprice: bool = True) -> None:
        self._reprice = reprice
        self._window_s = window_s
        self._vol_window_s = vol_window_s
        self._highs: deque[tuple[float, float]] = deque()
        self._lows: deque[tuple[float, float]] = deque()
        self._returns: deque[tuple[float, float]] = deque()
        self._variance = 0.0
        self._last: tuple[float, float] | None = None
        self._told: IndexMoves | None = None

    @classmethod
    def of(cls, own: ProtectionSettings) -> IndexWindow:
        return cls(own.fast_window_s, reprice=own.index_reprice)

    def add(self, now_s: float, price: float) -> None:
        """A new index price; a clock that steps back starts the window anew."""
        if self._last is not None and now_s < self._last[0]:
            self._forget()
        if self._last is not None:
            before_s, before = self._last
            squared = math.log(price / before) ** 2
            self._returns.append((before_s, squared))
            self._variance += squared
            _push(self._highs, now_s, before, 1)  # it stood until now
            _push(self._lows, now_s, before, -1)
        _push(self._highs, now_s, price, 1)
        _push(self._lows, now_s, price, -1)
        self._last, self._told = (now_s, price), None
        self._drop(now_s)

    def moves(self, now_s: float) -> IndexMoves:
        """As of now; without any price yet, nothing is known."""
        if self._last is None:
            return IndexMoves()
        self._drop(now_s)
        if self._told is not None:
            return self._told  # nothing came and nothing left since: hundreds of quoters ask between two index prints
        high = max(self._highs[0][1], self._last[1]) if self._highs else self._last[1]
        low = min(self._lows[0][1], self._last[1]) if self._lows else self._last[1]
        self._told = IndexMoves(self._last[1] if self._reprice else None, high / low - 1.0, self._realised())
        return self._told

    def _realised(self) -> float | None:
        if not self._returns or self._last is None:
            return None
        span = self._last[0] - self._returns[0][0]
        return math.sqrt(max(0.0, self._variance) / span * SECONDS_PER_YEAR) if span >= LEAST_SPAN_S else None

    def _drop(self, now_s: float) -> None:
        for extremes in (self._highs, self._lows):
            while extremes and extremes[0][0] < now_s - self._window_s:
                extremes.popleft()
                self._told = None
        while self._returns and self._returns[0][0] < now_s - self._vol_window_s:
            self._variance -= self._returns.popleft()[1]
            self._told = None
        if not self._returns:
            self._variance = 0.0  # no rounding is carried over a silence

    def _forget(self) -> None:
        for kept in (self._highs, self._lows, self._returns):
            kept.clear()
        self._variance = 0.0
        self._last = None


def _push(extremes: deque[tuple[float, float]], now_s: float, price: float, sign: int) -> None:
    """Keep only prices that may still be the window's highest (sign 1) or lowest (-1)."""
    while extremes and sign * extremes[-1][1] <= sign * price:
        extremes.pop()
    extremes.append((now_s, price))


# -- refusals


def refusal(view: View, own: ProtectionSettings) -> str:
    """Why nothing may be quoted here now, with numbers; empty when it may."""
    return _fast_market(view, own) or _tenor(view, own) or _delta(view, own)


def _fast_market(view: View, own: ProtectionSettings) -> str:
    if own.fast_move_bps is None:
        return ""
    moved = view.index_moves.worst_move * 10_000
    if moved <= own.fast_move_bps:
        return ""
    return f"fast market: the index moved {moved:.1f} bps in {own.fast_window_s:g} s, above {own.fast_move_bps:g}"


def _tenor(view: View, own: ProtectionSettings) -> str:
    if own.min_days is None and own.max_days is None:
        return ""
    days = view.t_years * DAYS_PER_YEAR
    if own.min_days is not None and days < own.min_days:
        return f"{days:.2f} days to expiry, below {own.min_days:g}"
    if own.max_days is not None and days > own.max_days:
        return f"{days:.2f} days to expiry, above {own.max_days:g}"
    return ""


def _delta(view: View, own: ProtectionSettings) -> str:
    if own.min_delta is None and own.max_delta is None:
        return ""
    if view.greeks is None:
        return "delta is not known, and a delta range is set"
    size = abs(view.greeks.delta)
    if own.min_delta is not None and size < own.min_delta:
        return f"delta {size:.3f} is below {own.min_delta:g}"
    if own.max_delta is not None and size > own.max_delta:
        return f"delta {size:.3f} is above {own.max_delta:g}"
    return ""


# -- widening


def protect(wish: Wish, view: View, own: ProtectionSettings) -> Wish:
    """The wish widened for a lively market and kept at its least edge from fair value."""
    return _least_edge(_for_volatility(wish, view, own), view, own)


def _for_volatility(wish: Wish, view: View, own: ProtectionSettings) -> Wish:
    if not own.vol_widening:
        return wish
    realised, implied = view.index_moves.vol_annual, view.vol
    if not realised or not implied or realised <= implied:
        return wish
    if wish.bid is not None and wish.ask is not None:
        half = (wish.ask - wish.bid) / 2
    elif (lone := wish.ask if wish.bid is None else wish.bid) is not None and (fair := fair_of(view)) is not None:
        half = abs(lone - fair.price)
    else:
        return wish
    added = half * own.vol_widening * (realised / implied - 1)
    bid, ask = (None if wish.bid is None else wish.bid - added), (None if wish.ask is None else wish.ask + added)
    return msgspec.structs.replace(wish, bid=bid, ask=ask, terms=wish.terms | {"vol_widening": added})


def _least_edge(wish: Wish, view: View, own: ProtectionSettings) -> Wish:
    """Each side at least fees and `min_edge` from fair value; without a fair value there is nothing to keep from."""
    if own.min_edge is None:
        return wish
    fair, edge = fair_of(view), view.market.premium(own.min_edge)
    if fair is None or edge is None:
        return wish
    least = edge + maker_fee(view.market, fair.price)
    bid = None if wish.bid is None else min(wish.bid, fair.price - least)
    ask = None if wish.ask is None else max(wish.ask, fair.price + least)
    if bid == wish.bid and ask == wish.ask:
        return wish
    return msgspec.structs.replace(wish, bid=bid, ask=ask, terms=wish.terms | {"min_edge": least})


# -- size


def size_by_vega(view: View, inventory: Inventory, settings: QuotingSettings) -> float | None:
    """Contracts a side that hold `vega_per_side`, at most the configured size (or the position limit); None: off.

    Zero where vega is not known: a size that cannot be worked out is no size.
    """
    budget = settings.protections.vega_per_side
    if budget is None:
        return None
    most = inventory.max_position if settings.size is None else settings.size
    vega = 0.0 if view.greeks is None else view.greeks.vega / 100 * view.market.instrument.contract_size
    if view.greeks is None:
        return 0.0
    return min(most, budget / vega) if vega > 0 else most


# -- the pick-off gauge


def pick_off(market: Market, side: Side, resting: Quote | None, fair: float | None) -> float:
    """Quote currency lost if `fair` (premium, at the newest index) is right and what rests is hit."""
    if resting is None or fair is None:
        return 0.0
    instrument = market.instrument
    through = max(0.0, (instrument.price_float(resting.price) - fair) * side)
    units = instrument.amount_float(resting.amount) * instrument.contract_size
    return through * units * (market.coin_value or 1.0)


def pull_picked_off(pair: QuotePair, view: View, own: ProtectionSettings, bid: Quote | None, ask: Quote | None) -> QuotePair:
    """The pair without a side whose resting quote (`bid`, `ask`) would lose more than `max_pick_off` now.

    A cancel is faster and cheaper than a replacement; the next decision, with nothing at rest, places it anew.
    """
    if own.max_pick_off is None or (fair := fair_of(view)) is None:
        return pair
    losses = [(side, pick_off(view.market, side, rests, fair.price)) for side, rests in ((Side.BID, bid), (Side.ASK, ask))]
    for side, loss in losses:
        if loss > own.max_pick_off:
            name = side.name.lower()
            reason = f"the resting {name} would lose {loss:.2f} at fair value, above {own.max_pick_off:g}"
            pair = msgspec.structs.replace(pair, **{name: None}, reason="; ".join(filter(None, (pair.reason, reason))))
    return pair
