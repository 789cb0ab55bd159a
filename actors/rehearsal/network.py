"""The rehearsal's wires: bounded in-memory streams that can be slow, deaf or cut like a bad network.

Owns the bytes between the dial and the exchange's door, one `Cable` per connection, and what may befall them. No pump
tasks: a byte waits in its wire until somebody reads it, so that a fault is a property of the stream and a run stays
deterministic. Knows no frame and no order. Invariant: bytes of one direction arrive in order, unchanged and once, or
not at all from some point on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs
import trio

CAPACITY = 256 * 1024
"""Bytes a direction holds before its sender waits: some seconds of a busy market."""


@attrs.define(eq=False)
class Wire:
    """One direction. `lag_s`: what is sent from now on arrives that much later; `deaf`: it vanishes without a word."""

    lag_s: float = 0.0
    deaf: bool = False
    cut_after: int | None = None
    """Only so many more bytes get through, then the cable is cut: a frame ends in its middle."""
    on_cut: Callable[[], None] = lambda: None
    lost: int = 0
    ended: bool = False
    """Nothing more is sent: the reader gets what is left, then end of file."""
    broken: bool = False
    _held: deque[tuple[float, bytes]] = attrs.field(factory=deque)
    _size: int = 0
    _readers: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _writers: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def put(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        while self._size >= CAPACITY and not self.broken and not self.ended and not self.deaf:
            await self._writers.park()
        if self.broken:
            raise trio.BrokenResourceError("the connection is gone")
        if self.ended:
            raise trio.ClosedResourceError("this end was closed")
        if self.deaf:
            self.lost += len(data)
            return
        if self.cut_after is not None:
            data, self.cut_after = data[: self.cut_after], max(0, self.cut_after - len(data))
        self._append(data)
        if self.cut_after == 0:
            self.on_cut()

    def _append(self, data: bytes) -> None:
        if not data:
            return
        due = trio.current_time() + self.lag_s
        if self._held:
            due = max(due, self._held[-1][0])
        self._held.append((due, data))
        self._size += len(data)
        self._readers.unpark_all()

    async def take(self, most: int | None) -> bytes:
        await trio.lowlevel.checkpoint()
        while True:
            now = trio.current_time()
            if self._held and self._held[0][0] <= now:
                return self._pop(most)
            if self.broken:
                raise trio.BrokenResourceError("the connection is gone")
            if self.ended and not self._held:
                return b""
            wait_s = self._held[0][0] - now if self._held else float("inf")
            with trio.move_on_after(wait_s):
                await self._readers.park()

    def _pop(self, most: int | None) -> bytes:
        """Everything that has arrived, up to `most` bytes."""
        now, parts, room = trio.current_time(), [], most or CAPACITY
        while self._held and self._held[0][0] <= now and room > 0:
            due, data = self._held.popleft()
            if len(data) > room:
                self._held.appendleft((due, data[room:]))
                data = data[:room]
            parts.append(data)
            room -= len(data)
        taken = b"".join(parts)
        self._size -= len(taken)
        self._writers.unpark_all()
        return taken

    def end(self, *, broken: bool = False) -> None:
        """Closed by its sender (what is on its way still arrives) or broken (it does not)."""
        if broken:
            self.broken = True
            self._held.clear()
            self._size = 0
        self.ended = True
        self._readers.unpark_all()
        self._writers.unpark_all()


@attrs.define(eq=False)
class Plug(trio.abc.Stream):
    """One end of a cable."""

    cable: Cable
    outgoing: Wire
    incoming: Wire
    closed: bool = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.closed:
            raise trio.ClosedResourceError("this end was closed")
        await self.outgoing.put(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self.closed:
            raise trio.ClosedResourceError("this end was closed")
        return await self.incoming.take(max_bytes)

    async def aclose(self) -> None:
        """The other end reads what is left, then end of file; of a deaf wire it never hears even that."""
        if not self.closed:
            self.closed = True
            if not self.outgoing.deaf:
                self.outgoing.end()
                self.incoming.end(broken=True)
            else:
                self.incoming.end()
            self.cable.note_closed()
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class Cable:
    """One connection. `near` is the maker's end, `far` the exchange's."""

    number: int
    up: Wire = attrs.field(factory=Wire)
    """Maker to exchange."""
    down: Wire = attrs.field(factory=Wire)
    is_over: bool = False
    near: Plug = attrs.field(init=False)
    far: Plug = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.near = Plug(self, self.up, self.down)
        self.far = Plug(self, self.down, self.up)
        self.up.on_cut = self.down.on_cut = self.cut

    @property
    def peer(self) -> str:
        """How the exchange's ledger calls the maker's end."""
        return f"stage-{self.number}"

    def cut(self) -> None:
        """The connection is reset: neither end can send, nothing on its way arrives."""
        self.is_over = True
        self.up.end(broken=True)
        self.down.end(broken=True)

    def hang_up(self) -> None:
        """As a killed process's socket: what was sent still arrives, then the end; nothing more is heard."""
        self.is_over = True
        self.near.closed = True
        self.up.end()
        self.down.end(broken=True)

    def note_closed(self) -> None:
        self.is_over = self.near.closed or self.far.closed
