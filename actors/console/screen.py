"""What the person at the terminal sees of a run: the live table where there is a terminal, plain lines where not.

Owns the supervisor's logging and the choice between the two. Asks nobody for anything: the supervisor hands it
snapshots, events and last words. Invariant: a last word is printed after the table is gone, so that it stays in sight.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

from loguru import logger

from actors.clock import Clock
from actors.console import logs
from actors.console.config import Effective, RunOptions
from actors.console.live import LiveView
from actors.console.narrator import Narrator
from actors.console.plan import banner
from actors.console.snapshots import CellSnapshot

LEVELS = {"fill": "INFO", "info": "INFO", "warning": "WARNING", "error": "ERROR"}


class Screen:
    """A context manager around a run."""

    def __init__(self, effective: Effective, options: RunOptions, folder: Path) -> None:
        self.level = logs.level_of(options.verbose)
        self._banner = banner(effective.settings)
        self._statistics_s = effective.settings.status.statistics_s
        self._file = folder / "supervisor.log"
        self._clock = Clock()
        self._narrators: dict[str, Narrator] = {}
        self._last: list[tuple[str, str]] = []
        plain = options.plain or not sys.stdout.isatty()
        self._view = None if plain else LiveView(self._banner)

    def __enter__(self) -> Screen:
        stream = sys.stderr if self._view is None else None
        logs.set_up(self.level, stream=stream, file=self._file)
        if self._view is not None:
            self._view.__enter__()
        logger.info(self._banner)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        if self._view is not None:
            with contextlib.suppress(OSError):  # a terminal that was closed: the exit code is still to be said
                self._view.__exit__(kind, exc, trace)
        for level, text in self._last:
            _print(text, sys.stderr if level == "error" else sys.stdout)

    def say(self, level: str, text: str) -> None:
        """An event: a fill, a warning, a connection change."""
        logger.log(LEVELS.get(level, "INFO"), "{}", text)
        if self._view is not None:
            self._view.event(level, text, self._clock.wall_ns() / 1e9)

    def show(self, snapshots: Sequence[CellSnapshot]) -> None:
        for snapshot in snapshots:
            narrator = self._narrators.setdefault(snapshot.cell, Narrator(self._statistics_s))
            for line in narrator.lines(snapshot):
                logger.info("{}", line)
        if self._view is not None:
            self._view.show(snapshots)

    def last(self, level: str, text: str) -> None:
        """A line for the very end, printed by itself; in the log file too."""
        logger.debug("{}", text)
        self._last.append((level, text))

    def child_log(self, folder: Path) -> str:
        """Where children log: to our stderr when lines are plain, else to a file, for the table owns the screen."""
        return "" if self._view is None else str(folder / "children.log")


def _print(text: str, stream: TextIO) -> None:
    """A reader that went away (a closed terminal, `head`) must not change what the run's exit code says."""
    try:
        print(text, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
