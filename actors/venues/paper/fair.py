"""Fair values of everything listed: forwards, the smile, and one line per instrument with its Greeks.

Owns what the world believes to be true: rivals see it late and blurred, takers trade around it, the venue publishes it
as the mark. An expiry is priced in full now and then and to the second order in the forward in between. Never trades.
Invariant: a line's fair value is never negative.
"""

from __future__ import annotations

import math

from actors.trading.instruments import Instrument, Numeraire, OptionKind
from actors.trading.pricing import SECONDS_PER_YEAR, greeks
from actors.trading.svi import SviSlice
from actors.venues.paper.smile import RecordedSmile, Smile, expected_variance, ssvi_slice
from actors.venues.paper.terms import Reference, WorldSettings

FIXING_S = 30 * 60
"""Settlement is the mean of the index over the last half hour."""
_SHORTEST_YEARS = 1.0 / SECONDS_PER_YEAR


class Line:
    """One instrument: what it is worth now. Money in quote currency per unit of the underlying."""

    __slots__ = (
        "coin", "delta", "fair_usd", "forward_at", "gamma", "half_usd", "instrument", "is_call",
        "name", "residual_usd", "strike", "theta", "tick", "vega", "vol",
    )  # fmt: skip

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.name = instrument.name
        self.strike = instrument.strike
        self.is_call = instrument.kind is OptionKind.CALL
        self.coin = instrument.numeraire is Numeraire.COIN and instrument.kind is not None
        self.tick = instrument.tick_float
        self.fair_usd = self.forward_at = self.delta = self.gamma = self.vega = self.theta = self.vol = 0.0
        self.half_usd = 0.0
        """Half the market's usual spread here."""
        self.residual_usd = 0.0
        """Recorded mark less the model's, kept for the life of the line."""

    def value_usd(self, forward: float) -> float:
        """Fair value were the forward there: second order from the last full pricing, not below zero."""
        move = forward - self.forward_at
        return max(self.fair_usd + move * (self.delta + 0.5 * self.gamma * move), 0.0)

    def tick_usd(self, forward: float) -> float:
        """What one smallest tick is worth."""
        return self.tick * forward if self.coin else self.tick

    def premium(self, usd: float, forward: float) -> float:
        """Money to the instrument's numeraire; coin premiums are counted at the forward, as the venues' vols are."""
        return usd / forward if self.coin else usd


class Slice:
    """One expiry (or the perpetual, `expiry_s` 0): its forward, its smile, its lines."""

    def __init__(self, expiry_s: int, settings: WorldSettings, *, closes_s: float = math.inf, grid: float = 0.0) -> None:
        self.expiry_s = expiry_s
        self.closes_s = closes_s
        """Venue clock at which trading ends."""
        self.grid = grid
        self.lines: list[Line] = []
        self.smile: Smile | None = None
        self.recorded: RecordedSmile | None = None
        self.index_ratio: float | None = None
        """Forward over index where recorded; None: from the carry."""
        self.fixings = 0
        self.fixing_sum = 0.0
        self.forward = 0.0
        """Of the settlement value: blended with the fixings within the last half hour."""
        self.forward_at = 0.0
        self.t_years = 0.0
        self.pricing_due_s = 0.0
        """World time of the next full pricing."""
        self.is_closed = False
        """Trading has ended; the mark goes on until the expiry."""
        self._settings = settings
        self._variance_opened = 0.0

    def set_clock(self, now_s: float) -> None:
        """Time to expiry in years of the venue's clock."""
        self.t_years = max((self.expiry_s - now_s) / SECONDS_PER_YEAR, _SHORTEST_YEARS) if self.expiry_s else 0.0

    def forward_for(self, index: float) -> float:
        """The forward of the settlement value, were the index there."""
        if not self.expiry_s:
            return index
        ratio = self.index_ratio
        plain = index * (ratio if ratio is not None else math.exp(self._settings.carry_annual * self.t_years))
        if not self.fixings:
            return plain
        fixed = self._fixed_share
        return fixed * self.fixing_sum / self.fixings + (1.0 - fixed) * plain

    def note_fixing(self, index: float) -> None:
        """One minute's print of the last half hour."""
        self.fixings += 1
        self.fixing_sum += index

    @property
    def _fixed_share(self) -> float:
        """Prints taken over prints that will have been taken (30, unless the world opened within the last half hour)."""
        left = math.ceil(self.t_years * SECONDS_PER_YEAR / 60.0 - 1e-6)
        return self.fixings / (self.fixings + left)

    def reprice(self, index: float, variance: float) -> None:
        """All lines in full, at this index and annual variance."""
        self.forward = self.forward_at = forward = self.forward_for(index)
        if not self.expiry_s:
            for line in self.lines:
                line.fair_usd, line.forward_at, line.delta = forward, forward, 1.0
                line.half_usd = 0.5e-4 * self._settings.perp_spread_bps * forward
            return
        smile = self._smile_for(variance)
        shrink = self._averaging()
        for line in self.lines:
            self._reprice_line(line, smile, forward, shrink)

    def _smile_for(self, variance: float) -> Smile:
        if self.recorded is not None:
            base = self._variance_opened = self._variance_opened or variance
            now = expected_variance(self._settings, variance, self.t_years)
            then = expected_variance(self._settings, base, self.t_years)
            self.recorded.level = now / then
            self.recorded.t_years = self.t_years
            self.smile = self.recorded
        else:
            theta = expected_variance(self._settings, variance, self.t_years)
            self.smile = ssvi_slice(theta, self._settings.skew, self._settings.wing)
        return self.smile

    def _averaging(self) -> float:
        """Factor on the deviation because settlement is a mean.

        Before the last half hour the mean's variance is that of a walk ending 20 minutes earlier; within it, what is
        not yet fixed is a mean over the time left, whose variance is a third of the walk's.
        """
        left_s = self.t_years * SECONDS_PER_YEAR
        if left_s > FIXING_S:
            return math.sqrt((left_s - 2.0 * FIXING_S / 3.0) / left_s)
        return (1.0 - self._fixed_share) / math.sqrt(3.0)

    def _reprice_line(self, line: Line, smile: Smile, forward: float, shrink: float) -> None:
        k = math.log(line.strike / forward)
        line.vol = max(shrink * math.sqrt(smile.total_variance(k) / self.t_years), 1e-4)
        g = greeks(forward, line.strike, self.t_years, line.vol, line.is_call)
        line.fair_usd = max(g.price + line.residual_usd, 0.0)
        line.forward_at, line.delta, line.gamma, line.vega, line.theta = forward, g.delta, g.gamma, g.vega, g.theta
        s, depth = self._settings, abs(g.delta)
        bps = s.spread_base_bps + s.spread_delta_bps * depth + s.spread_deep_bps * max(0.0, depth - 0.6)
        line.half_usd = 0.5 * (1e-4 * bps * forward + 0.01 * s.spread_vol_points * g.vega)

    def reference(self, line: Line) -> Reference:
        forward = line.forward_at
        return Reference(
            mark=line.premium(line.fair_usd, forward),
            vol=line.vol,
            forward=forward,
            delta=line.delta,
            gamma=line.gamma,
            vega=0.01 * line.vega,
            theta=line.theta / 365.0,
        )

    @property
    def svi(self) -> SviSlice | None:
        """The smile's parameters where it is SVI."""
        return self.smile if isinstance(self.smile, SviSlice) else None
