"""Greek and scenario limits on the worst case of everything that could be filled."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from actors.console.settings import LimitSettings
from actors.trading.greek_limits import GreekBook, OptionTerms, metrics_of
from actors.trading.pricing import black76, greeks

NAMES = ["a", "b", "c"]
METRICS = st.lists(st.floats(-2.0, 2.0), min_size=5, max_size=5)
AMOUNT = st.integers(0, 20).map(lambda steps: steps / 10)


def limits() -> LimitSettings:
    return LimitSettings(
        max_delta=3.0, max_gamma=2.0, max_vega=4.0, max_scenario_loss=5.0, scenario_spot=[0.1], scenario_vol=[0.0]
    )


def fill_all(
    book: GreekBook, wants: list[tuple[float, float, float]], metrics: list[list[float]]
) -> list[tuple[float, float]]:
    shown = []
    for name, metric in zip(NAMES, metrics, strict=True):
        book.learn(name, "e", np.array(metric))
    for name, (position, bid, ask) in zip(NAMES, wants, strict=True):
        book.update(name, position, 0.0, 0.0)
        room_bid, _ = book.room(name, 1)
        bid = max(0.0, min(bid, room_bid))
        book.update(name, position, bid, 0.0)
        room_ask, _ = book.room(name, -1)
        ask = max(0.0, min(ask, room_ask))
        book.update(name, position, bid, ask)
        shown.append((bid, ask))
    return shown


@given(st.lists(METRICS, min_size=3, max_size=3), st.lists(st.tuples(AMOUNT, AMOUNT), min_size=3, max_size=3))
def test_no_subset_of_fills_takes_a_metric_past_its_limit(
    metrics: list[list[float]], wants: list[tuple[float, float]]
) -> None:
    """Starting flat, every combination of filled and unfilled quotes stays within every limit."""
    own = limits()
    shown = fill_all(GreekBook(own), [(0.0, bid, ask) for bid, ask in wants], metrics)
    for choice in itertools.product(*[(0.0, bid, -ask) for bid, ask in shown]):
        total = sum(np.array(m) * q for m, q in zip(metrics, choice, strict=True))
        assert abs(total[0]) <= 3.0 + 1e-9
        assert abs(total[1]) <= 2.0 + 1e-9
        assert abs(total[2]) <= 4.0 + 1e-9
        assert total[4] >= -5.0 - 1e-9


def test_past_a_limit_the_side_that_brings_it_back_stays() -> None:
    """Long too much delta: nothing more may be bought, selling is free."""
    book = GreekBook(LimitSettings(max_delta=1.0))
    book.learn("a", "e", np.array([0.5, 0.0, 0.0, 0.0]))
    book.update("a", 6.0, 0.0, 0.0)
    room, bound = book.room("a", 1)
    assert room < 0
    assert (bound.name, bound.limit, bound.at) == ("max_delta", 1.0, 3.0)
    assert book.room("a", -1)[0] == 8.0


def test_one_expiry_may_use_only_its_share() -> None:
    """Half of the vega limit for each expiry, the whole of it over both."""
    book = GreekBook(LimitSettings(max_vega=4.0, expiry_share=0.5))
    for name, expiry in (("a", "near"), ("b", "far")):
        book.learn(name, expiry, np.array([0.0, 0.0, 1.0, 0.0]))
        book.update(name, 0.0, 0.0, 0.0)
    assert book.room("a", 1)[0] == 2.0
    assert book.room("a", 1)[1].name == "max_vega of near"


def test_an_option_without_greeks_has_no_room() -> None:
    """What cannot be measured cannot be limited."""
    room, bound = GreekBook(LimitSettings(max_vega=4.0)).room("a", 1)
    assert room == 0.0
    assert "not known" in bound.name


def test_scenario_profits_are_revaluations() -> None:
    """Spot down a fifth at equal vol, by Black-76 itself."""
    own = LimitSettings(max_scenario_loss=1e9, scenario_spot=[-0.2], scenario_vol=[0.0])
    terms = OptionTerms(3000.0, 3000.0, 0.1, 0.6, True)
    metrics = metrics_of(greeks(3000.0, 3000.0, 0.1, 0.6, True), terms, own)
    assert metrics[4] == black76(2400.0, 3000.0, 0.1, 0.6, True) - black76(3000.0, 3000.0, 0.1, 0.6, True)


def test_nobody_has_room_while_something_held_is_without_greeks() -> None:
    """After a restart positions are known before their Greeks: until then any quote might break a limit."""
    book = GreekBook(LimitSettings(max_delta=3.0, scenario_spot=[], scenario_vol=[]))
    book.learn("a", "e", np.array([1.0, 0.0, 0.0, 0.0]))
    book.update("b", -20.0, 0.0, 0.0)
    room, bound = book.room("a", 1)
    assert room == 0.0
    assert "Greeks of b not known" in bound.name
    book.update("b", 0.0, 0.0, 0.0)
    assert book.room("a", 1)[0] == 3.0
    book.update("b", 2.0, 0.0, 0.0)
    book.learn("b", "e", np.array([1.0, 0.0, 0.0, 0.0]))
    book.update("b", 2.0, 0.0, 0.0)
    assert book.room("a", 1)[0] == 1.0


def test_metrics_fade_while_the_settlement_is_averaged() -> None:
    """Half of it known: half the delta, a quarter of the gamma, half the spot shock; vega as it is."""
    own = LimitSettings(max_scenario_loss=1e9, scenario_spot=[-0.1], scenario_vol=[0.0])
    now, terms = greeks(3000.0, 3000.0, 1e-4, 0.6, True), OptionTerms(3000.0, 3000.0, 1e-4, 0.6, True)
    plain, faded = metrics_of(now, terms, own), metrics_of(now, terms, own, index_share=0.5)
    assert faded[:3].tolist() == [plain[0] / 2, plain[1] / 4, plain[2]]
    assert faded[4] == black76(2850.0, 3000.0, 1e-4, 0.6, True) - now.price
