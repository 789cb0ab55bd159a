"""From a cell's quotes to a surface, in steps short enough to stand between two ticks.

Owns which quotes are evidence (fresh, two-sided, out of the money, not absurd, not out of line with their neighbours) and
whether a fitted slice may be trusted. Never awaits: `refit` is a generator that the owner advances when it has a few
milliseconds to spare; nothing of a half-done fit is ever visible.
Invariant: the slices of a returned surface hold no butterfly and no calendar arbitrage between them.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from actors.trading import arbitrage, smile_fit
from actors.trading.implied import implied_vols
from actors.trading.pricing import SECONDS_PER_YEAR
from actors.trading.smile_fit import Board, Smile
from actors.trading.surface import FittedSlice, SmileQuote, Surface, SurfaceSettings
from actors.trading.svi import BOTTOM, LEFT, RIGHT, Floats, row_of, slice_of

_WIDEST_SHARE = 0.5
"""A half-spread beyond this share of its mid vol says nothing."""
_OUT_OF_LINE_HALVES = 2.5
_OUT_OF_LINE_VOL = 0.02
_OUT_OF_LINE_SHARE = 0.04
_NEIGHBOURS = 3
_MOST_REJECTED = 0.3
"""Of an expiry's quotes: if more are out of line, the market is, and the fit has to say so."""
_FIRST_STEPS = 20
_MORE_STEPS = 10


@attrs.frozen(eq=False)
class _Evidence:
    """One expiry's usable quotes with their names, and what was left out."""

    expiry_s: int
    forward: float
    smile: Smile
    kept: tuple[str, ...]
    rejected: tuple[str, ...]


def refit(
    quotes: Iterable[SmileQuote], now: float, settings: SurfaceSettings | None = None, previous: Surface | None = None
) -> Generator[None, None, Surface]:
    """Fits a surface to the quotes; advance until StopIteration, whose value is the surface (or use `finish`).

    `now` is UTC seconds. Own orders must not be in the quotes. `previous` gives the starting point.
    """
    settings = settings or SurfaceSettings()
    refused: dict[int, str] = {}
    found: list[_Evidence] = []
    for expiry_s, rows in sorted(_by_expiry(quotes).items()):
        evidence = _evidence(expiry_s, rows, now, settings)
        yield
        if isinstance(evidence, str):
            refused[expiry_s] = evidence
        else:
            found.append(evidence)
    fitted: list[FittedSlice] = []
    while found:
        board = smile_fit.pack([each.smile for each in found])
        yield
        last = _last_rows(board, found, previous, settings)
        yield
        if last is None:
            board, rows_fit = yield from _alone(board)
        else:
            rows_fit = last
        bad = _misfits(board, rows_fit, settings)
        if not bad:
            board, rows_fit, incurable = yield from _together(board, rows_fit, last is not None)
            bad = dict.fromkeys(incurable, "no arbitrage-free smile for its quotes")
            bad = bad or _misfits(board, rows_fit, settings)
        if not bad:
            fitted = _slices(board, rows_fit, found, settings)
            break
        refused.update({found[i].expiry_s: why for i, why in bad.items()})
        found = [each for i, each in enumerate(found) if i not in bad]
    return Surface(now, {each.expiry_s: each for each in fitted}, refused, settings)


def _alone(board: Board) -> Generator[None, None, tuple[Board, Floats]]:
    """Each slice by itself; quotes left far outside are silenced and the rest fitted again."""
    rows = yield from smile_fit.first_rows(board)
    for steps in (_FIRST_STEPS, _MORE_STEPS, _MORE_STEPS):
        rows = yield from smile_fit.fitted_rows(board, rows, steps)
        heard, board = board, smile_fit.without_outliers(board, rows, _MOST_REJECTED)
        if board is heard:
            break
    return board, rows


def _together(board: Board, rows: Floats, warm: bool) -> Generator[None, None, tuple[Board, Floats, list[int]]]:
    """All slices under the conditions between them; the board, the rows, and which slices cannot be kept."""
    rows = yield from arbitrage.corrected(board, rows, warm)
    heard, board = board, smile_fit.without_outliers(board, rows, _MOST_REJECTED)
    if board is not heard:
        rows = yield from arbitrage.corrected(board, rows, warm=True)
    rows, incurable = yield from arbitrage.repaired(board, rows)
    return board, rows, incurable


def finish(fit: Generator[None, None, Surface]) -> Surface:
    """Runs a refit to its end at once: for tools and tests, never on the tick path."""
    while True:
        try:
            next(fit)
        except StopIteration as done:
            surface: Surface = done.value
            return surface


def _by_expiry(quotes: Iterable[SmileQuote]) -> dict[int, list[SmileQuote]]:
    out: dict[int, list[SmileQuote]] = {}
    for quote in quotes:
        out.setdefault(quote.expiry_s, []).append(quote)
    return out


