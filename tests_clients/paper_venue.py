"""A paper exchange as a process, for tests of other people's clients; needs nothing but the standard library.

Owns the starting and stopping. The exchange runs under the interpreter named by STRIKEMAKER_PYTHON (our own environment),
the test under that of the client it tries. Invariant: the exchange is gone when the block ends.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@contextmanager
def paper_venue(venue: str, *more: str) -> Iterator[dict[str, Any]]:
    """The ready line of a fresh exchange: addresses and test keys."""
    python = os.environ.get("STRIKEMAKER_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
    words = [python, "-m", "actors.venues.paper", "--venue", venue, "--underlying", "ETH", "--taker-rate", "5", *more]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=10)
