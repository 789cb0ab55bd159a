"""What the supervisor may say at the end: who has asked, and who has answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from loguru import logger

from actors.console.config import Effective, RunOptions
from actors.console.screen import Screen
from actors.console.settings import CellSettings, Settings
from actors.mailboxes import AllDone, Farewell, Message
from actors.run_folder import RunFolder
from supervisor import Supervisor

ASKED, NOTHING_SENT, UNPROVEN = "asked", "nothing sent", "unproven"
PROOF = "guard: the venue shows none of ours (0.80 s after the supervisor is gone, or has handed over)"


@pytest.fixture(autouse=True)
def _fresh_sinks() -> Iterator[None]:
    yield
    logger.remove()


@pytest.fixture
def run(tmp_path: Path) -> Supervisor:
    """Of two cells; nobody of it is born."""
    settings = Settings(cells=[CellSettings(), CellSettings()])
    settings.journal.folder = str(tmp_path)
    effective, options, folder = Effective(settings, {}), RunOptions(plain=True), RunFolder(settings)
    return Supervisor(effective, options, folder, Screen(effective, options, folder.path))


class Guard(SimpleNamespace):
    """Alive until it has heard that all is done, or has proven it once nobody holds its pipe."""

    def __init__(self) -> None:
        super().__init__(pid=77, is_alive=True, has_spoken=True, farewell=None, heard=[])

    def send(self, message: Message) -> None:
        self.heard.append(message)
        self.is_alive = not isinstance(message, AllDone)

    def hang_up(self) -> None:
        self.heard.append("the pipe's end")
        self.farewell, self.is_alive = Farewell(True, 0, text=PROOF), False


def end(run: Supervisor, *states: str) -> None:
    for post, state in zip(run.posts, states, strict=True):
        post.gone, post.was_asked, post.unproven = True, state == ASKED, state == UNPROVEN


def last_words(run: Supervisor) -> list[tuple[str, str]]:
    return run.screen._last


@pytest.mark.parametrize(
    ("states", "code", "line"),
    [
        ((ASKED, ASKED), 0, "confirmed: zero orders rest (the venue answered"),
        ((NOTHING_SENT, NOTHING_SENT), 0, "no order was sent; what earlier runs may have left was not asked for"),
        ((ASKED, NOTHING_SENT), 1, "NOT confirmed that no order rests"),
        ((ASKED, UNPROVEN), 1, "NOT confirmed that no order rests"),
        ((NOTHING_SENT, UNPROVEN), 1, "NOT confirmed that no order rests"),
    ],
)
def test_zero_is_said_only_where_every_cell_has_asked(
    run: Supervisor, states: tuple[str, ...], code: int, line: str
) -> None:
    """One that never asked may have orders of an earlier run: another's answer says nothing of them."""
    end(run, *states)
    assert run._last_line() == code
    assert last_words(run)[-1][1].startswith(line)


@pytest.mark.parametrize(("states", "acts"), [((ASKED, ASKED), False), ((ASKED, NOTHING_SENT), True)])
async def test_the_guard_takes_over_where_one_cell_never_asked(
    run: Supervisor, states: tuple[str, ...], acts: bool, autojump_clock: object
) -> None:
    """It knows the whole tag; its proof is the run's, in its own words."""
    end(run, *states)
    guard: Any = Guard()
    run.guard = guard
    await run._dismiss_guard()
    assert guard.heard == (["the pipe's end"] if acts else [AllDone()])
    assert run._last_line() == 0
    level, line = last_words(run)[-1]
    assert level == "info"
    assert line.startswith("confirmed: zero orders rest (")
    assert (PROOF in line) == acts


def test_a_proof_counts_from_the_moment_it_was_heard(run: Supervisor) -> None:
    """A supervisor that slept through it wakes up to its guard's last word; whether that process still ends is no matter."""
    end(run, UNPROVEN, UNPROVEN)
    guard: Any = Guard()
    guard.farewell = Farewell(True, 0, text=PROOF)
    run.guard = guard
    assert guard.is_alive
    assert run._last_line() == 0
    assert last_words(run)[-1] == ("info", f"confirmed: zero orders rest ({PROOF})")


def test_a_guard_that_could_ask_nobody_confirms_nothing(run: Supervisor) -> None:
    """Its farewell without a proof is no proof."""
    end(run, UNPROVEN, ASKED)
    guard: Any = Guard()
    guard.farewell = Farewell(False, None, text="guard: nobody is left who could be asked")
    run.guard = guard
    assert run._last_line() == 1
    assert "NOT confirmed" in last_words(run)[-1][1]
