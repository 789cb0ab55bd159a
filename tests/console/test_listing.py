"""The operator's choice against the listing: what is meant is found in either spelling, what is not listed is told."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from console_kit import NOW_S, board, cell, coin_option, option

from actors.console.listing import choose, expiry_of, is_chosen, resolve_expiry
from actors.console.settings import LimitSettings, QuotingSettings
from actors.trading.errors import ConfigError
from actors.trading.instruments import Instrument, OptionKind

DAYS = ["20261124", "20261127", "20261204", "20261225", "20270326"]
"""Tuesday, last Friday of November, a Friday, last Friday of December, last Friday of March."""
LISTED = [one for day in DAYS for one in board(day, [2600, 2800, 3000])]


def complaints(**changes: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        choose(cell(**changes), LISTED, NOW_S)
    return caught.value.problems


def test_all_strikes_are_all_calls_and_puts_of_the_expiry() -> None:
    """By strike, calls first; the perpetual is not among them."""
    perpetual = attrs.evolve(option("20261225", 1.0), name="ETH-PERP", kind=None, expiry_s=0)
    chosen = choose(cell(), [perpetual, *reversed(LISTED)], NOW_S)
    assert [one.name for one in chosen.instruments[:3]] == [
        "ETH-20261225-2600-C",
        "ETH-20261225-2600-P",
        "ETH-20261225-2800-C",
    ]
    assert len(chosen.instruments) == 6
    assert chosen.expiries == ("20261225",)


def test_chosen_strikes_are_calls_and_puts_of_each() -> None:
    """Two strikes are four instruments, in each of the expiries."""
    chosen = choose(cell(expiries=DAYS[:2], all_strikes=False, strikes=[2800.0, 3000.0]), LISTED, NOW_S)
    assert len(chosen.instruments) == 8
    assert chosen.expiries == ("20261124", "20261127")


def test_an_expiry_that_is_not_listed_is_answered_with_those_that_are() -> None:
    """The message holds the whole list."""
    (line,) = complaints(expiries=["20261226"])
    assert line == f"expiry: 20261226 is not listed on ETH; listed are {', '.join(DAYS)}"


def test_a_strike_that_is_not_listed_is_answered_with_the_nearest() -> None:
    """Each wrong strike gets its own line."""
    lines = complaints(all_strikes=False, strikes=[2800.0, 2850.0, 9000.0])
    assert lines == (
        "strikes: 2850 is not listed on ETH 20261225; the nearest are 2600, 2800, 3000",
        "strikes: 9000 is not listed on ETH 20261225; the nearest are 2600, 2800, 3000",
    )


@pytest.mark.parametrize(
    ("word", "day"),
    [("nearest", "20261124"), ("nearest-weekly", "20261127"), ("nearest-monthly", "20261127"), ("20261226", "20261226")],
)
def test_words_for_an_expiry_follow_the_calendar(word: str, day: str) -> None:
    """A weekly is a Friday, a monthly the last one of its month; a date stays a date."""
    assert resolve_expiry(word, LISTED, NOW_S, 300.0) == day


def test_an_expiry_about_to_end_is_passed_over() -> None:
    """With less than an hour left to quote, the word means the next one."""
    just_before = datetime(2026, 11, 27, 7, 0, tzinfo=UTC).timestamp()
    assert resolve_expiry("nearest", LISTED, just_before - 3600, 300.0) == "20261127"
    assert resolve_expiry("nearest", LISTED, just_before, 300.0) == "20261204"
    assert resolve_expiry("nearest-monthly", LISTED, just_before, 300.0) == "20261225"


def test_a_word_without_such_an_expiry_says_what_is_listed() -> None:
    """Only dailies are listed: there is no weekly."""
    with pytest.raises(ConfigError, match="nearest-weekly is not listed on ETH; listed are 20261124"):
        choose(cell(expiries=["nearest-weekly"]), board("20261124", [2800]), NOW_S)


@pytest.mark.parametrize("name", ["ETH-20261225-2800-C", "ETH-25DEC26-2800-C", "eth-25dec26-2800-c"])
def test_a_name_is_understood_in_either_venues_spelling(name: str) -> None:
    """Users write names as they know them."""
    for listed in (LISTED, [coin_option("20261225", 2800.0)]):
        (found,) = choose(cell(expiries=[], all_strikes=False, instruments=[name]), listed, NOW_S).instruments
        assert (expiry_of(found), found.strike, found.kind) == ("20261225", 2800.0, OptionKind.CALL)


def test_a_name_that_is_not_listed_is_told() -> None:
    """With the names that are nearest to it."""
    (line,) = complaints(expiries=[], all_strikes=False, instruments=["ETH-20261225-2850-C"])
    assert line.startswith("instruments: ETH-20261225-2850-C is not listed; the nearest are ETH-20261225-2800-C, ")


def sized(size: float | None, **limits: float) -> dict[str, object]:
    return {"quoting": QuotingSettings(size=size), "limits": LimitSettings(**limits)}


def test_a_size_below_the_minimum_or_off_step_is_told_once() -> None:
    """Not once an instrument."""
    minimum = "the minimum on ETH options of this venue (0.10)"
    assert complaints(**sized(0.05)) == (f"size: 0.05 is below {minimum}; give that or more, or leave it unset",)
    assert complaints(**sized(0.105)) == ("size: 0.105 is not a whole number of steps; give a multiple of 0.01",)


def test_limits_below_the_minimum_are_told() -> None:
    """Nothing could ever be quoted under them."""
    lines = complaints(**sized(None, max_position=0.05, max_exposure=0.05))
    assert [line.partition(":")[0] for line in lines] == ["max_position", "max_exposure"]


def test_an_unset_size_is_fine_everywhere() -> None:
    """It means each instrument's own minimum."""
    assert choose(cell(), [coin_option("20261225", 2800.0)], NOW_S).instruments


