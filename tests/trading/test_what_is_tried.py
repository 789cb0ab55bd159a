"""What is tried of a pair, while the venue refuses sides of it."""

from __future__ import annotations

import msgspec
import pytest

from actors.trading.instruments import ASK, BID, Side
from actors.trading.orders import Order, OrderState
from actors.trading.quotes import Quote, QuotePair
from actors.trading.refusals import Refusals

NAME = "ETH-CALL"
PAIR = QuotePair(NAME, 1, Quote(100, 5), Quote(110, 5), 0.0)
PATIENCE_S = 2.0


def resting(side: Side, price: int, state: OrderState = OrderState.OPEN) -> Order:
    return Order(str(price), NAME, side, price, 5, "label", state, 0.0, 0, 0)


def tried(refusals: Refusals, pair: QuotePair, *working: Order, now: float = 10.0) -> tuple[Quote | None, Quote | None]:
    told = refusals.tried(pair, working, now, PATIENCE_S)
    return told.bid, told.ask


def refused(*sides: Side, at: float = 0.0) -> Refusals:
    refusals = Refusals()
    for side in sides:
        refusals.note(resting(side, 0), at)
    return refusals


def test_until_patience_is_over_all_of_it_is_tried() -> None:
    """A refusal is nothing lasting: the next price may be taken."""
    assert tried(refused(BID, at=9.0), PAIR, resting(BID, 99), resting(ASK, 110)) == (PAIR.bid, PAIR.ask)
    assert tried(Refusals(), PAIR) == (PAIR.bid, PAIR.ask)


@pytest.mark.parametrize("state", [OrderState.OPEN, OrderState.UNKNOWN, OrderState.REPLACING])
def test_what_rests_where_it_is_no_longer_wanted_goes_and_with_it_the_other_side(state: OrderState) -> None:
    """Its moves are refused: it would rest at its old price for ever."""
    assert tried(refused(BID), PAIR, resting(BID, 99, state), resting(ASK, 110)) == (None, None)
    assert tried(refused(BID, ASK), PAIR, resting(BID, 99, state)) == (None, None)


def test_then_only_the_side_that_is_refused_is_tried() -> None:
    """Half a quote is a bet, and one that is placed and pulled at each look costs requests."""
    refusals = refused(ASK)
    assert tried(refusals, PAIR) == (None, PAIR.ask)
    assert tried(refusals, PAIR, resting(ASK, 110, OrderState.PLACING)) == (None, PAIR.ask)
    refusals.taken(resting(ASK, 110))
    assert tried(refusals, PAIR, resting(ASK, 110)) == (PAIR.bid, PAIR.ask)


def test_both_sides_refused_are_both_tried() -> None:
    assert tried(refused(BID, ASK), PAIR) == (PAIR.bid, PAIR.ask)


def test_a_side_that_rests_as_it_is_wished_is_refused_no_more() -> None:
    """The price came back to it: what was refused is no longer asked for."""
    refusals = refused(BID)
    assert tried(refusals, PAIR, resting(BID, 100), resting(ASK, 110)) == (PAIR.bid, PAIR.ask)
    assert not refusals.since


def test_a_side_that_is_not_wanted_says_nothing_of_the_other() -> None:
    """A bid without margin is dropped by risk and pulled by the plan; the ask, which reduces, stays."""
    asked = msgspec.structs.replace(PAIR, bid=None)
    assert tried(refused(BID), asked, resting(BID, 99), resting(ASK, 110)) == (None, PAIR.ask)


def test_one_side_alone_goes_too_where_it_cannot_be_moved() -> None:
    asked = msgspec.structs.replace(PAIR, bid=None)
    assert tried(refused(ASK), asked, resting(ASK, 111)) == (None, None)
    assert tried(refused(ASK), asked) == (None, PAIR.ask)


def test_the_latest_refusal_is_of_the_instrument_and_stays_known() -> None:
    """A quoter asks whether it came after its last wish, whatever was taken since."""
    refusals = refused(BID, ASK, at=3.0)
    refusals.taken(resting(BID, 100))
    assert (refusals.latest(NAME), refusals.latest("another")) == (3.0, float("-inf"))
