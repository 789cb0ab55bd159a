"""The gate with Greek limits: what rests apart counts beside a new quote, and the desk's recheck knows them too."""

from __future__ import annotations

import math
from decimal import Decimal

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.console.settings import LimitSettings
from actors.risk import Risk, steps_of
from actors.trading.exposure import Exposure
from actors.trading.greek_limits import GreekBook
from actors.trading.instruments import Instrument, OptionKind, Side
from actors.trading.orders import OrderTable
from actors.trading.quotes import Quote, QuotePair, RiskApproved, RiskRefused
from actors.venues.dialect import OrderRequest

NAME = "ETH-20261225-3000-C"
OPTION = Instrument(NAME, "derive", "ETH", Decimal("0.1"), Decimal("0.01"), 10, 10_000, OptionKind.CALL, 3000.0)


def gate(max_vega: float) -> tuple[Risk, OrderTable]:
    """One option with a vega of 2 a contract, and plenty of room but for vega."""
    orders, book = OrderTable(), GreekBook(LimitSettings(max_vega=max_vega, scenario_spot=[], scenario_vol=[]))
    exposure = Exposure(orders, 1_000_000, 1_000_000)
    risk = Risk(exposure, {NAME: OPTION}, lambda reason: None)
    risk.greeks = book
    book.learn(NAME, "e", np.array([0.5, 0.001, 2.0, -3.0]))

    def follow(name: str) -> None:
        bids, asks = exposure.most(name)
        book.update(name, exposure.position(name) / 100, bids / 100, asks / 100)

    exposure.on_worst = follow
    return risk, orders


def pair(bid: int | None, ask: int | None = None) -> QuotePair:
    return QuotePair(NAME, 1, Quote(900, bid) if bid else None, Quote(950, ask) if ask else None, 0.0)


def test_an_unknown_order_takes_greek_room_from_what_is_placed_beside_it() -> None:
    """A lost bid of 0.6 and a new one of 0.6 would be 2.4 of vega: only what keeps both within 2 may be shown."""
    risk, orders = gate(2.0)
    lost = orders.placing(OrderRequest(NAME, Side.BID, 900, 60, "1", "l", 0, 0), 0.0)
    orders.lost(lost, 0.0)
    risk.exposure.refresh(NAME)
    answer = risk.review(pair(bid=60))
    assert isinstance(answer, RiskApproved)
    assert answer.pair.bid == Quote(900, 40)
    assert "max_vega 2" in answer.cut


def test_the_side_that_brings_vega_back_stays() -> None:
    """Long twice the limit: no bid, the whole offer."""
    risk, _ = gate(2.0)
    risk.exposure.set_position(NAME, 200)
    answer = risk.review(pair(bid=50, ask=50))
    assert isinstance(answer, RiskApproved)
    assert (answer.pair.bid, answer.pair.ask) == (None, Quote(950, 50))


def test_a_refusal_shows_its_numbers() -> None:
    """Limit, worst case and position, for the operator."""
    risk, _ = gate(2.0)
    risk.exposure.set_position(NAME, 200)
    answer = risk.review(pair(bid=50))
    assert isinstance(answer, RiskRefused)
    assert "max_vega 2 (worst case 4)" in answer.reason
    assert ("position", 2.0) in answer.numbers


def test_the_recheck_at_the_moment_of_sending_knows_greek_limits() -> None:
    """Vega that has doubled since the review leaves half the room."""
    risk, _ = gate(2.0)
    assert risk.room_now(NAME).bid == 100
    assert risk.greeks is not None
    risk.greeks.learn(NAME, "e", np.array([0.5, 0.001, 4.0, -3.0]))
    risk.exposure.refresh(NAME)
    assert risk.room_now(NAME).bid == 50


# -- rooms that are no ordinary number


@pytest.mark.parametrize("step", [1e-4, 0.1, 1.0])
def test_no_room_without_bound_is_no_room_in_steps(step: float) -> None:
    """A limit that is broken divided by next to nothing is minus infinity: the opposite of no limit at all."""
    assert steps_of(-math.inf, step) < -(1 << 60)
    assert steps_of(math.inf, step) > 1 << 60


@given(room=st.floats(allow_nan=False), step=st.sampled_from([1e-4, 0.01, 0.1, 1.0]))
def test_steps_are_whole_bounded_and_never_more_than_the_room(room: float, step: float) -> None:
    """Huge rooms too: what is sent to the venue, or summed, is an integer of a size that means something."""
    steps = steps_of(room, step)
    assert abs(steps) <= 1 << 62
    dust = step * 1e-6 + abs(room) * 1e-12
    assert steps * step <= room + dust or steps == -(1 << 62)
    assert (steps + 1) * step >= room - dust or steps == 1 << 62


TINY = st.floats(0, 1e-290) | st.sampled_from([0.0, 5e-324, 1e-310, 2.2e-308])


@given(tiny=st.tuples(TINY, TINY, TINY, TINY), signs=st.tuples(*[st.sampled_from([-1, 1])] * 4), held=st.booleans())
def test_a_broken_limit_stays_closed_whatever_the_metric(
    tiny: tuple[float, ...], signs: tuple[int, ...], held: bool
) -> None:
    """An option minutes from expiry has a vega of 1e-310: only exactly none adds nothing to a limit that is broken."""
    other = "ETH-20261225-4500-C"
    wing = attrs.evolve(OPTION, name=other, strike=4500.0)
    book = GreekBook(LimitSettings(max_vega=2.0, scenario_spot=[], scenario_vol=[]))
    exposure = Exposure(OrderTable(), 1_000_000, 1_000_000)
    risk = Risk(exposure, {NAME: OPTION, other: wing}, lambda reason: None)
    risk.greeks = book
    exposure.on_worst = lambda name: book.update(name, exposure.position(name) / 100, *_most(exposure, name))
    book.learn(NAME, "e", np.array([0.5, 0.001, 2.0, -3.0]))
    metrics = np.array([size * sign for size, sign in zip(tiny, signs, strict=True)])
    book.learn(other, "f", metrics)
    exposure.set_position(NAME, 200)
    if held:
        exposure.set_position(other, 5)
    for side in Side:
        bid, ask = (Quote(10, 50) if side is wanted else None for wanted in (Side.BID, Side.ASK))
        answer = risk.review(QuotePair(other, 1, bid, ask, 0.0))
        assert isinstance(answer, RiskRefused) is bool(metrics[2] * side > 0)


def _most(exposure: Exposure, name: str) -> tuple[float, float]:
    bids, asks = exposure.most(name)
    return bids / 100, asks / 100
