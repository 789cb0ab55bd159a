"""The guard's way to the exchange in a rehearsal: single POSTs without a socket, over a network that may be down.

Owns the in-memory transport under the guard's real REST client, and the guard's one act. The guard, its sweep and its
proof are the real ones; only its process is missing. Invariant: a POST that was lost on its way raises as httpx2 would,
and may or may not have been executed.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs
import httpx2
import trio

from actors.guard import prove
from actors.journal import Journal
from actors.mailboxes import Farewell
from actors.rehearsal.scene import Scene
from actors.rehearsal.stage import Stage
from actors.sweeper import Sweeper
from actors.venues.rest import RestLink


@attrs.define(eq=False)
class MemoryPosts(httpx2.AsyncBaseTransport):
    """Requests go straight to the exchange's front desk, after a delay, if the door is open."""

    stage: Stage
    lag_s: tuple[float, float]
    rng: random.Random
    is_open: Callable[[], bool]
    lose: float = 0.0
    """Share of requests or answers that vanish."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await trio.sleep(self.rng.uniform(*self.lag_s))
        if not self.is_open() or self.stage.exchange.is_down:
            raise httpx2.ConnectError("the network is down", request=request)
        if self.rng.random() < self.lose:
            await trio.sleep(1.0)
            raise httpx2.ReadTimeout("no answer", request=request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.aread()
        reply = self.stage.exchange.serve_http("guard", request.method, request.url.raw_path.decode(), headers, body)
        await trio.sleep(self.rng.uniform(*self.lag_s))
        if self.rng.random() < self.lose:
            await trio.sleep(1.0)
            raise httpx2.ReadTimeout("no answer", request=request)
        return httpx2.Response(reply.status, content=reply.body)


async def guard_acts(stage: Stage, scene: Scene, posts: MemoryPosts, why: str) -> Farewell:
    """From the moment it must, until the venue says none; as long as it takes."""
    access = stage.access(scene.settings)
    journal = Journal(None, stage.clock.now_ns)
    async with RestLink(
        access.rest_form(stage.clock), scene.settings.venue.request_timeout_s, transport=lambda: posts
    ) as rest:
        return await prove(Sweeper(scene.settings, access, stage.clock, rest), journal, why)
