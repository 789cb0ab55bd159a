"""Streams to a venue's address, and the guard at the door.

Owns how a socket is opened: happy eyeballs, TLS, and whom we trust. Never speaks a protocol above TLS, never retries.
Invariant: without `allow_real` no byte leaves this machine: the host named must be a loopback address, and so must be
the address that answered.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import certifi
import trio

from actors.trading.errors import ConfigError, VenueUnreachable
from actors.venues.streams import TcpStream, TlsStream

PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}


def is_loopback(host: str) -> bool:
    """By the name alone: `localhost` or a loopback address in figures."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guard_address(url: str, *, allow_real: bool) -> tuple[str, int, bool]:
    """Host, port and whether TLS is used; ConfigError for an address that must not or cannot be called."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ConfigError(f"venue url: not a WebSocket address ({parts.scheme or 'no scheme'}); use ws:// or wss://")
    if not allow_real and not is_loopback(parts.hostname):
        raise ConfigError(f"venue url: {parts.hostname} is not on this machine; set live or test to call a real venue")
    return parts.hostname, parts.port or PORTS[parts.scheme], parts.scheme in ("wss", "https")


def dial_tcp(
    url: str, timeout_s: float, *, allow_real: bool = False, tls: ssl.SSLContext | None = None
) -> Callable[[], Awaitable[trio.abc.Stream]]:
    """A factory of connected streams for ws:// and wss:// (and http, https). ConfigError at once for a refused address.

    The factory raises VenueUnreachable, also after `timeout_s`; the caller closes what it returns.
    """
    host, port, secure = guard_address(url, allow_real=allow_real)
    context = (tls or tls_context()) if secure else None

    async def dial() -> trio.abc.Stream:
        try:
            with trio.fail_after(timeout_s):
                return await _open(host, port, context, allow_real=allow_real)
        except trio.TooSlowError:
            raise VenueUnreachable(f"{host}:{port} did not answer within {timeout_s:g} s") from None
        except (OSError, EOFError) as error:
            raise VenueUnreachable(f"{host}:{port}: {error}") from error

    return dial


def tls_context() -> ssl.SSLContext:
    """The machine's trusted authorities, and certifi's for machines that have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


async def _open(host: str, port: int, context: ssl.SSLContext | None, *, allow_real: bool) -> trio.abc.Stream:
    found = await trio.open_tcp_stream(host, port)
    tcp = TcpStream(socket.socket(fileno=found.socket.detach()))
    try:
        answered = tcp.socket.getpeername()[0]
        if not allow_real and not is_loopback(answered):
            raise VenueUnreachable(f"{host} is {answered}, which is not on this machine")
        if context is None:
            return tcp
        stream = TlsStream(tcp, context, host)
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(tcp)
        raise
    return stream
