"""Where Deribit lives: addresses of the service.

Owns constants only. Production and testnet are separate in everything: accounts, keys, instruments, rate pools. The
paper exchange is a site of its own, at any address.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Site:
    """One deployment: WebSocket and REST addresses."""

    ws_url: str
    rest_url: str
    chain_id: int = 0
    """Nothing is signed for a chain here."""


MAINNET = Site("wss://www.deribit.com/ws/api/v2", "https://www.deribit.com/api/v2")
TESTNET = Site("wss://test.deribit.com/ws/api/v2", "https://test.deribit.com/api/v2")


def rest_url_of(ws_url: str) -> str:
    """The REST address beside a WebSocket's: a paper exchange at an address of its own."""
    return ws_url.replace("ws", "http", 1).replace("/ws/api/", "/api/", 1)
