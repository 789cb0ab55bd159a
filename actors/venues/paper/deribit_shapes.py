"""Engine objects as Deribit's JSON: instrument, ticker, book, order, trade, position. Shapes after recorded messages.

Owns the field names and number formats of answers and notices: prices and amounts are JSON numbers (an empty side is 0.0,
not null), volatilities of tickers and trades percent, times milliseconds. Pure functions, no state; whoever calls gathers
what they need. Invariant: every price and amount is the float nearest to its exact decimal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from actors.trading.instruments import Instrument, Numeraire, OptionKind, Side
from actors.venues.deribit.names import day_text
from actors.venues.paper.accounts import Position
from actors.venues.paper.events import InstrumentState
from actors.venues.paper.listings import Listing
from actors.venues.paper.tickets import CancelReason, Fill, Order, OrderStatus, OrderType, Role, TimeInForce

MS = 1_000_000
DAY_S = 86_400
FIRST_CHANGE_ID = 88_000_000_000
"""Change ids of a book start here: clients must take numbers beyond 32 bits."""
PERPETUAL_EXPIRY_MS = 32_503_708_800_000
DIRECTION = {Side.BID: "buy", Side.ASK: "sell"}
SIDE_NAME = {Side.BID: "bid", Side.ASK: "ask"}
MAX_LEVERAGE = 50
STATES = {state: state.value for state in InstrumentState}


# -- what an instrument is


def kind_of(one: Instrument) -> str:
    return "option" if one.kind is not None else "future"


def is_coin(one: Instrument) -> bool:
    return one.numeraire is Numeraire.COIN


def currency_of(one: Instrument) -> str:
    """The currency it settles in, under which it is listed: the coin, or USDC for linear instruments."""
    return one.underlying if is_coin(one) else "USDC"


def base_of(one: Instrument) -> str:
    """The coin, also of an underlying named with its quote currency (ETH_USDC)."""
    return one.underlying.partition("_")[0]


def pair_of(one: Instrument) -> str:
    return f"{base_of(one)}_{'USD' if is_coin(one) else 'USDC'}"


def contract_size(one: Instrument) -> float:
    """What a contract is worth in units of `amount`: 1 coin of inverse options, a lot elsewhere."""
    if one.kind is not None and is_coin(one):
        return 1.0
    return one.amount_float(one.min_amount)


def future_name(one: Instrument) -> str:
    """The future of the same expiry, which names the forward of an option."""
    prefix = base_of(one) if is_coin(one) else pair_of(one)
    return f"{prefix}-{day_text(one.expiry_s)}"


def settlement_period(one: Instrument) -> str:
    """Dailies, Fridays, last Fridays of a month."""
    if one.kind is None:
        return "perpetual"
    day = datetime.fromtimestamp(one.expiry_s, UTC)
    if day.weekday() != 4:
        return "day"
    after = datetime.fromtimestamp(one.expiry_s + 7 * DAY_S, UTC)
    return "week" if after.month == day.month else "month"


def whole(value: float) -> float | int:
    """Sizes in instrument records are printed without a point where they are whole."""
    return int(value) if value == int(value) else value


def plain(value: Decimal | float, digits: int = 8) -> float:
    """Money as a JSON number of at most so many decimals."""
    return round(float(value), digits)


def price(one: Instrument, ticks: int | None) -> float:
    return one.price_float(ticks) if ticks is not None else 0.0


def index_number(value: Decimal) -> float:
    return plain(value, 2 if value >= 10 else 4)


def instrument_json(listing: Listing, number: int) -> dict[str, Any]:
    one = listing.instrument
    coin, is_option = is_coin(one), one.kind is not None
    least = whole(one.amount_float(one.min_amount))
    record: dict[str, Any] = {
        "instrument_name": one.name,
        "instrument_id": 400_000 + number,
        "kind": kind_of(one),
        "instrument_type": "reversed" if coin else "linear",
        "underlying_type": "crypto",
        "base_currency": base_of(one),
        "quote_currency": one.underlying if coin and is_option else "USD" if coin else "USDC",
        "counter_currency": "USD" if coin else "USDC",
        "settlement_currency": currency_of(one),
        "settlement_period": settlement_period(one),
        "price_index": one.index_name,
        "index_id": 1,
        "product_group": base_of(one),
        "creation_timestamp": one.activation_s * 1000,
        "expiration_timestamp": one.expiry_s * 1000 if is_option else PERPETUAL_EXPIRY_MS,
        "contract_size": whole(contract_size(one)),
        "lot_size": whole(contract_size(one)),
        "min_trade_amount": least,
        "tick_size": float(one.tick),
        "tick_size_steps": [
            {"above_price": one.price_float(above), "tick_size": one.price_float(step)} for above, step in one.ladder
        ],
        "maker_commission": one.fees.maker_rate,
        "taker_commission": one.fees.taker_rate,
        "block_trade_commission": one.fees.taker_rate,
        "block_trade_min_trade_amount": whole(one.amount_float(one.min_amount) * 25),
        "block_trade_tick_size": float(one.tick),
        "is_active": listing.state is not InstrumentState.DELIVERED,
        "state": STATES[listing.state],
        "rfq": False,
    }
    if is_option:
        record["option_type"] = "call" if one.kind is OptionKind.CALL else "put"
        record["strike"] = one.strike
    else:
        record["future_type"] = record["instrument_type"]
        record["max_leverage"] = MAX_LEVERAGE
        record["max_liquidation_commission"] = 0.0075
    return record


# -- tickers and books


def top_json(listing: Listing) -> dict[str, float]:
    """The best of both sides; an empty one is zero."""
    one, book = listing.instrument, listing.book
    return {
        "best_bid_price": price(one, book.best(Side.BID)),
        "best_bid_amount": one.amount_float(book.best_amount(Side.BID)),
        "best_ask_price": price(one, book.best(Side.ASK)),
        "best_ask_amount": one.amount_float(book.best_amount(Side.ASK)),
    }


def ticker_json(listing: Listing, now_ms: int, vols: tuple[float, float], delivery: Decimal, days: float) -> dict[str, Any]:
    """`vols`: implied of best bid and ask, fractions, 0 none; `delivery`: estimated; `days` to expiry, for theta."""
    one, reference = listing.instrument, listing.reference
    low, high = listing.band()
    is_known = reference is not None
    ticker: dict[str, Any] = {
        "timestamp": now_ms,
        "instrument_name": one.name,
        "state": STATES[listing.state],
        "stats": stats_json(listing),
        "index_price": index_number(listing.index),
        "mark_price": mark_number(listing),
        "last_price": price(one, listing.stats.last) if listing.stats.count else None,
        "settlement_price": 0.0,
        "min_price": price(one, low) if is_known else 0.0,
        "max_price": price(one, high) if is_known else 0.0,
        "open_interest": one.amount_float(listing.stats.open_interest),
        "estimated_delivery_price": index_number(delivery),
        **top_json(listing),
    }
    if listing.settlement_price is not None:
        ticker["delivery_price"] = plain(listing.settlement_price, 4)
    return ticker | (_option_part(listing, vols, days) if one.kind is not None else _perpetual_part())


def _option_part(listing: Listing, vols: tuple[float, float], days: float) -> dict[str, Any]:
    one, reference = listing.instrument, listing.reference
    greeks = dict.fromkeys(("delta", "gamma", "vega", "theta", "rho"), 0.0)
    if reference is not None:
        greeks = {name: round(getattr(reference, name), 5) for name in greeks}
        greeks["theta"] = round(reference.theta * min(1.0, days), 5)
    return {
        "mark_iv": percent(reference.mark_vol if reference is not None else 0.0),
        "bid_iv": percent(vols[0]),
        "ask_iv": percent(vols[1]),
        "interest_rate": 0.0,
        "underlying_price": forward_number(listing),
        "underlying_index": future_name(one),
        "greeks": greeks,
    }


def _perpetual_part() -> dict[str, float]:
    return {"funding_8h": 0.0, "current_funding": 0.0, "interest_value": 0.0}


def percent(vol: float) -> float:
    return round(vol * 100.0, 2)


def mark_number(listing: Listing) -> float:
    """Coin premiums have six decimals, money four."""
    coin_option = is_coin(listing.instrument) and listing.instrument.kind is not None
    return plain(listing.mark, 6 if coin_option else 4)


def forward_number(listing: Listing) -> float:
    return index_number(listing.reference.forward) if listing.reference is not None else index_number(listing.index)


def stats_json(listing: Listing) -> dict[str, Any]:
    """Of the time since listing: the paper exchange keeps no day's window."""
    one, stats = listing.instrument, listing.stats
    traded = stats.count > 0
    contracts = one.amount_float(stats.volume)
    worth = float(listing.index) if one.kind is not None or not is_coin(one) else 1.0
    return {
        "volume": contracts,
        "volume_usd": round(contracts * worth, 2),
        "price_change": 0.0 if traded else None,
        "low": price(one, stats.low) if traded else None,
        "high": price(one, stats.high) if traded else None,
    }


