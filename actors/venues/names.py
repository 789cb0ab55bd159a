"""Instrument names as people and venues write them, parsed once for all: what a name means, whoever's spelling it is.

Owns the crossing from text to (underlying, expiry, strike, kind). A strike's decimal point is an underscore on Derive
(`1_35`), which Python's own float would read as 135, and a `d` on Deribit (`1d35`); Derive writes a day as 20261225,
Deribit as 25DEC26. Each venue's own spelling is written in its folder's `names`. Never guesses: what is not a name is a
ValueError that says what one looks like. Invariant: all spellings of one option parse to one `ParsedName`.
"""

from __future__ import annotations

import calendar
import functools
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from actors.trading.instruments import OptionKind

EXPIRY_SECOND_OF_DAY = 8 * 3600
"""Options end at 08:00 UTC."""

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_OPTION = re.compile(r"([A-Z0-9]+(?:_[A-Z]+)?)-([0-9A-Z]+)-([0-9]+(?:[_dD.][0-9]+)?)-([CP])")
_PERP = re.compile(r"([A-Z0-9]+(?:_[A-Z]+)?)-(?:PERP|PERPETUAL)")
_COMPACT_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_MONTH_DATE = re.compile(r"([0-9]{1,2})([A-Z]{3})([0-9]{2})")


class ParsedName(NamedTuple):
    """What a name says; the perpetual has `kind` None, and neither expiry nor strike."""

    underlying: str
    """Deribit's linear options carry their quote currency in it: ETH_USDC."""
    expiry_s: int
    """UTC seconds."""
    strike: Decimal
    kind: OptionKind | None


def parse_name(text: str) -> ParsedName:
    """An option or perpetual in either venue's spelling, in any case; ValueError for anything else."""
    upper = text.strip().upper()
    if perp := _PERP.fullmatch(upper):
        return ParsedName(perp[1], 0, Decimal(0), None)
    option = _OPTION.fullmatch(upper)
    if option is None:
        raise ValueError(f"{text!r} is no instrument: expected ETH-20261225-2800-C, ETH-25DEC26-2800-C or ETH-PERP")
    underlying, expiry, strike, kind = option.groups()
    return ParsedName(underlying, parse_expiry(expiry), parse_strike(strike), OptionKind(kind))


def underlying_of(name: str) -> str:
    """The words in front, without a look at the rest: `ETH-USDC` is ETH's too, `ETH_USDC-PERPETUAL` is ETH_USDC's."""
    return name.partition("-")[0]


def parse_expiry(text: str) -> int:
    """`20261225`, `2026-12-25` or Deribit's `25DEC26` to UTC seconds of 08:00 on that day; ValueError when no date."""
    upper = text.strip().upper()
    try:
        if compact := _COMPACT_DATE.fullmatch(upper):
            day = date(int(compact[1]), int(compact[2]), int(compact[3]))
        elif month := _MONTH_DATE.fullmatch(upper):
            day = date(2000 + int(month[3]), MONTHS.index(month[2]) + 1, int(month[1]))
        else:
            raise ValueError("neither form")
    except ValueError:
        raise ValueError(f"{text!r} is no expiry: expected YYYYMMDD, or as Deribit writes it (25DEC26)") from None
    return calendar.timegm(day.timetuple()) + EXPIRY_SECOND_OF_DAY


@functools.lru_cache(maxsize=1024)
def expiry_text(expiry_s: int) -> str:
    """UTC seconds to YYYYMMDD."""
    return datetime.fromtimestamp(expiry_s, UTC).strftime("%Y%m%d")


def parse_strike(text: str) -> Decimal:
    """`2800`, `1_35` (Derive) or `1d35` (Deribit)."""
    return Decimal(text.upper().replace("_", ".").replace("D", "."))


def plain_strike(strike: Decimal | float) -> str:
    """Plain digits with a point, no trailing zeros, no exponent."""
    plain = f"{Decimal(str(strike)):f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
