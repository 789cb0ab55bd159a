"""What each part of the way from a book to two signed orders costs: calls and CPU per tick, part by part.

One real cell (`counted_cell`), one venue, 200 instruments; ticks one at a time, and as many in flight as in
`tick_to_order`. First CPU per tick without a counter, then the same again counted. Python calls repeat from run to run
within a percent whatever else the machine does, which is what a change to the path is judged by; microseconds are the
parts' share of cProfile's time, which taxes small functions, of the CPU measured without it. Nothing
of weight runs by the clock here: no refresh of quoters, no snapshots, no audits. `run` is called by
`python -m benchmarks path`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.venues.derive.signing import SigningKey
from benchmarks.cell_child import CellChild
from benchmarks.peers import OWN, Peer
from benchmarks.rounds import Medians
from benchmarks.sign import KEY
from benchmarks.tick_to_order import IN_FLIGHT, INSTRUMENTS, PAUSE_US, QUICK_INSTRUMENTS, last_core

TICKS = 1000
BOOK_FRAME, TWO_REQUESTS, TWO_ANSWERS = bytes(400), bytes(1700), bytes(2400)
"""About as long as the frames of a tick are."""
SEEN_S = 20.0
"""A cell that has been told to stop counting writes what it counted within this."""
OTHER = "everything else"
RECEIVE, ANSWERS, MARKET = "receive: frames, JSON-RPC", "answers read", "market data: book to ticks, picture"
LINK, TEXT, SIGN = "link: frame, mask, waiting call", "text of the request", "signing"
PARTS = {
    "actors/market_data.py": MARKET,
    "actors/trading/strategies/": "strategy",
    "actors/quoter.py": "quoter: fresh?, own orders out, rounding, urgency",
    "actors/trading/quoting.py": "quoter: fresh?, own orders out, rounding, urgency",
    "actors/trading/books.py": "quoter: fresh?, own orders out, rounding, urgency",
    "actors/trading/others.py": "quoter: fresh?, own orders out, rounding, urgency",
    "actors/trading/protections.py": "quoter: fresh?, own orders out, rounding, urgency",
    "actors/trading/instruments.py": "quoter: fresh?, own orders out, rounding, urgency",
    "actors/valuation.py": "quoter: fresh?, own orders out, rounding, urgency",
    "actors/comparison.py": "quoter: fresh?, own orders out, rounding, urgency",
    "actors/risk.py": "risk gate, exposure",
    "actors/trading/exposure.py": "risk gate, exposure",
    "actors/trading/greek_limits.py": "risk gate, exposure",
    "actors/order_desk.py": "desk: bag, plan, budget",
    "actors/trading/actions.py": "desk: bag, plan, budget",
    "actors/trading/budget.py": "desk: bag, plan, budget",
    "actors/trading/orders.py": "order table",
    "actors/trading/shelves.py": "order table",
    "actors/clerk.py": "clerk: answers applied, told",
    "actors/journal.py": "journal",
    "actors/venues/derive/signing.py": SIGN,
    "actors/venues/derive/calls.py": TEXT,
    "actors/venues/derive/terms.py": TEXT,
    "actors/venues/derive/wire.py": TEXT,
    "actors/venues/board.py": TEXT,
    "actors/venues/derive/outcomes.py": ANSWERS,
    "actors/venues/units.py": MARKET,
    "actors/venues/": LINK,
    "actors/clock.py": "clock",
    "actors/mailboxes.py": "trio, doorbells, stall watch",
    "actors/stalls.py": "trio, doorbells, stall watch",
    "trio/": "trio, doorbells, stall watch",
    "outcome/": "trio, doorbells, stall watch",
    "actors/reports.py": "snapshots, by the clock",
    "actors/cell_process.py": "snapshots, by the clock",
}
"""By file, the first that fits; `DETAILS` goes before it."""
DETAILS = {
    ("actors/venues/derive/decode.py", "read_book"): MARKET,
    ("actors/venues/derive/decode.py", "_levels"): MARKET,
    ("actors/venues/derive/decode.py", ""): ANSWERS,
    ("actors/venues/derive/wire.py", "decode_notice"): MARKET,
    ("actors/venues/derive/wire.py", "read_outcome"): ANSWERS,
    ("actors/venues/link.py", "_read"): RECEIVE,
    ("actors/venues/link.py", "_hear"): RECEIVE,
    ("actors/venues/websocket.py", "receive"): RECEIVE,
    ("actors/venues/websocket.py", "_cut"): RECEIVE,
    ("actors/venues/websocket.py", "_keep"): RECEIVE,
    ("actors/venues/streams.py", "receive_some"): RECEIVE,
    ("actors/venues/protocol.py", "receive"): RECEIVE,
    ("actors/venues/protocol.py", "_notification"): RECEIVE,
    ("actors/venues/protocol.py", "_answer"): RECEIVE,
    ("actors/venues/pending.py", "take"): RECEIVE,
}


def part_of(file: str, function: str) -> str:
    for (path, name), part in DETAILS.items():
        if file.endswith(path) and function.startswith(name):
            return part
    return next((part for path, part in PARTS.items() if f"/{path}" in file or file.endswith(path)), OTHER)


class Counted:
    """Calls and own time by part and by function, per tick."""

    def __init__(self, rows: list[dict[str, Any]], ticks: int) -> None:
        self.calls: Counter[str] = Counter()
        self.c_calls: Counter[str] = Counter()
        self.own_s: Counter[str] = Counter()  # a Counter adds floats as well
        self.functions: Counter[str] = Counter()
        for row in rows:
            part = part_of(row["file"], row["function"])
            self.calls[part] += row["python"] / ticks
            self.c_calls[part] += row["c"] / ticks
            self.own_s[part] += row["own_s"] / ticks
            name = f"{'/'.join(Path(row['file']).parts[-2:])} {row['function']}"
            self.functions[name] += row["python"] / ticks

    @property
    def total(self) -> float:
        return sum(self.calls.values())


def count(venue: Peer, cell: CellChild, target: Path, question: dict[str, Any]) -> Counted:
    """One measurement under the counter."""
    target.unlink(missing_ok=True)
    os.kill(cell.pid, signal.SIGUSR1)
    venue.ask(question)
    os.kill(cell.pid, signal.SIGUSR2)
    deadline = time.monotonic() + SEEN_S
    while not target.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the counted cell did not write what it counted")
        time.sleep(0.02)
    return Counted(json.loads(target.read_bytes()), question["ticks"])


def run(rounds: int, quick: bool) -> dict[str, Any]:
    """Prints a table for one at a time and one for many in flight; {"ratios": own calls over all, "medians"}."""
    instruments, ticks = (QUICK_INSTRUMENTS, 60) if quick else (INSTRUMENTS, TICKS)
    report: dict[str, Any] = {"ratios": {}, "medians": {}}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        venue = Peer(OWN, "bench_venue")
        stack.callback(venue.close)
        port = venue.ask({"instruments": instruments})["plain"]
        target = folder / "counted.json"
        cell = CellChild(
            f"ws://127.0.0.1:{port}/cell", folder, instruments, core=last_core(), instead=("counted_cell", target)
        )
        stack.callback(cell.kill)
        venue.ask({"do": "wait", "path": "/cell", "timeout_s": 120})
        for title, in_flight in (("one at a time", 1), (f"{IN_FLIGHT} in flight", IN_FLIGHT if not quick else 5)):
            question = {"do": "measure", "path": "/cell", "pid": cell.pid, "ticks": ticks, "in_flight": in_flight}
            question |= {"pause_us": PAUSE_US}
            cpu = [venue.ask(question)["cpu_us"] for _ in range(rounds + 1)][1:]
            counted = count(venue, cell, target, question)
            show(title, counted, Medians({"cpu": cpu})["cpu"], report)
    physical_limit(rounds, quick, report)
    return report


def show(title: str, counted: Counted, cpu_us: float, report: dict[str, Any]) -> None:
    whole_s = sum(counted.own_s.values())
    print(f"\n{title}: {counted.total:.0f} Python calls, {sum(counted.c_calls.values()):.0f} of C, {cpu_us:.0f} us of CPU")
    print(f"{'part':52s}{'calls':>8s}{'of C':>8s}{'share':>8s}{'us':>8s}")
    for part, own_s in counted.own_s.most_common():
        share = own_s / whole_s
        print(f"{part:52s}{counted.calls[part]:8.1f}{counted.c_calls[part]:8.1f}{share:8.1%}{share * cpu_us:8.1f}")
        report["medians"][f"{title}, calls: {part}"] = counted.calls[part]
    print("\nmost called: " + ", ".join(f"{name} {calls:.1f}" for name, calls in counted.functions.most_common(12)))
    report["medians"] |= {f"{title}, calls": counted.total, f"{title}, CPU us": cpu_us}
    report["medians"] |= {f"{title}, function {name}": calls for name, calls in counted.functions.most_common(200)}
    report["ratios"][f"{title}: order table, of all calls"] = counted.calls["order table"] / counted.total


def physical_limit(rounds: int, quick: bool, report: dict[str, Any]) -> None:
    """What nobody can do without: two signatures of a digest; one book and two answers received, two requests sent."""
    blocks, times = 2 if quick else 20 * rounds, 20 if quick else 200
    key, digest = SigningKey.from_hex(KEY), bytes(range(32))
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    for each in (ours, theirs):  # as the link's; and two small writes in a row could wait for each other's receipt
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    signing = min(_spent_us(times, lambda: (key.sign_digest(digest), key.sign_digest(digest))) for _ in range(blocks))
    kernel = min(_kernel_us(ours, theirs, times) for _ in range(blocks))
    for each in (ours, theirs, listener):
        each.close()
    figures = {"two signatures, us": signing, "kernel, us": kernel}
    print(f"\nphysical limit, the least of {blocks} blocks: {', '.join(f'{what} {us:.1f}' for what, us in figures.items())}")
    report["medians"] |= figures


def _spent_us(times: int, work: Callable[[], object]) -> float:
    """CPU of this thread, kernel included, for each."""
    begun = time.thread_time_ns()
    for _ in range(times):
        work()
    return (time.thread_time_ns() - begun) / times / 1000


def _kernel_us(ours: socket.socket, theirs: socket.socket, times: int) -> float:
    """Our side's part; over loopback a write is also the way through the stack to the other side."""
    spent = 0.0
    for _ in range(times):
        theirs.send(BOOK_FRAME)
        spent += _spent_us(1, lambda: (ours.recv(16_384), ours.send(TWO_REQUESTS)))
        theirs.recv(16_384)
        theirs.send(TWO_ANSWERS)
        spent += _spent_us(1, lambda: ours.recv(16_384))
    return spent / times
