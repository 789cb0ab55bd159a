"""The status page: what a watchdog, a scraper and a person are told."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
import trio
from loguru import logger

from actors import status
from actors.console.snapshots import QUOTING, CellSnapshot, InstrumentRow, LinkLine
from actors.metrics import METRICS, table
from actors.status import StatusPage, health

PATIENCE_S = 15.0
"""A reader is hung up on after two seconds, and the server's own grace is three."""


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


UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
"""With one byte more behind it the server dies: it has not answered yet, and that byte is no handshake's."""


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    found: list[str] = []
    sink = logger.add(lambda line: found.append(str(line).rstrip()), format="{message}", level="INFO")
    yield found
    logger.remove(sink)


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


async def answers(port: int) -> bool:
    async with httpx2.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(f"http://127.0.0.1:{port}/healthz")).text == "ok\n"
        except httpx2.TransportError:
            return False


async def test_a_request_that_the_server_dies_of_is_not_the_run_s_end(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may reach the port could stop the market maker otherwise. The next server answers at the same address."""
    monkeypatch.setattr(status, "AGAIN_S", 0.1)
    page = StatusPage(lambda: [snapshot()], lambda: True, 1, "PAPER")
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            port = port_of(await nursery.start(page.serve, 0))
            for times in (1, 2):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                await stream.send_all(UPGRADE + b"x")
                while sum("begins again" in line for line in lines) < times:
                    await trio.sleep(0.02)
                while not await answers(port):
                    await trio.sleep(0.02)
                await stream.aclose()
            nursery.cancel_scope.cancel()


async def test_a_reader_that_never_reads_does_not_hold_up_the_end() -> None:
    """The server shields what it writes: without a bound the run would wait for him after everything is proven."""
    page = StatusPage(lambda: [snapshot()] * 50, lambda: True, 1, "PAPER")
    async with trio.open_nursery() as helpers:
        async with trio.open_nursery() as nursery:
            port = port_of(await nursery.start(page.serve, 0))
            reader = await trio.open_tcp_stream("127.0.0.1", port)
            with trio.move_on_after(1.0) as asking:
                await reader.send_all(b"GET /snapshot.json HTTP/1.1\r\nHost: x\r\n\r\n" * 3_000)
                await trio.sleep_forever()
            assert asking.cancelled_caught
            helpers.start_soon(go_away, reader, PATIENCE_S)
            ended = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - ended < PATIENCE_S
        helpers.cancel_scope.cancel()
        await reader.aclose()


async def go_away(reader: trio.SocketStream, after_s: float) -> None:
    """Whom nobody hangs up on ends the test himself."""
    await trio.sleep(after_s)
    await reader.aclose()


async def test_a_port_that_is_taken_is_one_line_and_no_end(lines: list[str]) -> None:
    """The page is missing, the run goes on; the line says which port, and why."""
    (taken,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = taken.socket.getsockname()[1]
    page = StatusPage(lambda: [snapshot()], lambda: True, 1, "PAPER")
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            assert await nursery.start(page.serve, port) == ""
    await taken.aclose()
    assert len(lines) == 1
    assert lines[0].startswith(f"no status page: port {port} cannot be used (")
