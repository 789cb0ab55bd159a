"""The table of Deribit's methods on the paper exchange: parameters, who may call it, what runs.

Owns nothing but the table; the work is done by the modules it points at. Invariant: a private method runs only with a
caller, and one that needs a scope only when the caller holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import attrs
import msgspec

from actors.venues.paper import deribit_errors as codes
from actors.venues.paper import deribit_params as p
from actors.venues.paper.deribit_accounts import DeribitAccounts
from actors.venues.paper.deribit_clients import Caller
from actors.venues.paper.deribit_errors import Refused, bad_param
from actors.venues.paper.deribit_lines import Ask, Lines
from actors.venues.paper.deribit_market import DeribitMarket
from actors.venues.paper.deribit_orders import DeribitOrders
from actors.venues.paper.deribit_quotes import DeribitQuotes

READ = ("trade", "read")
WRITE = ("trade", "read_write")
ACCOUNT = ("account", "read")
ACCOUNT_WRITE = ("account", "read_write")
Need = tuple[str, str]


class Method(NamedTuple):
    params: type[msgspec.Struct]
    run: Callable[[Ask, Any], Any]


@attrs.frozen
class Desk:
    """The parts of the face that do the work."""

    market: DeribitMarket
    orders: DeribitOrders
    quotes: DeribitQuotes
    accounts: DeribitAccounts
    lines: Lines


def caller_of(ask: Ask) -> Caller:
    if ask.caller is None:
        raise Refused(codes.LOGIN_NEEDED)
    return ask.caller


def table(desk: Desk) -> dict[str, Method]:
    return {
        **_session_methods(desk.lines),
        **_market_methods(desk.market),
        **_order_methods(desk),
        **_query_methods(desk.accounts, desk.quotes),
    }


def _session_methods(lines: Lines) -> dict[str, Method]:
    def known(params: type[msgspec.Struct], run: Callable[[Ask, Caller, Any], Any]) -> Method:
        return Method(params, lambda ask, fields: run(ask, caller_of(ask), fields))

    def private(run: Callable[[Ask, Any], Any]) -> Callable[[Ask, Any], Any]:
        def after_login(ask: Ask, fields: Any) -> Any:
            caller_of(ask)
            return run(ask, fields)

        return after_login

    return {
        "public/auth": Method(p.Auth, lines.auth),
        "public/fork_token": Method(p.Fork, lines.fork),
        "public/exchange_token": Method(p.Swap, lines.swap),
        "private/logout": known(p.Logout, lines.logout),
        "public/set_heartbeat": Method(p.Heartbeat, lines.set_heartbeat),
        "public/disable_heartbeat": Method(p.Empty, lines.disable_heartbeat),
        "private/enable_cancel_on_disconnect": known(p.Cod, lines.enable_cod),
        "private/disable_cancel_on_disconnect": known(p.Cod, lines.disable_cod),
        "private/get_cancel_on_disconnect": known(p.Cod, lines.cod),
        "public/subscribe": Method(p.Channels, lines.subscribe),
        "public/unsubscribe": Method(p.Channels, lines.unsubscribe),
        "public/unsubscribe_all": Method(p.Empty, lines.unsubscribe_all),
        "private/subscribe": Method(p.Channels, private(lines.subscribe)),
        "private/unsubscribe": Method(p.Channels, private(lines.unsubscribe)),
        "private/unsubscribe_all": Method(p.Empty, private(lines.unsubscribe_all)),
    }


def _market_methods(market: DeribitMarket) -> dict[str, Method]:
    def public(params: type[msgspec.Struct], run: Callable[[Any], Any]) -> Method:
        return Method(params, lambda ask, fields: run(fields))

    return {
        "public/test": public(p.Test, market.test),
        "public/hello": public(p.Hello, market.hello),
        "public/get_time": public(p.Empty, market.time),
        "public/status": public(p.Empty, market.status),
        "public/get_currencies": public(p.Empty, market.currencies),
        "public/get_instruments": public(p.Instruments, market.instruments),
        "public/get_instrument": public(p.ByInstrument, market.instrument),
        "public/get_contract_size": public(p.ByInstrument, market.size_of_contract),
        "public/get_expirations": public(p.Expirations, market.expirations),
        "public/ticker": public(p.ByInstrument, market.ticker),
        "public/get_order_book": public(p.OrderBook, market.order_book),
        "public/get_book_summary_by_currency": public(p.ByCurrency, market.summaries),
        "public/get_book_summary_by_instrument": public(p.ByInstrument, market.summary),
        "public/get_index_price": public(p.ByIndex, market.index_price),
        "public/get_index_price_names": public(p.IndexNames, market.index_names),
        "public/get_supported_index_names": public(p.IndexNames, market.index_names),
        "public/get_delivery_prices": public(p.DeliveryPrices, market.delivery_prices),
        "public/get_last_trades_by_instrument": public(p.LastTrades, market.trades_by_instrument),
        "public/get_last_trades_by_instrument_and_time": public(p.LastTrades, market.trades_by_instrument),
        "public/get_last_trades_by_currency": public(p.LastTrades, market.trades_by_currency),
        "public/get_last_trades_by_currency_and_time": public(p.LastTrades, market.trades_by_currency),
    }


def _order_methods(desk: Desk) -> dict[str, Method]:
    orders, quotes = desk.orders, desk.quotes

    def born(params: type[msgspec.Struct], run: Callable[[Caller, int, Any], Any]) -> Method:
        return Method(params, lambda ask, fields: run(caller_of(ask), ask.session_id, fields))

    def write(params: type[msgspec.Struct], run: Callable[[Caller, Any], Any]) -> Method:
        return _needing(WRITE, params, run)

    def quoted(ask: Ask, fields: p.MassQuote) -> Any:
        return quotes.mass_quote(caller_of(ask), ask.session_id, ask.line is not None and ask.line.has_cod, fields)

    return {
        "private/buy": born(p.Place, orders.buy),
        "private/sell": born(p.Place, orders.sell),
        "private/close_position": born(p.ClosePosition, orders.close_position),
        "private/edit": write(p.Edit, orders.edit),
        "private/edit_by_label": write(p.EditByLabel, orders.edit_by_label),
        "private/cancel": write(p.ById, orders.cancel),
        "private/cancel_by_label": write(p.CancelByLabel, orders.cancel_by_label),
        "private/cancel_all": write(p.CancelAll, orders.cancel_all),
        "private/cancel_all_by_currency": write(p.CancelAll, orders.cancel_by_currency),
        "private/cancel_all_by_currency_pair": write(p.CancelAll, orders.cancel_by_pair),
        "private/cancel_all_by_instrument": write(p.CancelAll, orders.cancel_by_instrument),
        "private/cancel_all_by_kind_or_type": write(p.CancelAll, orders.cancel_by_kind_or_type),
        "private/mass_quote": Method(p.MassQuote, quoted),
        "private/cancel_quotes": write(p.CancelQuotes, quotes.cancel_quotes),
        "private/set_mmp_config": write(p.MmpConfig, quotes.set_config),
        "private/reset_mmp": write(p.MmpScope, quotes.reset),
    }


def _query_methods(desk: DeribitAccounts, quotes: DeribitQuotes) -> dict[str, Method]:
    def read(params: type[msgspec.Struct], run: Callable[[Caller, Any], Any]) -> Method:
        return _needing(READ, params, run)

    def timed(run: Callable[[Caller, Any], Any]) -> Method:
        def between(caller: Caller, fields: p.UserTrades) -> Any:
            for name in ("start_timestamp", "end_timestamp"):
                if getattr(fields, name) in (0, 1 << 62):
                    raise bad_param(name, "value required")
            return run(caller, fields)

        return read(p.UserTrades, between)

    return {
        "private/get_open_orders": read(p.OpenOrders, desk.open_orders),
        "private/get_open_orders_by_currency": read(p.OpenOrders, desk.open_by_currency),
        "private/get_open_orders_by_instrument": read(p.OpenOrders, desk.open_by_instrument),
        "private/get_open_orders_by_label": read(p.ByLabel, desk.open_by_label),
        "private/get_order_state": read(p.ById, desk.order_state),
        "private/get_order_state_by_label": read(p.ByLabel, desk.state_by_label),
        "private/get_order_history_by_currency": read(p.OrderHistory, desk.history_by_currency),
        "private/get_order_history_by_instrument": read(p.OrderHistory, desk.history_by_instrument),
        "private/get_user_trades_by_currency": read(p.UserTrades, desk.trades_by_currency),
        "private/get_user_trades_by_currency_and_time": timed(desk.trades_by_currency),
        "private/get_user_trades_by_instrument": read(p.UserTrades, desk.trades_by_instrument),
        "private/get_user_trades_by_instrument_and_time": timed(desk.trades_by_instrument),
        "private/get_user_trades_by_order": read(p.UserTrades, desk.trades_by_order),
        "private/get_positions": read(p.Positions, desk.positions),
        "private/get_position": read(p.ByInstrument, desk.position),
        "private/get_margins": read(p.Margins, desk.margins),
        "private/get_mmp_config": read(p.MmpScope, quotes.configs),
        "private/get_mmp_status": read(p.MmpScope, quotes.statuses),
        "private/get_account_summary": _needing(ACCOUNT, p.Summary, desk.summary),
        "private/get_account_summaries": _needing(ACCOUNT, p.Summaries, desk.summaries),
        "private/get_user_locks": _needing(ACCOUNT, p.Empty, desk.locks),
        "private/get_transaction_log": _needing(ACCOUNT, p.TransactionLog, desk.log),
        "private/set_self_trading_config": _needing(ACCOUNT_WRITE, p.SelfTrading, desk.set_self_trading),
    }


def _needing(need: Need, params: type[msgspec.Struct], run: Callable[[Caller, Any], Any]) -> Method:
    def allowed(ask: Ask, fields: Any) -> Any:
        caller = caller_of(ask)
        caller.needs(*need)
        return run(caller, fields)

    return Method(params, allowed)
