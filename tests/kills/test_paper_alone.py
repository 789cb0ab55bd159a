"""`strikemaker paper` alone, and a hail of Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from kill_kit import ROOT, until


def test_a_second_ctrl_c_changes_nothing_for_the_paper_exchange_alone() -> None:
    """However many come, and whenever: the end is clean, without a traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "actors.console.cli", "paper"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None  # PIPE was asked for

    def struck() -> bool:
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    try:
        assert process.stdout.readline(), "it is ready, so its receiver is open"
        until(struck, "the exchange ends", every_s=0.0005)
    finally:
        process.kill()
        _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (0, b"")
