"""Rehearsals themselves: a sample of seeds without a violation, replayed byte for byte, and a report that can't hide."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.rehearsal.command import kinds_of, main, perform, story
from actors.rehearsal.faults import KINDS
from actors.rehearsal.run import rehearse
from actors.trading.errors import ConfigError
from actors.venues.paper.ledger import read_ledger

ONCE_FAILED = {
    "derive": (
        *(108, 181, 195, 2125, 2150, 3051, 10002, 40013, 500002, 600081, 500047, 1000006, 3300217, 5000588, 5000857),
        1596904440,
    ),
    "deribit": (3, 312, 1044, 2016, 3025, 3174, 20016, 88104, 730453, 2001798, 2005910, 3400184, 4000414),
}
"""Seeds that once showed a defect; each was mended, and none may come back."""
AT_HAND = 6
"""New seeds at each venue, unless STRIKEMAKER_REHEARSALS says how many; `.ci/run` asks for more."""
SHARED = 20
"""From so many on they are spread over the cores."""
ACTORS = Path(__file__).parents[2] / "actors"


def new_seed(venue: str) -> int:
    """Another one whenever the code is another: new ones each time, and a failure stays until it is mended."""
    digest = hashlib.sha256(venue.encode())
    for file in sorted(ACTORS.rglob("*.py")):
        digest.update(file.read_bytes())
    return 1_000_000 + int.from_bytes(digest.digest()[:4], "big")


@pytest.mark.parametrize(("venue", "seed"), [(venue, seed) for venue, seeds in ONCE_FAILED.items() for seed in seeds])
def test_a_seed_that_once_failed_passes(venue: str, seed: int) -> None:
    """With all kinds of faults, as it was found."""
    outcome = rehearse(seed, KINDS, venue)
    assert not outcome.failed, story(outcome, "all", venue)


@pytest.mark.parametrize("venue", ONCE_FAILED)
def test_seeds_never_seen_before_pass(venue: str) -> None:
    """As many as asked for; the seed is in the message."""
    count, first = int(os.environ.get("STRIKEMAKER_REHEARSALS", AT_HAND)), new_seed(venue)
    jobs = os.cpu_count() or 1 if count >= SHARED else 1
    counted = 0
    for outcome in perform(range(first, first + count), KINDS, venue, jobs):
        assert not outcome.failed, story(outcome, "all", venue)
        counted += outcome.verdict.counts
    assert counted, f"seeds {first} to {first + count - 1} showed nothing: no fill, or no fault that hit a live order"
    print(f"{venue} seeds {first} to {first + count - 1}: {counted} with a fill and a fault that hit a live order")


def test_a_run_without_faults_trades_and_strikes_nothing() -> None:
    """The figures of faults are of faults that happened."""
    outcome = rehearse(1, ())
    assert not outcome.failed, story(outcome, "none")
    assert outcome.verdict.fills > 0
    assert not outcome.verdict.faults
    assert not outcome.verdict.counts


def test_a_seed_is_the_same_run_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    """Byte for byte: the ledgers, hence the reports with their digests."""
    reports = []
    for hash_seed in ("1", "4711"):
        ledger, report = tmp_path / f"ledger-{hash_seed}.jsonl", tmp_path / f"report-{hash_seed}.json"
        words = ["--runs", "1", "--seed", "108", "--json", str(report), "--ledger", str(ledger)]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run([sys.executable, "-m", "actors.rehearsal.command", *words], env=environment, check=True)
        assert read_ledger(ledger)
        reports.append((report.read_bytes(), ledger.read_bytes()))
    assert reports[0] == reports[1]
    told = json.loads(reports[0][0])
    assert {"runs", "seed", "violations", "faults", "fills", "orders"} <= told.keys()
    assert (told["runs"], told["seed"], told["violations"]) == (1, 108, 0)
    assert sum(told["faults"].values()) > 0


def test_a_failing_seed_tells_how_to_play_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    """One command, with the seed and the faults it was found with."""
    outcome = rehearse(3, ("reset",))
    told = story(outcome, "reset")
    assert "replay: strikemaker rehearse --runs 1 --seed 3 --faults reset" in told
    assert main(["--runs", "1", "--seed", "3", "--faults", "reset"]) == 0
    assert "violations: none" in capsys.readouterr().out


def test_kinds_are_named_or_refused() -> None:
    """A misspelt fault must not pass for a rehearsal without it."""
    assert kinds_of("none") == ()
    assert kinds_of("all") == KINDS
    assert kinds_of("reset,drop") == ("drop", "reset")
    with pytest.raises(ConfigError, match="rest unknown"):
        kinds_of("rest")
