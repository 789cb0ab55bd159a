#!/usr/bin/env python3
"""Deliberate defects, one at a time, in a scratch copy of the tree: does a rehearsal or a test catch each?

    python scripts/mutants.py [--runs 500] [--jobs 2] [--only NAME ...] [--rehearsals-only]

Prints a table: defect, what caught it, after how many rehearsals. Exit code 0 only when every defect was caught. The
tree itself is never touched. A defect whose place in the code is gone is an error: write it anew.
`docs/mutation-check.md` holds the last table, and what each defect would mean.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs

BASELINE = 5
"""Rehearsals that the sound tree must pass first."""
ROOT = Path(__file__).resolve().parent.parent


@attrs.frozen
class Defect:
    """One change of text. `tests`: the quick ones that should catch it; else, or if they don't, a rehearsal must."""

    name: str
    file: str
    old: str
    new: str
    tests: str = ""


DEFECTS = (
    Defect(
        "skip the reconcile",
        "actors/truth.py",
        "            await self.reconcile()\n",
        "            await trio.lowlevel.checkpoint()\n",
        "tests/cell/test_cell.py",
    ),
    Defect(
        "treat a refused cancel as gone",
        "actors/clerk.py",
        "self.orders.cancel_refused(order, now)",
        "self.orders.proven_gone(order, meaning)",
        "tests/rehearsal/test_in_flight.py",
    ),
    Defect(
        "drop the shield",
        "actors/truth.py",
        "trio.CancelScope(shield=True, deadline",
        "trio.CancelScope(deadline",
        "tests/cell/test_cell.py",
    ),
    Defect(
        "forget in-flight risk",
        "actors/trading/orders.py",
        "        if self.state.is_live:\n            amount = self.amount if",
        "        if self.state is OrderState.PLACING:\n            return 0\n"
        "        if self.state.is_live:\n            amount = self.amount if",
        "tests/trading/test_orders.py",
    ),
    Defect(
        "ignore create_order_error",
        "actors/venues/derive/outcomes.py",
        "    failed = answer.create_order_error\n",
        "    failed = None\n",
        "tests/venues/derive",
    ),
    Defect(
        "apply a fill twice",
        "actors/trading/orders.py",
        "        if fill.trade_id in self._trades_seen:\n            return False\n",
        "",
        "tests/trading/test_orders.py",
    ),
    Defect(
        "ignore unknown orders in risk",
        "actors/trading/orders.py",
        "        if self.state.is_live:\n            amount = self.amount if",
        "        if self.state is OrderState.UNKNOWN:\n            return 0\n"
        "        if self.state.is_live:\n            amount = self.amount if",
        "tests/trading/test_orders.py",
    ),
    Defect(
        "no wait for reject_timestamp",
        "actors/truth.py",
        "if not ours and asked_ms > self.desk.latest_reject_ms + LATE_MS:",
        "if not ours:",
        "tests/rehearsal/test_in_flight.py",
    ),
    Defect(
        "guard does not wait for what is in flight",
        "actors/sweeper.py",
        "if resting == 0 and asked > settled:",
        "if resting == 0:",
        "tests/rehearsal/test_in_flight.py",
    ),
    Defect(
        "quote on stale books",
        "actors/quoter.py",
        "        if age > self._settings.max_book_age_s:",
        "        if age > 1e9:",
        "tests/cell/test_cell.py",
    ),
    Defect(
        "cancel unscoped",
        "actors/venues/proof.py",
        "    return lambda order: order.label.startswith(prefix)",
        "    return lambda order: True",
        "tests/venues/deribit/test_deribit_sweep.py",
    ),
    Defect(
        "own orders are the market",
        "actors/trading/others.py",
        "others_only(book, standing.own + orders.foreign(instrument))",
        "others_only(book, orders.foreign(instrument))",
        "tests/cell/test_cell.py",
    ),
    Defect(
        "send without a guard",
        "actors/order_desk.py",
        "        return not self.blocks and self.link.is_up",
        '        return not (set(self.blocks) - {"guard"}) and self.link.is_up',
        "tests/cell/test_cell.py",
    ),
    Defect(
        "overdraw the budget",
        "actors/trading/budget.py",
        "        window = self._pools.get(pool)\n        wait = 0.0\n",
        "        return 0.0\n        window = self._pools.get(pool)\n        wait = 0.0\n",
        "tests/trading/test_budget.py",
    ),
    Defect(
        "a lost answer means it never was",
        "actors/clerk.py",
        "        self.orders.lost(order, now)\n        if old is not None:",
        '        self.orders.refused(order, "no answer")\n        if old is not None:',
        "tests/rehearsal/test_in_flight.py",
    ),
    Defect(
        "bury the old order with the new",
        "actors/trading/orders.py",
        '        """\n        order.replaces = None\n        if order.state.is_live:',
        '        """\n        if order.state.is_live:',
        "tests/trading/test_orders.py",
    ),
    Defect(
        "deadlines by a wall clock that jumps",
        "actors/clock.py",
        "        if self._venue_ahead_ms == -math.inf:",
        "        if self._venue_ahead_ms < math.inf:",
        "tests/rehearsal/test_in_flight.py",
    ),
    Defect(
        "not post-only",
        "actors/venues/derive/calls.py",
        '"time_in_force":"post_only"',
        '"time_in_force":"gtc"',
        "tests/venues/derive",
    ),
    Defect(
        "ignore the Greek limits",
        "actors/risk.py",
        "        if self.greeks is None or not self.greeks.is_limited:\n",
        "        if self.greeks is None or self.greeks.is_limited:\n",
    ),
    Defect(
        "quote before all Greeks are known",
        "actors/trading/greek_limits.py",
        "        if self._unpriced:\n",
        "        if not self._lines:\n",
        "tests/trading/test_greek_limits.py",
    ),
)


