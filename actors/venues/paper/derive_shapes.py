"""Engine objects as Derive's JSON: instrument, order, trade, ticker, position. Shapes after the v3 schema, numbers as text.

Owns the field names and the number formats of answers and notices. Pure functions, no state; whoever calls gathers what
they need. Invariant: no number is in exponent form except greeks (as on the venue), and none carries more than twelve
decimals.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from actors.trading.instruments import Instrument, Side
from actors.venues.paper.derive_params import INT64_MAX
from actors.venues.paper.events import InstrumentState
from actors.venues.paper.listings import Listing, Reference
from actors.venues.paper.rules import VenueRules
from actors.venues.paper.tickets import ZERO, Fill, Order, OrderStatus, OrderType, Role, TimeInForce

MS = 1_000_000
YEAR_S = 365 * 86_400.0
TWELVE = Decimal("1e-12")
DIRECTION = {Side.BID: "buy", Side.ASK: "sell"}
NEVER_S = 1 << 62
RISK_UNIVERSE = 1
ZERO_ADDRESS = "0x" + 40 * "0"
PERP_MARGIN = {"im_perp_req": "0.066", "mm_perp_req": "0.05", "max_leverage": "15"}


def plain(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros, cut (not rounded) to twelve decimals."""
    cut = value.quantize(TWELVE, rounding=ROUND_DOWN)
    text = format(cut, "f").rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def number(value: float, digits: int = 12) -> str:
    """A model's float as money text, rounded."""
    return plain(Decimal(repr(round(value, digits))))


def greek(value: float) -> str:
    """Five significant digits; small ones in exponent form, as the venue writes them. None of it is "0"."""
    text = f"{value:.5g}" if value else "0"
    return text.replace("e-0", "E-").replace("e-", "E-").replace("e+0", "E+")


def price(instrument: Instrument, ticks: int) -> str:
    return trim(instrument.price_text(ticks))


def amount(instrument: Instrument, steps: int) -> str:
    return trim(instrument.amount_text(steps))


def trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def date_text(expiry_s: int) -> str:
    """An expiry as the venue names it: YYYYMMDD."""
    return datetime.fromtimestamp(expiry_s, UTC).strftime("%Y%m%d")


def kind_of(instrument: Instrument) -> str:
    return "option" if instrument.kind is not None else "perp"


def index_text(value: Decimal) -> str:
    """An index at its display tick of a cent."""
    return trim(f"{value:.2f}")


# -- instruments


def instrument_json(listing: Listing, rules: VenueRules) -> dict[str, Any]:
    one = listing.instrument
    is_option = one.kind is not None
    share = rules.option_allotment if is_option else rules.perp_allotment
    return {
        "instrument_name": one.name,
        "instrument_type": kind_of(one),
        "is_active": listing.state is InstrumentState.OPEN,
        "scheduled_activation": one.activation_s,
        "scheduled_deactivation": one.deactivation_s if one.deactivation_s < NEVER_S else INT64_MAX,
        "base_currency": one.underlying,
        "quote_currency": "USDC",
        "tick_size": plain(one.tick),
        "minimum_amount": amount(one, one.min_amount),
        "maximum_amount": amount(one, one.max_amount),
        "amount_step": plain(one.amount_step),
        "base_asset_address": one.asset_address,
        "base_asset_sub_id": str(one.sub_id),
        "maker_fee_rate": number(one.fees.maker_rate),
        "taker_fee_rate": number(one.fees.taker_rate),
        "base_fee": number(one.fees.base),
        "mark_price_fee_rate_cap": number(one.fees.cap),
        "pro_rata_fraction": plain(share.pro_rata_fraction),
        "fifo_min_allocation": plain(share.fifo_minimum),
        "pro_rata_amount_step": plain(share.pro_rata_step),
        "risk_universe_id": RISK_UNIVERSE,
        "option_details": _option_details(listing) if is_option else None,
        "perp_details": None if is_option else _perp_details(listing),
        "erc20_details": None,
    }


