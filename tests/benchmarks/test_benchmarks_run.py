"""That every benchmark runs and says what it found: small, without peers, and never how fast.

Speed on a busy machine proves nothing, so nothing here looks at a figure's size; a benchmark that no longer runs, or
whose JSON has lost its ratios, is what fails. The command line is driven as a user would.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, main
from benchmarks.peers import ROOT, start_peers

SIDE_BY_SIDE = ("sign", "wire", "link", "tick_to_order", "path", "chain")
"""Those that the published figures come from; `avellaneda_stoikov` and `rehearse` have tests of their own."""
if os.environ.get("STRIKEMAKER_BENCHMARKS") == "all":
    SIDE_BY_SIDE += ("scale",)  # the births, storms and deaths of four cells


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_a_quick_benchmark_prints_a_table_and_writes_its_ratios(name: str, tmp_path: Path) -> None:
    """`--quick` runs to its end, prints a table, and the JSON holds finite ratios by name and raw medians."""
    target = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", name, "--quick", "--rounds", "1", "--json", str(target)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(f"== {name}: ")
    figures = json.loads(target.read_text())
    assert figures["ratios"] or figures.get("absent"), "no ratio, and nobody to compare with is said to be absent"
    assert all(math.isfinite(ratio) and ratio > 0 for ratio in figures["ratios"].values())
    assert figures["medians"]
    assert figures["quick"] is True


def test_a_peer_whose_environment_was_not_made_is_left_out_with_its_remedy() -> None:
    """An absent environment costs its row and names the command that makes it."""
    running, absent = start_peers({"somebody": ("never-made", "sign_ccxt")})
    assert not running
    assert absent == {"somebody": "scripts/make_bench_peers.sh never-made"}


def test_a_name_that_is_no_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and the names that there are."""
    assert main(["no-such"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in NAMES)


def test_the_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    """`list` runs none of them."""
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == list(NAMES)
