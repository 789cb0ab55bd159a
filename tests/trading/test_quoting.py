"""The rules every quote obeys, whatever the strategy: as examples, and as properties over any market."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from quoting_markets import deribit_call, derive_call, fair_value, market, priced_view, settings, view_of

from actors.console.settings import QuotingSettings
from actors.trading.books import Book, Market, others_only
from actors.trading.instruments import Instrument, Side
from actors.trading.quotes import Quote, QuotePair
from actors.trading.quoting import (
    base_size,
    decide,
    empty_pair,
    needs_requote,
    price_pair,
    shape,
    side_urgency,
    threshold_ticks,
    widened,
    with_urgency,
)
from actors.trading.strategies import Inventory, View, Wish, build


def decided(seen: Market, **keys: Any) -> QuotePair:
    chosen = settings(**keys)
    return decide(build(chosen), view_of(seen), Inventory(), chosen, version=1, decided_at=0.0)


def prices(pair: QuotePair) -> tuple[int | None, int | None]:
    return (pair.bid and pair.bid.price, pair.ask and pair.ask.price)


# -- examples


def test_the_second_worked_example_rounded_away_from_the_market() -> None:
    """97.375 / 107.625 becomes 97.3 / 107.7 on a tick of 0.1, at the venue's minimum size."""
    pair = decided(market(((1000, 100),), ((1050, 100),), mark=102.0))
    assert pair.bid == Quote(973, 10)
    assert pair.ask == Quote(1077, 10)
    assert pair.reason == ""


def test_a_one_tick_market_is_joined_not_crossed() -> None:
    """Between 100.0 and 100.1 there is no room: both sides join the best."""
    pair = decided(market(((1000, 1),), ((1001, 1),), mark=100.05), min_spread_bps=0.0, max_through_mark=9.0)
    assert prices(pair) == (1000, 1001)


def test_two_sides_that_meet_on_one_tick_step_back() -> None:
    """Others 100.0 / 100.2, both improved to 100.1: nobody may trade with itself, so both step out."""
    pair = decided(market(((1000, 1),), ((1002, 1),), mark=100.1), min_spread_bps=0.0)
    assert prices(pair) == (1000, 1002)


def test_the_venues_band_is_kept() -> None:
    """A bid is cut to the band's top, an ask lifted to its bottom."""
    seen = market(((1000, 1),), ((1050, 1),), mark=102.0, band_high=990, band_low=1055)
    assert prices(decided(seen, min_spread_bps=5.0)) == (990, 1055)


def test_a_bid_below_one_tick_leaves_the_ask_alone() -> None:
    """A mark of 0.1 with a fallback of two ticks has no bid, and the reason names the tick."""
    pair = decided(market((), (), mark=0.1))
    assert pair.bid is None
    assert pair.ask == Quote(3, 10)
    assert "below one tick (0.1)" in pair.reason


def test_one_sided_modes_keep_the_prices_of_the_pair() -> None:
    """A lone bid stands where it would stand beside an ask."""
    seen = market(((1000, 100),), ((1050, 100),), mark=102.0)
    alone = decided(seen, bid_only=True)
    assert (alone.bid, alone.ask) == (Quote(973, 10), None)
    assert decided(seen, ask_only=True).ask == Quote(1077, 10)
    assert "configuration" in alone.reason


def test_a_manual_offer_inside_the_market_is_not_crossed() -> None:
    """The operator's own offer is no reference, but our bid stays a tick inside it."""
    seen = market(((1000, 5),), ((1050, 5),), mark=102.0, manual=((Side.ASK, 1001, 5),))
    assert prices(decided(seen, min_spread_bps=5.0)) == (1000, 1049)


def test_an_empty_pair_wants_both_sides_gone_and_says_why() -> None:
    """It is what a quoter asks for when its data is stale."""
    pair = empty_pair("ETH-CALL", "book older than 5 s", version=3, decided_at=1.5)
    assert (pair.bid, pair.ask, pair.reason, pair.version) == (None, None, "book older than 5 s", 3)


