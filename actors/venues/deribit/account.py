"""What a Deribit login and account summary say of us: rate limits by pool, protection, mass quotes.

Owns the reading of `limits`, which the recordings and the documentation spell differently. Reference: deribit.md
section 5. Invariant: a pool that the account does not mention gets the smallest tier's limit, never none.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.venues.deribit import rows
from actors.venues.dialect import AccountFacts, Pool, RateLimit

TIER_4 = RateLimit(5.0, 20.0)
"""Matching engine below 1 M USD of volume in seven days."""
NON_MATCHING = RateLimit(20.0, 100.0)
MASS_QUOTES = RateLimit(2.0, 2.0)
"""What is guaranteed; what an account names as its maximum is best effort, refused unread beyond."""
QUOTES = RateLimit(500.0, 500.0)
"""Sides in all mass quotes together."""
RENEW_AT = 0.8
"""Of a login's life: the number the venue returned differs from the documented one."""


def facts_of(summary: rows.Summary, login_ends_s: float, cancel_on_disconnect: bool) -> AccountFacts:
    limits = summary.limits or {}
    matching = _table(limits, "matching_engine") or limits
    # The documentation says "max_quotes" where accounts say "maximum_mass_quotes".
    mass = _limit(matching, "maximum_mass_quotes") or _limit(matching, "max_quotes")
    return AccountFacts(
        account=str(summary.id),
        limits={
            Pool.MATCHING: _trading(matching) or TIER_4,
            Pool.OTHER: _limit(limits, "non_matching_engine") or NON_MATCHING,
            Pool.BULK_CANCEL: _limit(matching, "cancel_all") or TIER_4,
            Pool.MASS_QUOTE: mass or MASS_QUOTES,
            Pool.QUOTES: _limit(matching, "maximum_quotes") or QUOTES,
        },
        per_instrument=None,
        cancel_on_disconnect=cancel_on_disconnect,
        mmp_allowed=summary.mmp_enabled,
        mass_quote_allowed=summary.mmp_enabled and mass is not None,
        login_ends_s=login_ends_s,
    )


def _trading(matching: Mapping[str, object]) -> RateLimit | None:
    """`trading.total`, or `trading` itself where it is not divided."""
    trading = _table(matching, "trading")
    return (_limit(trading, "total") or _limit(matching, "trading")) if trading else None


def _table(limits: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    found = limits.get(name)
    return found if isinstance(found, Mapping) else None


def _limit(limits: Mapping[str, object], name: str) -> RateLimit | None:
    found = _table(limits, name) or {}
    rate, burst = found.get("rate"), found.get("burst")
    if not (isinstance(rate, int | float) and isinstance(burst, int | float)) or rate <= 0 or burst <= 0:
        return None
    return RateLimit(float(rate), float(burst))
