"""Before anybody is born: can this configuration be carried out at this venue at all?

Owns the few questions that need no process and no order: the listing and index of each cell over a public link, and one
signed request that shows whether the credentials are taken. A wrong expiry, strike, size, key or address therefore costs
the operator one line and no process. Invariant: nothing asked here changes anything at the venue.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import trio

from actors.clock import Clock
from actors.console.listing import choose
from actors.console.plan import CellFacts
from actors.console.settings import CellSettings, Settings
from actors.market_data import MarketData
from actors.rights import require_rights
from actors.trading.errors import ConfigError, OutcomeUnknown, VenueUnreachable
from actors.venues.access import Access
from actors.venues.dialect import AccountFacts, Script
from actors.venues.link import LinkSettings, VenueLink
from actors.venues.protocol import Notice
from actors.venues.rest import RestLink

INDEX_S = 3.0
"""How long an index is waited for; a plan can do without."""
RETRY_S = 1.0


async def preflight(settings: Settings, access: Access) -> AccountFacts:
    """Every cell's choice against the listing, then the credentials; the account as it is before us.

    Raises ConfigError, VenueRefused, VenueUnreachable.
    """
    for cell, found in zip(settings.cells, await look_at_all(settings, access), strict=True):
        if cell.expiries:  # `nearest` means the same day to every life of a cell: another's may be the next
            cell.expiries = list(found.chosen.expiries)
    facts = await ask_account(settings, access)
    for cell in settings.cells:
        require_rights(cell, facts)
    return facts


async def ask_account(settings: Settings, access: Access) -> AccountFacts:
    """Whether the venue takes our signature, asked until it answers or patience ends."""
    clock = Clock()
    dialect = access.dialect(clock, 0)
    patience_s = settings.venue.give_up_after_s
    with trio.move_on_after(patience_s):
        async with RestLink(access.rest_form(clock), settings.venue.request_timeout_s) as rest:
            while True:
                try:
                    await rest.follow(dialect.prove_rights())
                    return await rest.follow(dialect.find_account())
                except OutcomeUnknown:
                    await trio.sleep(RETRY_S)
    raise VenueUnreachable(f"{access.exchange} ({access.network}): no answer over HTTP in {patience_s:g} s")


async def look_at_all(settings: Settings, access: Access) -> list[CellFacts]:
    """Each cell's choice; ConfigError where two chose the same instrument: each would take the whole limit for it."""
    found, quoted_by = [], dict[str, int]()
    for index, cell in enumerate(settings.cells):
        facts = await look(settings, cell, access)
        for one in facts.chosen.instruments:
            first = quoted_by.setdefault(one.name, index)
            if first != index:
                raise ConfigError(f"cells[{index}]: {one.name} is already quoted by cells[{first}]; name it once")
        found.append(facts)
    return found


async def look(settings: Settings, cell: CellSettings, access: Access) -> CellFacts:
    """Listing and index of one cell's underlying over a public link."""
    clock = Clock()
    dialect = access.dialect(clock, 0)
    patience_s = settings.venue.give_up_after_s

    def connect(
        opening: Callable[[], Script[None]], on_notice: Callable[[Notice], None], on_down: Callable[[str], None]
    ) -> VenueLink:
        return VenueLink(
            "preflight",
            access.ws_url,
            access.dial(settings.venue.connect_timeout_s),
            opening=opening,
            on_notice=on_notice,
            on_down=on_down,
            settings=LinkSettings(connect_timeout_s=settings.venue.connect_timeout_s),
            rng=random.Random(),
        )

    market = MarketData(dialect, cell.underlying, clock, connect, lambda _: False, lambda _: None)
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(patience_s) as patience:
            await nursery.start(market.link.run)
        if patience.cancelled_caught:
            raise VenueUnreachable(f"{access.exchange} ({access.network}): no connection in {patience_s:g} s")
        chosen = choose(cell, await market.load(), clock.now_s())
        if not chosen.instruments:
            raise ConfigError(f"nothing is listed for {cell.underlying} that this cell could quote")
        await market.follow(chosen.instruments[:1])
        with trio.move_on_after(INDEX_S):
            while market.index.price is None:
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    return CellFacts(chosen, market.index.price)
