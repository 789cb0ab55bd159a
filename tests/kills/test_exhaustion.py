"""A full disk and no descriptors left: trading goes on or stops, and orders can be cancelled in either case."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable

import pytest
from kill_kit import Exchange, Maker, alive, until, wall_ns

Start = Callable[..., Maker]
FEW = 3
"""Fewer than anybody has open already: no new descriptor can be had."""


@pytest.mark.parametrize("exchange", ["derive"], indirect=True)  # half a minute, and no venue has a part in it
def test_a_maker_without_disk_and_descriptors_still_cancels(exchange: Exchange, start: Start) -> None:
    """A journal that cannot grow costs lines, not orders; links come back when descriptors do; the stop is proven."""
    maker = start("-set", "supervision.cell_max_restarts=50")
    cell = maker.pids["cell"]
    soft, hard = resource.prlimit(cell, resource.RLIMIT_NOFILE, (FEW, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    at_ns = wall_ns()
    exchange.lever("kill", abrupt=True)
    until(lambda: "VenueUnreachable" in maker.output, "the cell cannot dial")
    assert alive(cell)
    assert exchange.caught_up().resting == 0
    resource.prlimit(cell, resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: exchange.reader.read().resting >= 6, "quoting again")
    assert exchange.reader.zero_s(at_ns) is not None

    limits = resource.prlimit(maker.process.pid, resource.RLIMIT_NOFILE, (FEW, hard))
    maker.strike(signal.SIGKILL, "cell")
    until(lambda: "cannot be started" in maker.output, "no child can be born")
    assert alive(maker.process.pid)
    resource.prlimit(maker.process.pid, resource.RLIMIT_NOFILE, limits)
    until(lambda: exchange.reader.read().resting >= 6, "quoting again")

    maker.find()
    journal = maker.run_folder / "journal-eth0.jsonl"
    resource.prlimit(maker.pids["cell"], resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    size, sent = journal.stat().st_size, len(exchange.caught_up().sent)
    until(lambda: len(exchange.reader.read().sent) > sent + 2, "orders go on being moved")
    assert journal.stat().st_size <= size + 4096, "what was on its way when the disk filled, and no more"
    assert journal.read_bytes().endswith(b"\n")

    resource.prlimit(maker.pids["cell"], resource.RLIMIT_NOFILE, (FEW, hard))
    resource.prlimit(maker.pids["guard"], resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    at_ns = maker.strike(signal.SIGTERM, "supervisor")
    assert maker.wait() == 0, maker.output
    until(maker.all_gone, "everybody is gone")
    assert exchange.caught_up().last_rest_s(at_ns) < 2.0
