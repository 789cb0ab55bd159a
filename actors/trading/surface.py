"""The surface a cell quotes from: fitted smiles, repriced on every tick, each value with its age and uncertainty.

Owns what a fit *means* afterwards: the skew dynamics, how doubt grows with age and distance, and the fallback chain, own
surface -> venue's mark vol -> no fair value. Fitting is `refit.py`; clocks and forwards are passed in (UTC seconds
everywhere, because years to expiry come from them). Never guesses: an expiry without a trusted slice has none.
Skew dynamics, stated: with stickiness s a move of the forward from F0 to F shifts the smile's argument to
ln(K/F0) - s ln(F/F0): s = 1 the smile rides with the forward (sticky moneyness), s = 0 each strike keeps its vol.
Invariant: a Surface is immutable; a quoter may hold it across awaits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs
import msgspec

from actors.trading.instruments import Instrument, Numeraire, OptionKind
from actors.trading.pricing import SECONDS_PER_YEAR, Greeks, greeks, log_moneyness
from actors.trading.settlement import Fixing, fixing_greeks
from actors.trading.svi import SviSlice


class SmileQuote(msgspec.Struct, frozen=True, gc=False):
    """One option's market without our own orders: premiums in the forward's currency per unit of the underlying."""

    instrument: str
    expiry_s: int
    strike: float
    is_call: bool
    bid: float | None
    ask: float | None
    forward: float
    """The expiry's forward when the quote was seen."""
    at: float
    """When the quote was known to stand, UTC seconds."""


class MarkVol(msgspec.Struct, frozen=True, gc=False):
    """The venue's own volatility for one option."""

    vol: float
    at: float


class FairValue(msgspec.Struct, frozen=True, gc=False):
    """What one option is worth, and how far to trust it."""

    instrument: str
    source: str
    """"surface" or "venue mark"."""
    vol: float
    forward: float
    t_years: float
    greeks: Greeks
    """In the forward's currency, smile held still; units on `Greeks`."""
    in_coin: bool
    """The instrument's premium is counted in the coin itself: quote currency / forward (Deribit's inverse options)."""
    delta: float
    """With the skew dynamics: greeks.delta + vega x d(vol)/d(forward)."""
    age_s: float
    """Since the quotes behind it were fitted (or the mark was published)."""
    vol_uncertainty: float
    """One standard deviation, in vol (0.01 is a vol point)."""
    doubtful: str
    """Why to widen; empty for a good value."""

    @property
    def price(self) -> float:
        """In the instrument's own premium."""
        return self.greeks.price / self._unit

    @property
    def uncertainty(self) -> float:
        """One standard deviation of `price`, in the instrument's own premium."""
        return self.greeks.vega * self.vol_uncertainty / self._unit

    def price_at(self, forward: float) -> float:
        """`price` for a moved forward, to first order: delta with its skew term, and gamma."""
        move = forward - self.forward
        money = max(self.greeks.price + move * (self.delta + 0.5 * self.greeks.gamma * move), 0.0)
        return money / forward if self.in_coin else money

    @property
    def _unit(self) -> float:
        return self.forward if self.in_coin else 1.0


class NoFairValue(msgspec.Struct, frozen=True):
    """There is nothing to quote around, and why."""

    instrument: str
    reason: str


@attrs.frozen
class SurfaceSettings:
    max_quote_age_s: float = 120.0
    """Older quotes do not enter a fit."""
    max_fit_age_s: float = 30.0
    """An older surface is not quoted from."""
    max_mark_age_s: float = 15.0
    min_quotes: int = 5
    """Fewer usable quotes do not make a smile (it has five parameters)."""
    min_life_s: float = 120.0
    """Expiries closer than this are not fitted."""
    stickiness: float = 1.0
    """1: the smile rides with the forward; 0: each strike keeps its vol."""
    vol_of_vol_annual: float = 1.0
    """Relative: how uncertainty grows with age; at 1.0 a 50 % vol is uncertain by 0.5 points after 53 minutes."""
    mark_uncertainty: float = 0.02
    """Of the venue's mark vol, in vol: we did not see what it was made of."""
    doubtful_misfit: float = 1.5
    """Root mean square distance from mid, in half-spreads, from which a slice is doubtful."""
    bad_misfit: float = 4.0
    """... from which it is not used."""
    doubtful_factor: float = 2.0
    """Uncertainty of a doubtful slice is multiplied by this."""
    discount_rate: float = 0.0
    """Continuous, annual; both venues mark options undiscounted."""


@attrs.frozen
class FittedSlice:
    """One expiry's smile and the evidence behind it."""

    expiry_s: int
    t_years: float
    """At the fit."""
    forward: float
    curve: SviSlice
    used: int
    rejected: tuple[str, ...]
    """Instruments whose two-sided quotes were left out: crossed, absurdly wide, or out of line with their neighbours."""
    misfit: float
    """Root mean square distance from mid, in half-spreads, vega-weighted."""
    noise_vol: float
    """Root mean square distance from mid, in vol, vega-weighted."""
    half_vol: float
    """Median half-spread, in vol."""
    lowest_k: float
    highest_k: float
    doubtful: str = ""