def change_id(book_id: int) -> int:
    return FIRST_CHANGE_ID + book_id


def levels_json(listing: Listing, side: Side, depth: int, group: int = 1) -> list[list[float]]:
    one = listing.instrument
    return [[one.price_float(p), one.amount_float(a)] for p, a in listing.book.levels(side, depth, group)]


# -- orders

ORDER_STATES = {
    OrderStatus.PENDING: "open",
    OrderStatus.OPEN: "open",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELLED: "cancelled",
    OrderStatus.EXPIRED: "cancelled",
    OrderStatus.REJECTED: "rejected",
}
CANCEL_REASONS = {
    CancelReason.USER,
    CancelReason.MMP,
    CancelReason.MMP_CURTAILED,
    CancelReason.DISCONNECT,
    CancelReason.EDIT_POST_ONLY,
    CancelReason.SELF_TRADE,
    CancelReason.SETTLEMENT,
}
"""The engine's reasons that Deribit has a word for; the rest of an immediate order goes without one."""
LIVES = {
    TimeInForce.GTC: "good_til_cancelled",
    TimeInForce.DAY: "good_til_day",
    TimeInForce.IOC: "immediate_or_cancel",
    TimeInForce.FOK: "fill_or_kill",
}


def order_json(listing: Listing, order: Order) -> dict[str, Any]:
    one = listing.instrument
    amount = one.amount_float(order.amount)
    is_market = order.order_type is OrderType.MARKET
    shown: dict[str, Any] = {
        "order_id": order.order_id,
        "order_state": ORDER_STATES[order.status],
        "order_type": "limit",
        "instrument_name": order.instrument,
        "direction": DIRECTION[order.side],
        "price": one.price_float(order.price or listing.band()[1 if order.side > 0 else 0]),
        "amount": amount,
        "contracts": amount / contract_size(one),
        "filled_amount": one.amount_float(order.filled),
        "average_price": plain(order.average_ticks * one.tick),
        "time_in_force": LIVES[order.tif],
        "label": order.label,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
        "mmp": order.mmp,
        "risk_reducing": False,
        "is_liquidation": False,
        "api": True,
        "web": False,
        "replaced": order.replaced,
        "creation_timestamp": order.created_ns // MS,
        "last_update_timestamp": order.updated_ns // MS,
        "user_id": order.account_id,
    }
    if order.post_only:
        shown["reject_post_only"] = order.reject_post_only
    if is_market:
        shown["original_order_type"] = "market"
    return shown | _ending_json(order) | _quote_json(order)


