"""The exchange's record of everything: numbering, times, flushing, reading back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from actors.venues.paper.ledger import LEDGER_VERSION, Ledger, read_ledger


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000_000

    def __call__(self) -> int:
        return self.now


def test_rows_are_numbered_and_carry_both_clocks() -> None:
    """Each row has the next number, the venue's time and the wall's, in the order of writing."""
    venue, wall = Clock(), Clock()
    wall.now += 5
    ledger = Ledger(venue, wall, keep=True)
    ledger.open("derive", 7, tier="trader")
    venue.now += 1_000
    ledger.write("request", session=3, method="private/order")
    assert [(row["n"], row["t"], row["w"], row["kind"]) for row in ledger.records] == [
        (0, venue.now - 1_000, wall.now, "ledger"),
        (1, venue.now, wall.now, "request"),
    ]
    assert ledger.records[0]["version"] == LEDGER_VERSION
    assert ledger.records[0]["seed"] == 7
    assert ledger.records[0]["tier"] == "trader"
    assert ledger.of("request")[0]["method"] == "private/order"


def test_a_file_holds_exactly_what_was_written_once_flushed(tmp_path: Path) -> None:
    """Nothing is in the file before the flush, everything after it, one JSON object a line."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(Clock(), Clock(), path=path, keep=True)
    ledger.open("derive", 1)
    ledger.write("notice", channel="x", body={"a": ["1", "2"]})
    assert path.read_bytes() == b""
    ledger.flush()
    assert [msgspec.json.decode(line) for line in path.read_bytes().splitlines()] == ledger.records
    ledger.write("stop")
    ledger.close()
    assert read_ledger(path) == ledger.records


def test_a_torn_last_line_is_left_out_when_reading(tmp_path: Path) -> None:
    """A process killed in the middle of a write costs the last row, not the file."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(Clock(), Clock(), path=path, keep=True)
    ledger.open("derive", 1)
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"n":1,"t":17')
    assert read_ledger(path) == ledger.records


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """A file without the opening row, or of another version, is not read as a ledger."""
    path = tmp_path / "other.jsonl"
    path.write_bytes(b'{"kind":"order"}\n')
    with pytest.raises(ValueError, match="no ledger"):
        read_ledger(path)
    path.write_bytes(b'{"kind":"ledger","version":99}\n')
    with pytest.raises(ValueError, match="no ledger"):
        read_ledger(path)


def test_a_ledger_with_nowhere_to_write_keeps_nothing() -> None:
    """Neither file nor list: writing is free and leaves no trace."""
    ledger = Ledger(Clock(), Clock())
    ledger.write("order", price="1")
    assert not ledger.is_on
    assert ledger.records == []
