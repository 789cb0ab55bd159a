"""The journal: an append-only record of everything that changed state, one JSON line each.

Owns one file per process and run. `write` never blocks and never raises: a full disk, a missing descriptor or a full
inbox is counted, said once in the log, and trading goes on (orders must be cancellable on a full disk). Holds no secret:
callers hand over facts, never settings. Invariant: lines are in the order of `write` calls, and each is whole: what a
full disk tore is cut off again, and what an earlier incarnation left torn gets an end.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import trio
from loguru import logger

from actors.mailboxes import Inbox

SCHEMA = 1
FLUSH_S = 0.1


class Journal:
    """`now_ns` is the venue's UTC. With `path` None lines are kept nowhere (tests that do not look at them)."""

    def __init__(self, path: Path | None, now_ns: Callable[[], int]) -> None:
        self.path = path
        self.lost = 0
        self._now_ns = now_ns
        self._encode = msgspec.json.Encoder().encode
        self._lines = Inbox[bytes]()
        self._failing = False
        self._file = -1
        """Descriptor; negative while the file could not be opened."""

    def write(self, what: str, **facts: Any) -> None:
        """One line: `{"t": ns, "what": ..., ...facts}`."""
        if self.path is None:
            return
        try:
            self._lines.put(self._encode({"t": self._now_ns(), "what": what, **facts}))
        except trio.WouldBlock:
            self._lose(1, "its inbox is full")

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Writes until cancelled, then what is left. A line is on disk within FLUSH_S, unless the disk refuses."""
        if self.path is None:
            task_status.started()
            await trio.sleep_forever()
            return
        self.write("journal", schema=SCHEMA)
        task_status.started()
        try:
            while True:
                await self._lines.wait()
                self._drain(self.path)
                await trio.sleep(FLUSH_S)
        finally:
            self._drain(self.path)
            self._close()

    def _drain(self, path: Path) -> None:
        lines = self._lines.take_all()
        try:
            if lines:
                self._put(path, lines)
            self._failing = False
        except OSError as exc:
            self._lose(len(lines), str(exc))

    def _put(self, path: Path, lines: list[bytes]) -> None:
        """All of them or none: OSError after the file is back at its former end."""
        if self._file < 0:
            self._file = _open_at_line(path)
        end = os.fstat(self._file).st_size
        rest = memoryview(b"\n".join([*lines, b""]))
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, end)
            raise

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        if not self._failing:
            self._failing = True
            logger.error("journal {} cannot be written ({}): {} lines lost so far", self.path, why, self.lost)


def _open_at_line(path: Path) -> int:
    """For appending; a last line that somebody was killed over is ended, so that ours begin at their own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.write(file, b"\n")
    except OSError:
        os.close(file)
        raise
    return file
