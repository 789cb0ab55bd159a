"""From a book to two signed orders on the wire: the real cell against the floor and against what people usually build.

A venue process publishes books of 200 instruments and times on its own clock until it has read both orders of each; it
answers every order, and every client reads the answers. *Ours* is `actors.cell_process` as the supervisor starts it:
market data, quoter, risk gate, order table, desk, journal. The *floor* is picows on uvloop, everything inline in one
callback, with our signing module. One tick at a time gives the latency; 64 in flight give the CPU of a busy cell, which
is the client process's, kernel included. "Unsigned" is Deribit, where orders carry no signature: what is left is everything
else. `run` is called by `python -m benchmarks tick_to_order`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from benchmarks.cell_child import CellChild
from benchmarks.link import make_certificate
from benchmarks.peers import OWN, REMEDY, Peer
from benchmarks.rounds import Medians, print_table
from benchmarks.sign import KEY, ORDER

OURS, FLOOR = "ours", "floor"
NAIVE = "naive"
CCXT, HUMMINGBOT, NAUTILUS = "ccxt.pro", "hummingbot's signing", "nautilus_trader"
PEERS = {
    "derive": {
        FLOOR: ("picows", "tick_floor"),
        "naive + coincurve": ("derive-coincurve", "tick_naive"),
        NAIVE: ("derive", "tick_naive"),
        CCXT: ("ccxt", "tick_ccxt"),
        HUMMINGBOT: ("hummingbot", "tick_naive"),
    },
    "deribit": {FLOOR: ("picows", "tick_floor_deribit"), NAUTILUS: ("nautilus", "tick_nautilus")},
}
LAYERS = {"plain": "derive", "tls": "derive", "unsigned": "deribit"}
"""What is measured: the transport and the venue spoken; Deribit's orders carry no signature, its row is plain."""
INSTRUMENTS, QUICK_INSTRUMENTS = 200, 20
IN_FLIGHT = 64
PAUSE_US = 300
"""Between two ticks when there is one at a time: the answers of the last are digested, the client sleeps."""
TICKS = {OURS: (400, 3000), FLOOR: (400, 3000), "naive + coincurve": (60, 200), NAUTILUS: (60, 200)}
FEW_TICKS = (10, 64)
"""One at a time, and with 64 in flight; the few for those that take tens of milliseconds a tick."""


@attrs.frozen
class Contender:
    """A running client: the path it came by, its process, and how to end it."""

    path: str
    pid: int
    close: Callable[[], object]


def start(
    name: str, url: str, folder: Path, authority: str, instruments: int, core: int | None, exchange: str = "derive"
) -> Contender:
    """FileNotFoundError when its environment was not made."""
    path = "/" + name.replace(" ", "")
    if name == OURS:
        child = CellChild(url + path, folder / name, instruments, exchange=exchange, authority=authority, core=core)
        return Contender(path, child.pid, child.kill)
    peer = Peer(*PEERS[exchange][name])
    if core is not None:
        os.sched_setaffinity(peer.pid, {core})
    peer.ask({"url": url + path, "authority": authority, "order": ORDER | {"key": KEY}})
    return Contender(path, peer.pid, peer.close)


class Table:
    """What was measured, by measure and contender, round by round."""

    def __init__(self) -> None:
        self.rounds: dict[str, dict[str, list[float]]] = {}

    def add(self, measure: str, name: str, value: float) -> None:
        self.rounds.setdefault(measure, {}).setdefault(name, []).append(value)