def _evidence(expiry_s: int, quotes: Sequence[SmileQuote], now: float, settings: SurfaceSettings) -> _Evidence | str:
    """The usable quotes of one expiry, or why there is no smile to be had."""
    if expiry_s - now < settings.min_life_s:
        return f"expires in {expiry_s - now:.0f} s, limit {settings.min_life_s:g} s"
    fresh = [each for each in quotes if now - each.at <= settings.max_quote_age_s and _is_sane(each)]
    chosen = sorted((each for each in fresh if is_out_of_the_money(each)), key=_moneyness)
    two_sided = [each for each in chosen if each.bid and each.ask]
    if len(two_sided) < settings.min_quotes:
        return f"{len(two_sided)} fresh two-sided out-of-the-money quotes, need {settings.min_quotes}"
    t_years = (expiry_s - now) / SECONDS_PER_YEAR
    k, bid, ask = quoted_vols(two_sided, t_years)
    with np.errstate(invalid="ignore"):
        usable = (ask > bid) & (ask - bid < 2.0 * _WIDEST_SHARE * 0.5 * (ask + bid))
    keep = np.flatnonzero(usable)
    keep = keep[_in_line(k[keep], bid[keep], ask[keep])]
    if len(keep) < settings.min_quotes:
        return f"{len(keep)} usable quotes of {len(two_sided)}, need {settings.min_quotes}"
    kept = tuple(two_sided[i].instrument for i in keep)
    rejected = tuple(each.instrument for each in two_sided if each.instrument not in kept)
    forward = float(np.median([each.forward for each in fresh]))
    return _Evidence(expiry_s, forward, Smile(t_years, k[keep], bid[keep], ask[keep]), kept, rejected)


def _is_sane(quote: SmileQuote) -> bool:
    return 0.0 < quote.forward < math.inf and 0.0 < quote.strike < math.inf


def is_out_of_the_money(quote: SmileQuote) -> bool:
    """The side of a strike that carries the smile; at the forward itself it is the call."""
    return (quote.strike >= quote.forward) == quote.is_call


def _moneyness(quote: SmileQuote) -> float:
    return math.log(quote.strike / quote.forward)


def quoted_vols(quotes: Sequence[SmileQuote], t_years: float) -> tuple[Floats, Floats, Floats]:
    """Log-moneyness, bid vol and ask vol; NaN where a premium has no implied volatility (or the side is missing)."""
    k = np.array([_moneyness(each) for each in quotes])
    forward, strike = np.array([each.forward for each in quotes]), np.array([each.strike for each in quotes])
    calls = np.array([each.is_call for each in quotes])
    bid = np.array([each.bid or np.nan for each in quotes])
    ask = np.array([each.ask or np.nan for each in quotes])
    return k, implied_vols(bid, forward, strike, t_years, calls), implied_vols(ask, forward, strike, t_years, calls)


def _in_line(k: Floats, bid: Floats, ask: Floats) -> NDArray[np.intp]:
    """Indices of quotes that their neighbours do not contradict: the worst one is dropped, then the rest judged anew.

    Each quote's mid is compared with the median of the straight lines from three neighbours on the left to three on the
    right; a curved smile and wide neighbours make the comparison tolerant. Where strikes are far apart a convex smile
    lies well below those lines at the money, so whatever lies between them and the neighbours' slopes carried on is in
    line too. The outermost quotes are judged by the fit.
    """
    keep = np.arange(len(k))
    for _ in range(int(_MOST_REJECTED * len(k))):
        score = _out_of_line(k[keep], 0.5 * (bid + ask)[keep], 0.5 * (ask - bid)[keep])
        worst = int(np.argmax(score)) if len(score) else 0
        if not len(score) or score[worst] <= 1.0:
            break
        keep = np.delete(keep, worst)
    return keep


def _out_of_line(k: Floats, mid: Floats, half: Floats) -> Floats:
    """Distance of each mid from its neighbours' lines, in units of what is tolerated; zero at the two ends."""
    size = len(k)
    if size < 3:
        return np.zeros(size)
    offsets = np.arange(1, _NEIGHBOURS + 1)
    left, right = np.arange(size)[:, None] - offsets, np.arange(size)[:, None] + offsets
    valid = (left[:, :, None] >= 0) & (right[:, None, :] < size)
    at_left, at_right = np.maximum(left, 0)[:, :, None], np.minimum(right, size - 1)[:, None, :]
    share = (k[:, None, None] - k[at_left]) / np.where(k[at_right] > k[at_left], k[at_right] - k[at_left], 1.0)
    lines = np.where(valid, mid[at_left] + share * (mid[at_right] - mid[at_left]), np.nan)
    reach = np.where(valid, np.abs(mid[at_right] - mid[at_left]), 0.0)
    around = np.where(valid, 0.5 * (half[at_left] + half[at_right]), np.nan)
    judged = valid.any(axis=(1, 2))
    flat = (size, -1)
    expected, width, bow = np.full(size, np.nan), np.zeros(size), np.zeros(size)
    expected[judged] = np.nanmedian(lines.reshape(flat)[judged], axis=1)
    width[judged] = np.nanmedian(around.reshape(flat)[judged], axis=1)
    bow[judged] = np.median(reach.reshape(flat)[judged], axis=1)
    slopes = _carried_on(k, mid)
    low, high = np.fmin(expected, slopes), np.fmax(expected, slopes)
    tolerated = _OUT_OF_LINE_VOL + _OUT_OF_LINE_HALVES * (half + width) + _OUT_OF_LINE_SHARE * (mid + bow)
    outside = np.fmax(np.fmax(low - mid, mid - high), 0.0)
    return np.asarray(np.where(judged, outside / tolerated, 0.0))


