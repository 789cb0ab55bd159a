"""Two cells of one run, and two tags on one account, keep out of each other's way."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from cell_kit import ORDERS, SMALL

from actors.console.settings import CellSettings, Settings
from actors.paper_process import PaperProcess, access_of
from actors.preflight import look_at_all
from actors.trading.errors import ConfigError, leading_error
from actors.trading.instruments import Side
from actors.venues.dialect import OrderStatus, VenueOrder
from actors.venues.paper.run import build_exchange, ready_line, steady_clock
from actors.venues.paper.server import Server, port_of
from actors.venues.proof import RunLabel, prefixed, tag_prefix


async def test_two_cells_on_one_underlying_start_on_paper(tmp_path: Path) -> None:
    """The exchange lists an underlying once, however many cells quote it."""
    cells = [CellSettings(expiries=[word], all_strikes=True) for word in ("nearest", "nearest-monthly")]
    paper = PaperProcess(Settings(cells=cells), str(tmp_path / "ledger.jsonl"), None)
    try:
        facts = await paper.start()
    finally:
        paper.end()
    assert facts["ready"]
    assert paper.process is not None
    paper.process.communicate(timeout=20)


async def test_one_instrument_in_two_cells_is_refused_once_words_are_resolved() -> None:
    """"nearest" and a date can mean the same: each cell would take the whole limit of the instrument for its own."""
    settings = ORDERS.settings()
    exchange = build_exchange(ORDERS.paper(world=SMALL), steady_clock())
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with Server(exchange).running() as server, trio.open_nursery() as nursery:
        nursery.start_soon(server.accept, listeners)
        access = access_of(settings, ready_line(exchange, "127.0.0.1", port_of(listeners)))
        (alone,) = await look_at_all(settings, access)
        first = alone.chosen.instruments[0].name
        settings.cells.append(CellSettings(underlying=settings.cells[0].underlying, instruments=[first]))
        with pytest.raises(ConfigError) as refused:
            await look_at_all(settings, access)
        nursery.cancel_scope.cancel()
    said = leading_error(refused.value) if isinstance(refused.value, BaseExceptionGroup) else refused.value
    assert str(said) == f"cells[1]: {first} is already quoted by cells[0]; name it once"


def labelled(label: str) -> VenueOrder:
    return VenueOrder("1", "v1", label, "ETH-PERPETUAL", Side.BID, 1, 1, 0, OrderStatus.OPEN, 1)


@pytest.mark.parametrize(("tag", "other"), [("main", "main2"), ("main", "main_2"), ("a", "A"), ("m", "main")])
def test_one_tag_never_takes_the_orders_of_another(tag: str, other: str) -> None:
    """Whatever the names of their cells and runs: the tag ends where the dash stands, for no tag has one."""
    is_ours = prefixed(tag_prefix(tag))
    assert is_ours(labelled(RunLabel(tag, "eth0", "19a").text))
    assert not is_ours(labelled(RunLabel(other, "eth0", "19a").text))
    assert not prefixed(tag_prefix(other))(labelled(RunLabel(tag, "eth0", "19a").text))
