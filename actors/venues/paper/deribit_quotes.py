"""Mass quotes and market-maker protection of the Deribit face.

Owns the preconditions of `mass_quote` (switched on, cancel-on-disconnect on, a group configured), the translation of its
sides, the forms of `cancel_quotes` and the MMP settings. The quoting rules are the engine's. Invariant: a call that is
refused as a whole changed nothing; afterwards every side that failed is named in the answer's errors.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from actors.trading.instruments import Side
from actors.venues.paper import deribit_errors as codes
from actors.venues.paper import deribit_params as p
from actors.venues.paper.deribit_clients import Caller
from actors.venues.paper.deribit_errors import Refused, bad_param, refused
from actors.venues.paper.deribit_market import DeribitMarket
from actors.venues.paper.deribit_orders import DeribitOrders, Held
from actors.venues.paper.deribit_shapes import SIDE_NAME, kind_of, pair_of, plain
from actors.venues.paper.engine import Engine
from actors.venues.paper.listings import Listing
from actors.venues.paper.mmp import MmpConfig, MmpStatus
from actors.venues.paper.tickets import Fill, MassQuoted, Order, OrderStatus, Placed, QuoteEntry, QuoteSide, Refusal

MAX_GROUPS = 16
MAX_SECONDS = 3600
MOST_QUANTITY = {"btc_usd": Decimal(500), "eth_usd": Decimal(5000)}
LIMITS = ("quantity_limit", "delta_limit", "vega_limit", "max_quote_quantity")


@attrs.define(eq=False)
class DeribitQuotes:
    engine: Engine
    market: DeribitMarket
    orders: DeribitOrders
    config_as_list: bool = True
    """`set_mmp_config` answers a list, as the schema says; False: the object of the documentation's example."""

    # -- quoting

    def mass_quote(self, caller: Caller, connection: int, has_cod: bool, fields: p.MassQuote) -> Any:
        self.orders.may_trade(caller)
        if not caller.user.mass_quotes_enabled:
            raise Refused(codes.MASS_QUOTES_OFF)
        if not has_cod:
            raise Refused(codes.COD_NEEDED)
        if not fields.quotes:
            raise bad_param("quotes", "value required")
        bad: list[dict[str, Any]] = []
        entries = [self._entry(quote, bad) for quote in fields.quotes]
        quoted = self.engine.mass_quote(
            caller.user_id,
            fields.quote_id,
            fields.mmp_group,
            [entry for entry in entries if entry.bid is not None or entry.ask is not None],
            reject_after_ms=p.milliseconds(fields.valid_until, "valid_until"),
            connection=connection,
        )
        waiting = [order for order in quoted.orders if order.status is OrderStatus.PENDING]
        if waiting and fields.wait_for_response:
            ids = tuple(order.order_id for order in waiting)
            return Held(ids, lambda outcomes: self._answer(fields, bad, quoted, waiting, outcomes))
        return self._answer(fields, bad, quoted, waiting, [])

    def _entry(self, quote: p.Quote, bad: list[dict[str, Any]]) -> QuoteEntry:
        """One instrument's sides in ticks and steps; a side whose numbers are wrong becomes an error of its own."""
        try:
            listing = self.market.listing(quote.instrument_name)
        except Refused as no:
            bad.extend(
                self._error(quote.instrument_name, side, no)
                for side, wanted in ((Side.BID, quote.bid), (Side.ASK, quote.ask))
                if wanted is not None
            )
            return QuoteEntry(instrument=quote.instrument_name)
        return QuoteEntry(
            instrument=listing.name,
            quote_set_id=quote.quote_set_id,
            bid=self._side(listing, Side.BID, quote.bid, bad),
            ask=self._side(listing, Side.ASK, quote.ask, bad),
        )

    def _side(self, listing: Listing, side: Side, quote: p.QuoteSide | None, bad: list[dict[str, Any]]) -> QuoteSide | None:
        if quote is None:
            return None
        try:
            if quote.price is None and quote.amount is None:
                raise bad_param(SIDE_NAME[side], "price or amount required")
            return QuoteSide(
                price=None if quote.price is None else self.orders.price(listing, quote.price),
                amount=self._amount(listing, quote.amount),
                post_only=quote.post_only,
                reject_post_only=quote.reject_post_only,
            )
        except Refused as no:
            bad.append(self._error(listing.name, side, no))
        except Refusal as no:
            bad.append(self._error(listing.name, side, refused(no)))
        return None

    def _amount(self, listing: Listing, amount: Decimal | None) -> int | None:
        """None keeps the resting size, 0 cancels the side."""
        if amount is None or amount == 0:
            return None if amount is None else 0
        return self.orders.amount(listing, amount, None)

    @staticmethod
    def _error(name: str, side: Side, no: Refused) -> dict[str, Any]:
        return {
            "instrument_name": name,
            "side": SIDE_NAME[side],
            "error": {"code": no.code, "message": no.message},
        }

    def _answer(
        self,
        fields: p.MassQuote,
        bad: list[dict[str, Any]],
        quoted: MassQuoted,
        waiting: list[Order],
        outcomes: list[Placed | Refusal],
    ) -> dict[str, Any]:
        """`outcomes` belong to the `waiting` orders, one each, once the speed bump is over; before that there are none."""
        errors = bad + [self._error(e.instrument, e.side, refused(e.refusal)) for e in quoted.errors]
        for order, outcome in zip(waiting, outcomes, strict=False):
            if isinstance(outcome, Refusal):
                errors.append(self._error(order.instrument, order.side, refused(outcome)))
        if not fields.detailed:
            counted = {"errors_count": len(errors)}
            return counted if fields.wait_for_response else {**counted, "pending_requests_count": len(waiting)}
        fills = [*quoted.fills, *(f for one in outcomes if isinstance(one, Placed) for f in one.fills)]
        answer: dict[str, Any] = {
            "orders": [self.orders.order(order) for order in quoted.orders],
            "trades": self._trades(quoted.orders, fills),
            "errors": errors,
        }
        if not fields.wait_for_response:
            answer["pending_requests"] = [
                {"instrument_name": order.instrument, "side": SIDE_NAME[order.side]} for order in waiting
            ]
        return answer

    def _trades(self, orders: tuple[Order, ...], fills: list[Fill]) -> list[dict[str, Any]]:
        by_id = {order.order_id: order for order in orders}
        return [self.orders.trade(fill, by_id.get(fill.order_id)) for fill in fills]

    def cancel_quotes(self, caller: Caller, fields: p.CancelQuotes) -> Any:
        which = self._chosen(fields)
        return self.orders.cancel_some(caller, fields, lambda order, listing: bool(order.quote_id) and which(order, listing))

    def _chosen(self, fields: p.CancelQuotes) -> Any:
        kind = fields.cancel_type
        if kind == "delta":
            low, high = fields.min_delta, fields.max_delta
            return lambda order, listing: listing.reference is not None and low <= abs(listing.reference.delta) <= high
        if kind == "quote_set_id":
            return lambda order, listing: order.quote_set_id == fields.quote_set_id
        if kind == "instrument":
            name = self.market.listing(fields.instrument_name).name
            return lambda order, listing: listing.name == name
        if kind in ("instrument_kind", "currency"):
            fits = self.market.wanted(fields.currency or "any", fields.kind)
            return lambda order, listing: fits(listing)
        if kind == "currency_pair":
            pair = fields.currency_pair.upper()
            asked = fields.kind
            return lambda order, one: pair_of(one.instrument) == pair and asked in ("any", kind_of(one.instrument))
        return lambda order, listing: True

    # -- market-maker protection

    def set_config(self, caller: Caller, fields: p.MmpConfig) -> Any:
        """Replaces the whole config of an index (and group); interval 0 removes it."""
        self._enabled(caller)
        self.market.index_of(fields.index_name)
        self._check(caller, fields)
        wanted = MmpConfig(
            scope=fields.index_name,
            group=fields.mmp_group,
            interval_ms=fields.interval * 1000,
            frozen_ms=fields.frozen_time * 1000,
            amount_limit=fields.quantity_limit,
            delta_limit=fields.delta_limit,
            vega_limit=fields.vega_limit,
            max_quote_quantity=fields.max_quote_quantity,
        )
        stored = config_json(self.engine.set_mmp(caller.user_id, wanted))
        return [stored] if self.config_as_list else stored

    def _enabled(self, caller: Caller) -> None:
        if not caller.user.mmp_enabled:
            raise Refused(codes.REFUSED_REQUEST, "MMP disabled")

    def _check(self, caller: Caller, fields: p.MmpConfig) -> None:
        for name in ("interval", "frozen_time"):
            if not 0 <= getattr(fields, name) <= MAX_SECONDS:
                raise bad_param(name, f"must be from 0 to {MAX_SECONDS}")
        if fields.interval and fields.max_quote_quantity is None:
            raise bad_param("max_quote_quantity", "value required")
        for name in LIMITS:
            limit = getattr(fields, name)
            if limit is not None and (limit < 0 or limit.as_tuple().exponent < -4):
                raise bad_param(name, "must be positive, with at most 4 decimals")
        most = MOST_QUANTITY.get(fields.index_name)
        for name in ("quantity_limit", "max_quote_quantity"):
            if most is not None and (getattr(fields, name) or 0) > most:
                raise bad_param(name, f"at most {most}")
        if len(fields.mmp_group) > p.MAX_LABEL:
            raise bad_param("mmp_group", f"more than {p.MAX_LABEL} characters")
        groups = {s.config.group: s.config.scope for s in self.engine.mmp_status(caller.user_id) if s.config.group}
        if fields.mmp_group and groups.setdefault(fields.mmp_group, fields.index_name) != fields.index_name:
            raise bad_param("mmp_group", f"bound to {groups[fields.mmp_group]}")
        if len(groups) > MAX_GROUPS:
            raise bad_param("mmp_group", f"more than {MAX_GROUPS} groups")

    def configs(self, caller: Caller, fields: p.MmpScope) -> list[dict[str, Any]]:
        self._enabled(caller)
        return [config_json(status.config) for status in self._found(caller, fields)]

    def statuses(self, caller: Caller, fields: p.MmpScope) -> list[dict[str, Any]]:
        """Frozen ones only; until 0 is until reset."""
        self._enabled(caller)
        return [
            {
                "index_name": status.config.scope,
                "frozen_until": status.frozen_until_ms,
                **({"mmp_group": status.config.group} if status.config.group else {}),
            }
            for status in self._found(caller, fields)
            if status.frozen
        ]

    def _found(self, caller: Caller, fields: p.MmpScope) -> list[MmpStatus]:
        if fields.index_name:
            self.market.index_of(fields.index_name)
        found = self.engine.mmp_status(caller.user_id, fields.index_name or None, fields.mmp_group)
        return [status for status in found if status.config.interval_ms]

    def reset(self, caller: Caller, fields: p.MmpScope) -> str:
        """One group of the index, or without one the group-less config."""
        self._enabled(caller)
        self.market.index_of(fields.index_name)
        self.engine.reset_mmp(caller.user_id, fields.index_name, fields.mmp_group or "")
        return "ok"


def config_json(config: MmpConfig) -> dict[str, Any]:
    """Limits that were not given are not there."""
    limits = (config.amount_limit, config.delta_limit, config.vega_limit, config.max_quote_quantity)
    return {
        "index_name": config.scope,
        "interval": config.interval_ms // 1000,
        "frozen_time": config.frozen_ms // 1000,
        **({"mmp_group": config.group} if config.group else {}),
        **{name: plain(limit, 4) for name, limit in zip(LIMITS, limits, strict=True) if limit is not None},
    }
