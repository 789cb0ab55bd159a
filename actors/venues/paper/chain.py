"""A recorded option chain as the opening of a world: read, checked, moved ahead of the clock, in a venue's own terms.

Owns the columns of such files and the rebasing: all expiries move by the same number of whole weeks, so weekdays and
08:00 stay, and the new names are told. Recorded premiums are in coin; a venue that quotes money gets them times the
future's price, rounded away from the market. Never invents a quote: an empty cell is no quote. Invariant: time value is
kept, since a rebased expiry's vols are scaled by the root of recorded over present time to expiry.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import attrs
import msgspec

from actors.trading.errors import ConfigError
from actors.trading.instruments import Instrument, Numeraire, OptionKind, Side
from actors.venues.derive.names import expiry_text, parse_expiry
from actors.venues.paper import catalogue

_AHEAD_S = 3600
"""The first rebased expiry lies at least this far ahead, or nothing could be done with it."""
_TEXT_COLUMNS = ("timestamp", "instrument_name", "currency", "option_type", "expiry_datetime")
_NUMBER_COLUMNS = (
    "strike", "bid_price", "ask_price", "mark_price", "futures_price", "implied_volatility", "index_price",
)  # fmt: skip
COLUMNS = _TEXT_COLUMNS + _NUMBER_COLUMNS
"""What a file must have; others are ignored."""


class RecordedOption(msgspec.Struct, frozen=True):
    """One row. Premiums are coin per unit, vol an annual fraction; None where the cell was empty."""

    name: str
    underlying: str
    kind: OptionKind
    strike: float
    expiry_s: int
    recorded_s: float
    bid: float | None
    ask: float | None
    mark: float | None
    vol: float | None
    forward: float
    index: float


class ListedQuote(msgspec.Struct, frozen=True):
    """A recorded option as it is listed now. `bid` and `ask` in ticks, 0 none; `mark` in the venue's numeraire."""

    original: str
    instrument: Instrument
    bid: int
    ask: int
    mark: float | None


@attrs.frozen
class ListedExpiry:
    expiry_s: int
    original_s: int
    forward: float
    smile: tuple[tuple[float, float], ...]
    """(ln(strike / forward), annual vol on the present clock), rising."""
    quotes: tuple[ListedQuote, ...]


@attrs.frozen
class ListedChain:
    """A chain ready to be traded on one venue."""

    underlying: str
    index: float
    typical_vol: float
    """Annual, at the money, about a month out, as recorded."""
    weeks: int
    expiries: tuple[ListedExpiry, ...]

    @property
    def renamed(self) -> dict[str, str]:
        """Recorded instrument name to the listed one."""
        return {quote.original: quote.instrument.name for part in self.expiries for quote in part.quotes}

    def rebased_date(self, original: str) -> str:
        """A recorded expiry (`20260925` or `25SEP26`) as it is listed now, YYYYMMDD; ConfigError when not recorded."""
        try:
            wanted = parse_expiry(original)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        for part in self.expiries:
            if part.original_s == wanted:
                return expiry_text(part.expiry_s)
        recorded = ", ".join(expiry_text(part.original_s) for part in self.expiries)
        raise ConfigError(f"expiry {original} is not in the recorded chain; recorded are {recorded}")


# -- reading


def read_chain(path: str | Path, underlying: str = "") -> list[RecordedOption]:
    """Every option of a .csv or .csv.gz (of one underlying, if named), the newest row of each; ConfigError when bad."""
    newest: dict[tuple[str, int, float, OptionKind], RecordedOption] = {}
    for row in _read_rows(Path(path)):
        if underlying and row.underlying != underlying:
            continue
        key = (row.underlying, row.expiry_s, row.strike, row.kind)
        if key not in newest or newest[key].recorded_s <= row.recorded_s:
            newest[key] = row
    if not newest:
        raise ConfigError(f"{path}: no {underlying or 'option'} row in it; choose another file or underlying")
    return list(newest.values())


def _read_rows(path: Path) -> Iterator[RecordedOption]:
    try:
        packed = path.read_bytes()
        plain = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
        lines = plain.decode("utf-8-sig").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as CSV or gzipped CSV ({error}); give another file") from None
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError(f"{path}: row 1: no column {', '.join(missing)}; a recorded chain has {', '.join(COLUMNS)}")
    for row in reader:
        yield _Cells(path, reader.line_num, row).option()


