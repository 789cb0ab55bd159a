"""`strikemaker paper`: build an exchange from settings and serve it until told to stop.

Owns the wiring (engine, world, face, ledger, server), the command line of the stand-alone form and the one line of JSON
that tells a client where to connect and with which test keys. Reads the wall clock and hands it on; nothing else in the
exchange does. Never prints anything but that line to its standard output. Invariant: SIGTERM and SIGINT end in a flushed
ledger.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import trio

from actors.console.flags import OneLineParser
from actors.console.places import unwritable
from actors.trading.errors import ConfigError
from actors.trading.svi import SviSlice
from actors.venues.derive.sites import PAPER_CHAIN
from actors.venues.paper.chain import list_chain, read_chain
from actors.venues.paper.deribit_face import DeribitFace, DeribitSettings
from actors.venues.paper.derive_face import DeriveFace, DeriveSettings
from actors.venues.paper.engine import Engine
from actors.venues.paper.exchange import Exchange, ExchangeSettings
from actors.venues.paper.ledger import Ledger
from actors.venues.paper.market import World, WorldSettings
from actors.venues.paper.pit import EnginePit
from actors.venues.paper.rules import VenueRules, deribit_rules, derive_rules
from actors.venues.paper.server import Server, ServerSettings, port_of
from actors.venues.paper.sessions import Face

ENDS = (signal.SIGTERM, signal.SIGINT)
FIRST_SUBACCOUNT = 30_001
START_CASH = Decimal(1_000_000)
START_COINS = {"BTC": Decimal(100), "ETH": Decimal(2_000)}
"""What a Deribit account starts with besides its USDC: inverse options are paid and margined in coin."""
TIERS = {"derive": ("trader", "market_maker"), "deribit": ("trader", "market_maker", "1", "2", "3", "4")}
"""The venues there are, and the names of their rate limits."""
SPEED_BUMP_MS = {"derive": 0, "deribit": 5}
"""How long an order that would take waits; Deribit's is 1 to 10 ms by product."""
Clock = Callable[[], int]


@attrs.define(kw_only=True)
class PaperRun:
    """Everything one paper exchange is made of; the same for the stand-alone process and for a rehearsal."""

    venue: str = "derive"
    seed: int = 1
    underlyings: tuple[str, ...] = ("ETH",)
    tier: str = "market_maker"
    speed: float = 1.0
    frozen: bool = False
    chain: str = ""
    """A recorded chain (CSV, may be gzipped) in place of the synthetic world."""
    world: dict[str, Any] = attrs.field(factory=dict)
    """Further knobs of `WorldSettings`, by name; the same for every underlying."""
    is_empty: bool = False
    """No world at all: tests list and price by hand."""
    accounts: int = 1
    subaccounts: int = 1
    cash: Decimal = START_CASH
    """USDC of each subaccount."""
    coins: dict[str, Decimal] = attrs.field(factory=lambda: dict(START_COINS))
    """Deribit: coin of each user."""
    speed_bump_ms: int | None = None
    """None: the venue's own, see `SPEED_BUMP_MS`."""
    max_open_orders: int = 1000
    chain_id: int = PAPER_CHAIN
    strict_params: bool = True
    face: dict[str, Any] = attrs.field(factory=dict)
    """Further knobs of `DeribitSettings`, by name."""
    max_connections_per_ip: int | None = None
    max_waiting: int = 8_000_000
    """Characters that may wait for a slow reader before it is dropped."""
    notices: str = "mixed"
    record_market: bool = True
    ledger: Path | None = None
    fail_on_defect: bool = False
    """Raise what breaks while serving a request instead of answering an internal error (tests)."""
    levers: bool = False
    """Faults can be pulled over HTTP (`levers.py`)."""
    keep_records: bool = False
    """Keep the ledger's rows in memory too (`exchange.ledger.records`)."""


def virtual_clock(base_ns: int) -> Clock:
    """Venue time that follows trio's clock, for runs on a virtual one."""
    return lambda: base_ns + round(trio.current_time() * 1e9)


def steady_clock() -> Clock:
    """Venue time from the wall clock once, then from the time since boot: a venue does not jump when our clock is set."""
    since_boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    base_ns = time.time_ns() - time.clock_gettime_ns(since_boot)
    return lambda: base_ns + time.clock_gettime_ns(since_boot)


def build_exchange(run: PaperRun, clock_ns: Clock, wall_ns: Clock | None = None) -> Exchange:
    """A whole exchange on a clock; ConfigError for settings that cannot be."""
    engine = Engine(_rules(run), clock_ns, random.Random(f"engine {run.seed}"))
    world = None if run.is_empty else Worlds(run, engine, clock_ns)
    exchange = Exchange(
        engine,
        lambda exchange: _face(exchange, run),
        clock_ns=clock_ns,
        ledger=Ledger(clock_ns, wall_ns or clock_ns, path=run.ledger, keep=run.keep_records),
        world=world,
        settings=ExchangeSettings(
            seed=run.seed,
            max_connections_per_ip=run.max_connections_per_ip,
            max_waiting=run.max_waiting,
            notices=run.notices,
            record_market=run.record_market,
            fail_on_defect=run.fail_on_defect,
            has_levers=run.levers,
        ),
    )
    if world is not None:
        world.open()
    exchange.tell()
    return exchange


