"""The stall watch sees how long the loop works between two polls, and a running cell does not hold it up."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Iterator

import pytest
import trio

from actors.housekeeping import TIDY_S, keep_house, tame
from actors.mailboxes import Inbox
from actors.stalls import BINS_S, BOUND_S, StallWatch


@pytest.fixture
def usual_collector() -> Iterator[None]:
    usual = gc.get_threshold()
    yield
    gc.set_threshold(*usual)
    gc.unfreeze()


def spend_cpu(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def test_a_task_that_works_too_long_is_a_stall() -> None:
    """Work of twice the bound between two awaits is one stall, found in its bin."""
    watch = StallWatch()
    trio.lowlevel.add_instrument(watch)
    await trio.sleep(0.001)
    watch.begin()
    spend_cpu(2 * BOUND_S)
    await trio.sleep(0.001)
    trio.lowlevel.remove_instrument(watch)
    assert watch.stalls == 1
    assert watch.worst_cpu_s >= 2 * BOUND_S
    assert watch.worst_s >= watch.worst_cpu_s / 2
    assert sum(watch.cpu) == sum(watch.wall) >= 1


async def test_work_given_up_in_time_is_none() -> None:
    """The same work in pieces, a checkpoint after each, stalls nobody."""
    watch = StallWatch()
    trio.lowlevel.add_instrument(watch)
    watch.begin()
    for _ in range(10):
        spend_cpu(BOUND_S / 10)
        await trio.lowlevel.checkpoint()
    trio.lowlevel.remove_instrument(watch)
    assert watch.stalls == 0
    assert sum(watch.cpu[: BINS_S.index(BOUND_S) + 1]) >= 10


async def test_sleeping_is_no_stall() -> None:
    """Waiting for the sockets is what the loop is for."""
    watch = StallWatch()
    trio.lowlevel.add_instrument(watch)
    watch.begin()
    await trio.sleep(4 * BOUND_S)
    trio.lowlevel.remove_instrument(watch)
    assert watch.stalls == 0


class Cyclic:
    """Only the collector can free it."""

    def __init__(self) -> None:
        self.me = self


async def test_the_collector_searches_everything_only_while_nothing_could_be_sent(
    usual_collector: None, autojump_clock: trio.testing.MockClock
) -> None:
    """What came since the last look is searched and frozen, often; all of it once a connection, when that is lost."""
    is_cut_off = False
    tame()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[1] > 1_000_000
    full_passes = gc.get_stats()[2]["collections"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_house, lambda: is_cut_off)
        await trio.sleep(60)
        young = weakref.ref(Cyclic())
        old = [Cyclic()]
        await trio.sleep(2 * TIDY_S)
        assert young() is None
        frozen = weakref.ref(old.pop())
        await trio.sleep(60)
        assert frozen() is not None
        assert gc.get_stats()[2]["collections"] == full_passes
        is_cut_off = True
        await trio.sleep(60)
        assert frozen() is None
        assert gc.get_stats()[2]["collections"] == full_passes + 1
        nursery.cancel_scope.cancel()


async def test_answers_that_come_all_at_once_are_applied_some_at_a_time() -> None:
    """A thousand answers in one go would hold the sockets up for tens of milliseconds; none is lost, none overtaken."""
    inbox, applied, turns = Inbox[int](), list[int](), list[int]()

    async def apply() -> None:
        while True:
            await inbox.wait()
            turns.append(0)
            for news in inbox.take(30):
                applied.append(news)
                turns[-1] += 1
                if news == 50:
                    inbox.put(1000)  # what comes meanwhile takes its place at the end

    async with trio.open_nursery() as nursery:
        nursery.start_soon(apply)
        for news in range(100):
            inbox.put(news)
        await trio.testing.wait_all_tasks_blocked()
        assert applied == [*range(100), 1000]
        assert turns == [30, 30, 30, 11]
        inbox.put(7)
        await trio.testing.wait_all_tasks_blocked()
        assert applied[-1] == 7
        nursery.cancel_scope.cancel()
