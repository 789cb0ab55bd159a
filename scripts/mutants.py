#!/usr/bin/env python3
"""Deliberate defects, one at a time, in a scratch copy of the tree: does a rehearsal or a test catch each?

    python scripts/mutants.py [--venue derive] [--runs 500] [--jobs 2] [--only NAME ...] [--rehearsals-only]

Prints a table: defect, what caught it, after how many rehearsals. Exit code 0 only when every defect was caught. A defect
of what only one venue has is planted there alone. The tree itself is never touched. A defect whose place in the code is
gone is an error: write it anew.
`docs/mutation-check.md` holds the last table, and what each defect would mean.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import attrs

BASELINE = 5
"""Rehearsals that the sound tree must pass first."""
VENUES = ("derive", "deribit")
ROOT = Path(__file__).resolve().parent.parent


@attrs.frozen
class Defect:
    """One change of text. `tests`: by venue, the quick ones that should catch it there, as pytest is told them; where
    there are none, or they don't, a rehearsal must. A venue that is not named has nothing that could break so."""

    name: str
    file: str
    old: str
    new: str
    tests: Mapping[str, str]


def on_both(tests: str = "") -> dict[str, str]:
    """What knows no venue."""
    return dict.fromkeys(VENUES, tests)


def on_each(derive: str, deribit: str) -> dict[str, str]:
    return {"derive": derive, "deribit": deribit}


CELL = on_each("tests/cell/test_cell.py -k 'not deribit'", "tests/cell/test_cell.py -k deribit")
"""Whole cells; on Deribit with single orders and with mass quotes."""
AT_ONCE = on_each("tests/cell/test_at_once.py -k 'not deribit'", "tests/cell/test_at_once.py -k deribit")
LATE = on_each("tests/rehearsal/test_in_flight.py", "tests/cell/test_lost_and_late.py")
WIRE = on_each("tests/venues/derive", "tests/venues/deribit")


