"""Greek and scenario limits as invariants of whole runs: the worst case of everything that rests, at every step."""

from __future__ import annotations

from itertools import product

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from actors.console.settings import LimitSettings
from actors.trading.greek_limits import NAMES, OptionTerms, metrics_of
from actors.trading.instruments import OptionKind
from actors.trading.pricing import SECONDS_PER_YEAR
from benchmarks.study_floor import StudyFloor
from benchmarks.study_maker import Maker
from benchmarks.study_run import play
from benchmarks.study_terms import TUNING_SEEDS, WORLD
from benchmarks.study_variants import full, improve

BUSY = attrs.evolve(WORLD, taker_rate_per_s=6.0, informed_share=0.3)
DRIFT = 0.03
"""Greeks move on between two looks at them; what rests is looked at again only when it is to change."""

Floats = NDArray[np.float64]


def tight(fraction: float) -> LimitSettings:
    """Limits that a few fills use up."""
    return LimitSettings(
        max_position=2.0,
        max_exposure=12.0,
        max_delta=2.0 * fraction,
        max_gamma=0.006 * fraction,
        max_vega=5.0 * fraction,
        max_theta=40.0 * fraction,
        max_scenario_loss=900.0 * fraction,
        scenario_spot=[-0.1, 0.1],
        scenario_vol=[-0.2, 0.2],
    )


class Inspector:
    """Adds up, from the exchange's own records, the most that fills of any of our orders could make of each metric."""

    def __init__(self, floor: StudyFloor, limits: LimitSettings) -> None:
        self.floor = floor
        self.limits = limits
        self.closest = dict.fromkeys([*NAMES, "scenario"], 0.0)

    def look(self, maker: Maker) -> None:
        low, high = self._range(maker)
        tops = [self.limits.max_delta, self.limits.max_gamma, self.limits.max_vega, self.limits.max_theta]
        for at, (name, top) in enumerate(zip(NAMES, tops, strict=True)):
            assert top is not None
            self._check(name, max(-low[at], high[at]) / top)
        assert self.limits.max_scenario_loss is not None
        self._check("scenario", -low[len(NAMES) :].min() / self.limits.max_scenario_loss)

    def _check(self, name: str, used: float) -> None:
        self.closest[name] = max(self.closest[name], used)
        assert used <= 1.0 + DRIFT, f"{name} uses {used:.1%} of its limit at {self.floor.steps / 10:.1f} s"

    def _range(self, maker: Maker) -> tuple[Floats, Floats]:
        low = high = np.zeros(len(NAMES) + 4)
        for name in maker.instruments:
            one, position = self._metrics(maker, name), self.floor.account.amount(name)
            orders = self.floor.account.by_instrument.get(name, {}).values()
            bids = sum(order.remaining for order in orders if order.side > 0)
            asks = sum(order.remaining for order in orders if order.side < 0)
            contracts = maker.instruments[name].amount_float
            ends = [one * contracts(position + bids), one * contracts(position - asks)]
            low, high = low + np.minimum(*ends), high + np.maximum(*ends)
        return low, high

    def _metrics(self, maker: Maker, name: str) -> Floats:
        instrument, fair = maker.instruments[name], maker.fair(maker.pictures[name])
        assert fair is not None
        is_call = instrument.kind is OptionKind.CALL
        t_years = (instrument.expiry_s - self.floor.now_s) / SECONDS_PER_YEAR
        terms = OptionTerms(fair.forward, instrument.strike, t_years, fair.vol, is_call)
        return metrics_of(fair.greeks, terms, self.limits)


@pytest.mark.parametrize("name", ["improve", "theoretical"])
@settings(max_examples=4, deadline=None, derandomize=True)
@given(seed=st.sampled_from(TUNING_SEEDS), fraction=st.sampled_from([0.4, 0.7, 1.0]))
def test_no_subset_of_fills_leaves_the_limits(name: str, seed: int, fraction: float) -> None:
    """Whatever rests at the exchange, at no step could any of it being filled take a Greek or a scenario past its limit."""
    limits = tight(fraction)
    inspectors: list[Inspector] = []

    def watch(maker: Maker) -> None:
        if not inspectors:
            inspectors.append(Inspector(maker.floor, limits))
        inspectors[0].look(maker)

    quoting = improve() if name == "improve" else full()
    play(seed, BUSY, quoting, run_s=12.0, watch=watch, limits=limits)
    assert max(inspectors[0].closest.values()) > 0.5  # the limits were felt


def test_the_inspector_counts_every_subset() -> None:
    """Summing each option's better and worse end is the extreme over all subsets of fills."""
    ends = [(-1.0, 2.0), (0.5, 3.0), (-4.0, -1.0)]
    sums = [sum(choice) for choice in product(*ends)]
    assert (min(sums), max(sums)) == (sum(min(e) for e in ends), sum(max(e) for e in ends))
