"""The journal on a good disk, on a full one, and after somebody was killed in the middle of a line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import trio

from actors.journal import Journal


async def written(path: Path, count: int) -> Journal:
    """So many lines, given to a journal that is then ended as a cell ends it."""
    journal = Journal(path, lambda: 7)
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        for number in range(count):
            journal.write("line", number=number)
        await trio.sleep(1)
        journal.write("last")
        nursery.cancel_scope.cancel()
    return journal


async def test_every_line_is_kept_in_order(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """Also the one that was written in the moment of the end."""
    await written(tmp_path / "journal.jsonl", 3)
    lines = [msgspec.json.decode(line) for line in (tmp_path / "journal.jsonl").read_bytes().splitlines()]
    assert [line["what"] for line in lines] == ["journal", "line", "line", "line", "last"]
    assert [line.get("number") for line in lines[1:4]] == [0, 1, 2]


async def test_a_torn_line_is_ended_before_the_next_begins(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    """A cell killed in the middle of a line costs that line and no other."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"t":1,"what":"whole"}\n{"t":2,"wh')
    await written(path, 1)
    lines = path.read_bytes().splitlines()
    assert lines[1] == b'{"t":2,"wh'
    assert msgspec.json.decode(lines[2])["what"] == "journal"


async def test_a_full_disk_costs_lines_and_nothing_else(autojump_clock: trio.testing.MockClock) -> None:
    """Nothing is raised into whoever writes; what was lost is counted."""
    journal = await written(Path("/dev/full"), 3)
    assert journal.lost == 5


async def test_a_folder_that_cannot_be_made_costs_lines_and_nothing_else(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """As with no descriptor left: the journal asks again with every line, and the actor never hears of it."""
    (tmp_path / "file").write_text("in the way")
    journal = await written(tmp_path / "file" / "journal.jsonl", 2)
    assert journal.lost == 4
