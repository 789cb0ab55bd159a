"""Before any profit of the study is believed: wider quotes are filled less, and the accounts add up."""

from __future__ import annotations

import pytest

from benchmarks.study import WIDENING
from benchmarks.study_figures import break_even, compare
from benchmarks.study_run import Outcome, play
from benchmarks.study_terms import TUNING_SEEDS, WORLD
from benchmarks.study_variants import full, improve, wide

SEEDS = TUNING_SEEDS[:2]


def test_fills_fall_as_quotes_widen() -> None:
    """At a fixed distance from fair, each wider quote trades less than the one before, over the same takers."""
    traded = [sum(play(seed, WORLD, wide(edge), run_s=30.0).contracts for seed in SEEDS) for edge in WIDENING]
    assert traded[0] > traded[1] > traded[2] > traded[3]
    assert traded[0] > 4 * traded[-1]


def test_a_run_repeats_itself() -> None:
    """The same seed and variant give the same figures to the last digit."""
    assert play(SEEDS[0], WORLD, full(), run_s=10.0) == play(SEEDS[0], WORLD, full(), run_s=10.0)


def test_profit_is_spread_less_adverse_selection_less_fees() -> None:
    """What fills captured, less what fair value then took until the end, less fees, is the account's own profit."""
    outcome = play(SEEDS[1], WORLD, improve(), run_s=20.0)
    drift = outcome.pnl + outcome.fees - outcome.captured
    assert outcome.fills > 0
    assert abs(drift) < 10.0 * outcome.contracts  # a few index moves' worth, not premiums


def _outcome(seed: int, pnl: float) -> Outcome:
    return Outcome(seed, pnl, pnl, 0.0, 0.0, 0, 0.0, (), (), 0, 0, 0.0)


def test_differences_are_paired() -> None:
    """A constant advantage on seeds that differ wildly is seen as such, and other seeds are not compared."""
    base = [_outcome(seed, seed**3 % 17) for seed in range(30)]
    better = [_outcome(one.seed, one.pnl + 0.5) for one in base]
    found = compare(better, base)
    assert found.difference == pytest.approx((0.5, 0.5, 0.5))
    assert found.variance_ratio == pytest.approx((1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="same seeds"):
        compare(better[1:], base[:-1])


def test_break_even_is_where_the_line_falls_to_zero() -> None:
    """Between the last share that earns and the first that loses, or nowhere."""
    assert break_even([0.0, 0.2, 0.4], [3.0, 1.0, -1.0]) == pytest.approx(0.3)
    assert break_even([0.0, 0.2], [3.0, 1.0]) is None
