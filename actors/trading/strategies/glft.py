"""Gueant, Lehalle and Fernandez-Tapia: the inventory problem without a horizon, as distances that grow with inventory.

    bid distance = c + (2q + 1) / 2 x slope,    ask distance = c - (2q - 1) / 2 x slope,
    c = ln(1 + gamma / k) / gamma,   slope = sqrt(sigma^2 gamma / (2 k A) x (1 + gamma / k)^(1 + k / gamma))

Source: O. Gueant, C.-A. Lehalle, J. Fernandez-Tapia, "Dealing with the inventory risk", Mathematics and Financial
Economics 7(4), 2013, the closed-form approximation far from the terminal time. q is in lots (the size of one order),
time in days, price units as in `avellaneda_stoikov`. Invariant: flat, the wish is symmetric about fair value.
"""

from __future__ import annotations

import math

import attrs

from actors.console.settings import LimitSettings, QuotingSettings, key
from actors.trading.strategies import Inventory, View, Wish, no_wish
from actors.trading.strategies.avellaneda_stoikov import need_sigma_in_vol, sigma_of, stand_in_units


@attrs.frozen
class Parameters:
    gamma: float = key(0.1, "risk aversion", unit="per lot and unit of price", above=0)
    k: float = key(1.5, "how fast fills thin out with distance", unit="per unit of price", above=0)
    arrivals: float = key(200.0, "lots taken from each side at fair value", unit="per day", above=0)
    sigma: float = key(0.0, "standard deviation; 0: delta x vol (money only)", unit="price units per root day", low=0)
    in_vol: float = key(0, "1: price units are vol points, 0: quote currency", low=0, high=1)
    max_skew: float = key(1.0, "leaning never exceeds this many half-spreads", low=0)


def constant(gamma: float, k: float) -> float:
    """What distance is best without any risk, in price units."""
    return math.log1p(gamma / k) / gamma


def slope(gamma: float, k: float, sigma: float, arrivals: float) -> float:
    """How far a lot of inventory moves both quotes, in price units."""
    growth = math.exp((1 + k / gamma) * math.log1p(gamma / k))
    return math.sqrt(sigma * sigma * gamma / (2 * k * arrivals) * growth)


def distances(lots: float, gamma: float, k: float, sigma: float, arrivals: float) -> tuple[float, float]:
    """From fair value down to the bid and up to the ask, in price units."""
    centre, step = constant(gamma, k), slope(gamma, k, sigma, arrivals)
    return centre + (2 * lots + 1) / 2 * step, centre - (2 * lots - 1) / 2 * step


@attrs.frozen
class Glft:
    parameters: Parameters
    size: float | None
    needs_surface: bool = False
    uses_book: bool = False

    def quote(self, view: View, inventory: Inventory) -> Wish:
        own = self.parameters
        sigma = sigma_of(view, own.sigma)
        if sigma is None:
            return no_wish("no fair value: neither a surface nor the venue's mark")
        instrument = view.market.instrument
        lots = inventory.position / (self.size or instrument.amount_float(instrument.min_amount))
        bid, ask = distances(lots, own.gamma, own.k, sigma, own.arrivals)
        terms = [("sigma", sigma), ("lots", lots)]
        return stand_in_units(view, (bid + ask) / 2, (ask - bid) / 2, bool(own.in_vol), own.max_skew, terms)


def build(parameters: Parameters, settings: QuotingSettings, limits: LimitSettings) -> Glft:
    need_sigma_in_vol(parameters.sigma, parameters.in_vol)
    return Glft(parameters, settings.size)
