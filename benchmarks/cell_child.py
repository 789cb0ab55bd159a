"""The real cell process of a benchmark: `actors.cell_process`, born through its pipe as the supervisor would.

Owns its birth, its place on a core and its end. What it says goes to a file that is read when it has ended. Invariant:
nothing of the cell is changed for a benchmark but its settings: strikes, sizes, and bounds on age that let it stand idle
while others are measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from actors.console.secrets import Secret
from actors.console.settings import (
    CellSettings,
    JournalSettings,
    LimitSettings,
    ProtectionSettings,
    QuotingSettings,
    Settings,
    SupervisionSettings,
    VenueSettings,
)
from actors.mailboxes import Birth, Farewell, Leave, Message, Stop
from actors.venues.access import Access
from benchmarks.peer_scripts.bench_board import EXPIRY
from benchmarks.peer_scripts.bench_deribit import UNDERLYING
from benchmarks.peers import ROOT
from benchmarks.sign import KEY, ORDER

_PATIENT_S = 3600.0
"""Bound on the age of books and index and on the supervisor's silence: the checks are made as always, and a benchmark is
silent at times."""


def settings(
    folder: Path,
    instruments: int,
    strategy: str = "improve",
    max_pick_off: float | None = None,
    exchange: str = "derive",
    is_still: bool = False,
) -> Settings:
    """A cell that quotes the whole board. `is_still`: no quoter is refreshed by the clock."""
    quoting = QuotingSettings(
        strategy=strategy,
        protections=ProtectionSettings(max_pick_off=max_pick_off),
        min_spread_bps=5.0,
        order_life_s=_PATIENT_S,
        max_book_age_s=_PATIENT_S,
        max_index_age_s=_PATIENT_S,
        refresh_s=_PATIENT_S if is_still else QuotingSettings().refresh_s,
    )
    limits = LimitSettings(max_position=1.0, max_exposure=float(instruments))
    underlying = UNDERLYING if exchange == "deribit" else "ETH"
    cell = CellSettings(underlying=underlying, expiries=[EXPIRY], all_strikes=True, quoting=quoting, limits=limits)
    return Settings(
        venue=VenueSettings(exchange=exchange),
        cells=[cell],
        journal=JournalSettings(folder=str(folder)),
        supervision=SupervisionSettings(heartbeat_bound_s=_PATIENT_S),
    )


class CellChild:
    """One cell process. `core`: where it is to stay, None: anywhere."""

    def __init__(
        self,
        url: str,
        folder: Path,
        instruments: int,
        *,
        strategy: str = "improve",
        max_pick_off: float | None = None,
        exchange: str = "derive",
        authority: str = "",
        core: int | None = None,
        instead: tuple[str, Path] | None = None,
    ) -> None:
        """`instead`: one of the cells beside this file that watch themselves, and the file it writes."""
        folder.mkdir(parents=True, exist_ok=True)
        self._said = folder / "said.jsonl"
        self.log = folder / "cell.log"
        module = ["actors.cell_process"] if instead is None else [f"benchmarks.{instead[0]}", str(instead[1])]
        environment = os.environ | ({"SSL_CERT_FILE": authority} if authority else {})
        with self._said.open("wb") as said, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *module],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=log,
                cwd=ROOT,
                env=environment,
            )
        self.pid = self.process.pid
        if core is not None:
            os.sched_setaffinity(self.pid, {core})
        access = Access(
            exchange=exchange,
            network="paper",
            ws_url=url,
            rest_url=url,
            chain_id=1,
            wallet=ORDER["owner"],
            subaccount=ORDER["subaccount_id"],
            key=KEY if exchange == "derive" else "id:secret",
        )
        birth = Birth(
            settings(folder, instruments, strategy, max_pick_off, exchange, is_still=instead is not None),
            access,
            "r1",
            str(folder),
            cell=0,
            name="cell0",
            slot=10,
            log_level="WARNING",
        )
        self._say(birth)

    def _say(self, message: Message) -> None:
        assert self.process.stdin is not None  # a pipe was asked for
        self.process.stdin.write(msgspec.json.encode(message, enc_hook=_no_secret) + b"\n")
        self.process.stdin.flush()

    def stop(self, timeout_s: float = 30.0) -> Farewell:
        """Stops it as the supervisor would and waits for its proof."""
        self._say(Stop("the benchmark is over"))
        self._say(Leave())
        assert self.process.stdin is not None
        self.process.wait(timeout_s)
        said = (msgspec.json.decode(line, type=Message) for line in reversed(self._said.read_bytes().splitlines()))
        return next(message for message in said if isinstance(message, Farewell))  # a heartbeat may follow it

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def resident_kib(self) -> int:
        """Memory in use now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0


def _no_secret(value: object) -> str:
    if isinstance(value, Secret):
        return ""
    raise NotImplementedError(f"{type(value).__name__} cannot cross a pipe")
