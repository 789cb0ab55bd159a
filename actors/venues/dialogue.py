"""One question of a script and the reading of its answer; every venue's conversations are made of these.

Pure: yields the call to whoever drives the script, and PAUSE where others should have a turn. Invariant: an answer of
another shape raises OutcomeUnknown; nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from actors.trading.errors import OutcomeUnknown
from actors.venues.dialect import Call, Script

T = TypeVar("T")
PAUSE = Call("", b"")
"""Asks nobody anything: there is more to read than one step should take."""
ROWS_AT_ONCE = 200
"""A millisecond's work: the open orders of a large board are thousands."""


def ask(request: Call, shape: type[T]) -> Script[T]:
    """One question; OutcomeUnknown when the answer has another shape."""
    raw = yield request
    try:
        return msgspec.json.decode(raw, type=shape, strict=False)
    except ValueError as exc:
        raise OutcomeUnknown(f"{request.method} was answered with something unreadable: {exc}") from exc


def readable(read: Callable[[Any], T], listed: Sequence[Any], request: Call) -> Script[list[T]]:
    """Every row read, some at a time, or OutcomeUnknown: half an answer is none."""
    found: list[T] = []
    for row in listed:
        try:
            found.append(read(row))
        except ValueError as exc:
            raise OutcomeUnknown(f"{request.method} was answered with something unreadable: {exc}") from exc
        if len(found) % ROWS_AT_ONCE == 0:
            yield PAUSE
    return found
