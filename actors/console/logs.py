"""Logging for every process: one line format, one level, a file in the run's folder, and no secret in any of them.

Sets up loguru; says nothing itself. Actors log through `logger.contextualize(actor=...)` or `.bind(actor=...)`, and the
word stands in its own column. Invariant: each line passes `redact` on its way out, tracebacks included, and loguru's
`diagnose` (which prints the values of variables) is off.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from loguru import logger

from actors.console.secrets import redact
from actors.console.snapshots import CellSnapshot, duration_text

if TYPE_CHECKING:
    from loguru import Record

COLUMN = 22
PIECE = 1000
"""Characters written at once: at most 4,000 bytes, which a pipe that says it has room takes without waiting."""
LINE_FORMAT = "<dim>{time:HH:mm:ss.SSS}</dim> <level>{level: <7}</level> {extra[actor]: <22} {message}\n{exception}"
FILE_FORMAT = "{time:YYYY-MM-DDTHH:mm:ss.SSSSSS!UTC}Z {level: <7} {extra[actor]: <22} {message}\n{exception}"


def level_of(verbose: bool, environ: Mapping[str, str] = os.environ) -> str:
    """--verbose beats LOGURU_LEVEL beats INFO."""
    return "DEBUG" if verbose else environ.get("LOGURU_LEVEL", "INFO").upper()


def set_up(
    level: str,
    *,
    stream: TextIO | None = None,
    file: Path | None = None,
    on_line: Callable[[str, str, float], None] | None = None,
) -> None:
    """Replaces every sink of this process.

    `stream`: the terminal or a pipe (None: nowhere, while a live table owns the screen). `file`: gets debug lines
    whatever the level. `on_line(level, text, utc_s)`: gets INFO and above, for the events under a live table.
    """
    logger.remove()
    logger.configure(extra={"actor": "supervisor"})
    if stream is not None:
        logger.add(
            _redacting(stream),
            level=_known(level),
            format=lambda _: LINE_FORMAT,
            colorize=stream.isatty(),
            backtrace=False,
            diagnose=False,
        )
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = file.open("a", encoding="utf-8", buffering=1)
        logger.add(_redacting(kept), level="DEBUG", format=lambda _: FILE_FORMAT, backtrace=False, diagnose=False)
    if on_line is not None:
        logger.add(_reporting(on_line), level="INFO", format=_message_only, backtrace=False, diagnose=False)


def _message_only(record: Record) -> str:
    return "{message}"


def _known(level: str) -> str:
    try:
        return logger.level(level).name
    except ValueError:
        print(f"LOGURU_LEVEL: {level} is no level; using INFO (TRACE, DEBUG, INFO, WARNING, ERROR)", file=sys.stderr)
        return "INFO"


def _redacting(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        try:
            for start in range(0, len(clean := redact(line)), PIECE):
                if not _has_room(stream):
                    return
                stream.write(clean[start : start + PIECE])
                stream.flush()
        except (BrokenPipeError, OSError, ValueError):
            # A closed terminal or a full disk must not take an actor down: orders matter more than this line.
            pass

    return write


def _has_room(stream: TextIO) -> bool:
    """Not while nobody reads (a stopped terminal, a pager, a stalled ssh): the write would wait, and with it the actor's
    cancels; cells and guard share that place. What is left out here is in the file in the run's folder."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # no descriptor behind it: nothing that could wait
        return True
    watch = select.poll()
    watch.register(number, select.POLLOUT)
    return bool(watch.poll(0))


def _reporting(on_line: Callable[[str, str, float], None]) -> Callable[..., None]:
    def write(line: object) -> None:
        record: Record = line.record  # type: ignore[attr-defined]
        on_line(record["level"].name, redact(str(line)), record["time"].timestamp())

    return write


def statistics_line(snapshot: CellSnapshot) -> str:
    """The line of figures that is logged every `status.statistics_s`."""
    requests = snapshot.requests
    kinds = " ".join(f"{kind} {count}" for kind, count in sorted(requests.items())) or "none"
    budget = ", ".join(f"{pool.name} {pool.left:.0f}/{pool.burst:.0f}" for pool in snapshot.budgets) or "unknown"
    parts = [
        f"quoted {snapshot.instruments_quoted}/{len(snapshot.rows)}",
        f"requests: {kinds}",
        f"rejected {sum(snapshot.rejects.values())}",
        f"fills {snapshot.fills} ({snapshot.volume:g} contracts, fees {snapshot.fees} {snapshot.premium_currency})",
        f"position {snapshot.position:+g}",
        f"exposure {snapshot.exposure:g} of {snapshot.max_exposure:g}",
        f"budget left: {budget}",
        f"oldest quote {duration_text(snapshot.oldest_quote_s) if snapshot.oldest_quote_s is not None else 'none'}",
        f"restarts {snapshot.restarts}",
    ]
    return f"{snapshot.cell}: " + " | ".join(parts)
