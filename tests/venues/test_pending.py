"""The table of waiting calls, driven by arbitrary histories."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from actors.venues.dialect import Call
from actors.venues.pending import PendingCall, PendingCalls

steps = st.lists(
    st.tuples(st.just("add"), st.integers(0, 50))
    | st.tuples(st.just("answer"), st.integers(0, 60))
    | st.tuples(st.just("pass"), st.integers(0, 20))
    | st.tuples(st.just("lose"), st.just(0)),
    max_size=60,
)


@given(steps)
def test_every_call_leaves_the_table_exactly_once(history: list[tuple[str, int]]) -> None:
    """By answer, deadline or loss, whichever is first, and never a second time; the next deadline is always right."""
    table, now, added = PendingCalls(), 0.0, 0
    waiting: dict[int, float] = {}
    left: list[int] = []
    for step, figure in history:
        gone: list[PendingCall] = []
        if step == "add":
            waiting[added] = now + figure
            table.add(added, PendingCall(Call(str(added)), lambda posted: None, now, now + figure))
            added += 1
        elif step == "answer":
            found = table.take(figure)
            assert (found is not None) == (figure in waiting)
            gone = [found] if found else []
        elif step == "pass":
            now += figure
            gone = table.take_overdue(now)
            assert {int(pending.call.method) for pending in gone} == {n for n, due in waiting.items() if due <= now}
        else:
            gone = table.take_all()
            assert [int(pending.call.method) for pending in gone] == list(waiting)
        for pending in gone:
            left.append(int(pending.call.method))
            del waiting[int(pending.call.method)]
        assert len(table) == len(waiting)
        assert table.next_deadline() == min(waiting.values(), default=math.inf)
    assert len(left) == len(set(left))


def test_ids_come_back_as_text_too() -> None:
    """A venue that echoes our number as text means the same call; foreign ids mean nobody."""
    table = PendingCalls()
    table.add(12, PendingCall(Call("m"), lambda posted: None, 0.0, 1.0))
    assert table.take("twelve") is None
    assert table.take("9" * 5000) is None
    assert table.take(None) is None
    assert table.take("12") is not None
    assert table.take("12") is None


def test_the_watch_is_told_of_every_deadline_that_is_earlier_than_what_it_watches() -> None:
    """And of no other; once it has looked, of whatever is earlier than what waited then."""
    table = PendingCalls()

    def add(number: int, deadline: float) -> bool:
        return table.add(number, PendingCall(Call("m"), lambda posted: None, 0.0, deadline))

    assert [add(1, 5.0), add(2, 9.0), add(3, 4.0), add(4, 4.5)] == [True, False, True, False]
    table.take(3)
    assert table.next_deadline() == 4.5
    assert [add(5, 4.6), add(6, 4.4)] == [False, True]
