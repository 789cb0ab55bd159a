"""One quoter per instrument: hears the market, decides a quote, hands it through the risk gate to the desk.

Owns nothing but its last wish. It never sends, never cancels and has no `finally`: whoever keeps it cleans up after it.
Invariant: it never wishes for a price on data older than the configured bounds, nor, for a strategy that reads the
book, on a book older than the last change of our own orders in it.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from actors.clock import Clock
from actors.console.settings import QuotingSettings
from actors.market_data import MarketData, Picture
from actors.order_desk import OrderDesk
from actors.risk import Risk
from actors.trading.books import Market
from actors.trading.instruments import ASK, BID
from actors.trading.lives import SHORTEST_S
from actors.trading.orders import OrderTable
from actors.trading.protections import pull_picked_off
from actors.trading.quotes import QuotePair, RiskApproved
from actors.trading.quoting import decide, empty_pair, with_urgency
from actors.trading.strategies import Inventory, Strategy, View
from actors.valuation import Valuation


class Quoter:
    """`inventory` is asked at every decision."""

    def __init__(
        self,
        picture: Picture,
        market: MarketData,
        orders: OrderTable,
        risk: Risk,
        desk: OrderDesk,
        strategy: Strategy,
        settings: QuotingSettings,
        clock: Clock,
        inventory: Callable[[str], Inventory],
        valuation: Valuation,
    ) -> None:
        self.picture = picture
        self.wish: QuotePair | None = None
        self.refused = ""
        self._name = picture.instrument.name
        self._market = market
        self._orders = orders
        self._risk = risk
        self._desk = desk
        self.strategy = strategy
        self._settings = settings
        self._clock = clock
        self._inventory = inventory
        self._valuation = valuation
        end_s = min(picture.instrument.deactivation_s, picture.instrument.expiry_s or 1 << 62)
        self._last_s = end_s - settings.stop_before_expiry_s
        """UTC; nothing is quoted from then on."""
        if desk.dialect.signs_lives and picture.instrument.expiry_s:
            self._last_s = min(self._last_s, picture.instrument.expiry_s - SHORTEST_S)  # no signature would be taken
        self._max_ticker_age_s = max(settings.max_book_age_s, settings.max_index_age_s)
        self._version = 0
        self._position = 0
        """In steps, when the last decision was taken."""
        self._fault: Exception | None = None

    async def run(self) -> None:
        """Quotes until the instrument's end comes near, then returns; what rests is pulled by its keeper."""
        while not self.is_over():
            await self.picture.bell.wait()
            if self._fault is not None:
                raise self._fault
            self._look()

    def act(self) -> bool:
        """Looks at once, in the caller's turn, while nothing else is to be done here; False where it cannot.

        What goes wrong is raised in the quoter's own task: it is its crash, and nobody else's.
        """
        if not self.picture.bell.is_awaited or self.is_over():
            return False
        try:
            self._look()
        except Exception as fault:
            self._fault = fault
            self.picture.bell.ring()
        return True

    def _look(self) -> None:
        pair = self.decide()
        if pair is not None:
            self.offer(pair)

    def is_over(self) -> bool:
        return self._clock.now_s() >= self._last_s

    def offer(self, pair: QuotePair) -> None:
        """Through the gate to the desk."""
        self.wish = pair
        answer = self._risk.review(pair)
        if isinstance(answer, RiskApproved):
            self.refused = answer.cut
            self._desk.want(answer)
        else:
            self.refused = answer.reason
            self._desk.pull(self._name, answer.reason)

    def heeds_orders(self) -> bool:
        """Our orders here or the position changed: whether to look again. Not if the answer would be to wait, nor if it came
        out as wished, which is the usual case and most of what there is to hear."""
        book = self.picture.book
        if self.strategy.uses_book:
            # While a request is unanswered no book can be read; the last answer has us look.
            changed_ms = self._orders.last_change_ms(self._name)
            waits = book is not None and (book.ts_ms <= changed_ms or self._orders.in_flight(self._name))
        else:
            waits = self._comes_as_wished()
        return not (waits or self._was_refused()) or bool(self.unquotable())

    def _comes_as_wished(self) -> bool:
        """Nothing was filled, and what we asked for rests, or the last of the answers will have us asked again."""
        wish, standing = self.wish, self._orders.standing(self._name)
        if wish is None or self._risk.exposure.position(self._name) != self._position:
            return False
        return standing.in_flight or (standing.resting(BID) == wish.bid and standing.resting(ASK) == wish.ask)

    def _was_refused(self) -> bool:
        """The venue refused our last wish, and nothing was filled since: the same again, before the market or the refresh
        has told us anything, would be refused again, and cost what the others need."""
        wish = self.wish
        if wish is None or self._risk.exposure.position(self._name) != self._position:
            return False
        return self._desk.clerk.refusals.latest(self._name) >= wish.decided_at

    def decide(self) -> QuotePair | None:
        """What is wanted now; None when nothing new can or need be said."""
        reason = self.unquotable()
        if reason:
            return self._away(reason)
        book = self.picture.book
        assert book is not None  # a missing book is infinitely old, hence unquotable
        as_of_ms, seen = self._market.book_as_of_ms(self.picture), self._valuation.others
        standing = self._orders.standing(self._name)
        if self.strategy.uses_book and not seen.can_tell(self._name, book, as_of_ms, standing):
            return None
        manual = self._orders.foreign(self._name)
        others = seen.of(self._name, book, as_of_ms, standing, is_certain=self.strategy.uses_book)
        market = Market.of(self.picture.instrument, others, self.picture.ticker, tuple(manual))
        view = View(market, self._clock.now_s(), self._valuation.fair(self.picture), self._valuation.moves(self.picture))
        self._version += 1
        inventory = self._inventory(self._name)
        self._position = inventory.position_steps
        pair = decide(
            self.strategy,
            view,
            inventory,
            self._settings,
            version=self._version,
            decided_at=trio.current_time(),
        )
        bid, ask = standing.resting(BID), standing.resting(ASK)
        pair = pull_picked_off(pair, view, self._settings.protections, bid, ask)
        pair = self._valuation.comparison.beside(pair, self.picture.instrument)
        if pair.bid == bid and pair.ask == ask and not any(map(self._desk.must_renew, standing.live)):
            self.wish = pair
            return None
        return with_urgency(pair, market, bid, ask, view.mark)

    def unquotable(self) -> str:
        """Why nothing may be quoted now; empty when it may. The desk asks again at the moment of sending."""
        if self._risk.halts:
            return "halted: " + "; ".join(self._risk.halts.values())
        if not self._market.link.is_up:
            return "market data link down"
        if not self.picture.tradable or not self._market.venue_open:
            return f"not tradable: {self.picture.state or self._market.venue_reason or 'closed'}"
        age, index_age, ticker_age = self._market.ages_s(self.picture)
        if age > self._settings.max_book_age_s:
            return f"stale: book is {age:.1f} s old"
        if index_age > self._settings.max_index_age_s:
            return f"stale: index is {index_age:.1f} s old"
        if self.picture.ticker is None:
            return "no ticker yet"
        if ticker_age > self._max_ticker_age_s:
            return f"stale: ticker is {ticker_age:.1f} s old"
        return ""

    def _away(self, reason: str) -> QuotePair | None:
        self._version += 1
        pair = empty_pair(self._name, reason, version=self._version, decided_at=trio.current_time())
        if not self._orders.standing(self._name).live:
            self.wish = pair
            self._risk.exposure.release(self._name)
            return None
        return pair
