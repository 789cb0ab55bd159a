"""Avellaneda and Stoikov: quotes about a reservation price that falls with inventory.

    reservation = s - q gamma sigma^2 tau,    whole spread = gamma sigma^2 tau + (2 / gamma) ln(1 + gamma / k)

Source: M. Avellaneda, S. Stoikov, "High-frequency trading in a limit order book", Quantitative Finance 8(3), 2008,
section 3.2. Their horizon is a trading day that ends; options are quoted round the clock, so tau is a rolling horizon,
cut at the option's expiry. s is the fair value in quote currency per unit, or its volatility in vol points (`in_vol`,
turned to money by vega); q is in contracts. Invariant: flat, the wish is symmetric about fair value.
"""

from __future__ import annotations

import math

import attrs

from actors.console.settings import LimitSettings, QuotingSettings, key
from actors.trading.errors import ConfigError
from actors.trading.fair import Term, fair_of, maker_fee, premium_delta, stand
from actors.trading.strategies import Inventory, View, Wish, no_wish

DAYS_PER_YEAR = 365.0


@attrs.frozen
class Parameters:
    gamma: float = key(0.1, "risk aversion", unit="per contract and unit of price", above=0)
    k: float = key(1.5, "how fast fills thin out with distance", unit="per unit of price", above=0)
    sigma: float = key(0.0, "standard deviation; 0: delta x vol (money only)", unit="price units per root day", low=0)
    horizon_days: float = key(1 / 24, "how long inventory is held", unit="days", above=0)
    in_vol: float = key(0, "1: price units are vol points, 0: quote currency", low=0, high=1)
    max_skew: float = key(1.0, "leaning never exceeds this many half-spreads", low=0)


def reservation_shift(inventory: float, gamma: float, sigma: float, tau: float) -> float:
    """The reservation price less the mid, in price units: -q gamma sigma^2 tau."""
    return -inventory * gamma * sigma * sigma * tau


def half_spread(gamma: float, sigma: float, tau: float, k: float) -> float:
    """Half of gamma sigma^2 tau + (2 / gamma) ln(1 + gamma / k), in price units."""
    return gamma * sigma * sigma * tau / 2 + math.log1p(gamma / k) / gamma


@attrs.frozen
class AvellanedaStoikov:
    parameters: Parameters
    needs_surface: bool = False
    uses_book: bool = False

    def quote(self, view: View, inventory: Inventory) -> Wish:
        own = self.parameters
        sigma = sigma_of(view, own.sigma)
        if sigma is None:
            return no_wish("no fair value: neither a surface nor the venue's mark")
        tau = min(own.horizon_days, view.t_years * DAYS_PER_YEAR)
        half = half_spread(own.gamma, sigma, tau, own.k)
        shift = reservation_shift(inventory.position, own.gamma, sigma, tau)
        return stand_in_units(view, half, shift, bool(own.in_vol), own.max_skew, [("sigma", sigma), ("tau_days", tau)])


def sigma_of(view: View, given: float) -> float | None:
    """Price units per root day: as given, or what the option's delta makes of the forward's volatility."""
    if given:
        return given
    if view.greeks is None or view.vol is None or view.market.forward is None:
        return None
    return abs(premium_delta(view)) * view.index_share * view.market.forward * view.vol / math.sqrt(DAYS_PER_YEAR)


def stand_in_units(view: View, half: float, shift: float, in_vol: bool, max_skew: float, terms: list[Term]) -> Wish:
    """`stand` with half-spread and shift in the model's price units: quote currency, or vol points."""
    fair = fair_of(view)
    if fair is None or (in_vol and view.greeks is None):
        return no_wish("no fair value: neither a surface nor the venue's mark")
    unit = view.greeks.vega / 100 if in_vol and view.greeks is not None else 1.0
    premium = view.market.premium(unit)
    if premium is None:
        return no_wish("no forward to turn money into a coin premium")
    fee = maker_fee(view.market, fair.price)
    model = [*terms, ("model_half", half), ("model_shift", shift)]
    return stand(fair.price, half * premium, shift * premium, fee, max_skew, model)


def need_sigma_in_vol(sigma: float, in_vol: float) -> None:
    """ConfigError: nothing tells how much volatility itself moves, so in vol units it must be said."""
    if in_vol and not sigma:
        raise ConfigError(
            "quoting.params.sigma: 0 with in_vol = 1 leaves the vol of vol unknown; give it in vol points per root day"
        )


def build(parameters: Parameters, settings: QuotingSettings, limits: LimitSettings) -> AvellanedaStoikov:
    need_sigma_in_vol(parameters.sigma, parameters.in_vol)
    return AvellanedaStoikov(parameters)
