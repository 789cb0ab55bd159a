"""A scripted venue's side of Derive's conversations: login and account, listings, subscriptions, orders.

Each answers a `Call` as Derive would, with the faults a test asks for. Owns no expectation.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from derive_kit import KEY_HEX, NAME, NOW_NS, OPTION, OWNER, SIGNER, SUBACCOUNT, Refusal

from actors.venues.derive.signing import SigningKey
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import Call, MmpTerms

Venue = Callable[[Call, dict[str, Any]], Any]
EXPIRING = {"public_session_key": SIGNER.lower(), "expiry_sec": 1_800_000_000, "label": "mm"}


def newcomer(**kwargs: Any) -> DeriveDialect:
    return DeriveDialect(lambda: NOW_NS, key=SigningKey.from_hex(KEY_HEX), wallet=OWNER.lower(), **kwargs)


class Wallet:
    """A venue's side of login and account, with the faults a test asks for."""

    def __init__(self, **account: Any) -> None:
        self.enabled = False
        self.sticks = True
        self.keys: Any = {"public_session_keys": [EXPIRING]}
        self.limits: Any = {"remaining_matching": {"consumedPoints": 3, "remainingPoints": 2}}
        self.account = {
            "wallet": OWNER,
            "subaccount_ids": [4, SUBACCOUNT],
            "fallback_subaccount_id": 4,
            "websocket_matching_tps": 500,
            "websocket_non_matching_tps": 250,
            "websocket_option_tps": 10,
            "websocket_perp_tps": 10,
            "per_endpoint_tps": {},
            "fee_info": {},
            **account,
        }

    def __call__(self, call: Call, params: dict[str, Any]) -> Any:
        if call.method == "private/set_cancel_on_disconnect":
            self.enabled = params["enabled"] if self.sticks else self.enabled
            return "ok"
        return {
            "public/login": lambda: self.account["subaccount_ids"],
            "private/get_account": lambda: {**self.account, "cancel_on_disconnect": self.enabled},
            "private/session_keys": lambda: self.keys,
            "public/getRateLimits": lambda: self.limits,
        }[call.method]()


def listed(**changes: Any) -> dict[str, Any]:
    row = {
        "instrument_name": NAME,
        "instrument_type": "option",
        "is_active": True,
        "scheduled_activation": 1_795_000_000,
        "scheduled_deactivation": 1_798_185_540,
        "base_currency": "ETH",
        "quote_currency": "USDC",
        "tick_size": "0.1",
        "minimum_amount": "0.1",
        "maximum_amount": "10000",
        "amount_step": "0.01",
        "base_asset_address": OPTION.asset_address,
        "base_asset_sub_id": str(OPTION.sub_id),
        "maker_fee_rate": "0.0001",
        "taker_fee_rate": "0.0003",
        "base_fee": "0.5",
        "mark_price_fee_rate_cap": "0.125",
        "pro_rata_fraction": "0.8",
        "option_details": {
            "index": "ETH-USD",
            "expiry": 1_798_185_600,
            "strike": "2800",
            "option_type": "C",
            "settlement_price": None,
        },
        "perp_details": None,
        "erc20_details": None,
    }
    return {**row, **changes}


PERP = listed(
    instrument_name="ETH-PERP",
    tick_size="0.01",
    amount_step="0.001",
    option_details=None,
    perp_details={"index": "ETH-USD"},
    base_asset_sub_id="0",
    mark_price_fee_rate_cap=None,
    scheduled_deactivation=2**63 - 1,
)


def listing(options: list[dict[str, Any]], per_page: int = 2) -> Venue:
    def answer(call: Call, params: dict[str, Any]) -> Any:
        rows = options if params["instrument_type"] == "option" else [PERP]
        if not rows:
            return Refusal(12001)
        start = (params["page"] - 1) * per_page
        pages = -(-len(rows) // per_page)
        return {"instruments": rows[start : start + per_page], "pagination": {"num_pages": pages, "count": len(rows)}}

    return answer


def subscriber(bad: set[str], code: int = -32602) -> Venue:
    """A venue that refuses a whole request for one bad name."""
    joined: list[str] = []

    def answer(call: Call, params: dict[str, Any]) -> Any:
        if bad & set(params["channels"]):
            return Refusal(code)
        joined.extend(params["channels"])
        return {"status": dict.fromkeys(params["channels"], "ok"), "current_subscriptions": joined}

    return answer


class Orders:
    """A venue with one order somewhere: known by id, resting, or on a page of the history."""

    def __init__(self, by_id: Any = None, resting: list[Any] | None = None, history: list[list[Any]] | None = None) -> None:
        self.by_id, self.resting, self.history = by_id, resting or [], history or []

    def __call__(self, call: Call, params: dict[str, Any]) -> Any:
        if call.method == "private/get_order":
            return self.by_id or Refusal(11006)
        if call.method == "private/get_open_orders":
            return {"orders": self.resting}
        page = params["page"]
        orders = self.history[page - 1] if page <= len(self.history) else []
        return {"orders": orders, "pagination": {"num_pages": len(self.history), "count": 9}}


TERMS = MmpTerms("ETH", 5000, 30_000, Decimal("2.5"), Decimal("0"))
