"""Two venues' rules as data: one engine, told apart by this sheet alone.

Owns `VenueRules` and its two constructors. What the references leave uncertain is a field here, strict by default, so a
test (or an operator) can turn it. Never holds state. Invariant: the engine asks this sheet, never which venue it serves.
Amounts inside `Allotment` are contracts, rates are fractions, times carry their unit in the name.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import Enum

import attrs

from actors.trading.instruments import Instrument
from actors.venues.paper.tickets import OrderStatus

DAY_S = 86_400
BandRule = Callable[[Instrument, Decimal, Decimal], tuple[Decimal, Decimal]]
"""(instrument, mark, index) -> lowest and highest price, in the instrument's price unit; the engine rounds to ticks."""


class BandMode(str, Enum):
    """What a price beyond the band meets."""

    CLIP = "clip"
    """Derive: no fill beyond it, and a limit priced beyond it acts post-only."""
    REFUSE = "refuse"
    """Deribit: refused on entry."""


class MmpWindow(str, Enum):
    ROLLING = "rolling"
    FROM_FIRST_TRADE = "from first trade"


@attrs.frozen
class Allotment:
    """How a price level is shared among its makers; fraction 0 is price-time."""

    pro_rata_fraction: Decimal = Decimal(0)
    fifo_minimum: Decimal = Decimal(0)
    pro_rata_step: Decimal = Decimal(1)


@attrs.frozen
class MarginRates:
    """Standard margin: short options as fractions of the index, perpetuals of the notional."""

    short_initial: float = 0.15
    short_initial_floor: float = 0.13
    short_maintenance: float = 0.09
    put_maintenance_of_mark: float = 0.09
    put_initial_over_maintenance: float = 1.05
    spread_initial: float = 1.2
    spread_maintenance: float = 1.1
    perp_initial: float = 0.066
    perp_maintenance: float = 0.05


@attrs.frozen(kw_only=True)
class VenueRules:
    name: str
    option_allotment: Allotment = Allotment()
    perp_allotment: Allotment = Allotment()
    band_mode: BandMode
    band_rule: BandRule
    fee_decimals: int
    """Fees are cut, not rounded, to so many decimals."""
    fee_cap_of_trade_price: bool
    """The fee's cap is taken of the trade price (Deribit) or of the mark (Derive)."""
    option_fee_in_coin: bool
    """The fee rate of coin-counted options is coin per unit, without the index."""
    checks_max_fee: bool
    needs_nonce: bool
    nonce_back_s: int = 90 * DAY_S
    nonce_ahead_s: int = 3600
    min_expiry_s: int = 0
    """Shortest signature life at entry; zero with `max_expiry_s` zero: no signatures expire."""
    max_expiry_s: int = 0
    max_mmp_expiry_s: int = 0
    unfilled_immediate_refused: bool
    """An IOC, market or FOK order without a fill is a refusal (Derive) or a cancelled order (Deribit)."""
    reduce_only_may_rest: bool
    minimum_binds_takers: bool
    self_cross_by_owner: bool
    """Self-crossing looks at every account of the owner, not only at this one."""
    mmp_window: MmpWindow
    mmp_trips_at_limit: bool
    """Reaching the limit trips it; False: only going over."""
    mmp_whole_seconds: bool
    max_open_orders: int
    speed_bump_ns: int = 0
    """How long an aggressive order waits before it matches."""
    bump_all_but_post_only: bool = False
    """Every order that isn't post-only waits, not only the marketable."""
    deactivated_status: OrderStatus
    """How resting orders end when their instrument stops trading."""
    settlement_pause_ns: int = 0
    """Daily halt of every book at 08:00 UTC."""
    settlement_prints: int = 30
    delivery_fee_rate: Decimal = Decimal(0)
    delivery_fee_cap: Decimal = Decimal(0)
    """Fraction of the option's value."""
    margin: MarginRates = MarginRates()
    max_quotes: int = 100
    quote_freeze_ns: int = 1_000_000_000
    order_id_style: str
    """`uuid`, or `prefixed`: settlement currency and a counter."""
    ended_orders_kept: int = 20_000
    """Per account; the oldest are forgotten (queries answer UNKNOWN_ORDER)."""


def derive_rules(*, speed_bump_ms: int = 0) -> VenueRules:
    """Derive v3; numbers of ETH and BTC options and perpetuals."""
    raise NotImplementedError


def deribit_rules(*, speed_bump_ms: int = 0) -> VenueRules:
    """Deribit v2, inverse and linear options, perpetuals."""
    raise NotImplementedError
