"""Does spending the request budget by money beat spending it in turn? Stale money left by each, on the same seeds.

A cell at the trader tier (one request a second, burst five) with more instruments than that budget can follow, once with
the desk's own order of urgency and once in turn (the instrument served longest ago first). Stale money is what a hit at
our resting prices would give away against what is wanted now, sampled each second: max(0, resting bid - desired bid) x
size and its mirror. Says also how much of the budget was used and how often the venue refused for rate. Virtual time, so
the machine's speed does not matter. Invariant: both variants see the same market.
"""

from __future__ import annotations

import statistics
from typing import Any

import trio
import trio.testing
from loguru import logger

from actors.cell import Cell
from actors.rehearsal.stage import Stage, open_stage, paper_settings
from actors.trading.instruments import Side
from actors.trading.quotes import Quote, QuotePair
from actors.trading.quoting import stale_money
from actors.venues.paper.run import PaperRun

WARM_S = 150.0
"""Until every quote rests once; not counted."""


def stale_now(cell: Cell) -> float:
    """Quote currency."""
    total = 0.0
    for name, quoter in cell.quoters.items():
        if quoter.wish is None:
            continue
        for side in Side:
            wanted = quoter.wish.side(side)
            for order in cell.orders.working(name, side):
                if order.state.is_live and wanted is not None:
                    resting = Quote(order.price, order.remaining)
                    total += stale_money(cell.instruments[name], side, resting, wanted)
    return total


class InTurn:
    """The desk's weight replaced by who has waited longest since it was last served."""

    def __init__(self, cell: Cell) -> None:
        self._served: dict[str, float] = {}
        post = cell.desk._post

        def noting(*args: Any) -> None:
            self._served[args[2].instrument] = trio.current_time()
            post(*args)

        cell.desk._post = noting  # type: ignore[assignment, method-assign]  # a measuring instrument only
        cell.desk._weight = self.weight  # type: ignore[method-assign]

    def weight(self, pair: QuotePair, now: float) -> float:
        return now - self._served.get(pair.instrument, -1e6)


async def _run(seed: int, strikes: int, seconds: float, in_turn: bool) -> dict[str, float]:
    paper = PaperRun(
        seed=seed,
        tier="trader",
        keep_records=True,
        record_market=False,
        world={"strikes": strikes, "dailies": 0, "weeklies": 0, "vol_annual": 1.2},
    )
    async with open_stage(paper, seed=seed) as stage:
        settings = paper_settings()
        settings.cells[0].limits.max_exposure = 1000.0
        cell = stage.cell(settings)
        if in_turn:
            InTurn(cell)
        samples: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await trio.sleep(WARM_S)
            before = _matching(stage)
            for _ in range(int(seconds)):
                await trio.sleep(1.0)
                samples.append(stale_now(cell))
            after = _matching(stage)
            refused = sum(count for key, count in cell.clerk.figures.rejects.items() if key.endswith(" -32000"))
            nursery.cancel_scope.cancel()
    return {"stale": statistics.fmean(samples), "used": (after - before) / seconds, "refused": float(refused)}


def _matching(stage: Stage) -> int:
    kinds = ("private/order", "private/replace", "private/cancel", "private/cancel_by_nonce")
    return sum(1 for row in stage.exchange.ledger.records if row["kind"] == "request" and row["method"] in kinds)


def measure(seed: int, strikes: int, seconds: float, in_turn: bool) -> dict[str, float]:
    """One virtual run."""
    return trio.run(_run, seed, strikes, seconds, in_turn, clock=trio.testing.MockClock(autojump_threshold=0))


def run(rounds: int, quick: bool) -> dict[str, Any]:
    logger.remove()
    strikes, seconds = (4, 30.0) if quick else (30, 300.0)
    rows = [(measure(seed, strikes, seconds, False), measure(seed, strikes, seconds, True)) for seed in range(1, rounds + 1)]
    print(f"{2 * strikes} instruments, trader tier, {seconds:.0f} s each")
    print(f"{'seed':>4} {'by money':>10} {'in turn':>10} {'ratio':>7} {'used/s':>7} {'-32000':>7}")
    for seed, (ours, turn) in enumerate(rows, 1):
        ratio = ours["stale"] / turn["stale"] if turn["stale"] else float("nan")
        line = f"{ours['stale']:>10.3f} {turn['stale']:>10.3f} {ratio:>7.2f} {ours['used']:>7.2f} {ours['refused']:>7.0f}"
        print(f"{seed:>4} {line}")
    ours_all, turn_all = sum(o["stale"] for o, _ in rows), sum(t["stale"] for _, t in rows)
    used = statistics.median(o["used"] for o, _ in rows)
    refused = sum(o["refused"] for o, _ in rows)
    ratio = ours_all / turn_all if turn_all else float("nan")
    print(f"stale money by money / in turn: {ratio:.2f}; budget used {used:.0%} of one a second; refused {refused:.0f}")
    return {
        "ratios": {"stale_money_by_money_over_in_turn": ratio, "budget_used": used},
        "medians": {"stale_by_money": ours_all / rounds, "stale_in_turn": turn_all / rounds, "rate_refusals": refused},
        "absent": [],
    }
