"""A paper exchange process for kill runs, in a small world: `python small_exchange.py VENUE LEDGER [PORT]`.

The product's own exchange with a handful of strikes, so that two cores carry it beside a whole maker; its levers can be
pulled, and it stays until it is told to go. Prints the exchange's ready line. Invariant: nothing here changes what the
exchange does with an order.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from actors.venues.paper.run import PaperRun, print_ready, run_paper

WORLD = {"strikes": 3, "dailies": 0, "weeklies": 1, "taker_rate_per_s": 0.3}


def main(venue: str, ledger: str, port: int) -> None:
    run = PaperRun(venue=venue, seed=11, levers=True, ledger=Path(ledger), world=WORLD)
    trio.run(lambda: run_paper(run, port=port, ready=print_ready))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
