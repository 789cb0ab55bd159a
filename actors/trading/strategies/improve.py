"""Improve the best of others by a fixed amount of money, on each side by itself.

With a reference size the best level that alone holds it counts, so that a stray small order draws nobody; a side where
no level does is quoted at mid and spread. An empty side is quoted from the mark, since one side alone has no mid.
Keeping a minimum spread and staying on our side of the mark is the business of `quoting.py`. Invariant: the wish
depends on others' orders only, so on a market that does not move it does not move either.
"""

from __future__ import annotations

import attrs

from actors.console.settings import LimitSettings, QuotingSettings
from actors.trading.books import Market, best_with_size, steps_at_least
from actors.trading.instruments import ASK, BID, Side
from actors.trading.strategies import Inventory, View, Wish, no_wish

TICK_TOLERANCE = 1e-9
"""Of a tick: an improvement of 0.1 is a whole tick of 0.1."""


@attrs.frozen
class Parameters:
    """None of its own: the keys of `[quoting]` say it all."""


@attrs.frozen
class Improve:
    settings: QuotingSettings
    uses_book: bool = True
    needs_surface: bool = False

    def quote(self, view: View, inventory: Inventory) -> Wish:
        market = view.market
        if is_crossed(market):
            return no_wish("others' book is locked or crossed")
        mid = mid_of_others(market)
        wanted = steps_at_least(market.instrument, self.settings.improvement_reference_size)
        bid, ask = self._side(BID, view, mid, wanted), self._side(ASK, view, mid, wanted)
        if bid is None or ask is None:
            return no_wish("a side of the market is empty and there is no mark to quote it from")
        terms = {"reference_bid": bid[0], "reference_ask": ask[0], "improvement_bid": bid[1], "improvement_ask": ask[1]}
        if mid is not None:
            terms["mid"] = mid
        return Wish(bid[0] + bid[1], ask[0] - ask[1], terms=terms)

    def _side(self, side: Side, view: View, mid: float | None, wanted: int) -> tuple[float, float] | None:
        """Reference price and improvement on it, in premium; None when the side can be quoted from nothing. `wanted` steps
        make a level a reference."""
        market = view.market
        reference = best_with_size(market.book.side(side), wanted)
        if reference is not None:
            return market.price(reference), self._improvement(side, reference, market)
        if mid is not None:
            return mid - side * mid * self.settings.spread_bps / 20_000, 0.0
        # Empty, or small orders on this side alone: they are no mid, so the side counts as empty.
        distance = fallback_distance(view, self.settings)
        return None if view.mark is None or distance is None else (view.mark - side * distance, 0.0)

    def _improvement(self, side: Side, reference: int, market: Market) -> float:
        """In premium: the configured money, or what `coarse_tick` says where one tick is worth more than that."""
        instrument = market.instrument
        inside = instrument.step_up(reference) if side is BID else instrument.step_down(reference)
        tick = abs(inside - reference) * instrument.tick_float
        wanted = market.premium(self.settings.improvement)
        if wanted is not None and wanted >= tick * (1 - TICK_TOLERANCE):
            return wanted
        if self.settings.improvement <= 0 or self.settings.coarse_tick == "join":
            return 0.0
        return tick


def is_crossed(market: Market) -> bool:
    bids, asks = market.book.bids, market.book.asks
    return bool(bids and asks) and bids[0][0] >= asks[0][0]


def mid_of_others(market: Market) -> float | None:
    """Between the best of both sides, in premium; None when a side is empty."""
    bids, asks = market.book.bids, market.book.asks
    return (market.price(bids[0][0]) + market.price(asks[0][0])) / 2 if bids and asks else None


def fallback_distance(view: View, settings: QuotingSettings) -> float | None:
    """From the mark to a quote on an empty side: the widest of three half-spreads and two ticks, in premium."""
    if view.mark is None:
        return None
    bps = max(settings.spread_bps, settings.min_spread_bps, settings.fallback_spread_bps)
    return max(view.mark * bps / 20_000, 2 * view.market.tick_near(view.mark))


def build(parameters: Parameters, settings: QuotingSettings, limits: LimitSettings) -> Improve:
    return Improve(settings)