@attrs.frozen
class Surface:
    """Every trusted slice of one underlying; `refused` says why an expiry has none."""

    fitted_at: float
    slices: Mapping[int, FittedSlice]
    refused: Mapping[int, str]
    settings: SurfaceSettings = SurfaceSettings()

    @classmethod
    def empty(cls, settings: SurfaceSettings | None = None) -> Surface:
        """What there is before the first fit: only the fallbacks."""
        return cls(-math.inf, {}, {}, settings or SurfaceSettings())

    def fair(
        self,
        instrument: Instrument,
        now: float,
        forward: float,
        mark: MarkVol | None = None,
        fixing: Fixing | None = None,
    ) -> FairValue | NoFairValue:
        """Own surface, else the venue's mark, else the reason; `fixing` inside the last half hour.

        `forward` is the expiry's forward now, in quote currency.
        """
        t_years = (instrument.expiry_s - now) / SECONDS_PER_YEAR
        if instrument.kind is None or t_years <= 0.0 or not 0.0 < forward < math.inf:
            return NoFairValue(instrument.name, "not an option with time left and a forward")
        sliced = self.slices.get(instrument.expiry_s)
        why = self._why_not(sliced, instrument, now)
        if sliced is not None and not why:
            return self._from_slice(sliced, instrument, now, forward, t_years, fixing)
        stale = _why_no_mark(mark, now, self.settings.max_mark_age_s)
        if mark is None or stale:
            return NoFairValue(instrument.name, f"{why}; {stale}")
        vol, age_s = mark.vol, max(now - mark.at, 0.0)
        spread = math.hypot(self.settings.mark_uncertainty, vol * self._aging(age_s))
        return self._value(instrument, "venue mark", vol, 0.0, forward, t_years, age_s, spread, why, fixing)

    def vol(self, expiry_s: int, strike: float, forward: float) -> float | None:
        """The surface's volatility under the stated skew dynamics; None where no slice is trusted. Ignores age."""
        sliced = self.slices.get(expiry_s)
        return None if sliced is None else sliced.curve.vol(self._argument(sliced, strike, forward), sliced.t_years)

    def _why_not(self, sliced: FittedSlice | None, instrument: Instrument, now: float) -> str:
        if sliced is None:
            return self.refused.get(instrument.expiry_s, "no fitted smile for this expiry")
        age_s = now - self.fitted_at
        limit = self.settings.max_fit_age_s
        return f"surface is {age_s:.1f} s old, limit {limit:g} s" if age_s > limit else ""

    def _argument(self, sliced: FittedSlice, strike: float, forward: float) -> float:
        moved = log_moneyness(forward, sliced.forward)
        return -log_moneyness(sliced.forward, strike) - self.settings.stickiness * moved

    def _aging(self, age_s: float) -> float:
        return self.settings.vol_of_vol_annual * math.sqrt(age_s / SECONDS_PER_YEAR)

    def _from_slice(
        self,
        sliced: FittedSlice,
        instrument: Instrument,
        now: float,
        forward: float,
        t_years: float,
        fixing: Fixing | None,
    ) -> FairValue:
        k = self._argument(sliced, instrument.strike, forward)
        vol = sliced.curve.vol(k, sliced.t_years)
        slope = 0.5 * sliced.curve.slope(k) / (vol * sliced.t_years)
        beyond = max(sliced.lowest_k - k, k - sliced.highest_k, 0.0)
        age_s = max(now - self.fitted_at, 0.0)
        spread = math.sqrt(
            sliced.noise_vol**2
            + sliced.half_vol**2 / sliced.used
            + (vol * self._aging(age_s)) ** 2
            + (0.5 * slope * beyond) ** 2
        )
        doubtful = sliced.doubtful or ("beyond the quoted strikes" if beyond > vol * math.sqrt(t_years) else "")
        if doubtful:
            spread *= self.settings.doubtful_factor
        by_forward = -self.settings.stickiness * slope / forward
        return self._value(
            instrument, "surface", vol, by_forward, forward, t_years, age_s, spread, doubtful, fixing
        )

    def _value(
        self,
        instrument: Instrument,
        source: str,
        vol: float,
        vol_by_forward: float,
        forward: float,
        t_years: float,
        age_s: float,
        spread: float,
        doubtful: str,
        fixing: Fixing | None,
    ) -> FairValue:
        is_call = instrument.kind is OptionKind.CALL
        discount = math.exp(-self.settings.discount_rate * t_years) if self.settings.discount_rate else 1.0
        if fixing is None:
            ours = greeks(forward, instrument.strike, t_years, vol, is_call, discount)
        else:
            ours = fixing_greeks(fixing, forward, instrument.strike, t_years, vol, is_call, discount)
        return FairValue(
            instrument=instrument.name,
            source=source,
            vol=vol,
            forward=forward,
            t_years=t_years,
            greeks=ours,
            in_coin=instrument.numeraire is Numeraire.COIN,
            delta=ours.delta + ours.vega * vol_by_forward,
            age_s=age_s,
            vol_uncertainty=spread,
            doubtful=doubtful,
        )


def _why_no_mark(mark: MarkVol | None, now: float, limit_s: float) -> str:
    if mark is None or not 0.0 < mark.vol < math.inf:
        return "no mark vol from the venue"
    age_s = now - mark.at
    return f"mark vol is {age_s:.1f} s old, limit {limit_s:g} s" if age_s > limit_s else ""
