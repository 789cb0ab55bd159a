"""The engine's events as rows of the ledger, in decimal text that needs no instrument list to be read.

Owns the bodies of the rows `order`, `fill`, `balance`, `settled`, `state`, `listed`, `mmp` and `maintenance`
(`docs/ledger.md`). Book changes have no row: they are in the market notices. Never writes a private key. Invariant: one
row per event (two per trade: maker, then taker), in the engine's order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.trading.instruments import Instrument
from actors.venues.paper import events as ev
from actors.venues.paper.engine import Engine
from actors.venues.paper.ledger import Ledger
from actors.venues.paper.tickets import Fill, Order


def record_events(ledger: Ledger, engine: Engine, events: Iterable[ev.Event]) -> None:
    if not ledger.is_on:
        return
    for event in events:
        for kind, body in rows_of(engine, event):
            ledger.write(kind, **body)


def rows_of(engine: Engine, event: ev.Event) -> list[tuple[str, dict[str, Any]]]:
    """Kind and body of each row an event makes."""
    if isinstance(event, ev.OrderChanged):
        return [("order", order_row(engine.listings[event.order.instrument].instrument, event.order))]
    if isinstance(event, ev.Traded):
        instrument = engine.listings[event.maker.instrument].instrument
        return [("fill", fill_row(instrument, fill)) for fill in (event.maker, event.taker)]
    if isinstance(event, ev.BalanceChanged):
        return [("balance", balance_row(event))]
    if isinstance(event, ev.Settled):
        return [("settled", {"instrument": event.instrument, "price": format(event.price, "f")})]
    if isinstance(event, ev.StateChanged):
        return [("state", {"instrument": event.instrument, "state": event.state.value})]
    if isinstance(event, ev.Listed):
        return [("listed", {"instrument": event.instrument})]
    if isinstance(event, ev.MmpTripped):
        return [("mmp", {"account": event.account_id, "scope": event.scope, "until_ms": event.frozen_until_ms})]
    if isinstance(event, ev.MaintenanceSwitched):
        return [("maintenance", {"on": event.on})]
    return []


def order_row(instrument: Instrument, order: Order) -> dict[str, Any]:
    return {
        "account": order.account_id,
        "order_id": order.order_id,
        "instrument": order.instrument,
        "side": order.side.name.lower(),
        "price": instrument.price_text(order.price),
        "amount": instrument.amount_text(order.amount),
        "filled": instrument.amount_text(order.filled),
        "status": order.status.value,
        "reason": order.cancel_reason.value,
        "type": order.order_type.value,
        "tif": order.tif.value,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
        "mmp": order.mmp,
        "label": order.label,
        "nonce": str(order.nonce),
        "session": order.connection,
        "expiry_s": order.signature_expiry_s,
        "replaces": order.replaced_order_id,
        "quote_id": order.quote_id,
        "quote_set": order.quote_set_id,
        "fee_paid": format(order.fee_paid, "f"),
        "created_ns": order.created_ns,
    }


def fill_row(instrument: Instrument, fill: Fill) -> dict[str, Any]:
    return {
        "account": fill.account_id,
        "order_id": fill.order_id,
        "trade_id": fill.trade_id,
        "seq": fill.seq,
        "instrument": fill.instrument,
        "side": fill.side.name.lower(),
        "role": fill.role.value,
        "price": instrument.price_text(fill.price),
        "amount": instrument.amount_text(fill.amount),
        "fee": format(fill.fee, "f"),
        "realized_pnl": format(fill.realized_pnl, "f"),
        "mark": format(fill.mark, "f"),
        "index": format(fill.index, "f"),
        "label": fill.label,
        "mmp": fill.mmp,
    }


def balance_row(event: ev.BalanceChanged) -> dict[str, Any]:
    return {
        "account": event.account_id,
        "name": event.name,
        "previous": format(event.previous, "f"),
        "new": format(event.new, "f"),
        "why": event.why.value,
    }
