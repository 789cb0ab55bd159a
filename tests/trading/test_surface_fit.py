"""Fitting: the goals on recorded chains, no arbitrage whatever comes in, and quotes that must not move the surface."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from surface_worlds import CHAINS, DAY_S, NOW, changed, made, recorded

from actors.trading import smile_fit
from actors.trading.arbitrage import moneyness_grid, violations
from actors.trading.refit import finish, is_out_of_the_money, refit
from actors.trading.scorecard import score
from actors.trading.smile_fit import Smile, cost_of, pack, terms_of
from actors.trading.surface import SmileQuote, Surface, SurfaceSettings
from actors.trading.svi import Curves, SviSlice, row_of, slice_of
from actors.venues.paper.smile import ssvi_slice

PLAIN = {7: SviSlice(0.004, 0.05, -0.2, 0.0, 0.08), 30: SviSlice(0.012, 0.1, -0.25, 0.0, 0.15)}


def curves(surface: Surface) -> list[SviSlice]:
    return [each.curve for _, each in sorted(surface.slices.items())]


def core_vols(surface: Surface) -> dict[int, list[float]]:
    """Vols, in points, at moneyness from -1.5 to 1.5 deviations, by expiry."""
    points = np.linspace(-1.5, 1.5, 13)
    return {
        expiry: [100 * s.curve.vol(x * math.sqrt(s.curve.total_variance(0.0)), s.t_years) for x in points]
        for expiry, s in surface.slices.items()
    }


def moved(one: Surface, other: Surface) -> dict[int, float]:
    """The largest difference of each expiry, in half-spreads of the first surface's quotes."""
    first, second = core_vols(one), core_vols(other)
    assert first.keys() == second.keys()
    return {
        expiry: max(abs(a - b) for a, b in zip(first[expiry], second[expiry], strict=True)) / (100 * sliced.half_vol)
        for expiry, sliced in one.slices.items()
    }


@pytest.mark.parametrize("chain", CHAINS)
def test_recorded_chains_are_met(chain: str) -> None:
    """Each recorded chain: 98 % of core quotes, 92 % of all, 0.30 vol points median, and no arbitrage at all."""
    now, by_underlying = recorded(chain)
    fitted = [(finish(refit(quotes, now)), quotes) for quotes in by_underlying.values()]
    scored = score(fitted, now)
    assert len(scored.expiries) >= 24
    assert all(each.slice is not None for each in scored.expiries)
    assert scored.inside_core >= 0.98
    assert scored.inside_all >= 0.92
    assert scored.rmse_median_vol_points <= 0.30
    assert scored.violations.total == 0
    for surface, _ in fitted:
        assert violations(curves(surface), widest=2.0, points=20_001).total == 0


@pytest.mark.parametrize("kind", ["wide", "crossed"])
def test_meaningless_quotes_move_nothing(kind: str) -> None:
    """Absurdly wide and crossed quotes leave exactly the surface that their absence leaves."""
    now, by_underlying = recorded(CHAINS[1])
    quotes, dice = by_underlying["ETH"], random.Random(3)
    hit = {each.instrument for each in quotes if each.bid and each.ask and dice.random() < 0.15}
    with_them = finish(refit([changed(q, kind, dice) if q.instrument in hit else q for q in quotes], now))
    without = finish(refit([q for q in quotes if q.instrument not in hit], now))
    assert max(moved(with_them, without).values()) < 0.02
    assert all(not each.doubtful for each in with_them.slices.values())


def test_stale_quotes_hardly_move_the_surface() -> None:
    """Seven in a hundred quotes half or twice their worth: most expiries move less than half a half-spread."""
    shares: list[float] = []
    for chain in CHAINS:
        now, by_underlying = recorded(chain)
        for quotes in by_underlying.values():
            dice = random.Random(7)
            clean = finish(refit(quotes, now))
            hit = {q.instrument for q in quotes if q.bid and q.ask and is_out_of_the_money(q) and dice.random() < 0.07}
            dirty = finish(refit([changed(q, "stale", dice) if q.instrument in hit else q for q in quotes], now))
            assert violations(curves(dirty)).total == 0
            shares += moved(clean, dirty).values()
    assert np.percentile(shares, 50) < 0.2
    assert np.percentile(shares, 90) < 0.6
    assert max(shares) < 2.0


def test_one_stale_quote_is_named() -> None:
    """A tight quote far from its neighbours is rejected by name and the smile stays where it was."""
    quotes = made(PLAIN)
    stale = 18
    quotes[stale] = changed(quotes[stale], "stale", random.Random(1))
    surface = finish(refit(quotes, NOW))
    assert surface.slices[int(NOW) + 7 * DAY_S].rejected == (quotes[stale].instrument,)
    assert max(moved(surface, finish(refit(made(PLAIN), NOW))).values()) < 0.1


