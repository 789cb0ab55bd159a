"""What a run is judged by: whose orders, which limits and bounds, when nothing was to be sent, what was claimed.

Pure. Owns what the ledger cannot know and the run must tell the judge. Invariant: nothing here weakens a promise; it
only says which promises were given.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from actors.console.settings import LimitSettings
from actors.rehearsal.floor_replay import Outage
from actors.rehearsal.tongues import MS_NS, Asked

BY_CLOCK_NS = MS_NS
BY_DEADLINE_NS = 200 * MS_NS
"""A deadline is laid by the venue's clock as its own stamps tell it, which travel."""
NONCES_APART_NS = 5 * MS_NS
"""Nonces of one moment are a microsecond apart."""


@attrs.frozen
class Halt:
    """No order may be sent between these moments (venue's clock, ns)."""

    from_ns: int
    to_ns: int
    why: str
    label: str = ""
    """Beginning of the labels that it holds for."""


@attrs.frozen
class Silence:
    """The feed of these instruments had been silent for so long that nothing of ours may rest there between two moments."""

    names: tuple[str, ...]
    from_ns: int
    to_ns: int


@attrs.frozen
class Skew:
    """From this moment on the makers' clock is ahead of the venue's by so much."""

    at_ns: int
    ahead_ns: int


@attrs.frozen
class Claim:
    """What one cell said of itself at its end, with a proof. Amounts in contracts, exact."""

    at_ns: int
    label: str
    """The run's whole label."""
    sessions: tuple[str, ...]
    """Peers of its connections, as the ledger names them."""
    positions: dict[str, Decimal]
    fees: Decimal
    fills: int


@attrs.frozen
class Sent:
    """When an order left, venue's clock."""

    at_ns: int
    slack_ns: int
    """It may have been so much later."""


@attrs.frozen
class Proven:
    """Somebody said, on the venue's word, that nothing under these labels rests or can come to rest."""

    at_ns: int
    who: str
    labels: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Terms:
    account: int
    ours: str
    """What every label of ours begins with."""
    cell: str
    """What every label of the judged cell begins with; its limits are below."""
    max_position: Decimal
    max_exposure: Decimal
    max_book_age_s: float
    max_index_age_s: float
    underlying: str = "ETH"
    is_frozen: bool = False
    """The market stood still: nobody may improve on himself."""
    ages: bool = False
    """Quotes stand around a fair value, which moves with time alone: by no more than one tick in a run, on each side."""
    halts: tuple[Halt, ...] = ()
    outages: tuple[Outage, ...] = ()
    silences: tuple[Silence, ...] = ()
    skews: tuple[Skew, ...] = ()
    claims: tuple[Claim, ...] = ()
    proofs: tuple[Proven, ...] = ()
    by_hand_ns: tuple[int, ...] = ()
    """When the operator himself withdrew orders."""
    greek_limits: LimitSettings | None = None
    """The cell's Greek and scenario limits."""

    def sent(self, asked: Asked, heard_ns: int) -> Sent:
        """When an order was sent, by the venue's clock: as the order itself tells, at the latest when it was heard.

        What the makers' clock told comes first, for it is exact. Where that lies well beyond the hearing it was no clock: a
        nonce never falls, and after a step back it runs on from the last one.
        """
        if asked.maker_ns is not None:
            ahead = 0
            for skew in self.skews:
                if skew.at_ns <= asked.maker_ns - skew.ahead_ns:
                    ahead = skew.ahead_ns
            told_ns = asked.maker_ns - ahead
            if told_ns <= heard_ns + NONCES_APART_NS:
                return Sent(min(heard_ns, told_ns), BY_CLOCK_NS)
        return Sent(heard_ns if asked.venue_ns is None else min(heard_ns, asked.venue_ns), BY_DEADLINE_NS)


def belongs(tag: str, label: str) -> bool:
    """Whether an order's tag is of the run with this label: the label itself, or numbered under it."""
    return tag == label or tag.startswith(f"{label}-")
