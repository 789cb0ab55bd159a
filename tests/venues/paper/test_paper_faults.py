"""Misbehaviour on demand: what is armed strikes as often as told, and nothing else changes."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from actors.venues.paper.faults import ChannelFault, Faults, FrameFault, FrameKind, Passage


def faults(seed: int = 1) -> Faults:
    return Faults(random.Random(seed))


def test_without_anything_armed_frames_pass_and_no_chance_is_drawn() -> None:
    """A run without faults is untouched by them: the random source stays where it was."""
    rng = random.Random(3)
    state = rng.getstate()
    quiet = Faults(rng)
    assert quiet.frame("out", 1, "hello") == [Passage("hello")]
    assert quiet.request("private/order") is None
    assert rng.getstate() == state
    assert not quiet.struck


def test_a_dropped_frame_is_gone_and_the_next_one_passes() -> None:
    """A count of one strikes once."""
    some = faults()
    some.arm(FrameFault("drop", count=1))
    assert some.frame("out", 1, "first") == []
    assert some.frame("out", 1, "second") == [Passage("second")]
    assert some.struck == {"drop": 1}


def test_a_fault_strikes_only_its_direction_session_and_text() -> None:
    """Inbound frames, other sessions and other texts are left alone."""
    some = faults()
    some.arm(FrameFault("drop", direction="out", session_id=2, match="orders"))
    assert some.frame("in", 2, "orders") == [Passage("orders")]
    assert some.frame("out", 1, "orders") == [Passage("orders")]
    assert some.frame("out", 2, "trades") == [Passage("trades")]
    assert some.frame("out", 2, "30001.orders") == []


@given(text=st.text(min_size=1, max_size=200), kind=st.sampled_from(["delay", "duplicate", "reorder", "truncate"]))
def test_no_fault_invents_text(text: str, kind: FrameKind) -> None:
    """Whatever comes out is the frame or its beginning, at most twice, and never in the past."""
    some = faults()
    some.arm(FrameFault(kind))
    passages = some.frame("out", 1, text)
    assert 1 <= len(passages) <= 2
    assert all(text.startswith(passage.text) and passage.delay_ns >= 0 for passage in passages)
    if kind == "truncate":
        assert len(passages[0].text) < len(text)
    if kind == "duplicate":
        assert [passage.text for passage in passages] == [text, text]


def test_request_faults_tell_whether_the_work_is_done() -> None:
    """A lost request does nothing, a swallowed answer does the work in silence, 9000 may be either."""
    some = faults()
    some.lose_request("private/order")
    some.swallow_answer("private/order")
    some.unknown_outcome("private/order", executed=True)
    some.rate_limit("private/*", retry_ms=250)
    first, second, third, fourth = (some.request("private/order") for _ in range(4))
    assert first is not None
    assert (first.executed, first.silent) == (False, True)
    assert second is not None
    assert (second.executed, second.silent) == (True, True)
    assert third is not None
    assert (third.executed, third.silent, third.code) == (True, False, 9000)
    assert fourth is not None
    assert (fourth.code, fourth.detail) == (-32000, "Retry after 250 ms")
    assert some.request("private/order") is None


def test_a_channel_is_left_out_as_often_as_told() -> None:
    """By its name alone, whoever asks; each refusal is a strike."""
    some = faults()
    some.arm(ChannelFault(".orders", count=1))
    assert not some.leaves_out("30001.trades")
    assert some.armed
    assert [some.leaves_out("30001.orders") for _ in range(2)] == [True, False]
    assert not some.armed
    assert some.struck == {"channel": 1}
    some.arm(ChannelFault("user."))
    assert all(some.leaves_out("user.lock") for _ in range(3))
    some.clear()
    assert not some.leaves_out("user.lock")


def test_the_same_seed_strikes_the_same_frames() -> None:
    """A share is drawn from the given source alone, so a run can be replayed."""

    def run() -> list[int]:
        some = faults(11)
        some.arm(FrameFault("drop", share=0.3))
        return [n for n in range(200) if not some.frame("out", 1, str(n))]

    assert run() == run()
    assert 30 < len(run()) < 90


def test_every_strike_is_reported_once() -> None:
    """The ledger's listener hears of each strike with its kind."""
    some = faults()
    heard: list[str] = []
    some.on_strike = lambda kind, facts: heard.append(kind)
    some.arm(FrameFault("drop", count=2))
    some.refuse("private/cancel", 11006)
    for _ in range(3):
        some.frame("out", 1, "x")
    some.request("private/cancel")
    some.kill(4)
    assert heard == ["drop", "drop", "refuse", "kill"]
    assert sum(some.struck.values()) == 4
