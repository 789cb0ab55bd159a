"""The folder of one run: journal, log and the paper exchange's ledger, by start time; older ones are removed.

Owns names below `journal.folder` and nothing else there. Invariant: only folders that carry our own name pattern are
ever removed, and none of a run of which somebody lives: supervisor, guard or paper exchange.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec
from loguru import logger

from actors.clock import Clock
from actors.console.settings import Settings
from actors.console.snapshots import CellSnapshot
from actors.trading.errors import ConfigError

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z")
_HELD = "stderr.log"
"""Whoever lives in a folder has a shared lock on this file of it, and a death lets go."""


def _make(parent: Path, at_ms: int) -> Path:
    """A folder named after this millisecond, or after the next that nobody else has started in."""
    now = datetime.fromtimestamp(at_ms / 1000, UTC)
    folder = parent / f"{now:%Y%m%dT%H%M%S}.{at_ms % 1000:03d}Z"
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return _make(parent, at_ms + 1)
    return folder


def hold(folder: Path) -> IO[bytes]:
    """Keeps the folder from being removed for as long as the file is open, here or in a child it was given to. OSError."""
    held = (folder / _HELD).open("ab")
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as exc:  # a file system without locks, or one that is about to remove it
        logger.debug("{} cannot be locked: {}", held.name, exc)
    return held


def _is_held(folder: Path) -> bool:
    """Somebody lives in it, or nobody can tell."""
    try:
        with (folder / _HELD).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


class RunFolder:
    """Made at start; ConfigError when it cannot be. `stderr` takes what children print outside their logs."""

    def __init__(self, settings: Settings) -> None:
        parent = Path(settings.journal.folder)
        try:
            self.path = _make(parent, Clock().wall_ns() // 1_000_000)
            self.stderr: IO[bytes] = hold(self.path)
        except OSError as exc:
            raise ConfigError(f"journal.folder: {parent} cannot be written ({exc.strerror}); name another") from None
        self._remove_old(parent, settings.journal.keep_runs)

    def write_status(self, snapshots: Sequence[CellSnapshot]) -> None:
        """The latest snapshots as `status.json`, whole or not at all; a full disk costs this file and nothing else."""
        fresh = self.path / "status.json.new"
        try:
            fresh.write_bytes(msgspec.json.encode(list(snapshots)))
            fresh.replace(self.path / "status.json")
        except OSError:
            return

    def _remove_old(self, parent: Path, keep: int) -> None:
        runs = sorted(path for path in parent.iterdir() if path.is_dir() and _NAME.fullmatch(path.name))
        for path in runs[:-keep] if keep else runs:
            if not _is_held(path):
                shutil.rmtree(path, ignore_errors=True)
