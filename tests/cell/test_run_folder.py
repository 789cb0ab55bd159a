"""Which folders of earlier runs are removed, and which are not: those in which somebody lives."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.console.settings import Settings
from actors.run_folder import RunFolder, hold

ROOT = Path(__file__).resolve().parents[2]
LIVES = """
import sys
from pathlib import Path
from actors.console.settings import Settings
from actors.run_folder import RunFolder
settings = Settings()
settings.journal.folder, settings.journal.keep_runs = sys.argv[1], 1
folder = RunFolder(settings)
print(folder.path, flush=True)
sys.stdin.read()
"""


def settings_in(folder: Path, keep: int = 1) -> Settings:
    settings = Settings()
    settings.journal.folder, settings.journal.keep_runs = str(folder), keep
    return settings


@contextmanager
def another_run(parent: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process that has its folder, and stays."""
    words = [sys.executable, "-c", LIVES, str(parent)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # PIPE was asked for
        try:
            yield process, Path(process.stdout.readline().decode().strip())
        finally:
            process.kill()


def old_run(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    (folder / "stderr.log").touch()
    return folder


def test_a_run_that_lives_keeps_its_folder_and_a_dead_one_does_not(tmp_path: Path) -> None:
    """However many are started after it: its journal and its exchange's ledger are still being written."""
    with another_run(tmp_path) as (process, lived_in):
        fresh = RunFolder(settings_in(tmp_path))
        assert lived_in.is_dir()
        assert fresh.path.is_dir()
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        last = RunFolder(settings_in(tmp_path))
        assert not lived_in.exists(), "a death lets go"
        assert fresh.path.is_dir(), "ours, and open"
        assert last.path.is_dir()


def test_what_is_kept_is_the_newest_and_what_is_lived_in(tmp_path: Path) -> None:
    """Nobody's folders go oldest first, folders of other names never; a guard that goes on alone holds its run's too."""
    names = ("20260101T000000.000Z", "20260102T000000.000Z", "20260103T000000.000Z", "20260104T000000.000Z")
    first, guarded, third, fourth = (old_run(tmp_path, name) for name in names)
    (tmp_path / "mine").mkdir()
    (third / "stderr.log").unlink()
    with hold(guarded):
        fresh = RunFolder(settings_in(tmp_path, keep=2))
    assert sorted(path for path in tmp_path.iterdir()) == sorted([guarded, fourth, fresh.path, tmp_path / "mine"])
    assert not first.exists()
