"""No free money in the surface: finds butterfly and calendar arbitrage between SVI slices and corrects it away.

Owns the grid on which expiries are compared, the joint correction (quotes and the no-arbitrage conditions together, so
that the slice with the weaker evidence gives way) and the last repair, after which no violation is left. Never looks at a
single quote, never drops a slice silently: what cannot be repaired is returned by index.
Conditions: g(k) >= 0 within a slice (Gatheral, Jacquier 2014); total variance at equal log-moneyness, and the slopes
beyond the grid, never fall from one expiry to the next. Invariant: `repaired` leaves a margin, not a touch.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import attrs
import numpy as np
from scipy.linalg import solveh_banded

from actors.trading import smile_fit
from actors.trading.smile_fit import Board
from actors.trading.svi import BOTTOM, LEFT, RIGHT, Curves, Floats, SviSlice

WIDEST = 8.0
"""Log-moneyness to which slices are compared (strikes of 1/3000 to 3000 forwards); beyond it their slopes are."""
CALENDAR_MARGIN = 1e-3
"""Total variance must rise by this fraction at least, in fitting; half of it in the repair."""
DENSITY_MARGIN = 0.01
_VARIANCE_UNIT = 0.002
_DENSITY_UNIT = 0.01
_FIT_POINTS = 101
_CHECK_POINTS = 601
_STIFFENING = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
_WARM_FROM = 6
_STEPS_EACH = 7
_RESTING_GAIN = 0.01
_BANDS = 10
"""A slice touches its neighbours only: the matrix is a band of two blocks of five."""
_REPAIR_ROUNDS = 30
_FLATTEN = 0.04


@attrs.frozen
class Violations:
    """Grid points at which a condition fails."""

    butterfly: int
    calendar: int

    @property
    def total(self) -> int:
        return self.butterfly + self.calendar


def violations(slices: Sequence[SviSlice], widest: float = WIDEST, points: int = 2001) -> Violations:
    """Counts failures on a grid of `points`, finer near the money; `slices` in order of expiry."""
    if not slices:
        return Violations(0, 0)
    finest = min(max(each.total_variance(0.0), 1e-12) for each in slices) ** 0.5
    k = moneyness_grid(finest, widest, points)
    a, b, rho, m, sigma = (np.array([getattr(s, name) for s in slices])[:, None] for name in SviSlice.__struct_fields__)
    z = k[None, :] - m
    root = np.sqrt(z * z + sigma * sigma)
    w, first, second = a + b * (rho * z + root), b * (rho + z / root), b * sigma**2 / root**3
    with np.errstate(all="ignore"):
        g = (1.0 - 0.5 * k * first / w) ** 2 - 0.25 * first**2 * (1.0 / w + 0.25) + 0.5 * second
    butterfly = int(np.count_nonzero(~(g >= 0.0) | ~(w > 0.0)))
    return Violations(butterfly, int(np.count_nonzero(~(w[1:] >= w[:-1]))))


def moneyness_grid(finest: float, widest: float, points: int) -> Floats:
    """Log-moneyness from -widest to widest, even near zero on the scale `finest`, geometric beyond."""
    end = np.arcsinh(widest / finest)
    return np.asarray(finest * np.sinh(np.linspace(-end, end, points)))


def corrected(board: Board, rows: Floats, warm: bool = False) -> Generator[None, None, Floats]:
    """Fits all slices together under ever stiffer conditions; yields after each step, returns the rows.

    Damped Gauss-Newton on the quotes' cost plus penalties; a slice far from any violation hardly moves. `warm`: the rows
    come from a surface without arbitrage and the market has moved little, so the gentle beginning is left out.
    """
    grid = _Grid(board, _FIT_POINTS)
    damping = 1e-2
    for stiffness in _STIFFENING[_WARM_FROM:] if warm else _STIFFENING:
        cost = grid.cost(rows, stiffness)
        for _ in range(_STEPS_EACH):
            step = grid.step(rows, stiffness, damping)
            tried = smile_fit.moved(rows, step, board.theta)
            tried_cost = grid.cost(tried, stiffness)
            better = tried_cost < cost
            resting = better and cost - tried_cost < _RESTING_GAIN * cost
            if better:
                rows, cost, damping = tried, tried_cost, max(damping / 5.0, 1e-6)
            else:
                damping = min(damping * 6.0, 1e6)
            yield
            if resting or damping >= 1e6:
                break
    return rows


class _Grid:
    """The conditions of one board, evaluated on a common grid."""

    def __init__(self, board: Board, points: int) -> None:
        self.board = board
        self.k = moneyness_grid(float(np.sqrt(board.theta.min())), WIDEST, points)
        self.x = self.k[None, :] / np.sqrt(board.theta)[:, None]
        self.theta = board.theta[:, None]

    def density_lack(self, curves: Curves) -> Floats:
        """How far g is below its margin, in penalty units, never negative."""
        return np.maximum(DENSITY_MARGIN - curves.density_test(self.x, self.theta), 0.0) / _DENSITY_UNIT

    def calendar_lack(self, rows: Floats, w: Floats) -> Floats:
        """How far each later slice is below the earlier, in penalty units; the last two columns are the slopes."""
        short, long = w[:-1], w[1:]
        lack = np.maximum(short * (1.0 + CALENDAR_MARGIN) - long, 0.0) / (_VARIANCE_UNIT * long)
        slopes = self.slopes(rows)
        steeper = np.maximum(slopes[:-1] - slopes[1:], 0.0) / (10.0 * _VARIANCE_UNIT * slopes[1:])
        return np.concatenate([lack, steeper], axis=1)

    def slopes(self, rows: Floats) -> Floats:
        """Asymptotic slopes of total variance in log-moneyness, right and left."""
        slopes: Floats = rows[:, (RIGHT, LEFT)] * np.sqrt(self.theta)
        return slopes

    def cost(self, rows: Floats, stiffness: float) -> float:
        curves = Curves(rows, self.x)
        penalty = (self.density_lack(curves) ** 2).sum() + (self.calendar_lack(rows, curves.u * self.theta) ** 2).sum()
        return float(smile_fit.cost_of(self.board, rows).sum() + stiffness * penalty)

    def step(self, rows: Floats, stiffness: float, damping: float) -> Floats:
        """One damped Gauss-Newton step for all slices at once, in the coordinates of `smile_fit.stretch`."""
        count = len(rows)
        terms = smile_fit.terms_of(self.board, rows)
        matrix = np.zeros((count, 5, count, 5))
        gradient = terms.gradient.copy()
        every = np.arange(count)
        matrix[every, :, every, :] = terms.hessian
        curves, scale = Curves(rows, self.x), smile_fit.stretch(rows)[:, None, :]
        self._add_density(matrix, gradient, rows, curves, scale, stiffness)
        self._add_calendar(matrix, gradient, rows, curves, scale, stiffness)
        flat = matrix.reshape(5 * count, 5 * count)
        bands = np.zeros((_BANDS, 5 * count))
        for above in range(min(_BANDS, 5 * count)):
            bands[_BANDS - 1 - above, above:] = flat.diagonal(above)
        bands[-1] = bands[-1] * (1.0 + damping) + 1e-9
        try:
            solved = solveh_banded(bands, gradient.ravel(), overwrite_ab=True, check_finite=False)
        except np.linalg.LinAlgError:  # no descent from here: standing still makes the caller damp more
            return np.zeros_like(rows)
        return np.asarray(-solved.reshape(count, 5), dtype=np.float64)

    def _add_density(
        self, matrix: Floats, gradient: Floats, rows: Floats, curves: Curves, scale: Floats, stiffness: float
    ) -> None:
        lack = self.density_lack(curves)
        failing = np.flatnonzero(lack.any(axis=1))
        if not len(failing):
            return
        part = Curves(rows[failing], self.x[failing])
        by_row = part.density_test_by_row(self.x[failing], self.theta[failing]) * (-scale[failing] / _DENSITY_UNIT)
        by_row *= (lack[failing] > 0.0)[..., None]
        turned = stiffness * by_row.transpose(0, 2, 1)
        matrix[failing, :, failing, :] += np.matmul(turned, by_row)
        gradient[failing] += np.matmul(turned, lack[failing][..., None])[..., 0]

    def _add_calendar(
        self, matrix: Floats, gradient: Floats, rows: Floats, curves: Curves, scale: Floats, stiffness: float
    ) -> None:
        w = curves.u * self.theta
        lack = self.calendar_lack(rows, w)
        pairs = np.flatnonzero(lack.any(axis=1))
        if not len(pairs):
            return
        by_row = np.concatenate([curves.value_by_row() * self.theta[..., None], self._slopes_by_row()], axis=1) * scale
        slopes = self.slopes(rows)
        unit = np.concatenate([_VARIANCE_UNIT * w[1:], 10.0 * _VARIANCE_UNIT * slopes[1:]], axis=1)
        active = (lack > 0.0) / unit
        short = (by_row[:-1] * (active * (1.0 + CALENDAR_MARGIN))[..., None])[pairs]
        long = (-by_row[1:] * active[..., None])[pairs]
        for at, part in ((pairs, short), (pairs + 1, long)):
            turned = stiffness * part.transpose(0, 2, 1)
            np.add.at(gradient, at, np.matmul(turned, lack[pairs][..., None])[..., 0])
            for other, across in ((pairs, short), (pairs + 1, long)):
                matrix[at, :, other, :] += np.matmul(turned, across)

    def _slopes_by_row(self) -> Floats:
        out = np.zeros((len(self.theta), 2, 5))
        out[:, 0, RIGHT] = out[:, 1, LEFT] = np.sqrt(self.theta[:, 0])
        return out


def repaired(board: Board, rows: Floats) -> Generator[None, None, tuple[Floats, list[int]]]:
    """Removes what the correction left, by small steps that cannot fail to help; yields after each round.

    Within a slice: towards its own flat smile. Between slices: the later one is lifted, its slopes raised to the earlier
    one's. Returns the rows and the indices of slices that still violate something and must not be used.
    """
    grid = _Grid(board, _CHECK_POINTS)
    rows = rows.copy()
    for _ in range(_REPAIR_ROUNDS):
        curves = Curves(rows, grid.x)
        bent = curves.density_test(grid.x, grid.theta).min(axis=1) < 0.5 * DENSITY_MARGIN
        low = _lifted(grid, rows, curves.u * grid.theta)
        yield
        if not bent.any() and not low:
            return rows, []
        flat = 1.0 - _FLATTEN
        rows[bent, BOTTOM] = flat * rows[bent, BOTTOM] + _FLATTEN
        rows[np.ix_(bent, (RIGHT, LEFT))] *= flat
    return rows, _incurable(grid, rows)


def _lifted(grid: _Grid, rows: Floats, w: Floats) -> bool:
    """Lifts in place every slice that lies below its predecessor; whether any did."""
    margin, root = 1.0 + 0.5 * CALENDAR_MARGIN, np.sqrt(grid.theta[:, 0])
    any_lifted = False
    raised = 0.0  # what the predecessor has just been lifted by
    for later in range(1, len(rows)):
        lack = float(np.max((w[later - 1] + raised) * margin - w[later]))
        raised = 0.0
        if lack > 0.0:
            raised = lack * (1.0 + 1e-6)
            rows[later, BOTTOM] += raised / grid.theta[later, 0]
            any_lifted = True
        for column in (RIGHT, LEFT):
            floor = rows[later - 1, column] * root[later - 1] / root[later]
            if rows[later, column] < floor * (1.0 - 1e-12):
                rows[later, column] = floor
                any_lifted = True
    return any_lifted


def _incurable(grid: _Grid, rows: Floats) -> list[int]:
    """Slices to leave out so that the rest holds: bent ones, then the later of each crossing pair."""
    curves = Curves(rows, grid.x)
    w, bent = curves.u * grid.theta, curves.density_test(grid.x, grid.theta).min(axis=1) < 0.0
    out: list[int] = []
    last: Floats | None = None
    for i in range(len(rows)):
        if bent[i] or (last is not None and bool((w[i] < last).any())):
            out.append(i)
        else:
            last = w[i]
    return out
