"""The maker's side of a rehearsal: cells that live, die and are born again as the supervisor would have it, and a guard.

Owns the lives of the cells and their cables. A *killed* cell is unplugged (a dead process sends nothing and its sockets
close) and only then cancelled, so that nothing it does on its way out reaches the exchange; its successor does not wait
for it. Never judges. Invariant: what every life claimed at its proven end is kept for the judge, word for word.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import attrs
import trio
from loguru import logger

from actors.cell import Cell
from actors.rehearsal.nets import MemoryPosts, guard_acts
from actors.rehearsal.network import Cable
from actors.rehearsal.scene import Scene
from actors.rehearsal.stage import Stage
from actors.rehearsal.terms import Claim, Proven
from actors.trading.restarts import FORGOTTEN_S, RestartRule, Restarts
from actors.venues.paper.run import FIRST_SUBACCOUNT

GUARD_BOUND_S = 120.0
"""Every disaster is over long before this: a guard without a proof by then is a finding."""


@attrs.define(eq=False)
class Life:
    """One incarnation of the cell."""

    label: str = ""
    cell: Cell = attrs.field(init=False)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    cables: list[Cable] = attrs.field(factory=list)
    cut_off: trio.Event = attrs.field(factory=trio.Event)
    proven: bool = False
    """By its own proof."""
    answered_for: bool = False
    """By the guard's."""
    over: bool = False
    task: trio.lowlevel.Task | None = None
    error: str = ""

    @property
    def unplugged(self) -> bool:
        """Killed: nothing of it reaches the exchange any more."""
        return self.cut_off.is_set()

    def kill(self) -> None:
        """As SIGKILL looks from outside: every socket closes, nothing is sent any more; what is on its way arrives."""
        self.cut_off.set()
        for cable in self.cables:
            if not cable.is_over:
                cable.hang_up()
        self.scope.cancel()

    def claim(self, at_ns: int) -> Claim:
        cell = self.cell
        return Claim(
            at_ns=at_ns,
            label=self.label,
            sessions=tuple(cable.peer for cable in self.cables),
            positions={
                name: cell.instruments[name].amount_step * steps
                for name, steps in cell.risk.exposure.positions.items()
                if name in cell.instruments
            },
            fees=sum(cell.clerk.figures.fees.values(), Decimal(0)),
            fills=cell.clerk.figures.fills,
        )


