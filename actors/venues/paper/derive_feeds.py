"""Currencies, oracle feeds and settlement prices of the Derive face.

Owns what the venue says about an underlying as a whole: its index, the forwards, the smile, the prices of expiries gone
by. Reads the engine and the world's smile, changes nothing, signs nothing. Invariant: the published smile gives back the
volatilities of the tickers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import attrs

from actors.trading.svi import SviSlice
from actors.venues.paper import derive_errors as codes
from actors.venues.paper.derive_errors import Refused
from actors.venues.paper.derive_params import ByCurrency, Empty, GetFeeds
from actors.venues.paper.derive_shapes import MS, RISK_UNIVERSE, YEAR_S, date_text, index_text, kind_of, number, plain
from actors.venues.paper.engine import Engine

USDC_ADDRESS = "0x57B03E14d409ADC7fAb6CFc44b5886CAD2D5f02b"
NO_SIGNATURES: dict[str, list[str]] = {"signers": [], "signatures": []}


@attrs.define(eq=False)
class DeriveFeeds:
    engine: Engine
    clock_ns: Callable[[], int]
    svi: Callable[[str, int], SviSlice | None] = lambda underlying, expiry_s: None
    """The world's smile of an expiry."""

    def underlyings(self) -> list[str]:
        return sorted({listing.instrument.underlying for listing in self.engine.listings.values()})

    def index_of(self, currency: str) -> Decimal:
        price = self.engine.indices.get(f"{currency}-USD")
        if price is None:
            raise Refused(codes.NO_CURRENCY, currency)
        return price

    def currencies(self, fields: Empty) -> list[dict[str, Any]]:
        return [self._currency(name) for name in self.underlyings()]

    def currency(self, fields: ByCurrency) -> dict[str, Any]:
        self.index_of(fields.currency)
        return self._currency(fields.currency)

    def universes(self, fields: Empty) -> list[dict[str, Any]]:
        """The one risk universe: standard margin on USDC."""
        usdc = {
            "address": USDC_ADDRESS,
            "name": "USDC",
            "erc20": {"decimals": 6, "underlying_erc20": USDC_ADDRESS},
            "im_discount": "1",
            "mm_discount": "1",
            "min_deposit_usd": "0",
        }
        names = [f"{name}-{kind}" for name in self.underlyings() for kind in ("OPTION", "PERP")]
        manager = {"manager_id": 1, "margin_type": "SM", "collaterals": [usdc], "instruments": names}
        return [
            {
                "risk_universe_id": RISK_UNIVERSE,
                "name": "PRIME",
                "description": None,
                "managers": [manager],
                "security_module": {"cash_asset": USDC_ADDRESS, "cash_currency": "USDC", "subaccount_id": 1},
            }
        ]

    def _currency(self, name: str) -> dict[str, Any]:
        spot = index_text(self.index_of(name))
        universe = {
            "risk_universe_id": RISK_UNIVERSE,
            "risk_universe_name": "PRIME",
            "oi": {"current_open_interest": "0", "interest_cap": "1000000"},
        }
        assets = {
            kind: {"address": one.asset_address, "name": f"{name}-{kind.upper()}", "universes": [universe]}
            for kind, one in self._one_of_each_kind(name).items()
        }
        return {
            "currency": name,
            "market_type": "ALL",
            "spot_price": spot,
            "spot_price_24h": spot,
            "spot": [],
            "managers": [{"risk_universe_id": RISK_UNIVERSE, "risk_universe_name": "PRIME", "sm": 1, "pm": 5}],
            "option": assets.get("option"),
            "perp": assets.get("perp"),
        }

    def _one_of_each_kind(self, name: str) -> dict[str, Any]:
        ours = (entry.instrument for entry in self.engine.listings.values() if entry.instrument.underlying == name)
        return {kind_of(one): one for one in ours}

    def feeds(self, fields: GetFeeds) -> dict[str, Any]:
        """The oracle's view, unsigned: spot, and per expiry the forward's difference, the rate and the smile."""
        names = [fields.currency] if fields.currency is not None else self.underlyings()
        spots = {name: self._feed(name, price=index_text(self.index_of(name))) for name in names}
        forwards = {name: self._forwards(name, fields.expiry) for name in names}
        rates = {
            name: {expiry: self._feed(name, expiry=int(expiry), rate="0") for expiry in forwards[name]} for name in names
        }
        return {
            "spot_data": spots,
            "fwd_data": forwards,
            "rate_data": rates,
            "perp_data": {},
            "vol_data": {name: self._smiles(name, forwards[name]) for name in names},
            "funding_data": {},
        }

    def _forwards(self, name: str, expiry: int | None) -> dict[str, Any]:
        spot = self.index_of(name)
        found: dict[str, Any] = {}
        for listing in self.engine.live_listings():
            one = listing.instrument
            if one.underlying != name or one.kind is None or listing.reference is None or expiry not in (None, one.expiry_s):
                continue
            if str(one.expiry_s) not in found:
                difference = plain(listing.reference.forward - spot)
                found[str(one.expiry_s)] = self._feed(
                    name,
                    expiry=one.expiry_s,
                    fwd_diff=difference,
                    spot_aggregate_latest="0",
                    spot_aggregate_start="0",
                )
        return found

    def _smiles(self, name: str, expiries: Iterable[str]) -> dict[str, Any]:
        """Raw SVI in total variance: vol at the reference time is the root of variance over `SVI_refTau`."""
        found = {expiry: self.svi(name, int(expiry)) for expiry in expiries}
        return {
            expiry: self._feed(name, expiry=int(expiry), vol_data=self._svi_json(name, int(expiry), one))
            for expiry, one in found.items()
            if one is not None
        }

    def _svi_json(self, name: str, expiry_s: int, one: SviSlice) -> dict[str, str]:
        """The slice at the level of the marks, which leave out the variance that the settlement's averaging takes away."""
        years = max(0.0, (expiry_s - self.clock_ns() / 1e9) / YEAR_S)
        strike, reference = next(
            (entry.instrument.strike, entry.reference)
            for entry in self.engine.live_listings()
            if entry.reference is not None and (entry.instrument.underlying, entry.instrument.expiry_s) == (name, expiry_s)
        )
        believed = one.total_variance(math.log(strike / float(reference.forward)))
        level = reference.mark_vol**2 * years / believed if believed > 0 else 1.0
        return {
            "SVI_a": number(one.a * level),
            "SVI_b": number(one.b * level),
            "SVI_rho": number(one.rho),
            "SVI_m": number(one.m),
            "SVI_sigma": number(one.sigma),
            "SVI_fwd": plain(reference.forward),
            "SVI_refTau": number(years),
        }

    def _feed(self, currency: str, **values: Any) -> dict[str, Any]:
        now_s = self.clock_ns() // 1_000_000_000
        return {
            "currency": currency,
            "confidence": "1",
            "timestamp": now_s,
            "deadline": now_s + 300,
            "signatures": dict(NO_SIGNATURES),
            **values,
        }

    def settlement_prices(self, fields: ByCurrency) -> dict[str, Any]:
        """Every expiry listed or settled; the price is null until it is known."""
        self.index_of(fields.currency)
        prices: dict[int, str | None] = {}
        for listing in self.engine.listings.values():
            one = listing.instrument
            if one.kind is not None and one.underlying == fields.currency:
                settled = listing.settlement_price
                prices[one.expiry_s] = None if settled is None else plain(settled)
        rows = [
            {"expiry_date": date_text(expiry), "utc_expiry_sec": expiry, "price": price}
            for expiry, price in sorted(prices.items())
        ]
        return {"expiries": rows}

    def spot_feed(self, currency: str) -> dict[str, Any]:
        price, now_ms = plain(self.index_of(currency)), self.clock_ns() // MS
        entry = {
            "price": price,
            "confidence": "1",
            "price_prev_daily": price,
            "confidence_prev_daily": "1",
            "timestamp_prev_daily": now_ms - 86_400_000,
        }
        return {"timestamp": now_ms, "feeds": {currency: entry}}
