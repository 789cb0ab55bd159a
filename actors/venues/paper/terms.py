"""What the synthetic world and the exchange say to each other, and every knob of the world.

Owns the seam: `Pit` (what the world may do on the exchange), `Reference` (what it publishes of an instrument) and
`WorldSettings`. The world never sees an account or an order id; the exchange never sees a smile or a seed. Prices at the
seam are whole smallest ticks, amounts whole steps; 0 is "no price". Invariant: settings that exist are usable ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs
import msgspec

from actors.trading.errors import ConfigError
from actors.trading.instruments import Instrument, Side

Levels = Sequence[tuple[int, int]]
"""(price in ticks, amount in steps), best first."""


class Reference(msgspec.Struct, frozen=True, gc=False):
    """The venue's own view of one instrument."""

    mark: float
    """Premium in the instrument's numeraire (quote currency, or coin); the perpetual's price in quote currency."""
    vol: float
    """Annual fraction such that Black-76 on `forward` and the venue's clock gives the mark; 0 for the perpetual."""
    forward: float
    """Quote currency; within the last half hour blended with the fixings so far."""
    discount: float = 1.0
    """Both venues mark undiscounted."""
    delta: float = 0.0
    """Derivatives, per unit of the underlying, in quote currency: per 1 of the forward,"""
    gamma: float = 0.0
    """delta per 1 of the forward,"""
    vega: float = 0.0
    """per vol point,"""
    theta: float = 0.0
    """per day."""


class Pit(Protocol):
    """What the world needs of an exchange. Rivals and takers are house accounts: no margin, no rate limits, no fees."""

    def list(self, instrument: Instrument) -> None:
        """From now on this exists; the exchange expires and settles it by its own clock."""

    def set_index(self, index_name: str, price: float) -> None: ...

    def set_reference(self, instrument: str, reference: Reference) -> None: ...

    def replace_rival_quotes(self, instrument: str, rival: str, bids: Levels, asks: Levels) -> None:
        """Afterwards exactly these rest for this rival; a level that was there unchanged keeps its place in the queue."""

    def take(self, instrument: str, side: Side, amount: int, limit: int) -> int:
        """A taker buys (BID) or sells (ASK) at once up to `amount` no worse than `limit`; returns what was filled."""

    def best(self, instrument: str, besides: str = "") -> tuple[int, int]:
        """Best bid and ask of everybody but one rival; 0 is none."""


def _within(low: float, high: float) -> Any:
    def check(_: Any, field: attrs.Attribute[Any], value: float) -> None:
        if not low <= value <= high:
            raise ConfigError(f"paper world: {field.name} = {value} must lie between {low:g} and {high:g}")

    return check


def _each_within(low: float, high: float) -> Any:
    return attrs.validators.deep_iterable(member_validator=_within(low, high))


