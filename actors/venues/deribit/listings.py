"""From Deribit's listings to instruments: tick ladder, step, numeraire and fees, in exact numbers.

Owns the reading of one record of `get_instruments`, `get_instrument` or the creation channel. Reference: deribit.md 3.1,
3.9 and 3.10. The amount of an option is in coin whatever its `contract_size` says, so a unit of it is one underlying.
Invariant: an instrument that left here has its venue's own tick and smallest amount as its units.
"""

from __future__ import annotations

from decimal import Decimal
from math import isfinite

import msgspec

from actors.trading.instruments import FeeSchedule, Instrument, LadderStep, Numeraire, OptionKind, whole_units
from actors.venues.deribit import rows
from actors.venues.deribit.feeds import GONE_STATES
from actors.venues.deribit.names import index_of
from actors.venues.names import underlying_of
from actors.venues.units import decimal_of, present

MAX_STEPS = 1_000_000_000
"""Deribit names no largest order."""
FEE_CAP = 0.125
"""Of an option's premium (deribit.md 7.1)."""

_instrument = rows.reader(rows.InstrumentRow)


def read_instrument(raw: msgspec.Raw) -> tuple[Instrument, bool]:
    """(the instrument, is it active); ValueError when a row cannot be read or is neither option nor perpetual."""
    row = _instrument.decode(raw)
    name = row.instrument_name
    tick, step = _unit(row.tick_size, f"{name} tick_size"), _unit(row.min_trade_amount, f"{name} min_trade_amount")
    is_option = row.kind == "option"
    if not is_option and not name.endswith("-PERPETUAL"):
        raise ValueError(f"{name} is a {row.kind}, neither option nor perpetual")
    is_inverse = row.instrument_type == "reversed" or (is_option and row.quote_currency == row.base_currency)
    underlying = underlying_of(name)
    if is_option and not (present(row.strike) and row.expiration_timestamp > 0):
        raise ValueError(f"{name}: no option has strike {row.strike} and expiry {row.expiration_timestamp}")
    if not (isfinite(row.maker_commission) and isfinite(row.taker_commission)):
        raise ValueError(f"{name}: its fees are no numbers")
    instrument = Instrument(
        name=name,
        venue="deribit",
        underlying=underlying,
        tick=tick,
        amount_step=step,
        min_amount=1,
        max_amount=MAX_STEPS,
        kind=_kind_of(row) if is_option else None,
        strike=row.strike if is_option else 0.0,
        expiry_s=row.expiration_timestamp // 1000 if is_option else 0,
        index_name=row.price_index or index_of(underlying),
        activation_s=row.creation_timestamp // 1000,
        deactivation_s=row.expiration_timestamp // 1000 if is_option else 1 << 62,
        ladder=tuple(_ladder_step(each, tick, name) for each in row.tick_size_steps),
        numeraire=Numeraire.COIN if is_inverse else Numeraire.QUOTE,
        fees=FeeSchedule(row.maker_commission, row.taker_commission, cap=FEE_CAP if is_option else 0.0),
    )
    return instrument, row.is_active and row.state not in GONE_STATES


def _kind_of(row: rows.InstrumentRow) -> OptionKind:
    if row.option_type not in ("call", "put"):
        raise ValueError(f"{row.instrument_name}: option_type {row.option_type!r} is neither call nor put")
    return OptionKind.CALL if row.option_type == "call" else OptionKind.PUT


def _ladder_step(step: rows.TickStep, tick: Decimal, name: str) -> LadderStep:
    what = f"{name} tick_size_steps"
    above, size = decimal_of(step.above_price, what), decimal_of(step.tick_size, what)
    return LadderStep(whole_units(above, tick, what), whole_units(size, tick, what))


def _unit(number: rows.Num, what: str) -> Decimal:
    """A tick or step without trailing zeros; ValueError when it is none."""
    value = decimal_of(number, what).normalize()
    if value <= 0:
        raise ValueError(f"{what} {number!r} is no grid")
    return value