def spot_json(currency: str) -> dict[str, Any]:
    """The spot market of a coin: listed, since clients load every kind, but closed; nothing trades in it here."""
    return {
        "instrument_name": f"{currency}-USDC",
        "instrument_type": "erc20",
        "is_active": False,
        "scheduled_activation": 0,
        "scheduled_deactivation": INT64_MAX,
        "base_currency": currency,
        "quote_currency": "USDC",
        "tick_size": "0.01",
        "minimum_amount": "0.01",
        "maximum_amount": "1000",
        "amount_step": "0.001",
        "base_asset_address": ZERO_ADDRESS,
        "base_asset_sub_id": "0",
        "maker_fee_rate": "0.0015",
        "taker_fee_rate": "0.0015",
        "base_fee": "0",
        "mark_price_fee_rate_cap": None,
        "pro_rata_fraction": "0",
        "fifo_min_allocation": "0",
        "pro_rata_amount_step": "0.1",
        "risk_universe_id": RISK_UNIVERSE,
        "option_details": None,
        "perp_details": None,
        "erc20_details": {
            "decimals": 18,
            "underlying_erc20_address": ZERO_ADDRESS,
            "borrow_index": "1",
            "supply_index": "1",
        },
    }


def _option_details(listing: Listing) -> dict[str, Any]:
    one = listing.instrument
    assert one.kind is not None
    settled = listing.settlement_price
    return {
        "index": one.index_name,
        "expiry": one.expiry_s,
        "strike": number(one.strike),
        "option_type": one.kind.value,
        "settlement_price": None if settled is None else plain(settled),
    }


def _perp_details(listing: Listing) -> dict[str, Any]:
    funding = listing.reference.funding_rate if listing.reference else 0.0
    return {
        "index": listing.instrument.index_name,
        "funding_rate": number(funding),
        "aggregate_funding": "0",
        "max_rate_per_hour": "0.004",
        "min_rate_per_hour": "-0.004",
        "srm_perp_margin_requirements": dict(PERP_MARGIN),
    }


# -- tickers


def display(instrument: Instrument, value: float) -> str:
    """A price rounded to the tick of display: a far option's mark is "0"."""
    return price(instrument, max(0, round(value / instrument.tick_float)))


def ticker_json(listing: Listing, now_ms: int, vols: tuple[float, float], greeks: dict[str, float]) -> dict[str, Any]:
    """One snapshot. `vols`: implied of best bid and ask, 0 for none; `greeks`: d, g, v, t, r as the venue defines them."""
    one, book, reference = listing.instrument, listing.book, listing.reference
    bid, ask = book.best(Side.BID), book.best(Side.ASK)
    low, high = listing.band()
    mark = float(reference.mark) if reference else 0.0
    return {
        "t": now_ms,
        "b": price(one, bid) if bid is not None else "0",
        "B": amount(one, book.best_amount(Side.BID)),
        "a": price(one, ask) if ask is not None else "0",
        "A": amount(one, book.best_amount(Side.ASK)),
        "I": index_text(listing.index),
        "M": display(one, mark),
        "f": None if one.kind is not None else number(reference.funding_rate if reference else 0.0),
        "minp": price(one, low) if reference else "0",
        "maxp": price(one, high) if reference else "0",
        "option_pricing": _pricing(one, reference, mark, vols, greeks) if one.kind is not None else None,
        "stats": _stats(listing),
    }


def _pricing(
    one: Instrument, reference: Reference | None, mark: float, vols: tuple[float, float], greeks: dict[str, float]
) -> dict[str, str]:
    if reference is None:
        return dict.fromkeys(("d", "g", "v", "t", "r", "i", "bi", "ai", "f", "m", "df"), "0")
    return {
        **{name: greek(value) for name, value in greeks.items()},
        "i": greek(reference.mark_vol),
        "bi": greek(vols[0]),
        "ai": greek(vols[1]),
        "f": trim(f"{reference.forward:.1f}"),
        "m": display(one, mark),
        "df": number(reference.discount, 6),
    }


def _stats(listing: Listing) -> dict[str, Any]:
    one, stats = listing.instrument, listing.stats
    contracts = one.amount_float(stats.volume)
    premium = Decimal(stats.value) * one.tick * one.amount_step
    return {
        "c": amount(one, stats.volume),
        "v": number(contracts * float(listing.index), 2),
        "pr": plain(premium),
        "n": stats.count,
        "oi": amount(one, stats.open_interest),
        "h": price(one, stats.high),
        "l": price(one, stats.low),
        "p": "0",
    }


