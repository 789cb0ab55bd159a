"""The operator's choice against what the venue lists: which instruments a cell quotes, or why that cannot be.

Resolves `nearest-weekly` and its like, expiries, strikes and names in either venue's spelling, and checks sizes against
the instruments' steps and minimums. Never talks to a venue: the listing is handed in. Invariant: what `choose` returns
is listed, tradable at `now_s`, and can carry the configured size.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import attrs

from actors.console.checks import EXPIRY_WORDS
from actors.console.settings import CellSettings
from actors.trading.errors import ConfigError
from actors.trading.instruments import Instrument, decimal_text
from actors.venues.names import expiry_text, parse_expiry, parse_name, parse_strike, plain_strike

SOON_S = 3600.0
"""`nearest` passes over an expiry with less than this left to quote: it would be gone before it was watched."""
SHOWN = 8
"""Listed values named in a message."""


@attrs.frozen
class Chosen:
    """What a cell quotes, by expiry, strike, calls first; `expiries` are the resolved ones (YYYYMMDD)."""

    instruments: tuple[Instrument, ...]
    expiries: tuple[str, ...]


def choose(cell: CellSettings, listed: Iterable[Instrument], now_s: float, *, is_running: bool = False) -> Chosen:
    """ConfigError with every problem: what is not listed (and what is), and sizes that the instruments cannot carry.

    `is_running`: all of it was listed when the run began; what has ended since is no mistake while something is left.
    """
    options = sorted((one for one in listed if one.kind is not None), key=_place)
    if not options:
        raise ConfigError(f"underlying: the venue lists no options on {cell.underlying}; choose another")
    if is_running:
        cell = _what_is_left(cell, now_s)
    problems: list[str] = []
    picked = _by_name(cell, options, problems) if cell.instruments else _by_strike(cell, options, now_s, problems)
    for problem in size_problems(cell, picked):
        if problem not in problems:
            problems.append(problem)
    if problems:
        raise ConfigError(*problems)
    return Chosen(tuple(picked), tuple(dict.fromkeys(expiry_of(one) for one in picked)))


def _what_is_left(cell: CellSettings, now_s: float) -> CellSettings:
    """Without what has ended; as it was if that is all of it."""
    days = [day for day in cell.expiries if day in EXPIRY_WORDS or parse_expiry(day) > now_s]
    names = [name for name in cell.instruments if parse_name(name).expiry_s > now_s]
    return attrs.evolve(cell, expiries=days or cell.expiries, instruments=names or cell.instruments)


def expiry_of(instrument: Instrument) -> str:
    """YYYYMMDD, the day in UTC."""
    return expiry_text(instrument.expiry_s)


def is_chosen(cell: CellSettings, chosen: Chosen, instrument: Instrument) -> bool:
    """Whether an instrument listed while running belongs to the choice: new strikes do, under `all_strikes`."""
    return cell.all_strikes and instrument.kind is not None and expiry_of(instrument) in chosen.expiries


def _place(instrument: Instrument) -> tuple[int, float, str, str]:
    return instrument.expiry_s, instrument.strike, instrument.kind or "", instrument.name


def _by_strike(cell: CellSettings, options: Sequence[Instrument], now_s: float, problems: list[str]) -> list[Instrument]:
    days = sorted({expiry_of(one) for one in options})
    picked = []
    for wanted in cell.expiries:
        day = resolve_expiry(wanted, options, now_s, cell.quoting.stop_before_expiry_s)
        if day not in days:
            problems.append(f"expiry: {wanted} is not listed on {cell.underlying}; listed are {', '.join(days)}")
            continue
        board = [one for one in options if expiry_of(one) == day]
        picked += board if cell.all_strikes else _strikes(cell, day, board, problems)
    return list(dict.fromkeys(picked))


def _strikes(cell: CellSettings, day: str, board: Sequence[Instrument], problems: list[str]) -> list[Instrument]:
    known = sorted({one.strike for one in board})
    for strike in cell.strikes:
        if strike not in known:
            near = sorted(sorted(known, key=lambda other: abs(other - strike))[:SHOWN])
            listed = ", ".join(f"{one:g}" for one in near)
            problems.append(f"strikes: {strike:g} is not listed on {cell.underlying} {day}; the nearest are {listed}")
    return [one for one in board if one.strike in cell.strikes]


def resolve_expiry(word: str, options: Sequence[Instrument], now_s: float, stop_before_s: float) -> str:
    """A day as it is; `nearest`, `nearest-weekly`, `nearest-monthly` as the first such day with time left to quote.

    A weekly ends on a Friday, a monthly on the last Friday of its month. Returns the word itself when there is none.
    """
    if word not in EXPIRY_WORDS:
        return word
    for one in sorted(options, key=_place):
        ends_s = min(one.expiry_s, one.deactivation_s)
        if ends_s - stop_before_s - SOON_S > now_s and _is_kind(word, one):
            return expiry_of(one)
    return word


def _is_kind(word: str, instrument: Instrument) -> bool:
    day = datetime.fromtimestamp(instrument.expiry_s, UTC)
    is_friday = day.weekday() == 4
    if word == "nearest-monthly":
        return is_friday and (day + timedelta(days=7)).month != day.month
    return is_friday or word == "nearest"


def _by_name(cell: CellSettings, options: Sequence[Instrument], problems: list[str]) -> list[Instrument]:
    known = {_key(one.name): one for one in options}
    picked = []
    for name in cell.instruments:
        found = known.get(_key(name))
        if found is None:
            near = ", ".join(difflib.get_close_matches(name.upper(), [one.name for one in options], SHOWN, 0.0))
            problems.append(f"instruments: {name} is not listed; the nearest are {near}")
        else:
            picked.append(found)
    return list(dict.fromkeys(picked))


def _key(name: str) -> tuple[str, ...]:
    """A name in a form that both venues' spellings share: the date normal, the strike's point a point."""
    words = name.strip().upper().split("-")
    if len(words) != 4:
        return tuple(words)
    underlying, day, strike, kind = words
    with contextlib.suppress(ValueError, ArithmeticError):
        return underlying, expiry_text(parse_expiry(day)), plain_strike(parse_strike(strike)), kind
    return tuple(words)


def same_instrument(one: str, other: str) -> bool:
    """Two names of the same option, in either venue's spelling."""
    return _key(one) == _key(other)


