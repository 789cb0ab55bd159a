"""Account methods of the Deribit face: orders, trades, positions, money, margins, locks, the transaction log.

Owns the answers to private queries. Reads the engine and changes nothing in it but self-trade prevention, which is set
here. Invariant: every number comes from the engine's books, none is kept here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from actors.trading.instruments import Side
from actors.venues.paper import deribit_params as p
from actors.venues.paper.deribit_clients import Caller, User
from actors.venues.paper.deribit_credits import limits_json
from actors.venues.paper.deribit_errors import bad_param
from actors.venues.paper.deribit_market import CURRENCIES, DeribitMarket, trade_page
from actors.venues.paper.deribit_orders import DeribitOrders
from actors.venues.paper.deribit_shapes import DIRECTION, currency_of, is_coin, plain, position_json, price
from actors.venues.paper.engine import Engine
from actors.venues.paper.fees import trade_fee
from actors.venues.paper.margin import NewOrder, order_reserve
from actors.venues.paper.tickets import ZERO, Fill, Order, OrderStatus, Refusal, Role

MS = 1_000_000
ZERO_LINES = (
    "futures_session_rpl", "options_session_rpl", "session_rpl", "fee_balance", "spot_reserve", "additional_reserve",
    "estimated_liquidation_ratio", "locked_balance",
)  # fmt: skip
MAX_LOG = 250


@attrs.define(eq=False)
class DeribitAccounts:
    engine: Engine
    market: DeribitMarket
    orders: DeribitOrders
    tier: str

    # -- orders

    def open_orders(self, caller: Caller, fields: p.OpenOrders) -> list[dict[str, Any]]:
        """All, by currency or by instrument; what waits in the speed bump shows as `speed_bumped`."""
        fits = self.market.wanted(fields.currency or "any", fields.kind)
        name = self.market.listing(fields.instrument_name).name if fields.instrument_name else None
        if fields.type not in ("all", "limit"):
            return []
        found = self.engine.open_orders(caller.user_id, name)
        return [self._shown(order) for order in found if fits(self.engine.listing(order.instrument))]

    def open_by_currency(self, caller: Caller, fields: p.OpenOrders) -> list[dict[str, Any]]:
        if not fields.currency:
            raise bad_param("currency", "value required")
        return self.open_orders(caller, fields)

    def open_by_instrument(self, caller: Caller, fields: p.OpenOrders) -> list[dict[str, Any]]:
        if not fields.instrument_name:
            raise bad_param("instrument_name", "value required")
        return self.open_orders(caller, fields)

    def open_by_label(self, caller: Caller, fields: p.ByLabel) -> list[dict[str, Any]]:
        fits = self.market.wanted(fields.currency, "any")
        found = self.engine.orders_by_label(caller.user_id, fields.label)
        return [self._shown(order) for order in found if fits(self.engine.listing(order.instrument))]

    def _shown(self, order: Order) -> dict[str, Any]:
        shown = self.orders.order(order)
        return {**shown, "order_state": "speed_bumped"} if order.status is OrderStatus.PENDING else shown

    def order_state(self, caller: Caller, fields: p.ById) -> dict[str, Any]:
        return self.orders.order(self.engine.order(caller.user_id, fields.order_id))

    def state_by_label(self, caller: Caller, fields: p.ByLabel) -> list[dict[str, Any]]:
        """Open and recent ones, newest first."""
        fits = self.market.wanted(fields.currency, "any")
        every = [*reversed(self.engine.open_orders(caller.user_id)), *self.engine.ended_orders(caller.user_id)]
        found = [o for o in every if o.label == fields.label and fits(self.engine.listing(o.instrument))]
        return [self.orders.order(order) for order in found]

    def history_by_currency(self, caller: Caller, fields: p.OrderHistory) -> Any:
        if not fields.currency:
            raise bad_param("currency", "value required")
        fits = self.market.wanted(fields.currency, fields.kind)
        return self._history(caller, fields, fits)

    def history_by_instrument(self, caller: Caller, fields: p.OrderHistory) -> Any:
        name = self.market.listing(fields.instrument_name).name
        return self._history(caller, fields, lambda listing: listing.name == name)

    def _history(self, caller: Caller, fields: p.OrderHistory, fits: Any) -> Any:
        """Ended orders, newest first; those that never filled only when asked for."""
        start = int(fields.continuation or 0) if fields.continuation.isdigit() or not fields.continuation else 0
        found = [
            order
            for order in self.engine.ended_orders(caller.user_id)
            if (order.filled or fields.include_unfilled) and fits(self.engine.listing(order.instrument))
        ][fields.offset + start :]
        rows = [self.orders.order(order) for order in found[: fields.count]]
        if not fields.with_continuation:
            return rows
        more = len(found) > fields.count
        return {"orders": rows, "continuation": str(start + fields.count) if more else None}

    # -- trades

    def trades_by_currency(self, caller: Caller, fields: p.UserTrades) -> dict[str, Any]:
        fits = self.market.wanted(fields.currency, fields.kind)
        fills = [fill for fill in self.engine.fills(caller.user_id) if fits(self.engine.listing(fill.instrument))]
        return trade_page(self._rows(caller, fills), fields)

    def trades_by_instrument(self, caller: Caller, fields: p.UserTrades) -> dict[str, Any]:
        name = self.market.listing(fields.instrument_name).name
        fills = [fill for fill in self.engine.fills(caller.user_id) if fill.instrument == name]
        return trade_page(self._rows(caller, [f for f in fills if fields.start_seq <= f.seq <= fields.end_seq]), fields)

    def trades_by_order(self, caller: Caller, fields: p.UserTrades) -> list[dict[str, Any]]:
        """A bare list, oldest first unless asked otherwise."""
        if not fields.order_id:
            raise bad_param("order_id", "value required")
        rows = self._rows(caller, [f for f in self.engine.fills(caller.user_id) if f.order_id == fields.order_id])
        return rows[::-1] if fields.sorting == "desc" else rows

    def _rows(self, caller: Caller, fills: Iterable[Fill]) -> list[dict[str, Any]]:
        return [self.trade(fill) for fill in fills]

    def trade(self, fill: Fill) -> dict[str, Any]:
        """One own trade with its order as it stands."""
        try:
            order: Order | None = self.engine.order(fill.account_id, fill.order_id)
        except Refusal:
            order = None
        return self.orders.trade(fill, order)

    # -- positions and money

    def positions(self, caller: Caller, fields: p.Positions) -> list[dict[str, Any]]:
        fits = self.market.wanted(fields.currency, fields.kind)
        names = [n for n in self.engine.account(caller.user_id).positions if fits(self.engine.listing(n))]
        return [self.position_of(caller.user_id, name) for name in names]

    def position(self, caller: Caller, fields: p.ByInstrument) -> dict[str, Any]:
        return self.position_of(caller.user_id, self.market.listing(fields.instrument_name).name)

    def position_of(self, user_id: int, name: str) -> dict[str, Any]:
        account, listing = self.engine.account(user_id), self.engine.listing(name)
        need, reserved = self.engine.position_margin(user_id, name)
        held = account.positions.get(name) or account.flat.get(name)
        return position_json(listing, held, max(0.0, -need.initial), max(0.0, -need.maintenance), reserved)

    def summary(self, caller: Caller, fields: p.Summary) -> dict[str, Any]:
        who = self._who(caller.user) if fields.extended else {}
        return {**who, "limits": limits_json(self.tier), **self.portfolio(caller.user_id, known_currency(fields.currency))}

    def summaries(self, caller: Caller, fields: p.Summaries) -> dict[str, Any]:
        cash = self.engine.account(caller.user_id).cash
        limits = limits_json(self.tier)
        rows = [
            {"limits": limits, **self.portfolio(caller.user_id, currency)} for currency in CURRENCIES if currency in cash
        ]
        return {**self._who(caller.user), "summaries": rows}

    def _who(self, user: User) -> dict[str, Any]:
        return {
            "id": user.user_id,
            "email": f"{user.name}@example.com",
            "system_name": user.name,
            "username": user.name,
            "type": "main",
            "creation_timestamp": user.created_ms,
            "referrer_id": None,
            "login_enabled": False,
            "security_keys_enabled": False,
            "interuser_transfers_enabled": False,
            "block_rfq_self_match_prevention": True,
            "mmp_enabled": user.mmp_enabled,
            "self_trading_reject_mode": user.self_trading_mode,
            "self_trading_extended_to_subaccounts": user.self_trading_extended,
        }

    def portfolio(self, user_id: int, currency: str) -> dict[str, Any]:
        """The money of one currency; the data of `user.portfolio` too. Margins are positive needs."""
        margins = self.engine.margins(user_id, currency)
        greeks, futures, options_value = self._exposure(user_id, currency)
        index = f"{currency.lower()}_usd"
        initial = max(0.0, -(margins.positions_initial + margins.open_orders) + futures)
        maintenance = max(0.0, -margins.positions_maintenance + futures)
        balance, equity = margins.cash, margins.cash + margins.positions_value
        pl = self._profit(user_id, currency)
        shown: dict[str, Any] = {
            **dict.fromkeys(ZERO_LINES, 0.0),
            "currency": currency,
            "balance": plain(balance),
            "equity": plain(equity),
            "margin_balance": plain(balance + futures),
            "available_funds": plain(margins.available),
            "available_withdrawal_funds": plain(min(margins.available, balance)),
            "initial_margin": plain(initial),
            "maintenance_margin": plain(maintenance),
            "projected_initial_margin": plain(initial),
            "projected_maintenance_margin": plain(maintenance),
            "options_value": plain(options_value),
            "options_pl": plain(pl),
            "options_session_upl": plain(pl),
            "session_upl": plain(pl + futures),
            "total_pl": plain(pl + futures),
            "futures_pl": plain(futures),
            "futures_session_upl": plain(futures),
            "delta_total": greeks["delta_total"],
            "projected_delta_total": greeks["delta_total"],
            "delta_total_map": {index: greeks["delta_total"]},
            "estimated_liquidation_ratio_map": {index: 0.0},
            "margin_model": "segregated_sm",
            "portfolio_margining_enabled": False,
            "cross_collateral_enabled": False,
        }
        for name in ("delta", "gamma", "theta", "vega"):
            shown[f"options_{name}"] = greeks[name]
            if name != "delta":
                shown[f"options_{name}_map"] = {index: greeks[name]}
        return shown

    def _exposure(self, user_id: int, currency: str) -> tuple[dict[str, float], float, float]:
        """Greeks of the options (and the total delta, net of premiums), unrealised profit of futures, worth of options."""
        greeks = dict.fromkeys(("delta", "gamma", "theta", "vega", "delta_total"), 0.0)
        futures = worth = 0.0
        for name, held in self.engine.account(user_id).positions.items():
            listing = self.engine.listing(name)
            if currency_of(listing.instrument) != currency:
                continue
            row = position_json(listing, held, 0.0, 0.0, 0.0)
            greeks["delta_total"] += row["delta"]
            if listing.instrument.kind is None:
                futures += row["floating_profit_loss"]
                continue
            value = row["size"] * float(listing.mark)
            worth += value
            greeks["delta_total"] -= value if is_coin(listing.instrument) else 0.0
            for greek in ("delta", "gamma", "theta", "vega"):
                greeks[greek] += row[greek]
        return {name: round(value, 6) for name, value in greeks.items()}, futures, worth

    def _profit(self, user_id: int, currency: str) -> float:
        """Unrealised and realised of the options."""
        account = self.engine.account(user_id)
        every = [*account.positions.items(), *account.flat.items()]
        ours = [(held, self.engine.listing(name)) for name, held in every if held.valuer.currency == currency]
        return sum(
            float(held.realized_pnl) + (float(held.unrealized(listing.mark)) if held.amount else 0.0)
            for held, listing in ours
            if listing.instrument.kind is not None
        )

    def margins(self, caller: Caller, fields: p.Margins) -> dict[str, float]:
        """What an order would reserve on either side, its fees, and the instrument's band."""
        listing = self.market.listing(fields.instrument_name)
        steps, ticks = self.orders.amount(listing, fields.amount, None), self.orders.price(listing, fields.price)
        account, rates = self.engine.account(caller.user_id), self.engine.rules.margin
        before = order_reserve(account, listing, rates)

        def need(side: Side) -> float:
            return plain(max(0.0, order_reserve(account, listing, rates, NewOrder(side, ticks, steps)) - before))

        low, high = listing.band()
        one, rules = listing.instrument, self.engine.rules
        maker, taker = (plain(trade_fee(rules, listing, role, ticks, steps, ZERO)) for role in (Role.MAKER, Role.TAKER))
        return {
            "buy": need(Side.BID),
            "sell": need(Side.ASK),
            "min_price": price(one, low),
            "max_price": price(one, high),
            "buy_maker_fee": maker,
            "buy_taker_fee": taker,
            "sell_maker_fee": maker,
            "sell_taker_fee": taker,
        }

    def locks(self, caller: Caller, fields: p.Empty) -> list[dict[str, Any]]:
        locked = caller.user.is_locked
        return [{"currency": c, "locked": locked, "message": "locked by the operator" if locked else ""} for c in CURRENCIES]

    def set_self_trading(self, caller: Caller, fields: p.SelfTrading) -> str:
        user = caller.user
        user.self_trading_mode, user.self_trading_extended = fields.mode, fields.extended_to_subaccounts
        self.engine.account(user.user_id).cancel_maker_on_self_cross = fields.mode == "cancel_maker"
        return "ok"

    # -- the log

    def log(self, caller: Caller, fields: p.TransactionLog) -> dict[str, Any]:
        """Trades only, newest first; deliveries and settlements are in the ledger."""
        low = p.milliseconds(fields.start_timestamp, "start_timestamp")
        high = p.milliseconds(fields.end_timestamp, "end_timestamp")
        if low >= high:
            raise bad_param("end_timestamp", "must be after start_timestamp")
        currency, start = known_currency(fields.currency), fields.continuation
        fills = list(enumerate(self.engine.fills(caller.user_id), 1))
        fits = [
            (number, fill)
            for number, fill in reversed(fills)
            if low <= fill.at_ns // MS <= high and (not start or number < start)
            and currency_of(self.engine.listing(fill.instrument).instrument) == currency
        ]  # fmt: skip
        page = fits[: min(fields.count, MAX_LOG)]
        more = len(fits) > len(page)
        rows = [self._logged(caller.user, number, fill, currency) for number, fill in page]
        return {"logs": rows, "continuation": page[-1][0] if more and page else None}

    def _logged(self, user: User, number: int, fill: Fill, currency: str) -> dict[str, Any]:
        listing = self.engine.listing(fill.instrument)
        one = listing.instrument
        premium = -float(listing.valuer.cost(fill.side, fill.price, fill.amount)) if one.kind is not None else 0.0
        margins = self.engine.margins(user.user_id, currency)
        return {
            "id": number,
            "user_seq": number,
            "user_id": user.user_id,
            "username": user.name,
            "user_role": "maker" if fill.role is Role.MAKER else "taker",
            "type": "trade",
            "side": _log_side(fill),
            "timestamp": fill.at_ns // MS,
            "trade_id": fill.trade_id,
            "order_id": fill.order_id,
            "instrument_name": fill.instrument,
            "currency": currency,
            "price": one.price_float(fill.price),
            "price_currency": currency if is_coin(one) and one.kind is not None else "USD",
            "amount": one.amount_float(fill.amount),
            "contracts": one.amount_float(fill.amount),
            "mark_price": plain(fill.mark),
            "index_price": plain(fill.index, 4),
            "commission": plain(fill.fee),
            "change": plain(premium - float(fill.fee)),
            "cashflow": plain(premium - float(fill.fee)),
            "balance": plain(margins.cash),
            "equity": plain(margins.cash + margins.positions_value),
            "position": one.amount_float(self.engine.account(user.user_id).amount(fill.instrument)),
            "interest_pl": 0.0,
            "profit_as_cashflow": False,
            "info": "Source: api",
        }


def _log_side(fill: Fill) -> str:
    return f"{'close' if fill.realized_pnl_excl_fees else 'open'} {DIRECTION[fill.side]}"


def known_currency(text: str) -> str:
    if text.upper() not in CURRENCIES:
        raise bad_param("currency", "wrong format")
    return text.upper()
