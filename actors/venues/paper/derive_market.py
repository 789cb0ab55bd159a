"""Public methods of the Derive face: instruments, tickers, the public tape.

Owns ticker snapshots with the venue's own greeks (finite differences, reference 3.5) and the tape of public trades.
Changes nothing in the engine. Invariant: a snapshot is computed at most once for each state of book and reference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import attrs

from actors.trading.implied import implied_vol
from actors.trading.instruments import OptionKind, Side
from actors.trading.pricing import black76
from actors.venues.paper import derive_errors as codes
from actors.venues.paper.derive_accounts import page_of
from actors.venues.paper.derive_errors import Refused
from actors.venues.paper.derive_params import (
    ByInstrument,
    Empty,
    GetTickers,
    ListInstruments,
    PublicTrades,
)
from actors.venues.paper.derive_shapes import (
    MS,
    RISK_UNIVERSE,
    YEAR_S,
    date_text,
    instrument_json,
    kind_of,
    public_trade_json,
    spot_json,
    ticker_json,
)
from actors.venues.paper.engine import Engine
from actors.venues.paper.events import InstrumentState, Traded
from actors.venues.paper.listings import Listing

DAY_YEARS = 1 / 365.0
TAPE = 20_000


def venue_greeks(forward: float, strike: float, years: float, vol: float, is_call: bool) -> dict[str, float]:
    """Derive's published greeks: changes of the price, not derivatives.

    Delta: forward up 0.1 %, change over bump. Gamma: change of that delta over the bump. Vega: one vol point up, the whole
    change. Theta: one day less to run, less the price now. Rho: price x years.
    """
    if years <= 0 or vol <= 0 or forward <= 0:
        return dict.fromkeys("dgvtr", 0.0)
    bump = forward * 0.001
    now = black76(forward, strike, years, vol, is_call)
    up = black76(forward + bump, strike, years, vol, is_call)
    down = black76(forward - bump, strike, years, vol, is_call)
    return {
        "d": (up - now) / bump,
        "g": (up - 2 * now + down) / (bump * bump),
        "v": black76(forward, strike, years, vol + 0.01, is_call) - now,
        "t": black76(forward, strike, max(0.0, years - DAY_YEARS), vol, is_call) - now,
        "r": now * years,
    }


@attrs.define(eq=False)
class DeriveMarket:
    engine: Engine
    clock_ns: Callable[[], int]
    tape: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=TAPE))
    """Public trade rows, oldest first; maker's and taker's row of each trade."""
    _snapshots: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = attrs.field(factory=dict)

    # -- instruments

    def instruments(self, fields: ListInstruments) -> dict[str, Any]:
        """Sorted by name, descending; an empty listing is error 12001."""
        if fields.instrument_type == "erc20":
            return self._spots(fields)
        found = [
            listing
            for listing in self.engine.listings.values()
            if kind_of(listing.instrument) == fields.instrument_type
            and (listing.state is InstrumentState.DELIVERED) == fields.expired
            and fields.currency in (None, listing.instrument.underlying)
            and fields.risk_universe_id in (None, RISK_UNIVERSE)
        ]
        if not found:
            raise Refused(codes.NO_INSTRUMENT)
        found.sort(key=lambda listing: listing.name, reverse=True)
        rows, pagination = page_of(found, fields.page, fields.page_size)
        shown = [instrument_json(listing, self.engine.rules) for listing in rows]
        return {"instruments": shown, "pagination": pagination}

    def _spots(self, fields: ListInstruments) -> dict[str, Any]:
        coins = {listing.instrument.underlying for listing in self.engine.listings.values()}
        names = sorted((name for name in coins if fields.currency in (None, name)), reverse=True)
        if fields.expired or not names:
            raise Refused(codes.NO_INSTRUMENT)
        rows, pagination = page_of(names, fields.page, fields.page_size)
        return {"instruments": [spot_json(name) for name in rows], "pagination": pagination}

    def instrument(self, fields: ByInstrument) -> dict[str, Any]:
        return instrument_json(self.engine.listing(fields.instrument_name), self.engine.rules)

    def live_names(self, fields: Empty) -> list[str]:
        return sorted(listing.name for listing in self.engine.live_listings())

    # -- tickers

    def snapshot(self, listing: Listing) -> dict[str, Any]:
        state = self.version(listing)
        kept = self._snapshots.get(listing.name)
        if kept is None or kept[0] != state:
            kept = (state, self._snapshot(listing))
            self._snapshots[listing.name] = kept
        return {**kept[1], "t": self.clock_ns() // MS}

    def version(self, listing: Listing) -> tuple[Any, ...]:
        """What a snapshot depends on, but the time."""
        return (listing.book.change_id, listing.reference, listing.index, listing.stats.count)

    def _snapshot(self, listing: Listing) -> dict[str, Any]:
        one, reference = listing.instrument, listing.reference
        vols, greeks = (0.0, 0.0), dict.fromkeys("dgvtr", 0.0)
        if one.kind is not None and reference is not None:
            years = max(0.0, (one.expiry_s - self.clock_ns() / 1e9) / YEAR_S)
            is_call = one.kind is OptionKind.CALL
            forward = float(reference.forward)
            greeks = venue_greeks(forward, one.strike, years, reference.mark_vol, is_call)
            vols = (
                self._vol_at(listing, Side.BID, forward, years, is_call),
                self._vol_at(listing, Side.ASK, forward, years, is_call),
            )
        return ticker_json(listing, 0, vols, greeks)

    def _vol_at(self, listing: Listing, side: Side, forward: float, years: float, is_call: bool) -> float:
        best = listing.book.best(side)
        if best is None or forward <= 0:
            return 0.0
        price = listing.instrument.price_float(best)
        return implied_vol(price, forward, listing.instrument.strike, years, is_call) or 0.0

    def ticker(self, fields: ByInstrument) -> dict[str, Any]:
        return self.snapshot(self.engine.listing(fields.instrument_name))

    def tickers(self, fields: GetTickers) -> dict[str, Any]:
        """Options need currency and expiry date, everything else forbids the date."""
        is_option = fields.instrument_type == "option"
        if is_option and (fields.currency is None or fields.expiry_date is None):
            raise Refused(codes.BAD_PARAMS, "options need currency and expiry_date")
        if not is_option and fields.expiry_date is not None:
            raise Refused(codes.BAD_PARAMS, "expiry_date is for options only")
        found = [
            listing
            for listing in self.engine.live_listings()
            if kind_of(listing.instrument) == fields.instrument_type
            and fields.currency in (None, listing.instrument.underlying)
            and (fields.expiry_date is None or str(fields.expiry_date) == date_text(listing.instrument.expiry_s))
        ]
        return {"tickers": {listing.name: self.snapshot(listing) for listing in found}}

    # -- the tape

    def public_rows(self, trade: Traded) -> list[dict[str, Any]]:
        """Both rows of a trade, taker's last; remembered for the history."""
        one = self.engine.listing(trade.maker.instrument).instrument
        rows = [public_trade_json(one, fill, self._wallet(fill.account_id)) for fill in (trade.maker, trade.taker)]
        self.tape.extend(rows)
        return rows

    def _wallet(self, account_id: int) -> str:
        account = self.engine.accounts[account_id]
        return house_wallet(account_id) if account.house else account.owner

    def trades(self, fields: PublicTrades) -> dict[str, Any]:
        """Newest first."""
        rows = [row for row in reversed(self.tape) if self._wanted(row, fields)]
        shown, pagination = page_of(rows, fields.page, fields.page_size)
        settled = [{**row, "tx_hash": "", "batch_status": "Settled"} for row in shown]
        return {"trades": settled, "pagination": pagination}

    def _wanted(self, row: dict[str, Any], fields: PublicTrades) -> bool:
        one = self.engine.listing(row["instrument_name"]).instrument
        return (
            fields.from_timestamp <= row["timestamp"] <= fields.to_timestamp
            and fields.instrument_name in (None, row["instrument_name"])
            and fields.subaccount_id in (None, row["subaccount_id"])
            and fields.trade_id in (None, row["trade_id"])
            and fields.currency in (None, one.underlying)
            and fields.instrument_type in (None, kind_of(one))
        )

    # -- the venue

    def time(self, fields: Empty) -> int:
        return self.clock_ns() // MS

    def incidents(self, fields: Empty) -> dict[str, Any]:
        if not self.engine.maintenance:
            return {"incidents": []}
        incident = {
            "creation_timestamp_sec": self.clock_ns() // 1_000_000_000,
            "label": "maintenance",
            "message": "The exchange is under maintenance",
            "monitor_type": "manual",
            "severity": "high",
        }
        return {"incidents": [incident]}


def house_wallet(account_id: int) -> str:
    """A made-up address for an account of the world itself."""
    return "0x" + f"{account_id & ((1 << 160) - 1):040x}"

