"""Fitting many SVI smiles to bid and ask at once: the numerical half of the surface.

Owns the padded board of quotes, the robust loss and one batched Levenberg-Marquardt step, so that twenty expiries cost
little more than one, and a fit can be chopped between steps. Never decides whether a quote is usable or a fit good
(`surface.py`), never compares expiries (`arbitrage.py`), never reads a clock.
Loss of one quote, with r the distance from its mid in half-spreads: r^2 inside the market, four times the excess on top
outside, fading (Geman-McClure) for quotes so far off that they must be stale; weighed by vega, so that the wings steer
the wings only. Invariant: an accepted step never raises a slice's cost.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from actors.trading.svi import BEND, BOTTOM, LEFT, RIGHT, VERTEX, Curves, Floats, highest_bottom_gap

MIN_HALF_VOL = 0.001
"""A market narrower than this (in vol) is not believed to be more exact than this."""
EDGE = 0.6
"""Distance from mid, in half-spreads, from which leaving the market is charged extra: inside, so that it is not left."""
EDGE_CHARGE = 4.0
FADE_HALVES = 2.0
"""Distance beyond the edge, in half-spreads, at which a quote starts to lose its say."""
OUTLIER_HALVES = 3.0
MIN_VEGA_WEIGHT = 0.02
VEGA_POWER = 0.85
PRIOR_WEIGHT = 0.06
"""How much a normal-looking smile is worth against one quote: settles directions in which the quotes say nothing."""
PRIOR_BEND = 2.0
MAX_SLOPE = 1.9
"""Total variance per unit of log-moneyness; 2 is where a smile stops being a distribution (Lee 2004)."""
MIN_BEND = 0.1
"""Sharper turns than this, in at-the-money deviations, are noise and not a smile."""
MIN_VARIANCE = 1e-3
"""Least variance of a curve anywhere, in units of its at-the-money variance."""
_STARTED_TOGETHER = 7
_START_ROUNDS = 2
_CALM = 1.5
"""The plain square of the distance from mid, in half-spreads, stops growing here."""
_STARTS = tuple((vertex, bend) for bend in (0.3, 1.0, 3.0) for vertex in (-1.5, -0.5, 0.0, 0.5, 1.5))


@attrs.frozen(eq=False)
class Smile:
    """The usable quotes of one expiry, sorted by moneyness: log-moneyness, bid and ask vol."""

    t_years: float
    k: Floats
    bid: Floats
    ask: Floats


@attrs.frozen(eq=False)
class Board:
    """Smiles padded to one length; `weight` is zero on padding. Shapes (slices,) and (slices, points)."""

    t_years: Floats
    theta: Floats
    """At-the-money total variance, the unit of every row."""
    k: Floats
    x: Floats
    mid: Floats
    half: Floats
    weight: Floats


@attrs.frozen(eq=False)
class Terms:
    """A quadratic model of the cost around the current rows, in log-coordinates for the positive parameters."""

    cost: Floats
    gradient: Floats
    hessian: Floats


def pack(smiles: Sequence[Smile]) -> Board:
    """Pads the smiles; every smile has at least one quote."""
    count, points = len(smiles), max(len(each.k) for each in smiles)
    k, mid, half, on = (np.zeros((count, points)) for _ in range(4))
    mid += 1.0
    half += 1.0
    for i, smile in enumerate(smiles):
        size = len(smile.k)
        k[i, :size] = smile.k
        mid[i, :size] = 0.5 * (smile.bid + smile.ask)
        half[i, :size] = np.maximum(0.5 * (smile.ask - smile.bid), MIN_HALF_VOL)
        on[i, :size] = 1.0
    t_years = np.array([each.t_years for each in smiles])
    theta = t_years * np.array([_at_the_money(each) for each in smiles]) ** 2
    deviation = mid * np.sqrt(t_years)[:, None]
    vega = np.exp(-0.5 * (0.5 * deviation - k / deviation) ** 2)
    weight = on * np.maximum(vega, MIN_VEGA_WEIGHT) ** VEGA_POWER
    return Board(t_years, theta, k, k / np.sqrt(theta)[:, None], mid, half, weight)


def _at_the_money(smile: Smile) -> float:
    """The median mid vol of the four quotes nearest the money: one bad quote cannot set the scale."""
    nearest = np.argsort(np.abs(smile.k))[:4]
    return float(np.median(0.5 * (smile.bid + smile.ask)[nearest]))


def first_rows(board: Board) -> Generator[None, None, Floats]:
    """`first_rows_of` a few slices at a time; yields in between, returns all rows."""
    parts = []
    for first in range(0, len(board.theta), _STARTED_TOGETHER):
        some = slice(first, first + _STARTED_TOGETHER)
        parts.append(first_rows_of(Board(*(getattr(board, each.name)[some] for each in attrs.fields(Board)))))
        yield
    return np.concatenate(parts)


def first_rows_of(board: Board) -> Floats:
    """A start for every slice: the best of a few (vertex, bend), each with its linear parameters solved for exactly.

    Quotes outside their market weigh by the distance, not its square, and the robust cost chooses: not a stale quote.
    """
    vertex, bend = (np.array(each)[None, :, None] for each in zip(*_STARTS, strict=True))
    z = board.x[:, None, :] - vertex
    h = np.sqrt(z * z + bend * bend)
    features = np.stack([np.ones_like(z), 0.5 * (h + z - bend), 0.5 * (h - z - bend)], -1)
    unit = (board.t_years / board.theta)[:, None]
    target = (board.mid**2 * unit)[:, None, :]
    width = (2.0 * board.mid * board.half * unit)[:, None, :]
    trust = np.broadcast_to(board.weight[:, None, :], z.shape)
    for _ in range(_START_ROUNDS):
        weight = trust / width**2
        weighted = features * weight[..., None]
        normal = np.matmul(weighted.transpose(0, 1, 3, 2), features)
        normal += (1e-6 * np.trace(normal, axis1=2, axis2=3))[..., None, None] * np.eye(3)
        solved = np.linalg.solve(normal, np.matmul(weighted.transpose(0, 1, 3, 2), target[..., None]))[..., 0]
        slopes = np.maximum(solved[..., 1:], 0.02)
        rest = target - np.matmul(features[..., 1:], slopes[..., None])[..., 0]
        bottom = (weight * rest).sum(2) / weight.sum(2)
        away = np.abs(rest - bottom[..., None]) / width
        trust = board.weight[:, None, :] / np.maximum(away, 1.0)
    count, starts = bottom.shape
    placed = np.broadcast_to(np.array(_STARTS), (count, starts, 2))
    tried = np.concatenate([bottom[..., None], slopes, placed], axis=2).reshape(count * starts, 5)
    tried = admissible(tried, np.repeat(board.theta, starts))
    cost = cost_of(_repeated(board, starts), tried).reshape(count, starts)
    return np.asarray(tried.reshape(count, starts, 5)[np.arange(count), cost.argmin(1)])


def _repeated(board: Board, times: int) -> Board:
    return Board(*(np.repeat(getattr(board, each.name), times, axis=0) for each in attrs.fields(Board)))


def admissible(rows: Floats, theta: Floats) -> Floats:
    """The rows held within what can be a smile: positive variance, slopes below the limit, a finite bend."""
    steepest = MAX_SLOPE / np.sqrt(theta)
    out = rows.copy()
    out[:, RIGHT] = np.clip(rows[:, RIGHT], 1e-3, steepest)
    out[:, LEFT] = np.clip(rows[:, LEFT], 1e-3, steepest)
    out[:, VERTEX] = np.clip(rows[:, VERTEX], -8.0, 8.0)
    out[:, BEND] = np.clip(rows[:, BEND], MIN_BEND, 30.0)
    out[:, BOTTOM] = np.maximum(rows[:, BOTTOM], MIN_VARIANCE + highest_bottom_gap(out))
    return out


def stretch(rows: Floats) -> Floats:
    """d(parameter) / d(coordinate): the positive parameters move by their logarithms."""
    out = np.ones_like(rows)
    out[:, (RIGHT, LEFT, BEND)] = rows[:, (RIGHT, LEFT, BEND)]
    return out


def moved(rows: Floats, step: Floats, theta: Floats) -> Floats:
    """The rows after a step in the coordinates of `stretch`."""
    out = rows + step
    log_columns = (RIGHT, LEFT, BEND)
    out[:, log_columns] = rows[:, log_columns] * np.exp(np.clip(step[:, log_columns], -2.0, 2.0))
    return admissible(out, theta)


def vols(board: Board, rows: Floats) -> Floats:
    """The fitted volatility at every quote."""
    return np.asarray(np.sqrt(Curves(rows, board.x).u * (board.theta / board.t_years)[:, None]))


def cost_of(board: Board, rows: Floats) -> Floats:
    """Cost per slice, prior included."""
    away = (vols(board, rows) - board.mid) / board.half
    excess = np.maximum(np.abs(away) - EDGE, 0.0)
    inside = np.minimum(np.abs(away), _CALM) ** 2
    cost = (board.weight * (inside + EDGE_CHARGE * excess**2 / (1.0 + (excess / FADE_HALVES) ** 2))).sum(1)
    return np.asarray(cost + PRIOR_WEIGHT * (_prior(rows) ** 2).sum(1))


def _prior(rows: Floats) -> Floats:
    return np.column_stack([np.log(rows[:, BEND] / PRIOR_BEND), 0.5 * rows[:, VERTEX]])


def terms_of(board: Board, rows: Floats) -> Terms:
    """Cost, half gradient and Gauss-Newton matrix of every slice (reweighted least squares)."""
    curves = Curves(rows, board.x)
    fitted = np.sqrt(curves.u * (board.theta / board.t_years)[:, None])
    away = (fitted - board.mid) / board.half
    size = np.abs(away)
    excess = np.maximum(size - EDGE, 0.0)
    faded = 1.0 + (excess / FADE_HALVES) ** 2
    charge = EDGE_CHARGE * excess / (faded * faded * np.maximum(size, EDGE))
    pull = charge + np.where(size < _CALM, 1.0, 1e-3)
    weight = board.weight * pull
    by_u = (board.theta / (2.0 * board.t_years))[:, None] / (fitted * board.half)
    jacobian = curves.value_by_row() * by_u[..., None] * stretch(rows)[:, None, :]
    weighted = jacobian * weight[..., None]
    hessian = np.matmul(weighted.transpose(0, 2, 1), jacobian)
    gradient = np.matmul(weighted.transpose(0, 2, 1), away[..., None])[..., 0]
    prior = _prior(rows)
    hessian[:, BEND, BEND] += PRIOR_WEIGHT
    hessian[:, VERTEX, VERTEX] += 0.25 * PRIOR_WEIGHT
    gradient[:, BEND] += PRIOR_WEIGHT * prior[:, 0]
    gradient[:, VERTEX] += 0.5 * PRIOR_WEIGHT * prior[:, 1]
    return Terms(cost_of(board, rows), gradient, hessian)


def fitted_rows(board: Board, start: Floats, max_steps: int = 40) -> Generator[None, None, Floats]:
    """Levenberg-Marquardt on every slice side by side; yields after each step, returns the rows.

    Slices that have come to rest are left alone; it ends when all have.
    """
    rows, damping = start.copy(), np.full(len(start), 1e-2)
    busy: NDArray[np.bool_] = np.ones(len(start), dtype=np.bool_)
    for _ in range(max_steps):
        sub = _picked(board, busy)
        rows[busy], damping[busy], gain = _one_step(sub, rows[busy], damping[busy])
        busy[busy] = gain
        yield
        if not busy.any():
            break
    return rows


def _one_step(board: Board, rows: Floats, damping: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Rows and damping after one step, and which slices are still worth working on."""
    terms = terms_of(board, rows)
    diagonal = np.einsum("nii->ni", terms.hessian)
    lifted = terms.hessian + ((damping[:, None] * diagonal + 1e-9)[:, :, None]) * np.eye(5)
    step = -np.linalg.solve(lifted, terms.gradient[..., None])[..., 0]
    tried = moved(rows, step, board.theta)
    cost = cost_of(board, tried)
    better = cost < terms.cost
    still = ~better | (terms.cost - cost > 1e-4 * terms.cost)
    still &= damping < 1e6
    rows = np.where(better[:, None], tried, rows)
    return rows, np.where(better, np.maximum(damping / 5.0, 1e-8), damping * 6.0), still


def without_outliers(board: Board, rows: Floats, most: float) -> Board:
    """The board with quotes silenced that a robust fit leaves far outside; unless they are more than a share `most`.

    Far: beyond OUTLIER_HALVES half-spreads, or as many times the slice's own usual misfit where that is larger.
    """
    away = np.abs(vols(board, rows) - board.mid) / board.half
    heard = board.weight > 0.0
    usual = 1.5 * np.nanmedian(np.where(heard, away, np.nan), axis=1)
    outlying = heard & (away > OUTLIER_HALVES * np.maximum(usual, 1.0)[:, None])
    outlying &= (outlying.sum(axis=1) <= most * heard.sum(axis=1))[:, None]
    return attrs.evolve(board, weight=np.where(outlying, 0.0, board.weight)) if outlying.any() else board


def _picked(board: Board, chosen: NDArray[np.bool_]) -> Board:
    return board if chosen.all() else Board(*(getattr(board, each.name)[chosen] for each in attrs.fields(Board)))
