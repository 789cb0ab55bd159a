"""What the console's tests share: a listing, a cell at work, and one good set of credentials that opens nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from actors.console import config
from actors.console.settings import CellSettings
from actors.console.snapshots import QUOTING, BudgetLine, CellSnapshot, InstrumentRow, LinkLine
from actors.trading.errors import ConfigError
from actors.trading.instruments import Instrument, LadderStep, Numeraire, OptionKind

GOOD_KEY = "0x" + "1f" * 32
GOOD_WALLET = "0x" + "ab" * 20
NOW_S = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
"""A Monday."""

ROOT = Path(__file__).resolve().parents[2]
WriteToml = Callable[[str], str]


def problems(argv: Sequence[str], environ: dict[str, str] | None = None) -> tuple[str, ...]:
    """What `load` complains of; empty when it does not."""
    try:
        config.load(argv, environ or {})
    except ConfigError as error:
        return error.problems
    return ()


def write_toml(folder: Path, text: str, name: str = "my.toml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def environment(**more: str) -> dict[str, str]:
    """Ours as an operator has it: Python holds back what it prints to a pipe until there is enough of it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def gone() -> int:
    """The writing end of a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def told(words: Sequence[str], stdout: int, **environ: str) -> tuple[int, str]:
    """Exit code and stderr of a command whose output goes to that descriptor, which is closed then."""
    done = subprocess.run(
        [sys.executable, "-m", "actors.console.cli", *words],
        cwd=ROOT, env=environment(**environ), stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(stdout)
    return done.returncode, done.stderr


def option(day: str, strike: float, kind: OptionKind = OptionKind.CALL, **changes: Any) -> Instrument:
    """A Derive ETH option with a tick of 0.1, a step of 0.01 and a minimum of 0.1."""
    expiry_s = int(datetime.strptime(day, "%Y%m%d").replace(hour=8, tzinfo=UTC).timestamp())
    facts: dict[str, Any] = {
        "name": f"ETH-{day}-{strike:g}-{kind.value}",
        "venue": "derive",
        "underlying": "ETH",
        "tick": Decimal("0.1"),
        "amount_step": Decimal("0.01"),
        "min_amount": 10,
        "max_amount": 100_000,
        "kind": kind,
        "strike": strike,
        "expiry_s": expiry_s,
        "deactivation_s": expiry_s - 60,
    }
    return Instrument(**(facts | changes))


def coin_option(day: str, strike: float, kind: OptionKind = OptionKind.CALL) -> Instrument:
    """A Deribit ETH option: premium in coin, 0.0001 and above 0.005 steps of 0.0005, minimum 1."""
    return option(
        day,
        strike,
        kind,
        name=f"ETH-{datetime.strptime(day, '%Y%m%d'):%-d%b%y}-{strike:g}-{kind.value}".upper(),
        venue="deribit",
        tick=Decimal("0.0001"),
        ladder=(LadderStep(50, 5),),
        amount_step=Decimal("1"),
        min_amount=1,
        numeraire=Numeraire.COIN,
    )


def board(day: str, strikes: Sequence[float]) -> list[Instrument]:
    return [option(day, strike, kind) for strike in strikes for kind in OptionKind]


def cell(**changes: Any) -> CellSettings:
    return CellSettings(**({"expiries": ["20261225"], "all_strikes": True} | changes))


def snapshot(rows: int = 3, **changes: Any) -> CellSnapshot:
    """A cell at work on `rows` calls around 2800."""
    quoted = [
        InstrumentRow(
            instrument=f"ETH-20261225-{2000 + 50 * at}-C",
            strike=2000.0 + 50 * at,
            kind="C",
            expiry="20261225",
            market_bid=100.0,
            market_ask=105.0,
            bid=100.1,
            bid_size=0.1,
            ask=104.9,
            ask_size=0.1,
            quote_age_s=3.0,
            state="quoting",
            decimals=1,
        )
        for at in range(rows)
    ]
    facts: dict[str, Any] = {
        "cell": "eth0",
        "time_s": NOW_S,
        "uptime_s": 75.0,
        "exchange": "derive",
        "phase": QUOTING,
        "rows": quoted,
        "sides_wanted": 2 * rows,
        "sides_resting": 2 * rows,
        "requests_per_s": 1.0,
        "index": 2810.0,
        "exposure": 0.3,
        "exposure_peak": 0.5,
        "max_exposure": 10.0,
        "budgets": [BudgetLine("matching", 4, 5, 1.0)],
        "links": [LinkLine("public", "connected"), LinkLine("private", "down")],
        "requests": {"place": 6, "replace": 12},
        "rejects": {"place 11013": 2},
        "fills": 4,
        "volume": 0.4,
        "fees": "0.112",
    }
    return CellSnapshot(**(facts | changes))
