"""Logging: the level asked for, the actor in its own column, and a sink that never takes an actor down."""

from __future__ import annotations

import io
import os
import select
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import TextIO

import pytest
from full_pipe import fill
from loguru import logger

from actors.console import logs


@pytest.fixture(autouse=True)
def _fresh_sinks() -> Iterator[None]:
    yield
    logger.remove()
    logger.configure(extra={})


@pytest.mark.parametrize(
    ("verbose", "environ", "level"),
    [
        (False, {}, "INFO"),
        (True, {}, "DEBUG"),
        (False, {"LOGURU_LEVEL": "debug"}, "DEBUG"),
        (True, {"LOGURU_LEVEL": "ERROR"}, "DEBUG"),
    ],
)
def test_verbose_beats_the_environment_beats_info(verbose: bool, environ: dict[str, str], level: str) -> None:
    """--verbose and LOGURU_LEVEL both ask for more."""
    assert logs.level_of(verbose, environ) == level


def test_lines_below_the_level_go_to_the_file_only(tmp_path: Path) -> None:
    """The run's folder keeps debug lines even when the terminal does not show them."""
    stream, file = io.StringIO(), tmp_path / "run" / "cell.log"
    logs.set_up("INFO", stream=stream, file=file)
    with logger.contextualize(actor="quoter ETH-X"):
        logger.debug("quote updated")
        logger.info("filled")
    assert "filled" in stream.getvalue()
    assert "quote updated" not in stream.getvalue()
    first, second = file.read_text().splitlines()
    assert "quoter ETH-X" in first
    assert first.endswith("quote updated")
    assert second.endswith("filled")


def test_an_unknown_level_is_told_and_info_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped LOGURU_LEVEL does not stop a run."""
    stream = io.StringIO()
    logs.set_up("LOUD", stream=stream)
    logger.info("here")
    assert "here" in stream.getvalue()
    assert "LOGURU_LEVEL: LOUD is no level" in capsys.readouterr().err


def test_a_closed_terminal_or_a_full_disk_does_not_raise() -> None:
    """Logging into a stream that fails is silent: orders matter more than lines."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    logs.set_up("INFO", stream=Full())
    logger.info("lost")


def test_a_message_with_braces_is_logged_as_it_is() -> None:
    """JSON in a message is no format string."""
    stream = io.StringIO()
    logs.set_up("INFO", stream=stream)
    logger.info('{"a": 1} <red>')
    assert '{"a": 1} <red>' in stream.getvalue()


def unread() -> tuple[int, TextIO]:
    """A pipe and its writing end, as a terminal's stand-in."""
    reading, writing = os.pipe()
    return reading, os.fdopen(writing, "w", buffering=1)


def test_a_line_that_nobody_reads_is_dropped_and_not_waited_for() -> None:
    """A stopped terminal, a pager, a stalled ssh: whoever waited there could not cancel. Once read, lines are whole."""
    reading, stream = unread()
    logs.set_up("INFO", stream=stream)
    logger.info("before")
    fill(stream.fileno())
    writer = Thread(target=logger.info, args=("lost " * 2_000,), daemon=True)
    writer.start()
    writer.join(10)
    is_waiting = writer.is_alive()
    taken = os.read(reading, 1 << 20)
    assert not is_waiting
    while select.select([reading], [], [], 0)[0]:
        taken += os.read(reading, 1 << 20)
    logger.info("after")
    stream.close()
    read_again = os.read(reading, 1 << 20)
    os.close(reading)
    assert b"before" in taken
    assert b"lost" not in taken
    assert read_again.decode().endswith("after\n")
    assert read_again.count(b"\n") == 1


def test_a_long_line_reaches_whoever_reads_whole(tmp_path: Path) -> None:
    """A traceback of many pieces, in letters of several bytes: into a pipe and into a file."""
    text = "kurz und gut: größer → " * 1_500
    reading, stream = unread()
    logs.set_up("INFO", stream=stream, file=tmp_path / "cell.log")
    logger.info("{}", text)
    stream.close()
    taken = b""
    while piece := os.read(reading, 1 << 20):
        taken += piece
    os.close(reading)
    assert taken.decode().endswith(f"{text}\n")
    assert (tmp_path / "cell.log").read_text().endswith(f"{text}\n")
