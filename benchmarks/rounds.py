"""Fair timing: all variants of a benchmark in turn, round by round, on one core, and medians over the rounds.

Owns the clock and the table. A machine that slows down for a second slows all variants of that round alike, which is
why only ratios within one run are ever compared. Invariant: every variant does the same work the same number of times
before the next round begins.
"""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import attrs

Variant = Callable[[int], float]
"""Does its work so many times; returns microseconds for each."""


@attrs.frozen
class Medians:
    """Microseconds per piece of work, by variant: all rounds kept, for the spread."""

    rounds_us: dict[str, list[float]]

    def __getitem__(self, name: str) -> float:
        return statistics.median(self.rounds_us[name])

    def spread(self, name: str) -> float:
        """Interquartile range as a fraction of the median."""
        rounds = self.rounds_us[name]
        if len(rounds) < 4:
            return 0.0
        low, _, high = statistics.quantiles(rounds, n=4)
        return (high - low) / self[name]

    def ratio(self, slow: str, fast: str) -> float:
        """The median of the ratios within each round: steadier than the ratio of medians when the machine is busy."""
        pairs = zip(self.rounds_us[slow], self.rounds_us[fast], strict=True)
        return statistics.median(one / other for one, other in pairs)


def timed(work: Callable[[], object]) -> Variant:
    """A variant that calls `work` in this process."""

    def run(times: int) -> float:
        clock, again = time.perf_counter_ns, range(times)
        start = clock()
        for _ in again:
            work()
        return (clock() - start) / times / 1000

    return run


def interleave(variants: Mapping[str, tuple[Variant, int]], rounds: int) -> Medians:
    """Each round runs every variant once (its pieces per round beside it), after one round that does not count."""
    measured: dict[str, list[float]] = {name: [] for name in variants}
    gc.collect()
    for number in range(rounds + 1):
        for name, (variant, times) in variants.items():
            cost_us = variant(times)
            if number:
                measured[name].append(cost_us)
    return Medians(measured)


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on the last core; does nothing where that is not possible."""
    try:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(before)})
    except (AttributeError, OSError):
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def print_table(title: str, medians: Medians, against: str, absent: Mapping[str, str]) -> None:
    """One line a variant: median, spread, times the reference; the absent ones with how to get them."""
    print(f"\n{title}\n{'':38s}{'median us':>12s}{'spread':>9s}{'x ours':>10s}")
    for name in medians.rounds_us:
        cells = f"{medians[name]:12.2f}{medians.spread(name):9.0%}{medians.ratio(name, against):10.2f}"
        print(f"{name:38s}{cells}")
    for name, remedy in absent.items():
        print(f"{name:38s}{'absent':>12s}   ({remedy})")
