"""The live table, the progress lines and the figures: what a person sees of a run, with honest times."""

from __future__ import annotations

import io

import attrs
import msgspec
import pytest
from console_kit import GOOD_KEY, NOW_S, snapshot
from rich.console import Console

from actors.console.live import LiveView, draw, nearest_the_money
from actors.console.logs import statistics_line
from actors.console.narrator import Narrator, progress_text
from actors.console.secrets import Secret
from actors.console.snapshots import CONNECTING, LOADING, CellSnapshot, EventLine, InstrumentRow, duration_text

BANNER = "PAPER: nothing leaves this machine"


def screen(snapshots: list[CellSnapshot], events: list[EventLine] | None = None, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=150, height=height)
    console.print(draw(BANNER, snapshots, events or [], console.size))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_each_strike_shows_market_quote_distance_position_age_and_state() -> None:
    """One line an instrument with everything the operator watches."""
    (line,) = [text for text in screen([snapshot(1)]) if "2000-C" in text]
    assert line.split() == [
        "ETH-20261225-2000-C",
        "100.0",
        "105.0",
        "100.1",
        "104.9",
        "+0.1",
        "+0.1",
        "0",
        "3.0",
        "s",
        "quoting",
    ]


def test_a_missing_side_and_its_reason_are_shown() -> None:
    """An empty side is a dash, and the state says why."""
    row = InstrumentRow("ETH-X", ask=5.0, position=-0.3, state="ask only", reason="the bid would be below one tick")
    (line,) = [text for text in screen([attrs.evolve(snapshot(0), rows=[row])]) if "ETH-X" in text]
    assert "-0.3" in line
    assert "ask only: the bid would be below one tick" in line


def test_totals_limits_budget_and_connections_stand_below() -> None:
    """Exposure against its limit, requests by kind, what is left of the budget, and each link."""
    text = "\n".join(screen([snapshot()]))
    for expected in (
        "exposure 0.3 of 10 (peak 0.5)",
        "fills 4, 0.4 contracts",
        "fees 0.112 USDC",
        "place 6, replace 12",
        "rejected 2",
        "matching 4/5 at 1/s",
        "public connected",
        "private down",
    ):
        assert expected in text


def test_what_does_not_fit_is_counted_and_is_farthest_from_the_money() -> None:
    """On a small screen the strikes around the index remain, in order."""
    full = snapshot(40)
    shown = nearest_the_money(full, 5)
    assert [row.strike for row in shown] == [2700.0, 2750.0, 2800.0, 2850.0, 2900.0]
    lines = screen([full], height=24)
    assert len(lines) <= 24
    assert any("farther from the money, all quoted" in line for line in lines)


@pytest.mark.parametrize("height", [20, 30, 60])
@pytest.mark.parametrize("rows", [0, 1, 40, 120])
def test_the_screen_fits_the_terminal(height: int, rows: int) -> None:
    """No scrolling, whatever is quoted and however much is to be told."""
    events = [EventLine(NOW_S, "INFO", f"fill {at}") for at in range(8)]
    assert len(screen([snapshot(rows, warnings=["the guard is down " * 10])], events, height)) <= height


def test_events_and_warnings_are_shown() -> None:
    """Fills, warnings and connection changes at the bottom, standing troubles in the cell."""
    lines = screen([snapshot(warnings=["guard is down: nothing new is sent"])], [EventLine(NOW_S, "WARNING", "slow venue")])
    assert "! guard is down: nothing new is sent" in lines
    assert "12:00:00Z  slow venue" in lines


def test_before_anything_is_known_the_screen_says_so() -> None:
    """Starting, connecting and loading are told apart."""
    assert any("starting" in line for line in screen([]))
    assert any("eth0" in line and "connecting" in line for line in screen([snapshot(0, phase=CONNECTING)]))
    loading = snapshot(0, phase=LOADING, phase_detail="3 of 12 pages")
    assert any("loading instruments 3 of 12 pages" in line for line in screen([loading]))


def test_a_secret_in_an_event_is_blanked() -> None:
    """The screen is as tight as the log."""
    Secret(GOOD_KEY)
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    with LiveView(BANNER, console) as view:
        view.event("ERROR", f"bad {GOOD_KEY}", NOW_S)
        view.show([snapshot()])
    assert isinstance(console.file, io.StringIO)
    assert "[secret]" in console.file.getvalue()
    assert GOOD_KEY not in console.file.getvalue()


# -- progress and figures


def test_the_time_to_go_is_missing_quotes_over_the_rate() -> None:
    """At one request a second eighty missing quotes take eighty seconds; without a rate nothing is promised."""
    waiting = snapshot(50, sides_resting=20)
    assert waiting.time_to_go_s == 80.0
    assert progress_text(waiting) == "quoting 50 of 50 instruments, 20 of 100 quotes; 1 min 20 s to go at 1 request/s"
    assert snapshot(50, sides_resting=20, requests_per_s=0.0).time_to_go_s is None
    assert snapshot().time_to_go_s == 0.0
    assert progress_text(snapshot()) == "quoting 3 of 3 instruments"


def test_the_narrator_says_each_thing_once_and_figures_on_time() -> None:
    """Phases when they change, progress every two seconds until all is quoted, statistics every thirty."""
    narrator = Narrator(statistics_s=30.0)
    said: list[list[str]] = []
    for second in range(65):
        resting = min(6, second)
        said.append(narrator.lines(snapshot(sides_resting=resting, time_s=NOW_S + second)))
    assert said[0] == ["eth0: quoting", "eth0: quoting 3 of 3 instruments, 0 of 6 quotes; 6.0 s to go at 1 request/s"]
    assert [at for at, lines in enumerate(said) if any("to go" in line for line in lines)] == [0, 2, 4]
    assert said[6] == ["eth0: quoting 3 of 3 instruments"]
    assert [at for at, lines in enumerate(said) if any("budget left" in line for line in lines)] == [30, 60]


def test_the_statistics_line_has_every_promised_figure() -> None:
    """Instruments, requests by kind, rejects, fills and volume, position, exposure, budget, age and restarts."""
    line = statistics_line(snapshot(position=-0.2, restarts=1))
    assert line == (
        "eth0: quoted 3/3 | requests: place 6 replace 12 | rejected 2 | fills 4 (0.4 contracts, fees 0.112 USDC)"
        " | position -0.2 | exposure 0.3 of 10 | budget left: matching 4/5 | oldest quote 3.0 s | restarts 1"
    )


def test_a_snapshot_crosses_a_pipe_unchanged() -> None:
    """msgspec writes and reads it as it is."""
    one = snapshot(2, greeks={"delta": 0.5}, pnl=1.25)
    text = msgspec.json.encode(one)
    assert msgspec.json.decode(text, type=CellSnapshot) == one
    assert msgspec.json.decode(text)["rows"][0]["bid"] == 100.1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.3, "12 s"), (59.7, "1 min 00 s"), (3605, "1 h 00 min"), (None, "unknown")],
)
def test_durations_are_told_as_people_say_them(seconds: float | None, text: str) -> None:
    """Tenths below ten seconds, then seconds, minutes, hours."""
    assert duration_text(seconds) == text
