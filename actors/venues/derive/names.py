"""Derive's own spelling of instrument names; what any spelling means is parsed in `actors.venues.names`.

Owns the writing of `ETH-20261225-2800-C`, with an underscore for a strike's decimal point. Never guesses. Invariant:
`option_name(*parse_name(x))` is the canonical x.
"""

from __future__ import annotations

from decimal import Decimal

from actors.trading.instruments import OptionKind
from actors.venues.names import ParsedName, expiry_text, parse_expiry, parse_name, parse_strike, plain_strike, underlying_of

__all__ = [
    "ParsedName",
    "canonical_name",
    "expiry_text",
    "option_name",
    "parse_expiry",
    "parse_name",
    "parse_strike",
    "perp_name",
    "strike_text",
    "underlying_of",
]


def option_name(underlying: str, expiry_s: int, strike: Decimal | float, kind: OptionKind) -> str:
    """Derive's own spelling."""
    return f"{underlying}-{expiry_text(expiry_s)}-{strike_text(strike)}-{kind.value}"


def perp_name(underlying: str) -> str:
    return f"{underlying}-PERP"


def canonical_name(text: str) -> str:
    """Any accepted spelling to Derive's own; ValueError when it is none."""
    name = parse_name(text)
    if name.kind is None:
        return perp_name(name.underlying)
    return option_name(name.underlying, name.expiry_s, name.strike, name.kind)


def strike_text(strike: Decimal | float) -> str:
    """Plain digits, no trailing zeros, the point an underscore."""
    return plain_strike(strike).replace(".", "_")
