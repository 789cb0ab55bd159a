"""picows on uvloop with everything inline in its callback: as little as Python can do."""

from __future__ import annotations

import asyncio
import ssl

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.peer_scripts.link_answering import Meter, serve


class Listener(WSListener):  # type: ignore[misc]
    def __init__(self, meter: Meter, done: asyncio.Event) -> None:
        self.meter = meter
        self.done = done

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self.meter.mode != "echo":
            if self.meter.hear(frame.get_payload_as_bytes()):
                self.done.set()
            return
        self.meter.rpc.receive(frame.get_payload_as_bytes())
        if self.meter.lap():
            self.done.set()
        else:
            transport.send(WSMsgType.TEXT, self.meter.ask())


async def converse(url: str, tls: ssl.SSLContext | None, meter: Meter) -> float:
    done = asyncio.Event()
    transport, _ = await ws_connect(lambda: Listener(meter, done), url, ssl_context=tls)
    transport.send(WSMsgType.TEXT, meter.ask() if meter.mode == "echo" else meter.start())
    await done.wait()
    cost_us = meter.us
    transport.disconnect()
    return cost_us


if __name__ == "__main__":
    serve(lambda url, tls, meter: uvloop.run(converse(url, tls, meter)))
