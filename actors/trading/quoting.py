"""From what a strategy wishes to what the desk is asked for: the rules that hold for every strategy, in one place.

Widening to the minimum spread, the guard against quoting through the mark, rounding away from the market, staying
inside the other side, sizes, one-sided modes; then whether a difference is worth a request, and what it costs to wait.
Never awaits, never knows an order's identity. Invariant: a quote that leaves `decide` lies on ladder and step, at or
below the best ask of others less a tick (a bid) or the mirror of it, not through the mark guard, and never narrower
than the minimum spread.
"""

from __future__ import annotations

import math

import msgspec

from actors.console.settings import QuotingSettings
from actors.trading.books import Market, present, steps_at_most
from actors.trading.fair import fair_of
from actors.trading.instruments import ASK, BID, Instrument, Side
from actors.trading.protections import protect, refusal, size_by_vega
from actors.trading.quotes import Quote, QuotePair
from actors.trading.strategies import Inventory, Strategy, View, Wish, no_wish

FORCED_AFTER_REFRESHES = 5
"""Any difference older than this many refreshes is corrected, whatever the threshold."""

UNCOMPETITIVE_WEIGHT = 1e-4
NEW_QUOTE_WEIGHT = 1e-8
"""What a quote that earns nothing yet weighs against one that loses: small enough to come after any loss of a tick, so
the order is losing quotes, then uncompetitive ones, then new ones, each sorted by its own money."""


# -- shaping, in floats


def shape(wish: Wish, view: View, settings: QuotingSettings) -> Wish:
    """The wish at least `min_spread_bps` wide and on our side of the mark, still before rounding."""
    fair = fair_of(view) if (wish.bid is None) is not (wish.ask is None) else None
    middle = None if fair is None else fair.price
    return guarded(widened(wish, settings.min_spread_bps, middle), view, settings.max_through_mark)


def widened(wish: Wish, min_spread_bps: float, middle: float | None = None) -> Wish:
    """A pair narrower than `min_spread_bps` of its mid (a crossed one too) is widened symmetrically about the mid.

    A side alone keeps half of that from `middle`.
    """
    if wish.bid is None or wish.ask is None:
        if middle is None:
            return wish
        half = middle * min_spread_bps / 20_000
        bid = None if wish.bid is None else min(wish.bid, middle - half)
        ask = None if wish.ask is None else max(wish.ask, middle + half)
        return msgspec.structs.replace(wish, bid=bid, ask=ask, terms=wish.terms | {"min_half_spread": half})
    mid = (wish.bid + wish.ask) / 2
    half = mid * min_spread_bps / 20_000
    if mid <= 0 or (wish.ask - wish.bid) / 2 >= half:
        return wish
    return msgspec.structs.replace(wish, bid=mid - half, ask=mid + half, terms=wish.terms | {"min_half_spread": half})


def guarded(wish: Wish, view: View, max_through_mark: float) -> Wish:
    """No bid above mark + `max_through_mark` (quote currency), no offer below mark less it.

    Without a mark the fair value stands in. Without either nothing protects from a stray order far from fair, so there
    is no quote.
    """
    if wish.bid is None and wish.ask is None:
        return wish
    anchor = view.mark if view.mark is not None or view.fair is None else view.fair.price
    through = view.market.premium(max_through_mark)
    if anchor is None or through is None:
        return no_wish("no mark to guard the quote with", wish.terms)
    bid = None if wish.bid is None else min(wish.bid, anchor + through)
    ask = None if wish.ask is None else max(wish.ask, anchor - through)
    if bid == wish.bid and ask == wish.ask:
        return wish
    return msgspec.structs.replace(wish, bid=bid, ask=ask, terms=wish.terms | {"mark_guard": anchor})


# -- the crossing to ticks


def rounded(price: float, side: Side, market: Market) -> int:
    """Ladder ticks at or away from the market: inside others' best and the venue's band; below 1 is no price."""
    instrument = market.instrument
    ticks = instrument.round_away(price, side)
    barrier = market.barrier(side)
    if side is BID:
        if barrier is not None:
            ticks = min(ticks, instrument.step_down(barrier))
        if market.band_high > 0:
            ticks = min(ticks, instrument.onto_ladder(market.band_high, side))
        return ticks
    if barrier is not None:
        ticks = max(ticks, instrument.step_up(barrier))
    return max(ticks, instrument.onto_ladder(market.band_low, side), 1)


def price_pair(wish: Wish, market: Market) -> tuple[int | None, int | None, str]:
    """Both prices in ticks and why one is missing. A pair that met on one tick is moved one outward on each side."""
    bid = None if wish.bid is None else rounded(wish.bid, BID, market)
    ask = None if wish.ask is None else rounded(wish.ask, ASK, market)
    if bid is not None and ask is not None and bid >= ask:
        bid, ask = market.instrument.step_down(min(bid, ask)), market.instrument.step_up(max(bid, ask))
    if bid is not None and bid < 1:
        return None, ask, f"the bid would be below one tick ({market.instrument.price_text(1)})"
    return bid, ask, ""


# -- sizes


def base_size(instrument: Instrument, settings: QuotingSettings, contracts: float | None = None) -> tuple[int, str]:
    """Steps a side: `contracts` if given, else the configured size, else the venue's minimum; 0 with the reason when
    the venue would not take so little."""
    wanted = contracts if contracts is not None else settings.size
    if wanted is None:
        return instrument.min_amount, ""
    steps = min(steps_at_most(instrument, wanted), instrument.max_amount)
    if steps < instrument.min_amount:
        least = instrument.amount_text(instrument.min_amount)
        return 0, f"size {wanted:g} is below the venue's minimum of {least}"
    return steps, ""


