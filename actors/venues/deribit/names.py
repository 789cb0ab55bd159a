"""Deribit's own spelling of instrument names, and which of its currencies holds what.

Owns the writing of `ETH-25DEC26-2800-C` (a day without leading zero, `d` for a strike's decimal point); what any
spelling means is parsed in `actors.venues.names`. Invariant: `option_name(*parse_name(x))` is the canonical x.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from actors.trading.instruments import OptionKind
from actors.venues.names import MONTHS, parse_name, plain_strike


def option_name(underlying: str, expiry_s: int, strike: Decimal | float, kind: OptionKind) -> str:
    """Deribit's own spelling."""
    return f"{underlying}-{day_text(expiry_s)}-{strike_text(strike)}-{kind.value}"


def perp_name(underlying: str) -> str:
    return f"{underlying}-PERPETUAL"


def canonical_name(text: str) -> str:
    """Any accepted spelling to Deribit's own; ValueError when it is none."""
    name = parse_name(text)
    if name.kind is None:
        return perp_name(name.underlying)
    return option_name(name.underlying, name.expiry_s, name.strike, name.kind)


def day_text(expiry_s: int) -> str:
    """UTC seconds to Deribit's date: 8JUN20, 25DEC26."""
    day = datetime.fromtimestamp(expiry_s, UTC)
    return f"{day.day}{MONTHS[day.month - 1]}{day.year % 100:02d}"


def strike_text(strike: Decimal | float) -> str:
    """Plain digits, no trailing zeros, the point a `d`."""
    return plain_strike(strike).replace(".", "d")


def currency_of(underlying: str) -> str:
    """Under which currency Deribit keeps it: ETH under ETH, the linear ETH_USDC under USDC."""
    return underlying.partition("_")[2] or underlying


def index_of(underlying: str) -> str:
    """The index an underlying goes by where no instrument has said it: eth_usd, eth_usdc."""
    return underlying.lower() if "_" in underlying else f"{underlying.lower()}_usd"
