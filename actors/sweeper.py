"""Cancel and ask until the venue says "none", without a socket: the guard's way, and that of `strikemaker cancel-all`.

Owns the signed access over REST and the loop of sweep and question. Decides nothing about when it is needed. Invariant:
`until_none` returns only after a question that was sent when nothing handed over before could arrive any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import trio

from actors.clock import Clock
from actors.console.settings import Settings
from actors.trading.budget import Budget
from actors.trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from actors.venues.access import GUARD_SLOT, Access
from actors.venues.dialect import Call, Pool, VenueOrder
from actors.venues.proof import LATE_MS, prefixed, sweep, tag_prefix
from actors.venues.rest import RestLink

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Between two sweeps while the venue cannot be reached or still shows orders."""
QUIET_PAUSE_S = 0.4
"""The same once it shows none, until nothing can arrive any more: who is started next has need of the request budget."""
MOMENT_S = 0.001
"""The question that counts is asked this long after the last possible arrival: later, whatever floats round to."""
FAILURES = (VenueRefused, VenueUnreachable, OutcomeUnknown)


class Sweeper:
    """One account, its orders under a tag (or, by `is_mine`, others), in the underlyings of the configuration."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        clock: Clock,
        rest: RestLink,
        *,
        is_mine: Callable[[VenueOrder], bool] | None = None,
        underlyings: Sequence[str] = (),
    ) -> None:
        self.underlyings = list(dict.fromkeys([*underlyings, *(cell.underlying for cell in settings.cells)]))
        self.in_flight_s = max(cell.quoting.reject_after_s for cell in settings.cells)
        """The longest an order handed over a moment ago could still take effect."""
        self._dialect = access.dialect(clock, GUARD_SLOT)
        self._rest = rest
        self._is_mine = is_mine or prefixed(tag_prefix(settings.venue.tag))
        self._knows_account = False
        self._budget = Budget({}, None)

    async def identify(self) -> None:
        """Finds the account: the proof that the venue takes our signature."""
        if not self._knows_account:
            facts = await self._rest.follow(self._dialect.find_account())
            self._budget = Budget(facts.limits, facts.per_instrument)
            self._knows_account = True

    async def sweep_all(self) -> int:
        """One sweep over every underlying; how many of ours rested when asked.

        No listing is read: unknown instruments are counted in the finest unit, so that a tick that was changed since, or a
        listing that cannot be had, hides no order.
        """
        await self.identify()
        resting = 0
        for underlying in self.underlyings:
            resting += len(await self._rest.follow(sweep(self._dialect, underlying, self._is_mine), self._ask))
        return resting

    async def _ask(self, call: Call) -> msgspec.Raw:
        """Where every cancel is single, a burst of them would only be refused: they wait for the venue's limit."""
        if call.pool is Pool.MATCHING:
            while wait := self._budget.wait_for(call.pool, trio.current_time(), cancel=True):
                await trio.sleep(wait)
            self._budget.spend(call.pool, trio.current_time())
        return await self._rest.call(call)

    async def cancel_account(self) -> None:
        """The venue's own word for "everything of this account"; what it leaves, the next sweep shows."""
        await self.identify()
        for call in self._dialect.cancel_account():
            await self._rest.call(call)


async def until_none(
    sweeper: Sweeper,
    *,
    before_asking: Callable[[], bool] = lambda: False,
    on_answer: Callable[[int], None] = lambda resting: None,
    on_failure: Callable[[Exception], None] = lambda failure: None,
) -> float:
    """Seconds it took, for as long as it takes. `before_asking` stops whoever might still send; True: somebody could."""
    started, pause, settled = trio.current_time(), FIRST_PAUSE_S, 0.0
    while True:
        asked = trio.current_time()
        if before_asking() or not settled:
            settled = asked + sweeper.in_flight_s + LATE_MS / 1000
        try:
            resting = await sweeper.sweep_all()
        except FAILURES as failure:
            on_failure(failure)
            pause = min(LONGEST_PAUSE_S, pause * 2)
        else:
            on_answer(resting)
            if resting == 0 and asked > settled:
                return trio.current_time() - started
            pause = FIRST_PAUSE_S if resting else min(QUIET_PAUSE_S, pause * 2)
        early = settled - trio.current_time()
        await trio.sleep(min(pause, early + MOMENT_S) if early > 0 else pause)