def _ending_json(order: Order) -> dict[str, Any]:
    if not order.status.final or order.cancel_reason not in CANCEL_REASONS:
        return {}
    ending: dict[str, Any] = {"cancel_reason": order.cancel_reason.value}
    if order.cancel_reason is CancelReason.MMP:
        ending["mmp_cancelled"] = True
    return ending


def _quote_json(order: Order) -> dict[str, Any]:
    if not order.quote_id:
        return {}
    return {
        "quote": True,
        "quote_id": order.quote_id,
        "quote_set_id": order.quote_set_id,
        "mmp_group": order.mmp_group,
    }


# -- trades


def tape_json(listing: Listing, fill: Fill, iv: float) -> dict[str, Any]:
    """A public trade, told by the taker's row; `iv` a fraction."""
    one = listing.instrument
    amount = one.amount_float(fill.amount)
    row: dict[str, Any] = {
        "trade_id": fill.trade_id,
        "trade_seq": fill.seq,
        "timestamp": fill.at_ns // MS,
        "instrument_name": fill.instrument,
        "price": one.price_float(fill.price),
        "amount": amount,
        "contracts": amount / contract_size(one),
        "direction": DIRECTION[fill.side],
        "tick_direction": fill.tick_direction,
        "index_price": index_number(fill.index),
        "mark_price": plain(fill.mark, 6),
    }
    if one.kind is not None:
        row["iv"] = percent(iv)
    return row


