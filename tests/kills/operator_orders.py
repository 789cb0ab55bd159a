"""The operator at the same account: an order placed by hand over REST, with no socket and no label of ours.

Invariant: it is placed so far from the market that nobody ever trades with it.
"""

from __future__ import annotations

import trio
from kill_kit import Exchange
from kill_venues import BY_HAND

from actors.clock import Clock
from actors.console.settings import Settings
from actors.paper_process import access_of
from actors.trading.instruments import Side
from actors.venues.access import Access
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import OrderRequest
from actors.venues.rest import RestLink

LIFE_S = 900
INDEX = 4_000.0
"""High enough for a fee cap that the exchange takes."""


def account_access(exchange: Exchange) -> Access:
    settings = Settings()
    settings.venue.exchange = exchange.venue.name
    return access_of(settings, exchange.facts)


def place_by_hand(exchange: Exchange) -> None:
    """One far bid; raises what the venue refuses."""
    trio.run(_place, exchange)


async def _place(exchange: Exchange) -> None:
    access, clock = account_access(exchange), Clock()
    dialect = access.dialect(clock, 5)
    async with RestLink(access.rest_form(clock), 10.0) as rest:
        await rest.follow(dialect.find_account())
        listed = {one.name: one for one in await rest.follow(dialect.load_instruments("ETH"))}
        now_ns = clock.now_ns()
        name = next(name for name in exchange.names() if name.endswith(exchange.venue.deep_call))
        if isinstance(dialect, DeriveDialect):
            dialect.note_reference(name, INDEX, 0.0)
        order = OrderRequest(
            instrument=name,
            side=Side.BID,
            price=exchange.venue.far_ticks,
            amount=listed[name].min_amount,
            client_id=dialect.next_client_id(now_ns, BY_HAND),
            label=BY_HAND,
            expires_s=now_ns // 1_000_000_000 + LIFE_S,
            reject_ms=now_ns // 1_000_000 + 5_000,
        )
        await rest.call(dialect.place(order))


def rests_by_hand(exchange: Exchange) -> bool:
    rows = [row for row in exchange.caught_up().of("order") if row["label"].startswith(BY_HAND)]
    return bool(rows) and rows[-1]["status"] == "open"
