"""Market-maker protection at the venue: set and verified before quoting, its trips answered, its freezes waited out.

Owns the venue's configuration for one underlying. That configuration replaces whatever was there for the whole account
and underlying, so its terms come from all cells of the run together: whichever cell sets it, it is the same. Never
quotes. Invariant: with protection wanted, no order is sent before the venue has echoed our terms, nor while it is frozen.
"""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal

import trio
from loguru import logger

from actors.clock import Clock
from actors.console.settings import CellSettings, Settings
from actors.order_desk import OrderDesk
from actors.risk import Risk
from actors.trading.errors import ConfigError, OutcomeUnknown, VenueRefused, VenueUnreachable
from actors.venues.dialect import MmpTerms

CAUSE = "mmp"
TRIPS_WINDOW_S = 3600.0
LOOK_S = 1.0
"""While frozen the venue is asked this often whether it still is."""


def terms_of(settings: Settings, underlying: str, *, is_required: bool = False) -> MmpTerms | None:
    """What the cells of one underlying want together; None when none wants protection. Amounts add up, times agree.

    `is_required`: the way we quote needs protection, whether it was switched on or not.
    """
    cells = [cell for cell in settings.cells if cell.underlying == underlying and (cell.mmp.enabled or is_required)]
    if not cells:
        return None
    first = cells[0].mmp
    return MmpTerms(
        currency=underlying,
        interval_ms=1000 * math.ceil(first.interval_s),  # venues keep whole seconds: cut down, half a second would be none
        frozen_ms=1000 * math.ceil(first.frozen_s),
        amount_limit=sum((_amount(cell) for cell in cells), Decimal(0)),
        delta_limit=sum((Decimal(str(cell.mmp.delta_limit or 0)) for cell in cells), Decimal(0)),
        vega_limit=sum((Decimal(str(cell.mmp.vega_limit or 0)) for cell in cells), Decimal(0)),
        quote_limit=max(Decimal(str(cell.limits.max_position)) for cell in cells),
    )


def _amount(cell: CellSettings) -> Decimal:
    """Unset: half of what the cell may hold at all, so that a sweep is stopped before the limits are full."""
    return Decimal(str(cell.mmp.amount_limit or cell.limits.max_exposure / 2))


def _kept(terms: MmpTerms) -> tuple[int, int, Decimal, Decimal]:
    return terms.interval_ms, terms.frozen_ms, terms.amount_limit, terms.delta_limit


class Protection:
    """One cell's view of it. `trip` is told by the clerk; `keep` runs with the quoters."""

    def __init__(self, settings: Settings, cell: CellSettings, desk: OrderDesk, risk: Risk, clock: Clock) -> None:
        self.terms = terms_of(settings, cell.underlying) if cell.mmp.enabled else None
        self.trips = 0
        self._settings = settings
        self._cell = cell
        self._dialect = desk.dialect
        self._desk = desk
        self._risk = risk
        self._clock = clock
        self._recent: deque[float] = deque()
        self._frozen_until_ms: int | None = None
        self._is_due = False
        """What protects single orders, where mass quotes were withdrawn, is not set yet."""

    def insist(self) -> None:
        """Mass quotes are always under protection, switched on or not."""
        self.terms = terms_of(self._settings, self._cell.underlying, is_required=True)

    def relent(self) -> None:
        """No mass quotes after all: as configured."""
        self.terms = terms_of(self._settings, self._cell.underlying) if self._cell.mmp.enabled else None

    def start_anew(self) -> None:
        """Mass quotes are withdrawn: no single order leaves before `keep` has set what protects those."""
        self.relent()
        self._is_due = True
        self._desk.block(CAUSE, "mass quotes are withdrawn, and the protection of single orders is not set yet")

    async def set_up(self) -> None:
        """Our terms at the venue, verified. ConfigError when it does not keep them."""
        if self.terms is None:
            return
        asked = await self._desk.follow(self._dialect.set_mmp(self.terms))
        if (asked.amount_limit, asked.quote_limit) != (self.terms.amount_limit, self.terms.quote_limit):
            kept = f"{asked.amount_limit} contracts in the window ({self.terms.amount_limit} were wanted)"
            kept += f" and {asked.quote_limit} at rest on a side ({self.terms.quote_limit})"
            self._desk.clerk.on_event("warning", f"mmp of {self._cell.underlying}: the venue keeps no more than {kept}")
        held = await self._desk.follow(self._dialect.get_mmp(self._cell.underlying))
        if held is None or _kept(held) != _kept(asked):
            raise ConfigError(f"mmp: the venue does not keep the protection that was set for {self._cell.underlying}")
        logger.info(
            "protection of {}: {} contracts in {:g} s freeze quoting for {:g} s",
            self._cell.underlying,
            asked.amount_limit,
            asked.interval_ms / 1000,
            asked.frozen_ms / 1000,
        )
        if held.is_frozen:
            self.trip(held.unfreeze_ms)

    def trip(self, until_ms: int | None) -> None:
        """Protection tripped: our quotes are gone or going. `until_ms` None: the venue did not say when it ends."""
        if CAUSE in self._risk.halts:
            return
        now = trio.current_time()
        self.trips += 1
        self._recent.append(now)
        while self._recent[0] < now - TRIPS_WINDOW_S:
            self._recent.popleft()
        self._frozen_until_ms = until_ms
        if len(self._recent) > self._cell.mmp.max_trips:
            self._risk.halt("mmp trips", f"protection tripped {len(self._recent)} times within an hour: halted for good")
        self._risk.halt(CAUSE, f"market-maker protection tripped ({self.trips} so far)")

    async def keep(self) -> None:
        """Ends the halt when the venue says that the freeze is over, and sets up what a withdrawal left unset; forever."""
        while True:
            await trio.sleep(LOOK_S)
            if self._is_due and self._desk.link.is_up:
                await self._make_up()
            if CAUSE not in self._risk.halts or not self._desk.link.is_up:
                continue
            if self._frozen_until_ms and self._clock.now_ms() < self._frozen_until_ms:
                continue
            try:
                held = await self._desk.follow(self._dialect.get_mmp(self._cell.underlying))
            except (VenueUnreachable, OutcomeUnknown, VenueRefused) as exc:
                logger.debug("protection could not be asked about: {}", exc)
                continue
            if held is None or not held.is_frozen:
                self._risk.resume(CAUSE)

    async def _make_up(self) -> None:
        """What could not be set blocks on, and is tried again."""
        try:
            await self.set_up()
        except (VenueUnreachable, OutcomeUnknown, VenueRefused) as exc:
            logger.warning("protection of single orders could not be set, trying again: {}", exc)
            return
        self._is_due = False
        self._desk.unblock(CAUSE)