def test_a_steep_smile_of_few_strikes_keeps_its_middle() -> None:
    """Seven strikes on a deeply bent smile: no quote is taken for a stray, at the money least of all."""
    bent = ssvi_slice(0.0077, -0.15, 1.1)
    quotes = made({5: bent}, half=0.01, strikes=7)
    sliced = next(iter(finish(refit(quotes, NOW)).slices.values()))
    assert sliced.rejected == ()
    assert abs(sliced.curve.vol(0.0, sliced.t_years) - bent.vol(0.0, sliced.t_years)) < 0.003


def test_a_known_smile_is_found() -> None:
    """Quotes around a true arbitrage-free SVI smile give it back to a small part of the spread."""
    surface = finish(refit(made(PLAIN), NOW))
    for days, true in PLAIN.items():
        found = surface.slices[int(NOW) + days * DAY_S]
        for k in np.linspace(-0.1, 0.1, 9):
            assert found.curve.vol(k, found.t_years) == pytest.approx(true.vol(k, found.t_years), abs=5e-4)
        assert found.misfit < 0.1
        assert found.doubtful == ""


random_slices = st.builds(
    SviSlice,
    a=st.floats(0.001, 0.05),
    b=st.floats(0.01, 0.6),
    rho=st.floats(-0.95, 0.95),
    m=st.floats(-0.1, 0.1),
    sigma=st.floats(0.005, 0.3),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(random_slices, min_size=1, max_size=5), st.floats(0.0, 0.03), st.integers(0, 1000))
def test_whatever_comes_in_no_arbitrage_comes_out(smiles: list[SviSlice], noise: float, seed: int) -> None:
    """Random slices, arbitrageable among and within themselves, become a surface without any, or none for an expiry."""
    days = [1, 3, 10, 40, 200]
    quotes = made(dict(zip(days, smiles, strict=False)), half=0.01, noise=noise, seed=seed)
    surface = finish(refit(quotes, NOW))
    assert violations(curves(surface), widest=3.0, points=5001).total == 0
    assert set(surface.slices) | set(surface.refused) == {quote.expiry_s for quote in quotes}
    for each in surface.slices.values():
        assert each.misfit <= SurfaceSettings().bad_misfit


def test_calendar_arbitrage_in_the_quotes_is_not_believed() -> None:
    """A later expiry quoted at less total variance than an earlier one is met half-way or refused, never copied."""
    upside_down = {7: SviSlice(0.02, 0.05, 0.0, 0.0, 0.1), 14: SviSlice(0.015, 0.05, 0.0, 0.0, 0.1)}
    surface = finish(refit(made(upside_down), NOW))
    assert violations(curves(surface)).total == 0
    assert any(each.doubtful for each in surface.slices.values()) or surface.refused