# -- sizes


def size_problems(cell: CellSettings, instruments: Iterable[Instrument]) -> list[str]:
    """Sizes and limits that the chosen instruments cannot carry; each complaint once for all instruments alike."""
    found: dict[str, None] = {}
    for one in instruments:
        minimum, step = one.amount_text(one.min_amount), decimal_plain(one.amount_step)
        what = f"the minimum on {cell.underlying} options of this venue ({minimum})"
        size = cell.quoting.size
        if size is not None:
            if Fraction(str(size)) < one.min_amount * Fraction(one.amount_step):
                found[f"size: {size:g} is below {what}; give that or more, or leave it unset"] = None
            elif Fraction(str(size)) % Fraction(one.amount_step):
                found[f"size: {size:g} is not a whole number of steps; give a multiple of {step}"] = None
        for name in ("max_position", "max_exposure"):
            limit = getattr(cell.limits, name)
            if Fraction(str(limit)) < one.min_amount * Fraction(one.amount_step):
                found[f"{name}: {limit:g} is below {what}; nothing could be quoted: give more"] = None
    return list(found)


def decimal_plain(value: Decimal) -> str:
    """A step or tick without exponent or trailing zeros."""
    exponent = value.normalize().as_tuple().exponent
    decimals = max(0, -exponent) if isinstance(exponent, int) else 0
    return decimal_text(int(value.scaleb(decimals)), decimals)
