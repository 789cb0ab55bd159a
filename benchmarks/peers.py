"""The others: packages whose pins do not suit ours, each in its own environment, as a process that answers questions.

Owns the pipe to one peer: a line of JSON out, a line of JSON back. A peer stays alive for the whole benchmark, so that
imports and warm-up are never part of a figure. Invariant: an environment that is not there is absent, not an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REMEDY = "scripts/make_bench_peers.sh"
OWN = "own"
"""The environment we run in: for our own side of a comparison, where that needs a process to itself."""


class PeerFailed(Exception):
    """The peer died or answered nonsense; the message holds the end of what it said on stderr."""


class Peer:
    """One interpreter running one of `peer_scripts`."""

    def __init__(self, environment: str, script: str) -> None:
        """Starts it; FileNotFoundError when `.venv-bench-ENVIRONMENT` was not made. `OWN` is this interpreter."""
        python = Path(sys.executable) if environment == OWN else ROOT / f".venv-bench-{environment}" / "bin" / "python"
        if not python.exists():
            raise FileNotFoundError(python)
        self.environment = environment
        self._process = subprocess.Popen(
            [str(python), "-m", f"benchmarks.peer_scripts.{script}"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """One question, one answer; PeerFailed when it does not come."""
        assert self._process.stdin is not None  # pipes were asked for
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            self._process.kill()
            said = self._process.communicate()[1]
            raise PeerFailed(f"{self.environment}: {said[-500:]}") from None
        assert isinstance(answer, dict)  # the scripts beside this file answer objects
        return answer

    def close(self) -> None:
        """Ends the process; it keeps nothing."""
        self._process.kill()
        self._process.communicate()


def start_peers(wanted: dict[str, tuple[str, str]]) -> tuple[dict[str, Peer], dict[str, str]]:
    """(those running, those absent and the remedy), by the name they get in tables."""
    running: dict[str, Peer] = {}
    absent: dict[str, str] = {}
    for name, (environment, script) in wanted.items():
        try:
            running[name] = Peer(environment, script)
        except FileNotFoundError:
            absent[name] = f"{REMEDY} {environment}"
    return running, absent