@attrs.frozen(kw_only=True)
class WorldSettings:
    """One underlying's world. Seconds are the world's own, which run `speed` times as fast as the venue's clock."""

    underlying: str = "ETH"
    speed: float = attrs.field(default=1.0, validator=_within(1e-3, 1e5))
    """Above 1 the index walks further than options cost, whose time to expiry stays on the venue's clock."""
    frozen: bool = False
    """A market that does not move at all: index, smile, time value and quotes stay as they were at the opening."""

    # -- the index: geometric, log-normal variance that reverts, jumps
    spot_usd: float = attrs.field(default=3000.0, validator=_within(1e-6, 1e9))
    vol_annual: float = attrs.field(default=0.65, validator=_within(0.01, 5.0))
    """Long-run volatility of the diffusion, jumps not counted."""
    vol_of_variance_annual: float = attrs.field(default=1.2, validator=_within(0.0, 10.0))
    """Standard deviation of the log of the variance over a year, were it not to revert."""
    reversion_per_year: float = attrs.field(default=12.0, validator=_within(0.1, 1000.0))
    spot_vol_correlation: float = attrs.field(default=-0.3, validator=_within(-1.0, 1.0))
    jumps_per_day: float = attrs.field(default=2.0, validator=_within(0.0, 10_000.0))
    jump_std_fraction: float = attrs.field(default=0.005, validator=_within(0.0, 0.5))
    tick_interval_s: float = attrs.field(default=0.15, validator=_within(0.01, 60.0))
    carry_annual: float = attrs.field(default=0.03, validator=_within(-1.0, 1.0))
    """Forward = index x exp(carry x years)."""

    # -- the smile: SSVI, free of arbitrage while wing x (1 + |skew|) <= 2
    skew: float = attrs.field(default=-0.15, validator=_within(-0.9, 0.9))
    wing: float = attrs.field(default=1.1, validator=_within(0.01, 1.0 / 0.55))

    # -- what is listed
    dailies: int = attrs.field(default=2, validator=_within(0, 7))
    weeklies: int = attrs.field(default=2, validator=_within(0, 6))
    monthlies: int = attrs.field(default=1, validator=_within(0, 6))
    quarters: int = attrs.field(default=1, validator=_within(0, 4))
    strikes: int = attrs.field(default=27, validator=_within(1, 200))
    """Strikes an expiry starts with; more are listed as the forward wanders."""

    # -- the other makers, one entry of each tuple a rival
    rival_delay_s: tuple[float, ...] = attrs.field(default=(0.1, 0.5, 3.0), validator=_each_within(0.0, 600.0))
    """How old the index is that a rival quotes on."""
    rival_look_s: tuple[float, ...] = attrs.field(default=(0.25, 0.5, 2.0), validator=_each_within(0.01, 600.0))
    """How often it looks at its quotes."""
    rival_width: tuple[float, ...] = attrs.field(default=(1.0, 1.2, 1.5), validator=_each_within(0.1, 20.0))
    """Its spread, as a multiple of the market's usual one."""
    rival_view_std_vol_points: float = attrs.field(default=0.15, validator=_within(0.0, 20.0))
    """How far a rival's opinion of an expiry's volatility strays (it reverts within minutes), and of a strike's (fixed)."""
    rival_size: float = attrs.field(default=5.0, validator=_within(1e-6, 1e6))
    """Median amount at a rival's best price, in units of the underlying."""
    rival_levels: int = attrs.field(default=3, validator=_within(1, 10))
    rival_refill_s: float = attrs.field(default=10.0, validator=_within(0.1, 1e5))
    """What takers ate of a quote that did not move comes back within this."""
    spread_base_bps: float = attrs.field(default=3.0, validator=_within(0.0, 1e4))
    spread_delta_bps: float = attrs.field(default=10.0, validator=_within(0.0, 1e4))
    spread_deep_bps: float = attrs.field(default=100.0, validator=_within(0.0, 1e4))
    spread_vol_points: float = attrs.field(default=0.7, validator=_within(0.0, 50.0))
    """The usual spread, whole: index x (base + delta x |delta| + deep x max(0, |delta| - 0.6)) + vega x vol points.

    Fitted by eye to the medians of two recorded chains (about 6 of the coarse coin ticks on ETH).
    """
    perp_spread_bps: float = attrs.field(default=2.0, validator=_within(0.01, 1e3))

    # -- the takers
    taker_rate_per_s: float = attrs.field(default=0.5, validator=_within(0.0, 1e4))
    """Arrivals over the whole board; an arrival that finds no price to its liking trades nothing."""
    taker_size: float = attrs.field(default=0.5, validator=_within(1e-6, 1e6))
    """Median, in units of the underlying; log-normal with `taker_size_spread`, cut at ten times the median."""
    taker_size_spread: float = attrs.field(default=1.0, validator=_within(0.0, 3.0))
    taker_reach_vol_points: float = attrs.field(default=0.6, validator=_within(0.0, 50.0))
    taker_reach_bps: float = attrs.field(default=3.0, validator=_within(0.01, 1e4))
    """An uninformed taker pays up to fair + E, E exponential with mean vega x vol points + index x bps.

    So the intensity of fills at a distance d from fair is A exp(-k d), k being one over that mean.
    """
    perp_share: float = attrs.field(default=0.1, validator=_within(0.0, 1.0))
    """Part of the takers that trade the perpetual."""
    informed_share: float = attrs.field(default=0.1, validator=_within(0.0, 1.0))
    informed_horizon_s: float = attrs.field(default=90.0, validator=_within(0.0, 3600.0))
    """An informed taker knows the index some seconds ahead: uniform from now to this."""
    informed_looks: int = attrs.field(default=8, validator=_within(1, 1000))
    """It compares this many instruments and takes the one that profits most."""
    informed_edge_bps: float = attrs.field(default=0.5, validator=_within(0.0, 1e4))
    """It trades only for a profit beyond this (of the index)."""
    informed_size: float = attrs.field(default=3.0, validator=_within(0.01, 100.0))
    """It trades this many times what others would."""

    def __attrs_post_init__(self) -> None:
        if not len(self.rival_delay_s) == len(self.rival_look_s) == len(self.rival_width):
            raise ConfigError("paper world: rival_delay_s, rival_look_s and rival_width need one entry for each rival")
        if self.wing * (1.0 + abs(self.skew)) > 2.0:
            raise ConfigError(f"paper world: wing {self.wing} x (1 + |skew {self.skew}|) is above 2: that is arbitrage")

    @classmethod
    def usual(cls, underlying: str, **changes: Any) -> WorldSettings:
        """The committed defaults at the scale of an underlying."""
        return cls(underlying=underlying, **{**_SCALES.get(underlying, {}), **changes})


_SCALES: dict[str, dict[str, Any]] = {
    "BTC": {"spot_usd": 78_000.0, "vol_annual": 0.45, "rival_size": 0.5, "taker_size": 0.05},
    "BTC_USDC": {"spot_usd": 78_000.0, "vol_annual": 0.45, "rival_size": 0.5, "taker_size": 0.05},
    "SOL_USDC": {"spot_usd": 160.0, "vol_annual": 0.75, "rival_size": 200.0, "taker_size": 20.0},
    "XRP_USDC": {"spot_usd": 1.3, "vol_annual": 0.8, "rival_size": 20_000.0, "taker_size": 2_000.0},
}
