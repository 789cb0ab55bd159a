"""One rehearsal: a seed becomes a world, a maker and its disasters; the ledger is handed to the judge.

Owns the course of a run from the first dial to the last question, and nothing that happens in it. No thread, no real
I/O, no wall clock inside. Invariant: the same seed, faults and code make the same ledger, byte for byte.
"""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import attrs
import msgspec
import trio
import trio.testing

from actors.rehearsal.company import Company
from actors.rehearsal.determinism import seeded, still_clock
from actors.rehearsal.faults import Mischief
from actors.rehearsal.judge import Terms, Verdict, Violation, judge
from actors.rehearsal.operator import Operator
from actors.rehearsal.scene import Scene, draw_scene
from actors.rehearsal.stage import open_stage
from actors.rehearsal.tongues import Row
from actors.venues.paper.server import ServerSettings
from actors.venues.proof import LABEL_FAMILY

SETTLE_S = 3.0
"""The ledger is read this long after the last of ours has left: a late packet would show by then."""


@attrs.define
class Outcome:
    """What one seed showed."""

    seed: int
    verdict: Verdict
    digest: str
    """SHA-256 of the ledger."""
    lives: int
    timeline: list[str] = attrs.field(factory=list)
    ledger: bytes = b""
    """Its rows as JSON lines, where they were asked for."""
    crash: str = ""
    """The rehearsal itself failed: no verdict is worth anything then."""

    @property
    def failed(self) -> bool:
        return bool(self.crash or self.verdict.violations)


@attrs.define
class Teller:
    """The timeline of a run, kept in memory: shown only for a seed that failed or was asked for."""

    start_s: float = 0.0
    lines: list[str] = attrs.field(factory=list)

    def say(self, text: str) -> None:
        self.lines.append(f"{trio.current_time() - self.start_s:9.3f}  {text}")


def rehearse(seed: int, kinds: tuple[str, ...], venue: str = "derive", *, keep_ledger: bool = False) -> Outcome:
    """One run of one seed at a venue. Raises nothing for what happens inside it."""
    teller = Teller()
    gc.collect()
    with seeded(seed), rare_collections():
        try:
            outcome, rows = trio.run(_perform, draw_scene(seed, kinds, venue), kinds, teller, clock=still_clock())
        except Exception as error:
            return Outcome(seed, Verdict(), "", 0, teller.lines, crash=repr(error))
    text = as_text(rows)
    outcome.digest = hashlib.sha256(text).hexdigest()
    outcome.ledger = text if keep_ledger else b""
    return outcome


@contextmanager
def rare_collections() -> Iterator[None]:
    """A run makes little garbage that counting references does not free: looking for it costs a fifth of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(200_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


async def _perform(scene: Scene, kinds: tuple[str, ...], teller: Teller) -> tuple[Outcome, list[Row]]:
    teller.start_s = trio.current_time()
    server = ServerSettings(pump_s=scene.pump_s)
    async with open_stage(scene.paper, seed=scene.seed, server=server, start_ns=scene.start_ns) as stage:
        company = Company(stage, scene, teller.say)
        operator = Operator(stage.exchange, company.account, stage.rng)
        mischief = Mischief(company, kinds, scene.seed)
        operator.place(scene.manual)
        teller.say(describe(scene))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(company.play)
            nursery.start_soon(mischief.run, scene.length_s)
            await trio.sleep(scene.length_s)
            operator.withdraw()
            await trio.sleep(SETTLE_S)
            teller.say("-- stop")
            must_prove, begun = mischief.is_calm() and company.may_send, mischief.begun
            company.stop()
        await trio.sleep(SETTLE_S)
        rows = list(stage.exchange.ledger.records)
    verdict = judge(rows, _terms(scene, company, operator, mischief))
    if must_prove and mischief.begun == begun and not company.lives[-1].proven:
        verdict.violations.append(Violation("a calm stop proves", len(rows), 0, "the cell left without a proof"))
    if company.gave_up:
        verdict.violations.append(Violation("the guard proves", len(rows), 0, company.gave_up))
    return Outcome(scene.seed, verdict, "", len(company.lives), teller.lines), rows


def _terms(scene: Scene, company: Company, operator: Operator, mischief: Mischief) -> Terms:
    cell, tag = scene.cell, scene.settings.venue.tag
    return Terms(
        account=company.account,
        ours=f"{LABEL_FAMILY}-{tag}-",
        cell=f"{LABEL_FAMILY}-{tag}-cell0-",
        max_position=Decimal(str(round(cell.limits.max_position, 9))),
        max_exposure=Decimal(str(round(cell.limits.max_exposure, 9))),
        max_book_age_s=cell.quoting.max_book_age_s,
        max_index_age_s=cell.quoting.max_index_age_s,
        underlying=cell.underlying,
        is_frozen=scene.paper.frozen and not scene.expires,
        ages=scene.cell.quoting.strategy == "theoretical",
        halts=tuple(mischief.halts),
        outages=tuple(mischief.outages),
        silences=tuple(mischief.silences),
        skews=tuple(mischief.skews),
        claims=tuple(company.claims),
        proofs=tuple(company.proofs),
        by_hand_ns=tuple(operator.acted_ns),
        greek_limits=cell.limits,
    )


def describe(scene: Scene) -> str:
    """The scene in a line, for the head of the timeline."""
    cell, paper = scene.cell, scene.paper
    return (
        f"seed {scene.seed}, {_where(scene)}: {scene.length_s:g} s, {cell.quoting.strategy}, size {cell.quoting.size:g}, "
        f"max_position {cell.limits.max_position:g}, max_exposure {cell.limits.max_exposure:g}, tier {paper.tier}, "
        f"lag {scene.lag_s[0]:g}..{scene.lag_s[1]:g} s, {paper.world['strikes']} strikes"
        f"{', frozen' if paper.frozen else ''}{', mmp' if cell.mmp.enabled else ''}, {scene.manual} manual orders"
    )


def _where(scene: Scene) -> str:
    venue = scene.settings.venue.exchange
    return venue if venue == "derive" else f"{venue} {scene.cell.underlying} in {scene.cell.quoting.quote_mode} mode"


def as_text(rows: list[Row]) -> bytes:
    """As the ledger's file has them."""
    encode = msgspec.json.Encoder(decimal_format="string").encode
    return b"".join(encode(row) + b"\n" for row in rows)


@attrs.define
class Tally:
    """Many runs together: what the JSON report holds."""

    seed: int
    runs: int = 0
    counted: int = 0
    """Runs with at least one fill and a fault that hit a live order."""
    fills: int = 0
    orders: int = 0
    foreign: int = 0
    lives: int = 0
    volume: Decimal = Decimal(0)
    faults: Counter[str] = attrs.field(factory=Counter)
    violations: Counter[str] = attrs.field(factory=Counter)
    failed_seeds: list[int] = attrs.field(factory=list)
    digest: str = ""

    def add(self, outcome: Outcome) -> None:
        verdict = outcome.verdict
        self.runs += 1
        self.counted += verdict.counts
        self.fills += verdict.fills
        self.orders += verdict.orders
        self.foreign += verdict.foreign
        self.lives += outcome.lives
        self.volume += verdict.volume
        self.faults += verdict.faults
        self.violations += Counter(violation.invariant for violation in verdict.violations)
        if outcome.crash:
            self.violations["rehearsal crashed"] += 1
        if outcome.failed:
            self.failed_seeds.append(outcome.seed)
        self.digest = hashlib.sha256(f"{self.digest}{outcome.digest}".encode()).hexdigest()