def test_size_defaults_to_the_venues_minimum_and_is_cut_to_its_maximum() -> None:
    """A size between steps is floored, one below the minimum drops the sides with its reason."""
    option = derive_call(max_amount=500)
    assert base_size(option, settings()) == (10, "")
    assert base_size(option, settings(size=0.119)) == (11, "")
    assert base_size(option, settings(size=100.0)) == (500, "")
    size, reason = base_size(option, settings(size=0.09))
    assert size == 0
    assert "below the venue's minimum of 0.10" in reason


def test_too_small_a_size_quotes_nothing_with_the_reason() -> None:
    """Both sides are wanted away."""
    pair = decided(market(((1000, 1),), ((1050, 1),), mark=102.0), size=0.05)
    assert prices(pair) == (None, None)
    assert "minimum" in pair.reason


# -- requotes


@pytest.mark.parametrize(
    ("side", "desired", "resting", "expected"),
    [
        (Side.BID, None, None, False),
        (Side.BID, Quote(100, 5), None, True),
        (Side.BID, None, Quote(100, 5), True),
        (Side.BID, Quote(100, 5), Quote(100, 5), False),
        (Side.BID, Quote(100, 5), Quote(101, 5), True),  # we would buy too dear
        (Side.BID, Quote(102, 5), Quote(100, 5), False),  # merely uncompetitive, below the threshold
        (Side.BID, Quote(103, 5), Quote(100, 5), True),
        (Side.ASK, Quote(101, 5), Quote(100, 5), True),  # we would sell too cheap
        (Side.ASK, Quote(98, 5), Quote(100, 5), False),
        (Side.ASK, Quote(97, 5), Quote(100, 5), True),
        (Side.BID, Quote(100, 5), Quote(100, 6), True),  # more at rest than risk wants
        (Side.BID, Quote(100, 6), Quote(100, 3), False),  # half filled: keep the place in the queue
        (Side.BID, Quote(100, 6), Quote(100, 2), True),
    ],
)
def test_when_a_difference_is_worth_a_request(
    side: Side, desired: Quote | None, resting: Quote | None, expected: bool
) -> None:
    """Threshold three ticks; none in the direction that would lose money."""
    assert needs_requote(side, desired, resting, 3, 0.0, 1.0) is expected


def test_an_old_difference_is_corrected_whatever_the_threshold() -> None:
    """After five refreshes; but what is identical is left alone for ever."""
    assert not needs_requote(Side.BID, Quote(101, 5), Quote(100, 5), 50, 5.0, 1.0)
    assert needs_requote(Side.BID, Quote(101, 5), Quote(100, 5), 50, 5.1, 1.0)
    assert not needs_requote(Side.BID, Quote(100, 5), Quote(100, 5), 50, 1e9, 1.0)


def test_the_threshold_is_a_ladder_tick_unless_money_is_given() -> None:
    """Above 0.005 a Deribit tick is five smallest ones; money is turned to coin at the forward."""
    coin = deribit_call()
    assert (threshold_ticks(coin, None, 40), threshold_ticks(coin, None, 60)) == (1, 5)
    assert threshold_ticks(coin, 0.9, 40, coin_value=3000.0) == 3
    assert threshold_ticks(derive_call(), 0.0, 40) == 1


# -- urgency


def test_urgency_is_the_money_a_stale_quote_gives_away() -> None:
    """A bid resting 2.0 above the desired one, 0.5 contracts: 1.0; the mirror for an ask; both add."""
    seen = market((), ())
    pair = QuotePair("ETH-CALL", 1, Quote(980, 50), Quote(1070, 50), 0.0)
    stale = with_urgency(pair, seen, Quote(1000, 50), Quote(1060, 50), 102.0)
    assert stale.urgency == pytest.approx(2.0 * 0.5 + 1.0 * 0.5)


def test_urgency_of_a_coin_premium_is_in_quote_currency() -> None:
    """0.0001 coin at a forward of 3000 is 0.30."""
    seen = market((), (), instrument=deribit_call())
    assert side_urgency(seen, Side.BID, Quote(40, 1), Quote(41, 1), None) == pytest.approx(0.3)


