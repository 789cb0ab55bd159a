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


def test_an_instruments_own_window_keeps_some_of_itself_for_its_cancels() -> None:
    """Orders alone would fill it, and what then turned dangerous there could not be taken away for seconds."""
    budget = Budget({Pool.MATCHING: RateLimit(500.0, 2500.0)}, RateLimit(10.0, 50.0))
    sent = 0
    while budget.wait_for(Pool.MATCHING, 0.0, instrument="A") == 0.0:
        budget.spend(Pool.MATCHING, 0.0, instrument="A")
        sent += 1
    assert sent == 45
    for _ in range(5):
        assert budget.wait_for(Pool.MATCHING, 0.0, instrument="A", cancel=True) == 0.0
        budget.spend(Pool.MATCHING, 0.0, instrument="A")
    assert budget.wait_for(Pool.MATCHING, 0.0, instrument="A", cancel=True) > 5.0
    assert budget.wait_for(Pool.MATCHING, 0.0, instrument="B") == 0.0


def test_a_small_window_is_used_in_full() -> None:
    """A fifth of it for one cancel would be dear; below twenty cancels simply go first."""
    for size, orders in ((19, 19), (20, 18)):
        budget = Budget({Pool.MATCHING: RateLimit(500.0, 2500.0)}, RateLimit(size / 5, size))
        for _ in range(orders):
            assert budget.wait_for(Pool.MATCHING, 0.0, instrument="A") == 0.0
            budget.spend(Pool.MATCHING, 0.0, instrument="A")
        assert budget.wait_for(Pool.MATCHING, 0.0, instrument="A") > 0.0


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1.0, 0.5, 1 / 3, 0.25, 0.1]))
def test_so_many_orders_as_can_ever_leave_together_do_leave(burst: int, own: int, share: float) -> None:
    """Whoever waits for more than that waits for good."""
    for per_instrument in (RateLimit(own / 5, own), None):
        budget = Budget({Pool.MATCHING: RateLimit(burst / 5, burst)}, per_instrument, share=share)
        most = budget.most(Pool.MATCHING, "A")
        assert most >= 1
        assert budget.wait_for(Pool.MATCHING, 0.0, most, instrument="A") == 0.0
        assert budget.wait_for(Pool.MATCHING, 0.0, most + 1, instrument="A") > 0.0
    assert Budget({}, None).most(Pool.MATCHING, "A") > 1000


def test_what_single_instruments_have_sent_is_remembered_where_the_venue_names_the_pools_alone() -> None:
    """Its count of a pool is better than ours, and replaces it; of an instrument it says nothing at all."""
    limits, own = {Pool.MATCHING: RateLimit(100.0, 500.0)}, RateLimit(1.0, 5.0)
    before = Budget(limits, own)
    for _ in range(5):
        before.spend(Pool.MATCHING, 10.0, instrument="A")
    after = Budget(limits, own, spent={Pool.MATCHING: 0}, now=11.0)
    after.remember(before)
    assert 4.0 < after.wait_for(Pool.MATCHING, 11.0, instrument="A") < 4.2
    assert after.wait_for(Pool.MATCHING, 11.0, instrument="B") == 0.0
    assert after.left(Pool.MATCHING, 11.0) == 500
