"""What it costs to move a quote, as the exchange counts it: never more than two requests, and in mass far less than one."""

from __future__ import annotations

import pytest

from benchmarks.requests import STRIKES, measure


@pytest.mark.parametrize("form", ["derive", "deribit orders"])
def test_a_repriced_instrument_costs_two_requests_at_most(form: str) -> None:
    """One for each side that moves, and no cancel beside it."""
    figures = measure(form, 1, 4, 30.0)
    assert figures["repricings"] > 50
    assert figures["per repricing"] <= 2.0


def test_a_move_of_the_whole_board_leaves_in_a_few_mass_quotes() -> None:
    """Forty instruments and more after a jump of the index: a tenth of a request for each at most."""
    figures = measure("deribit mass", 1, STRIKES, 40.0)
    assert figures["moves"] >= 1
    assert figures["moves, per repricing"] <= 0.1
    assert figures["moves, until the 40th"] <= 0.1
