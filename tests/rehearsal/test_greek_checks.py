"""The judge's own Greeks: a worst case over a limit is caught, and what the maker could not have known is no breach."""

from __future__ import annotations

import attrs
import pytest
from ledgers import NAME, Book, terms

from actors.console.settings import LimitSettings
from actors.rehearsal.faults import KINDS
from actors.rehearsal.greek_checks import published
from actors.rehearsal.judge import judge
from actors.rehearsal.scene import draw_scene

FORWARD, VOL = 3000.0, 0.6
ROOMY = {"max_position": 1000, "max_exposure": 1000}
"""So that nothing but a Greek limit is broken."""


def told(day: Book, vol: float = VOL, forward: float = FORWARD) -> Book:
    """A ticker of the day's only option."""
    pricing = {"f": str(forward), "i": str(vol), "df": "1"}
    data = {"timestamp": day.now // 10**6, "instrument_ticker": {"I": str(forward), "option_pricing": pricing}}
    channel = f"ticker_slim.{NAME}.1000"
    day.write("notice", channel=channel, sessions=[1], body={"params": {"channel": channel, "data": data}})
    return day.later()


def broken(day: Book, limits: LimitSettings) -> list[str]:
    held_to = attrs.evolve(terms(**ROOMY), greek_limits=limits)
    return [one.text for one in judge(day.rows, held_to).violations if one.invariant == "within Greek limits"]


# At the money, five days before the end: delta 0.51, vega 1.4 a vol point, theta 8 a day, a tenth down costs 78.
@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (LimitSettings(max_delta=0.3), "max_delta"),
        (LimitSettings(max_gamma=0.001), "max_gamma"),
        (LimitSettings(max_vega=0.8), "max_vega"),
        (LimitSettings(max_theta=5.0), "max_theta"),
        (LimitSettings(max_scenario_loss=50.0, scenario_spot=[-0.1], scenario_vol=[0.0]), "max_scenario_loss"),
        (LimitSettings(max_vega=1.6, expiry_share=0.5), "max_vega"),
    ],
)
def test_an_order_that_could_break_a_limit_is_caught(limits: LimitSettings, name: str) -> None:
    """One contract at the money is too much for each of these; half of one is not."""
    fits = told(Book().opening()).rests("a", amount="0.50")
    assert broken(fits, limits) == []
    breaks = told(Book().opening()).rests("a", amount="1.00")
    assert [text.split(":")[0].split(" (")[0] for text in broken(breaks, limits)] == [name]


def test_positions_and_resting_orders_add_up() -> None:
    """Bought 0.4, a bid of 0.4 more: together too much vega, though neither is alone; an offer is no harm."""
    limits = LimitSettings(max_vega=0.8)
    day = told(Book().opening()).rests("a", amount="0.40").fill("a", "0.40")
    assert broken(told(day), limits) == []
    day.rests("c", "ask", amount="0.40")
    assert broken(day, limits) == []
    day.rests("b", amount="0.40")
    assert len(broken(day, limits)) == 1


def test_a_market_that_moved_since_is_no_breach() -> None:
    """By the ticker of three seconds ago the order fitted; by one of a minute ago it may not be justified."""
    limits = LimitSettings(max_vega=0.8)
    moved = told(told(Book().opening(), forward=2500.0).later(3.0)).rests("a", amount="1.00")
    assert broken(moved, limits) == []
    stood = told(told(Book().opening(), forward=2500.0).later(60.0)).rests("a", amount="1.00")
    assert len(broken(stood, limits)) == 1


def test_both_venues_tickers_are_read() -> None:
    """Derive's short keys, Deribit's long ones in percent; a perpetual has neither."""
    derive = {"instrument_ticker": {"option_pricing": {"f": "3001.2", "i": "0.5", "df": "1"}}}
    assert published(derive) == (3001.2, 0.5, 1.0)
    assert published({"mark_iv": 71.3, "underlying_price": 80410.5}) == (80410.5, 0.713, 1.0)
    assert published({"instrument_ticker": {"option_pricing": None}}) is None


@pytest.mark.parametrize("venue", ["derive", "deribit"])
def test_a_share_of_the_scenes_is_played_under_greek_limits(venue: str) -> None:
    """Every kind of limit, on followers of the book and on makers around fair value, at both venues."""
    cells = [draw_scene(seed, KINDS, venue).cell for seed in range(200)]
    names = ("max_delta", "max_gamma", "max_vega", "max_theta", "max_scenario_loss")
    limited = [cell for cell in cells if any(getattr(cell.limits, name) is not None for name in names)]
    assert 15 <= len(limited) <= 60
    assert all(any(getattr(cell.limits, name) is not None for cell in limited) for name in names)
    assert {"improve", "theoretical"} <= {cell.quoting.strategy for cell in limited}
