"""`python -m benchmarks NAME [--json FILE] [--rounds N] [--quick]`: one benchmark, `all` of them, or their `list`.

Owns the command line and the JSON file, and measures nothing. Each benchmark is a module here with a function
`run(rounds, quick)` that prints tables and returns `ratios` by name and raw `medians`. Invariant: what is in the file is
what was printed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

NAMES = {
    "sign": "a whole Derive order, signed: ours against the others and the bare signature",
    "wire": "tickers and answers to typed values and back",
    "link": "the WebSocket: receive CPU and round trip, plain and TLS",
    "tick_to_order": "a book to two signed orders through the real cell, against the floor and the naive stack",
    "path": "what each part of the way from a book to two orders costs: calls and CPU per tick",
    "chain": "pricing, implied vols, surface refits",
    "scale": "50 to 1,200 instruments on one cell; everything quoted anew after a jump",
    "requests": "requests per repriced instrument on both venues, counted by the exchange",
    "rehearse": "virtual minutes per wall second",
    "avellaneda_stoikov": "the published tables, by our formulas",
}
ROUNDS = 7


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 2 for a name that is none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed as ratios, side by side in one run.")
    parser.add_argument("name", help=f"{', '.join(NAMES)}, all, or list")
    parser.add_argument("--json", type=Path, help="also write ratios and medians here")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"medians are over this many (default {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="small and without peers: shows that it works, not how fast")
    given = parser.parse_args(arguments)
    if given.name == "list":
        for name, meaning in NAMES.items():
            print(f"{name:20s}{meaning}")
        return 0
    if given.name != "all" and given.name not in NAMES:
        print(f"no benchmark {given.name!r}; there are {', '.join(NAMES)}, all and list", file=sys.stderr)
        return 2
    reports = {name: _run(name, given.rounds, given.quick) for name in (NAMES if given.name == "all" else [given.name])}
    if given.json is not None:
        whole: dict[str, Any] = {"machine": _machine(), "rounds": given.rounds, "quick": given.quick}
        whole |= reports[given.name] if given.name != "all" else {"benchmarks": reports}
        given.json.write_text(json.dumps(whole, indent=1, default=str) + "\n")
    return 0


def _run(name: str, rounds: int, quick: bool) -> dict[str, Any]:
    print(f"== {name}: {NAMES[name]}")
    report: dict[str, Any] = importlib.import_module(f"benchmarks.{name}").run(rounds, quick)
    print(flush=True)
    return report


def _machine() -> dict[str, Any]:
    """What a reader must know to believe the numbers; the load above all."""
    return {
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }


if __name__ == "__main__":
    sys.exit(main())
