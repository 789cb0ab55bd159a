"""The exchange's own record of everything that crossed its counter: the independent judge of every test.

Owns the numbering, the times and the file of `docs/ledger.md`. Knows no venue: a row's body comes from whoever saw the
event. Never drops or rewrites a row, never holds a private key. Rows are plain dicts that nobody changes after writing;
they become text when flushed, so that the order path pays for an append only. Invariant: `n` rises by one per row, in the
order in which things happened.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

LEDGER_VERSION = 1
Row = dict[str, Any]


class Ledger:
    """Rows to a file, to a list (`records`), or both; with neither, writing costs a comparison."""

    def __init__(
        self,
        clock_ns: Callable[[], int],
        wall_ns: Callable[[], int],
        *,
        path: Path | None = None,
        keep: bool = False,
    ) -> None:
        self.records: list[Row] = []
        self._clock_ns = clock_ns
        self._wall_ns = wall_ns
        self._keep = keep
        self._file: BinaryIO | None = open(path, "ab") if path is not None else None  # noqa: SIM115 - closed in close()
        self._waiting: list[Row] = []
        self._encode = msgspec.json.Encoder(decimal_format="string").encode
        self._next = 0

    @property
    def is_on(self) -> bool:
        return self._keep or self._file is not None

    def open(self, venue: str, seed: int, **facts: Any) -> None:
        """The first row: version, venue, seed and whatever else describes the run."""
        self.write("ledger", version=LEDGER_VERSION, venue=venue, seed=seed, **facts)

    def write(self, kind: str, **body: Any) -> None:
        """Append one row, stamped with the venue's clock (`t`) and the wall clock (`w`), both ns."""
        if not self.is_on:
            return
        row: Row = {"n": self._next, "t": self._clock_ns(), "w": self._wall_ns(), "kind": kind, **body}
        self._next += 1
        if self._keep:
            self.records.append(row)
        if self._file is not None:
            self._waiting.append(row)

    def flush(self) -> None:
        """Everything written so far goes to the operating system; called at least each 100 ms and at exit."""
        if self._file is None or not self._waiting:
            return
        rows, self._waiting = self._waiting, []
        self._file.write(b"".join(self._encode(row) + b"\n" for row in rows))
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self.flush()
            self._file.close()
            self._file = None

    def of(self, *kinds: str) -> list[Row]:
        """The kept rows of these kinds, in order."""
        return [row for row in self.records if row["kind"] in kinds]


def read_ledger(path: Path) -> list[Row]:
    """A ledger file as rows; ValueError when it is no ledger or of another version. A torn last line is left out."""
    lines = path.read_bytes().split(b"\n")
    rows = [msgspec.json.decode(line) for line in lines[:-1] if line]
    if not rows or rows[0].get("kind") != "ledger" or rows[0].get("version") != LEDGER_VERSION:
        raise ValueError(f"{path} is no ledger of version {LEDGER_VERSION}")
    return rows
