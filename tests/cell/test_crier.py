"""News is told a few at a time, the most urgent first, and nobody loses his place in the line."""

from __future__ import annotations

from collections.abc import Callable

import trio
from cell_kit import DERIVE, SMALL, quoting

from actors.crier import A_TURN, Crier
from actors.mailboxes import CALM_S
from actors.rehearsal.stage import open_stage
from actors.trading.strategies import Inventory, View, Wish


def noting(looked: list[str], busy: str = "") -> Callable[[str], bool]:
    """Quoters who look at once and are noted; all but one."""

    def look(name: str) -> bool:
        if name != busy:
            looked.append(name)
        return name != busy

    return look


async def test_a_few_are_told_before_everybody_else_has_a_turn() -> None:
    """One scheduling pass tells A_TURN of them, in the order given; two of its passes may fall between two of ours."""
    told: list[str] = []
    crier = Crier(noting(told), told.append)
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
    crier = Crier(noting(told), told.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crier.cry)
        crier.tell(["a", "b", "c"])
        crier.tell(["d", "c", "a"])
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        assert told == ["a", "b", "c", "d"]
        nursery.cancel_scope.cancel()


async def test_what_comes_alone_is_looked_at_at_once_and_a_burst_waits_in_line() -> None:
    """One look a moment: the second of two pieces of news that come together waits its turn, and so does all of a burst."""
    looked: list[str] = []
    told: list[str] = []
    crier, now = Crier(noting(looked, busy="busy"), told.append), trio.current_time()
    burst = [f"{number}" for number in range(3 * A_TURN)]
    for name in burst:
        crier.tell_one(name, now)
    assert looked == burst[:1]
    crier.tell_one("late", now + 100 * CALM_S)
    assert looked == burst[:1], "older news goes first"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crier.cry)
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        assert looked == [*burst, "late"]
        crier.tell_one("alone", now + 200 * CALM_S)
        assert looked[-1] == "alone"
        crier.tell_one("busy", now + 300 * CALM_S)
        assert told == []
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        assert told == ["busy"], "who cannot look is told"
        assert looked[-1] == "alone"
        nursery.cancel_scope.cancel()


class Counted(trio.abc.Instrument):
    """A strategy that wants nothing and counts its decisions between two looks at the sockets."""

    uses_book = True
    needs_surface = False

    def __init__(self) -> None:
        self.now = self.most = self.all = 0

    def quote(self, view: View, inventory: Inventory) -> Wish:
        self.now += 1
        self.all += 1
        self.most = max(self.most, self.now)
        return Wish(None, None, "counting")

    def before_io_wait(self, timeout: float) -> None:
        self.now = 0


async def test_however_many_books_come_at_once_the_loop_looks_at_the_sockets_in_between(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The books of a whole board are published in one go, ten times a second; no pass decides more than two turns."""
    async with open_stage(DERIVE.paper(world={**SMALL, "strikes": 40})) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(DERIVE.settings())
        nursery.start_soon(cell.run)
        await quoting(cell, 40)
        counted = Counted()
        trio.lowlevel.add_instrument(counted)
        for quoter in cell.quoters.values():
            quoter.strategy = counted
        await trio.sleep(3)
        trio.lowlevel.remove_instrument(counted)
        assert counted.all > 5 * len(cell.quoters)
        assert counted.most <= 2 * A_TURN
        nursery.cancel_scope.cancel()
