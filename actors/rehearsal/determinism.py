"""One integer decides a run: every source of chance in the process follows a seed while a rehearsal lasts.

Owns the list of those sources: trio's scheduler, the masks and keys of the WebSocket libraries, Python's own generator.
It fails loudly where a library has moved its source, for then a replay would silently differ. Invariant: after the
block all are as they were.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio._core._run as scheduler
import trio.testing
import websockets.frames
import websockets.utils
import wsproto.frame_protocol
import wsproto.utilities


def still_clock() -> trio.testing.MockClock:
    """Virtual time that stands still between jumps.

    Trio's own works it out anew at each of a hundred thousand questions a run; at rate zero it is what it last was.
    """
    clock = trio.testing.MockClock(autojump_threshold=0)
    if not hasattr(clock, "_virtual_base") or clock.rate != 0.0:
        raise RuntimeError("trio's MockClock keeps its time elsewhere now: rehearsals would stand still")
    still: Any = clock
    still.current_time = lambda: still._virtual_base
    return clock


class SeededSecrets:
    """Stands in for `secrets` and for `os` where a library asks them for bytes."""

    def __init__(self, seed: str) -> None:
        self._rng = random.Random(seed)

    def token_bytes(self, count: int) -> bytes:
        return self._rng.randbytes(count)

    urandom = token_bytes


def check_sources() -> None:
    """RuntimeError when a library no longer draws where we think it does."""
    missing = [
        f"{module.__name__}.{name}"
        for module, name in (
            (scheduler, "_r"),
            (scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING"),
            *((module, name) for module, name, _ in _places()),
        )
        if not hasattr(module, name)
    ]
    if missing:
        raise RuntimeError(f"rehearsals would not be deterministic: {', '.join(missing)} is gone")


def _places() -> list[tuple[Any, str, Any]]:
    """(module, attribute, what it is outside of rehearsals)"""
    import secrets

    return [
        (websockets.frames, "secrets", secrets),
        (websockets.utils, "secrets", secrets),
        (wsproto.frame_protocol, "os", os),
        (wsproto.utilities, "os", os),
    ]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Around `trio.run`: everything that is drawn inside follows from `seed`."""
    check_sources()
    module: Any = scheduler
    allowed, state, general = module._ALLOW_DETERMINISTIC_SCHEDULING, module._r.getstate(), random.getstate()
    places = _places()
    stand_in = SeededSecrets(f"masks {seed}")
    try:
        module._ALLOW_DETERMINISTIC_SCHEDULING = True
        module._r.seed(f"scheduler {seed}")
        random.seed(f"general {seed}")
        for place, name, _ in places:
            setattr(place, name, stand_in)
        yield
    finally:
        module._ALLOW_DETERMINISTIC_SCHEDULING = allowed
        module._r.setstate(state)
        random.setstate(general)
        for place, name, original in places:
            setattr(place, name, original)