def _rules(run: PaperRun) -> VenueRules:
    if run.venue not in TIERS:
        raise ConfigError(f"paper exchange: there is no {run.venue} face; use --venue {' or '.join(TIERS)}")
    if run.tier not in TIERS[run.venue]:
        raise ConfigError(f"paper exchange: {run.venue} has no tier {run.tier}; use --tier {' or '.join(TIERS[run.venue])}")
    rules = derive_rules if run.venue == "derive" else deribit_rules
    bump_ms = SPEED_BUMP_MS[run.venue] if run.speed_bump_ms is None else run.speed_bump_ms
    return rules(speed_bump_ms=bump_ms, max_open_orders=run.max_open_orders)


def _face(exchange: Exchange, run: PaperRun) -> Face:
    return _derive_face(exchange, run) if run.venue == "derive" else _deribit_face(exchange, run)


def _deribit_face(exchange: Exchange, run: PaperRun) -> DeribitFace:
    face = DeribitFace(exchange, DeribitSettings(seed=run.seed, tier=run.tier, **run.face))
    now_ms = exchange.clock_ns() // 1_000_000
    for number in range(run.accounts):
        user_id = FIRST_SUBACCOUNT + 1000 * number
        face.clients.open_test_account(run.seed, number, user_id, now_ms)
        exchange.engine.open_account(user_id, cash={**run.coins, "USDC": run.cash})
    return face


def _derive_face(exchange: Exchange, run: PaperRun) -> DeriveFace:
    settings = DeriveSettings(chain_id=run.chain_id, tier=run.tier, strict_params=run.strict_params)
    face = DeriveFace(exchange, settings)
    now_s = exchange.clock_ns() // 1_000_000_000
    for number in range(run.accounts):
        first = FIRST_SUBACCOUNT + 1000 * number
        ids = list(range(first, first + run.subaccounts))
        wallet = face.wallets.open_test_account(run.seed, number, ids, now_s)
        for subaccount_id in ids:
            exchange.engine.open_account(subaccount_id, owner=wallet.address, cash={"USDC": run.cash})
    return face


class Worlds:
    """One world per underlying, stepped together by the exchange's pump."""

    def __init__(self, run: PaperRun, engine: Engine, clock_ns: Clock) -> None:
        self._clock_ns = clock_ns
        pit = EnginePit(engine)
        self.renamed: dict[str, str] = {}
        """Recorded names and what they are listed as, where a chain was rebased."""
        self.each = [self._world(run, pit, underlying) for underlying in run.underlyings]

    def _world(self, run: PaperRun, pit: EnginePit, underlying: str) -> World:
        settings = WorldSettings.usual(underlying, **{"speed": run.speed, "frozen": run.frozen, **run.world})
        chain = None
        if run.chain:
            chain = list_chain(read_chain(run.chain, underlying), run.venue, self._clock_ns() / 1e9)
            self.renamed.update({quote.original: quote.instrument.name for part in chain.expiries for quote in part.quotes})
        return World(settings, run.venue, pit, run.seed, chain)

    def open(self) -> None:
        for world in self.each:
            world.open(self._clock_ns())

    def step(self) -> None:
        now = self._clock_ns()
        for world in self.each:
            world.step(now)

    def svi(self, underlying: str, expiry_s: int) -> SviSlice | None:
        """The smile of an expiry; None where the world has it from a recording, or not at all."""
        for world in self.each:
            if world.settings.underlying == underlying:
                try:
                    return world.svi(expiry_s)
                except KeyError:
                    return None
        return None


async def run_paper(
    run: PaperRun,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    server_settings: ServerSettings | None = None,
    ready: Callable[[dict[str, Any]], None] | None = None,
    linger_s: float | None = None,
) -> None:
    """Serve on TCP until cancelled, SIGTERM or SIGINT; `ready` is told the endpoints and test credentials.

    With `linger_s`, whoever holds our standard input is a parent: once it is gone and no client has been connected for
    this long, serving ends by itself, so that a killed supervisor leaves no exchange behind.
    """
    listeners = await trio.open_tcp_listeners(port, host=host)
    exchange = build_exchange(run, steady_clock(), time.time_ns)
    for number in ENDS:
        # What the receiver leaves behind when it closes: a second Ctrl-C must not turn a clean end into a traceback.
        signal.signal(number, signal.SIG_IGN)
    with trio.open_signal_receiver(*ENDS) as signals:
        async with Server(exchange, server_settings).running() as server, trio.open_nursery() as nursery:
            nursery.start_soon(server.accept, listeners)
            if ready is not None:
                ready(ready_line(exchange, host, port_of(listeners)))
            if linger_s is not None:
                nursery.start_soon(_end_alone, exchange, linger_s, nursery.cancel_scope)
            async for _ in signals:
                break
            nursery.cancel_scope.cancel()


