"""trio-websocket, as its manual shows it."""

from __future__ import annotations

import ssl

import trio
from trio_websocket import open_websocket_url

from benchmarks.peer_scripts.link_answering import Meter, serve


async def converse(url: str, tls: ssl.SSLContext | None, meter: Meter) -> float:
    async with open_websocket_url(url, ssl_context=tls) as socket:
        if meter.mode == "echo":
            last = False
            while not last:
                await socket.send_message(meter.ask().decode())
                meter.rpc.receive(await socket.get_message())
                last = meter.lap()
        else:
            await socket.send_message(meter.start().decode())
            while not meter.hear(await socket.get_message()):
                pass
        return meter.us


if __name__ == "__main__":
    serve(lambda url, tls, meter: trio.run(converse, url, tls, meter))