def test_losing_quotes_come_before_uncompetitive_ones_and_those_before_new_ones() -> None:
    """One tick of one minimum order outweighs any edge not yet earned; identical quotes have no urgency at all."""
    seen = market((), ())
    losing = side_urgency(seen, Side.BID, Quote(999, 10), Quote(1000, 10), 102.0)
    behind = side_urgency(seen, Side.BID, Quote(1000, 100), Quote(990, 100), 150.0)
    new = side_urgency(seen, Side.BID, Quote(1000, 100), None, 150.0)
    assert losing > behind > new > 0
    assert side_urgency(seen, Side.BID, Quote(1000, 1), Quote(1000, 1), 102.0) == 0.0


def test_among_uncompetitive_quotes_the_larger_edge_is_first() -> None:
    """Weighted by what they earn when filled."""
    seen = market((), ())
    thin = side_urgency(seen, Side.BID, Quote(1000, 10), Quote(990, 10), 101.0)
    fat = side_urgency(seen, Side.BID, Quote(1000, 10), Quote(990, 10), 105.0)
    assert fat > thin


# -- properties


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Uncrossed books of others, either side perhaps empty."""
    middle = draw(st.integers(3, 4000))
    amounts = st.integers(1, 200)
    bids = draw(st.dictionaries(st.integers(max(1, middle - 200), middle), amounts, max_size=4))
    asks = draw(st.dictionaries(st.integers(middle + 1, middle + 200), amounts, max_size=4))
    return Book(tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items())), 1)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    coin = draw(st.booleans())
    tick = draw(st.sampled_from([Decimal("0.1"), Decimal("5")]))
    option: Instrument = deribit_call() if coin else derive_call(tick=tick)
    book = draw(books())
    if coin:
        book = Book(
            tuple(sorted({option.onto_ladder(p, Side.BID): a for p, a in book.bids}.items(), reverse=True)),
            tuple(sorted({option.onto_ladder(p, Side.ASK): a for p, a in book.asks}.items())),
            1,
        )
        assume(not (book.bids and book.asks) or book.bids[0][0] < book.asks[0][0])
    mark = draw(st.none() | st.floats(0.2, 4500).map(lambda ticks: ticks * option.tick_float))
    return Market(option, book, mark=mark, forward=3000.0)


@st.composite
def quotings(draw: st.DrawFn) -> QuotingSettings:
    return settings(
        strategy=draw(st.sampled_from(["improve", "mid_spread"])),
        min_spread_bps=draw(st.floats(0, 3000)),
        spread_bps=draw(st.floats(0, 2000)),
        improvement=draw(st.sampled_from([0.0, 0.1, 0.15, 3.0, 50.0])),
        improvement_reference_size=draw(st.sampled_from([0.0, 0.5, 3.0])),
        coarse_tick=draw(st.sampled_from(["one_tick", "join"])),
        max_through_mark=draw(st.sampled_from([0.0, 0.25, -1.0, 100.0, 1e9])),
    )


def pair_of(seen: Market, chosen: QuotingSettings) -> QuotePair:
    return decide(build(chosen), view_of(seen), Inventory(), chosen, version=1, decided_at=0.0)


@given(seen=markets(), chosen=quotings())
def test_never_crosses_and_always_on_the_ladder(seen: Market, chosen: QuotingSettings) -> None:
    """Each side lies on ladder and step, a tick or more inside others' other side, and never meets our own."""
    pair = pair_of(seen, chosen)
    for side in Side:
        quote, barrier = pair.side(side), seen.barrier(side)
        if quote is not None:
            assert quote.price >= 1
            assert seen.instrument.on_ladder(quote.price)
            assert quote.amount >= seen.instrument.min_amount
            assert barrier is None or (barrier - quote.price) * side > 0
    if pair.bid and pair.ask:
        assert pair.bid.price < pair.ask.price


@given(seen=markets(), chosen=quotings())
def test_never_through_the_mark_guard(seen: Market, chosen: QuotingSettings) -> None:
    """No bid above mark + max-through-mark, no ask below mark less it, in whole ticks."""
    pair, mark = pair_of(seen, chosen), view_of(seen).mark
    through = seen.premium(chosen.max_through_mark)
    assume(mark is not None)
    assert mark is not None
    assert through is not None
    dust = seen.instrument.tick_float * 2e-6
    if pair.bid:
        assert seen.price(pair.bid.price) <= mark + through + dust
    if pair.ask:
        assert seen.price(pair.ask.price) >= mark - through - dust


