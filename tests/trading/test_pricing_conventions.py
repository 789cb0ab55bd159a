"""Coin premiums, the venues' published Greeks, and forwards from futures or parity."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from exact_black import exact_price, slope
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.trading.conventions import deribit_greeks, derive_feed_vol, derive_greeks
from actors.trading.forwards import (
    Forward,
    ParityPair,
    best_forward,
    forward_from_future,
    forward_from_parity,
)
from actors.trading.inverse import coin_greeks, coin_implied_vol, coin_price
from actors.trading.pricing import SECONDS_PER_YEAR, black76, greeks
from actors.trading.svi import SviSlice

SHARED = Path(__file__).parents[3] / "shared"
SESSION = SHARED / "data" / "deribit-ws-session-2021-07-22.jsonl"
SAMPLES = SHARED / "reference" / "derive-v2-samples.json"

forwards = st.floats(1_000.0, 100_000.0)
ratios = st.floats(0.6, 1.7)
years = st.floats(1.0 / 365.0, 1.0)
vols = st.floats(0.2, 1.5)
calls = st.booleans()


@settings(max_examples=40, deadline=None)
@given(forwards, ratios, years, vols, calls)
def test_coin_greeks_are_derivatives_of_the_coin_premium(
    forward: float, ratio: float, t_years: float, vol: float, is_call: bool
) -> None:
    """Slope, net delta, net gamma, vega, theta, vanna and volga agree with differences of V/F in sixty digits."""
    strike = forward * ratio

    def coins(f: Any = forward, t: Any = t_years, v: Any = vol) -> Any:
        return exact_price(f, strike, t, v, is_call) / f

    def net(f: Any = forward, v: Any = vol) -> Any:
        return f * slope(lambda g: coins(f=g, v=v), f)

    ours = coin_greeks(forward, strike, t_years, vol, is_call)
    root = math.sqrt(t_years)
    expected = {
        "price": (coins(), 1.0),
        "slope": (slope(lambda f: coins(f=f), forward), 1.0 / forward),
        "net_delta": (net(), 1.0),
        "net_gamma": (slope(lambda f: net(f=f), forward), 1.0 / (forward * vol * root)),
        "vega": (slope(lambda v: coins(v=v), vol), root),
        "theta": (-slope(lambda t: coins(t=t), t_years), root / t_years),
        "vanna": (slope(lambda v: net(v=v), vol), 1.0 / vol),
        "volga": (slope(lambda v: slope(lambda w: coins(v=w), v), vol), root / vol),
    }
    for name, (exact, scale) in expected.items():
        assert abs(getattr(ours, name) - exact) < 1e-9 * abs(exact) + 1e-11 * scale, name


@given(forwards, ratios, years, vols)
def test_coin_parity_and_implied_vol(forward: float, ratio: float, t_years: float, vol: float) -> None:
    """A coin call less a coin put is 1 - K/F coins, and a coin premium gives its volatility back."""
    strike = forward * ratio
    call, put = (coin_price(forward, strike, t_years, vol, is_call) for is_call in (True, False))
    assert call - put == pytest.approx(1.0 - ratio, abs=1e-13)
    price = max(call, 1e-300) if ratio >= 1.0 else put
    if price > 1e-12:
        assert coin_implied_vol(price, forward, strike, t_years, ratio >= 1.0) == pytest.approx(vol, rel=1e-9)


def recorded_tickers() -> list[dict[str, Any]]:
    """The last recorded ticker of every option that has Greeks."""
    if not SESSION.exists():
        pytest.skip("the recorded Deribit session is not there (shared/data)")
    last: dict[str, dict[str, Any]] = {}
    for line in SESSION.read_text().splitlines():
        message = json.loads(line)["msg"] or {}
        data = message.get("params", {}).get("data", {})
        if isinstance(data, dict) and "greeks" in data:
            last[data["instrument_name"]] = data
    return list(last.values())


def test_deribit_greeks_are_reproduced() -> None:
    """All five published Greeks of every recorded option follow from forward, mark vol and time."""
    tickers = recorded_tickers()
    assert len(tickers) >= 10
    for ticker in tickers:
        _, expiry, strike, kind = ticker["instrument_name"].split("-")
        expires = datetime.strptime(expiry + " 08", "%d%b%y %H").replace(tzinfo=UTC).timestamp()
        t_years = (expires - ticker["timestamp"] / 1000) / SECONDS_PER_YEAR
        ours = deribit_greeks(
            ticker["underlying_price"], float(strike), t_years, ticker["mark_iv"] / 100, kind == "C"
        )
        for name, published in ticker["greeks"].items():
            assert getattr(ours, name) == pytest.approx(published, rel=1e-3, abs=2e-5), (ticker["instrument_name"], name)


@pytest.mark.parametrize(("sample", "strike", "is_call"), [("call", 1600.0, True), ("put", 1900.0, False)])
def test_derive_v2_samples_show_plain_derivatives(sample: str, strike: float, is_call: bool) -> None:
    """The two recorded v2 tickers (15 days, strikes inferred from price and vol) carry derivatives per point and day."""
    if not SAMPLES.exists():
        pytest.skip("the Derive samples are not there (shared/reference)")
    samples = json.loads(SAMPLES.read_text())["samples"]
    ticker = samples[f"ticker_slim (option {sample})"]["instrument_ticker"]
    shown = {key: float(value) for key, value in ticker["option_pricing"].items()}
    expires = datetime(2026, 6, 12, 8, tzinfo=UTC).timestamp()
    t_years = (expires - ticker["t"] / 1000) / SECONDS_PER_YEAR
    ours = greeks(shown["f"], strike, t_years, shown["i"], is_call)
    assert ours.price == pytest.approx(shown["m"], rel=2e-3)
    assert ours.delta == pytest.approx(shown["d"], abs=2e-4)
    assert ours.gamma == pytest.approx(shown["g"], rel=1e-3)
    assert ours.vega / 100 == pytest.approx(shown["v"], rel=1e-3)
    assert ours.theta / 365 == pytest.approx(shown["t"], rel=1e-3)
    assert t_years * ours.price == pytest.approx(shown["r"], rel=2e-3)


@settings(max_examples=40, deadline=None)
@given(forwards, ratios, st.floats(2.0 / 365.0, 1.0), vols, calls)
def test_derive_greeks_are_changes_for_whole_steps(
    forward: float, ratio: float, t_years: float, vol: float, is_call: bool
) -> None:
    """A forward a thousandth higher, a vol point more and a day less change the exact price by what is published."""
    strike = forward * ratio

    def change(f: float = 1.0, t: float = 0.0, v: float = 0.0) -> Any:
        moved = exact_price(forward * f, strike, t_years + t, vol + v, is_call)
        return moved - exact_price(forward, strike, t_years, vol, is_call)

    shown = derive_greeks(forward, strike, t_years, vol, is_call)
    assert abs(shown.delta - change(f=1.001) / (0.001 * forward)) < 1e-9
    assert abs(shown.vega - change(v=0.01)) < 1e-12 * forward
    assert abs(shown.theta - change(t=-1.0 / 365.0)) < 1e-12 * forward
    assert abs(shown.rho - t_years * exact_price(forward, strike, t_years, vol, is_call)) < 1e-12 * forward
    assert abs(shown.delta) <= 1.0 + 1e-12


def pair(strike: float, forward: float, width: float, in_coin: bool, shift: float = 0.0) -> ParityPair:
    """Call and put of one strike around 60 % vol and a month, `width` a side."""
    unit = forward if in_coin else 1.0
    call, put = (black76(forward, strike, 1 / 12, 0.6, is_call) / unit for is_call in (True, False))
    wide = width / unit
    return ParityPair(strike, call - wide + shift / unit, call + wide + shift / unit, put - wide, put + wide)


@pytest.mark.parametrize("in_coin", [False, True])
def test_parity_finds_the_forward_past_a_stale_strike(in_coin: bool) -> None:
    """The narrow strikes outvote one that is far off, in money and in coin, and the error stays within what is said."""
    pairs = [pair(strike, 2000.0, 1.0 + abs(strike - 2000.0) / 100.0, in_coin) for strike in range(1600, 2500, 100)]
    pairs.append(pair(1950.0, 2000.0, 1.0, in_coin, shift=150.0))
    found = forward_from_parity(pairs, in_coin=in_coin)
    assert found is not None
    assert found.source == "parity"
    assert abs(found.price - 2000.0) < 2.0
    assert found.uncertainty >= 1.0


def test_no_forward_is_better_than_a_wrong_one() -> None:
    """One-sided, crossed or missing markets give no forward; a contradicted future is doubted."""
    assert forward_from_future(None, 100.0) is None
    assert forward_from_future(101.0, 100.0) is None
    assert forward_from_parity([]) is None
    assert forward_from_parity([ParityPair(100.0, 0.0, 1.0, 2.0, 3.0)]) is None
    assert best_forward(None, None) is None
    future, parity = Forward(100.0, 0.5, "future"), Forward(110.0, 1.0, "parity")
    assert best_forward(future, None) == future
    assert best_forward(None, parity) == parity
    assert best_forward(future, parity) == Forward(100.0, 9.0, "future")


def test_derives_feed_is_flat_beyond_four_deviations() -> None:
    """Inside, the feed's vol is sqrt(variance / time); beyond four deviations it is that of the fourth."""
    feed, t_years = SviSlice(0.001, 0.03, -0.2, 0.01, 0.1), 0.05
    edge = 4.0 * math.sqrt(0.001 + 0.03 * 0.1)
    k = 0.2
    variance = 0.001 + 0.03 * (-0.2 * (k - 0.01) + math.sqrt((k - 0.01) ** 2 + 0.01))
    assert derive_feed_vol(feed, 2000.0, 2000.0 * math.exp(k), t_years) == pytest.approx(math.sqrt(variance / t_years))
    at_edge = derive_feed_vol(feed, 2000.0, 2000.0 * math.exp(edge), t_years)
    assert derive_feed_vol(feed, 2000.0, 2000.0 * math.exp(2.0 * edge), t_years) == pytest.approx(at_edge)
