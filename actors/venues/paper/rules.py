"""Two venues' rules as data: one engine, told apart by this sheet alone.

Owns `VenueRules` and its two constructors. What the references leave uncertain is a field here, strict by default, so
that a test (or an operator) can turn it. Never holds state. Invariant: the engine asks this sheet, never which venue it
serves. Amounts inside `Allotment` are contracts, rates are fractions, times carry their unit in the name.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

import attrs

from actors.trading.instruments import Instrument
from actors.venues.paper.bands import deribit_band, derive_band
from actors.venues.paper.tickets import ZERO, OrderStatus, Reference

DAY_S = 86_400
MS = 1_000_000
SECOND = 1_000_000_000
BandRule = Callable[[Instrument, Reference, Decimal], tuple[Decimal, Decimal]]
"""(instrument, reference, index) -> lowest and highest price, in the instrument's price unit."""


class BandMode(StrEnum):
    """What a price beyond the band meets."""

    CLIP = "clip"
    """Derive: no taker fills beyond it, and a limit priced beyond it acts post-only."""
    REFUSE = "refuse"
    """Deribit: refused on entry."""


class MmpWindow(StrEnum):
    ROLLING = "rolling"
    FROM_FIRST_TRADE = "from first trade"


@attrs.frozen
class Allotment:
    """How a price level is shared among its makers; fraction 0 is price-time."""

    pro_rata_fraction: Decimal = ZERO
    fifo_minimum: Decimal = ZERO
    pro_rata_step: Decimal = Decimal(1)


@attrs.frozen
class MarginRates:
    """Standard margin: short options as fractions of the index, perpetuals of the notional."""

    short_initial: float = 0.15
    short_initial_floor: float = 0.13
    short_maintenance: float = 0.09
    put_maintenance_of_mark: float = 0.09
    put_initial_over_maintenance: float = 1.05
    spread_relief: bool = True
    """Per expiry, the better of the isolated margins and the worst payoff."""
    spread_initial: float = 1.2
    spread_maintenance: float = 1.1
    perp_initial: float = 0.066
    perp_maintenance: float = 0.05


@attrs.frozen(kw_only=True)
class VenueRules:
    name: str
    quote_currency: str = "USDC"
    option_allotment: Allotment = Allotment()
    perp_allotment: Allotment = Allotment()
    band_mode: BandMode
    band_rule: BandRule
    fee_step: Decimal
    """Fees are cut, not rounded, to a whole number of it."""
    fee_cap_of_trade_price: bool
    """The fee's cap is taken of the trade price (Deribit) or of the mark (Derive)."""
    option_fee_in_coin: bool
    """The fee rate of coin-counted options is coin per unit, without the index."""
    perp_fee_of_trade: bool
    """Perpetuals pay on what was traded (Deribit) or on index x amount (Derive)."""
    checks_max_fee: bool
    needs_nonce: bool
    nonce_back_s: int = 90 * DAY_S
    nonce_ahead_s: int = 3600
    needs_expiry: bool
    """Orders carry a signature expiry, within the bounds below."""
    min_expiry_s: int = 0
    max_expiry_s: int = 0
    max_mmp_expiry_s: int = 0
    expiry_within_option: bool = False
    """A signature may not outlive the option it trades."""
    unfilled_immediate_refused: bool
    """An IOC, market or FOK order without a fill is a refusal (Derive) or a cancelled order (Deribit)."""
    reduce_only_may_rest: bool
    minimum_binds_takers: bool
    """False: the minimum amount binds only orders that may rest and do not reduce."""
    amount_multiple_of_minimum: bool
    """Deribit: amounts are multiples of the minimum, not of a finer step."""
    self_cross_by_owner: bool
    """Self-crossing looks at every account of the owner, not only at this one."""
    replace_validates_first: bool = True
    """A malformed or badly signed replacement is refused before the old order is touched."""
    mmp_scope_is_index: bool
    """Protection is kept by index name (Deribit) or by currency (Derive)."""
    mmp_window: MmpWindow
    mmp_trips_at_limit: bool = False
    """Reaching the limit trips it; False: only going over."""
    mmp_whole_seconds: bool
    max_open_orders: int
    """Per account."""
    speed_bump_ns: int = 0
    """How long an aggressive order waits before it matches."""
    bump_all_but_post_only: bool = False
    """Every order that isn't post-only waits, not only the marketable."""
    deactivated_status: OrderStatus
    """How resting orders end when their instrument stops trading."""
    settlement_pause_ns: int = 0
    """Daily halt of every book at 08:00 UTC."""
    settlement_prints: int = 30
    delivery_fee_rate: Decimal = ZERO
    delivery_fee_cap: Decimal = ZERO
    """Fraction of the option's value."""
    margin: MarginRates = MarginRates()
    margin_refresh_ns: int = SECOND
    """Marks move: cached requirements older than this are reckoned anew."""
    max_quotes: int = 100
    """Instruments in one mass quote."""
    quote_freeze_ns: int = SECOND
    uuid_ids: bool
    """Order and trade ids are UUIDs; False: a counter with the settlement currency before it."""
    ended_orders_kept: int = 20_000
    """Per account; the oldest are forgotten (queries answer UNKNOWN_ORDER)."""


