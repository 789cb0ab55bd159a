"""Real processes, real sockets, real signals; the exchange's ledger says what it did to our orders."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import msgspec
from kill_kit import Exchange, Maker, alive, until
from kill_rows import BY_NAME, strike, strike_guard
from operator_orders import place_by_hand, rests_by_hand

Start = Callable[..., Maker]


def journal(run: Path, name: str) -> list[dict[str, object]]:
    path = run / f"journal-{name}.jsonl"
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def open_files(pid: int) -> dict[int, str]:
    """What it has open now; what it closes while we look is left out."""
    found = {}
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[int(each.name)] = os.readlink(each)
    return found


def pipe_holders(maker: Maker) -> dict[str, set[str]]:
    """Pipe -> whose descriptor tables it is in."""
    holders: dict[str, set[str]] = {}
    for name, pid in maker.pids.items():
        for target in open_files(pid).values():
            if target.startswith("pipe:"):
                holders.setdefault(target, set()).add(name)
    return holders


def test_ctrl_c_ends_in_a_proof_and_spares_the_operator(exchange: Exchange, start: Start) -> None:
    """Exit code 0, the line, the summary; a second Ctrl-C in the middle changes nothing; a manual order goes on resting."""
    maker = start()
    place_by_hand(exchange)
    at_ns = maker.strike(signal.SIGINT, "supervisor")
    until(lambda: "stopping: SIGINT" in maker.output, "the stop begins")
    os.killpg(maker.process.pid, signal.SIGINT)
    assert maker.wait() == 0, maker.output
    until(maker.all_gone, "everybody is gone")
    assert exchange.caught_up().last_rest_s(at_ns) < 1.0
    assert exchange.reader.sent_between(at_ns + 500_000_000, time.time_ns()) == 0
    assert maker.output.rstrip().splitlines()[-1].startswith("confirmed: zero orders rest")
    assert "Traceback" not in maker.output
    summary = msgspec.json.decode((maker.folder / "summary.json").read_bytes())
    assert summary["confirmed"] is True
    assert summary["open_orders_at_exit"] == 0
    assert rests_by_hand(exchange)


def test_a_killed_supervisor_leaves_it_to_the_guard(exchange: Exchange, start: Start, tmp_path: Path) -> None:
    """Cells die, the guard proves and leaves; the next run quotes again and sets back what the killed one could not."""
    folder = ("-set", f"journal.folder={tmp_path / 'shared'}")
    maker = start(*folder)
    at_ns = maker.strike(signal.SIGKILL, "supervisor")
    until(maker.all_gone, "cells and guard are gone")
    assert exchange.caught_up().last_rest_s(at_ns) < 2.0
    (guard_log,) = (tmp_path / "shared").glob("*/guard.log")
    (proof,) = [line for line in journal(guard_log.parent, "guard") if line["what"] == "proof"]
    assert proof["confirmed"] is True
    assert "guard: the venue shows none of ours" in guard_log.read_text()

    successor = start(*folder)
    place_by_hand(exchange)
    successor.strike(signal.SIGTERM, "supervisor")
    assert successor.wait() == 0, successor.output
    assert exchange.caught_up().resting == 0
    assert rests_by_hand(exchange), "cancel-on-disconnect was set back before the sockets closed"


def test_a_hail_of_signals_changes_nothing(exchange: Exchange, start: Start) -> None:
    """From the first to the process's last breath: the stop is clean and said, and the exit code tells it."""
    maker = start()
    maker.strike(signal.SIGINT, "supervisor")
    for number in cycle((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
        maker.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            maker.process.wait(0.001)
            break
    assert maker.wait() == 0, maker.output
    assert "confirmed: zero orders rest" in maker.output
    assert exchange.caught_up().resting == 0


def test_dying_children_are_replaced_and_nothing_is_sent_without_a_guard(exchange: Exchange, start: Start) -> None:
    """Each child holds its own pipe ends alone; a killed cell comes back reconciled; a guard's absence stops new orders."""
    maker = start()
    until(lambda: "spare" in maker.find(), "a spare guard is awake")
    shared = sorted(sorted(holders) for holders in pipe_holders(maker).values() if len(holders) > 1)
    assert shared == sorted([[name, "supervisor"] for name in ("cell", "guard", "spare")] * 2), "two pipes to each, no more"

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(maker.pids["guard"], number)
    guard_dead = strike_guard(BY_NAME["guard SIGKILL"], exchange, maker)
    assert guard_dead.broken == ""

    before = exchange.caught_up().runs
    cell_dead = strike(BY_NAME["cell SIGKILL"], exchange, maker)
    assert cell_dead.broken == ""
    assert cell_dead.zero_s is not None
    assert cell_dead.zero_s < 2.0
    assert exchange.caught_up().runs == before, "the new cell's orders carry the run's label, and no other order rests"
    assert "audit:" not in maker.output, "positions right from the first quote: nothing had to be corrected"


def test_an_unreachable_exchange_is_said_and_the_guard_goes_on(exchange: Exchange, start: Start) -> None:
    """The line claims nothing, the code is not 0, and the guard ends only after the exchange has answered again."""
    maker = start("-set", "supervision.stop_timeout_s=1", "-set", "venue.request_timeout_s=1")
    exchange.freeze()
    try:
        maker.strike(signal.SIGTERM, "supervisor")
        assert maker.wait() == 1, maker.output
        last = maker.output.rstrip().splitlines()
        said = next(line for line in last if line.startswith("NOT confirmed"))
        assert f"the guard (pid {maker.pids['guard']}) goes on trying" in said
        assert not (maker.folder / "summary.json").exists() or b'"confirmed": true' not in (
            maker.folder / "summary.json"
        ).read_bytes()
        assert alive(maker.pids["guard"])
    finally:
        exchange.thaw()
    until(maker.all_gone, "the guard has its proof")
    assert exchange.caught_up().resting == 0
    assert journal(maker.run_folder, "guard")[-1]["confirmed"] is True
