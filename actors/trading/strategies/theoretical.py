"""Around fair value, with a half-spread made of everything that can go wrong before we change the quote.

    half = base + vol-of-vol x vega + adverse selection + expiry + depth + doubt + fee,
    but at least fee + required edge

Adverse selection is what an index move over our reaction time takes from a quote that stands still: |delta| x m +
gamma x m^2 / 2 for the expected move m = index x vol x sqrt(reaction time). Each term is in `Wish.terms`, in premium.
Leaning: half-spreads per full position and per full vega, bounded by `max_skew`. With `inside_best` the quote stays near
others' best where these stand wider than it would. Invariant: a larger part of the half-spread never narrows the quote.
"""

from __future__ import annotations

import math

import attrs

from actors.console.settings import LimitSettings, QuotingSettings, key
from actors.trading.books import Market
from actors.trading.fair import Fair, Term, fair_of, maker_fee, premium_delta, stand
from actors.trading.instruments import Side
from actors.trading.pricing import SECONDS_PER_YEAR, Greeks
from actors.trading.strategies import Inventory, View, Wish, no_wish

DAYS_PER_YEAR = 365.0


@attrs.frozen
class Parameters:
    own_surface_only: float = key(0, "1: no quote without a fair value of our own surface", low=0, high=1)
    max_fair_age_s: float = key(30.0, "an older fair value is not quoted around", unit="s", above=0)
    base_bps: float = key(50.0, "half-spread before anything else", unit="bps of fair", low=0, high=20_000)
    vol_of_vol_points: float = key(0.5, "half-spread per vega: how far vol may move unseen", unit="vol points", low=0)
    reaction_s: float = key(0.5, "from an index move to our new quote at the venue", unit="s", low=0)
    adverse_weight: float = key(1.0, "how much of the expected index move is charged", low=0)
    expiry_bps: float = key(20.0, "added at one day to expiry; falls with the root of time", unit="bps of fair", low=0)
    depth_bps: float = key(20.0, "added where nobody else rests; falls as depth fills", unit="bps of fair", low=0)
    depth_contracts: float = key(5.0, "others' best level that counts as full depth", unit="contracts", above=0)
    doubt_weight: float = key(1.0, "half-spread per standard deviation of the fair value", low=0)
    required_edge: float = key(0.05, "least edge beyond fees", unit="quote currency per unit", low=0)
    in_vol: float = key(0, "1: the half-spread is laid off in volatility, up to half of it, not in money", low=0, high=1)
    position_skew: float = key(0.5, "half-spreads of leaning at a full position", low=0)
    vega_skew: float = key(0.5, "half-spreads of leaning at full vega", low=0)
    full_vega: float = key(0.0, "vega that leans fully; 0: limits.max_vega", unit="quote currency per vol point", low=0)
    max_skew: float = key(1.0, "leaning never exceeds this many half-spreads", low=0)
    inside_best: float = key(-1.0, "farthest inside others' best, leaning apart; below 0: no bound", unit="quote currency")


@attrs.frozen
class Theoretical:
    parameters: Parameters
    full_vega: float
    needs_surface: bool
    uses_book: bool = False
    """Of the book only depth counts, so an index move is answered without waiting for a newer one."""

    def quote(self, view: View, inventory: Inventory) -> Wish:
        fair, greeks = fair_of(view), view.greeks
        if fair is None or greeks is None:
            return no_wish("no fair value: neither a surface nor the venue's mark")
        if self.needs_surface and not fair.is_own:
            return no_wish("no fair value of our own surface")
        if fair.age_s > self.parameters.max_fair_age_s:
            return no_wish(f"fair value is {fair.age_s:.1f} s old")
        fee = maker_fee(view.market, fair.price)
        terms = self._half_spread(view, fair, greeks, fee)
        half = sum(value for _, value in terms)
        least = fee + (view.market.premium(self.parameters.required_edge) or 0.0)
        if half < least:
            terms, half = [*terms, ("required_edge", least - half)], least
        lean = self._leaning(inventory)
        wish = stand(fair.price, half, half * sum(v for _, v in lean), fee, self.parameters.max_skew, [*terms, *lean])
        if self.parameters.in_vol:  # what an index move takes is no matter of volatility
            wish = in_vol(wish, view, max(least, fee + wish.terms["adverse_selection"]))
        return near_best(wish, view.market, self.parameters.inside_best)

    def _half_spread(self, view: View, fair: Fair, greeks: Greeks, fee: float) -> list[Term]:
        own, price = self.parameters, fair.price
        money_to_premium = view.market.premium(1.0) or 0.0
        move = expected_move(view, own.reaction_s)
        adverse = abs(premium_delta(view)) * move + greeks.gamma * move * move / 2
        days = view.t_years * DAYS_PER_YEAR
        return [
            ("base", price * own.base_bps / 10_000),
            ("vol_of_vol", own.vol_of_vol_points * greeks.vega / 100 * money_to_premium),
            ("adverse_selection", own.adverse_weight * adverse * money_to_premium),
            ("expiry", price * own.expiry_bps / 10_000 / math.sqrt(days)),
            ("depth", price * own.depth_bps / 10_000 * thinness(view.market, own.depth_contracts)),
            ("doubt", own.doubt_weight * fair.uncertainty),
            ("fees", fee),
        ]

    def _leaning(self, inventory: Inventory) -> list[Term]:
        """In half-spreads, by cause: away from what we hold too much of."""
        own = self.parameters
        position = inventory.position / inventory.max_position if inventory.max_position > 0 else 0.0
        vega = inventory.vega / self.full_vega if self.full_vega > 0 else 0.0
        return [("lean_position", -own.position_skew * position), ("lean_vega", -own.vega_skew * vega)]