class Company:
    """Keeps one cell quoting for as long as the play lasts."""

    def __init__(self, stage: Stage, scene: Scene, say: Callable[[str], None]) -> None:
        self.stage = stage
        self.scene = scene
        self.lives: list[Life] = []
        self.claims: list[Claim] = []
        self.proofs: list[Proven] = []
        self.guard_needed = ""
        self.cables: list[Cable] = []
        self.door_open = True
        self.stopping = False
        self.gave_up = ""
        self.say = say
        self._rng = random.Random(f"company {scene.seed}")
        self.posts = MemoryPosts(stage, scene.lag_s, self._rng, lambda: self.door_open)

    @property
    def account(self) -> int:
        """The makers' subaccount or user."""
        return FIRST_SUBACCOUNT

    @property
    def life(self) -> Life | None:
        """The incarnation that lives now."""
        return self.lives[-1] if self.lives and not self.lives[-1].over and not self.lives[-1].unplugged else None

    @property
    def may_send(self) -> bool:
        return self.life is not None and self.life.cell.desk.may_send

    def now_ns(self) -> int:
        return self.stage.exchange.clock_ns()

    async def play(self) -> None:
        """Life after life until `stop`; ends when the last one has ended."""
        rule = self.scene.settings.supervision
        restarts = Restarts(RestartRule(rule.cell_max_restarts, rule.cell_period_s, rule.backoff_s, rule.backoff_max_s))
        async with trio.open_nursery() as dying:
            while not self.stopping:
                life = self._new_life()
                ended = trio.Event()
                dying.start_soon(self._live, life, ended)
                await ended.wait()
                if self.guard_needed:
                    await self.leave_to_guard(self.guard_needed)
                    self.guard_needed = ""
                if self.stopping:
                    break
                wait_s = restarts.crashed(trio.current_time())
                if wait_s is None:
                    self.say("the cell died too often: a clean stop")
                    break
                await trio.sleep(wait_s if self._is_heir() else max(wait_s, FORGOTTEN_S))
        if self.lives and not (self.lives[-1].proven or self.lives[-1].answered_for):
            await self.leave_to_guard("not everything is proven")

    def stop(self) -> None:
        """The clean end: the living cell proves, then leaves."""
        self.stopping = True
        if self.life is not None:
            self.life.scope.cancel()

    def kill(self) -> None:
        life = self.life
        if life is not None:
            life.kill()

    def kill_all(self) -> None:
        """Supervisor and cell at once: the guard acts, and only then somebody starts the maker again."""
        self.guard_needed = "the supervisor died"
        self.kill()

    async def leave_to_guard(self, why: str) -> None:
        """The guard cancels and asks until the venue says none; its word is kept for the judge."""
        self.say(f"guard acts: {why}")
        with trio.move_on_after(GUARD_BOUND_S) as patience:
            word = await guard_acts(self.stage, self.scene, self.posts, why)
            labels = tuple(life.label for life in self.lives)
            self.lives[-1].answered_for = True
            self.proofs.append(Proven(self.now_ns(), "the guard", labels))
            self.say(word.text)
        if patience.cancelled_caught:
            self.gave_up = f"the guard had no proof after {GUARD_BOUND_S:g} s"

    def _new_life(self) -> Life:
        run = f"r{len(self.lives) + 1}"
        life = Life()
        heir = self._is_heir()
        cell = life.cell = self.stage.cell(self.scene.settings, run=run, dial=lambda: self._dial(life), heir=heir)
        life.label = cell.label.text
        cell.on_event = lambda level, text: self.say(f"{run} {level}: {text}")
        cell.before_leaving = lambda: self._keep_claim(life)
        self.lives.append(life)
        return life

    def _is_heir(self) -> bool:
        """The last life has ended without a proof of its own."""
        return bool(self.lives) and not self.lives[-1].proven

    async def _live(self, life: Life, ended: trio.Event) -> None:
        """One incarnation; `ended` when nothing of it can reach the exchange any more."""

        async def watch() -> None:
            await life.cut_off.wait()
            ended.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            async with trio.open_nursery() as body:  # noqa: ASYNC112  (a task of its own: what is below it can be struck)
                body.start_soon(self._run_cell, life)
            life.over = True
            nursery.cancel_scope.cancel()
        ended.set()

    async def _run_cell(self, life: Life) -> None:
        life.task = trio.lowlevel.current_task()
        with life.scope:
            try:
                await life.cell.run()
            except* Exception as errors:
                life.error = repr(first_of(errors))
                self.say(f"{life.label} died: {life.error}")
                logger.opt(exception=errors).debug("cell died")

    async def _keep_claim(self, life: Life) -> None:
        """Called with the proof in hand and every link still open."""
        await trio.lowlevel.checkpoint()
        if not life.unplugged:
            life.proven = True
            self.claims.append(life.claim(self.now_ns()))
            self.proofs.append(Proven(self.now_ns(), life.label, (life.label,)))
            self.say(f"{life.label}: {life.cell.proof.text}")

    async def _dial(self, life: Life) -> trio.abc.Stream:
        if life.unplugged or not self.door_open:
            await trio.lowlevel.checkpoint()
            raise OSError("the network is down")
        self.stage.dials += 1
        low, high = self.scene.lag_s
        cable = Cable(self.stage.dials)
        cable.up.lag_s, cable.down.lag_s = self._rng.uniform(low, high), self._rng.uniform(low, high)
        life.cables.append(cable)
        self.cables.append(cable)
        self.stage.nursery.start_soon(self.stage.server.serve_stream, cable.far, cable.peer)
        await trio.lowlevel.checkpoint()
        return cable.near


def first_of(errors: BaseException) -> BaseException:
    """The first plain error inside groups of groups."""
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]
    return errors
