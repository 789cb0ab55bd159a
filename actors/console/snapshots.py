"""What a cell tells of itself, about once a second: plain values that the live table, the log and the web page draw.

Owned by nobody once made: a snapshot is written by the cell, crosses a pipe as JSON (msgspec reads and writes these
classes as they are) and is only read after that. Prices are floats in the instrument's premium, amounts in contracts:
for the eye, never for an order. Holds no secret. Invariant: every figure is of the moment `time_s`, those
of the rows of the milliseconds before it.
"""

from __future__ import annotations

import math

import attrs
import msgspec

CONNECTING, LOADING, QUOTING, STOPPING, STOPPED = "connecting", "loading instruments", "quoting", "stopping", "stopped"
"""The phases of a cell's life, in order; `CellSnapshot.phase` is one of these."""


class InstrumentRow(msgspec.Struct, gc=False):
    """One quoted instrument. `market_*` is the best of others; None is an empty side or no quote of ours."""

    instrument: str
    strike: float = 0.0
    kind: str = ""
    """C or P."""
    expiry: str = ""
    """YYYYMMDD."""
    market_bid: float | None = None
    market_ask: float | None = None
    bid: float | None = None
    bid_size: float = 0.0
    ask: float | None = None
    ask_size: float = 0.0
    mark: float | None = None
    position: float = 0.0
    quote_age_s: float | None = None
    """Of the older resting side; None when nothing rests."""
    state: str = "waiting"
    """One word or two: waiting, quoting, bid only, ask only, stale, no room, halted, quarantined, ended."""
    reason: str = ""
    """Why it is not quoted on both sides, in words."""
    decimals: int = 2
    """Of its tick, for printing prices."""
    terms: dict[str, float] = msgspec.field(default_factory=dict)
    """What made bid and ask, by name (`strikemaker explain`)."""

    @property
    def bid_distance(self) -> float | None:
        """How far our bid is from the best bid of others; positive is better (higher) than theirs."""
        return None if self.bid is None or self.market_bid is None else self.bid - self.market_bid

    @property
    def ask_distance(self) -> float | None:
        """How far our ask is from the best ask of others; positive is better (lower) than theirs."""
        return None if self.ask is None or self.market_ask is None else self.market_ask - self.ask

    @property
    def sides(self) -> int:
        return (self.bid is not None) + (self.ask is not None)


@attrs.define
class BudgetLine:
    """One rate pool: requests left of its burst, and its refill."""

    name: str
    left: float
    burst: float
    per_second: float


@attrs.define
class LinkLine:
    """One connection: public, private, guard."""

    name: str
    state: str
    """connected, connecting, down."""
    last_frame_age_s: float | None = None
    reconnects: int = 0
    latency_ms: float | None = None


@attrs.define
class EventLine:
    """Something worth a line at the bottom of the screen: a fill, a warning, a connection change."""

    time_s: float
    """UTC seconds."""
    level: str
    text: str


@attrs.define
class CellSnapshot:
    """One cell at one moment. Counters are since the start of the run, restarts of the cell included."""

    cell: str
    time_s: float = 0.0
    """UTC seconds."""
    uptime_s: float = 0.0
    exchange: str = ""
    network: str = "paper"
    underlying: str = ""
    premium_currency: str = "USDC"
    phase: str = CONNECTING
    phase_detail: str = ""
    rows: list[InstrumentRow] = attrs.field(factory=list)
    sides_wanted: int = 0
    """Quotes (sides) that should rest now; the goal of the progress line."""
    sides_resting: int = 0
    requests_per_s: float = 0.0
    """What the budget lets through in the long run; gives the time to go."""
    index: float | None = None
    forward: float | None = None
    position: float = 0.0
    """Net, contracts."""
    exposure: float = 0.0
    exposure_peak: float = 0.0
    max_exposure: float = 0.0
    max_position: float = 0.0
    greeks: dict[str, float] = attrs.field(factory=dict)
    """Of the book, by name: delta, gamma, vega, theta; empty while nobody computes them."""
    venue_gaps: dict[str, float] = attrs.field(factory=dict)
    """By expiry, the most vol points between our surface and the venue's published smile over the quoted strikes."""
    budgets: list[BudgetLine] = attrs.field(factory=list)
    links: list[LinkLine] = attrs.field(factory=list)
    requests: dict[str, int] = attrs.field(factory=dict)
    """By kind: place, replace, amend, cancel, ..."""
    rejects: dict[str, int] = attrs.field(factory=dict)
    """By kind and code: "place 11013"."""
    fills: int = 0
    volume: float = 0.0
    """Contracts."""
    fees: str = "0"
    """Exact, in the premium's currency."""
    pnl: float | None = None
    restarts: int = 0
    stalls: int = 0
    """Stretches of more than 5 ms of work between two looks at the sockets, since quoting began."""
    worst_stall_ms: float = 0.0
    quarantined: list[str] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)
    """What is wrong now (not what went wrong once): shown in red until it is mended."""

    @property
    def instruments_quoted(self) -> int:
        return sum(1 for row in self.rows if row.sides)

    @property
    def oldest_quote_s(self) -> float | None:
        ages = [row.quote_age_s for row in self.rows if row.quote_age_s is not None]
        return max(ages) if ages else None

    @property
    def time_to_go_s(self) -> float | None:
        """Honest wait until every wanted quote rests: missing quotes over requests a second. None: cannot be said."""
        missing = max(0, self.sides_wanted - self.sides_resting)
        if not missing:
            return 0.0
        return missing / self.requests_per_s if self.requests_per_s > 0 else None


def duration_text(seconds: float | None) -> str:
    """Seconds as a reader says them: 0.4 s, 12 s, 3 min 05 s, 2 h 10 min."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
