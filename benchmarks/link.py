"""The WebSocket under everything: receive CPU per message and round trip, ours against the others, plain and TLS.

A venue process sends the same ticker, alone or twenty in a write, or answers one question at a time; each client is a
process of its own and decodes with the same JSON-RPC machine. CPU is the client process's, kernel included; round trips
are medians. `run` is called by `python -m benchmarks link`.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers import OWN, Peer, start_peers
from benchmarks.rounds import Medians, Variant, interleave, one_core, print_table

OURS = "ours"
CLIENTS = {
    OURS: (OWN, "link_ours"),
    "trio-websocket": (OWN, "link_trio_websocket"),
    "websockets.trio": (OWN, "link_websockets_trio"),
    "picows+uvloop": ("picows", "link_picows"),
}
MODES = {
    "receive": ("single", "Receive CPU per message, each in a write of its own"),
    "receive_burst": ("burst", "Receive CPU per message, twenty in a write"),
    "round_trip": ("echo", "Round trip of one question"),
}
COUNTS = {"single": 2000, "burst": 6000, "echo": 1000}


def make_certificate(folder: Path) -> str:
    """A throwaway certificate and key for 127.0.0.1 in one file; '' where the openssl command is missing."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return ""
    key, certificate, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    how = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    where = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    if subprocess.run([openssl, *how.split(), *where], capture_output=True, check=False).returncode:
        return ""
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return str(both)


def variant(client: Peer, url: str, authority: str, mode: str) -> Variant:
    def measure(count: int) -> float:
        return float(client.ask({"url": url, "authority": authority, "mode": mode, "count": count})["us"])

    return measure


def compare(clients: dict[str, Peer], url: str, authority: str, mode: str, count: int, rounds: int) -> Medians:
    return interleave({name: (variant(peer, url, authority, mode), count) for name, peer in clients.items()}, rounds)


def run(rounds: int, quick: bool) -> dict[str, Any]:
    """Prints the tables; {"ratios": by measure, others over ours (round trips: ours over theirs), "medians": µs}."""
    ratios: dict[str, float] = {}
    medians: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        certificate = make_certificate(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        venue = Peer(OWN, "link_venue")
        stack.callback(venue.close)
        ports = venue.ask({"certificate": certificate})
        stack.enter_context(one_core())
        clients, absent = start_peers(CLIENTS)
        for peer in clients.values():
            stack.callback(peer.close)
        for layer, scheme in (("plain", "ws"), ("tls", "wss")):
            if not ports[layer]:
                print("\nTLS: absent (no openssl command to make a certificate with)")
                continue
            url = f"{scheme}://127.0.0.1:{ports[layer]}/"
            for measure, (mode, title) in MODES.items():
                count = COUNTS[mode] // (10 if quick else 1)
                table = compare(clients, url, certificate, mode, count, rounds)
                print_table(f"{title} ({layer})", table, OURS, absent)
                name_it(ratios, medians, f"{layer} {measure}", table)
    return {"ratios": ratios, "medians": medians, "absent": sorted(absent)}


def name_it(ratios: dict[str, float], medians: dict[str, float], measure: str, table: Medians) -> None:
    """CPU as how many times ours the others need; a round trip as how many times theirs we need."""
    for name in table.rounds_us:
        medians[f"{measure} {name}"] = table[name]
        if name == OURS:
            continue
        if measure.endswith("round_trip"):
            ratios[f"{measure} ours / {name}"] = table.ratio(OURS, name)
        else:
            ratios[f"{measure} {name} / ours"] = table.ratio(name, OURS)