@given(seen=markets(), chosen=quotings())
def test_never_narrower_than_the_minimum_spread(seen: Market, chosen: QuotingSettings) -> None:
    """Rounding, guard and barrier only ever widen: the spread is at least min-spread bps of the wish's mid."""
    pair = pair_of(seen, chosen)
    wish = build(chosen).quote(view_of(seen), Inventory())
    if pair.bid and pair.ask:
        assert wish.bid is not None
        assert wish.ask is not None
        least = (wish.bid + wish.ask) / 2 * chosen.min_spread_bps / 10_000
        assert seen.price(pair.ask.price) - seen.price(pair.bid.price) >= least - seen.instrument.tick_float * 4e-6


@given(seen=markets(), chosen=quotings())
def test_no_self_improvement_on_a_static_book(seen: Market, chosen: QuotingSettings) -> None:
    """With our quote resting in the book, taking it out again gives the same quote: a second pass changes nothing."""
    first = pair_of(seen, chosen)
    own = [(side, quote.price, quote.amount) for side in Side if (quote := first.side(side))]
    book = Book(
        _resting(seen.book.bids, own, Side.BID),
        _resting(seen.book.asks, own, Side.ASK),
        2,
    )
    second = pair_of(msgspec.structs.replace(seen, book=others_only(book, own)), chosen)
    assert (second.bid, second.ask) == (first.bid, first.ask)
    for side in Side:
        assert not needs_requote(side, second.side(side), first.side(side), 1, 1e9, 1.0)


def _resting(levels: tuple[tuple[int, int], ...], own: list[tuple[Side, int, int]], side: Side) -> Any:
    both = dict(levels)
    for owner, price, amount in own:
        if owner is side:
            both[price] = both.get(price, 0) + amount
    return tuple(sorted(both.items(), reverse=side is Side.BID))


@given(book=books(), mark_halves=st.integers(-200, 200), chosen=quotings())
def test_symmetric_under_a_mirror(book: Book, mark_halves: int, chosen: QuotingSettings) -> None:
    """A market reflected about its mid gives the reflected quotes (where no bid is cut off at one tick)."""
    assume(book.bids and book.asks)
    chosen.improvement_reference_size = 0.0
    centre = book.bids[0][0] + book.asks[0][0]
    mark = (centre + mark_halves) / 2 * 0.1
    assume(mark > 0)
    mirrored = Book(
        tuple((centre - price, amount) for price, amount in book.asks),
        tuple((centre - price, amount) for price, amount in book.bids),
        1,
    )
    straight = pair_of(Market(derive_call(), book, mark=mark, forward=3000.0), chosen)
    reflected = pair_of(Market(derive_call(), mirrored, mark=centre * 0.1 - mark, forward=3000.0), chosen)
    assume(straight.bid and reflected.bid)
    assert straight.bid is not None
    assert straight.ask is not None
    assert reflected.bid is not None
    assert reflected.ask is not None
    assert (reflected.bid.price, reflected.ask.price) == (centre - straight.ask.price, centre - straight.bid.price)


@given(bid=st.floats(0.01, 500), ask=st.floats(0.01, 500), bps=st.floats(0, 15_000))
def test_widening_keeps_the_mid_and_reaches_the_minimum(bid: float, ask: float, bps: float) -> None:
    """Crossed wishes too: what comes out is at least the minimum, about the same mid."""
    out = widened(Wish(bid, ask), bps)
    assert out.bid is not None
    assert out.ask is not None
    mid = (bid + ask) / 2
    assert (out.bid + out.ask) / 2 == pytest.approx(mid)
    assert out.ask - out.bid >= mid * bps / 10_000 - 1e-9


class Alone:
    """Wishes one side only, as a strategy at a limit does."""

    uses_book = needs_surface = False

    def __init__(self, side: Side, price: float) -> None:
        self._wish = Wish(price, None) if side is Side.BID else Wish(None, price)

    def quote(self, view: View, inventory: Inventory) -> Wish:
        return self._wish


