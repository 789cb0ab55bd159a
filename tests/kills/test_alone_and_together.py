"""Two runs on one wallet; nobody reads what is printed; a supervisor that slept. Real processes, the ledger as witness."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from full_pipe import fill
from kill_kit import Exchange, Maker, alive, until

Start = Callable[..., Maker]
DERIVE_ONLY = pytest.mark.parametrize("exchange", ["derive"], indirect=True)


@pytest.fixture
def unread() -> Iterator[tuple[int, int]]:
    """A pipe: its reading and its writing end."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def guard_log(maker: Maker) -> str:
    path = maker.run_folder / "guard.log"
    return path.read_text() if path.exists() else ""


def switched(exchange: Exchange) -> list[bool]:
    """What cancel-on-disconnect was set to, in order."""
    rows = exchange.caught_up().of("request")
    return [row["params"]["enabled"] for row in rows if row["method"] == "private/set_cancel_on_disconnect"]


@DERIVE_ONLY
def test_the_last_of_two_runs_on_a_wallet_sets_cancel_on_disconnect_back(
    exchange: Exchange, start: Start, tmp_path: Path
) -> None:
    """The first to stop would take the net from under the other. First in this file: nobody has been killed here yet."""
    folder = ("-set", f"journal.folder={tmp_path / 'shared'}")
    first = start(*folder, "-set", "venue.tag=one", resting=0)
    second = start(*folder, "-set", "venue.tag=two", resting=0)
    until(lambda: len(exchange.reader.read().runs) == 2, "both quote")
    second.strike(signal.SIGINT, "supervisor")
    assert second.wait() == 0, second.output
    assert switched(exchange) == [True], "still on"
    stopped_ns = time.time_ns()
    until(lambda: exchange.reader.read().of("order", stopped_ns), "the other goes on")
    first.strike(signal.SIGINT, "supervisor")
    assert first.wait() == 0, first.output
    assert switched(exchange) == [True, False]
    assert exchange.reader.resting == 0
    assert msgspec.json.decode((tmp_path / "shared" / "left-on.json").read_bytes()) == []


@DERIVE_ONLY
def test_a_stderr_that_nobody_reads_holds_up_no_proof(exchange: Exchange, start: Start, unread: tuple[int, int]) -> None:
    """Everybody of a run writes to the same place: who waited there for a reader could not cancel."""
    maker = start(onto=unread[1])
    fill(unread[1])
    moved = len(exchange.caught_up().sent)
    until(lambda: len(exchange.reader.read().sent) > moved + 2, "orders go on being moved")
    at_ns = maker.strike(signal.SIGKILL, "supervisor")
    until(maker.all_gone, "cells and guard are gone")
    assert exchange.caught_up().last_rest_s(at_ns) < 5.0
    proof = msgspec.json.decode((maker.run_folder / "journal-guard.jsonl").read_bytes().splitlines()[-1])
    assert (proof["what"], proof["confirmed"]) == ("proof", True)
    assert "the venue shows none of ours" in guard_log(maker), "what the pipe did not take is in the folder"


@DERIVE_ONLY
def test_a_clean_stop_that_nobody_reads_of_is_proven_and_said_once_somebody_does(
    exchange: Exchange, start: Start, unread: tuple[int, int]
) -> None:
    """The last line alone waits for a reader; nothing rests meanwhile, and the exit code tells it."""
    maker = start(onto=unread[1])
    fill(unread[1])
    maker.strike(signal.SIGINT, "supervisor")
    until(lambda: not any(alive(pid) for name, pid in maker.pids.items() if name != "supervisor"), "the children are gone")
    assert exchange.caught_up().resting == 0
    assert maker.process.poll() is None, "it waits to be heard"
    said = bytearray()
    os.set_blocking(unread[0], False)

    def heard() -> bool:
        with suppress(BlockingIOError):
            said.extend(os.read(unread[0], 1 << 20))
        return maker.process.poll() is not None

    until(heard, "the run ends")
    heard()
    assert maker.wait() == 0
    assert b"confirmed: zero orders rest" in said


@DERIVE_ONLY
def test_a_supervisor_that_slept_through_the_proof_says_it(exchange: Exchange, start: Start) -> None:
    """Awake again it hears everything at once: that the guard acts, and that it has proven."""
    maker = start("-set", "supervision.heartbeat_bound_s=2")
    maker.strike(signal.SIGSTOP, "supervisor")
    until(lambda: "the venue shows none of ours" in guard_log(maker), "the guard proves", every_s=0.001)
    maker.strike(signal.SIGCONT, "supervisor")
    assert maker.wait() == 0, maker.output
    said = "confirmed: zero orders rest (guard: the venue shows none of ours"  # the guard's own lines may follow it
    assert any(line.startswith(said) for line in maker.output.splitlines()), maker.output
    until(maker.all_gone, "everybody is gone")
    assert exchange.caught_up().resting == 0