@attrs.frozen
class _Cells:
    """One row of text, that says where it stands when it cannot be read."""

    path: Path
    line: int
    row: dict[str, str | None]

    def option(self) -> RecordedOption:
        return RecordedOption(
            name=self.text("instrument_name"),
            underlying=self.text("currency").upper(),
            kind=self.kind(),
            strike=self.positive("strike"),
            expiry_s=round(self.instant("expiry_datetime")),
            recorded_s=self.instant("timestamp"),
            bid=self.price("bid_price"),
            ask=self.price("ask_price"),
            mark=self.number("mark_price"),
            vol=self.vol(),
            forward=self.positive("futures_price"),
            index=self.positive("index_price"),
        )

    def text(self, column: str) -> str:
        value = (self.row[column] or "").strip()
        if not value:
            raise self.wrong(column, "is empty", "fill it in")
        return value

    def kind(self) -> OptionKind:
        word = self.text("option_type").lower()
        if word not in ("call", "put", "c", "p"):
            raise self.wrong("option_type", "is neither call nor put", "write one of them")
        return OptionKind(word[0].upper())

    def instant(self, column: str) -> float:
        try:
            when = datetime.fromisoformat(self.text(column))
        except ValueError:
            raise self.wrong(column, "is no date and time", "write it like 2026-09-25T08:00:00+00:00") from None
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()

    def positive(self, column: str) -> float:
        value = self.price(column)
        if value is None:
            raise self.wrong(column, "is not above zero", "write a positive number")
        return value

    def price(self, column: str) -> float | None:
        """A number above zero; None for an empty cell and for zero, which both venues use for "none"."""
        return self.number(column) or None

    def number(self, column: str) -> float | None:
        """None for an empty cell only: a mark of zero is a mark."""
        word = (self.row[column] or "").strip()
        if not word:
            return None
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not 0.0 <= value < math.inf:
            raise self.wrong(column, "is no finite number from zero up", "correct it, or leave it empty for none")
        return value

    def vol(self) -> float | None:
        value = self.price("implied_volatility")
        if value is not None and value > 20.0:
            raise self.wrong("implied_volatility", "is no fraction", "write 0.62 for 62 %")
        return value

    def wrong(self, column: str, what: str, fix: str) -> ConfigError:
        return ConfigError(f"{self.path}: row {self.line}, column {column}: {self.row[column]!r} {what}; {fix}")


# -- listing


def list_chain(options: Iterable[RecordedOption], venue: str, now_s: float) -> ListedChain:
    """One underlying's recorded options in the terms of `venue`, every expiry ahead of `now_s` (UTC seconds)."""
    by_expiry: dict[int, list[RecordedOption]] = {}
    for row in options:
        by_expiry.setdefault(row.expiry_s, []).append(row)
    underlyings = sorted({row.underlying for rows in by_expiry.values() for row in rows})
    if len(underlyings) != 1:
        raise ConfigError(f"a chain for one venue holds one underlying, not {', '.join(underlyings) or 'none'}")
    weeks = max(0, math.floor((now_s + _AHEAD_S - min(by_expiry)) / catalogue.WEEK_S) + 1)
    spec = catalogue.spec_of(venue, underlyings[0])
    return ListedChain(
        underlying=underlyings[0],
        index=median(row.index for rows in by_expiry.values() for row in rows),
        typical_vol=_typical_vol(by_expiry),
        weeks=weeks,
        expiries=tuple(_list_expiry(by_expiry[expiry], spec, weeks, now_s) for expiry in sorted(by_expiry)),
    )


def _list_expiry(rows: list[RecordedOption], spec: catalogue.ContractSpec, weeks: int, now_s: float) -> ListedExpiry:
    original_s = rows[0].expiry_s
    expiry_s = original_s + weeks * catalogue.WEEK_S
    forward = median(row.forward for row in rows)
    recorded_s = median(row.recorded_s for row in rows)
    ratio = max(original_s - recorded_s, 1.0) / (expiry_s - now_s)
    ordered = sorted(rows, key=lambda row: (row.strike, row.kind.value))
    return ListedExpiry(
        expiry_s=expiry_s,
        original_s=original_s,
        forward=forward,
        smile=_smile(ordered, forward, math.sqrt(ratio)),
        quotes=tuple(_list_quote(row, spec, expiry_s, now_s) for row in ordered),
    )


def _list_quote(row: RecordedOption, spec: catalogue.ContractSpec, expiry_s: int, now_s: float) -> ListedQuote:
    listed = catalogue.option(spec, row.underlying, expiry_s, row.strike, row.kind, int(now_s))
    factor = 1.0 if spec.numeraire is Numeraire.COIN else row.forward

    def ticks(price: float | None, side: Side) -> int:
        return 0 if price is None else listed.round_away(price * factor, side)

    return ListedQuote(
        original=row.name,
        instrument=listed,
        bid=ticks(row.bid, Side.BID),
        ask=ticks(row.ask, Side.ASK),
        mark=None if row.mark is None else row.mark * factor,
    )


def _smile(rows: list[RecordedOption], forward: float, scale: float) -> tuple[tuple[float, float], ...]:
    """One vol a strike, of the option that is out of the money; the other's where that has none."""
    by_strike: dict[float, float] = {}
    for row in rows:
        outside = (row.strike >= forward) == (row.kind is OptionKind.CALL)
        if row.vol is not None and (outside or row.strike not in by_strike):
            by_strike[row.strike] = row.vol
    if not by_strike:
        raise ConfigError(f"{rows[0].name}: no option of its expiry has an implied_volatility; add one or drop them")
    return tuple((math.log(strike / forward), vol * scale) for strike, vol in sorted(by_strike.items()))


def _typical_vol(by_expiry: dict[int, list[RecordedOption]]) -> float:
    month = min(by_expiry.values(), key=lambda rows: abs(rows[0].expiry_s - rows[0].recorded_s - 30 * catalogue.DAY_S))
    near = sorted(month, key=lambda row: abs(row.strike - row.forward))
    vols = [row.vol for row in near if row.vol is not None]
    return vols[0] if vols else 0.6