def book_json(listing: Listing, group: int, depth: int, now_ms: int) -> dict[str, Any]:
    one, book = listing.instrument, listing.book
    sides = (book.levels(side, depth, group) for side in (Side.BID, Side.ASK))
    bids, asks = ([[price(one, ticks), amount(one, steps)] for ticks, steps in levels] for levels in sides)
    return {
        "instrument_name": one.name,
        "timestamp": now_ms,
        "publish_id": book.change_id,
        "bids": bids,
        "asks": asks,
    }


# -- orders and trades

STATUS = {
    OrderStatus.PENDING: "open",
    OrderStatus.OPEN: "open",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELLED: "cancelled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REJECTED: "rejected",
}
CANCEL_REASONS = {
    "user_request",
    "mmp_trigger",
    "insufficient_margin",
    "signed_max_fee_too_low",
    "cancel_on_disconnect",
    "ioc_or_market_partial_fill",
    "session_key_deregistered",
    "compliance",
}
"""The engine's reasons that Derive has a word for; the others end as `validation_failed`."""


def order_json(instrument: Instrument, order: Order) -> dict[str, Any]:
    slid = order.price != order.signed_price and order.order_type is OrderType.LIMIT
    reason = order.cancel_reason.value
    return {
        "order_id": order.order_id,
        "subaccount_id": order.account_id,
        "instrument_name": order.instrument,
        "direction": DIRECTION[order.side],
        "label": order.label,
        "order_type": order.order_type.value,
        "time_in_force": "post_only" if order.post_only else _tif(order.tif),
        "amount": amount(instrument, order.amount),
        "filled_amount": amount(instrument, order.filled),
        "average_price": plain(order.average_ticks * instrument.tick),
        "limit_price": price(instrument, order.price),
        "signed_limit_price": price(instrument, order.signed_price) if slid else None,
        "max_fee": plain(order.max_fee or ZERO),
        "order_fee": plain(order.fee_paid),
        "extra_fee": "0",
        "nonce": str(order.nonce),
        "signature": order.signature,
        "signature_expiry_sec": order.signature_expiry_s,
        "signer": order.signer,
        "mmp": order.mmp,
        "is_transfer": False,
        "order_status": STATUS[order.status],
        "cancel_reason": reason if reason in CANCEL_REASONS or not reason else "validation_failed",
        "creation_timestamp": order.created_ns // MS,
        "last_update_timestamp": order.updated_ns // MS,
        "quote_id": None,
        "replaced_order_id": order.replaced_order_id or None,
        "trigger_type": None,
        "trigger_price": None,
        "trigger_price_type": None,
        "trigger_reject_message": None,
        "algo_type": None,
        "algo_duration_sec": None,
        "algo_num_slices": None,
        "algo_slices_completed": None,
    }


def _tif(tif: TimeInForce) -> str:
    return tif.value if tif in (TimeInForce.IOC, TimeInForce.FOK) else "gtc"


def trade_json(instrument: Instrument, fill: Fill) -> dict[str, Any]:
    """A private trade row, fresh: not yet in a batch."""
    return {
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "subaccount_id": fill.account_id,
        "label": fill.label,
        **_trade_core(instrument, fill),
        "is_transfer": False,
        "op_uuid": fill.trade_id,
        "batch_status": None,
        "tx_hash": None,
    }


def public_trade_json(instrument: Instrument, fill: Fill, wallet: str) -> dict[str, Any]:
    return {
        "trade_id": fill.trade_id,
        "subaccount_id": fill.account_id,
        "wallet": wallet,
        **_trade_core(instrument, fill),
    }


def _trade_core(instrument: Instrument, fill: Fill) -> dict[str, Any]:
    return {
        "instrument_name": fill.instrument,
        "timestamp": fill.at_ns // MS,
        "direction": DIRECTION[fill.side],
        "trade_price": price(instrument, fill.price),
        "trade_amount": amount(instrument, fill.amount),
        "trade_fee": plain(fill.fee),
        "expected_rebate": "0",
        "extra_fee": "0",
        "liquidity_role": "maker" if fill.role is Role.MAKER else "taker",
        "mark_price": plain(fill.mark),
        "index_price": plain(fill.index),
        "realized_pnl": plain(fill.realized_pnl),
        "realized_pnl_excl_fees": plain(fill.realized_pnl_excl_fees),
        "quote_id": None,
        "rfq_id": None,
    }
