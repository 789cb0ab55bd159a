"""The disasters of a rehearsal: what may happen, when, how hard; drawn from the seed and done to the real thing.

Owns the list of kinds and the drawing. A kind acts through the exchange's own levers, the wires of a cable, the makers'
clock, the door, or a blow at a task's step; each strike is a row of the ledger, so that "no fault happened" can't pass
for a clean run. Every disaster is over before the guard's patience ends. Invariant: same seed, same disasters.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio

from actors.rehearsal.company import Company, Life
from actors.rehearsal.crash import Blow, InjectedCrash, below
from actors.rehearsal.floor_replay import Outage
from actors.rehearsal.network import Cable
from actors.rehearsal.targets import TARGETS
from actors.rehearsal.terms import Halt, Silence, Skew
from actors.venues.paper.faults import Direction, FrameFault, FrameKind

FIRST_S = 3.0
"""Disasters begin when quotes rest."""
CALM_S = 15.0
"""After this the cell has had time to reconnect, reconcile and forget."""
NOTICED_S = 3.0
CANCELLED_S = 1.0
"""How long it takes at most to see that a feed is silent, and to cancel each order by the smallest of budgets."""
ACTORS = (
    "Cell._keep_quoting",
    "OrderDesk.work",
    "Clerk.listen",
    "MarketData.mend_gaps",
    "Cell._watch",
    "Cell._refresh",
    "Truth.keep",
    "Truth.resolve",
    "Valuation.measure",
    "VenueLink._watched",
)
"""Tasks as trio names them; a crash strikes one whose name ends like this."""


class Mischief:
    """Does the disasters of one run. `halts`, `outages`, `silences`, `skews`: what the judge must know."""

    def __init__(self, company: Company, kinds: tuple[str, ...], seed: int) -> None:
        self.company = company
        self.exchange = company.stage.exchange
        self.targets = TARGETS[company.scene.settings.venue.exchange]
        self.halts: list[Halt] = []
        self.outages: list[Outage] = []
        self.silences: list[Silence] = []
        self.skews: list[Skew] = []
        self.last_s = 0.0
        """When the last disaster was over (trio's clock); infinite while one goes on."""
        self.begun = 0
        self._moments: list[float] = []
        """When disasters begin (trio's clock), rising."""
        self._going_on = 0
        self._rng = random.Random(f"mischief {seed}")
        self._kinds = [kind for kind in kinds if kind in DEEDS]

    async def run(self, length_s: float) -> None:
        """Three to nine disasters at drawn moments, some of them into the stop; ends when all are over."""
        if not self._kinds:
            return
        count = self._rng.choice((3, 4, 5, 6, 9))
        moments = sorted(self._rng.uniform(FIRST_S, length_s + 4.0) for _ in range(count))
        drawn = [(at, self._rng.choice(self._kinds), random.Random(self._rng.getrandbits(64))) for at in moments]
        started = trio.current_time()
        self._moments = [started + at for at in moments]
        async with trio.open_nursery() as nursery:
            for at, kind, rng in drawn:
                await trio.sleep_until(started + at)
                self.company.say(f"-- {kind}")
                nursery.start_soon(self._do, kind, rng)

    async def _do(self, kind: str, rng: random.Random) -> None:
        self.begun += 1
        self._going_on += 1
        try:
            await DEEDS[kind](self, rng)
        finally:
            self._going_on -= 1
            self.last_s = trio.current_time()

    def is_calm(self) -> bool:
        """Nothing goes on, nothing is armed, and the last disaster is long over."""
        quiet_s = trio.current_time() - self.last_s
        return self._going_on == 0 and quiet_s > CALM_S and not self.exchange.faults.armed

    async def hold_silent(
        self, names: tuple[str, ...], bound_s: float, faults: list[FrameFault], rng: random.Random
    ) -> None:
        """Frames are lost for a while. Where nothing else happens, and for long enough, all of ours there must be pulled."""
        life, began_s, began_ns = self.company.life, trio.current_time(), self.company.now_ns()
        quoted = 0 if life is None else len(life.cell.instruments.keys() & set(names))
        due_s = bound_s + NOTICED_S + CANCELLED_S * 2 * quoted
        lasts_s = rng.uniform(2.0, 14.0)
        if rng.random() < 0.5:
            lasts_s = max(lasts_s, due_s + rng.uniform(1.0, 4.0))
        was_calm = self._going_on == 1 and began_s + due_s - self.last_s > CALM_S and not self.exchange.faults.armed
        if was_calm and self.company.may_send:
            next_s = min((at for at in self._moments if at > began_s), default=began_s + lasts_s)
            ends_ns = began_ns + round(min(lasts_s, next_s - began_s) * 1e9)
            self.silences.append(Silence(names, began_ns + round(due_s * 1e9), ends_ns))
        self.exchange.faults.arm(*faults)
        await trio.sleep(lasts_s)
        for fault in faults:
            fault.count = 0

    def note(self, kind: str, **facts: object) -> None:
        self.exchange.faults.note(kind, **facts)

    def cable(self, rng: random.Random) -> Cable | None:
        """One of the living cell's open connections."""
        life = self.company.life
        alive = [cable for cable in life.cables if not cable.is_over] if life is not None else []
        return rng.choice(alive) if alive else None

    async def blow(
        self,
        life: Life,
        chosen: Callable[[trio.lowlevel.Task], bool],
        steps: int,
        strike: Callable[[trio.lowlevel.Task], Exception | None],
        *,
        raises: bool = True,
    ) -> None:
        """Install a blow and wait until it fell, the life is over, or nobody came along in 20 s."""
        blow = Blow(chosen, steps, strike, raises=raises)
        trio.lowlevel.add_instrument(blow)
        try:
            with trio.move_on_after(20.0):
                while not blow.fell and not life.over and not life.unplugged:
                    await trio.sleep(0.05)
        finally:
            trio.lowlevel.remove_instrument(blow)


# -- frames


def _frames(kind: FrameKind) -> Callable[[Mischief, random.Random], Awaitable[None]]:
    async def strike(on: Mischief, rng: random.Random) -> None:
        """For some seconds a share of the frames of one or both directions."""
        directions: tuple[Direction, ...] = rng.choice((("in",), ("out",), ("in", "out")))
        few = kind == "truncate"
        match = rng.choice(on.targets.words) if directions == ("out",) else ""
        faults = [
            FrameFault(
                kind,
                direction,
                share=rng.choice((0.1, 0.3, 1.0)),
                count=rng.randint(1, 2) if few else rng.choice((1, 3, 20)),
                match=match,
                delay_s=rng.choice(((0.02, 0.2), (0.2, 1.5), (0.9, 3.0))),
            )
            for direction in directions
        ]
        on.exchange.faults.arm(*faults)
        await trio.sleep(rng.uniform(0.5, 8.0))
        for fault in faults:
            fault.count = 0

    return strike


# -- the network


async def _half_open(on: Mischief, rng: random.Random) -> None:
    """A connection whose bytes vanish, one way or both; a reset, if anything, comes seconds later."""
    cable = on.cable(rng)
    if cable is None:
        return
    ways = rng.choice(("up", "down", "both"))
    lasts_s = rng.uniform(1.0, 12.0)
    on.note("half_open", peer=cable.peer, ways=ways)
    cable.up.deaf |= ways != "down"  # a second one on the same cable mends nothing
    cable.down.deaf |= ways != "up"
    began = on.company.now_ns()
    if cable.down.deaf:
        on.outages.append(Outage(cable.peer, began, 1 << 62))
    await trio.sleep(lasts_s)
    cable.cut()


async def _cut(on: Mischief, rng: random.Random) -> None:
    cable = on.cable(rng)
    if cable is not None:
        on.note("reset", peer=cable.peer)
        cable.cut()


async def _torn(on: Mischief, rng: random.Random) -> None:
    """The connection is cut in the middle of a frame."""
    cable = on.cable(rng)
    if cable is not None:
        on.note("torn", peer=cable.peer)
        wire = rng.choice((cable.up, cable.down))
        wire.cut_after = rng.randint(1, 600)


async def _stall(on: Mischief, rng: random.Random) -> None:
    """Everything on a connection comes late for a while, in order."""
    cable = on.cable(rng)
    if cable is None:
        return
    wires = rng.choice(((cable.up,), (cable.down,), (cable.up, cable.down)))
    on.note("stall", peer=cable.peer)
    usual = [wire.lag_s for wire in wires]
    for wire in wires:
        wire.lag_s = rng.choice((0.3, 0.9, 1.3, 3.0))
    await trio.sleep(rng.uniform(0.5, 6.0))
    for wire, lag_s in zip(wires, usual, strict=True):
        wire.lag_s = lag_s


async def _dark(on: Mischief, rng: random.Random) -> None:
    """No network at all: every connection is reset and nobody can dial."""
    on.note("dark")
    on.company.door_open = False
    for cable in on.company.cables:
        cable.cut()
    await trio.sleep(rng.uniform(0.5, 8.0))
    on.company.door_open = True


# -- answers


async def _lost_answer(on: Mischief, rng: random.Random) -> None:
    on.exchange.faults.swallow_answer(rng.choice(on.targets.ordering + on.targets.asking), rng.randint(1, 4))
    await trio.lowlevel.checkpoint()


async def _lost_request(on: Mischief, rng: random.Random) -> None:
    on.exchange.faults.lose_request(rng.choice(on.targets.ordering + on.targets.asking), rng.randint(1, 4))
    await trio.lowlevel.checkpoint()


async def _reject(on: Mischief, rng: random.Random) -> None:
    code = rng.choice(on.targets.refusals)
    on.exchange.faults.refuse(rng.choice(on.targets.ordering), code, "refused on purpose", rng.randint(1, 4))
    await trio.lowlevel.checkpoint()


async def _rate_limit(on: Mischief, rng: random.Random) -> None:
    on.exchange.faults.rate_limit(rng.choice(on.targets.ordering + on.targets.asking), rng.randint(1, 6))
    await trio.lowlevel.checkpoint()


async def _unknown(on: Mischief, rng: random.Random) -> None:
    faults = on.exchange.faults
    faults.unknown_outcome(rng.choice(on.targets.ordering), rng.choice((9000, 9001)), rng.random() < 0.6, rng.randint(1, 4))
    await trio.lowlevel.checkpoint()


async def _refused_cancel(on: Mischief, rng: random.Random) -> None:
    """Cancels are refused and the orders rest on: just when a book falls silent and they are wanted."""
    code = rng.choice(on.targets.cancel_refusals)
    for method in on.targets.cancelling[: rng.randint(1, 3)]:
        on.exchange.faults.refuse(method, code, "refused on purpose", rng.randint(1, 3))
    await _silence(on, rng)


# -- the venue


async def _silence(on: Mischief, rng: random.Random) -> None:
    """The venue's feed stops: the index, one book, or all of them, while the connection lives."""
    names = tuple(one.name for one in on.exchange.engine.live_listings())
    book, name, quoting = on.targets.book, rng.choice(names), on.company.scene.cell.quoting
    own = tuple(f"{channel}{name}" for channel in book)
    channels, silent, bound_s = rng.choice(
        (
            ((on.targets.index,), names, quoting.max_index_age_s),
            (book, names, quoting.max_book_age_s),
            (own, (name,), quoting.max_book_age_s),
        )
    )
    await on.hold_silent(silent, bound_s, [FrameFault("drop", "out", match=match) for match in channels], rng)


async def _restart(on: Mischief, rng: random.Random) -> None:
    on.exchange.faults.restart(rng.uniform(0.3, 5.0), orders_survive=rng.random() < 0.6)
    await trio.lowlevel.checkpoint()


async def _maintenance(on: Mischief, rng: random.Random) -> None:
    on.exchange.faults.maintenance(True)
    await trio.sleep(rng.uniform(0.5, 6.0))
    on.exchange.faults.maintenance(False)
    on.exchange.tell()


async def _mmp(on: Mischief, rng: random.Random) -> None:
    """A protection so tight that the next fill trips it (of a maker who sends his orders under it)."""
    on.note("mmp")
    account, engine = on.company.account, on.exchange.engine
    former = on.targets.tighten(engine, account, rng.choice((2000, 8000)))
    await trio.sleep(rng.uniform(3.0, 10.0))
    for config in former:
        engine.set_mmp(account, config)


async def _late_cancel(on: Mischief, rng: random.Random) -> None:
    """Cancel-on-disconnect fires late, and there is a disconnect."""
    on.exchange.faults.late_cancel_s = rng.uniform(0.3, 4.0)
    await _cut(on, rng)
    await trio.sleep(rng.uniform(0.5, 5.0))
    on.exchange.faults.late_cancel_s = 0.0


# -- the maker


async def _crash_actor(on: Mischief, rng: random.Random) -> None:
    """An actor raises at one of its awaits."""
    life = on.company.life
    if life is None or life.task is None:
        return
    ending = rng.choice(ACTORS)
    inside = below(life.task)

    def strike(task: trio.lowlevel.Task) -> Exception:
        on.note("crash_actor", task=short(task))
        on.company.say(f"-- crash in {short(task)}")
        return InjectedCrash(ending)

    await on.blow(life, lambda task: task.name.endswith(ending) and inside(task), rng.randint(1, 40), strike)


async def _crash_cell(on: Mischief, rng: random.Random) -> None:
    """Any task of the cell raises, or the cell is cancelled, at any step."""
    life = on.company.life
    if life is None or life.task is None:
        return
    raises = rng.random() < 0.6

    def strike(task: trio.lowlevel.Task) -> Exception | None:
        on.note("crash_cell", task=short(task), raises=raises)
        on.company.say(f"-- {'error' if raises else 'cancel'} in {short(task)}")
        if raises:
            return InjectedCrash("anywhere")
        life.scope.cancel()
        return None

    await on.blow(life, below(life.task), rng.randint(1, 400), strike, raises=raises)


async def _kill_cell(on: Mischief, rng: random.Random) -> None:
    await _kill(on, rng, "kill_cell", on.company.kill)


async def _kill_all(on: Mischief, rng: random.Random) -> None:
    await _kill(on, rng, "kill_all", on.company.kill_all)


async def _kill(on: Mischief, rng: random.Random, kind: str, deed: Callable[[], None]) -> None:
    """As SIGKILL, at any step of any of its tasks."""
    life = on.company.life
    if life is None or life.task is None:
        return

    def strike(task: trio.lowlevel.Task) -> None:
        on.note(kind, task=short(task))
        deed()

    await on.blow(life, below(life.task), rng.randint(1, 400), strike, raises=False)


async def _guard_absent(on: Mischief, rng: random.Random) -> None:
    """The supervisor tells the cell that there is no guard, and later that there is one again: one absence at a time."""
    life = on.company.life
    if life is None or "guard" in life.cell.desk.blocks:
        return
    on.note("guard_absent")
    life.cell.desk.block("guard", "no guard: nothing new is sent")
    began = on.company.now_ns()
    await trio.sleep(rng.uniform(0.5, 6.0))
    life.cell.desk.unblock("guard")
    on.halts.append(Halt(began, on.company.now_ns(), "no guard", life.label))


async def _clock_jump(on: Mischief, rng: random.Random) -> None:
    """The makers' wall clock steps, as a bad time server would have it."""
    by_s = rng.choice((-20.0, -3.0, -1.5, -0.4, 0.4, 1.5, 3.0, 20.0))
    on.note("clock_jump", seconds=by_s)
    clock = on.company.stage.clock
    clock.jump_ns += round(by_s * 1e9)
    on.skews.append(Skew(on.company.now_ns(), clock.jump_ns))
    await trio.sleep(rng.uniform(1.0, 8.0))
    clock.jump_ns -= round(by_s * 1e9)
    on.note("clock_jump", seconds=-by_s)
    on.skews.append(Skew(on.company.now_ns(), clock.jump_ns))


def short(task: trio.lowlevel.Task) -> str:
    return task.name.rpartition("actors.")[2]


DEEDS: dict[str, Callable[[Mischief, random.Random], Awaitable[None]]] = {
    "drop": _frames("drop"),
    "delay": _frames("delay"),
    "duplicate": _frames("duplicate"),
    "reorder": _frames("reorder"),
    "truncate": _frames("truncate"),
    "half_open": _half_open,
    "reset": _cut,
    "torn": _torn,
    "stall": _stall,
    "dark": _dark,
    "lost_answer": _lost_answer,
    "lost_request": _lost_request,
    "reject": _reject,
    "rate_limit": _rate_limit,
    "unknown": _unknown,
    "refused_cancel": _refused_cancel,
    "silence": _silence,
    "restart": _restart,
    "maintenance": _maintenance,
    "mmp": _mmp,
    "late_cancel": _late_cancel,
    "crash_actor": _crash_actor,
    "crash_cell": _crash_cell,
    "kill_cell": _kill_cell,
    "kill_all": _kill_all,
    "guard_absent": _guard_absent,
    "clock_jump": _clock_jump,
}
KINDS = (*DEEDS, "expiry")
"""All that may be asked for; `expiry` is a matter of the scene: the board's end falls into the run."""
