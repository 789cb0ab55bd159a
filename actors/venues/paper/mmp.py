"""Market-maker protection of both venues: counts fills, trips, freezes, thaws.

Owns the windows and the frozen state per account, scope (Derive: currency, Deribit: index name) and group. Cancels
nothing itself: the engine asks `tripped` and pulls the orders. Invariant: the fill that trips a limit stands in full.
"""

from __future__ import annotations

from decimal import Decimal

import attrs


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
