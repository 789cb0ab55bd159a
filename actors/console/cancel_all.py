"""`strikemaker cancel-all CONFIG.toml [--scope ours|account]`: what the guard does, by hand, with proof.

Owns the command: cancels over REST (no socket is opened whose loss could cancel more than was asked for), asks until the
venue answers "none", and says so. Starts nothing and changes no setting. Invariant: exit code 0 only after the venue
answered an open-orders question that was sent when no order sent before could arrive any more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from getpass import getpass

import trio

from actors.clock import Clock
from actors.console import config, keys
from actors.console.exits import Exit
from actors.console.flags import OneLineParser, two_dashes
from actors.console.settings import Settings
from actors.sweeper import FAILURES, Sweeper, until_none
from actors.trading.errors import ConfigError, VenueRefused, VenueUnreachable, leading_error
from actors.venues.access import Access
from actors.venues.proof import everything
from actors.venues.rest import RestLink

OURS, ACCOUNT = "ours", "account"
EVERYWHERE = ("ETH", "BTC")
"""With `--scope account` the question is asked for each of these, whatever the configuration quotes."""


HELP = """usage: strikemaker cancel-all CONFIG.toml [--scope ours|account] [flags of `strikemaker run`]

  --scope ours     everything under venue.tag (the default)
  --scope account  your manual orders too, in ETH, BTC and what the configuration quotes

Of the flags, those that name the account matter: -exchange, -test, -live, -url, -wallet, -subaccount, and the key's.
The exit code is 0 only when the venue has answered that none rests."""


def take_scope(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The command line's `--scope`, and the rest, which is that of `strikemaker run`."""
    parser = OneLineParser("strikemaker cancel-all", add_help=False, allow_abbrev=False)
    parser.add_argument("--scope", default=OURS)
    given, rest = parser.parse_known_args(two_dashes(argv))
    if given.scope not in (OURS, ACCOUNT):
        raise ConfigError(f"-scope: {given.scope!r} is not known; give ours (under our tag) or account (the operator's too)")
    return given.scope, rest


def main(argv: Sequence[str]) -> int:
    """Prints what was found and the proof; an exit code."""
    if {"-h", "--help"} & set(two_dashes(argv)):
        print(HELP)
        sys.exit(Exit.OK)
    scope, rest = take_scope(argv)
    settings = config.load(rest, os.environ, "strikemaker cancel-all", is_choice_needed=False).settings
    if settings.is_paper and not settings.venue.url:
        raise ConfigError("cancel-all: a paper exchange lives only while its run does; name one that is running with -url")
    settings.venue.private_key = keys.unlock(settings.venue, getpass)
    try:
        return trio.run(_cancel_all, settings, scope)
    except BaseExceptionGroup as group:
        raise leading_error(group) from None


async def _cancel_all(settings: Settings, scope: str) -> int:
    access, clock = Access.of(settings), Clock()
    whose = f"of tag {settings.venue.tag}" if scope == OURS else "of this account, the operator's own included,"
    answers: list[int] = []
    failures: list[Exception] = []
    with trio.move_on_after(settings.venue.give_up_after_s):
        async with RestLink(access.rest_form(clock), settings.venue.request_timeout_s) as rest:
            if scope == ACCOUNT:
                sweeper = Sweeper(settings, access, clock, rest, is_mine=everything, underlyings=EVERYWHERE)
                await _cancel_account(sweeper)
            else:
                sweeper = Sweeper(settings, access, clock, rest)
            where = ", ".join(sweeper.underlyings)
            print(f"cancelling every order {whose} in {where} ({settings.network})")
            took_s = await until_none(
                sweeper, on_answer=partial(_say, answers), on_failure=partial(_note, failures)
            )
            print(f"confirmed: zero orders {whose} rest in {where}: the venue answered so ({took_s:.1f} s)")
            return Exit.OK
    return _give_up(settings.venue.give_up_after_s, answers, failures)


async def _cancel_account(sweeper: Sweeper) -> None:
    """A failure here is no end: the sweeps that follow cancel order by order."""
    try:
        await sweeper.cancel_account()
    except FAILURES as failure:
        print(f"cancelling at once failed ({failure}); going on one by one")


def _say(answers: list[int], resting: int) -> None:
    answers.append(resting)
    if resting:
        print(f"{resting} rested when asked; cancelling")


def _note(failures: list[Exception], failure: Exception) -> None:
    if not failures or str(failures[-1]) != str(failure):
        print(f"{failure}; going on")
    failures.append(failure)


def _give_up(after_s: float, answers: Sequence[int], failures: Sequence[Exception]) -> int:
    if not answers and failures and isinstance(failures[-1], VenueRefused):
        raise failures[-1]
    if not answers:
        raise VenueUnreachable(f"no answer in {after_s:g} s ({failures[-1] if failures else 'none came'}); orders may rest")
    why = f"{answers[-1]} rested at the last answer" if answers[-1] else "the last question was too early to prove anything"
    print(f"NOT confirmed within {after_s:g} s: {why}. Is a maker with this tag still running? Stop it first.")
    return Exit.NOT_CONFIRMED
