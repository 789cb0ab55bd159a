"""`strikemaker report surface`: a recorded chain fitted, scored, and shown.

Owns the way from a chain file to numbers (JSON), a table on the terminal and pictures (HTML, with the optional plotly).
Never trades, never touches a network. The fit, the score and the quotes are the ones the market maker uses: nothing is
computed here. Invariant: a number that is printed is the number that is written.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
from rich.table import Table

from actors.console.page import Page
from actors.console.settings import QuotingSettings
from actors.trading import strategies
from actors.trading.books import Book, Market
from actors.trading.errors import ConfigError
from actors.trading.instruments import OptionKind, Side
from actors.trading.pricing import SECONDS_PER_YEAR, implied_vol
from actors.trading.refit import finish, refit
from actors.trading.scorecard import LEAST_QUOTES, ExpiryScore, SurfaceScore, score
from actors.trading.surface import FairValue, SmileQuote, Surface, SurfaceSettings
from actors.venues.paper import catalogue
from actors.venues.paper.chain import RecordedOption, read_chain

_STRATEGY = QuotingSettings(strategy="theoretical")
_NO_PLOTLY = "plotly is not installed: pip install 'strikemaker[report]'"


@attrs.frozen
class _Fitted:
    """One underlying of the chain."""

    underlying: str
    quotes: tuple[SmileQuote, ...]
    surface: Surface
    options: dict[str, RecordedOption]


def report_surface(chain: Path, json_out: Path | None, html_out: Path | None) -> int:
    """Fits every underlying of a recorded chain (.csv or .csv.gz); 0 when all scored expiries have a trusted smile.

    Without `html_out` the pictures go beside the JSON, else into the working directory, where plotly is installed; a
    line says where they are. ConfigError for a file that cannot be read or written, for one with too few quotes to score
    a single expiry, and for `html_out` without plotly.
    """
    plotly = _plotly(html_out is not None)
    rows = read_chain(chain)
    now = max(row.recorded_s for row in rows)
    fitted = [_fit(name, rows, now) for name in sorted({row.underlying for row in rows})]
    parts = [(each, score([(each.surface, each.quotes)], now)) for each in fitted]
    whole = score([(each.surface, each.quotes) for each in fitted], now)
    if not whole.expiries:
        least = f"{LEAST_QUOTES} out-of-the-money options with both a bid and an ask"
        raise ConfigError(f"{chain}: no expiry has {least}, so there is nothing to fit; record another chain")
    if json_out:
        _write(json_out, json.dumps(_summary(chain, now, parts, whole), indent=1) + "\n")
    _print(parts, whole)
    if plotly:
        pictures = html_out or (json_out or Path(f"{chain.name.partition('.')[0]}-surface")).with_suffix(".html")
        _write(pictures, _pages(plotly, parts, now))
        print(f"pictures: {pictures}")
    else:
        print(f"no pictures: {_NO_PLOTLY}")
    return 0 if all(each.slice for each in whole.expiries) else 1


def smile_quotes(rows: Sequence[RecordedOption]) -> list[SmileQuote]:
    """Recorded coin premiums as money on each row's own future: what the surface is fitted to."""
    return [
        SmileQuote(
            instrument=row.name,
            expiry_s=row.expiry_s,
            strike=row.strike,
            is_call=row.kind is OptionKind.CALL,
            bid=None if row.bid is None else row.bid * row.forward,
            ask=None if row.ask is None else row.ask * row.forward,
            forward=row.forward,
            at=row.recorded_s,
        )
        for row in rows
    ]


def _fit(underlying: str, rows: Sequence[RecordedOption], now: float) -> _Fitted:
    """A recording is one moment: however long it took to record, its quotes count as fresh."""
    options = [row for row in rows if row.underlying == underlying]
    quotes = smile_quotes(options)
    surface = finish(refit(quotes, now, SurfaceSettings(max_quote_age_s=math.inf)))
    return _Fitted(underlying, tuple(quotes), surface, {row.name: row for row in options})


# -- numbers

Parts = Sequence[tuple[_Fitted, SurfaceScore]]


def _summary(chain: Path, now: float, parts: Parts, whole: SurfaceScore) -> dict[str, Any]:
    return {
        "chain": chain.name,
        "recorded_at": _instant(now),
        "inside_core": _number(whole.inside_core),
        "inside_all": _number(whole.inside_all),
        "rmse_median_vol_points": _number(whole.rmse_median_vol_points),
        "violations": whole.violations.total,
        "violations_butterfly": whole.violations.butterfly,
        "violations_calendar": whole.violations.calendar,
        "expiries": [_row(fitted.underlying, each) for fitted, scored in parts for each in scored.expiries],
    }


def _row(underlying: str, each: ExpiryScore) -> dict[str, Any]:
    core = int(each.core.sum())
    row: dict[str, Any] = {
        "underlying": underlying,
        "expiry": _instant(each.expiry_s),
        "t_years": each.t_years,
        "quotes": len(each.quotes),
        "core": core,
        "inside_all": _number(int(each.inside.sum()) / len(each.quotes)),
        "inside_core": _number(int(each.inside[each.core].sum()) / core) if core else None,
        "rmse_vol_points": _number(each.rmse_vol_points()),
        "rmse_all_vol_points": _number(each.rmse_vol_points(core_only=False)),
        "refused": each.refused,
    }
    if each.slice:
        row |= {
            "forward": each.slice.forward,
            "used": each.slice.used,
            "rejected": list(each.slice.rejected),
            "misfit_half_spreads": each.slice.misfit,
            "doubtful": each.slice.doubtful,
            "svi": {name: getattr(each.slice.curve, name) for name in each.slice.curve.__struct_fields__},
        }
    return row


