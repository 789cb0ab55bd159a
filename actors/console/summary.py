"""The run's figures as JSON (`--summary FILE`), over all cells and all their incarnations.

Pure but for the one write. Figures of an incarnation that could not say farewell are its last snapshot's. Invariant:
`confirmed` is the supervisor's own verdict, and `open_orders_at_exit` is null unless the venue answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from actors.hosting import CellPost, Hosted


def run_figures(cell: Hosted) -> dict[str, Any]:
    """One incarnation's figures: from its farewell, else from its last snapshot."""
    if cell.farewell is not None and cell.farewell.figures:
        return dict(cell.farewell.figures) | {"open_orders": cell.farewell.open_orders}
    seen = cell.snapshot
    if seen is None:
        return {"open_orders": None}
    return {
        "instruments_quoted": seen.instruments_quoted,
        "requests": dict(seen.requests),
        "rejects": dict(seen.rejects),
        "fills": seen.fills,
        "volume": seen.volume,
        "fees": {seen.premium_currency: seen.fees},
        "exposure": seen.exposure,
        "exposure_peak": seen.exposure_peak,
        "restarts": seen.restarts,
        "open_orders": None,
    }


def summarise(posts: Sequence[CellPost], *, confirmed: bool) -> dict[str, Any]:
    """Sums over cells and incarnations; exposure and proof are the last incarnation's.

    `fees` is a plain number where all are in one currency, null where they are not; `fees_exact` has each to the last digit.
    """
    lives = [life for post in posts for life in post.past]
    last = [post.past[-1] for post in posts if post.past]
    resting = [life.get("open_orders") for life in last]
    fees: dict[str, Decimal] = {}
    for life in lives:
        for currency, text in life.get("fees", {}).items():
            fees[currency] = fees.get(currency, Decimal(0)) + Decimal(text)
    return {
        "instruments_quoted": sum(_number(life, "instruments_quoted") for life in last),
        "requests": _sum_counts(lives, "requests"),
        "rejects": _sum_counts(lives, "rejects"),
        "fills": sum(_number(life, "fills") for life in lives),
        "volume": sum(_number(life, "volume") for life in lives),
        "fees": float(sum(fees.values(), Decimal(0))) if len(fees) < 2 else None,
        "fees_exact": {currency: format(fee, "f") for currency, fee in fees.items()},
        "exposure": sum(_number(life, "exposure") for life in last),
        "exposure_peak": max((_number(life, "exposure_peak") for life in lives), default=0),
        "restarts": sum(_number(life, "restarts") for life in lives) + sum(post.restarts for post in posts),
        "cell_restarts": sum(post.restarts for post in posts),
        "open_orders_at_exit": 0 if confirmed else _total(resting),
        "confirmed": confirmed,
        "cells": {post.name: list(post.past) for post in posts},
    }


def write_summary(path: Path, posts: Sequence[CellPost], *, confirmed: bool) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(summarise(posts, confirmed=confirmed))) + b"\n")


def _number(life: dict[str, Any], key: str) -> Any:
    return life.get(key) or 0


def _sum_counts(lives: Sequence[dict[str, Any]], key: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for life in lives:
        total.update(life.get(key) or {})
    return dict(sorted(total.items()))


def _total(resting: Sequence[int | None]) -> int | None:
    """None as soon as one cell could not be asked."""
    known = [count for count in resting if count is not None]
    return sum(known) if len(known) == len(resting) and known else None
