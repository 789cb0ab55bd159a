"""Account methods of the Derive face: orders, trades, positions, collateral, limits, settings, protection.

Owns the answers to private queries and the wallet's settings (cancel-on-disconnect, MMP). Reads the engine, changes only
what its own methods are for. Invariant: every number comes from the engine's books, none is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import attrs

from actors.venues.paper import derive_errors as codes
from actors.venues.paper.accounts import Position
from actors.venues.paper.derive_errors import Refused
from actors.venues.paper.derive_params import (
    MAX_PAGE,
    BySubaccount,
    ByWallet,
    GetMargin,
    GetOrder,
    MmpScope,
    OrderHistory,
    SetCancelOnDisconnect,
    SetMmp,
    TradeHistory,
)
from actors.venues.paper.derive_shapes import (
    MS,
    RISK_UNIVERSE,
    greek,
    index_text,
    kind_of,
    number,
    order_json,
    plain,
    trade_json,
)
from actors.venues.paper.derive_wallets import Caller, Wallets
from actors.venues.paper.engine import Engine
from actors.venues.paper.margin import Margins
from actors.venues.paper.mmp import MmpConfig, MmpStatus
from actors.venues.paper.tickets import ZERO, Order

T = TypeVar("T")
CASH = "USDC"
USDC_DECIMALS = "0.000001"


@attrs.frozen
class Tier:
    """What `get_account` tells of the rate limits, in requests a second."""

    matching: int
    other: int
    per_instrument: int


TIERS = {"trader": Tier(1, 5, 1), "market_maker": Tier(500, 500, 10)}


@attrs.define(eq=False)
class DeriveAccounts:
    engine: Engine
    wallets: Wallets
    clock_ns: Callable[[], int]
    tier: str

    # -- orders and trades

    def open_orders(self, caller: Caller, fields: BySubaccount) -> dict[str, Any]:
        orders = self.engine.open_orders(fields.subaccount_id)
        return {"subaccount_id": fields.subaccount_id, "orders": [self._order(order) for order in orders]}

    def no_orders(self, caller: Caller, fields: BySubaccount) -> dict[str, Any]:
        """Trigger orders: there are none here."""
        return {"subaccount_id": fields.subaccount_id, "orders": []}

    def no_algo_orders(self, caller: Caller, fields: BySubaccount) -> list[Any]:
        return []

    def order(self, caller: Caller, fields: GetOrder) -> dict[str, Any]:
        return self._order(self.engine.order(fields.subaccount_id, fields.order_id))

    def order_history(self, caller: Caller, fields: OrderHistory) -> dict[str, Any]:
        """Ended orders, newest first, by their last change."""
        subaccount = self._subaccount(caller, fields)
        low, high = fields.from_timestamp, fields.to_timestamp
        orders = [o for o in self.engine.ended_orders(subaccount) if low <= o.updated_ns // MS <= high]
        rows, pagination = page_of(orders, fields.page, fields.page_size)
        return {
            "subaccount_id": subaccount,
            "orders": [self._order(order) for order in rows],
            "pagination": pagination,
        }

    def trade_history(self, caller: Caller, fields: TradeHistory) -> dict[str, Any]:
        """Own fills, newest first."""
        subaccount = self._subaccount(caller, fields)
        fills = [
            fill
            for fill in reversed(self.engine.fills(subaccount))
            if fields.from_timestamp <= fill.at_ns // MS <= fields.to_timestamp
            and fields.instrument_name in (None, fill.instrument)
            and fields.order_id in (None, fill.order_id)
            and fields.quote_id is None
        ]
        rows, pagination = page_of(fills, fields.page, fields.page_size)
        trades = [{**trade_json(self.engine.listing(f.instrument).instrument, f), "rfq_id": None} for f in rows]
        return {"subaccount_id": subaccount, "trades": trades, "pagination": pagination}

    def _subaccount(self, caller: Caller, fields: OrderHistory) -> int:
        """By subaccount or by wallet, one of them; a wallet stands for its first subaccount here."""
        if (fields.subaccount_id is None) == (fields.wallet is None):
            raise Refused(codes.BAD_PARAMS, "exactly one of subaccount_id and wallet is required")
        caller.is_wallet(fields.wallet)
        return fields.subaccount_id if fields.subaccount_id is not None else caller.wallet.subaccounts[0]

    def _order(self, order: Order) -> dict[str, Any]:
        return order_json(self.engine.listing(order.instrument).instrument, order)

    # -- positions and money

    def positions(self, caller: Caller, fields: BySubaccount) -> dict[str, Any]:
        return {"subaccount_id": fields.subaccount_id, "positions": self._positions(fields.subaccount_id)}

    def collaterals(self, caller: Caller, fields: BySubaccount) -> dict[str, Any]:
        return {"subaccount_id": fields.subaccount_id, "collaterals": self._collaterals(fields.subaccount_id)}

    def subaccount(self, caller: Caller, fields: BySubaccount) -> dict[str, Any]:
        margins = self._margins(fields.subaccount_id)
        cash = number(margins.cash)
        return {
            "subaccount_id": fields.subaccount_id,
            "label": "",
            "margin_type": "SM",
            "manager_id": 1,
            "risk_universe_id": RISK_UNIVERSE,
            "currency": self._underlyings(),
            "is_under_liquidation": margins.maintenance < 0,
            "failed_to_fetch": False,
            "subaccount_value": number(margins.cash + margins.positions_value),
            "positions_value": number(margins.positions_value),
            "collaterals_value": cash,
            "initial_margin": number(margins.initial),
            "maintenance_margin": number(margins.maintenance),
            "positions_initial_margin": number(margins.positions_initial),
            "positions_maintenance_margin": number(margins.positions_maintenance),
            "collaterals_initial_margin": cash,
            "collaterals_maintenance_margin": cash,
            "open_orders_margin": number(margins.open_orders),
            "projected_margin_change": "0",
            "mm_credits": "0",
            "open_orders": self.open_orders(caller, fields)["orders"],
            "positions": self._positions(fields.subaccount_id),
            "collaterals": self._collaterals(fields.subaccount_id),
            "vault_deposit_holds": [],
        }

    def margin(self, caller: Caller, fields: GetMargin) -> dict[str, Any]:
        """Without simulated changes only: the account as it stands, before and after alike."""
        if fields.simulated_position_changes or fields.simulated_collateral_changes:
            raise Refused(codes.BAD_PARAMS, "simulated changes are not offered by the paper exchange")
        margins = self._margins(fields.subaccount_id)
        initial, maintenance = number(margins.initial), number(margins.maintenance)
        return {
            "subaccount_id": fields.subaccount_id,
            "is_valid_trade": margins.available >= 0,
            "pre_initial_margin": initial,
            "post_initial_margin": initial,
            "pre_maintenance_margin": maintenance,
            "post_maintenance_margin": maintenance,
        }

    def _margins(self, subaccount_id: int) -> Margins:
        return self.engine.margins(subaccount_id, CASH)

    def _underlyings(self) -> list[str]:
        return sorted({listing.instrument.underlying for listing in self.engine.live_listings()})

    def _positions(self, subaccount_id: int) -> list[dict[str, Any]]:
        account = self.engine.account(subaccount_id)
        return [self._position(subaccount_id, position) for position in account.positions.values()]

    def _position(self, subaccount_id: int, position: Position) -> dict[str, Any]:
        one = position.instrument
        listing = self.engine.listing(one.name)
        reference = listing.reference
        mark = reference.mark if reference is not None else ZERO
        signed = position.amount * one.amount_step
        unrealized = position.unrealized(mark)
        alone, reserved = self.engine.position_margin(subaccount_id, one.name)
        greeks = dict.fromkeys(("delta", "gamma", "vega", "theta"), "0")
        if reference is not None:
            greeks = {name: greek(getattr(reference, name)) for name in greeks}
        return {
            "instrument_name": one.name,
            "instrument_type": kind_of(one),
            "amount": plain(signed),
            "amount_step": plain(one.amount_step),
            "average_price": plain(position.average_price),
            "average_price_excl_fees": plain(position.average_price_excl_fees),
            "creation_timestamp": 0,
            "mark_price": plain(mark),
            "mark_value": plain(mark * signed),
            "index_price": index_text(listing.index),
            **greeks,
            "initial_margin": number(alone.initial),
            "maintenance_margin": number(alone.maintenance),
            "open_orders_margin": number(-reserved),
            "realized_pnl": plain(position.realized_pnl),
            "realized_pnl_excl_fees": plain(position.realized_pnl_excl_fees),
            "unrealized_pnl": plain(unrealized - position.open_fees),
            "unrealized_pnl_excl_fees": plain(unrealized),
            "total_fees": plain(position.total_fees),
            "net_settlements": "0",
            "cumulative_funding": "0",
            "pending_funding": "0",
            "liquidation_price": None,
            "leverage": None,
        }

    def _collaterals(self, subaccount_id: int) -> list[dict[str, Any]]:
        cash = self.engine.account(subaccount_id).cash
        return [self._collateral(name, held) for name, held in cash.items()]

    def _collateral(self, name: str, held: Decimal) -> dict[str, Any]:
        zeros = (
            "average_price_excl_fees cumulative_interest delta open_orders_margin pending_interest realized_pnl "
            "realized_pnl_excl_fees total_fees unrealized_pnl unrealized_pnl_excl_fees"
        )
        return {
            **dict.fromkeys(zeros.split(), "0"),
            "asset_name": name,
            "asset_type": "erc20",
            "currency": name,
            "delta_currency": name,
            "amount": plain(held),
            "amount_step": USDC_DECIMALS,
            "average_price": "1",
            "mark_price": "1",
            "mark_value": plain(held),
            "initial_margin": plain(held),
            "maintenance_margin": plain(held),
            "creation_timestamp": 0,
        }

    # -- the wallet

    def subaccounts(self, caller: Caller, fields: ByWallet) -> dict[str, Any]:
        caller.is_wallet(fields.wallet)
        return {"wallet": caller.wallet.address, "subaccount_ids": list(caller.wallet.subaccounts)}

    def account(self, caller: Caller, fields: ByWallet) -> dict[str, Any]:
        caller.is_wallet(fields.wallet)
        tier, wallet = TIERS[self.tier], caller.wallet
        waived = all(self.engine.account(one).base_fee_waived for one in wallet.subaccounts)
        return {
            "wallet": wallet.address,
            "subaccount_ids": list(wallet.subaccounts),
            "fallback_subaccount_id": 0,
            "websocket_matching_tps": tier.matching,
            "websocket_non_matching_tps": tier.other,
            "websocket_option_tps": tier.per_instrument,
            "websocket_perp_tps": tier.per_instrument,
            "per_endpoint_tps": {"private/cancel_all": 1, "private/cancel_by_label": 10},
            "fee_info": {
                "base_fee_discount": "1" if waived else "0",
                "rfq_maker_discount": "0",
                "rfq_taker_discount": "0",
                "option_maker_fee": None,
                "option_taker_fee": None,
                "perp_maker_fee": None,
                "perp_taker_fee": None,
                "spot_maker_fee": None,
                "spot_taker_fee": None,
            },
            "cancel_on_disconnect": wallet.cancel_on_disconnect,
            "is_rfq_maker": False,
            "whitelisted_recipients": [],
            "creation_timestamp_sec": wallet.created_s,
            "referral_code": None,
        }

    def session_keys(self, caller: Caller, fields: ByWallet) -> dict[str, Any]:
        caller.is_wallet(fields.wallet)
        return {"public_session_keys": [key.as_json() for key in caller.wallet.keys.values()]}

    def set_cancel_on_disconnect(self, caller: Caller, fields: SetCancelOnDisconnect) -> str:
        caller.is_wallet(fields.wallet)
        caller.needs("trade:all")
        caller.wallet.cancel_on_disconnect = fields.enabled
        return "ok"

    # -- market-maker protection

    def set_mmp(self, caller: Caller, fields: SetMmp) -> dict[str, Any]:
        """Replaces the whole config of a subaccount and currency; limits of zero are none, interval zero is off."""
        caller.needs_any_trade()
        self._known_currency(fields.currency)
        if fields.mmp_interval < 0 or fields.mmp_frozen_time < 0:
            raise Refused(codes.BAD_PARAMS, "times may not be negative")
        wanted = MmpConfig(
            scope=fields.currency,
            interval_ms=fields.mmp_interval,
            frozen_ms=fields.mmp_frozen_time,
            amount_limit=Decimal(fields.mmp_amount_limit) or None,
            delta_limit=Decimal(fields.mmp_delta_limit) or None,
        )
        return mmp_json(fields.subaccount_id, self.engine.set_mmp(fields.subaccount_id, wanted))

    def mmp(self, caller: Caller, fields: MmpScope) -> list[dict[str, Any]]:
        found = self.engine.mmp_status(fields.subaccount_id, fields.currency)
        return [mmp_status_json(fields.subaccount_id, status) for status in found]

    def reset_mmp(self, caller: Caller, fields: MmpScope) -> str:
        caller.needs_any_trade()
        self.engine.reset_mmp(fields.subaccount_id, fields.currency)
        return "ok"

    def _known_currency(self, currency: str) -> None:
        if currency not in self._underlyings():
            raise Refused(codes.NO_CURRENCY, currency)


def mmp_json(subaccount_id: int, config: MmpConfig) -> dict[str, Any]:
    return {
        "subaccount_id": subaccount_id,
        "currency": config.scope,
        "mmp_interval": config.interval_ms,
        "mmp_frozen_time": config.frozen_ms,
        "mmp_amount_limit": plain(config.amount_limit or ZERO),
        "mmp_delta_limit": plain(config.delta_limit or ZERO),
    }


def mmp_status_json(subaccount_id: int, status: MmpStatus) -> dict[str, Any]:
    return {
        **mmp_json(subaccount_id, status.config),
        "is_frozen": status.frozen,
        "mmp_unfreeze_time": status.frozen_until_ms,
    }


def page_of(rows: Sequence[T], page: int, size: int) -> tuple[Sequence[T], dict[str, int]]:
    """One page (from 1) of the rows, and the pagination block."""
    if page < 1 or not 1 <= size <= MAX_PAGE:
        raise Refused(codes.BAD_PARAMS, f"page from 1, page_size from 1 to {MAX_PAGE}")
    pages = -(-len(rows) // size)
    return rows[(page - 1) * size : page * size], {"num_pages": pages, "count": len(rows)}