def expected_move(view: View, seconds: float) -> float:
    """What one standard deviation of the index over some seconds does to the settlement value, in quote currency, at
    the livelier of implied and realised volatility."""
    vol = max(view.vol or 0.0, view.index_moves.vol_annual or 0.0)
    return (view.market.forward or 0.0) * view.index_share * vol * math.sqrt(seconds / SECONDS_PER_YEAR)


def thinness(market: Market, full_contracts: float) -> float:
    """1 where a side has nobody, 0 where both sides' best level holds `full_contracts` or more."""
    amounts = [levels[0][1] if (levels := market.book.side(side)) else 0 for side in Side]
    return max(0.0, 1.0 - market.instrument.amount_float(min(amounts)) / full_contracts)


def near_best(wish: Wish, market: Market, inside: float) -> Wish:
    """The wish no farther inside others' best than `inside` (quote currency) and the leaning: nobody pays more than it
    takes to be first. Leaning comes on top on the side that it brings nearer. Only ever widens; a side on which nobody
    else stands is left alone."""
    step = market.premium(inside) if inside >= 0 else None
    best_bid, best_ask = market.book.best(Side.BID), market.book.best(Side.ASK)
    if step is None or wish.bid is None or wish.ask is None:
        return wish
    leaning = wish.terms["skew"]
    bid = wish.bid if best_bid is None else min(wish.bid, market.price(best_bid) + step + max(0.0, leaning))
    ask = wish.ask if best_ask is None else max(wish.ask, market.price(best_ask) - step + min(0.0, leaning))
    backed = {"behind_best_bid": bid - wish.bid, "behind_best_ask": ask - wish.ask}
    return Wish(bid, ask, wish.reason, wish.terms | backed)


def in_vol(wish: Wish, view: View, least: float) -> Wish:
    """The same distances from fair laid off in volatility: each side's distance over vega, priced again.

    Convexity then sets a wing's bid nearer and its offer farther than money would. Half the volatility is laid off at
    most; what vega is too small to carry stays money.
    """
    terms = wish.terms
    fair, vol, greeks = terms["fair"], view.vol, view.greeks
    if vol is None or greeks is None or wish.bid is None or wish.ask is None or greeks.vega <= 0:
        return wish
    money = view.market.coin_value or 1.0
    down, up = ((fair - wish.bid) * money / greeks.vega, (wish.ask - fair) * money / greeks.vega)
    down, up = min(down, vol / 2), min(up, vol / 2)
    low, middle, high = (view.money_at(at) for at in (vol - down, vol, vol + up))
    if low is None or middle is None or high is None:
        return wish
    bid = wish.bid + (down * greeks.vega - (middle - low)) / money
    ask = wish.ask - (up * greeks.vega - (high - middle)) / money
    points = {"bid_vol_points": -100 * down, "ask_vol_points": 100 * up}
    # Nearer than `least` only where leaning, not convexity, brings it.
    bid, ask = min(bid, max(wish.bid, fair - least)), max(ask, min(wish.ask, fair + least))
    return Wish(bid, ask, wish.reason, wish.terms | points)


def build(parameters: Parameters, settings: QuotingSettings, limits: LimitSettings) -> Theoretical:
    """Vega leans only where a full vega is known: `full_vega`, or the portfolio's limit."""
    return Theoretical(
        parameters, parameters.full_vega or limits.max_vega or 0.0, needs_surface=bool(parameters.own_surface_only)
    )
