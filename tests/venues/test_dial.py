"""Dialling over real loopback sockets, plain and TLS, and the guard that keeps everything else on this machine."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
from link_kit import Desk, Venue, ask, listen, make_link, notice

from actors.trading.errors import ConfigError, VenueUnreachable
from actors.venues.dial import dial_tcp, guard_address, is_loopback, tls_context
from actors.venues.streams import TcpStream
from benchmarks.link import make_certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_certificate(tmp_path_factory.mktemp("tls"))
    return Path(made or pytest.skip("no openssl command that can make a throwaway certificate"))


async def converse(nursery: trio.Nursery, venue: Venue, url: str, dial: Any) -> None:
    """Calls, a burst, large notices, a drop and a goodbye: the whole life of a link."""
    desk = Desk()
    link = make_link(desk, dial, url=url, backoff_s=0.01)
    await nursery.start(link.run)
    assert bytes(await link.call(ask())) == b'"public/test"'
    for number in range(200):
        assert link.post(ask(f"m/{number}"), desk.on_answer)
    await desk.until(answers=200)
    assert not any(posted.lost for posted in desk.answers)
    for _ in range(3):
        await venue.sockets[-1].send_message(notice("large", "z" * 300_000))
    await desk.until(notices=3)
    assert {len(text) for _, text in desk.notices} == {300_002}
    link.drop()
    await desk.until(ups=2)
    assert bytes(await link.call(ask("again"))) == b'"again"'
    await venue.sockets[-1].aclose(1012)
    await desk.until(ups=3, downs=2)
    assert "1012" in desk.downs[1]
    await link.aclose()
    assert link.state == "closed"
    with trio.fail_after(5):
        while venue.sockets[-1].closed is None:
            await trio.sleep(0.01)
    assert venue.sockets[-1].closed.code == 1000


async def test_a_link_lives_over_tcp(nursery: trio.Nursery) -> None:
    """The whole life of a link over a real socket."""
    venue = Venue(nursery)
    url = await listen(nursery, venue)
    await converse(nursery, venue, url, dial_tcp(url, 5))
    nursery.cancel_scope.cancel()


async def test_a_link_lives_over_tls(nursery: trio.Nursery, certificate: Path) -> None:
    """The same over TLS: a stream that cannot half-close, and whose end needs no farewell of its own."""
    venue = Venue(nursery)
    url = await listen(nursery, venue, certificate)
    tls = ssl.create_default_context(cafile=str(certificate))
    await converse(nursery, venue, url, dial_tcp(url, 5, tls=tls))
    nursery.cancel_scope.cancel()


async def test_a_certificate_nobody_vouches_for_is_refused(nursery: trio.Nursery, certificate: Path) -> None:
    """Without the throwaway authority the same address is unreachable, and the error names host and port."""
    url = await listen(nursery, Venue(nursery), certificate)
    with pytest.raises(VenueUnreachable, match=r"127\.0\.0\.1:"):
        await dial_tcp(url, 5)()
    nursery.cancel_scope.cancel()


async def test_small_frames_do_not_wait_for_each_other(nursery: trio.Nursery) -> None:
    """The socket is told not to gather (Nagle), because the outbox already does."""
    url = await listen(nursery, Venue(nursery))
    stream = await dial_tcp(url, 5)()
    assert isinstance(stream, TcpStream)
    assert stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    await stream.aclose()
    nursery.cancel_scope.cancel()


async def test_nobody_home_is_unreachable() -> None:
    """A closed port is a reason to wait, with the address and nothing secret in it."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(VenueUnreachable, match=f"127.0.0.1:{port}") as caught:
            await dial_tcp(f"ws://127.0.0.1:{port}/ws?token=never-shown", 5)()
    assert "token" not in str(caught.value)


async def test_a_server_that_never_speaks_tls_is_given_up(autojump_clock: object, nursery: trio.Nursery) -> None:
    """The bound on dialling covers the TLS handshake."""

    async def mute(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, mute, [listener])
    with pytest.raises(VenueUnreachable, match="within 3 s"):
        await dial_tcp(f"wss://127.0.0.1:{listener.socket.getsockname()[1]}", 3)()
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "url",
    ["wss://www.deribit.com/ws/api/v2", "ws://192.168.1.10:80", "wss://localhost.example.com/", "ws://0.0.0.0:1/"],
)
def test_a_real_venue_is_not_called_without_leave(url: str) -> None:
    """Before a single packet: no name is looked up, no socket opened."""
    with pytest.raises(ConfigError, match="not on this machine"):
        dial_tcp(url, 5)
    assert guard_address(url, allow_real=True)[0] in url


@pytest.mark.parametrize("url", ["", "www.deribit.com", "ftp://127.0.0.1/", "wss:///path"])
def test_what_is_no_websocket_address_is_a_config_error(url: str) -> None:
    """Also with leave."""
    with pytest.raises(ConfigError, match="not a WebSocket address"):
        dial_tcp(url, 5, allow_real=True)


def test_ports_and_tls_follow_from_the_scheme() -> None:
    """The usual ports, unless the address names one."""
    assert guard_address("ws://127.0.0.1/x", allow_real=False) == ("127.0.0.1", 80, False)
    assert guard_address("wss://[::1]/x", allow_real=False) == ("::1", 443, True)
    assert guard_address("wss://localhost:99", allow_real=False) == ("localhost", 99, True)
    assert [is_loopback(host) for host in ("127.3.2.1", "::1", "localhost", "example.com", "10.0.0.1")] == [
        True,
        True,
        True,
        False,
        False,
    ]


async def test_a_local_name_that_leads_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A doctored hosts file does not get us to a real venue: the address that answered is looked at too."""

    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("203.0.113.5", 443))
    url = f"ws://localhost:{listener.getsockname()[1]}/"
    with pytest.raises(VenueUnreachable, match="not on this machine") as caught:
        await dial_tcp(url, 5)()
    accepted, _ = listener.accept()
    accepted.settimeout(5)
    assert accepted.recv(1) == b"", f"not hung up while this is alive: {caught.value}"
    accepted.close()
    listener.close()


def test_the_tls_context_checks_names_and_authorities() -> None:
    """Nobody switched verification off."""
    context = tls_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509_ca"] > 50
