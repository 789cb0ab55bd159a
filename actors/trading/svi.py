"""SVI smiles (Gatheral 2004): one slice for the tick path, many at once for fitting.

Owns the curve, its slopes and the density test g, each once for a single slice in plain `math` and once for a batch.
A batch is an array (slices, 5) of *normalised* parameters: moneyness in units of the at-the-money deviation and variance
in units of the at-the-money total variance, so that an hour and a year are problems of the same size. The columns are
BOTTOM (variance at the vertex), RIGHT and LEFT (asymptotic slopes, both positive), VERTEX (its moneyness) and BEND (how
gradually one slope turns into the other). Never fits, never judges. Invariant: both forms describe the same curve,

    u(x) = bottom + (right - left)/2 (x - vertex) + (right + left)/2 (sqrt((x - vertex)^2 + bend^2) - bend).
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BOTTOM, RIGHT, LEFT, VERTEX, BEND = range(5)


class SviSlice(msgspec.Struct, frozen=True, gc=False):
    """Total variance w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), k = ln(strike / forward)."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def total_variance(self, k: float) -> float:
        """w(k), which is vol^2 x t_years."""
        z = k - self.m
        return self.a + self.b * (self.rho * z + math.sqrt(z * z + self.sigma * self.sigma))

    def slope(self, k: float) -> float:
        """dw/dk."""
        z = k - self.m
        return self.b * (self.rho + z / math.sqrt(z * z + self.sigma * self.sigma))

    def curvature(self, k: float) -> float:
        """d2w/dk2."""
        z = k - self.m
        root = math.sqrt(z * z + self.sigma * self.sigma)
        return self.b * (self.sigma / root) ** 2 / root

    def vol(self, k: float, t_years: float) -> float:
        """Annual volatility at log-moneyness k."""
        return math.sqrt(max(self.total_variance(k), 0.0) / t_years)

    def density_test(self, k: float) -> float:
        """Gatheral's g(k): negative where the smile implies a negative probability density."""
        w, first = self.total_variance(k), self.slope(k)
        return (1.0 - 0.5 * k * first / w) ** 2 - 0.25 * first**2 * (1.0 / w + 0.25) + 0.5 * self.curvature(k)

    def clamped(self, k: float) -> float:
        """k held within 4 standard deviations sqrt(a + b sigma), as Derive evaluates its published feed."""
        bound = 4.0 * math.sqrt(max(self.a + self.b * self.sigma, 0.0))
        return min(max(k, -bound), bound)


def slice_of(row: Floats, theta: float) -> SviSlice:
    """One normalised parameter row as a slice; `theta` is the total variance the row is normalised by."""
    bottom, right, left, vertex, bend = (float(each) for each in row)
    mean, root = 0.5 * (right + left), math.sqrt(theta)
    return SviSlice(
        a=theta * (bottom - mean * bend),
        b=mean * root,
        rho=(right - left) / (right + left),
        m=vertex * root,
        sigma=bend * root,
    )


def row_of(curve: SviSlice, theta: float) -> Floats:
    """The inverse of `slice_of`, to start a fit where the last one ended."""
    root = math.sqrt(theta)
    right, left = curve.b * (1.0 + curve.rho) / root, curve.b * (1.0 - curve.rho) / root
    bottom = (curve.a + curve.b * curve.sigma) / theta
    return np.array([bottom, right, left, curve.m / root, curve.sigma / root])


class Curves:
    """A batch evaluated at x (slices, points): values, slopes, curvatures, and their derivatives by parameter."""

    __slots__ = ("bend", "curvature", "h", "mean", "slope", "tilt", "u", "z")

    def __init__(self, rows: Floats, x: Floats) -> None:
        bottom, right, left, vertex, bend = (rows[:, each, None] for each in range(5))
        self.tilt, self.mean, self.bend = 0.5 * (right - left), 0.5 * (right + left), bend
        self.z = x - vertex
        self.h = np.sqrt(self.z * self.z + bend * bend)
        self.u = bottom + self.tilt * self.z + self.mean * (self.h - bend)
        self.slope = self.tilt + self.mean * self.z / self.h
        self.curvature = self.mean * bend * bend / self.h**3

    def value_by_row(self) -> Floats:
        """du / d(parameters), shape (slices, points, 5)."""
        z, h, bend = self.z, self.h, self.bend
        out = np.empty((*z.shape, 5))
        out[..., BOTTOM] = 1.0
        out[..., RIGHT] = 0.5 * (h + z - bend)
        out[..., LEFT] = 0.5 * (h - z - bend)
        out[..., VERTEX] = -self.slope
        out[..., BEND] = self.mean * (bend / h - 1.0)
        return out

    def slope_by_row(self) -> Floats:
        """du' / d(parameters)."""
        z, h, bend = self.z, self.h, self.bend
        out = np.zeros((*z.shape, 5))
        out[..., RIGHT] = 0.5 * (1.0 + z / h)
        out[..., LEFT] = 0.5 * (z / h - 1.0)
        out[..., VERTEX] = -self.curvature
        out[..., BEND] = -self.mean * z * bend / h**3
        return out

    def curvature_by_row(self) -> Floats:
        """du'' / d(parameters)."""
        z, h, bend = self.z, self.h, self.bend
        out = np.zeros((*z.shape, 5))
        out[..., RIGHT] = out[..., LEFT] = 0.5 * bend * bend / h**3
        out[..., VERTEX] = 3.0 * self.mean * bend * bend * z / h**5
        out[..., BEND] = self.mean * (2.0 * bend / h**3 - 3.0 * bend**3 / h**5)
        return out

    def density_test(self, x: Floats, theta: Floats) -> Floats:
        """g at x; `theta` has shape (slices, 1)."""
        first = self.slope
        wings = 0.25 * first**2 * (1.0 / self.u + 0.25 * theta)
        tested: Floats = (1.0 - 0.5 * x * first / self.u) ** 2 - wings + 0.5 * self.curvature
        return tested

    def density_test_by_row(self, x: Floats, theta: Floats) -> Floats:
        """dg / d(parameters)."""
        u, first = self.u, self.slope
        inner = 1.0 - 0.5 * x * first / u
        by_u = inner * x * first / u**2 + 0.25 * (first / u) ** 2
        by_first = -inner * x / u - 0.5 * first * (1.0 / u + 0.25 * theta)
        by_row: Floats = by_u[..., None] * self.value_by_row() + by_first[..., None] * self.slope_by_row()
        return by_row + 0.5 * self.curvature_by_row()


def highest_bottom_gap(rows: Floats) -> Floats:
    """How far each curve's minimum lies below its vertex value: bottom must exceed this for a positive variance."""
    right, left = rows[:, RIGHT], rows[:, LEFT]
    gap: Floats = rows[:, BEND] * (0.5 * (right + left) - np.sqrt(right * left))
    return gap
