"""Market-maker protection of both venues: counts fills, trips, freezes, thaws.

Owns the window and the frozen state of one account, scope (Derive: currency, Deribit: index name) and group. Cancels
nothing itself: the engine asks `note` whether it tripped and pulls the orders. Amounts are contracts. Invariant: the
fill that trips a limit stands in full, and nothing is counted while frozen or off.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import NamedTuple

import attrs

from actors.venues.paper.rules import MS, MmpWindow, VenueRules
from actors.venues.paper.tickets import ZERO

FOREVER = 1 << 62


@attrs.frozen(kw_only=True)
class MmpConfig:
    """Limits None: no limit. Interval 0: off. Frozen time 0: until reset."""

    scope: str
    group: str = ""
    interval_ms: int
    frozen_ms: int
    amount_limit: Decimal | None = None
    """Gross contracts traded."""
    delta_limit: Decimal | None = None
    """Absolute value of the net delta traded."""
    vega_limit: Decimal | None = None
    max_quote_quantity: Decimal | None = None
    """Deribit: resting MMP size per side and instrument."""


@attrs.frozen
class MmpStatus:
    config: MmpConfig
    frozen: bool
    frozen_until_ms: int
    """Zero while thawed, and while frozen until reset."""


class Counted(NamedTuple):
    at_ns: int
    amount: Decimal
    delta: float
    vega: float


def as_stored(config: MmpConfig, rules: VenueRules) -> MmpConfig:
    """What the venue makes of a config: Derive cuts its times to whole seconds; a limit of zero is none."""
    unit = 1000 if rules.mmp_whole_seconds else 1
    return attrs.evolve(
        config,
        interval_ms=config.interval_ms // unit * unit,
        frozen_ms=config.frozen_ms // unit * unit,
        amount_limit=config.amount_limit or None,
        delta_limit=config.delta_limit or None,
        vega_limit=config.vega_limit or None,
    )


@attrs.define(eq=False)
class MmpGuard:
    config: MmpConfig
    frozen_until_ns: int = 0
    """Zero while thawed."""
    _fills: deque[Counted] = attrs.Factory(deque)
    _amount: Decimal = ZERO
    _delta: float = 0.0
    _vega: float = 0.0

    def frozen(self, now_ns: int) -> bool:
        return now_ns < self.frozen_until_ns

    def status(self, now_ns: int) -> MmpStatus:
        until = self.frozen_until_ns if self.frozen(now_ns) and self.frozen_until_ns != FOREVER else 0
        return MmpStatus(self.config, self.frozen(now_ns), until // MS)

    def reset(self) -> None:
        """Thaw and forget what was counted."""
        self.frozen_until_ns = 0
        self._fills.clear()
        self._amount, self._delta, self._vega = ZERO, 0.0, 0.0

    def note(self, fill: Counted, rules: VenueRules) -> bool:
        """Count a fill; True when it trips the protection, which then is frozen."""
        if not self.config.interval_ms or self.frozen(fill.at_ns):
            return False
        self._age(fill.at_ns, rules.mmp_window)
        self._fills.append(fill)
        self._count(fill, 1)
        if not self._over(rules.mmp_trips_at_limit):
            return False
        self.reset()
        self.frozen_until_ns = fill.at_ns + self.config.frozen_ms * MS if self.config.frozen_ms else FOREVER
        return True

    def _age(self, now_ns: int, window: MmpWindow) -> None:
        """Forget what lies outside: one by one when rolling, all at once when the window of the first trade is over."""
        since = now_ns - self.config.interval_ms * MS
        if window is MmpWindow.FROM_FIRST_TRADE:
            if self._fills and self._fills[0].at_ns <= since:
                self.reset()
            return
        while self._fills and self._fills[0].at_ns <= since:
            self._count(self._fills.popleft(), -1)
        if not self._fills:
            self._delta = self._vega = 0.0  # what float sums leave behind

    def _count(self, fill: Counted, sign: int) -> None:
        self._amount += sign * fill.amount
        self._delta += sign * fill.delta
        self._vega += sign * fill.vega

    def _over(self, at_limit: bool) -> bool:
        config = self.config
        pairs = ((self._amount, config.amount_limit), (abs(self._delta), config.delta_limit),
                 (abs(self._vega), config.vega_limit))  # fmt: skip
        return any(limit is not None and (got > limit or (at_limit and got == limit)) for got, limit in pairs)
