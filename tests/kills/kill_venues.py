"""What differs between the venues that makers are killed on: methods, names, credentials, the operator's own order.

Owns those words and nothing else: starting, killing and judging are the same everywhere. Invariant: whoever reads a ledger
through a `KillVenue` sees the maker's orders alone, whichever form they were sent in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from actors.venues.deribit.scripts import ORDER_HEARTBEAT_S

BY_HAND = "by-hand"
"""Label of the operator's own orders."""
DERIVE_LIFE_S = 310.0
"""Of a signature, at as many orders as these makers have."""
PUMP_S = 0.02
"""The exchange notices a silence up to a beat of its pump late."""
ORDER_MODES = ("orders", "mass")

Ask = Callable[..., Any]
"""(path, parameters) -> the JSON of the answer."""
Facts = dict[str, Any]


@attrs.frozen
class KillVenue:
    """One venue's words. `ordering`: requests that can become an order; `reconciling`: what is asked before the first."""

    name: str
    ordering: tuple[str, ...]
    reconciling: frozenset[str]
    cut_bound_s: float
    """Network cut without a close: seconds until nothing of ours rests."""
    cut_means: str
    list_options: Callable[[Ask], list[tuple[int, str]]]
    """Expiry and name of every option of the world."""
    words: Callable[[Facts], list[str]]
    """Of the command line: who we are, and a size the venue takes."""
    environment: Callable[[Facts], dict[str, str]]
    account: Callable[[Facts], int]
    deep_call: str
    """How the name of a call far in the money ends: nobody trades with ..."""
    far_ticks: int
    """... a bid of so many ticks."""
    modes: tuple[tuple[str, ...], ...] = ((),)
    """Further words, one after the other for one maker after the other."""
    labels_are_identity: bool = False

    def is_ours(self, row: Facts, account: int) -> bool:
        """An `order` row of the maker's. Mass quotes have no label, so whose account it is decides."""
        return row["account"] == account and not row["label"].startswith(BY_HAND)

    def run_of(self, label: str) -> str:
        """What all labels of one run share."""
        return label.rpartition("-")[0] if self.labels_are_identity else label


def _derive_options(ask: Ask) -> list[tuple[int, str]]:
    listed = ask("public/get_all_instruments", instrument_type="option", currency="ETH", expired=False,
                 page=1, page_size=1000)  # fmt: skip
    rows = listed["result"]["instruments"]
    return [(row["option_details"]["expiry"], row["instrument_name"]) for row in rows]


def _deribit_options(ask: Ask) -> list[tuple[int, str]]:
    listed = ask("public/get_instruments", jsonrpc="2.0", id=1, method="public/get_instruments",
                 params={"currency": "ETH", "kind": "option"})  # fmt: skip
    return [(row["expiration_timestamp"] // 1000, row["instrument_name"]) for row in listed["result"]]


DERIVE = KillVenue(
    name="derive",
    ordering=("private/order", "private/replace"),
    reconciling=frozenset({"private/get_open_orders", "private/get_positions"}),
    cut_bound_s=DERIVE_LIFE_S + 2,
    cut_means="the exchange misses its pongs (up to 240 s), else the signatures end",
    list_options=_derive_options,
    words=lambda facts: ["-wallet", facts["wallet"], "-subaccount", str(facts["subaccount_id"]), "-size", "0.1"],
    environment=lambda facts: {"DERIVE_PRIVATE_KEY": facts["session_key"]},
    account=lambda facts: int(facts["subaccount_id"]),
    deep_call="2000-C",
    far_ticks=100,
)
DERIBIT = KillVenue(
    name="deribit",
    ordering=("private/buy", "private/sell", "private/edit", "private/mass_quote"),
    reconciling=frozenset({"private/get_open_orders_by_currency", "private/get_positions"}),
    cut_bound_s=2.0 * (ORDER_HEARTBEAT_S + PUMP_S),
    cut_means="the exchange hears nothing for one heartbeat, asks, and hangs up after another (10 s each)",
    list_options=_deribit_options,
    words=lambda facts: ["-exchange", "deribit"],
    environment=lambda facts: {"DERIBIT_PRIVATE_KEY": facts["session_key"]},
    account=lambda facts: int(facts["user_id"]),
    deep_call="2000-C",
    far_ticks=1,
    modes=tuple(("-set", f"quoting.quote_mode={mode}") for mode in ORDER_MODES),
    labels_are_identity=True,
)
VENUES = {venue.name: venue for venue in (DERIVE, DERIBIT)}
