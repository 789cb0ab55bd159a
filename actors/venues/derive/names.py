"""Derive's instrument names, and the spellings people bring from Deribit.

Owns the crossing between `ETH-20261225-2800-C` and (underlying, expiry, strike, kind). A strike's decimal point is an
underscore in a name (`1_35`), which Python's own float would read as 135; Deribit writes `1d35`. Never guesses: what is
not a name is a ValueError that says what one looks like. Invariant: `option_name(*parse_name(x))` is the canonical x.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from actors.trading.instruments import OptionKind

EXPIRY_SECOND_OF_DAY = 8 * 3600
"""Options end at 08:00 UTC."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_OPTION = re.compile(r"([A-Z0-9]+)-([0-9A-Z]+)-([0-9]+(?:[_dD.][0-9]+)?)-([CP])")
_PERP = re.compile(r"([A-Z0-9]+)-(?:PERP|PERPETUAL)")
_COMPACT_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_MONTH_DATE = re.compile(r"([0-9]{1,2})([A-Z]{3})([0-9]{2})")


class ParsedName(NamedTuple):
    """What a name says; the perpetual has `kind` None, and neither expiry nor strike."""

    underlying: str
    expiry_s: int
    """UTC seconds."""
    strike: Decimal
    kind: OptionKind | None


def parse_name(text: str) -> ParsedName:
    """A Derive or Deribit-like name, in any case; ValueError for anything else."""
    upper = text.strip().upper()
    if perp := _PERP.fullmatch(upper):
        return ParsedName(perp[1], 0, Decimal(0), None)
    option = _OPTION.fullmatch(upper)
    if option is None:
        raise ValueError(f"{text!r} is no instrument: expected ETH-20261225-2800-C or ETH-PERP")
    underlying, expiry, strike, kind = option.groups()
    return ParsedName(underlying, parse_expiry(expiry), parse_strike(strike), OptionKind(kind))


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


def underlying_of(name: str) -> str:
    """The currency in front, without a look at the rest: `ETH-USDC` is ETH's too."""
    return name.partition("-")[0]


def parse_expiry(text: str) -> int:
    """`20261225`, `2026-12-25` or Deribit's `25DEC26` to UTC seconds of 08:00 on that day; ValueError when no date."""
    upper = text.strip().upper()
    try:
        if compact := _COMPACT_DATE.fullmatch(upper):
            day = date(int(compact[1]), int(compact[2]), int(compact[3]))
        elif month := _MONTH_DATE.fullmatch(upper):
            day = date(2000 + int(month[3]), _MONTHS.index(month[2]) + 1, int(month[1]))
        else:
            raise ValueError("neither form")
    except ValueError:
        raise ValueError(f"{text!r} is no expiry: expected YYYYMMDD, or as Deribit writes it (25DEC26)") from None
    return calendar.timegm(day.timetuple()) + EXPIRY_SECOND_OF_DAY


def expiry_text(expiry_s: int) -> str:
    """UTC seconds to YYYYMMDD."""
    return datetime.fromtimestamp(expiry_s, UTC).strftime("%Y%m%d")


def parse_strike(text: str) -> Decimal:
    """`2800`, `1_35` (Derive) or `1d35` (Deribit)."""
    return Decimal(text.upper().replace("_", ".").replace("D", "."))


def strike_text(strike: Decimal | float) -> str:
    """Plain digits, no trailing zeros, the point an underscore."""
    plain = f"{Decimal(str(strike)):f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return plain.replace(".", "_")