def test_nothing_listed_is_told() -> None:
    """An underlying without options ends with a line, not with an empty table."""
    with pytest.raises(ConfigError, match="the venue lists no options on ETH"):
        choose(cell(), [], NOW_S)


def test_new_strikes_belong_to_the_choice_under_all_strikes_only() -> None:
    """A strike listed while running is picked up if its expiry is quoted and all strikes are wanted."""
    new: Instrument = option("20261225", 3200.0)
    everything = cell()
    chosen = choose(everything, LISTED, NOW_S)
    assert is_chosen(everything, chosen, new)
    assert not is_chosen(everything, chosen, option("20270326", 3200.0))
    picky = cell(all_strikes=False, strikes=[2800.0])
    assert not is_chosen(picky, choose(picky, LISTED, NOW_S), new)


AFTER_THE_FIRST_S = datetime(2026, 11, 24, 9, 0, tzinfo=UTC).timestamp()
STILL_LISTED = [one for one in LISTED if one.expiry_s > AFTER_THE_FIRST_S]


@pytest.mark.parametrize(
    "wanted",
    [
        {"expiries": ["20261124", "20261225"]},
        {"expiries": [], "all_strikes": False, "instruments": ["ETH-20261124-2800-C", "ETH-25DEC26-2800-C"]},
    ],
)
def test_what_has_ended_since_the_run_began_is_left_out(wanted: dict[str, object]) -> None:
    """A cell born again goes on with the rest; at the start of a run it is a mistake, and told."""
    chosen = choose(cell(**wanted), STILL_LISTED, AFTER_THE_FIRST_S, is_running=True)
    assert chosen.expiries == ("20261225",)
    with pytest.raises(ConfigError, match=r"20261124.* is not listed"):
        choose(cell(**wanted), STILL_LISTED, AFTER_THE_FIRST_S)


def test_where_all_has_ended_a_cell_born_again_says_so() -> None:
    """There is nothing it could go on with; and what was never listed is a mistake at any time."""
    for days in (["20261124"], ["20261124", "20261226"]):
        with pytest.raises(ConfigError, match=f"{days[-1]} is not listed on ETH; listed are 20261127"):
            choose(cell(expiries=days), STILL_LISTED, AFTER_THE_FIRST_S, is_running=True)
