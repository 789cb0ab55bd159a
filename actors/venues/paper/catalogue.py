"""What the paper venues list: expiries, strikes, and the instruments made of them in each venue's own terms.

Owns the calendar rules, the strike grids and each venue's ticks, steps, fees and names. Never asks the clock: the
present is passed in. Invariant: every expiry is 08:00 UTC, and a strike is a whole multiple of its grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from actors.trading.errors import ConfigError
from actors.trading.instruments import FeeSchedule, Instrument, LadderStep, Numeraire, OptionKind
from actors.venues.deribit import names as deribit_names
from actors.venues.derive import names as derive_names
from actors.venues.paper.terms import WorldSettings

DAY_S = 86_400
WEEK_S = 7 * DAY_S
_ROLL_S = 8 * 3600
_FRIDAY_EPOCH_S = DAY_S  # 2 January 1970 was a Friday
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_FOREVER_S = 1 << 62

NameOption = Callable[[str, int, float, OptionKind], str]


@attrs.frozen(kw_only=True)
class ContractSpec:
    """How one venue lists one underlying; decimals are exact, amounts in steps as `Instrument` says."""

    venue: str
    name_option: NameOption
    perp_name: str
    index_name: str
    option_tick: Decimal
    ladder: tuple[LadderStep, ...] = ()
    numeraire: Numeraire = Numeraire.QUOTE
    option_step: Decimal
    option_min: int
    option_fees: FeeSchedule
    option_address: str = ""
    perp_tick: Decimal
    perp_step: Decimal
    perp_min: int
    perp_max: int
    perp_fees: FeeSchedule
    perp_address: str = ""
    closes_before_s: int = 0
    """Trading in an option ends this long before its expiry."""


def _derive(underlying: str) -> ContractSpec:
    """Derive's numbers of 8 October 2026; the BTC option's tick was not recorded and is taken from ETH's."""
    eth = underlying == "ETH"
    rates = {"maker_rate": 0.0001, "taker_rate": 0.0003}
    return ContractSpec(
        venue="derive",
        name_option=derive_names.option_name,
        perp_name=derive_names.perp_name(underlying),
        index_name=f"{underlying}-USD",
        option_tick=Decimal("0.1"),
        option_step=Decimal("0.01") if eth else Decimal("0.00001"),
        option_min=10 if eth else 1000,
        option_fees=FeeSchedule(**rates, base=0.5, cap=0.125),
        option_address=_DERIVE_ADDRESSES[underlying][0],
        perp_tick=Decimal("0.01") if eth else Decimal("0.1"),
        perp_step=Decimal("0.001") if eth else Decimal("0.0001"),
        perp_min=100,
        perp_max=10_000_000,
        perp_fees=FeeSchedule(**rates, base=0.01),
        perp_address=_DERIVE_ADDRESSES[underlying][1],
        closes_before_s=60,
    )


def _deribit(underlying: str) -> ContractSpec:
    """Deribit's inverse options (coin) and inverse perpetual (amounts in USD); its linear ones in USDC."""
    if underlying in _LINEAR:
        return _deribit_linear(underlying)
    eth = underlying == "ETH"
    return ContractSpec(
        venue="deribit",
        name_option=deribit_names.option_name,
        perp_name=deribit_names.perp_name(underlying),
        index_name=deribit_names.index_of(underlying),
        option_tick=Decimal("0.0001"),
        ladder=(LadderStep(above=50, step=5),),
        numeraire=Numeraire.COIN,
        option_step=Decimal("1") if eth else Decimal("0.1"),
        option_min=1,
        option_fees=FeeSchedule(maker_rate=0.0003, taker_rate=0.0003, cap=0.125),
        perp_tick=Decimal("0.05") if eth else Decimal("0.5"),
        perp_step=Decimal("1") if eth else Decimal("10"),
        perp_min=1,
        perp_max=10_000_000,
        perp_fees=FeeSchedule(maker_rate=0.00015, taker_rate=0.00035),
    )


@attrs.frozen
class _Linear:
    """Ticks in USDC, steps in coin."""

    tick: str
    step: str
    perp_tick: str
    perp_step: str


_LINEAR = {
    "BTC_USDC": _Linear("5", "0.01", "1", "0.001"),
    "ETH_USDC": _Linear("0.1", "0.1", "0.05", "0.01"),
    "SOL_USDC": _Linear("0.01", "10", "0.01", "0.1"),
    "XRP_USDC": _Linear("0.0005", "1000", "0.0001", "1"),
}
"""XRP's option and SOL's lot were recorded; the rest was not, and is made up in proportion."""


def _deribit_linear(underlying: str) -> ContractSpec:
    sizes = _LINEAR[underlying]
    return ContractSpec(
        venue="deribit",
        name_option=deribit_names.option_name,
        perp_name=deribit_names.perp_name(underlying),
        index_name=deribit_names.index_of(underlying),
        option_tick=Decimal(sizes.tick),
        option_step=Decimal(sizes.step),
        option_min=1,
        option_fees=FeeSchedule(maker_rate=0.0003, taker_rate=0.0003, cap=0.125),
        perp_tick=Decimal(sizes.perp_tick),
        perp_step=Decimal(sizes.perp_step),
        perp_min=1,
        perp_max=10_000_000,
        perp_fees=FeeSchedule(maker_rate=0.00015, taker_rate=0.00035),
    )


