"""Baldacci, Bergault and Gueant: one inventory for the whole book, its vega, so that a fill anywhere moves every quote.

Source: B. Baldacci, P. Bergault, O. Gueant, "Algorithmic market making for options", Quantitative Finance 21(1), 2021.
With constant vegas the control problem of all options has two dimensions, variance and portfolio vega; variance is held
at today's level here (its drift enters through `vol_drift_points`), which leaves one: the value v of a vega position,
solved once at start in `vega_value.py`. A quote's distance from fair then follows from what its own fill would do to v.
Beside it, a quadratic charge for gamma held near the strike. Invariant: no side whose fill would take portfolio vega
out of its limit is ever quoted.
"""

from __future__ import annotations

import attrs

from actors.console.settings import LimitSettings, QuotingSettings, key
from actors.trading.errors import ConfigError
from actors.trading.fair import Term, fair_of, maker_fee, stand
from actors.trading.instruments import Side
from actors.trading.pricing import Greeks
from actors.trading.strategies import Inventory, View, Wish, no_wish
from actors.trading.vega_value import Flow, VegaValue, best_distance, solve

DAYS_PER_YEAR = 365.0
LEAST_VEGA = 1e-9
"""Quote currency per vol point: below this an option has no vega to speak of, and its distance is the fee alone."""


@attrs.frozen
class Parameters:
    gamma: float = key(0.001, "risk aversion", unit="per unit of quote currency", above=0)
    alpha: float = key(0.7, "fills at fair value are 1 / (1 + exp(alpha)) of all requests")
    beta: float = key(1.5, "how fast fills thin out with distance", unit="per vol point", above=0)
    board_trades: float = key(500.0, "requests from each side, all options together", unit="per day", above=0, high=5000)
    board_vega: float = key(1.0, "vega of a typical fill", unit="quote currency per vol point", above=0)
    vol_of_vol_points: float = key(3.0, "how much volatility moves", unit="vol points per root day", low=0)
    vol_drift_points: float = key(0.0, "drift of volatility beyond what options price in", unit="vol points per day")
    horizon_days: float = key(1.0, "how long vega is held", unit="days", above=0, high=2)
    gamma_horizon_days: float = key(1 / 24, "how long gamma near the strike is held unhedged", unit="days", low=0)
    max_skew: float = key(1.0, "leaning never exceeds this many half-spreads", low=0)


@attrs.frozen
class PortfolioVega:
    parameters: Parameters
    value: VegaValue
    size: float | None
    needs_surface: bool = False
    uses_book: bool = False

    def quote(self, view: View, inventory: Inventory) -> Wish:
        fair, greeks = fair_of(view), view.greeks
        premium = view.market.premium(1.0)
        if fair is None or greeks is None or premium is None:
            return no_wish("no fair value: neither a surface nor the venue's mark")
        unit_vega = max(greeks.vega / 100, LEAST_VEGA)
        bid, ask = (self._distance(side, view, unit_vega, inventory.vega) for side in Side)
        local = self._gamma_charge(view, greeks, inventory.local_gamma)
        terms: list[Term] = [("portfolio_vega", inventory.vega), ("bid_distance", bid), ("ask_distance", ask)]
        terms.append(("gamma_charge", local))
        fee = maker_fee(view.market, fair.price)
        half, shift = (bid + ask) / 2 * premium, ((ask - bid) / 2 - local) * premium
        wish = stand(fair.price, half, shift, fee, self.parameters.max_skew, terms)
        return self._within_limit(wish, view, unit_vega, inventory.vega)

    def _contracts(self, view: View) -> float:
        instrument = view.market.instrument
        return self.size or instrument.amount_float(instrument.min_amount)

    def _jump(self, view: View, unit_vega: float) -> float:
        """Vega of one fill of ours."""
        return unit_vega * self._contracts(view) * view.market.instrument.contract_size

    def _distance(self, side: Side, view: View, unit_vega: float, vega: float) -> float:
        """From fair value to the quote, in quote currency per unit: the loss of value a fill brings, and the margin
        that pays best on top of it."""
        loss = self.value.loss(vega, side * self._jump(view, unit_vega)) * unit_vega
        return best_distance(loss, unit_vega, self.parameters.alpha, self.parameters.beta)

    def _gamma_charge(self, view: View, greeks: Greeks, local_gamma: float) -> float:
        """What another unit's gamma adds to the risk of the gamma already near this strike, quote currency per unit.

        The variance of gamma G over a short time is (G x variance of the forward)^2 / 2; half gamma times its slope.
        """
        if view.vol is None or view.market.forward is None:
            return 0.0
        days = min(self.parameters.gamma_horizon_days, view.t_years * DAYS_PER_YEAR)
        variance = view.market.forward**2 * view.vol**2 * days / DAYS_PER_YEAR
        return self.parameters.gamma / 2 * variance**2 * local_gamma * greeks.gamma

    def _within_limit(self, wish: Wish, view: View, unit_vega: float, vega: float) -> Wish:
        jump, limit = self._jump(view, unit_vega), self.value.limit
        bid = wish.bid if vega + jump <= limit else None
        ask = wish.ask if vega - jump >= -limit else None
        if bid is not None and ask is not None:
            return wish
        reason = f"a fill of {jump:.3g} would take portfolio vega {vega:.3g} out of its limit {limit:.3g}"
        return Wish(bid, ask, reason, wish.terms)


def build(parameters: Parameters, settings: QuotingSettings, limits: LimitSettings) -> PortfolioVega:
    """ConfigError without `limits.max_vega`: the model's state space is what lies inside it."""
    if not limits.max_vega:
        raise ConfigError(
            "limits.max_vega: is missing; portfolio_vega quotes inside a vega limit, give one in quote currency per"
            " vol point"
        )
    flow = Flow(parameters.board_trades, parameters.board_vega, parameters.alpha, parameters.beta)
    value = solve(
        limits.max_vega,
        flow,
        risk=parameters.gamma * parameters.vol_of_vol_points**2 / 2,
        drift=parameters.vol_drift_points,
        days=parameters.horizon_days,
    )
    return PortfolioVega(parameters, value, settings.size)
