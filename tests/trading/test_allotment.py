"""Room under max_exposure goes to the strikes nearest the money, and never adds up to more than there is."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quoting_markets import derive_call

from actors.console.settings import LimitSettings
from actors.trading.allotment import allot_exposure, by_distance, size_steps
from actors.trading.instruments import Instrument, OptionKind

FORWARD = 2810.0


def options(strikes: list[float]) -> list[Instrument]:
    return [
        derive_call(name=f"{strike:g}-{kind.value}", strike=strike, kind=kind) for strike in strikes for kind in OptionKind
    ]


def limits(max_exposure: float = 10.0, max_position: float = 1.0) -> LimitSettings:
    return LimitSettings(max_exposure=max_exposure, max_position=max_position)


def test_everybody_gets_a_size_when_there_is_room() -> None:
    """Twenty instruments of 0.1 fit an exposure of 10."""
    granted = allot_exposure(options([2500.0 + 50 * at for at in range(10)]), FORWARD, limits(), size=0.1)
    assert set(granted.values()) == {10}


def test_the_nearest_the_money_come_first() -> None:
    """With room for three of six it is the nearest strike's pair and the next one's call."""
    granted = allot_exposure(options([2000.0, 2800.0, 2900.0]), FORWARD, limits(0.3), size=0.1)
    assert granted == {"2800-C": 10, "2800-P": 10, "2900-C": 10, "2900-P": 0, "2000-C": 0, "2000-P": 0}


def test_the_last_grant_is_cut_but_never_below_the_minimum() -> None:
    """What is left is granted as long as it reaches the venue's minimum, else it is nobody's."""
    two = options([2800.0])
    assert allot_exposure(two, FORWARD, limits(0.75), size=0.5) == {"2800-C": 50, "2800-P": 25}
    assert allot_exposure(two, FORWARD, limits(0.55), size=0.5) == {"2800-C": 50, "2800-P": 0}


def test_a_later_instrument_gets_what_one_before_it_could_not_use() -> None:
    """Room that is too small for one instrument's minimum may still do for the next one."""
    big = derive_call(name="big", strike=2810.0, min_amount=100)
    small = derive_call(name="small", strike=2900.0)
    assert allot_exposure([small, big], FORWARD, limits(0.5), size=0.2) == {"big": 0, "small": 20}


def test_no_size_means_the_minimum() -> None:
    """An unset size is the instrument's own minimum; a size is cut to whole steps."""
    assert size_steps(derive_call(), None) == 10
    assert size_steps(derive_call(), 0.3) == 30
    assert size_steps(derive_call(), 0.299999) == 29


def test_held_positions_take_their_room_first() -> None:
    """What is held counts in full, in the instrument and in the sum; a full instrument gets nothing more."""
    two = options([2800.0])
    held = {"2800-C": -95, "2800-P": 0}
    assert allot_exposure(two, FORWARD, limits(2.0), size=0.1, positions=held) == {"2800-C": 0, "2800-P": 10}
    assert allot_exposure(two, FORWARD, limits(0.9), size=0.1, positions=held) == {"2800-C": 0, "2800-P": 0}


def test_without_a_forward_the_middle_strike_stands_for_it() -> None:
    """Before any index is heard the order is still from the middle outwards."""
    ordered = by_distance(options([1000.0, 2000.0, 3000.0]), None)
    assert [one.name for one in ordered[:2]] == ["2000-C", "2000-P"]


def test_what_is_no_option_is_left_out() -> None:
    """The perpetual that hedges is not quoted and takes no room."""
    assert allot_exposure([derive_call(kind=None, strike=0.0)], FORWARD, limits()) == {}


@given(
    strikes=st.lists(st.integers(5, 200).map(lambda at: at * 50.0), unique=True, max_size=40),
    max_exposure=st.decimals("0.01", "30", places=2).map(float),
    max_position=st.decimals("0.01", "3", places=2).map(float),
    size=st.none() | st.decimals("0.1", "3", places=2).map(float),
    forward=st.floats(100, 20_000),
    data=st.data(),
)
def test_grants_never_exceed_the_limits_and_favour_the_near(
    strikes: list[float], max_exposure: float, max_position: float, size: float | None, forward: float, data: st.DataObject
) -> None:
    """For any board, limits and positions: sums hold, each grant is usable, and nobody far is served before one near."""
    board = options(strikes)
    held = {one.name: data.draw(st.integers(-50, 50)) for one in board if data.draw(st.booleans())}
    granted = allot_exposure(board, forward, limits(max_exposure, max_position), size=size, positions=held)
    assert set(granted) == {one.name for one in board}
    in_all = sum(granted[one.name] + abs(held.get(one.name, 0)) for one in board)
    held_alone = sum(abs(steps) for steps in held.values())
    assert in_all * Fraction("0.01") <= max(Fraction(str(max_exposure)), held_alone * Fraction("0.01"))
    for one in board:
        steps = granted[one.name]
        assert steps == 0 or one.min_amount <= steps <= size_steps(one, size)
        assert steps == 0 or (steps + abs(held.get(one.name, 0))) * Fraction("0.01") <= Fraction(str(max_position))
    if not held:
        served = [granted[one.name] for one in by_distance(board, forward)]
        assert served == sorted(served, reverse=True)
        distances = [abs(math.log(one.strike / forward)) for one in by_distance(board, forward)]
        assert distances == sorted(distances)


def test_a_float_limit_counts_as_written() -> None:
    """0.3 holds three tenths although the float is a shade less."""
    granted = allot_exposure(options([2800.0, 2850.0]), FORWARD, limits(0.1 + 0.2), size=0.1)
    assert sum(granted.values()) == pytest.approx(30)