DEFECTS = (
    Defect(
        "skip the reconcile",
        "actors/truth.py",
        "            await self.reconcile()\n",
        "            await trio.lowlevel.checkpoint()\n",
        CELL,
    ),
    Defect(
        "treat a refused cancel as gone",
        "actors/clerk.py",
        "self.orders.cancel_refused(order, now)",
        "self.orders.proven_gone(order, meaning, self._clock.venue_ms())",
        LATE,
    ),
    Defect(
        "drop the shield",
        "actors/truth.py",
        "trio.CancelScope(shield=True, deadline",
        "trio.CancelScope(deadline",
        CELL,
    ),
    Defect(
        "forget in-flight risk",
        "actors/trading/orders.py",
        "        if self.state.is_live:\n            amount = self.amount if",
        "        if self.state is OrderState.PLACING:\n            return 0\n"
        "        if self.state.is_live:\n            amount = self.amount if",
        on_both("tests/trading/test_orders.py"),
    ),
    Defect(
        "ignore create_order_error",
        "actors/venues/derive/outcomes.py",
        "    failed = answer.create_order_error\n",
        "    failed = None\n",
        {"derive": WIRE["derive"]},
    ),
    Defect(
        "apply a fill twice",
        "actors/trading/orders.py",
        "        if not self.executions.is_new(fill.trade_id, fill.ts_ms):\n            return False\n",
        "",
        on_both("tests/trading/test_orders.py"),
    ),
    Defect(
        "ignore unknown orders in risk",
        "actors/trading/orders.py",
        "        if self.state.is_live:\n            amount = self.amount if",
        "        if self.state is OrderState.UNKNOWN:\n            return 0\n"
        "        if self.state.is_live:\n            amount = self.amount if",
        on_both("tests/trading/test_orders.py"),
    ),
    Defect(
        "no wait for reject_timestamp",
        "actors/truth.py",
        "if not ours and asked_ms > self.desk.latest_reject_ms + LATE_MS:",
        "if not ours:",
        LATE,
    ),
    Defect(
        "guard does not wait for what is in flight",
        "actors/sweeper.py",
        "if resting == 0 and asked > settled:",
        "if resting == 0:",
        LATE,
    ),
    Defect(
        "quote on stale books",
        "actors/quoter.py",
        "        if age > self._settings.max_book_age_s:",
        "        if age > 1e9:",
        CELL,
    ),
    Defect(
        "cancel unscoped",
        "actors/venues/proof.py",
        "    return lambda order: order.label.startswith(prefix)",
        "    return lambda order: True",
        WIRE,
    ),
    Defect(
        "own orders are the market",
        "actors/trading/others.py",
        "others_only(book, standing.own + orders.foreign(instrument))",
        "others_only(book, orders.foreign(instrument))",
        CELL,
    ),
    Defect(
        "send without a guard",
        "actors/order_desk.py",
        "        return not self.blocks and self.link.is_up",
        '        return not (set(self.blocks) - {"guard"}) and self.link.is_up',
        CELL,
    ),
    Defect(
        "what is approved at once may leave",
        "actors/order_desk.py",
        "if room is None or not self.may_send else room",
        "if room is None else room",
        AT_ONCE,
    ),
    Defect(
        "take a crash at once for the reader's",
        "actors/quoter.py",
        "        except Exception as fault:\n            self._fault = fault\n",
        "        except OSError as fault:\n            self._fault = fault\n",
        AT_ONCE,
    ),
    Defect(
        "overdraw the budget",
        "actors/trading/budget.py",
        "        window = self._pools.get(pool)\n        wait = 0.0\n",
        "        return 0.0\n        window = self._pools.get(pool)\n        wait = 0.0\n",
        on_both("tests/trading/test_budget.py"),
    ),
    Defect(
        "a lost answer means it never was",
        "actors/clerk.py",
        "        self.orders.lost(order, now)\n        if old is not None:",
        '        self.orders.refused(order, "no answer")\n        if old is not None:',
        LATE,
    ),
    Defect(
        "bury the old order with the new",
        "actors/trading/orders.py",
        '        """\n        order.replaces = None\n        if order.state.is_live:',
        '        """\n        if order.state.is_live:',
        on_both("tests/trading/test_orders.py"),
    ),
    Defect(
        "deadlines by a wall clock that jumps",
        "actors/clock.py",
        "        if self._venue_ahead_ms == -math.inf:",
        "        if self._venue_ahead_ms < math.inf:",
        LATE,
    ),
    Defect(
        "not post-only",
        "actors/venues/derive/calls.py",
        '"time_in_force":"post_only"',
        '"time_in_force":"gtc"',
        {"derive": WIRE["derive"]},
    ),
    Defect(
        "ignore the Greek limits",
        "actors/risk.py",
        "        if self.greeks is None or not self.greeks.is_limited:\n",
        "        if self.greeks is None or self.greeks.is_limited:\n",
        on_both("tests/cell/test_greek_gate.py"),
    ),
    Defect(
        "quote before all Greeks are known",
        "actors/trading/greek_limits.py",
        "        if self._unpriced:\n",
        "        if not self._lines:\n",
        on_both("tests/trading/test_greek_limits.py"),
    ),
    Defect(
        "believe a book from before the proof",
        "actors/trading/orders.py",
        "        order.reported_filled = order.seen_filled\n        self._touch(order.instrument, ts_ms)\n",
        "        order.reported_filled = order.seen_filled\n",
        on_both("tests/trading/test_orders.py"),
    ),
    Defect(
        "take every answer for what was wished",
        "actors/quoter.py",
        "            waits = self._comes_as_wished()\n",
        "            waits = True\n",
        on_each("tests/cell/test_waking.py -k 'not deribit'", "tests/cell/test_waking.py -k deribit"),
    ),
    # -- Deribit's own: edits, post-only that would rather move, deadlines, mass quotes, books kept from changes
    Defect(
        "take an edit that crossed for done",
        "actors/venues/deribit/outcomes.py",
        "    if order.status is not OrderStatus.CANCELLED:\n",
        "    if order.status:\n",
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "take a refused edit for the end of the order",
        "actors/clerk.py",
        "            elif outcome.old_gone and order.state.is_live:\n",
        "            elif order.state.is_live:\n",
        {"deribit": "tests/cell/test_deribit_cell.py"},
    ),
    Defect(
        "take a refused edit for no news",
        "actors/clerk.py",
        "                self.orders.edit_failed(order)\n                self.orders.lost(order, now)\n",
        "                self.orders.untouched(order)\n",
        {"deribit": "tests/cell/test_deribit_cell.py"},
    ),
    Defect(
        "drop reject_post_only",
        "actors/venues/deribit/terms.py",
        """'"post_only":true,"reject_post_only":true,'""",
        """'"post_only":true,'""",
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "drop reject_post_only from edits",
        "actors/venues/deribit/calls.py",
        '"post_only":true,"reject_post_only":true,"valid_until"',
        '"post_only":true,"valid_until"',
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "drop reject_post_only from mass quotes",
        "actors/venues/deribit/mass.py",
        '"post_only":true,"reject_post_only":true}}',
        '"post_only":true}}',
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "drop valid_until",
        "actors/venues/deribit/calls.py",
        ',"valid_until":{order.reject_ms}{protected}}}',
        "{protected}}}",
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "drop valid_until from mass quotes",
        "actors/venues/deribit/mass.py",
        '"valid_until":{reject_ms},',
        "",
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "ignore the errors of a mass quote's sides",
        "actors/venues/deribit/mass.py",
        "        for failed in answer.errors:\n",
        "        for failed in ():\n",
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "bill the cancel of a quote set elsewhere",
        "actors/venues/deribit/mass.py",
        'kind="cancel_ours", pool=Pool.MATCHING)',
        'kind="cancel_ours", pool=Pool.BULK_CANCEL)',
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "move a mass quote with its amount",
        "actors/venues/deribit/mass.py",
        'amount = "" if side.moves else ',
        "amount = ",
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "believe a book with a change missing",
        "actors/venues/deribit/books.py",
        "        if self.last_id is None or previous != self.last_id:\n",
        "        if self.last_id is None:\n",
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "quote though cancel-on-disconnect is off",
        "actors/venues/deribit/scripts.py",
        "        if not switch.enabled:\n",
        "        if switch is None:\n",
        {"deribit": WIRE["deribit"]},
    ),
    Defect(
        "leave room to what is gone",
        "actors/truth.py",
        "            self.desk.clerk.touched(order.instrument)  # its room",
        "            # its room",
        on_each("tests/cell/test_room_given_back.py -k 'not deribit'", "tests/cell/test_room_given_back.py -k deribit"),
    ),
    Defect(
        "quote without our own channels",
        "actors/truth.py",
        "        if vital:\n",
        "        if not channels:\n",
        on_each("tests/cell/test_channels.py -k 'not deribit'", "tests/cell/test_channels.py -k deribit"),
    ),
    Defect(
        "count a hedge against max_exposure",
        "actors/truth.py",
        " & self.desk.instruments.keys():\n",
        ":\n",
        on_each("tests/cell/test_hedges.py -k 'not deribit'", "tests/cell/test_hedges.py -k deribit"),
    ),
    Defect(
        "ask again at once for what was refused",
        "actors/quoter.py",
        "return not (waits or self._was_refused())",
        "return not waits",
        on_each("tests/cell/test_refusals.py -k 'not deribit'", "tests/cell/test_refusals.py -k deribit"),
    ),
    Defect(
        "quote around a dead mark",
        "actors/quoter.py",
        "        if ticker_age > self._max_ticker_age_s:\n",
        "        if ticker_age < 0:\n",
        on_each("tests/cell/test_old_tickers.py -k 'not deribit'", "tests/cell/test_old_tickers.py -k deribit"),
    ),
    Defect(
        "a broken Greek limit is no limit",
        "actors/risk.py",
        "    return math.floor(max(-UNLIMITED, min(UNLIMITED, room / step)) + 1e-9)\n",
        "    return int(UNLIMITED) if math.isinf(room) else math.floor(room / step + 1e-9)\n",
        on_both("tests/cell/test_greek_gate.py"),
    ),
    Defect(
        "trust what the venue's clock was an hour ago",
        "actors/clock.py",
        "        if now >= self._turn_at:\n",
        "        if self._turn_at == -math.inf:\n",
        on_both("tests/cell/test_clock.py"),
    ),
    Defect(
        "edit what was born in a mass quote",
        "actors/mass_quoting.py",
        '    desk.link.drop("mass quotes are withdrawn")\n',
        "",
        {"deribit": "tests/cell/test_mass_quoting.py"},
    ),
)


