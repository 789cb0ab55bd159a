"""How long answers are read: whole or not at all, and never so much at a stretch that others wait."""

from __future__ import annotations

import itertools

import msgspec
import pytest
import trio

from actors.trading.errors import OutcomeUnknown
from actors.venues.dialect import Call, Script
from actors.venues.dialogue import ROWS_AT_ONCE, ask, readable
from actors.venues.scripts import drive

QUESTION = Call("private/get_open_orders", b"{}")


def numbers(read: list[int]) -> Script[list[int]]:
    """Every row is noted in `read` as soon as it is read."""

    def one(text: str) -> int:
        read.append(int(text))
        return read[-1]

    listed = yield from ask(QUESTION, list[str])
    return (yield from readable(one, listed, QUESTION))


def venue_of(rows: list[str]):
    """Answers the question; anything else would reach the wire."""

    async def answer(call: Call) -> msgspec.Raw:
        assert call is QUESTION
        return msgspec.Raw(msgspec.json.encode(rows))

    return answer


async def test_others_have_a_turn_while_a_long_answer_is_read() -> None:
    """The open orders of a thousand instruments are two thousand rows: ten milliseconds in one go."""
    count = 5 * ROWS_AT_ONCE + 7
    read: list[int] = []
    seen: list[int] = []

    async def somebody_else() -> None:
        while True:
            seen.append(len(read))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(somebody_else)
        found = await drive(numbers(read), venue_of([str(number) for number in range(count)]))
        nursery.cancel_scope.cancel()
    assert found == list(range(count))
    looks = [0, *seen, count]
    assert all(after - before <= 2 * ROWS_AT_ONCE for before, after in itertools.pairwise(looks))


async def test_one_row_that_cannot_be_read_makes_the_whole_answer_unreadable() -> None:
    """Also the last of many: nothing is concluded from half an answer."""
    rows = [str(number) for number in range(2 * ROWS_AT_ONCE)]
    with pytest.raises(OutcomeUnknown, match="unreadable"):
        await drive(numbers([]), venue_of([*rows, "none"]))
