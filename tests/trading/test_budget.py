"""The rate budget: never overdrawn in any window, full use in steady state, and what others spent counts too."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.trading.budget import Budget
from actors.venues.dialect import Pool, RateLimit

TRADER = {Pool.MATCHING: RateLimit(1.0, 5.0)}


def test_what_was_spent_before_us_is_not_spent_again() -> None:
    """A process born after a crash waits for the window of the dead one."""
    budget = Budget(TRADER, None, spent={Pool.MATCHING: 5}, now=100.0)
    assert 5.0 <= budget.wait_for(Pool.MATCHING, 100.0) < 5.5
    assert Budget(TRADER, None).wait_for(Pool.MATCHING, 100.0) == 0.0


def test_where_nobody_says_what_was_spent_orders_wait_and_cancels_do_not() -> None:
    """Twenty at once and five a second: after four seconds nothing of before can count any more."""
    budget = Budget({Pool.MATCHING: RateLimit(5.0, 20.0)}, None, now=50.0)
    assert 4.0 <= budget.hold_orders(50.0) < 4.2
    assert 4.0 <= budget.wait_for(Pool.MATCHING, 50.0) < 4.2
    assert budget.wait_for(Pool.MATCHING, 50.0, cancel=True) == 0.0
    again = Budget({Pool.MATCHING: RateLimit(5.0, 20.0)}, None, now=52.0)
    again.remember(budget)
    assert 2.0 <= again.wait_for(Pool.MATCHING, 52.0) < 2.2, "a new connection shortens nothing"
    assert again.wait_for(Pool.MATCHING, 54.2) == 0.0


def test_requests_of_before_may_all_have_been_in_one_instrument() -> None:
    """The venue says how many, not where: each instrument's own window starts with them."""
    budget = Budget({Pool.MATCHING: RateLimit(10.0, 50.0)}, RateLimit(1.0, 5.0), spent={Pool.MATCHING: 4}, now=0.0)
    budget.spend(Pool.MATCHING, 0.0, instrument="A")
    assert budget.wait_for(Pool.MATCHING, 0.0, instrument="A") > 4.0
    assert budget.wait_for(Pool.MATCHING, 0.0, instrument="B") == 0.0


@given(st.lists(st.floats(0.0, 3.0), max_size=60))
def test_no_stretch_of_a_window_holds_more_than_the_burst(pauses: list[float]) -> None:
    """Whoever waits as long as he is told never sends more than the venue allows, however it counts."""
    budget, now, sent = Budget(TRADER, None), 0.0, []
    for pause in pauses:
        now += pause
        now += budget.wait_for(Pool.MATCHING, now)
        budget.spend(Pool.MATCHING, now)
        sent.append(now)
    for start in sent:
        assert sum(1 for at in sent if start <= at < start + 5.0) <= 5


def test_a_refusal_does_not_make_us_forget_what_we_sent() -> None:
    """Nothing for a second, then no more than the window really has left."""
    budget = Budget(TRADER, None)
    for at in (0.0, 1.0, 1.5):
        budget.spend(Pool.MATCHING, at)
    budget.exhausted(Pool.MATCHING, 2.0, 1.0)
    assert 0.9 < budget.wait_for(Pool.MATCHING, 2.0) <= 1.0
    assert budget.wait_for(Pool.MATCHING, 3.01, 2) == 0.0
    assert budget.wait_for(Pool.MATCHING, 3.01, 3) > 2.0
