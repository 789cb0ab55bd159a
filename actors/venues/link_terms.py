"""What a link is told and what it tells: bounds, figures, and the sentence for why a connection ended.

Pure. Owns no state of the connection itself. Invariant: nothing here ever holds the text of a frame or of a parameter,
so all of it may be logged and shown.
"""

from __future__ import annotations

import math
import traceback
from pathlib import Path

import attrs

from actors.trading.errors import StrikemakerError
from actors.venues.protocol import MalformedFrame


@attrs.frozen
class LinkSettings:
    """Bounds of one link; times in seconds, sizes in bytes."""

    connect_timeout_s: float = 10.0
    """From dialling to the end of the opening script."""
    request_timeout_s: float = 5.0
    ping_s: float = 20.0
    idle_s: float = 60.0
    """No byte for this long, or pongs that stay out for this long: the connection is dead."""
    backoff_s: float = 1.0
    backoff_max_s: float = 60.0
    settled_s: float = 10.0
    """A connection that was up for this long starts the back-off afresh."""
    max_queued_bytes: int = 1 << 20
    """More than this unsent: the venue does not read, the connection is dropped."""
    max_size: int = 16 << 20
    """Largest message accepted."""
    max_pending: int = 8192
    """Calls waiting for an answer; beyond it new ones are not taken."""

    def backoff(self, failures: int, share: float) -> float:
        """The pause after so many failures in a row: doubling up to the bound, times a share of 0.5 to 1."""
        return share * min(self.backoff_max_s, self.backoff_s * 2.0 ** min(failures, 30))


@attrs.define
class LinkCounts:
    """Figures for the status page, since the link was made."""

    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    writes: int = 0
    """Each is one system call: frames_out / writes is how well frames are gathered."""
    connections: int = 0
    """Those whose handshake succeeded."""
    failures: int = 0
    """Connections and attempts to connect that ended otherwise than by our own leave."""
    unmatched: int = 0
    """Answers nobody was waiting for: late, repeated or foreign."""
    timeouts: int = 0
    round_trip_s: float = math.nan
    """Smoothed, from queueing a call to its answer."""

    @property
    def reconnects(self) -> int:
        return max(0, self.connections - 1)

    def hear_round_trip(self, seconds: float) -> None:
        known = self.round_trip_s
        self.round_trip_s = seconds if known != known else known + (seconds - known) / 8.0


class LinkDied(StrikemakerError):
    """The connection is over; the text says why. Never leaves the link."""


def words(error: BaseException) -> str:
    """An error in a line; one that nobody expects from a network also says where it was raised."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, LinkDied):
        return str(error)
    told = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, (StrikemakerError, OSError, MalformedFrame)) or type(error).__module__.startswith("trio"):
        return told
    spots = [f"{Path(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)[-2:]]
    return f"{told} ({', '.join(spots)})"
