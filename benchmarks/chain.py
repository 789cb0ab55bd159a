"""What pricing a chain and refitting a surface costs: ours against vollib's loop, and against the refit's own budget.

A chain is 100 strikes of one expiry: price and all Greeks, and implied vols. A refit is 20 expiries of about 50 quotes
each from a seeded, noisy, arbitrage-free world, once from nothing and once from the last surface; its longest step is
what it may hold the event loop for. `run` is called by `python -m benchmarks chain`.
"""

from __future__ import annotations

import contextlib
import math
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from actors.trading.chain_pricing import chain_greeks
from actors.trading.implied import implied_vols
from actors.trading.pricing import black76
from actors.trading.refit import finish, refit
from actors.trading.surface import SmileQuote, Surface
from actors.venues.paper.smile import ssvi_slice
from benchmarks.peers import Peer, start_peers
from benchmarks.rounds import Medians, Variant, interleave, one_core, print_table, timed

STRIKES = 100
EXPIRIES = 20
FORWARD = 67_000.0
YEARS = 0.1
TIMES = 64
PEER_TIMES = 4
REFIT_BUDGET_US = 100_000.0
STEP_BUDGET_US = 5_000.0
NOW = 1_790_000_000.0
_DAY_S = 86_400


def smile_quotes(dice: random.Random, expiries: int = EXPIRIES) -> list[SmileQuote]:
    """Two-sided quotes around an SSVI world, about 50 an expiry, spreads as wide as on a lively venue."""
    quotes = []
    days = [round(1.35**i) + i for i in range(1, expiries + 1)]
    for day in days:
        t_years = day / 365.0
        theta = t_years * (0.55 - 0.1 * math.sqrt(t_years)) ** 2
        curve = ssvi_slice(theta, -0.25, 0.9)
        for i in range(50):
            k = math.sqrt(theta) * (-3.0 + 6.0 * i / 49)
            strike, is_call = FORWARD * math.exp(k), k >= 0.0
            half = 0.004 + 0.004 * abs(k) / math.sqrt(theta)
            vol = curve.vol(k, t_years) + dice.gauss(0.0, 0.3 * half)
            bid, ask = (black76(FORWARD, strike, t_years, vol + side * half, is_call) for side in (-1.0, 1.0))
            name = f"X-{day}-{i}"
            quotes.append(SmileQuote(name, int(NOW) + day * _DAY_S, strike, is_call, bid, ask, FORWARD, NOW))
    return quotes


def refitting(quotes: Sequence[SmileQuote], previous: Surface | None, longest: bool) -> Variant:
    """The whole of a refit, or its longest single step, in this process's own CPU time.

    CPU time, because a budget on one core and a hold of the event loop are about what the refit itself does: a few
    milliseconds that the kernel gives to somebody else meanwhile are no fault of a step.
    """

    def run(times: int) -> float:
        spent: list[int] = []
        for _ in range(times):
            steps, before = [], time.process_time_ns()
            for _ in refit(quotes, NOW, previous=previous):
                after = time.process_time_ns()
                steps.append(after - before)
                before = after
            steps.append(time.process_time_ns() - before)
            spent.append(max(steps) if longest else sum(steps))
        return sum(spent) / times / 1000

    return run


def peer_variant(peer: Peer, what: str, chain: Sequence[tuple[str, float, float, float, float]]) -> tuple[Variant, int]:
    def run(times: int) -> float:
        return float(peer.ask({"numbers": list(range(times))})["us"])

    peer.ask({"chain": list(chain), "what": what})
    return run, PEER_TIMES


def run(rounds: int, quick: bool) -> dict[str, Any]:
    """Prints three tables; {"ratios": how many times ours each costs, "medians": microseconds}.

    The refit's ratios are its budget over what it took: above 1 is within.
    """
    strikes = np.linspace(0.5, 2.0, STRIKES) * FORWARD
    vols, calls = np.linspace(0.9, 0.5, STRIKES), strikes > FORWARD
    prices = chain_greeks(FORWARD, strikes, YEARS, vols, calls).price
    listed = zip(calls.tolist(), strikes.tolist(), vols.tolist(), strict=True)
    chain = [("c" if call else "p", FORWARD, strike, YEARS, vol) for call, strike, vol in listed]
    quotes = smile_quotes(random.Random(5))
    last = finish(refit(quotes, NOW))
    if len(last.slices) != EXPIRIES:
        raise ArithmeticError(f"the refit lost expiries: {last.refused}")
    times = 4 if quick else TIMES
    variants: dict[str, tuple[Variant, int]] = {
        "greeks: ours": (timed(lambda: chain_greeks(FORWARD, strikes, YEARS, vols, calls)), times),
        "vols: ours": (timed(lambda: implied_vols(prices, FORWARD, strikes, YEARS, calls)), times),
        "refit: from nothing": (refitting(quotes, None, longest=False), 1),
        "refit: from the last surface": (refitting(quotes, last, longest=False), 1),
        "refit: longest step, from nothing": (refitting(quotes, None, longest=True), 1),
        "refit: longest step, from the last": (refitting(quotes, last, longest=True), 1),
    }
    with one_core(), contextlib.ExitStack() as stack:
        wanted = {f"{what}: vollib, one by one": ("vollib", "chain_vollib") for what in ("greeks", "vols")}
        peers, absent = start_peers({} if quick else wanted)
        for name, peer in peers.items():
            stack.callback(peer.close)
            variants[name] = peer_variant(peer, name.split(":")[0], chain)
        medians = interleave(variants, rounds)
    return _report(medians, absent)


def _report(medians: Medians, absent: dict[str, str]) -> dict[str, Any]:
    ratios: dict[str, float] = {}
    titles = {"greeks": f"price and Greeks of {STRIKES} strikes", "vols": f"implied vols of {STRIKES} strikes"}
    for what, title in titles.items():
        ours = f"{what}: ours"
        part = Medians({name: each for name, each in medians.rounds_us.items() if name.startswith(what)})
        missing = {name: remedy for name, remedy in absent.items() if name.startswith(what)}
        print_table(title, part, ours, missing)
        ratios |= {name: part.ratio(name, ours) for name in part.rounds_us if name != ours}
    print(f"\nrefit of {EXPIRIES} expiries\n{'':38s}{'CPU us':>12s}{'budget us':>12s}{'within':>9s}")
    for name in (each for each in medians.rounds_us if each.startswith("refit")):
        budget = STEP_BUDGET_US if "step" in name else REFIT_BUDGET_US
        ratios[name] = statistics.median(budget / each for each in medians.rounds_us[name])
        print(f"{name:38s}{medians[name]:12.0f}{budget:12.0f}{'yes' if ratios[name] >= 1.0 else 'NO':>9s}")
    return {"ratios": ratios, "medians": {name: medians[name] for name in medians.rounds_us}}
