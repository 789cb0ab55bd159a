"""The operator at the same account: an order placed by hand over REST, with no socket and no label of ours.

Invariant: it is placed so far from the market that nobody ever trades with it.
"""

from __future__ import annotations

import trio
from kill_kit import Exchange

from actors.clock import Clock
from actors.trading.instruments import Side
from actors.venues.access import Access
from actors.venues.dialect import OrderRequest
from actors.venues.rest import RestLink

LABEL = "by-hand"
LIFE_S = 900
INDEX = 4_000.0
"""High enough for a fee cap that the exchange takes."""


def account_access(exchange: Exchange) -> Access:
    facts = exchange.facts
    return Access(
        exchange="derive",
        network="paper",
        ws_url=facts["ws_url"],
        rest_url=facts["rest_url"],
        chain_id=facts["chain_id"],
        wallet=facts["wallet"],
        subaccount=facts["subaccount_id"],
        key=facts["session_key"],
    )


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
        name = next(name for name in exchange.names() if name.endswith("2000-C"))
        dialect.note_reference(name, INDEX, 0.0)
        order = OrderRequest(
            instrument=name,
            side=Side.BID,
            price=100,
            amount=next(iter(listed.values())).amount_steps("0.1"),
            client_id=dialect.next_client_id(now_ns, LABEL),
            label=LABEL,
            expires_s=now_ns // 1_000_000_000 + LIFE_S,
            reject_ms=now_ns // 1_000_000 + 5_000,
        )
        await rest.call(dialect.place(order))


def rests_by_hand(exchange: Exchange) -> bool:
    rows = [row for row in exchange.reader.read().of("order") if row["label"] == LABEL]
    return bool(rows) and rows[-1]["status"] == "open"