# -- the decision


def decide(
    strategy: Strategy,
    view: View,
    inventory: Inventory,
    settings: QuotingSettings,
    *,
    version: int,
    decided_at: float,
) -> QuotePair:
    """What is wanted of one instrument now; `urgency` is for `with_urgency`, once it is known what rests."""
    stop = refusal(view, settings.protections)
    wish = no_wish(stop) if stop else protect(strategy.quote(view, inventory), view, settings.protections)
    wish = beside_venue(shape(wish, view, settings), view)
    contracts = size_by_vega(view, inventory, settings)
    return to_pair(wish, view.market, settings, version=version, decided_at=decided_at, contracts=contracts)


def beside_venue(wish: Wish, view: View) -> Wish:
    """With a surface of our own: its volatility and that of the venue's mark among the terms."""
    if view.fair is None or not wish.terms:
        return wish
    venue = present(view.market.mark_vol)
    vols = {"vol_points": 100 * view.fair.vol} | ({} if venue is None else {"venue_vol_points": 100 * venue})
    return msgspec.structs.replace(wish, terms=wish.terms | vols)


def to_pair(
    wish: Wish,
    market: Market,
    settings: QuotingSettings,
    *,
    version: int,
    decided_at: float,
    contracts: float | None = None,
) -> QuotePair:
    """A shaped wish as ticks and steps; `contracts` overrides the configured size."""
    bid, ask, missing = price_pair(wish, market)
    size, too_small = base_size(market.instrument, settings, contracts)
    reasons = [wish.reason, missing, too_small]
    if settings.bid_only or settings.ask_only:
        reasons.append("one side by configuration")
    return QuotePair(
        market.instrument.name,
        version,
        Quote(bid, size) if bid is not None and size and not settings.ask_only else None,
        Quote(ask, size) if ask is not None and size and not settings.bid_only else None,
        decided_at,
        "; ".join(filter(None, reasons)),
        terms=wish.terms,
    )


def empty_pair(instrument: str, reason: str, *, version: int, decided_at: float) -> QuotePair:
    """Both sides away from the market: what a quoter wants when its data is stale or its instrument is not tradable."""
    return QuotePair(instrument, version, None, None, decided_at, reason)


# -- is a difference worth a request?


def threshold_ticks(instrument: Instrument, money: float | None, price: int, coin_value: float = 1.0) -> int:
    """A requote threshold of `money` (quote currency) in smallest ticks; None is one tick of the ladder at `price`.

    At least one. `coin_value`: quote currency per unit of premium, `Market.coin_value` where that is a coin.
    """
    if money is None:
        return instrument.tick_at(price)
    return max(1, math.ceil(money / coin_value / instrument.tick_float - 1e-6))


def needs_requote(
    side: Side,
    desired: Quote | None,
    resting: Quote | None,
    threshold: int,
    difference_age_s: float,
    refresh_s: float,
) -> bool:
    """Whether what rests (its *remaining* amount) must be brought to what is desired; `threshold` in smallest ticks.

    `difference_age_s`: how long the two have differed. In the direction that would lose money (a resting bid above the
    desired one, an ask below) the threshold is zero; so is it for a resting amount above the desired one. A part-filled
    order is topped up when less than half is left, or when five refreshes have passed.
    """
    if desired is None or resting is None:
        return desired is not resting
    if desired == resting:
        return False
    worse_by = (resting.price - desired.price) * side
    if worse_by > 0 or resting.amount > desired.amount:
        return True
    if -worse_by >= threshold or 2 * resting.amount < desired.amount:
        return True
    return difference_age_s > FORCED_AFTER_REFRESHES * refresh_s


# -- what waiting costs


def stale_money(instrument: Instrument, side: Side, resting: Quote, desired: Quote) -> float:
    """max(0, resting bid - desired bid) x size, or its mirror, in premium: what a hit at the stale price gives away."""
    worse = (resting.price - desired.price) * side
    return instrument.price_float(worse) * _units(instrument, resting.amount) if worse > 0 else 0.0


def side_urgency(market: Market, side: Side, desired: Quote | None, resting: Quote | None, fair: float | None) -> float:
    """Quote currency that is lost, or not earned, while this side stays as it is; 0 when nothing differs.

    A side that is to be pulled counts with its whole premium: why it must go is not known here, and cancels come first.
    """
    if desired == resting:
        return 0.0
    instrument, coin_value = market.instrument, market.coin_value or 1.0
    if desired is None:
        assert resting is not None  # both None were equal
        return instrument.price_float(resting.price) * _units(instrument, resting.amount) * coin_value
    if resting is not None and (stale := stale_money(instrument, side, resting, desired)) > 0:
        return stale * coin_value
    weight = NEW_QUOTE_WEIGHT if resting is None else UNCOMPETITIVE_WEIGHT
    price = instrument.price_float(desired.price)
    edge = abs(price - fair) if fair is not None else instrument.tick_float
    return weight * edge * _units(instrument, desired.amount) * coin_value


def with_urgency(pair: QuotePair, market: Market, bid: Quote | None, ask: Quote | None, fair: float | None) -> QuotePair:
    """The pair with the urgency of replacing what rests (`bid`, `ask`); `fair` in premium, the mark will do."""
    urgency = side_urgency(market, BID, pair.bid, bid, fair) + side_urgency(market, ASK, pair.ask, ask, fair)
    return msgspec.structs.replace(pair, urgency=urgency)


def _units(instrument: Instrument, steps: int) -> float:
    return instrument.amount_float(steps) * instrument.contract_size
