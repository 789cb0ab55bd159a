"""Public methods of the Deribit face: instruments, tickers, books, summaries, index, deliveries, the public tape.

Owns implied volatilities of the touch and the tape of public trades. Changes nothing in the engine. Invariant: a ticker is
computed at most once for each state of touch and reference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

from actors.trading.implied import implied_vol
from actors.trading.instruments import OptionKind, Side
from actors.venues.deribit.names import day_text
from actors.venues.paper import deribit_params as p
from actors.venues.paper.deribit_errors import BAD_PARAMS, NO_INSTRUMENT, REFUSED_REQUEST, Refused, bad_param
from actors.venues.paper.deribit_shapes import (
    MS,
    change_id,
    contract_size,
    currency_of,
    forward_number,
    index_number,
    instrument_json,
    is_coin,
    kind_of,
    levels_json,
    mark_number,
    percent,
    plain,
    price,
    stats_json,
    tape_json,
    ticker_json,
    whole,
)
from actors.venues.paper.engine import Engine
from actors.venues.paper.events import InstrumentState, Traded
from actors.venues.paper.listings import Listing
from actors.venues.paper.tickets import Fill, Refusal

YEAR_S = 365 * 86_400.0
DAY_S = 86_400
TAPE = 20_000
FIXING_S = 1800
VERSION = "1.2.26"
CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR")
DEPTHS = (1, 5, 10, 20, 50, 100, 1000, 10_000)
LONG_NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDC": "USD Coin", "USDT": "Tether USD", "EURR": "EURR"}
COIN_TYPES = {"BTC": "BITCOIN", "ETH": "ETHER"}


@attrs.define(eq=False)
class DeribitMarket:
    engine: Engine
    clock_ns: Callable[[], int]
    tape: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=TAPE))
    """Public trades, oldest first."""
    _tickers: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = attrs.field(factory=dict)
    _numbers: dict[str, int] = attrs.field(factory=dict)
    deliveries: dict[str, dict[int, Decimal]] = attrs.field(factory=dict)
    """Index name to delivery price by expiry."""

    # -- looking up

    def listing(self, name: str) -> Listing:
        try:
            return self.engine.listing(name)
        except Refusal:
            pass
        if not name or "-" not in name:
            raise bad_param("instrument_name", "wrong format")
        raise Refused(NO_INSTRUMENT, "", "instrument_name")

    def wanted(self, currency: str, kind: str) -> Callable[[Listing], bool]:
        """Whether an instrument is of this currency and kind; combos are not listed here."""
        if currency != "any" and currency.upper() not in CURRENCIES:
            raise bad_param("currency", "wrong format")
        asked = currency.upper()

        def fits(listing: Listing) -> bool:
            one = listing.instrument
            return asked in ("ANY", currency_of(one)) and kind in ("any", kind_of(one))

        return fits

    def index_of(self, name: str) -> Decimal:
        found = self.engine.indices.get(name)
        if found is None:
            raise bad_param("index_name", "wrong format")
        return found

    # -- instruments

    def instruments(self, fields: p.Instruments) -> list[dict[str, Any]]:
        fits = self.wanted(fields.currency, fields.kind)
        found = [
            listing
            for listing in self.engine.listings.values()
            if fits(listing) and (listing.state is InstrumentState.DELIVERED) == fields.expired
        ]
        return [self.record(listing) for listing in found]

    def record(self, listing: Listing) -> dict[str, Any]:
        return instrument_json(listing, self._numbers.setdefault(listing.name, len(self._numbers)))

    def instrument(self, fields: p.ByInstrument) -> dict[str, Any]:
        return self.record(self.listing(fields.instrument_name))

    def size_of_contract(self, fields: p.ByInstrument) -> dict[str, Any]:
        return {"contract_size": whole(contract_size(self.listing(fields.instrument_name).instrument))}

    def expirations(self, fields: p.Expirations) -> dict[str, Any]:
        """By kind, soonest first; for `any` currency alike."""
        fits = self.wanted("any" if fields.currency in ("any", "grouped") else fields.currency, fields.kind)
        live = [listing.instrument for listing in self.engine.live_listings() if fits(listing)]
        found: dict[str, list[str]] = {}
        options = sorted({one.expiry_s for one in live if one.kind is not None})
        if options:
            found["option"] = [day_text(expiry) for expiry in options]
        if any(one.kind is None for one in live):
            found["future"] = ["PERPETUAL"]
        return found

    # -- tickers and books

    def ticker(self, fields: p.ByInstrument) -> dict[str, Any]:
        return self.snapshot(self.listing(fields.instrument_name))

    def snapshot(self, listing: Listing) -> dict[str, Any]:
        state = (*self.version(listing), listing.index)
        kept = self._tickers.get(listing.name)
        if kept is None or kept[0] != state:
            kept = (state, self._snapshot(listing))
            self._tickers[listing.name] = kept
        return {**kept[1], "timestamp": self.clock_ns() // MS}

    @staticmethod
    def version(listing: Listing) -> tuple[Any, ...]:
        """What a ticker depends on, but for time and index, which follow with the next reference."""
        book = listing.book
        return (
            book.best(Side.BID), book.best_amount(Side.BID), book.best(Side.ASK), book.best_amount(Side.ASK),
            listing.reference, listing.stats.count, listing.state,
        )  # fmt: skip

    def _snapshot(self, listing: Listing) -> dict[str, Any]:
        one, now_ns = listing.instrument, self.clock_ns()
        vols = (0.0, 0.0)
        if one.kind is not None and listing.reference is not None:
            sides = (listing.book.best(side) for side in (Side.BID, Side.ASK))
            bid, ask = (self.vol_at(listing, best, now_ns) for best in sides)
            vols = (bid, ask)
        days = (one.expiry_s - now_ns / 1e9) / DAY_S
        return ticker_json(listing, now_ns // MS, vols, self._delivery(listing, now_ns), days)

    def vol_at(self, listing: Listing, ticks: int | None, at_ns: int) -> float:
        """The volatility a price implies with the mark's forward, an annual fraction; 0 when none does."""
        one, reference = listing.instrument, listing.reference
        if ticks is None or one.kind is None or reference is None or not reference.forward:
            return 0.0
        forward = float(reference.forward)
        premium = one.price_float(ticks) * (forward if is_coin(one) else 1.0)
        years = (one.expiry_s - at_ns / 1e9) / YEAR_S
        return implied_vol(premium, forward, one.strike, years, one.kind is OptionKind.CALL) or 0.0

    def _delivery(self, listing: Listing, now_ns: int) -> Decimal:
        """What delivery would be: the index, and in the last half hour the mean so far."""
        one = listing.instrument
        if one.kind is None or one.expiry_s * 1_000_000_000 - now_ns > FIXING_S * 1_000_000_000:
            return listing.index
        return self.engine.settlement_mean(one.index_name, one.expiry_s)[0]

    def order_book(self, fields: p.OrderBook) -> dict[str, Any]:
        if fields.depth not in DEPTHS:
            raise bad_param("depth", f"must be one of {', '.join(map(str, DEPTHS))}")
        listing = self.listing(fields.instrument_name)
        return {
            **self.snapshot(listing),
            "change_id": change_id(listing.book.told_id),
            "bids": levels_json(listing, Side.BID, fields.depth),
            "asks": levels_json(listing, Side.ASK, fields.depth),
        }

    def summaries(self, fields: p.ByCurrency) -> list[dict[str, Any]]:
        fits = self.wanted(fields.currency, fields.kind)
        return [self._summary(listing) for listing in self.engine.live_listings() if fits(listing)]

    def summary(self, fields: p.ByInstrument) -> list[dict[str, Any]]:
        return [self._summary(self.listing(fields.instrument_name))]

    def _summary(self, listing: Listing) -> dict[str, Any]:
        """Here an empty side is null, unlike in a ticker."""
        one, book, stats = listing.instrument, listing.book, stats_json(listing)
        bid, ask = book.best(Side.BID), book.best(Side.ASK)
        record = self.record(listing)
        mid = (one.price_float(bid) + one.price_float(ask)) / 2 if bid is not None and ask is not None else None
        shown = {
            "instrument_name": one.name,
            "base_currency": record["base_currency"],
            "quote_currency": record["quote_currency"],
            "creation_timestamp": self.clock_ns() // MS,
            "bid_price": price(one, bid) if bid is not None else None,
            "ask_price": price(one, ask) if ask is not None else None,
            "mid_price": plain(mid) if mid is not None else None,
            "mark_price": mark_number(listing),
            "last": price(one, listing.stats.last) if listing.stats.count else None,
            "open_interest": one.amount_float(listing.stats.open_interest),
            "estimated_delivery_price": index_number(listing.index),
            **stats,
        }
        if one.kind is None:
            return {**shown, "funding_8h": 0.0, "current_funding": 0.0}
        vol = listing.reference.mark_vol if listing.reference is not None else 0.0
        return {
            **shown,
            "mark_iv": percent(vol),
            "interest_rate": 0.0,
            "underlying_price": forward_number(listing),
            "underlying_index": self.snapshot(listing)["underlying_index"],
        }

    # -- index and deliveries

    def index_price(self, fields: p.ByIndex) -> dict[str, Any]:
        found = index_number(self.index_of(fields.index_name))
        return {"index_price": found, "estimated_delivery_price": found}

    def index_names(self, fields: p.IndexNames) -> list[Any]:
        names = sorted(self.engine.indices)
        if not fields.extended:
            return list(names)
        combos = {"future_combo_creation_enabled": False, "option_combo_creation_enabled": False}
        return [{"name": name, **combos} for name in names]

    def month_vol(self, index_name: str) -> float:
        """The mark volatility nearest the money, about a month out, percent; 0 where nothing is marked."""
        month_s = self.clock_ns() // 1_000_000_000 + 30 * DAY_S
        marked = [
            (abs(one.expiry_s - month_s), abs(one.strike - float(seen.forward)), seen.mark_vol)
            for one, seen in ((x.instrument, x.reference) for x in self.engine.live_listings())
            if one.index_name == index_name and one.kind is not None and seen is not None
        ]
        return percent(min(marked)[2]) if marked else 0.0

    def delivery_prices(self, fields: p.DeliveryPrices) -> dict[str, Any]:
        self.index_of(fields.index_name)
        known = sorted(self.deliveries.get(fields.index_name, {}).items(), reverse=True)
        page = known[fields.offset : fields.offset + _count(fields.count)]
        rows = [
            {"date": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d"), "delivery_price": plain(found, 4)}
            for at, found in page
        ]
        return {"data": rows, "records_total": len(known)}

    def note_settled(self, name: str, found: Decimal) -> None:
        one = self.engine.listing(name).instrument
        self.deliveries.setdefault(one.index_name, {})[one.expiry_s] = found

    # -- the tape

    def take(self, trade: Traded) -> dict[str, Any]:
        """A trade's public row, remembered for the history."""
        row = self.tape_row(trade.taker)
        self.tape.append(row)
        return row

    def tape_row(self, fill: Fill) -> dict[str, Any]:
        listing = self.engine.listing(fill.instrument)
        return tape_json(listing, fill, self.vol_at(listing, fill.price, fill.at_ns))

    def trades_by_instrument(self, fields: p.LastTrades) -> dict[str, Any]:
        self.listing(fields.instrument_name)
        rows = [row for row in self.tape if row["instrument_name"] == fields.instrument_name]
        return trade_page([row for row in rows if fields.start_seq <= row["trade_seq"] <= fields.end_seq], fields)

    def trades_by_currency(self, fields: p.LastTrades) -> dict[str, Any]:
        fits = self.wanted(fields.currency, fields.kind)
        return trade_page([r for r in self.tape if fits(self.engine.listing(r["instrument_name"]))], fields)

    # -- the venue

    def currencies(self, fields: p.Empty) -> list[dict[str, Any]]:
        return [
            {
                "coin_type": COIN_TYPES.get(name, "ETHER"),
                "currency": name,
                "currency_long": LONG_NAMES[name],
                "min_confirmations": 1,
                "min_withdrawal_fee": 0.0001,
                "withdrawal_fee": 0.0001,
                "withdrawal_priorities": [],
                "network_currency": "BTC" if name == "BTC" else "ETH",
                "network_fee": 0.0001,
                "decimals": 8 if name == "BTC" else 6,
                "fee_precision": 4,
                "in_cross_collateral_pool": False,
            }
            for name in CURRENCIES
        ]

    def time(self, fields: p.Empty) -> int:
        return self.time_ms()

    def time_ms(self) -> int:
        return self.clock_ns() // MS

    def status(self, fields: p.Empty) -> dict[str, Any]:
        """`locked` is a text, as on the venue."""
        return {"locked": "true" if self.engine.maintenance else "false"}

    def test(self, fields: p.Test) -> dict[str, str]:
        if fields.expected_result == "exception":
            raise Refused(REFUSED_REQUEST, "exception asked for", "expected_result")
        return {"version": VERSION}

    def hello(self, fields: p.Hello) -> dict[str, str]:
        return {"version": VERSION}


def _count(asked: int) -> int:
    if not 1 <= asked <= p.MAX_COUNT:
        raise Refused(BAD_PARAMS, f"must be from 1 to {p.MAX_COUNT}", "count")
    return asked


def trade_page(rows: Iterable[dict[str, Any]], fields: p.LastTrades) -> dict[str, Any]:
    """Rows (oldest first) within the asked bounds, newest first unless sorted `asc`, and whether there are more.

    A start without an end and without a sorting reads forward from it.
    """
    low = p.milliseconds(fields.start_timestamp, "start_timestamp")
    high = p.milliseconds(fields.end_timestamp, "end_timestamp")
    found = [row for row in rows if low <= row["timestamp"] <= high]
    if fields.start_id or fields.end_id:
        first = _serial(fields.start_id) if fields.start_id else 0
        last = _serial(fields.end_id) if fields.end_id else 1 << 62
        found = [row for row in found if first <= _serial(row["trade_id"]) <= last]
    forward = fields.sorting == "asc" or (fields.sorting == "default" and bool(fields.start_id or fields.start_seq))
    if not forward:
        found.reverse()
    count = _count(fields.count)
    return {"trades": found[:count], "has_more": len(found) > count}


def _serial(trade_id: str) -> int:
    digits = trade_id.rpartition("-")[2]
    if not digits.isdigit():
        raise bad_param("start_id", "wrong format")
    return int(digits)
