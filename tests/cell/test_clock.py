"""The venue's time is the venue's own stamps, carried on for a while: never ahead of it by more than a proof allows for."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing

from actors.clock import SPAN_S, Clock, VirtualClock
from actors.venues.proof import LATE_MS

BEGIN_MS = 1_800_000_000_000
TRAVEL_MS = 5


def venue_at(s: float) -> int:
    """The venue's clock, `s` seconds into the test."""
    return BEGIN_MS + math.floor(s * 1000)


@pytest.mark.parametrize("drift", [500e-6, -500e-6])
@pytest.mark.parametrize("every_s", [0.1, 1.0, 60.0])
def test_a_clock_that_drifts_never_leaves_the_venues_far_behind(drift: float, every_s: float) -> None:
    """As NTP slews at most, for an hour: the gain of all that time would prove an order dead that can still arrive."""
    clock, worst, late = Clock(), -math.inf, math.inf
    for turn in range(int(3600 / every_s)):
        true_s = turn * every_s
        now = 100.0 + true_s * (1 + drift)
        clock.hear_venue(venue_at(true_s) - TRAVEL_MS, now)
        ahead_ms = clock.venue_ms(now) - venue_at(true_s)
        worst, late = max(worst, ahead_ms), min(late, ahead_ms)
    assert worst <= 120
    assert worst < LATE_MS
    assert late >= -TRAVEL_MS - 1


def test_one_absurd_stamp_is_forgotten_after_two_spans() -> None:
    """Ten minutes ahead, once: until then everything sent would seem to have run out long ago, for good."""
    clock = Clock()
    clock.hear_venue(venue_at(0), 0.0)
    clock.hear_venue(venue_at(601), 1.0)
    for second in range(2, int(SPAN_S)):
        clock.hear_venue(venue_at(second), float(second))
    assert clock.venue_ms(SPAN_S - 1) == venue_at(600 + SPAN_S - 1)
    for second in range(int(SPAN_S), int(2 * SPAN_S) + 1):
        clock.hear_venue(venue_at(second), float(second))
    assert clock.venue_ms(2 * SPAN_S) == venue_at(2 * SPAN_S)


def test_within_a_span_the_stamp_that_travelled_least_counts() -> None:
    """Also across the turn of a span: one slow stamp must not set the venue's clock back by its journey."""
    clock = Clock()
    for second in range(int(SPAN_S) + 2):
        travelled = 3 if second == 50 else 400
        clock.hear_venue(venue_at(second) - travelled, float(second))
        behind_ms = venue_at(second) - clock.venue_ms(float(second))
        assert behind_ms == (400 if second < 50 else 3)


def test_until_a_stamp_was_heard_the_wall_clock_is_all_there_is() -> None:
    """And when stamps stop coming, the last ones are carried on."""
    clock = Clock()
    assert abs(clock.venue_ms(7.0) - clock.now_ms()) < 1000
    clock.hear_venue(venue_at(0), 7.0)
    assert clock.venue_ms(7.0 + 3600.0) == venue_at(3600)


@pytest.mark.parametrize("off_s", [-3, 0, 3])
async def test_how_far_a_clock_is_behind_the_venues(off_s: int, autojump_clock: trio.testing.MockClock) -> None:
    """By the stamp that travelled least, however long it is carried on; nothing is said before one was heard."""
    clock = VirtualClock(BEGIN_MS * 10**6)
    assert clock.behind_s() == -math.inf
    clock.hear_venue(clock.now_ms() - TRAVEL_MS, trio.current_time())
    await trio.sleep(60)
    clock.jump_ns = off_s * 10**9
    assert clock.behind_s() == pytest.approx(-off_s - TRAVEL_MS / 1000, abs=0.002)