async def _end_alone(exchange: Exchange, linger_s: float, scope: trio.CancelScope) -> None:
    """Ends the exchange when parent and clients are gone."""
    stdin = trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))
    while await stdin.receive_some(4096):
        pass
    alone_since, posts = trio.current_time(), exchange.posts
    while trio.current_time() - alone_since < linger_s:
        await trio.sleep(0.1)
        if exchange.sessions.open or exchange.posts != posts:
            alone_since, posts = trio.current_time(), exchange.posts
    scope.cancel()


def ready_line(exchange: Exchange, host: str, port: int) -> dict[str, Any]:
    face = exchange.face
    renamed = exchange.world.renamed if isinstance(exchange.world, Worlds) else {}
    return {
        "ready": True,
        "venue": face.venue,
        "ws_url": f"ws://{host}:{port}{face.ws_path}",
        "rest_url": f"http://{host}:{port}{face.rest_path}",
        "seed": exchange.settings.seed,
        **face.ready_facts(),
        **({"renamed": renamed} if renamed else {}),
    }


# -- the command


def parser() -> argparse.ArgumentParser:
    command = OneLineParser(
        "strikemaker paper", description="Run the built-in paper exchange alone.", allow_abbrev=False
    )
    command.add_argument("--venue", default="derive", help="whose language it speaks: derive or deribit")
    command.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    command.add_argument("--port", type=int, default=0, help="0: any free port")
    command.add_argument("--seed", type=int, default=1, help="seed of the world, the keys and the faults")
    command.add_argument("--underlying", action="append", help="ETH or BTC, on Deribit others too; may be repeated (ETH)")
    command.add_argument("--chain", default="", help="recorded chain to load instead of the synthetic world")
    command.add_argument("--speed", type=float, default=1.0, help="how much faster the world runs than the clock")
    command.add_argument("--frozen", action="store_true", help="a market that does not move")
    command.add_argument("--informed-share", type=float, default=None, help="takers that know the next move, 0 to 1")
    command.add_argument("--taker-rate", type=float, default=None, help="arrivals of takers a second")
    command.add_argument("--linger-s", type=float, default=None, help="end when parent and clients are gone this long")
    command.add_argument(
        "--tier",
        default="market_maker",
        choices=("trader", "market_maker", "1", "2", "3", "4"),
        help="rate limits; 1 to 4 are Deribit's",
    )
    command.add_argument("--ledger", type=Path, default=None, help="file for the exchange's own record")
    command.add_argument("--accounts", type=int, default=1, help="test wallets")
    command.add_argument("--chain-id", type=int, default=PAPER_CHAIN, help="chain id of the signing domain")
    command.add_argument("--levers", action="store_true", help="let tests pull faults by POST /paper/LEVER")
    command.add_argument(
        "--speed-bump-ms", type=int, default=None, help="how long takers wait before they match (as the venue)"
    )
    command.add_argument("--max-connections", type=int, default=None, help="sockets for each address")
    return command


def settings_of(options: argparse.Namespace) -> PaperRun:
    if options.host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(f"--host {options.host}: the paper exchange listens on loopback only")
    if not 0 <= options.port <= 65_535:
        raise ConfigError(f"--port {options.port}: give 0 (any free port) to 65535")
    if options.accounts < 1:
        raise ConfigError(f"--accounts {options.accounts}: give 1 or more")
    problem = unwritable(options.ledger or "")
    if problem:
        raise ConfigError(f"--ledger {options.ledger}: {problem}")
    return PaperRun(
        venue=options.venue,
        seed=options.seed,
        underlyings=tuple(dict.fromkeys(options.underlying or ("ETH",))),
        tier=options.tier,
        speed=options.speed,
        frozen=options.frozen,
        chain=options.chain,
        accounts=options.accounts,
        chain_id=options.chain_id,
        speed_bump_ms=options.speed_bump_ms,
        max_connections_per_ip=options.max_connections,
        levers=options.levers,
        ledger=options.ledger,
        world={
            knob: value
            for knob, value in (("informed_share", options.informed_share), ("taker_rate_per_s", options.taker_rate))
            if value is not None
        },
    )


def print_ready(line: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def carry_out(argv: Sequence[str] | None) -> int:
    """Serves until told to stop; an exit code. ConfigError for what cannot be."""
    options = parser().parse_args(argv)
    run = settings_of(options)
    try:
        trio.run(
            lambda: run_paper(
                run, host=options.host, port=options.port, ready=print_ready, linger_s=options.linger_s
            )
        )
    except OSError as wrong:
        sys.stderr.write(f"paper exchange: cannot listen on {options.host}:{options.port}: {wrong.strerror}\n")
        return 3
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """The same for who started this module by itself, as a run does, which tells its operator the last line."""
    try:
        return carry_out(argv)
    except ConfigError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
