"""How the synthetic market behaves: what is listed, who quotes, who trades, and that widths and knowledge matter."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

import attrs
import pytest
from open_pit import MAKER, OpenPit

from actors.trading.errors import ConfigError
from actors.trading.instruments import Side
from actors.venues.paper.catalogue import expiries, missing_strikes, spec_of, strikes_around
from actors.venues.paper.market import World, WorldSettings

NOW_NS = 1_795_338_000 * 10**9
"""Sunday, 22 November 2026, 09:00 UTC."""
SECOND_NS = 10**9
DAY_S = 86_400
ALONE = {"rival_delay_s": (), "rival_look_s": (), "rival_width": ()}
"""No other makers."""
ONE_WEEK = {"dailies": 0, "weeklies": 1, "monthlies": 0, "quarters": 0}


def opened(venue: str = "derive", seed: int = 1, at_ns: int = NOW_NS, **changes: object) -> tuple[OpenPit, World]:
    underlying = str(changes.pop("underlying", "ETH"))
    pit = OpenPit()
    world = World(WorldSettings.usual(underlying, **changes), venue, pit, seed)
    world.open(at_ns)
    return pit, world


# -- what is listed


@pytest.mark.parametrize("venue", ["derive", "deribit"])
@pytest.mark.parametrize("underlying", ["ETH", "BTC"])
def test_every_expiry_has_twenty_to_forty_strikes_around_the_forward(venue: str, underlying: str) -> None:
    """Several expiries at 08:00 UTC, each with 20 to 40 strikes of both kinds on a round grid, plus one perpetual."""
    pit, world = opened(venue, underlying=underlying)
    strikes: dict[int, set[float]] = defaultdict(set)
    kinds: dict[int, int] = defaultdict(int)
    for instrument in pit.instruments.values():
        if instrument.kind is not None:
            strikes[instrument.expiry_s].add(instrument.strike)
            kinds[instrument.expiry_s] += 1
    assert len(strikes) >= 4
    assert sum(instrument.kind is None for instrument in pit.instruments.values()) == 1
    for expiry, each in strikes.items():
        assert expiry % DAY_S == 8 * 3600
        assert 20 <= len(each) <= 40
        assert kinds[expiry] == 2 * len(each)
        assert min(each) < world.index < max(each)
        grid = min(b - a for a, b in pairwise(sorted(each)))
        assert all(math.isclose(strike / grid, round(strike / grid)) for strike in each)


def test_the_calendar_has_dailies_fridays_month_ends_and_quarters() -> None:
    """On that Sunday: Monday and Tuesday, two Fridays, the last Friday of the month and of the quarter."""
    days = [datetime.fromtimestamp(second, UTC).strftime("%Y%m%d") for second in expiries(NOW_NS / 1e9, WorldSettings())]
    assert days == ["20261123", "20261124", "20261127", "20261204", "20261225"]
    longer = WorldSettings(monthlies=3, quarters=2)
    days = [datetime.fromtimestamp(second, UTC).strftime("%Y%m%d") for second in expiries(NOW_NS / 1e9, longer)]
    assert days == ["20261123", "20261124", "20261127", "20261204", "20261225", "20270129", "20270326"]


def test_a_new_daily_is_listed_at_the_roll_and_the_expired_one_leaves() -> None:
    """At 08:00 the next day's options come, quoted within seconds; the expired ones are gone from the world."""
    before_roll = (1_795_338_000 // DAY_S * DAY_S + DAY_S + 8 * 3600 - 90) * SECOND_NS
    pit, world = opened(at_ns=before_roll, strikes=21)
    first = min(i.expiry_s for i in pit.instruments.values() if i.kind)
    known = set(pit.instruments)
    for n in range(1, 211):
        world.step(before_roll + n * SECOND_NS // 2)
    new = [pit.instruments[name] for name in pit.instruments if name not in known]
    assert {i.expiry_s for i in new} == {first + 2 * DAY_S}
    assert len(new) == 42
    assert sum(pit.best(i.name) != (0, 0) for i in new) >= 40
    assert not any(pit.instruments[name].expiry_s == first for name in world.instruments)


def test_an_expiry_about_to_close_is_not_listed_any_more() -> None:
    """A world that opens in the last minute before 08:00 begins with the next day's options."""
    at = (1_795_338_000 // DAY_S * DAY_S + DAY_S + 8 * 3600 - 30) * SECOND_NS
    pit, _ = opened(at_ns=at)
    assert min(i.deactivation_s for i in pit.instruments.values()) * SECOND_NS > at


def test_new_strikes_are_listed_where_the_forward_wandered() -> None:
    """When the index runs away, strikes follow, so that the money always lies well inside the strikes."""
    pit, world = opened(
        seed=3, dailies=1, weeklies=0, monthlies=0, quarters=0, strikes=21, tick_interval_s=2.0, speed=50.0,
        taker_rate_per_s=0.0, **ALONE,
    )  # fmt: skip
    known = {i.strike for i in pit.instruments.values() if i.kind}
    for n in range(1, 361):
        world.step(NOW_NS + n * 10 * SECOND_NS)
        if n % 60 == 0:
            listed = sorted({pit.instruments[name].strike for name in world.instruments if pit.instruments[name].kind})
            below = sum(strike < world.index for strike in listed)
            assert min(below, len(listed) - below) >= 5
    assert len({i.strike for i in pit.instruments.values() if i.kind}) > len(known)


def test_strikes_stay_positive() -> None:
    """A grid that reaches below zero is continued above instead."""
    assert strikes_around(100.0, 25.0, 9) == tuple(25.0 * n for n in range(1, 10))
    assert missing_strikes((25.0, 50.0), 30.0, 25.0, 3) == (75.0, 100.0)


def test_an_unknown_venue_or_underlying_is_a_clear_error() -> None:
    """The error names what there is."""
    with pytest.raises(ConfigError, match=r"no DOGE on derive; there are ETH, BTC$"):
        spec_of("derive", "DOGE")


# -- other makers


@pytest.mark.parametrize("venue", ["derive", "deribit"])
def test_rivals_never_cross_and_stay_on_the_ladder(venue: str) -> None:
    """Over minutes of a wild market no two rivals cross, and every price lies on the ladder (the pit refuses others)."""
    pit, world = opened(venue, seed=2, strikes=9, vol_annual=2.0, jumps_per_day=2000.0, taker_rate_per_s=5.0)
    for n in range(1, 1201):
        world.step(NOW_NS + n * SECOND_NS // 5)
    assert pit.calls["quotes"] > 5_000
    assert pit.trades


def test_spreads_look_like_recorded_ones() -> None:
    """Near the money the best spread is a few dollars with room for a maker to improve; wings lack sides now and then."""
    pit, _ = opened("derive", seed=4)
    spreads, sides = [], []
    for instrument in pit.instruments.values():
        if instrument.kind is None:
            continue
        bid, ask = pit.best(instrument.name)
        sides += [bid, ask]
        if bid and ask and 0.2 < abs(pit.references[instrument.name].delta) < 0.6:
            spreads.append((ask - bid) * float(instrument.tick))
    assert 1.5 < median(spreads) < 8.0
    assert min(spreads) > 0.4
    assert 0.005 < sides.count(0) / len(sides) < 0.1


def test_slow_rivals_leave_stale_quotes() -> None:
    """After a minute the slow rival's value is older, and further from fair, than the quick one's."""
    settings = {"rival_delay_s": (0.0, 10.0), "rival_look_s": (0.2, 5.0), "rival_width": (1.0, 1.0)}
    pit, world = opened(
        seed=5, **ONE_WEEK, **settings, strikes=5, vol_annual=3.0, rival_view_std_vol_points=0.0, taker_rate_per_s=0.0
    )
    off: dict[str, list[float]] = defaultdict(list)
    for n in range(1, 301):
        world.step(NOW_NS + n * SECOND_NS // 2)
        for name in world.instruments:
            book = pit.books[name]
            for rival in ("rival-1", "rival-2"):
                if book[Side.BID].get(rival) and book[Side.ASK].get(rival):
                    mid = 0.5 * (book[Side.BID][rival][0][0] + book[Side.ASK][rival][0][0])
                    off[rival].append(abs(mid * pit.instruments[name].tick_float - world.fair_usd(name)))
    assert median(off["rival-2"]) > 3 * median(off["rival-1"])


# -- takers


def maker_quotes(pit: OpenPit, world: World, half_usd: float, amount: int = 10_000) -> None:
    """A maker who knows fair value and stands `half_usd` to either side of it in every option."""
    for name in world.instruments:
        instrument, fair = pit.instruments[name], world.fair_usd(name)
        if instrument.kind is not None and fair > half_usd + 1.0:
            bid = instrument.round_away(fair - half_usd, Side.BID)
            ask = instrument.round_away(fair + half_usd, Side.ASK)
            pit.quote(name, MAKER, [(bid, amount)], [(ask, amount)])


def fills_at(half_usd: float) -> int:
    """Trades in ten minutes against a maker that wide, with takers that go 3 USD beyond fair on average."""
    pit, world = opened(
        seed=8, **ONE_WEEK, **ALONE, strikes=5, spot_usd=3000.0, taker_rate_per_s=4.0, informed_share=0.0, perp_share=0.0,
        taker_reach_vol_points=0.0, taker_reach_bps=10.0, vol_annual=0.3, jumps_per_day=0.0,
    )  # fmt: skip
    for n in range(1, 1201):
        maker_quotes(pit, world, half_usd)
        world.step(NOW_NS + n * SECOND_NS // 2)
    return len(pit.trades)


def test_fills_fall_exponentially_as_quotes_widen() -> None:
    """Three dollars further out (one mean reach) leaves about 1/e of the fills, again and again."""
    near, middle, far = fills_at(3.0), fills_at(6.0), fills_at(9.0)
    assert near > 500
    assert middle / near == pytest.approx(math.exp(-1.0), abs=0.06)
    assert far / middle == pytest.approx(math.exp(-1.0), abs=0.09)


def stale_maker_profit(informed_share: float, seed: int) -> float:
    """Profit per trade, at fair value two minutes later, of a maker who requotes once a minute (quote currency)."""
    pit, world = opened(
        seed=seed, **ONE_WEEK, **ALONE, strikes=5, taker_rate_per_s=1.0, informed_share=informed_share, perp_share=0.0
    )
    profit, open_trades, seen = 0.0, [], 0
    for second in range(1, 1201):
        if second % 60 == 1:
            maker_quotes(pit, world, 2.0)
        world.step(NOW_NS + second * SECOND_NS)
        for name, side, price, amount, _ in pit.trades[seen:]:
            instrument = pit.instruments[name]
            open_trades.append((second, name, side, instrument.price_float(price), instrument.amount_float(amount)))
        seen = len(pit.trades)
        while open_trades and open_trades[0][0] <= second - 120:
            _, name, side, price, amount = open_trades.pop(0)
            profit += side * (price - world.fair_usd(name)) * amount
    assert pit.trades
    return profit / len(pit.trades)


def test_informed_takers_earn_from_stale_quotes() -> None:
    """A maker who requotes once a minute earns from the uninformed and loses to those who know the coming index."""
    seeds = range(4)
    assert sum(stale_maker_profit(0.0, seed) for seed in seeds) > 0.0
    assert sum(stale_maker_profit(1.0, seed) for seed in seeds) < 0.0


def test_no_taker_pays_through_its_limit() -> None:
    """A taker that finds no price to its liking trades nothing: with a maker miles away there are no trades."""
    pit, world = opened(seed=9, **ONE_WEEK, **ALONE, strikes=5, taker_rate_per_s=10.0, informed_share=0.5)
    for n in range(1, 121):
        maker_quotes(pit, world, 60.0)
        world.step(NOW_NS + n * SECOND_NS // 2)
    assert not pit.trades


def test_taker_sizes_are_contracts_of_a_tenth_to_five() -> None:
    """Sizes spread log-normally around half a contract, cut at five, never below the venue's minimum."""
    _, world = opened(seed=10, **ONE_WEEK, strikes=9, taker_rate_per_s=5.0, informed_share=0.0, perp_share=0.0)
    sizes = []
    for n in range(1, 601):
        sizes += [arrival.amount for arrival in world.step(NOW_NS + n * SECOND_NS // 2)]
    assert min(sizes) >= 10
    assert max(sizes) <= 500
    assert 25 <= median(sizes) <= 90


def test_the_perpetual_can_be_hedged_in() -> None:
    """The perpetual has a tight two-sided market around the index, on both venues."""
    for venue, name in (("derive", "ETH-PERP"), ("deribit", "ETH-PERPETUAL")):
        pit, world = opened(venue)
        bid, ask = pit.best(name)
        tick = pit.instruments[name].tick_float
        assert bid * tick < world.index < ask * tick
        assert (ask - bid) * tick < 5e-4 * world.index


# -- what is published


def test_references_follow_the_world() -> None:
    """Mark, forward, vol and Greeks of each instrument stay within a second of the truth."""
    pit, world = opened(seed=11, **ONE_WEEK, strikes=9, vol_annual=2.0)
    for n in range(1, 101):
        world.step(NOW_NS + n * SECOND_NS // 5)
        for name in world.instruments:
            assert pit.references[name].mark == pytest.approx(world.fair_usd(name), abs=0.002 * world.index)
    assert pit.index["ETH-USD"] == world.index


@pytest.mark.parametrize("minutes", [31, 10])
def test_the_mark_runs_into_the_settlement_mean(minutes: int) -> None:
    """In the last half hour the forward blends with the minute prints, and at the end the mark is the payoff on them,
    also when the world opened too late to see them all."""
    expiry_s = 1_795_338_000 // DAY_S * DAY_S + DAY_S + 8 * 3600
    start = (expiry_s - 60 * minutes) * SECOND_NS
    pit, world = opened(at_ns=start, dailies=1, weeklies=0, monthlies=0, quarters=0, strikes=21, vol_annual=3.0, **ALONE)
    prints = []
    for second in range(1, 60 * minutes - 1):
        world.step(start + second * SECOND_NS)
        if second % 60 == 0 and expiry_s - start // SECOND_NS - second < 1800:
            prints.append(world.index)
    calls = [i for i in pit.instruments.values() if i.kind and i.kind.value == "C"]
    assert len(prints) == min(minutes, 30) - 1
    settled = (sum(prints) + world.index) / min(minutes, 30)
    for call in calls:
        assert pit.references[call.name].mark == pytest.approx(max(settled - call.strike, 0.0), abs=0.3)


def test_a_chain_of_worlds_can_share_a_seed() -> None:
    """ETH's and BTC's worlds of one seed are independent of each other."""
    eth, btc = opened(underlying="ETH")[1], opened(underlying="BTC")[1]
    moves = []
    for world in (eth, btc):
        before = world.index
        world.step(NOW_NS + 60 * SECOND_NS)
        moves.append(world.index / before)
    assert moves[0] != pytest.approx(moves[1], rel=1e-9)


def test_defaults_are_settings_like_any_other() -> None:
    """`usual` is the committed default at an underlying's scale, and takes changes."""
    assert WorldSettings.usual("ETH") == WorldSettings()
    assert WorldSettings.usual("BTC", speed=2.0).spot_usd > 10_000
    assert attrs.asdict(WorldSettings.usual("BTC", speed=2.0))["speed"] == 2.0
