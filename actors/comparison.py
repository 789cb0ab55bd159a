"""The comparison, one per cell: the smiles the venue publishes (Derive's SVI) beside our own surface.

Owns the published smiles and when they are asked for: one request over the public link every `ASK_S`, never over the
private one, whose budget the quotes live on. Only shows: no price is made of it, and nothing waits for it. Invariant:
where no strategy quotes around fair value, or the venue publishes no smiles, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import trio
from loguru import logger

from actors.console.listing import expiry_of
from actors.market_data import MarketData, Picture
from actors.trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from actors.trading.fair import OWN
from actors.trading.instruments import Instrument
from actors.trading.orders import OrderTable
from actors.trading.quotes import QuotePair
from actors.trading.surface import FairValue
from actors.trading.venue_smile import beside, venue_vol
from actors.venues.dialect import PublishedSmile

ASK_S = 15.0
"""Derive lets an address ask 25 times in 5 s before login."""
LOG_S = 60.0
MAX_AGE_S = 3 * ASK_S
"""A smile heard longer ago is no longer shown."""
STRIKES_A_TURN = 20


class Comparison:
    """`fair`: our value of a picture. `gaps`: vol points, by expiry (YYYYMMDD), the most that a quoted strike differs."""

    def __init__(
        self, market: MarketData, orders: OrderTable, fair: Callable[[Picture], FairValue | None], *, is_wanted: bool
    ) -> None:
        self.gaps: dict[str, float] = {}
        self.is_wanted = is_wanted and market.dialect.publishes_smiles
        self._market = market
        self._orders = orders
        self._fair = fair
        self._smiles: dict[int, PublishedSmile] = {}
        self._heard_at: dict[int, float] = {}

    # -- asked by quoters, synchronously

    def venue_vol(self, instrument: Instrument) -> float | None:
        """Annual, by the venue's published smile; None where there is none, or none lately."""
        smile = self._smiles.get(instrument.expiry_s)
        if smile is None or trio.current_time() - self._heard_at[smile.expiry_s] > MAX_AGE_S:
            return None
        return venue_vol(smile, instrument.strike)

    def beside(self, pair: QuotePair, instrument: Instrument) -> QuotePair:
        """A finished pair, explained with the venue's smile too."""
        return beside(pair, self.venue_vol(instrument)) if self._smiles else pair

    # -- the awaiting part

    async def keep(self) -> None:
        """Asks and measures forever; returns at once where there is nothing to ask."""
        logged_at = trio.current_time()
        while self.is_wanted:
            await trio.sleep(ASK_S)
            await self._ask()
            await self._measure()
            if trio.current_time() - logged_at >= LOG_S:
                logged_at = trio.current_time()
                apart = ", ".join(f"{expiry} {gap:.2f}" for expiry, gap in self.gaps.items())
                logger.debug("our surface and the venue's SVI, vol points apart at most: {}", apart or "none to compare")

    async def _ask(self) -> None:
        """The smiles of the expiries followed now; what could not be had this time is asked for the next."""
        expiries = sorted({p.instrument.expiry_s for p in self._market.pictures.values() if p.instrument.kind})
        script = self._market.dialect.published_smiles(self._market.underlying, expiries)
        try:
            smiles = await self._market.link.follow(script)
        except (VenueUnreachable, OutcomeUnknown, VenueRefused) as exc:
            logger.debug("the venue's smiles could not be read: {}", exc)
            return
        for smile in smiles:
            self._smiles[smile.expiry_s], self._heard_at[smile.expiry_s] = smile, trio.current_time()

    async def _measure(self) -> None:
        gaps: dict[str, float] = {}
        for number, picture in enumerate(list(self._quoted()), 1):
            gap = self._gap(picture)
            if gap is not None:
                expiry = expiry_of(picture.instrument)
                gaps[expiry] = max(gap, gaps.get(expiry, 0.0))
            if number % STRIKES_A_TURN == 0:
                await trio.lowlevel.checkpoint()
        self.gaps = dict(sorted(gaps.items()))

    def _quoted(self) -> Iterator[Picture]:
        return (picture for name, picture in self._market.pictures.items() if self._orders.standing(name).live)

    def _gap(self, picture: Picture) -> float | None:
        """Vol points between our smile and theirs; None where either is missing, for a mark of theirs is not ours."""
        ours, theirs = self._fair(picture), self.venue_vol(picture.instrument)
        if ours is None or theirs is None or ours.source != OWN:
            return None
        return 100 * abs(ours.vol - theirs)
