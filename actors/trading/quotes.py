"""What a quoter wants, and what the risk gate answers: the two sides of one instrument, in ticks and steps.

A pair is idempotent and versioned: sending it twice asks for nothing new. The order desk takes `RiskApproved` only.
"""

from __future__ import annotations

import msgspec

from actors.trading.instruments import BID, Side

Terms = dict[str, float]
"""The terms that made bid and ask, by name. Never changed once made; a dict of numbers is nothing the collector looks at."""


class Quote(msgspec.Struct, frozen=True, gc=False):
    """One side: price in smallest ticks, amount in steps; the amount is the whole size wanted at rest."""

    price: int
    amount: int


class QuotePair(msgspec.Struct, frozen=True, gc=False):
    """The desired state of one instrument; a side that is None is wanted away from the market."""

    instrument: str
    version: int
    """Rises per instrument with each new wish; the newest wins."""
    bid: Quote | None
    ask: Quote | None
    decided_at: float
    """trio's clock, seconds."""
    reason: str = ""
    """Why a side (or both) is missing, in words for the operator; empty for a full pair."""
    urgency: float = 0.0
    """Money (quote currency) lost if what rests stays where it is; sorts the desk's work, highest first."""
    terms: Terms = {}
    """The explanation."""

    def side(self, side: Side) -> Quote | None:
        return self.bid if side is BID else self.ask


class Room(msgspec.Struct, frozen=True, gc=False):
    """The most each side of one instrument may show, in steps, and which limit said so."""

    bid: int
    ask: int
    bound: str


NO_ROOM = Room(0, 0, "nothing may be sent")


class RiskApproved(msgspec.Struct, frozen=True, gc=False):
    """A pair that fits the limits (perhaps cut, perhaps with the breaching side pulled); its reservation is held."""

    pair: QuotePair
    cut: str = ""
    """What risk changed and why, with numbers; empty when nothing was."""
    room: Room | None = None
    """What it was held against: still true for who sends in the same breath, without an await."""


class RiskRefused(msgspec.Struct, frozen=True, gc=False):
    """Nothing of the pair may be sent; whatever rests on a side that breaches must be pulled."""

    instrument: str
    reason: str
    numbers: tuple[tuple[str, float], ...] = ()
