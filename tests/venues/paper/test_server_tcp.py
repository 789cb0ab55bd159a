"""The exchange over real sockets, and as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import trio
from derive_desk import Signer, Venue
from trio_websocket import open_websocket_url

from actors.venues.paper.ledger import read_ledger
from actors.venues.paper.server import Server, port_of

ROOT = Path(__file__).parents[3]


async def test_websocket_and_rest_share_one_tcp_port() -> None:
    """The same port upgrades a WebSocket and answers an HTTP client."""
    venue = Venue()
    async with Server(venue.exchange).running() as server, trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(server.accept, listeners)
        port = port_of(listeners)
        async with open_websocket_url(f"ws://127.0.0.1:{port}/v3/ws") as socket, httpx2.AsyncClient() as http:
            await socket.send_message('{"id":"1","method":"public/get_time","params":{}}')
            assert json.loads(await socket.get_message()) == {"id": "1", "result": venue.now_ns // 1_000_000}
            signer = Signer(venue)
            base = f"http://127.0.0.1:{port}/v3"
            answer = await http.post(f"{base}/private/order", json=signer.signed(), headers=signer.headers())
            assert answer.json()["result"]["order"]["order_status"] == "open"
            assert (await http.get(f"{base}/public/get_time")).status_code == 405
        nursery.cancel_scope.cancel()


def test_the_process_says_where_it_is_serves_and_stops_on_sigterm(tmp_path: Path) -> None:
    """One line of JSON, then service; SIGTERM ends it with code 0 and a whole ledger."""
    ledger = tmp_path / "ledger.jsonl"
    command = [sys.executable, "-m", "actors.venues.paper", "--seed", "5", "--ledger", str(ledger), "--tier", "trader"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            answer = httpx2.post(
                f"{ready['rest_url']}/public/get_all_instruments", json={"instrument_type": "option", "expired": False}
            ).json()
            names = {one["instrument_name"] for one in answer["result"]["instruments"]}
            assert {name.split("-")[1] for name in names} <= set(ready["expiries"])
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    rows = read_ledger(ledger)
    assert (rows[0]["seed"], rows[-1]["kind"]) == (5, "stop")
    assert ready["session_key"] not in ledger.read_text()
    assert ready["owner_key"] not in ledger.read_text()


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    """A second exchange on the same port ends with a line and a code, not with a traceback."""
    command = [sys.executable, "-m", "actors.venues.paper", "--frozen"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = json.loads(process.stdout.readline())["ws_url"].split(":")[2].split("/")[0]
            second = subprocess.run([*command, "--port", port], cwd=ROOT, capture_output=True, text=True, timeout=30)
        finally:
            process.terminate()
    assert second.returncode == 3
    assert second.stderr.count("\n") == 1
    assert "cannot listen" in second.stderr
