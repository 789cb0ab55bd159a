"""Chains for surface tests: recorded ones, and made ones whose true smile is known."""

from __future__ import annotations

import math
import random
from functools import cache
from pathlib import Path

import msgspec
import pytest

from actors.console.report_surface import smile_quotes
from actors.trading.pricing import SECONDS_PER_YEAR, black76
from actors.trading.surface import SmileQuote
from actors.trading.svi import SviSlice
from actors.venues.paper.chain import read_chain

DATA = Path(__file__).parents[3] / "shared" / "data"
CHAINS = ("deribit-chain-2026-02-26.csv.gz", "deribit-chain-2026-08-21.csv.gz")
NOW = 1_790_000_000.0
DAY_S = 86_400


@cache
def recorded(name: str) -> tuple[float, dict[str, list[SmileQuote]]]:
    """(now, quotes by underlying) of a recorded chain; skips when it is absent."""
    if not (DATA / name).exists():
        pytest.skip(f"the recorded chain {name} is not there (shared/data)")
    rows = read_chain(DATA / name)
    names = sorted({row.underlying for row in rows})
    quotes = {each: smile_quotes([row for row in rows if row.underlying == each]) for each in names}
    return max(row.recorded_s for row in rows), quotes


def made(
    smiles: dict[int, SviSlice],
    half: float = 0.005,
    strikes: int = 25,
    noise: float = 0.0,
    seed: int = 1,
    forward: float = 2_000.0,
    width: float = 2.5,
) -> list[SmileQuote]:
    """Two-sided quotes around given total-variance curves by days to expiry; `half` and `noise` are in vol."""
    dice = random.Random(seed)
    quotes = []
    for days, curve in smiles.items():
        t_years = days * DAY_S / SECONDS_PER_YEAR
        deviation = math.sqrt(curve.total_variance(0.0))
        for i in range(strikes):
            k = deviation * width * (2.0 * i / (strikes - 1) - 1.0)
            strike, is_call = forward * math.exp(k), k >= 0.0
            vol = curve.vol(k, t_years) + dice.uniform(-noise, noise)
            bid, ask = (black76(forward, strike, t_years, max(vol + side * half, 1e-3), is_call) for side in (-1, 1))
            name = f"MADE-{days}-{i}"
            quotes.append(SmileQuote(name, int(NOW) + days * DAY_S, strike, is_call, bid, ask, forward, NOW))
    return quotes


def changed(quote: SmileQuote, kind: str, dice: random.Random) -> SmileQuote:
    """The quote made absurdly wide, crossed, or stale by a lot."""
    if quote.bid is None or quote.ask is None:
        return quote
    if kind == "wide":
        return msgspec.structs.replace(quote, bid=1e-4 * quote.forward, ask=dice.choice([0.3, 0.9, 3.0]) * quote.forward)
    if kind == "crossed":
        return msgspec.structs.replace(quote, bid=quote.ask, ask=quote.bid)
    factor = dice.choice([0.5, 0.7, 1.4, 2.0])
    return msgspec.structs.replace(quote, bid=quote.bid * factor, ask=quote.ask * factor)
