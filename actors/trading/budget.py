"""The venue's rate limits as a budget that is never overdrawn (design law 9).

Owns one window per pool and per instrument; pure, `now` (trio's clock, seconds) is passed in. A venue may count in fixed
windows, sliding ones or a refilling bucket: at most `burst` requests in *any* stretch of burst / per_second seconds fits
all three, and is fully used in steady state. Cancels may use the whole of it; everything else leaves a reserve.
Invariant: no stretch of that length ever holds more than `burst` sends.
"""

from __future__ import annotations

from collections import deque

import attrs

from actors.venues.dialect import Pool, RateLimit

JITTER = 1.02
"""Requests evenly sent arrive unevenly: the window is kept this much longer than the venue's."""

ORDERING = (Pool.MATCHING, Pool.MASS_QUOTE)
"""What orders are paid from."""


@attrs.define
class Window:
    """At most `size` sends in any `length_s`; `sent` holds the times of the latest, and some that count no more: they are
    looked for when there seems to be no room."""

    size: int
    length_s: float
    kept: int = 0
    """For cancels."""
    sent: deque[float] = attrs.field(factory=deque)

    @classmethod
    def of(cls, limit: RateLimit, share: float = 1.0, reserve: float = 0.0) -> Window:
        """`reserve`: the part that is kept for cancels. A small window would idle a fifth of itself for one kept request;
        there cancels simply go first."""
        size = max(1, int(limit.burst * share))
        return cls(size, JITTER * size / (limit.per_second * share), round(size * reserve) if size >= 20 else 0)

    def remember(self, before: Window) -> None:
        """What an earlier window of the same has sent counts on."""
        self.sent = deque(sorted((*before.sent, *self.sent))[-self.size :])

    def left(self, now: float) -> int:
        while self.sent and self.sent[0] <= now - self.length_s:
            self.sent.popleft()
        return self.size - len(self.sent)

    def next_free(self, now: float, wanted: int = 1) -> float:
        """Seconds until `wanted` sends fit (0 when they do now)."""
        if len(self.sent) + wanted <= self.size:
            return 0.0
        short = wanted - self.left(now)
        if short <= 0:
            return 0.0
        if short > len(self.sent):
            return self.length_s
        return max(0.0, self.sent[short - 1] + self.length_s - now)


class Budget:
    """All pools of one cell. `share` is the cell's part of what the account may send; `reserve` a part kept for cancels."""

    def __init__(
        self,
        limits: dict[Pool, RateLimit],
        per_instrument: RateLimit | None,
        *,
        share: float = 1.0,
        reserve: float = 0.1,
        spent: dict[Pool, int] | None = None,
        now: float = 0.0,
    ) -> None:
        """`spent`: requests that the venue counts against us already at `now`; none where it does not say."""
        kept = {Pool.MATCHING: reserve}
        self._pools = {pool: Window.of(limit, share, kept.get(pool, 0.0)) for pool, limit in limits.items()}
        self._per_instrument = per_instrument
        self._reserve = reserve
        self._instruments: dict[str, Window] = {}
        matching = self._pools.get(Pool.MATCHING)
        self._orders_from = now
        """Earlier than this nothing but cancels may go."""
        self._first: list[float] = []
        """Matching requests of before our time may all have been in one instrument: each window starts with them."""
        self._told = frozenset(spent or ())
        """Of these the venue itself says what counts; of single instruments it never does."""
        for pool, count in (spent or {}).items():
            if pool in self._pools:
                self._pools[pool].sent.extend([now] * min(count, self._pools[pool].size))
        if matching is not None:
            self._first.extend(matching.sent)

    def wait_for(self, pool: Pool, now: float, count: int = 1, *, instrument: str = "", cancel: bool = False) -> float:
        """Seconds until `count` requests may go; 0 means now."""
        window = self._pools.get(pool)
        wait = 0.0
        if window is not None:
            wait = window.next_free(now, count if cancel else count + window.kept)
        if self._orders_from - now > wait and not cancel and pool in ORDERING:
            wait = self._orders_from - now
        if instrument and pool is Pool.MATCHING and self._per_instrument is not None:
            window = self._instrument(instrument)
            own = window.next_free(now, count if cancel else count + window.kept)
            wait = own if own > wait else wait
        return wait

    def most(self, pool: Pool, instrument: str) -> int:
        """So many orders can ever leave together, at least one, with what is kept for cancels set aside."""
        window = self._pools.get(pool)
        most = 1 << 30 if window is None else window.size - window.kept
        if self._per_instrument is not None:
            window = self._instrument(instrument)
            most = min(most, window.size - window.kept)
        return max(1, most)

    def spend(self, pool: Pool, now: float, count: int = 1, *, instrument: str = "") -> None:
        window = self._pools.get(pool)
        if window is not None:
            window.sent.extend([now] * count)
        if instrument and pool is Pool.MATCHING and self._per_instrument is not None:
            self._instrument(instrument).sent.append(now)

    def hold_orders(self, now: float) -> float:
        """Somebody has just spent an unknown part: orders wait until none of it counts any more, cancels do not.

        Returns how long, in seconds.
        """
        wait = max((self._pools[pool].length_s for pool in ORDERING if pool in self._pools), default=0.0)
        self._orders_from = now + wait
        return wait

    def remember(self, before: Budget) -> None:
        """Go on counting what an earlier budget of the same account has sent: a new connection empties no bucket."""
        self._orders_from = max(self._orders_from, before._orders_from)
        for pool, window in self._pools.items():
            known = before._pools.get(pool)
            if known is not None and pool not in self._told:
                window.remember(known)
        if self._per_instrument is not None:
            for name, known in before._instruments.items():
                self._instrument(name).remember(known)

    def exhausted(self, pool: Pool, now: float, retry_s: float) -> None:
        """The venue said no: nothing more until `retry_s` from now; what we have sent goes on counting after that."""
        window = self._pools.get(pool)
        if window is not None:
            missing = window.left(now)
            until = now - window.length_s + retry_s
            window.sent = deque([until] * missing + [max(sent, until) for sent in window.sent])

    def left(self, pool: Pool, now: float) -> int | None:
        window = self._pools.get(pool)
        return None if window is None else window.left(now)

    def size(self, pool: Pool) -> int:
        """The pool's burst; 0 for one without a limit."""
        window = self._pools.get(pool)
        return 0 if window is None else window.size

    def per_second(self, pool: Pool) -> float:
        window = self._pools.get(pool)
        return float("inf") if window is None else window.size / window.length_s

    def _instrument(self, name: str) -> Window:
        window = self._instruments.get(name)
        if window is None:
            assert self._per_instrument is not None  # callers looked
            window = self._instruments[name] = Window.of(self._per_instrument, reserve=self._reserve)
            window.sent.extend(self._first[-window.size :])
        return window
