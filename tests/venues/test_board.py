"""A listing read again while quotes are out: only what is new costs anything, and nothing old is believed."""

from __future__ import annotations

import attrs
import msgspec

from actors.trading.instruments import Instrument
from actors.venues.board import FINEST, Board


class Terms:
    """The least a venue keeps of an instrument; counts how often it was revised."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.revised = 0

    def revise(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.revised += 1


class Reader:
    """Rows are `NAME` or `NAME!` (not active); anything with a space cannot be read. Counts the readings."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, raw: msgspec.Raw) -> tuple[Instrument, bool]:
        text = bytes(raw).decode()
        self.read.append(text)
        name = text.strip('"!')
        if " " in name:
            raise ValueError(f"{name!r} is no instrument")
        return Instrument(name.partition("@")[0], "derive", "ETH", FINEST, FINEST, 1, max_of(name)), "!" not in text


def max_of(name: str) -> int:
    """`NAME@7`: a largest order of 7."""
    return int(name.partition("@")[2] or 1)


def rows(*texts: str) -> list[msgspec.Raw]:
    return [msgspec.Raw(f'"{text}"'.encode()) for text in texts]


def test_a_row_that_came_before_is_not_read_again() -> None:
    board, reader = Board("derive", Terms), Reader()
    first = board.read_active(rows("ETH-A", "ETH-B", "ETH-C!", "what is this"), reader)
    assert [each.name for each in first] == ["ETH-A", "ETH-B"]
    assert len(reader.read) == 4
    again = board.read_active(rows("ETH-A", "ETH-B", "ETH-C!", "what is this", "ETH-D"), reader)
    assert [each.name for each in again] == ["ETH-A", "ETH-B", "ETH-D"]
    assert reader.read[4:] == ['"ETH-D"']
    assert again[0] is first[0]
    assert len(board.unreadable) == 1  # said once, not every half minute


def test_a_changed_row_is_read_and_taught() -> None:
    board, reader = Board("derive", Terms), Reader()
    board.learn(board.read_active(rows("ETH-A", "ETH-B"), reader))
    board.learn(board.read_active(rows("ETH-A@7", "ETH-B"), reader))
    assert board.known("ETH-A").instrument.max_amount == 7
    assert (board.known("ETH-A").revised, board.known("ETH-B").revised) == (1, 0)
    board.learn(board.read_active(rows("ETH-A", "ETH-B"), reader))  # and back: the memory of a row is no memory of a name
    assert board.known("ETH-A").instrument.max_amount == 1


def test_a_row_that_is_no_longer_active_is_gone() -> None:
    board, reader = Board("derive", Terms), Reader()
    assert board.read_active(rows("ETH-A"), reader)
    assert not board.read_active(rows("ETH-A!"), reader)


def test_other_units_are_not_taught_to_who_counts_in_the_old_ones() -> None:
    """Nor is it forgotten what else may change: the old units come again with their new facts."""
    board, reader = Board("derive", Terms), Reader()
    (first,) = board.read_active(rows("ETH-A"), reader)
    board.learn([first])
    for units in ({"tick": FINEST * 5}, {"amount_step": FINEST * 5}, {"min_amount": 7}):
        board.learn([attrs.evolve(first, **units)])
        assert board.known("ETH-A").instrument is first
    board.learn([attrs.evolve(first, max_amount=9)])
    assert board.known("ETH-A").instrument.max_amount == 9
