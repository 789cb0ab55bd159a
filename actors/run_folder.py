"""The folder of one run: journal, log and the paper exchange's ledger, by start time; older ones are removed.

Owns names below `journal.folder` and nothing else there. Invariant: only folders that carry our own name pattern are
ever removed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from actors.clock import Clock
from actors.console.settings import Settings
from actors.console.snapshots import CellSnapshot
from actors.trading.errors import ConfigError

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z")


class RunFolder:
    """Made at start; ConfigError when it cannot be. `stderr` takes what children print outside their logs."""

    def __init__(self, settings: Settings) -> None:
        parent = Path(settings.journal.folder)
        now = datetime.fromtimestamp(Clock().wall_ns() / 1e9, UTC)
        self.path = parent / f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z"
        try:
            self.path.mkdir(parents=True)
            self.stderr: IO[bytes] = (self.path / "stderr.log").open("ab")
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
            shutil.rmtree(path, ignore_errors=True)
