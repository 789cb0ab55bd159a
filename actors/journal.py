"""The journal: an append-only record of everything that changed state, one JSON line each.

Owns one file per process and run. `write` never blocks and never raises: a full disk or a full inbox is counted, said
once in the log, and trading goes on (orders must be cancellable on a full disk). Holds no secret: callers hand over
facts, never settings. Invariant: lines are in the order of `write` calls, and each is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import msgspec
import trio
from loguru import logger

from actors.mailboxes import INBOX_SIZE

SCHEMA = 1
FLUSH_S = 0.1


class Journal:
    """`now_ns` is the venue's UTC. With `path` None lines are kept nowhere (tests that do not look at them)."""

    def __init__(self, path: Path | None, now_ns: Callable[[], int]) -> None:
        self.path = path
        self.lost = 0
        self._now_ns = now_ns
        self._encode = msgspec.json.Encoder().encode
        self._send, self._receive = trio.open_memory_channel[bytes](INBOX_SIZE)
        self._failing = False

    def write(self, what: str, **facts: Any) -> None:
        """One line: `{"t": ns, "what": ..., ...facts}`."""
        if self.path is None:
            return
        try:
            self._send.send_nowait(self._encode({"t": self._now_ns(), "what": what, **facts}))
        except trio.WouldBlock:
            self._lose(1, "its inbox is full")

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Writes until cancelled, then what is left. A line is on disk within FLUSH_S, unless the disk refuses."""
        if self.path is None:
            task_status.started()
            await trio.sleep_forever()
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            self.write("journal", schema=SCHEMA)
            task_status.started()
            try:
                while True:
                    self._drain(file, await self._receive.receive())
                    await trio.sleep(FLUSH_S)
            finally:
                self._drain(file)

    def _drain(self, file: TextIO, *first: bytes) -> None:
        lines = list(first)
        while True:
            try:
                lines.append(self._receive.receive_nowait())
            except trio.WouldBlock:
                break
        try:
            file.writelines(line.decode() + "\n" for line in lines)
            file.flush()
            self._failing = False
        except OSError as exc:
            self._lose(len(lines), str(exc))

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        if not self._failing:
            self._failing = True
            logger.error("journal {} cannot be written ({}): {} lines lost so far", self.path, why, self.lost)
