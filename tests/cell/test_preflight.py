"""What a key may not do is one line before anybody is born: over real sockets, as the supervisor asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from cell_kit import MASS, ORDERS, SMALL

from actors import preflight as preflight_module
from actors.console.listing import Chosen
from actors.console.plan import CellFacts
from actors.console.settings import CellSettings, MmpSettings, Settings
from actors.paper_process import access_of
from actors.preflight import preflight
from actors.trading.errors import ConfigError, NotGranted
from actors.venues.access import Access
from actors.venues.dialect import AccountFacts
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.run import build_exchange, ready_line, steady_clock
from actors.venues.paper.server import Server, port_of


@asynccontextmanager
async def venue(settings: Settings) -> AsyncIterator[tuple[Exchange, Access]]:
    exchange = build_exchange(ORDERS.paper(world=SMALL), steady_clock())
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with Server(exchange).running() as server, trio.open_nursery() as nursery:
        nursery.start_soon(server.accept, listeners)
        yield exchange, access_of(settings, ready_line(exchange, "127.0.0.1", port_of(listeners)))
        nursery.cancel_scope.cancel()


def read_only(exchange: Exchange, access: Access) -> Access:
    face: Any = exchange.face
    return attrs.evolve(access, key=face.ready_facts()["read_only_key"])


def unknown(exchange: Exchange, access: Access) -> Access:
    return attrs.evolve(access, key="NOBODY11:" + access.key.partition(":")[2])


def bare(exchange: Exchange, access: Access) -> Access:
    """An account without protection, and so without mass quotes."""
    face: Any = exchange.face
    for key in face.clients.keys.values():
        key.user.mmp_enabled = key.user.mass_quotes_enabled = False
    return access


async def complaint(settings: Settings, change: Any = lambda exchange, access: access) -> str:
    """The one line that the start ends with."""
    async with venue(settings) as (exchange, access):
        try:
            await preflight(settings, change(exchange, access))
        except* (ConfigError, NotGranted) as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup):
                (error,) = error.exceptions
            said = str(error)
        else:
            said = ""
        assert not [row for row in exchange.ledger.records if row["kind"] == "order"]
    assert "\n" not in said
    return said


async def test_a_sound_start_is_complained_of_by_nobody() -> None:
    """The same exchange, the full key."""
    assert await complaint(ORDERS.settings()) == ""
    assert await complaint(MASS.settings()) == ""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (read_only, "private_key: this API key lacks trade:read_write and account:read_write"),
        (unknown, "private_key: Deribit does not take client id NOBODY11 with this secret (13004); copy both again"),
    ],
)
async def test_a_key_that_is_not_enough_is_named(change: Any, expected: str) -> None:
    """Field, value and fix."""
    assert (await complaint(ORDERS.settings(), change)).startswith(expected)


async def test_what_is_not_granted_to_the_account_is_named() -> None:
    """Protection and mass quotes, each by its setting; left to us ("auto"), neither is missed."""
    protected = ORDERS.settings()
    protected.cells[0].mmp = MmpSettings(enabled=True)
    assert (await complaint(protected, bare)).startswith("mmp.enabled: market-maker protection is not granted")
    assert (await complaint(MASS.settings(), bare)).startswith("quote_mode: mass quotes are not granted")
    assert await complaint(attrs.evolve(ORDERS, mode="auto").settings(), bare) == ""


async def test_a_size_below_the_least_is_named_with_the_least() -> None:
    """One contract on ETH; unset, the size follows it."""
    small = ORDERS.settings()
    small.cells[0].quoting.size = 0.5
    line = await complaint(small)
    assert line == "size: 0.5 is below the minimum on ETH options of this venue (1); give that or more, or leave it unset"


async def test_a_word_for_an_expiry_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell born again hours later would else take it for the next day, which may be another cell's."""

    async def found(settings: Settings, access: Access) -> list[CellFacts]:
        days = [("20261127", "20261225"), ("20261127",)]
        return [CellFacts(Chosen((), each), None) for each in days]

    async def account(settings: Settings, access: Access) -> Any:
        return None

    def granted(cell: CellSettings, facts: AccountFacts) -> None:
        return None

    for name, stand_in in (("look_at_all", found), ("ask_account", account), ("require_rights", granted)):
        monkeypatch.setattr(preflight_module, name, stand_in)
    settings = ORDERS.settings(expiries=["nearest", "20261225"])
    settings.cells.append(CellSettings(instruments=["ETH-27NOV26-3000-C"]))
    nowhere: Any = None
    await preflight(settings, nowhere)
    assert [cell.expiries for cell in settings.cells] == [["20261127", "20261225"], []]
