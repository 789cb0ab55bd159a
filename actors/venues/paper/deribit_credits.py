"""What a request costs on the Deribit face: which pool it draws from, how much, and what the account is told of it.

Owns the map from methods to the pools of `rates.py` and the `limits` block of the account summary (reference section 5).
Counts nothing itself. Invariant: every method draws from exactly one pool, but for a mass quote, which also pays for each
of its quotes.
"""

from __future__ import annotations

from typing import Any

from actors.venues.paper.rates import Bucket, Pool, TierSheet, deribit_rates

MATCHING = (
    "private/buy", "private/sell", "private/edit", "private/edit_by_label", "private/close_position",
    "private/cancel", "private/cancel_by_label", "private/cancel_all_by_currency", "private/cancel_all_by_instrument",
    "private/cancel_all_by_kind_or_type", "private/cancel_all_by_currency_pair", "private/cancel_quotes",
)  # fmt: skip
POOLS: dict[str, Pool] = {
    **dict.fromkeys(MATCHING, Pool.MATCHING),
    "private/cancel_all": Pool.CANCEL_ALL,
    "private/mass_quote": Pool.MASS_QUOTE,
    "public/get_instruments": Pool.GET_INSTRUMENTS,
    "private/get_transaction_log": Pool.TRANSACTION_LOG,
    **dict.fromkeys(("public/subscribe", "private/subscribe"), Pool.SUBSCRIBE),
}
"""Everything else draws from the non-matching pool."""
TIERS = {"trader": "4"}
"""Names shared by all faces of the paper exchange, as Deribit's tiers."""
GUARANTEED_MASS_QUOTES = Bucket(2, 2)
BLOCK_RFQ = Bucket(10, 20)


def tier_of(name: str) -> str:
    return TIERS.get(name, name)


def pool_of(method: str, params: dict[str, Any]) -> Pool:
    """A cancel by label that names no currency has to look everywhere, and is billed like a cancel of everything."""
    if method == "private/cancel_by_label" and not params.get("currency"):
        return Pool.CANCEL_ALL
    return POOLS.get(method, Pool.NON_MATCHING)


def limits_json(tier: str) -> dict[str, Any]:
    """The `limits` of an account summary, under the names of recorded accounts (the documentation's differ)."""
    sheet = deribit_rates(tier).sheet("")
    trading = _rate(sheet, Pool.MATCHING)
    return {
        "limits_per_currency": False,
        "non_matching_engine": _rate(sheet, Pool.NON_MATCHING),
        "matching_engine": {
            "trading": {"total": trading},
            "spot": dict(trading),
            "cancel_all": _rate(sheet, Pool.CANCEL_ALL),
            "guaranteed_mass_quotes": _bucket(GUARANTEED_MASS_QUOTES),
            "maximum_mass_quotes": _rate(sheet, Pool.MASS_QUOTE),
            "maximum_quotes": _rate(sheet, Pool.QUOTES),
            "block_rfq_maker": _bucket(BLOCK_RFQ),
        },
    }


def _rate(sheet: TierSheet, pool: Pool) -> dict[str, int]:
    limit = sheet.pools[pool]
    assert isinstance(limit, Bucket)  # Deribit has no windows
    return _bucket(limit)


def _bucket(limit: Bucket) -> dict[str, int]:
    return {"rate": int(limit.per_second), "burst": int(limit.burst)}
