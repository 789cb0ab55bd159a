"""The cell's watch: what no single quoter can see. Ages of data, dead links, clocks that part, long sleeps, fatal refusals.

Owns when quoting is halted for the whole cell on such grounds, and when links are dropped so that everything is asked
afresh. Decides nothing about single quotes. Invariant: after this process stood still for longer than LONG_PAUSE_S, no
order is placed before truth has been reconciled over a new connection.
"""

from __future__ import annotations

import trio
from loguru import logger

from actors.clerk import Clerk
from actors.clock import Clock
from actors.console.settings import QuotingSettings
from actors.market_data import MarketData
from actors.order_desk import OrderDesk
from actors.risk import Risk
from actors.trading.errors import ClockWrong, NotGranted, Relisted
from actors.trading.lives import SHORTEST_S

WATCH_S = 0.1
"""How often is looked."""
CLOCK_BEHIND = "this machine's clock is behind the venue's: set it right (NTP)"
LONG_PAUSE_S = 1.0
"""A loop that did not turn for this long has slept; what came in meanwhile is old."""


class Watch:
    """One a cell."""

    def __init__(
        self,
        market: MarketData,
        desk: OrderDesk,
        clerk: Clerk,
        risk: Risk,
        clock: Clock,
        quoting: QuotingSettings,
        max_skew_s: float,
    ) -> None:
        self._market = market
        self._desk = desk
        self._clerk = clerk
        self._risk = risk
        self._clock = clock
        self._quoting = quoting
        self._max_skew_s = max_skew_s

    async def keep(self) -> None:
        """Looks forever; raises the venue's refusal that no retry can help, and Relisted."""
        while True:
            before = trio.current_time()
            await trio.sleep(WATCH_S)
            self._wake_from(trio.current_time() - before - WATCH_S)
            if self._key_ends():
                self._clerk.give_up(NotGranted(0, "the session key ends in minutes: register another and start again"))
            if self._clerk.fatal is not None:
                raise self._clerk.fatal
            if self._market.relisted:
                raise Relisted(self._market.relisted)
            self._halt_if("clock", self._clock.behind_s() > self._max_skew_s, CLOCK_BEHIND)
            link = self._market.link
            self._halt_if("market data", not link.is_up, f"market data link {link.state}")
            is_stale = self._market.index_age_s() > self._quoting.max_index_age_s
            self._halt_if("index", is_stale, "the index is stale or has not been heard")
            jump_s = self._clock.jumped()
            if abs(jump_s) > self._max_skew_s:
                logger.warning("the wall clock jumped by {:.1f} s: asking the venue again", jump_s)
                self._desk.link.drop("the wall clock jumped")

    def _key_ends(self) -> bool:
        """Its end is nearer than the shortest life of an order. Who goes while it still cancels and asks leaves with a
        proof, and nobody has another key."""
        end_s = self._desk.key_expires_s
        return bool(end_s) and self._clock.venue_ms() / 1000 > end_s - SHORTEST_S

    async def compare_clocks(self) -> None:
        """The venue's clock against ours, over the public link. ClockWrong when they are too far apart."""
        asked = trio.current_time()
        ours_ns = self._clock.wall_ns()
        told_ms = await self._market.link.follow(self._market.dialect.server_time())
        travel_s = trio.current_time() - asked
        skew_s = told_ms / 1000 - ours_ns / 1e9 - travel_s / 2
        if abs(skew_s) > self._max_skew_s + travel_s:
            raise ClockWrong(
                f"this machine's clock is {abs(skew_s):.1f} s {'behind' if skew_s > 0 else 'ahead of'} the venue's"
                f" (bound {self._max_skew_s:g} s): set it right (NTP) and start again"
            )
        self._clock.hear_venue(told_ms, trio.current_time())
        logger.debug("clock: {:+.3f} s to the venue's, travel {:.3f} s", skew_s, travel_s)

    def _wake_from(self, pause_s: float) -> None:
        """After a long pause (a frozen process, a blocked loop) nothing believed before it may be acted on."""
        if pause_s > LONG_PAUSE_S:
            logger.warning("this process stood still for {:.1f} s: connecting afresh", pause_s)
            self._desk.block("truth", "woken from a long pause")
            self._desk.link.drop("woken from a long pause")
            self._market.link.drop("woken from a long pause")

    def _halt_if(self, cause: str, condition: bool, text: str) -> None:
        if condition:
            self._risk.halt(cause, text)
        else:
            self._risk.resume(cause)
