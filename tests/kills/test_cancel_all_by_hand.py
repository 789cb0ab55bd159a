"""`strikemaker cancel-all` after everything of a run was killed, on a venue whose cancel-on-disconnect did not come."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

from kill_kit import ROOT, Exchange, Maker, until
from operator_orders import place_by_hand, rests_by_hand

LATE_S = 1e6


def cancel_all(exchange: Exchange, *words: str) -> subprocess.CompletedProcess[str]:
    venue, account = exchange.venue, exchange.account
    return subprocess.run(
        [sys.executable, "-m", "actors.console.cli", "cancel-all", "configs/paper.toml", "-url", exchange.ws_url,
         *venue.words(account), *words],
        cwd=ROOT, env={**os.environ, **venue.environment(account)},
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def test_what_a_killed_run_left_is_cancelled_by_hand_with_proof(
    exchange: Exchange, start: Callable[..., Maker]
) -> None:
    """Ours first, the operator's order only when asked for; the last line is the venue's answer, and so is the code."""
    maker = start()
    place_by_hand(exchange)
    exchange.lever("late_cancel", seconds=LATE_S)
    maker.strike(signal.SIGKILL, "supervisor", "guard", "cell")
    until(maker.all_gone, "everything is dead")
    assert exchange.caught_up().resting > 0

    ours = cancel_all(exchange)
    assert ours.returncode == 0, ours.stderr
    assert "confirmed: zero orders of tag main rest in ETH" in ours.stdout.splitlines()[-1]
    assert exchange.caught_up().resting == 0
    assert rests_by_hand(exchange)

    whole = cancel_all(exchange, "--scope", "account")
    assert whole.returncode == 0, whole.stderr
    until(lambda: not rests_by_hand(exchange), "the operator's order is cancelled too")


def test_cancel_all_says_what_it_cannot_do(exchange: Exchange) -> None:
    """A scope that is none, and a paper exchange that nobody runs, are the operator's to mend: code 2, one line."""
    wrong = cancel_all(exchange, "--scope", "everything")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("strikemaker: -scope:")
    assert len(wrong.stderr.splitlines()) == 1