def derive_rules(*, speed_bump_ms: int = 0, max_open_orders: int = 1000) -> VenueRules:
    """Derive v3. Instruments bring tick, step, minimum and fees themselves."""
    return VenueRules(
        name="derive",
        option_allotment=Allotment(Decimal("0.8"), Decimal(10), Decimal(1)),
        perp_allotment=Allotment(),
        band_mode=BandMode.CLIP,
        band_rule=derive_band,
        fee_step=Decimal("1e-12"),
        fee_cap_of_trade_price=False,
        option_fee_in_coin=False,
        perp_fee_of_trade=False,
        checks_max_fee=True,
        needs_nonce=True,
        needs_expiry=True,
        min_expiry_s=300,
        max_expiry_s=120 * DAY_S,
        max_mmp_expiry_s=15 * 60,
        expiry_within_option=True,
        unfilled_immediate_refused=True,
        reduce_only_may_rest=False,
        minimum_binds_takers=False,
        amount_multiple_of_minimum=False,
        self_cross_by_owner=True,
        mmp_scope_is_index=False,
        mmp_window=MmpWindow.ROLLING,
        mmp_whole_seconds=True,
        max_open_orders=max_open_orders,
        speed_bump_ns=speed_bump_ms * MS,
        bump_all_but_post_only=True,
        deactivated_status=OrderStatus.EXPIRED,
        uuid_ids=True,
    )


def deribit_rules(*, speed_bump_ms: int = 0, max_open_orders: int = 2000) -> VenueRules:
    """Deribit v2: inverse and linear options, perpetuals."""
    return VenueRules(
        name="deribit",
        band_mode=BandMode.REFUSE,
        band_rule=deribit_band,
        fee_step=Decimal("1e-8"),
        fee_cap_of_trade_price=True,
        option_fee_in_coin=True,
        perp_fee_of_trade=True,
        checks_max_fee=False,
        needs_nonce=False,
        needs_expiry=False,
        unfilled_immediate_refused=False,
        reduce_only_may_rest=True,
        minimum_binds_takers=True,
        amount_multiple_of_minimum=True,
        self_cross_by_owner=False,
        mmp_scope_is_index=True,
        mmp_window=MmpWindow.FROM_FIRST_TRADE,
        mmp_whole_seconds=False,
        max_open_orders=max_open_orders,
        speed_bump_ns=speed_bump_ms * MS,
        deactivated_status=OrderStatus.CANCELLED,
        settlement_pause_ns=5 * SECOND,
        delivery_fee_rate=Decimal("0.00015"),
        delivery_fee_cap=Decimal("0.125"),
        margin=MarginRates(
            short_initial_floor=0.1, short_maintenance=0.075, spread_relief=False, perp_initial=0.04, perp_maintenance=0.02
        ),
        uuid_ids=False,
    )
