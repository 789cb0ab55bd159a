"""Order methods of the Deribit face: buy, sell, edit, cancels one by one and in bulk, closing a position.

Owns the step from Deribit's parameters to the engine's requests: sizes in coin, dollars or contracts, labels, times in
force, the venue's argument rules. Decides nothing about matching. Invariant: no request reaches the engine unless its
caller may trade and its user is not locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import attrs

from actors.trading.instruments import Side
from actors.venues.paper import deribit_errors as codes
from actors.venues.paper import deribit_params as p
from actors.venues.paper.deribit_clients import Caller
from actors.venues.paper.deribit_errors import Refused, bad_param, refused
from actors.venues.paper.deribit_market import DeribitMarket
from actors.venues.paper.deribit_shapes import contract_size, currency_of, kind_of, order_json, pair_of, trade_json
from actors.venues.paper.engine import Engine, Which
from actors.venues.paper.listings import Listing
from actors.venues.paper.tickets import (
    EditRequest,
    Fill,
    Order,
    OrderRequest,
    OrderType,
    Placed,
    Refusal,
    TimeInForce,
)

LIVES = {
    "good_til_cancelled": TimeInForce.GTC,
    "good_til_day": TimeInForce.DAY,
    "fill_or_kill": TimeInForce.FOK,
    "immediate_or_cancel": TimeInForce.IOC,
}
TRIGGERED = ("stop_limit", "stop_market", "take_limit", "take_market", "trailing_stop", "market_limit")


@attrs.frozen
class Held:
    """An answer that waits for the speed bump: `finish` turns the released order into the result."""

    order_ids: tuple[str, ...]
    finish: Callable[[list[Placed | Refusal]], Any]


@attrs.define(eq=False)
class DeribitOrders:
    engine: Engine
    market: DeribitMarket
    edits_inherit: bool = False
    """Whether an edit that names no post-only flags keeps those of the order."""
    null_profit_of_opens: bool = False
    """Whether a trade that closed nothing says null for its profit, as recorded on spot and combos, or zero."""

    # -- birth

    def buy(self, caller: Caller, connection: int, fields: p.Place) -> Any:
        return self._place(caller, connection, Side.BID, fields)

    def sell(self, caller: Caller, connection: int, fields: p.Place) -> Any:
        return self._place(caller, connection, Side.ASK, fields)

    def _place(self, caller: Caller, connection: int, side: Side, fields: p.Place) -> Any:
        self.may_trade(caller)
        self._offered(fields)
        listing = self.market.listing(fields.instrument_name)
        is_market = fields.type == "market"
        request = OrderRequest(
            instrument=listing.name,
            side=side,
            amount=self.amount(listing, fields.amount, fields.contracts),
            price=None if is_market else self.price(listing, fields.price),
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            tif=LIVES[fields.time_in_force or "good_til_cancelled"],
            post_only=bool(fields.post_only),
            reject_post_only=fields.reject_post_only,
            reduce_only=fields.reduce_only,
            mmp=fields.mmp,
            label=fields.label,
            reject_after_ms=p.milliseconds(fields.valid_until, "valid_until"),
            connection=connection,
        )
        return self.placed(self.engine.place(caller.user_id, request))

    def _offered(self, fields: p.Place) -> None:
        """What the arguments may not be together, and what the paper exchange does not simulate."""
        if len(fields.label) > p.MAX_LABEL:
            raise bad_param("label", f"more than {p.MAX_LABEL} characters")
        if fields.advanced:
            raise Refused(11039) if fields.post_only else Refused(codes.NOT_IMPLEMENTED, "not simulated", "advanced")
        for name in ("display_amount", "max_show", "trigger_price", "linked_order_type"):
            if getattr(fields, name):
                raise Refused(codes.NOT_IMPLEMENTED, "not simulated", name)
        if fields.type in TRIGGERED:
            raise Refused(codes.NOT_IMPLEMENTED, "not simulated", "type")
        if fields.type not in ("limit", "market"):
            raise bad_param("type", "wrong format")
        if fields.reject_post_only and not fields.post_only:
            raise bad_param("reject_post_only", "only valid with post_only")
        if fields.post_only and fields.time_in_force == "good_til_day" and fields.reject_post_only:
            raise bad_param("reject_post_only", "only valid with good_til_cancelled")
        if fields.type == "market":
            for name in ("price", "time_in_force", "post_only"):
                if getattr(fields, name) is not None:
                    raise bad_param(name, "not allowed in a market order")

    def may_trade(self, caller: Caller) -> None:
        caller.needs("trade", "read_write")
        if caller.user.is_locked:
            raise Refused(codes.LOCKED_BY_ADMIN)

    def amount(self, listing: Listing, amount: Decimal | None, contracts: Decimal | None) -> int:
        """Steps; both sizes must agree where both are given, and be a multiple of the instrument's least."""
        one = listing.instrument
        if contracts is not None:
            reckoned = contracts * Decimal(str(contract_size(one)))
            if amount is not None and amount != reckoned:
                raise bad_param("contracts", "does not agree with amount")
            amount = reckoned
        if amount is None:
            raise bad_param("amount", "value required")
        least = one.min_amount * one.amount_step
        if amount <= 0:
            raise Refused(codes.BAD_AMOUNT, "must be positive", "amount")
        if amount < least:
            raise Refused(codes.QTY_TOO_LOW, f"at least {least}", "amount")
        if amount % least:
            code = codes.BAD_AMOUNT if one.kind is not None else codes.NON_INTEGER_CONTRACTS
            raise Refused(code, f"must be a multiple of {least}", "amount")
        return listing.amount_of(amount)

    def price(self, listing: Listing, price: Decimal | None) -> int:
        """Ticks; the ladder is the engine's to check."""
        if price is None:
            raise bad_param("price", "value required")
        if price <= 0:
            raise Refused(codes.BAD_PRICE, "must be positive", "price")
        return listing.price_of(price)

    def placed(self, placed: Placed) -> Any:
        if placed.pending:
            return Held((placed.order.order_id,), self._finish)
        return self._outcome(placed)

    def _finish(self, outcomes: list[Placed | Refusal]) -> Any:
        """The one order's outcome after the bump."""
        [outcome] = outcomes
        if isinstance(outcome, Refusal):
            raise refused(outcome)
        return self._outcome(outcome)

    def _outcome(self, placed: Placed) -> dict[str, Any]:
        return {"order": self.order(placed.order), "trades": [self.trade(fill, placed.order) for fill in placed.fills]}

    def order(self, order: Order) -> dict[str, Any]:
        return order_json(self.engine.listing(order.instrument), order)

    def trade(self, fill: Fill, order: Order | None) -> dict[str, Any]:
        listing = self.engine.listing(fill.instrument)
        row = trade_json(listing, fill, order, self.market.vol_at(listing, fill.price, fill.at_ns))
        return {**row, "profit_loss": None} if self.null_profit_of_opens and not row["profit_loss"] else row

    # -- edits

    def edit(self, caller: Caller, fields: p.Edit) -> Any:
        self.may_trade(caller)
        order = self.open_order(caller, fields.order_id)
        return self.placed(self.engine.edit(caller.user_id, fields.order_id, self._edit_terms(order, fields)))

    def edit_by_label(self, caller: Caller, fields: p.EditByLabel) -> Any:
        """The one open order of the instrument with the label; several are 13032."""
        self.may_trade(caller)
        listing = self.market.listing(fields.instrument_name)
        found = [o for o in self.engine.orders_by_label(caller.user_id, fields.label) if o.instrument == listing.name]
        if len(found) != 1:
            raise Refused(codes.LABEL_NOT_UNIQUE if found else codes.UNKNOWN_ORDER)
        return self.placed(self.engine.edit(caller.user_id, found[0].order_id, self._edit_terms(found[0], fields)))

    def open_order(self, caller: Caller, order_id: str) -> Order:
        """The order if it is open; the refusal tells a closed one (11044) from one never known (10004)."""
        order = self.engine.order(caller.user_id, order_id)
        if order.status.final:
            raise Refused(codes.NOT_OPEN)
        return order

    def _edit_terms(self, order: Order, fields: p.EditTerms) -> EditRequest:
        if fields.mmp is not None and fields.mmp is not order.mmp:
            raise bad_param("mmp", "cannot be changed")
        if fields.advanced:
            raise Refused(codes.NOT_IMPLEMENTED, "not simulated", "advanced")
        listing = self.engine.listing(order.instrument)
        inherit = self.edits_inherit
        post_only = fields.post_only if fields.post_only is not None else inherit and order.post_only
        reject = fields.reject_post_only if fields.reject_post_only is not None else inherit and order.reject_post_only
        if reject and not post_only:
            raise bad_param("reject_post_only", "only valid with post_only")
        return EditRequest(
            amount=self._new_amount(listing, order, fields),
            price=None if fields.price is None else self.price(listing, fields.price),
            post_only=post_only,
            reject_post_only=reject,
            reduce_only=fields.reduce_only if fields.reduce_only is not None else order.reduce_only,
            reject_after_ms=p.milliseconds(fields.valid_until, "valid_until"),
        )

    def _new_amount(self, listing: Listing, order: Order, fields: p.EditTerms) -> int:
        """The new total, filled part included; unnamed it stays."""
        if fields.amount is None and fields.contracts is None:
            return order.amount
        return self.amount(listing, fields.amount, fields.contracts)

    # -- cancels

    def cancel(self, caller: Caller, fields: p.ById) -> dict[str, Any]:
        caller.needs("trade", "read_write")
        return self.order(self.engine.cancel(caller.user_id, fields.order_id))

    def cancel_by_label(self, caller: Caller, fields: p.CancelByLabel) -> int:
        caller.needs("trade", "read_write")
        fits = self.market.wanted(fields.currency or "any", "any")
        gone = self.engine.cancel_where(caller.user_id, lambda order, listing: order.label == fields.label and fits(listing))
        return len(gone)

    def cancel_all(self, caller: Caller, fields: p.CancelAll) -> Any:
        return self.cancel_some(caller, fields, lambda order, listing: True)

    def cancel_by_currency(self, caller: Caller, fields: p.CancelAll) -> Any:
        if not fields.currency or not isinstance(fields.currency, str):
            raise bad_param("currency", "value required")
        return self._by_kind(caller, fields, [fields.currency])

    def cancel_by_kind_or_type(self, caller: Caller, fields: p.CancelAll) -> Any:
        """`currency` is one, a list, or any."""
        if not fields.currency:
            raise bad_param("currency", "value required")
        wanted = [fields.currency] if isinstance(fields.currency, str) else fields.currency
        return self._by_kind(caller, fields, wanted)

    def _by_kind(self, caller: Caller, fields: p.CancelAll, currencies: list[str]) -> Any:
        fits = [self.market.wanted(currency, fields.kind) for currency in currencies]
        return self.cancel_some(caller, fields, lambda order, listing: any(one(listing) for one in fits))

    def cancel_by_pair(self, caller: Caller, fields: p.CancelAll) -> Any:
        if not fields.currency_pair:
            raise bad_param("currency_pair", "value required")
        pair, kind = fields.currency_pair.upper(), fields.kind

        def fits(order: Order, listing: Listing) -> bool:
            return pair_of(listing.instrument) == pair and kind in ("any", kind_of(listing.instrument))

        return self.cancel_some(caller, fields, fits)

    def cancel_by_instrument(self, caller: Caller, fields: p.CancelAll) -> Any:
        if not fields.instrument_name:
            raise bad_param("instrument_name", "value required")
        name = self.market.listing(fields.instrument_name).name
        caller.needs("trade", "read_write")
        return self._told(self.engine.cancel_by_instrument(caller.user_id, name), fields.detailed)

    def cancel_some(self, caller: Caller, fields: p.CancelAll | p.CancelQuotes, which: Which) -> Any:
        """Trigger orders are not simulated: a cancel of those finds none."""
        caller.needs("trade", "read_write")
        if isinstance(fields, p.CancelAll) and fields.type not in ("all", "limit"):
            return [] if fields.detailed else 0
        gone = self.engine.cancel_where(caller.user_id, which, freeze_quotes=fields.freeze_quotes)
        return self._told(gone, fields.detailed)

    def _told(self, gone: Iterable[Order], detailed: bool) -> Any:
        """How many; detailed: in groups of one instrument."""
        orders = list(gone)
        if not detailed:
            return len(orders)
        groups: dict[str, list[dict[str, Any]]] = {}
        for order in orders:
            groups.setdefault(order.instrument, []).append(self.order(order))
        return [
            {
                "currency": currency_of(self.engine.listing(name).instrument),
                "instrument_name": name,
                "type": "limit",
                "result": rows,
            }
            for name, rows in groups.items()
        ]

    # -- closing

    def close_position(self, caller: Caller, connection: int, fields: p.ClosePosition) -> Any:
        self.may_trade(caller)
        listing = self.market.listing(fields.instrument_name)
        held = self.engine.account(caller.user_id).amount(listing.name)
        if not held:
            raise Refused(10010, message="already_closed")
        request = OrderRequest(
            instrument=listing.name,
            side=Side.ASK if held > 0 else Side.BID,
            amount=abs(held),
            price=self.price(listing, fields.price) if fields.type == "limit" else None,
            order_type=OrderType(fields.type),
            reduce_only=True,
            connection=connection,
        )
        return self.placed(self.engine.place(caller.user_id, request))
