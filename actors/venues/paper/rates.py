"""Rate limits of both venues: fixed windows, refilling buckets, credit pools. Pure arithmetic on a clock passed in.

Owns the counters; never refuses by itself: `charge` answers None or how long to wait. Invariant: a refused charge costs
nothing.
"""

from __future__ import annotations

from enum import Enum

import attrs


class Pool(str, Enum):
    MATCHING = "matching"
    """Derive: order, replace, cancel, cancel_by_nonce, _by_instrument, _by_label with one. Deribit: buy, sell, edit, cancels."""
    CANCEL_ALL = "cancel_all"
    CANCEL_LABEL = "cancel_label"
    """Derive: cancel_by_label without an instrument."""
    NON_MATCHING = "non_matching"
    SUBSCRIBE = "subscribe"
    GET_INSTRUMENTS = "get_instruments"
    TRANSACTION_LOG = "transaction_log"
    MASS_QUOTE = "mass_quote"
    """Deribit: calls; charge `QUOTES` with `cost` = number of quotes as well."""
    QUOTES = "quotes"


@attrs.frozen
class Retry:
    ms: int


@attrs.frozen
class PoolState:
    """For rate-limit queries: what is used and left, and when it comes back."""

    consumed: int
    remaining: int
    next_ms: int


class RateBook:
    def charge(self, now_ns: int, who: str, pool: Pool, instrument: str = "", cost: int = 1) -> Retry | None:
        """Spend from `who`'s pool; `who` is a wallet, a subaccount or (before login) an IP."""
        raise NotImplementedError

    def set_tier(self, who: str, tier: str) -> None:
        """Move one customer to another tier of the sheet (`trader`, `market_maker`, or Deribit's `1`..`4`)."""
        raise NotImplementedError

    def state(self, now_ns: int, who: str, pool: Pool, instrument: str = "") -> PoolState:
        raise NotImplementedError


def derive_rates(tier: str = "trader") -> RateBook:
    raise NotImplementedError


def deribit_rates(tier: str = "4") -> RateBook:
    raise NotImplementedError