def plant(defect: Defect, tree: Path) -> None:
    """SystemExit when the place is gone, or is not one place."""
    file = tree / defect.file
    text = file.read_text()
    if text.count(defect.old) != 1:
        raise SystemExit(f"{defect.name}: its place in {defect.file} occurs {text.count(defect.old)} times; write it anew")
    file.write_text(text.replace(defect.old, defect.new))


def rehearsed(tree: Path, venue: str, runs: int, jobs: int) -> tuple[int, str]:
    """(rehearsals until the first violation, or 0, which invariant broke)."""
    report = tree / "report.json"
    words = [sys.executable, "-m", "actors.rehearsal.command", "--seed", "1", "--runs", str(runs), "--jobs", str(jobs)]
    words += ["--venue", venue, "--until-failure", "--json", str(report)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    subprocess.run(words, cwd=tree, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    told = json.loads(report.read_text())
    if not told["violations"]:
        return 0, ""
    return told["runs"], ", ".join(told["violations_by_invariant"])


def tested(tree: Path, tests: str) -> str:
    """The first of the named tests that fails, or ""."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", *shlex.split(tests)]
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


def examine(sound: Path, defect: Defect, venue: str, runs: int, jobs: int, by_tests: bool) -> tuple[str, str]:
    """(what caught it or "", after how much)."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(sound, tree)
        plant(defect, tree)
        tests = defect.tests[venue]
        failed = tested(tree, tests) if by_tests and tests else ""
        if failed:
            return f"test: {failed}", "-"
        count, broken = rehearsed(tree, venue, runs, jobs)
        if count:
            return f"rehearsal: {broken}", f"{count} runs"
    return "", f"{runs} runs"


def main() -> int:
    command = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    command.add_argument("--venue", choices=VENUES, default="derive", help="where the defects are looked for")
    command.add_argument("--runs", type=int, default=500)
    command.add_argument("--jobs", type=int, default=2)
    command.add_argument("--only", nargs="*", choices=[defect.name for defect in DEFECTS], metavar="NAME")
    command.add_argument("--rehearsals-only", action="store_true", help="what the tests alone would catch is rehearsed too")
    options = command.parse_args()
    here = [defect for defect in DEFECTS if options.venue in defect.tests]
    defects = [defect for defect in here if not options.only or defect.name in options.only]
    missed = 0
    sound = Path(tempfile.mkdtemp(prefix="mutants-")) / "tree"
    sound.mkdir()
    copy_tree(sound)
    if rehearsed(sound, options.venue, BASELINE, options.jobs)[0]:
        raise SystemExit("the tree without a defect does not pass its rehearsals: mend that first")
    for tests in dict.fromkeys(one.tests[options.venue] for one in defects if not options.rehearsals_only):
        if tests and tested(sound, tests):
            raise SystemExit(f"{tests} fails without a defect: mend that first")
    print(f"| {'defect':<42} | {'caught by':<60} | after |\n|---|---|---|", flush=True)
    for defect in defects:
        caught, after = examine(sound, defect, options.venue, options.runs, options.jobs, not options.rehearsals_only)
        missed += not caught
        print(f"| {defect.name:<42} | {caught or 'NOT CAUGHT':<60} | {after} |", flush=True)
    shutil.rmtree(sound.parent)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