def _carried_on(k: Floats, mid: Floats) -> Floats:
    """What each quote would be if its neighbours' slopes went on: the median over three on each side, NaN without two.

    Below a convex smile, as the lines between neighbours are above it.
    """
    size = len(k)
    found = np.full((size, 2 * (_NEIGHBOURS - 1)), np.nan)
    columns = iter(range(found.shape[1]))
    for step in (1, -1):
        for far in range(2, _NEIGHBOURS + 1):
            column, at = next(columns), np.arange(size)
            near, beyond = at - step, at - far * step
            ok = (beyond >= 0) & (beyond < size)
            at, one, two = at[ok], near[ok], beyond[ok]
            gap = k[one] - k[two]
            slope = np.divide(mid[one] - mid[two], gap, out=np.zeros(len(gap)), where=gap != 0)
            found[at, column] = mid[one] + (k[at] - k[one]) * slope
    out = np.full(size, np.nan)
    has = ~np.isnan(found).all(axis=1)
    out[has] = np.nanmedian(found[has], axis=1)
    return out


def _last_rows(
    board: Board, found: Sequence[_Evidence], previous: Surface | None, settings: SurfaceSettings
) -> Floats | None:
    """The last surface's rows to start from, while each of its curves still fits; else None."""
    old = [previous.slices[each.expiry_s] for each in found if previous and each.expiry_s in previous.slices]
    if len(old) < len(found):
        return None
    rows = np.empty((len(found), 5))
    for i, (each, last) in enumerate(zip(found, old, strict=True)):
        rows[i] = row_of(last.curve, float(board.theta[i]))
        rows[i, [BOTTOM, RIGHT, LEFT]] *= each.smile.t_years / last.t_years
    rows = smile_fit.admissible(rows, board.theta)
    return None if (_distances(board, rows)[0] > settings.doubtful_misfit).any() else rows


def _misfits(board: Board, rows: Floats, settings: SurfaceSettings) -> dict[int, str]:
    """Slices whose curve is not what the market says, by index, and why."""
    misfit, _ = _distances(board, rows)
    worst = settings.bad_misfit
    return {
        i: f"misfit of {value:.1f} half-spreads, limit {worst:g}"
        for i, value in enumerate(misfit.tolist())
        if not value <= worst
    }


def _distances(board: Board, rows: Floats) -> tuple[Floats, Floats]:
    """Vega-weighted root mean square distance from mid per slice: in half-spreads, and in vol."""
    away = smile_fit.vols(board, rows) - board.mid
    total = board.weight.sum(axis=1)
    in_halves = np.sqrt((board.weight * (away / board.half) ** 2).sum(axis=1) / total)
    return in_halves, np.sqrt((board.weight * away**2).sum(axis=1) / total)


def _slices(
    board: Board, rows: Floats, found: Sequence[_Evidence], settings: SurfaceSettings
) -> list[FittedSlice]:
    misfit, noise = _distances(board, rows)
    out = []
    for i, each in enumerate(found):
        silenced = [name for name, weight in zip(each.kept, board.weight[i].tolist(), strict=False) if weight == 0.0]
        rejected = (*each.rejected, *silenced)
        used = len(each.kept) - len(silenced)
        out.append(
            FittedSlice(
                expiry_s=each.expiry_s,
                t_years=each.smile.t_years,
                forward=each.forward,
                curve=slice_of(rows[i], float(board.theta[i])),
                used=used,
                rejected=rejected,
                misfit=float(misfit[i]),
                noise_vol=float(noise[i]),
                half_vol=float(np.median(0.5 * (each.smile.ask - each.smile.bid))),
                lowest_k=float(each.smile.k[0]),
                highest_k=float(each.smile.k[-1]),
                doubtful=_doubt(float(misfit[i]), used, len(rejected), settings),
            )
        )
    return out


def _doubt(misfit: float, used: int, left_out: int, settings: SurfaceSettings) -> str:
    if misfit > settings.doubtful_misfit:
        return f"misfit of {misfit:.1f} half-spreads, limit {settings.doubtful_misfit:g}"
    if left_out > used:
        return f"{left_out} of {used + left_out} quotes left out"
    return ""
