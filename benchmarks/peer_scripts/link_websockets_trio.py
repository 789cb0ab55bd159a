"""websockets' own trio client: the same framing as ours, under its connection object."""

from __future__ import annotations

import ssl

import trio
from websockets.trio.client import connect

from benchmarks.peer_scripts.link_answering import Meter, serve


async def converse(url: str, tls: ssl.SSLContext | None, meter: Meter) -> float:
    async with connect(url, ssl=tls, compression=None, proxy=None) as socket:
        if meter.mode == "echo":
            last = False
            while not last:
                await socket.send(meter.ask(), text=True)
                meter.rpc.receive(await socket.recv(decode=False))
                last = meter.lap()
        else:
            await socket.send(meter.start(), text=True)
            while not meter.hear(await socket.recv(decode=False)):
                pass
        return meter.us


if __name__ == "__main__":
    serve(lambda url, tls, meter: trio.run(converse, url, tls, meter))
