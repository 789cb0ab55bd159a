"""The dry run shows every value with its origin, every instrument with its room, and what a tick is worth."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from console_kit import GOOD_KEY, GOOD_WALLET, board, coin_option
from rich.console import Console

from actors.console import config
from actors.console.listing import Chosen
from actors.console.plan import CellFacts, Plan, banner, make_plan, print_plan, tick_money
from actors.console.settings import Settings, VenueSettings
from actors.trading.instruments import Instrument, OptionKind
from actors.venues.dialect import AccountFacts, Pool, RateLimit

BOARD = board("20261225", [2600, 2800, 3000])
CHOICE = ["-expiry", "20261225", "-all-strikes"]


def facts_of(instruments: list[Instrument], index: float | None = 2810.0) -> CellFacts:
    return CellFacts(Chosen(tuple(instruments), ("20261225",)), index)


def plan_of(*argv: str, instruments: list[Instrument] = BOARD, index: float | None = 2810.0, **environ: str) -> Plan:
    effective = config.load([*CHOICE, *argv], environ)
    return make_plan(effective, [facts_of(instruments, index)], None, {"WebSocket": "ws://127.0.0.1:1"})


def printed(plan: Plan, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_plan(plan, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_key_is_shown_with_its_origin(toml: Callable[[str], str]) -> None:
    """Nothing in force is left out, and defaults are called so."""
    path = toml("[quoting]\nsize = 0.2")
    plan = make_plan(config.load([path, *CHOICE, "-spread", "20"], {}), [facts_of(BOARD)])
    rows = {row.path: row for row in plan.configuration}
    assert rows["cells[0].quoting.size"].origin == "file my.toml"
    assert (rows["cells[0].quoting.spread_bps"].value, rows["cells[0].quoting.spread_bps"].origin) == ("20", "flag -spread")
    assert rows["cells[0].limits.max_exposure"].origin == "default"
    assert rows["cells[0].quoting.refresh_s"].unit == "s"
    assert len(plan.configuration) > 60


def test_who_gets_no_room_is_shown() -> None:
    """With room for four of six, the farthest pair is named."""
    plan = plan_of("-max-exposure", "0.4", "-size", "0.1")
    assert plan.cells[0].without_room == ("ETH-20261225-2600-C", "ETH-20261225-2600-P")
    shown = printed(plan)
    assert "No room under max_exposure (2), nearest the money first: ETH-20261225-2600-C, ETH-20261225-2600-P" in shown


def test_the_key_is_shown_by_its_fingerprint_only() -> None:
    """The signer's address says enough; on paper the exchange's own credentials are named."""
    shown = printed(plan_of("-test", DERIVE_PRIVATE_KEY=GOOD_KEY, DERIVE_WALLET_ADDRESS=GOOD_WALLET))
    assert "signer 0x" in shown
    assert GOOD_KEY[2:] not in shown
    assert "[secret]" in shown
    assert "the paper exchange's own test credentials" in printed(plan_of())


def test_a_tick_is_priced_in_money() -> None:
    """A tick of 0.1 dollars is 0.1; a coin tick is worth the index, and unknown without one."""
    assert tick_money(BOARD[0], 1, None) == 0.1
    coin = coin_option("20261225", 2800.0)
    assert tick_money(coin, 5, 2000.0) == pytest.approx(1.0)
    assert tick_money(coin, 5, None) is None


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "1 tick (worth 0.28, coarser than 0.1) / 1 tick (worth 1.41, coarser than 0.1)"),
        (["-improvement", "0.60"], "2 ticks / 1 tick (worth 1.41, coarser than 0.6)"),
        (["-improvement", "3"], "10 ticks / 2 ticks"),
        (["-set", "quoting.coarse_tick=join"], "joins the best"),
        (["-strategy", "mid_spread"], "not used"),
    ],
)
def test_what_the_improvement_comes_to_is_shown_for_each_rung(argv: list[str], expected: str) -> None:
    """On coin premiums a tick may be worth more than the improvement: the plan says what is done then."""
    plan = plan_of("-exchange", "deribit", *argv, instruments=[coin_option("20261225", 2800.0, OptionKind.PUT)])
    (row,) = plan.cells[0].rows
    assert row.improvement == expected
    assert row.tick == "0.0001, 0.0005 above 0.0050 ETH"


def test_limits_endpoints_and_account_are_shown() -> None:
    """What the venue told at login appears; where nobody logged in, that is said."""
    facts = AccountFacts("30769", {Pool.MATCHING: RateLimit(1, 5)}, RateLimit(10, 10), cancel_on_disconnect=True)
    effective = config.load(CHOICE, {})
    shown = printed(make_plan(effective, [facts_of(BOARD)], facts, {"WebSocket": "ws://127.0.0.1:1/ws"}))
    for text in (
        "ws://127.0.0.1:1/ws",
        "account 30769",
        "matching: 1 requests/s, burst 5",
        "max_position",
        "per instrument: 10 requests/s",
        "cancel-on-disconnect on",
    ):
        assert text in shown
    assert "not asked (no login)" in printed(plan_of())


def test_the_banner_says_where_orders_go() -> None:
    """Paper, testnet and real money are told apart in the first line."""
    assert printed(plan_of()).startswith("PAPER: ")
    assert banner(Settings(venue=VenueSettings(test=True))).startswith("TESTNET: ")
    assert banner(Settings(venue=VenueSettings(live=True))).startswith("LIVE: ")
    assert "ws://127.0.0.1:9" in banner(Settings(venue=VenueSettings(url="ws://127.0.0.1:9")))


def test_a_narrow_terminal_loses_nothing() -> None:
    """Values are folded, not cut."""
    shown = "".join(line.strip() for line in printed(plan_of(), width=60).split())
    assert "cells[0].quoting.min_spread_bps"[:12] in shown
    assert "…" not in shown


def test_a_plan_in_a_pipe_is_not_folded() -> None:
    """Without a terminal there is no width to keep to: a key stands on its line whole."""
    console = Console(file=io.StringIO(), width=80)
    print_plan(plan_of(), console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert any(line.startswith("cells[0].quoting.improvement_reference_size ") for line in lines)