@given(side=st.sampled_from(Side), price=st.floats(20, 180), bps=st.floats(0, 15_000), coin=st.booleans())
def test_a_side_alone_keeps_half_the_minimum_spread_from_fair_value(
    side: Side, price: float, bps: float, coin: bool
) -> None:
    """The operator's minimum holds at a limit too, where one side is all there is; farther sides stay."""
    option = deribit_call() if coin else derive_call()
    unit = 3000.0 if coin else 1.0
    view = priced_view(option, fair=fair_value(100.0 / unit, instrument=option))
    chosen = settings(min_spread_bps=bps, max_through_mark=1e9)
    wish = shape(Alone(side, price / unit).quote(view, Inventory()), view, chosen)
    at = wish.bid if side is Side.BID else wish.ask
    assert at is not None
    wanted = min(price * side, 100.0 * side - 100.0 * bps / 20_000) * side
    assert at * unit == pytest.approx(wanted)
    pair = decide(Alone(side, price / unit), view, Inventory(), chosen, version=1, decided_at=0.0)
    assert pair.side(side.other) is None
    if quote := pair.side(side):
        assert (view.market.price(quote.price) * unit - wanted) * side <= view.market.instrument.tick_float * unit * 2e-6


def test_a_side_alone_without_a_fair_value_keeps_its_price() -> None:
    """There is nothing to keep half a spread from."""
    assert widened(Wish(99.0, None), 1000.0) == Wish(99.0, None)
    assert widened(Wish(None, 101.0), 1000.0) == Wish(None, 101.0)


@given(seen=markets(), chosen=quotings())
def test_rounding_never_brings_a_side_nearer_than_the_shaped_wish(seen: Market, chosen: QuotingSettings) -> None:
    """The crossing to ticks only ever moves a bid down and an ask up."""
    wish = shape(build(chosen).quote(view_of(seen), Inventory()), view_of(seen), chosen)
    bid, ask, _ = price_pair(wish, seen)
    dust = seen.instrument.tick_float * 2e-6
    if bid is not None and wish.bid is not None:
        assert seen.price(bid) <= wish.bid + dust
    if ask is not None and wish.ask is not None:
        assert seen.price(ask) >= wish.ask - dust


@given(desired=st.integers(1, 100), resting=st.integers(1, 100), threshold=st.integers(1, 20))
def test_a_losing_difference_is_always_sent_and_an_identical_one_never(
    desired: int, resting: int, threshold: int
) -> None:
    """The threshold spares only what would earn less, never what would lose."""
    wanted = needs_requote(Side.BID, Quote(desired, 5), Quote(resting, 5), threshold, 0.0, 1.0)
    assert wanted is (resting > desired or desired - resting >= threshold)


def test_our_volatility_is_shown_beside_the_venues() -> None:
    """With a surface both are terms of the quote, in vol points; without one there is nothing to compare."""
    chosen = settings(strategy="theoretical", size=1.0)
    maker = build(chosen, has_surface=True)
    ours = decide(maker, priced_view(vol=0.55, fair=fair_value(100.0)), Inventory(), chosen, version=1, decided_at=0.0)
    assert ours.terms["vol_points"] == pytest.approx(60.0)
    assert ours.terms["venue_vol_points"] == pytest.approx(55.0)
    theirs = decide(maker, priced_view(vol=0.55), Inventory(), chosen, version=1, decided_at=0.0)
    assert "vol_points" not in theirs.terms


@pytest.mark.parametrize("coin", [False, True], ids=["quote", "coin"])
@pytest.mark.parametrize("strategy", ["improve", "mid_spread"])
def test_an_empty_book_is_not_quoted_from_a_mark_that_cannot_be(strategy: str, coin: bool) -> None:
    """Nobody else is there to be measured by: it is quoted as without that mark, from the vol or not at all."""
    own = settings(strategy=strategy)
    instrument, absurd = (deribit_call(), 1.5) if coin else (derive_call(), 100_000.0)

    def quoted(mark: float | None, mark_vol: float | None) -> tuple[int | None, int | None]:
        view = view_of(market((), (), mark, instrument, index=3000.0, mark_vol=mark_vol))
        return prices(decide(build(own, has_surface=True), view, Inventory(), own, version=1, decided_at=0.0))

    assert quoted(absurd, None) == (None, None)
    assert quoted(absurd, 0.6) == quoted(None, 0.6)
    assert None not in quoted(None, 0.6)
