"""One request a second for more quotes than that can follow: nothing refused, nothing idle, dear ones first."""

from __future__ import annotations

from benchmarks.urgency import measure


def test_at_the_traders_tier_the_budget_is_used_and_never_overdrawn() -> None:
    """While demand exceeds it at least 90 % is spent, no rate refusal is drawn, and by money beats in turn."""
    ours, in_turn = measure(1, 8, 60.0, False), measure(1, 8, 60.0, True)
    assert ours["refused"] == in_turn["refused"] == 0
    assert 0.9 <= ours["used"] <= 1.0
    assert ours["stale"] <= 0.7 * in_turn["stale"]
