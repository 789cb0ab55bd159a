"""`strikemaker reset-mmp CONFIG`: ends a freeze of market-maker protection by hand, for each underlying of a configuration.

Speaks over single signed requests, like the guard, so that no socket's drop can cancel anything. Invariant: says what the
venue holds after the reset, not what was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from getpass import getpass

import trio

from actors.clock import Clock
from actors.console import config, keys
from actors.console.exits import Exit
from actors.trading.errors import ConfigError, OutcomeUnknown, VenueUnreachable, leading_error
from actors.venues.access import Access
from actors.venues.rest import RestLink


def main(argv: Sequence[str]) -> int:
    settings = config.load(argv, os.environ, "strikemaker reset-mmp", is_choice_needed=False).settings
    if settings.is_paper and not settings.venue.url:
        raise ConfigError("venue.url: name the running paper exchange to reset (its ready line shows the address)")
    settings.venue.private_key = keys.unlock(settings.venue, getpass)
    underlyings = list(dict.fromkeys(cell.underlying for cell in settings.cells))
    try:
        return trio.run(_reset, Access.of(settings), underlyings, settings.venue.request_timeout_s)
    except OutcomeUnknown as error:
        raise VenueUnreachable(f"{error}; whether the freeze is over is not known, ask again") from None
    except BaseExceptionGroup as group:
        raise leading_error(group) from None


async def _reset(access: Access, underlyings: Sequence[str], timeout_s: float) -> int:
    clock = Clock()
    dialect = access.dialect(clock, 0)
    is_frozen = False
    async with RestLink(access.rest_form(clock), timeout_s) as rest:
        await rest.follow(dialect.find_account())
        for underlying in underlyings:
            await rest.follow(dialect.load_instruments(underlying))
            await rest.follow(dialect.reset_mmp(underlying))
            held = await rest.follow(dialect.get_mmp(underlying))
            state = "no protection is set" if held is None else "still frozen" if held.is_frozen else "not frozen"
            is_frozen = is_frozen or (held is not None and held.is_frozen)
            print(f"{underlying}: {state}")
    return Exit.NOT_CONFIRMED if is_frozen else Exit.OK
