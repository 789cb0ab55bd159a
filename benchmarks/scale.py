"""How cost grows with the number of instruments on one cell, and how fast everything is quoted anew after a jump.

For 50, 200, 600 and 1,200 instruments: start-up (first request to all strikes quoted on both sides), memory, CPU per tick
with a tenth of the board in flight, shutdown to proof. For 500: a requote of everything, after a book of each (the
strategy that follows the book) and after one index print (the strategy around fair value, which also pulls what would
be picked off): time to the first and the last request on the wire, and where the cancels stood in the queue.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cell_child import CellChild
from benchmarks.peer_scripts.bench_board import INDEX
from benchmarks.peers import OWN, Peer
from benchmarks.rounds import Medians
from benchmarks.tick_to_order import last_core

SIZES = (50, 200, 600, 1200)
REQUOTED = 500
JUMP = 0.01
CALM_S = 3.0
"""Between two storms; not until every side rests again, for a far option's bid may rightly be below one tick."""
PICK_OFF = 1.0
"""Quote currency: what a resting side may lose after the jump before it is pulled outright."""


def live(instruments: int, ticks: int) -> dict[str, float]:
    """One cell from birth to proof; the figures of its life. CPU is of the second `ticks`: the first warm it up."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        venue = Peer(OWN, "bench_venue")
        stack.callback(venue.close)
        port = venue.ask({"instruments": instruments})["plain"]
        cell = CellChild(f"ws://127.0.0.1:{port}/cell", folder, instruments, core=last_core())
        stack.callback(cell.kill)
        started = venue.ask({"do": "wait", "path": "/cell", "timeout_s": 120})
        time.sleep(0.5)
        resident = cell.resident_kib()
        question = {"do": "measure", "path": "/cell", "pid": cell.pid, "ticks": ticks, "in_flight": instruments // 10}
        _, cpu_us = (venue.ask(question)["cpu_us"] for _ in range(2))
        begun = time.perf_counter()
        farewell = cell.stop()
        if not farewell.confirmed:
            raise ArithmeticError(f"the cell of a benchmark left orders behind: {farewell.text}")
        return {
            "start_s": started["quoted_s"],
            "resident_kib": float(resident),
            "cpu_us": cpu_us,
            "stop_s": time.perf_counter() - begun,
            "proof_s": float(farewell.figures["took_s"]),
            "stalls": float(farewell.figures["stalls"]),
            "worst_stall_ms": float(farewell.figures["worst_stall_ms"]),
        }


def grow(sizes: Sequence[int], rounds: int, ticks: int) -> dict[int, list[dict[str, float]]]:
    """By size: the lives of as many cells as there are rounds. The sizes take turns, for a machine that is slower for a
    minute would make one of them look dear."""
    seen = [{size: live(size, ticks) for size in sizes} for _ in range(rounds)]
    return {size: [each[size] for each in seen] for size in sizes}


def medians_of(seen: Sequence[dict[str, float]]) -> dict[str, float]:
    """Figure by figure."""
    return {name: Medians({name: [each[name] for each in seen]})[name] for name in seen[0]}


def requote(what: str, instruments: int, rounds: int, quick: bool = False) -> dict[str, float]:
    """Storms over one cell; medians over the rounds."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        venue = Peer(OWN, "bench_venue")
        stack.callback(venue.close)
        port = venue.ask({"instruments": instruments})["plain"]
        strategy, pick_off = ("improve", None) if what == "books" else ("theoretical", PICK_OFF)
        cell = CellChild(
            f"ws://127.0.0.1:{port}/cell", folder, instruments, strategy=strategy, max_pick_off=pick_off, core=last_core()
        )
        stack.callback(cell.kill)
        venue.ask({"do": "wait", "path": "/cell", "timeout_s": 120})
        time.sleep(1.0)
        seen = []
        for number in range(rounds + 1):
            index = INDEX * (1 + (JUMP if number % 2 == 0 else 0.0))
            question = {"do": "storm", "path": "/cell", "pid": cell.pid, "what": what, "index": index}
            storm = venue.ask(question | {"orders": 2 * instruments})
            seen.append(describe(storm))
            time.sleep(1.0 if quick else CALM_S)
    return medians_of(seen[1:])


def describe(storm: dict[str, Any]) -> dict[str, float]:
    """First and last request, milliseconds after the news left the venue; and how far back the last cancel stood."""
    times, methods = storm["order_us"], storm["methods"]
    cancels = [place for place, method in enumerate(methods) if method.startswith("private/cancel")]
    return {
        "requests": float(len(times)),
        "cancels": float(len(cancels)),
        "first_ms": times[0] / 1000,
        "last_ms": times[-1] / 1000,
        "last_cancel_place": (cancels[-1] + 1) / len(cancels) if cancels else 0.0,
        "cpu_ms": storm["cpu_us"] / 1000,
    }


def print_lives(grown: dict[int, dict[str, float]]) -> None:
    print(f"\n{'instruments':>12s}{'start s':>9s}{'memory MiB':>12s}{'CPU us/tick':>13s}", end="")
    print(f"{'stop s':>8s}{'proof s':>9s}{'stalls':>8s}{'worst ms':>10s}")
    for size, figures in grown.items():
        print(
            f"{size:12d}{figures['start_s']:9.2f}{figures['resident_kib'] / 1024:12.1f}{figures['cpu_us']:13.1f}"
            f"{figures['stop_s']:8.2f}{figures['proof_s']:9.2f}{figures['stalls']:8.0f}{figures['worst_stall_ms']:10.2f}"
        )


def print_storms(storms: dict[str, dict[str, float]]) -> None:
    print(f"\n{'requote after':>14s}{'requests':>10s}{'cancels':>9s}{'first ms':>10s}{'last ms':>9s}{'CPU ms':>8s}", end="")
    print("   last cancel's place among all requests, in numbers of cancels (1: before everything else)")
    for what, storm in storms.items():
        print(
            f"{what:>14s}{storm['requests']:10.0f}{storm['cancels']:9.0f}{storm['first_ms']:10.1f}{storm['last_ms']:9.1f}"
            f"{storm['cpu_ms']:8.1f}{storm['last_cancel_place']:10.2f}"
        )


def run(rounds: int, quick: bool) -> dict[str, Any]:
    """Prints two tables; {"ratios", "medians"}."""
    lives = grow((20, 40) if quick else SIZES, rounds, 60 if quick else 3000)
    grown = {size: medians_of(each) for size, each in lives.items()}
    print_lives(grown)
    small, large = min(grown), max(grown)
    per_instrument = (grown[large]["resident_kib"] - grown[small]["resident_kib"]) / (large - small)
    print(f"memory per instrument: {per_instrument:.0f} KiB")
    costs = Medians({str(size): [life["cpu_us"] for life in each] for size, each in lives.items()})
    least, *_, most = sorted(costs.rounds_us, key=lambda size: costs[size])
    spreads = f"spread {costs.spread(most):.0%} and {costs.spread(least):.0%}"
    print(f"CPU per tick with {most} instruments / with {least}: {costs.ratio(most, least):.2f} ({spreads})")
    storms = {what: requote(what, 20 if quick else REQUOTED, rounds, quick) for what in ("books", "index")}
    print_storms(storms)
    ratios = {"CPU per tick, most / least": costs.ratio(most, least), "memory per instrument, KiB": per_instrument}
    medians = {f"{size} {name}": value for size, figures in grown.items() for name, value in figures.items()}
    medians |= {f"requote {what} {name}": value for what, storm in storms.items() for name, value in storm.items()}
    return {"ratios": ratios, "medians": medians}
