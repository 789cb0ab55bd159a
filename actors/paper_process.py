"""The paper exchange as a child of the supervisor: started before everybody, ended after everybody.

Owns its spawning and its ready line. It lives in a session of its own and outlives the guard, so that the guard has a
venue to prove things against; when the supervisor was killed it leaves by itself once its last client has been gone for
a while. Invariant: what `start` returns was printed by the exchange when it could be connected to.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import msgspec
import trio

from actors.console.settings import Settings
from actors.pipes import wait_exit
from actors.trading.errors import ConfigError, VenueUnreachable
from actors.venues.access import Access
from actors.venues.derive.names import expiry_text, parse_name

READY_S = 30.0
"""Loading a recorded chain takes a few seconds on a slow machine."""
LINGER_S = 15.0
"""With no supervisor and no client for this long it ends; a guard that cannot get through asks more often than that."""


class PaperProcess:
    """One exchange process."""

    def __init__(self, settings: Settings, ledger: str, stderr: IO[bytes] | None) -> None:
        paper = settings.paper
        words = [sys.executable, "-m", "actors.venues.paper", "--venue", settings.venue.exchange]
        words += ["--host", paper.host, "--port", str(paper.port), "--seed", str(paper.seed)]
        words += ["--speed", str(paper.speed), "--tier", paper.tier, "--ledger", paper.ledger or ledger]
        words += ["--linger-s", str(LINGER_S)]
        words += ["--informed-share", str(paper.informed_share), "--taker-rate", str(paper.taker_rate)]
        for underlying in dict.fromkeys(cell.underlying for cell in settings.cells):
            words += ["--underlying", underlying]
        words += ["--chain", paper.chain] if paper.chain else []
        words += ["--frozen"] if paper.frozen else []
        self._words = words
        self._stderr = stderr
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> dict[str, Any]:
        """Spawns it; its ready line. ConfigError with its own words when it refuses its settings."""
        self.process = subprocess.Popen(  # noqa: ASYNC220  (it outlives every scope: a session of its own)
            self._words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr or subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdout is not None  # PIPE was asked for
        with trio.move_on_after(READY_S):
            line = await _first_line(self.process.stdout)
            if line:
                facts: dict[str, Any] = msgspec.json.decode(line)
                return facts
            await wait_exit(self.process)
            why = self._last_words()
            raise ConfigError(why.splitlines()[-1] if why else "the paper exchange did not start")
        self.end()
        raise VenueUnreachable(f"the paper exchange was not ready within {READY_S:g} s")

    def _last_words(self) -> str:
        """What it printed before it ended, from its pipe or from the file that takes what children print."""
        assert self.process is not None
        if self._stderr is None:
            return self.process.stderr.read().decode(errors="replace").strip() if self.process.stderr else ""
        return Path(self._stderr.name).read_text("utf-8", errors="replace").strip()

    def end(self) -> None:
        """Asks it to stop; nobody needs it any more."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()


def access_of(settings: Settings, facts: dict[str, Any], account: int = 0) -> Access:
    """How to reach a paper exchange as its test account."""
    who = facts["accounts"][account] if "accounts" in facts else facts
    return Access(
        exchange=settings.venue.exchange,
        network="paper",
        ws_url=facts["ws_url"],
        rest_url=facts["rest_url"],
        chain_id=int(facts.get("chain_id", 0)),
        wallet=str(who.get("wallet", "")),
        subaccount=who.get("subaccount_id"),
        key=str(who.get("session_key", "") or who.get("key", "")),
    )


def follow_renaming(settings: Settings, facts: dict[str, Any]) -> list[str]:
    """A recorded chain's expiries were moved ahead by whole weeks: the operator's own dates follow. One line per expiry."""
    moved: dict[str, str] = {}
    for old, new in (facts.get("renamed") or {}).items():
        if old != new:
            moved.setdefault(expiry_text(parse_name(old).expiry_s), expiry_text(parse_name(new).expiry_s))
    for cell in settings.cells:
        cell.expiries = [moved.get(expiry, expiry) for expiry in cell.expiries]
        names = facts.get("renamed") or {}
        cell.instruments = [names.get(name, name) for name in cell.instruments]
    return [f"recorded expiry {old} is listed as {new}" for old, new in sorted(moved.items())]


async def _first_line(stream: IO[bytes]) -> bytes:
    buffer = bytearray()
    while not buffer.endswith(b"\n"):
        await trio.lowlevel.wait_readable(stream.fileno())
        byte = stream.read1(65536)  # type: ignore[attr-defined]  # a BufferedReader, as Popen makes it
        if not byte:
            return b""
        buffer += byte
    return bytes(buffer)
