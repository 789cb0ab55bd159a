"""Where Derive lives: addresses of the service and the chain id that goes into every signature.

Owns constants only. The paper exchange is a site of its own: any address, any chain id. Invariant: an order signed
for one chain id is worthless on a site with another, so a testnet order can never become a real one.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Site:
    """One deployment: WebSocket and REST addresses, chain id of the signing domain."""

    ws_url: str
    rest_url: str
    chain_id: int


MAINNET = Site("wss://api.derive.xyz/v3/ws", "https://api.derive.xyz/v3", 1)
TESTNET = Site("wss://testnet.api.derive.xyz/v3/ws", "https://testnet.api.derive.xyz/v3", 11155111)
PAPER_CHAIN = 31_337
"""Chain id of the paper exchange, wherever it listens: nothing signed for practice is worth anything elsewhere."""


def rest_url_of(ws_url: str) -> str:
    """The REST address beside a WebSocket's: a paper exchange at an address of its own."""
    return ws_url.replace("ws", "http", 1).removesuffix("/ws")
