"""The end of a screen whose terminal is gone: the last words and the exit code do not depend on it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest
from loguru import logger

from actors.console.config import Effective, RunOptions
from actors.console.screen import Screen
from actors.console.settings import Settings


@pytest.fixture(autouse=True)
def _fresh_sinks() -> Iterator[None]:
    yield
    logger.remove()


class ClosedTerminal:
    """A live table whose terminal hangs up while it is shown; rich says so once more when it cleans up."""

    def __enter__(self) -> ClosedTerminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def event(self, level: str, text: str, utc_s: float) -> None:
        """Kept for the next draw."""


def code_of(screen: Screen) -> int:
    """As a run ends: its last words are left with the screen, its code is returned through it."""
    with screen:
        screen.say("info", "stopping: SIGHUP")
        screen.last("error", "the guard has acted")
        screen.last("info", "confirmed: zero orders rest (the venue answered)")
        return 0


def test_a_closed_terminal_takes_neither_the_exit_code_nor_the_last_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else may still read stdout, and whoever started us the code; the file has the rest."""
    screen = Screen(Effective(Settings(), {}), RunOptions(), tmp_path)
    screen._view = ClosedTerminal()  # type: ignore[assignment]  # what of it a run's end needs
    assert code_of(screen) == 0
    said = capsys.readouterr()
    assert said.out == "confirmed: zero orders rest (the venue answered)\n"
    assert said.err == "the guard has acted\n"
    assert "stopping: SIGHUP" in (tmp_path / "supervisor.log").read_text()


def test_a_failure_on_its_way_is_not_hidden_by_the_terminal_s(tmp_path: Path) -> None:
    """What ended the run is what is told."""
    screen = Screen(Effective(Settings(), {}), RunOptions(), tmp_path)
    screen._view = ClosedTerminal()  # type: ignore[assignment]
    with pytest.raises(ValueError, match="of the run"), screen:
        raise ValueError("of the run")
