"""The status page: what a watchdog, a scraper and a person are told."""

from __future__ import annotations

import httpx2
import trio

from actors.console.snapshots import QUOTING, CellSnapshot, InstrumentRow, LinkLine
from actors.metrics import METRICS, table
from actors.status import StatusPage, health


def snapshot() -> CellSnapshot:
    return CellSnapshot(
        cell="eth0",
        phase=QUOTING,
        rows=[InstrumentRow("ETH-20261225-3000-C", bid=1.5, ask=2.0, reason="<none>")],
        links=[LinkLine("private", "connected", 0.1, 2, 3.5)],
        requests={"place": 4},
        rejects={"place 11008": 1},
        fees="1.25",
        fills=3,
    )


async def test_the_page_metrics_and_health_are_served_on_loopback() -> None:
    """One request each, over a real socket."""
    cells = [snapshot()]
    page = StatusPage(lambda: cells, lambda: True, 1, "PAPER")
    async with trio.open_nursery() as nursery:
        address = await nursery.start(page.serve, 0)
        assert address.startswith("http://127.0.0.1:")
        async with httpx2.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{address}/healthz")).text == "ok\n"
            metrics = (await client.get(f"{address}/metrics")).text
            html = (await client.get(f"{address}/")).text
            cells[0].warnings.append("the index is stale")
            sick = await client.get(f"{address}/healthz")
        nursery.cancel_scope.cancel()
    assert 'strikemaker_requests_total{cell="eth0",kind="place"} 4.0' in metrics
    assert 'strikemaker_link_latency_seconds{cell="eth0",link="private"} 0.0035' in metrics
    assert "ETH-20261225-3000-C" in html
    assert "<none>" not in html
    assert (sick.status_code, sick.text) == (503, "eth0: the index is stale\n")


def test_health_names_everything_that_should_wake_somebody() -> None:
    """No guard, a missing cell, a cell that does not quote, a quarantined instrument."""
    cell = snapshot()
    cell.phase = "stopping"
    cell.quarantined = ["X"]
    assert health([cell], 2, False).problems == (
        "no guard",
        "1 cells have not reported yet",
        "eth0: stopping",
        "eth0: X is quarantined",
    )


def test_every_metric_is_documented_with_its_labels() -> None:
    """The table in the documentation is made of the very list that is exported."""
    assert all(f"`{line.name}`" in table() for line in METRICS)
