"""Where each venue can be hit: its methods, its refusals, the words in its frames, its protection.

Owns the lists that the disasters draw from. Pure. Codes are those that the venue's reference knows as refusals or as
unknown outcomes; a lie that no venue tells ("done" for what was not done) is not among them. Invariant: every entry is
something the venue's own protocol can say or lose.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from actors.venues.paper.engine import Engine
from actors.venues.paper.mmp import MmpConfig

TIGHT = Decimal("0.01")
"""A protection limit that the next fill breaks."""


@attrs.frozen(kw_only=True)
class Targets:
    ordering: tuple[str, ...]
    """Methods that change orders; "" is any request."""
    asking: tuple[str, ...]
    cancelling: tuple[str, ...]
    refusals: tuple[int, ...]
    cancel_refusals: tuple[int, ...]
    words: tuple[str, ...]
    """Text in frames from the venue that a fault may single out; "" is any frame."""
    index: str
    """Beginning of the index's channel."""
    book: tuple[str, ...]
    """Beginnings of the channels that together show that a book is alive."""

    def tighten(self, engine: Engine, account: int, frozen_ms: int) -> list[MmpConfig]:
        """A protection that the next fill under it trips; answers what is to be set when the deed is over."""
        configs = [status.config for status in engine.mmp_status(account)]
        if not engine.rules.mmp_scope_is_index:
            configs = [MmpConfig(scope="ETH", interval_ms=0, frozen_ms=0)]
        for config in configs:
            tight = attrs.evolve(config, interval_ms=5000, frozen_ms=frozen_ms, amount_limit=TIGHT)
            engine.set_mmp(account, tight)
        return configs


DERIVE = Targets(
    ordering=("private/order", "private/replace", "private/cancel", "private/cancel_by_label", ""),
    asking=("private/get_open_orders", "private/get_trade_history", "private/get_positions", "public/login"),
    cancelling=("private/cancel", "private/cancel_by_label", "private/cancel_by_nonce"),
    refusals=(-32603, 11000, 11002, 11008, 11013, 11006, 9002),
    cancel_refusals=(11003, 11004, 11006, -32603, 9002),
    words=("", "", "private/", ".orders", ".trades", '"id"'),
    index="spot_feed.",
    book=("orderbook.",),
)
DERIBIT = Targets(
    ordering=(
        "private/buy",
        "private/sell",
        "private/edit",
        "private/mass_quote",
        "private/cancel",
        "private/cancel_quotes",
        "",
    ),
    asking=(
        "private/get_open_orders_by_currency",
        "private/get_user_trades_by_currency_and_time",
        "private/get_positions",
        "public/auth",
        "private/enable_cancel_on_disconnect",
    ),
    cancelling=("private/cancel", "private/cancel_quotes", "private/cancel_by_label"),
    refusals=(-32603, 10009, 10040, 10041, 10047, 11054, 11044, 13028),
    cancel_refusals=(11044, 10004, -32603, 10047, 13028),
    words=("", "", "user.", "user.changes", '"usIn"', '"id"'),
    index="deribit_price_index.",
    book=("book.", "ticker."),
)
TARGETS = {"derive": DERIVE, "deribit": DERIBIT}