_DERIVE_ADDRESSES = {
    "ETH": ("0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4", "0xAf65752C4643E25C02F693f9D4FE19cF23a095E3"),
    "BTC": ("0x00000000000000000000000000000000b7c0b710", "0xDBa83C0C654DB1cd914FA2710bA743e925B53086"),
}
"""(option, perpetual). Clients read them from the instrument; the BTC option's was never recorded, so it is made up."""

UNDERLYINGS = tuple(_DERIVE_ADDRESSES)
_VENUES = {"derive": _derive, "deribit": _deribit}


def spec_of(venue: str, underlying: str) -> ContractSpec:
    known = (*UNDERLYINGS, *_LINEAR) if venue == "deribit" else UNDERLYINGS
    if venue not in _VENUES:
        raise ConfigError(f"paper exchange: nothing is listed on {venue}; there are {' and '.join(_VENUES)}")
    if underlying not in known:
        raise ConfigError(f"paper exchange: no {underlying} on {venue}; there are {', '.join(known)}")
    return _VENUES[venue](underlying)


def option(spec: ContractSpec, underlying: str, expiry_s: int, strike: float, kind: OptionKind, now_s: int) -> Instrument:
    """A new listing, tradable from now."""
    on_derive = spec.venue == "derive"
    return Instrument(
        name=spec.name_option(underlying, expiry_s, strike, kind),
        venue=spec.venue,
        underlying=underlying,
        tick=spec.option_tick,
        amount_step=spec.option_step,
        min_amount=spec.option_min,
        max_amount=int(10_000 / min(spec.option_step, Decimal(1))),
        kind=kind,
        strike=strike,
        expiry_s=expiry_s,
        index_name=spec.index_name,
        activation_s=now_s,
        deactivation_s=expiry_s - spec.closes_before_s,
        ladder=spec.ladder,
        numeraire=spec.numeraire,
        fees=spec.option_fees,
        asset_address=spec.option_address,
        sub_id=_sub_id(expiry_s, strike, kind) if on_derive else 0,
    )


def perpetual(spec: ContractSpec, underlying: str, now_s: int) -> Instrument:
    return Instrument(
        name=spec.perp_name,
        venue=spec.venue,
        underlying=underlying,
        tick=spec.perp_tick,
        amount_step=spec.perp_step,
        min_amount=spec.perp_min,
        max_amount=spec.perp_max,
        index_name=spec.index_name,
        activation_s=now_s,
        numeraire=spec.numeraire,
        fees=spec.perp_fees,
        asset_address=spec.perp_address,
    )


def _sub_id(expiry_s: int, strike: float, kind: OptionKind) -> int:
    """Derive's packing of an option into one integer (derive.md 1.5)."""
    return expiry_s + (int(Decimal(str(strike)) * 10**8) << 32) + ((1 << 95) if kind is OptionKind.CALL else 0)


# -- the calendar


def next_roll_s(now_s: float) -> int:
    """The first 08:00 UTC after now."""
    return int((now_s - _ROLL_S) // DAY_S + 1) * DAY_S + _ROLL_S


def expiries(now_s: float, settings: WorldSettings) -> tuple[int, ...]:
    """Those listed at an instant, rising: dailies, Fridays, last Fridays of months, last Fridays of quarters."""
    first = next_roll_s(now_s)
    first_friday = first + (_FRIDAY_EPOCH_S + _ROLL_S - first) % WEEK_S
    fridays = range(first_friday, first_friday + 60 * WEEK_S, WEEK_S)
    month_ends = [day for day in fridays if _month(day) != _month(day + WEEK_S)]
    quarter_ends = [day for day in month_ends if _month(day) % 3 == 0]
    chosen = {first + n * DAY_S for n in range(settings.dailies)}
    for days, count in (
        (fridays, settings.weeklies),
        (month_ends, settings.monthlies),
        (quarter_ends, settings.quarters),
    ):
        chosen.update(days[:count])
    return tuple(sorted(chosen))


def _month(second: int) -> int:
    return datetime.fromtimestamp(second, UTC).month


# -- strikes


def strike_grid(forward: float, deviation: float, count: int) -> float:
    """The round spacing at which `count` strikes reach about 2.7 standard deviations (a fraction) to each side."""
    ideal = forward * max(deviation, 1e-4) * 5.4 / count
    decade = 10.0 ** math.floor(math.log10(ideal))
    return min((decade * step for step in _NICE), key=lambda grid: abs(math.log(grid / ideal)))


def strikes_around(forward: float, grid: float, count: int) -> tuple[float, ...]:
    """`count` strikes centred on the forward, none at or below zero: what is missing below is added above."""
    centre = round(forward / grid)
    lowest = max(1, centre - count // 2)
    return tuple(round(grid * n, 8) for n in range(lowest, lowest + count))


def missing_strikes(listed: tuple[float, ...], forward: float, grid: float, margin: int) -> tuple[float, ...]:
    """New strikes needed so that `margin` lie on either side of the forward; `listed` rises."""
    centre = round(forward / grid)
    low, high = round(listed[0] / grid), round(listed[-1] / grid)
    below = range(max(1, centre - margin), low)
    above = range(high + 1, centre + margin + 1)
    return tuple(round(grid * n, 8) for n in (*below, *above))