def test_violations_are_found_where_they_are() -> None:
    """The checker sees a negative density, a total variance that falls, and nothing in a clean surface."""
    good = [SviSlice(0.01, 0.05, -0.2, 0.0, 0.1), SviSlice(0.02, 0.06, -0.2, 0.0, 0.1)]
    assert violations(good).total == 0
    assert violations(good[::-1]).calendar > 0
    # Axel Vogt's example of a slice with a negative density, as printed in Gatheral and Jacquier (2014).
    vogt = SviSlice(-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
    assert violations([vogt], widest=1.5).butterfly > 0
    assert vogt.density_test(0.9) < 0.0
    assert violations([]).total == 0


@given(random_slices, st.floats(0.001, 0.5))
def test_normalised_rows_are_the_same_curve(curve: SviSlice, theta: float) -> None:
    """A slice and its normalised row agree in value, slope, curvature and density test, and convert back."""
    row = row_of(curve, theta)
    k = moneyness_grid(0.05, 1.0, 21)
    batch = Curves(row[None, :], (k / math.sqrt(theta))[None, :])
    w = [curve.total_variance(float(each)) for each in k]
    assert batch.u[0] * theta == pytest.approx(w, rel=1e-9)
    assert batch.slope[0] * math.sqrt(theta) == pytest.approx([curve.slope(float(each)) for each in k], rel=1e-7, abs=1e-9)
    tests = batch.density_test((k / math.sqrt(theta))[None, :], np.array([[theta]]))[0]
    assert tests == pytest.approx([curve.density_test(float(each)) for each in k], rel=1e-6, abs=1e-6)
    assert slice_of(row, theta).total_variance(0.3) == pytest.approx(curve.total_variance(0.3), rel=1e-9)


def test_jacobians_are_derivatives() -> None:
    """The analytic derivatives of value, slope, curvature and density test agree with differences."""
    rows = np.array([[1.0, 0.8, 1.2, 0.1, 1.5], [0.9, 0.3, 0.7, -0.5, 0.6]])
    x, theta = np.linspace(-3, 3, 7)[None, :].repeat(2, axis=0), np.array([[0.05], [0.3]])
    at = Curves(rows, x)
    analytic = (at.value_by_row(), at.slope_by_row(), at.curvature_by_row(), at.density_test_by_row(x, theta))
    for column in range(5):
        step = np.zeros(5)
        step[column] = 1e-6
        high, low = Curves(rows + step, x), Curves(rows - step, x)
        differences = (
            high.u - low.u,
            high.slope - low.slope,
            high.curvature - low.curvature,
            high.density_test(x, theta) - low.density_test(x, theta),
        )
        for exact, difference in zip(analytic, differences, strict=True):
            assert exact[..., column] == pytest.approx(difference / 2e-6, rel=1e-5, abs=1e-7)


def test_a_step_never_makes_a_fit_worse() -> None:
    """Each yielded state of the batched fit costs no more than the one before, slice by slice."""
    k = np.linspace(-0.3, 0.3, 15)
    dice = np.random.default_rng(2)
    mid = 0.5 + 0.4 * k * k - 0.1 * k + dice.normal(size=(3, 15)) * 0.01
    board = pack([Smile(t, k, row - 0.01, row + 0.01) for t, row in zip((0.02, 0.1, 0.5), mid, strict=True)])
    rows = smile_fit.first_rows_of(board)
    before = cost_of(board, rows)
    for steps in (1, 3, 10, 40):
        fit = smile_fit.fitted_rows(board, rows, steps)
        while True:
            try:
                next(fit)
            except StopIteration as done:
                after = cost_of(board, done.value)
                break
        assert (after <= before * (1 + 1e-12)).all()
        before = after
    assert (terms_of(board, rows).cost >= before).all()


def quiet(quotes: Sequence[SmileQuote], **change: float) -> list[SmileQuote]:
    return [msgspec.structs.replace(each, **change) for each in quotes]


def test_only_fresh_sane_two_sided_quotes_are_evidence() -> None:
    """Old, one-sided, in-the-money and impossible quotes do not make a smile, and the reason says so."""
    quotes = made({7: PLAIN[7]})
    expiry = quotes[0].expiry_s
    assert "0 fresh two-sided" in finish(refit(quiet(quotes, at=NOW - 1000), NOW)).refused[expiry]
    assert "0 fresh two-sided" in finish(refit(quiet(quotes, bid=0.0), NOW)).refused[expiry]
    assert "0 fresh two-sided" in finish(refit(quiet(quotes, forward=math.nan), NOW)).refused[expiry]
    assert "0 usable quotes" in finish(refit(quiet(quotes, ask=math.inf), NOW)).refused[expiry]
    assert "expires in" in finish(refit(quotes, expiry - 60.0)).refused[expiry]
    assert finish(refit([], NOW)).slices == {}


def test_a_scattered_market_is_refused_not_guessed() -> None:
    """Quotes that no smile can meet leave their expiry without one, with the misfit as the reason."""
    quotes = made({7: PLAIN[7], 30: PLAIN[30]}, half=0.001)
    dice = random.Random(5)
    scattered = [
        msgspec.structs.replace(q, bid=q.bid * f, ask=q.ask * f)  # type: ignore[operator]
        for q in quotes[:25]
        for f in [dice.choice([0.55, 0.8, 1.0, 1.3, 1.8])]
    ]
    surface = finish(refit([*scattered, *quotes[25:]], NOW))
    assert int(NOW) + 30 * DAY_S in surface.slices
    week = surface.slices.get(int(NOW) + 7 * DAY_S)
    assert week is None or week.doubtful


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    """Refitting from the last surface takes fewer steps and gives nearly the same smiles."""
    now, by_underlying = recorded(CHAINS[0])
    quotes = by_underlying["ETH"]
    cold = finish(refit(quotes, now))
    assert len(list(refit(quotes, now, previous=cold))) < 0.6 * len(list(refit(quotes, now)))
    warm = finish(refit(quotes, now, previous=cold))
    assert violations(curves(warm)).total == 0
    assert max(moved(cold, warm).values()) < 0.5


def test_a_warm_start_follows_a_market_that_jumps() -> None:
    """When all vols move by many half-spreads at once, the new market wins over the last surface."""
    last = finish(refit(made(PLAIN), NOW))
    higher = {days: SviSlice(1.5 * s.a, 1.5 * s.b, s.rho, s.m, s.sigma) for days, s in PLAIN.items()}
    surface = finish(refit(made(higher), NOW, previous=last))
    for days, true in higher.items():
        found = surface.slices[int(NOW) + days * DAY_S]
        assert found.curve.vol(0.0, found.t_years) == pytest.approx(true.vol(0.0, found.t_years), abs=1e-3)
        assert not found.rejected
