"""Our link, as its owners use it: `post` and its callback, `on_notice`."""

from __future__ import annotations

import random
import ssl

import trio
from loguru import logger

from actors.venues.dial import dial_tcp
from actors.venues.dialect import Call
from actors.venues.link import LinkSettings, Posted, VenueLink
from actors.venues.protocol import Notice
from benchmarks.peer_scripts.link_answering import ECHO, Meter, serve


async def converse(url: str, tls: ssl.SSLContext | None, meter: Meter) -> float:
    done = trio.Event()

    def count(notice: Notice) -> None:
        meter.heard += 1
        if meter.heard >= meter.count:
            done.set()

    def again(posted: Posted) -> None:
        if posted.lost:
            raise EOFError("the venue of the benchmark does not answer")
        if meter.lap():
            done.set()
        else:
            ask()

    def ask() -> None:
        meter.ask()
        link.post(ECHO, again)

    dial = dial_tcp(url, 5, tls=tls)
    link = VenueLink("bench", url, dial, on_notice=count, settings=LinkSettings(), rng=random.Random(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        if meter.mode == "echo":
            ask()
        else:
            meter.start()
            link.post(Call(meter.mode, b'{"count":%d}' % meter.count), lambda posted: None)
        await done.wait()
        cost_us = meter.us
        await link.aclose()
    return cost_us


if __name__ == "__main__":
    logger.remove()
    serve(lambda url, tls, meter: trio.run(converse, url, tls, meter))