def trade_json(listing: Listing, fill: Fill, order: Order | None, iv: float) -> dict[str, Any]:
    """An own trade; `order` as it stands now, None when it is forgotten."""
    one = listing.instrument
    row = {
        **tape_json(listing, fill, iv),
        "order_id": fill.order_id,
        "order_type": "limit",
        "state": ORDER_STATES[order.status] if order is not None else "filled",
        "label": fill.label,
        "fee": plain(fill.fee, 8),
        "fee_currency": currency_of(one),
        "liquidity": "M" if fill.role is Role.MAKER else "T",
        "post_only": order.post_only if order is not None else False,
        "reduce_only": order.reduce_only if order is not None else False,
        "mmp": fill.mmp,
        "api": True,
        "self_trade": False,
        "risk_reducing": False,
        "matching_id": None,
        "profit_loss": plain(fill.realized_pnl),
        "user_id": fill.account_id,
    }
    if one.kind is not None:
        row["underlying_price"] = index_number(fill.forward)
    if order is not None and order.quote_id:
        row.update(quote_id=order.quote_id, quote_set_id=order.quote_set_id)
    return row


# -- positions


def position_json(
    listing: Listing, position: Position | None, initial: float, maintenance: float, reserved: float
) -> dict[str, Any]:
    """A position, or the zero one. Margins in the settlement currency, positive; `reserved`: by open orders."""
    one = listing.instrument
    steps = position.amount if position is not None else 0
    average = position.average_price_excl_fees if position is not None else Decimal(0)
    floating = plain(position.unrealized(listing.mark)) if position is not None and steps else 0.0
    realized = plain(position.realized_pnl) if position is not None else 0.0
    shown: dict[str, Any] = {
        "instrument_name": one.name,
        "kind": kind_of(one),
        "direction": "buy" if steps > 0 else "sell" if steps < 0 else "zero",
        "size": one.amount_float(steps),
        "average_price": plain(average),
        "mark_price": mark_number(listing),
        "index_price": index_number(listing.index),
        "settlement_price": 0.0,
        "floating_profit_loss": floating,
        "realized_profit_loss": realized,
        "total_profit_loss": plain(floating + realized),
        "initial_margin": plain(initial),
        "maintenance_margin": plain(maintenance),
        "open_orders_margin": plain(reserved),
    }
    if one.kind is None:
        return shown | _future_position(listing, steps)
    return shown | _option_position(listing, steps, average)


def _option_position(listing: Listing, steps: int, average: Decimal) -> dict[str, Any]:
    """Greeks of the whole position: already multiplied by its size."""
    size = steps * float(listing.valuer.size)
    reference, forward = listing.reference, forward_number(listing)
    unit = forward if is_coin(listing.instrument) else 1.0
    greeks = {
        name: round(getattr(reference, name) * size, 5) if reference is not None else 0.0
        for name in ("delta", "gamma", "vega", "theta")
    }
    return {
        **greeks,
        "average_price_usd": round(float(average) * unit, 4),
        "floating_profit_loss_usd": round((float(listing.mark) - float(average)) * size * unit, 4),
    }


def _future_position(listing: Listing, steps: int) -> dict[str, Any]:
    """An inverse future's size is USD, its delta and `size_currency` coin."""
    one = listing.instrument
    amount, mark = one.amount_float(steps), float(listing.mark)
    coins = amount / mark if is_coin(one) and mark else 0.0 if is_coin(one) else amount
    return {
        "delta": plain(coins),
        "size_currency": plain(coins),
        "leverage": MAX_LEVERAGE,
        "interest_value": 0.0,
        "realized_funding": 0.0,
        "estimated_liquidation_price": None,
    }
