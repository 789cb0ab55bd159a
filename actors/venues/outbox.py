"""What has to leave on one connection, and the one task that waits for it to leave.

Everybody queues frames in the framing and says `stir`; all that was queued in one scheduling pass, or within a
`with outbox` block, leaves in one write. Only the writer ever waits for a write, and while it does nobody else writes.
Never looks at a frame, never closes a stream. Invariant: what is queued leaves in order, or the connection ends.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from actors.venues.link_terms import LinkCounts, words
from actors.venues.streams import PromptStream
from actors.venues.websocket import WebSocket


class Outbox:
    """Made with its connection; `doom` ends that connection without calling anybody back from inside."""

    def __init__(
        self, wire: WebSocket, stream: trio.abc.Stream, counts: LinkCounts, max_bytes: int, doom: Callable[[str], None]
    ) -> None:
        self._wire = wire
        self._stream = stream
        self._send_now = stream.send_now if isinstance(stream, PromptStream) else None
        self._counts = counts
        self._max_bytes = max_bytes
        self._doom = doom
        self._gatherers = 0
        self._idle_writer: trio.lowlevel.Task | None = None
        """The writer's task while it has nothing to do."""

    def __enter__(self) -> None:
        """Gather: what is queued in this block leaves at its end, without the writer's turn where the stream can."""
        self._gatherers += 1

    def __exit__(self, *_: object) -> None:
        self._gatherers -= 1
        self._flush()

    def stir(self) -> None:
        """Something was queued: the writer runs in the next scheduling pass, with whatever else is queued in this one."""
        if self._wire.queued_bytes > self._max_bytes:
            self._doom("the venue does not read")
        if self._idle_writer is not None and not self._gatherers:
            trio.lowlevel.reschedule(self._idle_writer)
            self._idle_writer = None

    def _flush(self) -> None:
        """Write without waiting; what the socket does not take at once is the writer's."""
        if not self._wire.queued_bytes:
            return
        if self._send_now is not None and self._idle_writer is not None and not self._gatherers:
            try:
                if self._send_now(self._take()):
                    return
            except Exception as error:
                self._doom(words(error))
        self.stir()

    async def write(self) -> None:
        """The writer, for as long as the connection lives."""
        while True:
            if not self._wire.queued_bytes:
                self._idle_writer = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._abandon)
            await self._stream.send_all(self._take())

    def _abandon(self, _: object) -> trio.lowlevel.Abort:
        self._idle_writer = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _take(self) -> bytes:
        data = self._wire.take_outbox()
        self._counts.bytes_out += len(data)
        self._counts.writes += 1
        return data
