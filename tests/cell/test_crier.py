"""News for everybody is told a few at a time, the most urgent first, and nobody loses his place in the line."""

from __future__ import annotations

import trio

from actors.crier import A_TURN, Crier


async def test_a_few_are_told_before_everybody_else_has_a_turn() -> None:
    """One scheduling pass tells A_TURN of them, in the order given; two of its passes may fall between two of ours."""
    told: list[str] = []
    crier = Crier(told.append)
    names = [f"{number}" for number in range(9 * A_TURN)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crier.cry)
        crier.tell(names)
        lengths = []
        while len(told) < len(names):
            await trio.lowlevel.checkpoint()
            lengths.append(len(told))
        assert told == names
        assert all(after - before <= 2 * A_TURN for before, after in zip([0, *lengths], lengths, strict=False))
        nursery.cancel_scope.cancel()


async def test_newer_news_does_not_send_those_who_wait_to_the_end_of_the_line() -> None:
    """Whoever was owed the first news is told before those who only concern the second, and once for both."""
    told: list[str] = []
    crier = Crier(told.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crier.cry)
        crier.tell(["a", "b", "c"])
        crier.tell(["d", "c", "a"])
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        assert told == ["a", "b", "c", "d"]
        nursery.cancel_scope.cancel()
