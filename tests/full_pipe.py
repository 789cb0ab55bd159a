"""A pipe that nobody reads, full: what a stopped terminal, a pager or a stalled ssh is to whoever writes to it."""

from __future__ import annotations

import os
from contextlib import suppress


def fill(writing: int) -> None:
    """Until not one byte more goes in; by a description of its own, for the writer's must go on to wait."""
    other = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY | os.O_NONBLOCK)
    for size in (4096, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(other, b"x" * size)
    os.close(other)
