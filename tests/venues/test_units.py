"""Levels of books as units: converted once, and remembered within a bound."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.venues import units
from actors.venues.units import Levels, Units


def levels() -> Levels:
    return Levels(Units(Decimal("0.1"), "price"), Units(Decimal("0.01"), "amount", exact=False))


numbers = st.integers(0, 400)
sides = st.lists(st.tuples(numbers, numbers, st.booleans()), max_size=12)


@given(st.lists(sides, max_size=8))
def test_each_side_is_what_its_own_numbers_say_whatever_came_before(history: list[list[tuple[int, int, bool]]]) -> None:
    """As text or as a number, and also once what was remembered has been dropped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "LEVELS_REMEMBERED", 5)
        known = levels()
        for side in history:
            wire = [
                (f"{price / 10:.1f}", f"{amount / 1000:.3f}") if as_text else (price / 10, amount / 1000)
                for price, amount, as_text in side
            ]
            assert known.of(wire) == tuple((price, amount // 10) for price, amount, _ in side)
            assert len(known) <= 5


def test_a_price_off_the_grid_is_an_error_every_time() -> None:
    """And is not remembered as anything."""
    known = levels()
    for _ in range(2):
        with pytest.raises(ValueError, match="price"):
            known.of([("1.0", "2"), ("1.05", "2")])


def test_a_level_that_comes_again_is_the_same_object() -> None:
    """What nothing is made for, the collector need not look at."""
    known = levels()
    (first,), (again,) = known.of([("1.0", "2")]), known.of([("1.0", "2")])
    assert first is again
