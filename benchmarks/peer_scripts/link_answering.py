"""What every client of the link benchmark does: connect anew for each question, do the work asked for, answer its cost.

A question is {"url", "authority", "mode", "count"}; the answer {"us": ...} is microseconds per message: CPU of this
process for `single` and `burst` (notices received and decoded), the median round trip for `echo`. Every client decodes
with the same JSON-RPC machine, so that only the WebSocket and the loop under it differ.
"""

from __future__ import annotations

import json
import ssl
import statistics
import sys
import time
from collections.abc import Callable

from actors.venues.dialect import Call
from actors.venues.protocol import JsonRpc

WARM = 20
ECHO = Call("echo", b'{"instrument_name":"ETH-20261225-2800-C","amount":"1.5","limit_price":"102.5"}')


class Meter:
    """Counts what arrives and knows what it cost; `request` is the text that sets the venue going."""

    def __init__(self, mode: str, count: int) -> None:
        self.count = count if mode == "echo" else count // WARM * WARM
        self.mode = mode
        self.rpc = JsonRpc()
        self.heard = 0
        self.laps: list[int] = []
        self._lap = 0
        self._cpu = time.process_time_ns()

    def start(self) -> bytes:
        self._cpu = time.process_time_ns()
        return self.rpc.request(Call(self.mode, b'{"count":%d}' % self.count))[1]

    def hear(self, frame: bytes | bytearray | memoryview | str) -> bool:
        """Decode one frame; True when it was the last."""
        self.rpc.receive(frame)
        self.heard += 1
        return self.heard >= self.count

    def ask(self) -> bytes:
        self._lap = time.perf_counter_ns()
        return self.rpc.request(ECHO)[1]

    def lap(self) -> bool:
        """An echo came back; True when it was the last."""
        self.laps.append(time.perf_counter_ns() - self._lap)
        return len(self.laps) >= self.count

    @property
    def us(self) -> float:
        if self.mode == "echo":
            return statistics.median(self.laps[WARM:] or self.laps) / 1000
        return (time.process_time_ns() - self._cpu) / self.count / 1000


def serve(measure: Callable[[str, ssl.SSLContext | None, Meter], float]) -> None:
    """Answer questions from stdin until it ends."""
    for line in sys.stdin:
        question = json.loads(line)
        authority = question["authority"]
        context = ssl.create_default_context(cafile=authority) if question["url"].startswith("wss") else None
        meter = Meter(question["mode"], question["count"])
        print(json.dumps({"us": measure(question["url"], context, meter)}), flush=True)