def _number(value: float) -> float | None:
    """JSON has no NaN: what does not exist is null."""
    return value if math.isfinite(value) else None


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y")


def _print(parts: Parts, whole: SurfaceScore) -> None:
    console = Page()
    table = Table("expiry", "days", "quotes", "inside", "core", "inside", "rmse", "misfit", "remarks", title="surface")
    for fitted, scored in parts:
        for each in scored.expiries:
            core = int(each.core.sum())
            remarks = each.refused or (each.slice.doubtful if each.slice else "")
            table.add_row(
                f"{fitted.underlying} {_date(each.expiry_s)}",
                f"{each.t_years * 365:.1f}",
                str(len(each.quotes)),
                f"{each.inside.mean():.0%}",
                str(core),
                f"{each.inside[each.core].mean():.0%}" if core else "-",
                f"{each.rmse_vol_points():.2f}",
                f"{each.slice.misfit:.2f}" if each.slice else "-",
                remarks,
            )
    console.print(table)
    console.print(
        f"inside bid/ask: {whole.inside_core:.2%} of core quotes, {whole.inside_all:.2%} of all; "
        f"median rmse {whole.rmse_median_vol_points:.3f} vol points; "
        f"violations: {whole.violations.butterfly} butterfly, {whole.violations.calendar} calendar"
    )


# -- pictures


def _plotly(is_asked_for: bool) -> ModuleType | None:
    """plotly's low-level graph objects; without them None, or ConfigError when pictures are asked for."""
    try:
        return importlib.import_module("plotly.graph_objects")
    except ImportError:
        if is_asked_for:
            raise ConfigError(f"--html: {_NO_PLOTLY}") from None
        return None


def _pages(plotly: ModuleType, parts: Parts, now: float) -> str:
    """One self-contained page: a picture per expiry, plotly's script embedded once."""
    pictures: list[str] = []
    for fitted, scored in parts:
        for each in scored.expiries:
            figure = _picture(plotly, fitted, each, now)
            pictures.append(figure.to_html(full_html=False, include_plotlyjs=not pictures))
    body = "\n".join(pictures)
    return f'<!doctype html><html><head><meta charset="utf-8"><title>surface</title></head><body>{body}</body></html>\n'


def _picture(plotly: ModuleType, fitted: _Fitted, each: ExpiryScore, now: float) -> Any:
    strikes = [quote.strike for quote in each.quotes]
    figure = plotly.Figure()
    half = 50.0 * (each.ask - each.bid)  # infinite where an offer has no implied vol: plotly leaves such a point out
    figure.add_trace(
        plotly.Scatter(
            x=strikes,
            y=(50.0 * (each.ask + each.bid)).tolist(),
            error_y={"type": "data", "array": half.tolist()},
            mode="markers",
            name="market bid to ask",
        )
    )
    if each.slice:
        low, high = math.log(strikes[0]), math.log(strikes[-1])
        dense = [math.exp(low + (high - low) * i / 200) for i in range(201)]
        curve = [100.0 * (fitted.surface.vol(each.expiry_s, strike, each.slice.forward) or math.nan) for strike in dense]
        figure.add_trace(plotly.Scatter(x=dense, y=curve, mode="lines", name="our smile"))
        for side, symbol in ((Side.BID, "triangle-up"), (Side.ASK, "triangle-down")):
            ours = [_our_vol(fitted, quote, side, now) for quote in each.quotes]
            name = f"our {side.name.lower()}"
            marker = {"symbol": symbol, "size": 8}
            figure.add_trace(plotly.Scatter(x=strikes, y=ours, mode="markers", marker=marker, name=name))
    title = f"{fitted.underlying} {_date(each.expiry_s)}" + (f": {each.refused}" if each.refused else "")
    figure.update_layout(title=title, xaxis_title="strike", yaxis_title="implied vol, points", height=480)
    return figure


def _our_vol(fitted: _Fitted, quote: SmileQuote, side: Side, now: float) -> float | None:
    """The implied vol, in points, of what `theoretical` with its defaults would quote; None for no quote."""
    price = _our_price(fitted, quote, side, now)
    if price is None:
        return None
    t_years = (quote.expiry_s - now) / SECONDS_PER_YEAR
    vol = implied_vol(price, quote.forward, quote.strike, t_years, quote.is_call)
    return None if vol is None else 100.0 * vol


def _our_price(fitted: _Fitted, quote: SmileQuote, side: Side, now: float) -> float | None:
    """In quote currency, on the venue's ladder; None too where the venue's contract is not known."""
    if fitted.underlying not in catalogue.UNDERLYINGS:
        return None
    row = fitted.options[quote.instrument]
    spec = catalogue.spec_of("deribit", fitted.underlying)
    listed = catalogue.option(spec, row.underlying, row.expiry_s, row.strike, row.kind, int(now))
    fair = fitted.surface.fair(listed, now, row.forward)
    if not isinstance(fair, FairValue):
        return None
    market = Market(listed, Book((), (), int(now * 1000)), row.mark, row.vol, row.forward, row.index)
    strategy = strategies.build(_STRATEGY, has_surface=True)
    wish = strategy.quote(strategies.View(market, now, fair), strategies.Inventory())
    wanted = wish.bid if side is Side.BID else wish.ask
    if wanted is None:
        return None
    ticks = listed.round_away(wanted, side)
    return listed.price_float(ticks) * row.forward if ticks > 0 else None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); choose another file") from None
