"""Rate limits of both venues: fixed windows, refilling buckets, credit pools. Pure arithmetic on a clock passed in.

Owns the counters; never refuses by itself: `charge` answers None or how long to wait. What a customer may do comes from
a tier sheet (Derive 5.1, Deribit 5). Invariant: a refused charge costs nothing.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from actors.venues.paper.rules import MS, SECOND


class Pool(StrEnum):
    MATCHING = "matching"
    """Derive: order, replace, cancel, by nonce, by instrument, by label with one. Deribit: buy, sell, edit, cancels."""
    CANCEL_ALL = "cancel_all"
    CANCEL_LABEL = "cancel_label"
    """Derive: cancel_by_label without an instrument."""
    NON_MATCHING = "non_matching"
    SUBSCRIBE = "subscribe"
    GET_INSTRUMENTS = "get_instruments"
    TRANSACTION_LOG = "transaction_log"
    MASS_QUOTE = "mass_quote"
    """Deribit: one a call; charge `QUOTES` with the number of quotes as well."""
    QUOTES = "quotes"


@attrs.frozen
class Retry:
    ms: int


@attrs.frozen
class Window:
    """A fixed window: `points` each `seconds`, all back at the window's end."""

    points: int
    seconds: int = 5


@attrs.frozen
class Bucket:
    """Refills by `per_second` up to `burst`; starts full."""

    per_second: float
    burst: float


@attrs.frozen
class TierSheet:
    """The limits of one tier. `instrument` is a second bucket of MATCHING, per customer and instrument."""

    pools: dict[Pool, Window | Bucket]
    instrument: Bucket | None = None


@attrs.frozen
class PoolState:
    """For rate-limit queries: what is used and left, and when more comes back."""

    consumed: int
    remaining: int
    next_ms: int


Key = tuple[str, Pool, str]


class RateBook:
    def __init__(self, tiers: dict[str, TierSheet], tier: str) -> None:
        if tier not in tiers:
            raise ValueError(f"no tier {tier}; there are {', '.join(tiers)}")
        self._tiers = tiers
        self._default = tiers[tier]
        self._sheets: dict[str, TierSheet] = {}
        self._used: dict[Key, tuple[int, float]] = {}
        """Windows: (index of the window, points used). Buckets: (as of ns, points left)."""

    def set_tier(self, who: str, tier: str) -> None:
        """Move one customer to another tier of the sheet; what was used stays used."""
        self._sheets[who] = self._tiers[tier]

    def sheet(self, who: str) -> TierSheet:
        return self._sheets.get(who, self._default)

    def charge(self, now_ns: int, who: str, pool: Pool, instrument: str = "", cost: int = 1) -> Retry | None:
        """Spend from `who`'s pool (a wallet, a subaccount, or before login an IP); both buckets or neither.

        A pool the venue does not limit is free.
        """
        sheet = self.sheet(who)
        due: list[tuple[Key, Window | Bucket]] = []
        limit = sheet.pools.get(pool)
        if limit is not None:
            due.append(((who, pool, ""), limit))
        if instrument and pool is Pool.MATCHING and sheet.instrument is not None:
            due.append(((who, pool, instrument), sheet.instrument))
        wait_ns = max((self._wait_ns(key, limit, now_ns, cost) for key, limit in due), default=0)
        if wait_ns > 0:
            return Retry(-(-wait_ns // MS))
        for key, limit in due:
            self._spend(key, limit, now_ns, cost)
        return None

    def state(self, now_ns: int, who: str, pool: Pool, instrument: str = "") -> PoolState:
        """Of the pool, or with an instrument of that bucket."""
        sheet = self.sheet(who)
        limit = sheet.instrument if instrument else sheet.pools.get(pool)
        if limit is None:
            return PoolState(0, 1 << 31, 0)
        key = (who, pool, instrument)
        left, most = self._left(key, limit, now_ns), _most(limit)
        return PoolState(int(most - left), int(left), -(-self._back_ns(limit, left, now_ns) // MS))

    # -- arithmetic

    def _left(self, key: Key, limit: Window | Bucket, now_ns: int) -> float:
        mark, amount = self._used.get(key, (-1, 0.0))
        if isinstance(limit, Window):
            return limit.points - (amount if mark == now_ns // (limit.seconds * SECOND) else 0)
        if mark < 0:
            return limit.burst
        return min(limit.burst, amount + max(0, now_ns - mark) * limit.per_second / SECOND)

    def _wait_ns(self, key: Key, limit: Window | Bucket, now_ns: int, cost: int) -> int:
        """Zero when the cost can be paid now."""
        short = cost - self._left(key, limit, now_ns)
        if short <= 1e-9:
            return 0
        if isinstance(limit, Window):
            return _to_next_window(limit, now_ns)
        return int(short * SECOND / limit.per_second) + 1

    def _spend(self, key: Key, limit: Window | Bucket, now_ns: int, cost: int) -> None:
        left = self._left(key, limit, now_ns)
        if isinstance(limit, Window):
            self._used[key] = (now_ns // (limit.seconds * SECOND), limit.points - left + cost)
        else:
            self._used[key] = (now_ns, left - cost)

    @staticmethod
    def _back_ns(limit: Window | Bucket, left: float, now_ns: int) -> int:
        if left >= _most(limit):
            return 0
        return _to_next_window(limit, now_ns) if isinstance(limit, Window) else int(SECOND / limit.per_second)


def _most(limit: Window | Bucket) -> float:
    return limit.points if isinstance(limit, Window) else limit.burst


def _to_next_window(limit: Window, now_ns: int) -> int:
    return limit.seconds * SECOND - now_ns % (limit.seconds * SECOND)


def _derive_tier(matching: int, other: int, instrument: Bucket) -> TierSheet:
    pools: dict[Pool, Window | Bucket] = {
        Pool.MATCHING: Window(matching * 5),
        Pool.NON_MATCHING: Window(other * 5),
        Pool.CANCEL_ALL: Bucket(1, 1),
        Pool.CANCEL_LABEL: Bucket(10, 10),
    }
    return TierSheet(pools, instrument)


def derive_rates(tier: str = "trader") -> RateBook:
    """Tiers `trader` (1 matching request a second) and `market_maker` (500), in windows of five seconds."""
    tiers = {
        "trader": _derive_tier(1, 5, Bucket(1, 5)),
        "market_maker": _derive_tier(500, 500, Bucket(10, 50)),
    }
    return RateBook(tiers, tier)


def deribit_rates(tier: str = "4") -> RateBook:
    """Tiers `1` to `4` by volume, and `market_maker`, the documented example of a big one."""
    rates = {"1": (30, 100), "2": (20, 50), "3": (10, 30), "4": (5, 20), "market_maker": (200, 250)}
    return RateBook({name: _deribit_tier(*limits, name) for name, limits in rates.items()}, tier)


def _deribit_tier(per_second: int, burst: int, name: str) -> TierSheet:
    other = Bucket(1000, 1500) if name == "market_maker" else Bucket(20, 100)
    return TierSheet(
        {
            Pool.MATCHING: Bucket(per_second, burst),
            Pool.CANCEL_ALL: Bucket(5, 20),
            Pool.NON_MATCHING: other,
            Pool.SUBSCRIBE: Bucket(10 / 3, 10),
            Pool.GET_INSTRUMENTS: Bucket(1, 50),
            Pool.TRANSACTION_LOG: Bucket(1, 8),
            Pool.MASS_QUOTE: Bucket(10, 10),
            Pool.QUOTES: Bucket(500, 500),
        }
    )
