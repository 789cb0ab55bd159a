"""Standard margin: what an account's positions and orders require, and what is left over.

Owns the requirement; a model in floats that only ever refuses, it moves no money. Numbers are net as on Derive: positive
is healthy. Formulas: Derive's standard margin (isolated short options, per-expiry spread relief, perpetuals).
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Margins:
    """All in the settlement currency; `initial` and `maintenance` are left over, not required."""

    cash: float
    positions_value: float
    positions_initial: float
    """Zero or negative."""
    positions_maintenance: float
    open_orders: float
    """Zero or negative: the orders that would hurt, were they filled."""

    @property
    def initial(self) -> float:
        return self.cash + self.positions_initial

    @property
    def maintenance(self) -> float:
        return self.cash + self.positions_maintenance

    @property
    def available(self) -> float:
        """What new risk may use: initial less the open orders."""
        return self.initial + self.open_orders
