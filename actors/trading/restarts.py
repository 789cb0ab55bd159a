"""Supervision as data, after Erlang/OTP: how often a child may crash, how long to wait, when to give up.

Pure; `now` is trio's clock. Used for quoters (give up: quarantine) and for cells (give up: everything stops, cleanly).
Invariant: within any `period_s` at most `max_restarts` restarts are granted.
"""

from __future__ import annotations

from collections import deque

import attrs

FORGOTTEN_S = 5.5
"""The venues count what was asked for so long at most: burst / rate of any pool at any tier is five seconds. Who follows a
cell that has proven its end has nothing to hurry for, and waits it out; who follows another does not."""


@attrs.frozen
class RestartRule:
    """At most `max_restarts` within `period_s`; waits double from `backoff_s` to `backoff_max_s`."""

    max_restarts: int
    period_s: float
    backoff_s: float
    backoff_max_s: float


class Restarts:
    """The memory of one child's crashes."""

    def __init__(self, rule: RestartRule) -> None:
        self.rule = rule
        self.total = 0
        self._crashes: deque[float] = deque()

    def crashed(self, now: float) -> float | None:
        """Notes a crash. Seconds to wait before the restart, or None: give up."""
        while self._crashes and self._crashes[0] <= now - self.rule.period_s:
            self._crashes.popleft()
        self._crashes.append(now)
        if len(self._crashes) > self.rule.max_restarts:
            return None
        self.total += 1
        return float(min(self.rule.backoff_max_s, self.rule.backoff_s * 2.0 ** (len(self._crashes) - 1)))