def plant(defect: Defect, tree: Path) -> None:
    """SystemExit when the place is gone, or is not one place."""
    file = tree / defect.file
    text = file.read_text()
    if text.count(defect.old) != 1:
        raise SystemExit(f"{defect.name}: its place in {defect.file} occurs {text.count(defect.old)} times; write it anew")
    file.write_text(text.replace(defect.old, defect.new))


def rehearsed(tree: Path, runs: int, jobs: int) -> tuple[int, str]:
    """(rehearsals until the first violation, or 0, which invariant broke)."""
    report = tree / "report.json"
    words = [sys.executable, "-m", "actors.rehearsal.command", "--seed", "1", "--runs", str(runs), "--jobs", str(jobs)]
    words += ["--until-failure", "--json", str(report)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    subprocess.run(words, cwd=tree, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    told = json.loads(report.read_text())
    if not told["violations"]:
        return 0, ""
    return told["runs"], ", ".join(told["violations_by_invariant"])


def tested(tree: Path, tests: str) -> str:
    """The first of the named tests that fails, or ""."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", *tests.split()]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    told = subprocess.run(words, cwd=tree, env=environment, capture_output=True, check=False, text=True)
    if told.returncode != 1:
        return ""
    failed = [line.removeprefix("FAILED ") for line in told.stdout.splitlines() if line.startswith("FAILED ")]
    return failed[0].partition(" - ")[0] if failed else tests


def copy_tree(tree: Path) -> None:
    for name in ("actors", "tests", "supervisor.py", "setup.cfg", "pyproject.toml", "configs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, tree / name)


def examine(sound: Path, defect: Defect, runs: int, jobs: int, by_tests: bool) -> tuple[str, str]:
    """(what caught it or "", after how much)."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(sound, tree)
        plant(defect, tree)
        failed = tested(tree, defect.tests) if by_tests and defect.tests else ""
        if failed:
            return f"test: {failed}", "-"
        count, broken = rehearsed(tree, runs, jobs)
        if count:
            return f"rehearsal: {broken}", f"{count} runs"
    return "", f"{runs} runs"


def main() -> int:
    command = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    command.add_argument("--runs", type=int, default=500)
    command.add_argument("--jobs", type=int, default=2)
    command.add_argument("--only", nargs="*", choices=[defect.name for defect in DEFECTS], metavar="NAME")
    command.add_argument("--rehearsals-only", action="store_true", help="what the tests alone would catch is rehearsed too")
    options = command.parse_args()
    defects = [defect for defect in DEFECTS if not options.only or defect.name in options.only]
    missed = 0
    sound = Path(tempfile.mkdtemp(prefix="mutants-")) / "tree"
    sound.mkdir()
    copy_tree(sound)
    if rehearsed(sound, BASELINE, options.jobs)[0]:
        raise SystemExit("the tree without a defect does not pass its rehearsals: mend that first")
    for tests in dict.fromkeys(one.tests for one in defects if one.tests and not options.rehearsals_only):
        if tested(sound, tests):
            raise SystemExit(f"{tests} fails without a defect: mend that first")
    print(f"| {'defect':<42} | {'caught by':<60} | after |\n|---|---|---|", flush=True)
    for defect in defects:
        caught, after = examine(sound, defect, options.runs, options.jobs, not options.rehearsals_only)
        missed += not caught
        print(f"| {defect.name:<42} | {caught or 'NOT CAUGHT':<60} | {after} |", flush=True)
    shutil.rmtree(sound.parent)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