def measure(venue: Peer, contender: Contender, name: str, table: Table, quick: bool) -> None:
    """One round of one contender: alone, then in a crowd."""
    (singles, crowd), in_flight = TICKS.get(name, FEW_TICKS), IN_FLIGHT
    if quick:
        singles, crowd, in_flight = 20, 60, QUICK_INSTRUMENTS // 4
    question = {"do": "measure", "path": contender.path, "pid": contender.pid}
    alone = venue.ask(question | {"ticks": singles, "in_flight": 1, "pause_us": PAUSE_US})
    latencies = sorted(alone["latencies_us"])
    table.add("p50", name, latencies[len(latencies) // 2])
    table.add("p90", name, latencies[len(latencies) * 9 // 10])
    table.add("cpu_alone", name, alone["cpu_us"])
    crowded = venue.ask(question | {"ticks": crowd, "in_flight": in_flight})
    table.add("cpu_crowd", name, crowded["cpu_us"])


TITLES = {
    "p50": "Book to both orders, one at a time: median latency",
    "p90": "Book to both orders, one at a time: 90th percentile",
    "cpu_alone": "CPU per tick, one at a time",
    "cpu_crowd": f"CPU per tick, {IN_FLIGHT} in flight",
}


def run(
    rounds: int, quick: bool, *, layers: tuple[str, ...] = tuple(LAYERS), names: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Prints the tables; {"ratios": by layer and measure, ours over the floor and others over ours, "medians": µs}."""
    report: dict[str, Any] = {"ratios": {}, "medians": {}, "spread": {}, "absent": []}
    for layer in layers:
        if quick and layer == "tls":
            continue  # `link` shows that TLS works
        wanted = names or (OURS, FLOOR) if quick or names else (OURS, *PEERS[LAYERS[layer]])
        with contextlib.ExitStack() as stack:
            table, absent = compare(layer, rounds, quick, wanted, stack)
        report["absent"] += [f"{layer} {name}" for name in absent]
        if table is None:
            print(f"\n{layer}: absent (no openssl command to make a certificate with)")
            continue
        for what, title in TITLES.items():
            medians = Medians(table.rounds[what])
            print_table(f"{title} ({layer})", medians, OURS, absent)
            note(report, f"{layer} {what}", medians)
        per_core = {name: 1e6 / Medians(table.rounds["cpu_crowd"])[name] for name in table.rounds["cpu_crowd"]}
        print("\nticks per second per core: " + ", ".join(f"{name} {value:,.0f}" for name, value in per_core.items()))
    return report


def compare(
    layer: str, rounds: int, quick: bool, names: tuple[str, ...], stack: contextlib.ExitStack
) -> tuple[Table | None, dict[str, str]]:
    """All contenders on one transport, in turn, round by round; the first round does not count."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    certificate = make_certificate(folder) if layer == "tls" else ""
    if layer == "tls" and not certificate:
        return None, {}
    instruments = QUICK_INSTRUMENTS if quick else INSTRUMENTS
    exchange = LAYERS[layer]
    venue = Peer(OWN, "bench_venue")
    stack.callback(venue.close)
    ports = venue.ask({"instruments": instruments, "certificate": certificate, "exchange": exchange})
    port = ports["tls" if layer == "tls" else "plain"]
    url = f"{'wss' if layer == 'tls' else 'ws'}://127.0.0.1:{port}"
    running, absent = {}, {}
    for name in names:
        try:
            contender = running[name] = start(name, url, folder, certificate, instruments, last_core(), exchange)
        except FileNotFoundError:
            absent[name] = f"{REMEDY} {PEERS[exchange][name][0]}"
            continue
        stack.callback(contender.close)
        venue.ask({"do": "wait", "path": contender.path, "timeout_s": 120})
    warm, table = Table(), Table()
    for number in range(rounds + 1):
        for name, contender in running.items():
            measure(venue, contender, name, table if number else warm, quick)
    return table, absent


def note(report: dict[str, Any], what: str, medians: Medians) -> None:
    for name in medians.rounds_us:
        report["medians"][f"{what} {name}"] = medians[name]
        report["spread"][f"{what} {name}"] = medians.spread(name)
        if name == FLOOR:
            report["ratios"][f"{what} ours / floor"] = medians.ratio(OURS, FLOOR)
        elif name != OURS:
            report["ratios"][f"{what} {name} / ours"] = medians.ratio(name, OURS)


def last_core() -> int | None:
    """Where the contenders live, away from the venue; None where processes cannot be pinned."""
    try:
        return max(os.sched_getaffinity(0))
    except AttributeError:
        return None
