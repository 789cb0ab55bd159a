"""A network that swallows everything and closes nothing: by the namespace's own loopback, or by a proxy without one.

Owns the cut and its healing. `scripts/chaos.sh` runs the whole sitting in a network namespace of its own where the machine
allows that; elsewhere makers reach the exchange through `SwallowingProxy`. Invariant: no end hears of the cut.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator

NAMESPACE = "CHAOS_NAMESPACE"
"""Set by chaos.sh inside a network namespace of its own."""


class SwallowingProxy:
    """TCP on loopback, forwarded to a port until `swallows` is set: then bytes vanish and connections stay open."""

    def __init__(self, port: int) -> None:
        self.swallows = False
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.swallows:
                    continue  # accepted by the kernel, answered by nobody
                server = socket.create_connection(("127.0.0.1", self._target))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.swallows:
                    sink.sendall(data)
            while self.swallows:  # a close is swallowed too
                threading.Event().wait(0.1)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def has_namespace() -> bool:
    return bool(os.environ.get(NAMESPACE))


@contextlib.contextmanager
def cut(proxy: SwallowingProxy | None) -> Iterator[None]:
    """Nothing passes inside."""
    _let_pass(proxy, False)
    try:
        yield
    finally:
        _let_pass(proxy, True)


def _let_pass(proxy: SwallowingProxy | None, passes: bool) -> None:
    if proxy is not None:
        proxy.swallows = not passes
    else:
        subprocess.run(["ip", "link", "set", "lo", "up" if passes else "down"], check=True, timeout=10)
