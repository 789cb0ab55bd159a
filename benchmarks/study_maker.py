"""The maker of one study run: the product's own decisions, gate and order table, with time in place of a network.

Owns what a cell's actors own (surface, Greeks, wishes, requests on their way) and calls the same pure code: `decide`,
`pull_picked_off`, `plan`, `needs_requote`, `Risk.review`, the order table. A request takes effect `reaction_s` after the
news that caused it; answers and fills are known at once. No rate limits. Invariant: nothing rests that the gate has not
approved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import attrs

from actors.console.settings import LimitSettings, QuotingSettings
from actors.risk import Risk
from actors.trading.actions import Action, ActionKind, plan
from actors.trading.books import Book, Market, present, steps_at_most
from actors.trading.exposure import Exposure
from actors.trading.greek_limits import GreekBook, OptionTerms, metrics_of
from actors.trading.instruments import Instrument, OptionKind, Side
from actors.trading.orders import Order, OrderState, OrderTable
from actors.trading.others import OthersBooks
from actors.trading.pricing import SECONDS_PER_YEAR
from actors.trading.protections import IndexWindow, pull_picked_off
from actors.trading.quotes import Quote, QuotePair, RiskApproved
from actors.trading.quoting import decide, needs_requote, threshold_ticks
from actors.trading.refit import refit
from actors.trading.strategies import Inventory, View, build
from actors.trading.surface import FairValue, MarkVol, SmileQuote, Surface
from actors.venues.dialect import Fill, OrderStatus, VenueOrder
from actors.venues.dialect import OrderRequest as Wanted
from actors.venues.paper import events as ev
from actors.venues.paper.tickets import Fill as VenueFill
from actors.venues.paper.tickets import OrderRequest, Refusal
from benchmarks.study_floor import MAKER, TICKER_STEPS, Picture, StudyFloor

REFIT_STEPS = 100
GREEKS_STEPS = 50
"""Both slower than the cell's, in steps of the floor: a fit is most of a run's cost, and in minutes little changes."""


@attrs.frozen
class Request:
    """On its way to the venue."""

    due_ns: int
    action: Action
    order: Order
    expected_filled: int
    """Of the order to be replaced, as we knew it when sending."""


class Maker:
    """One variant on one floor; `names` are the options it quotes."""

    def __init__(
        self,
        floor: StudyFloor,
        names: Iterable[str],
        quoting: QuotingSettings,
        limits: LimitSettings,
        reaction_s: float,
    ) -> None:
        self.pictures = {name: floor.pictures[name] for name in names}
        self.instruments = {name: picture.instrument for name, picture in self.pictures.items()}
        self.orders = OrderTable()
        self.others = OthersBooks(self.orders)
        self.exposure = Exposure(self.orders, 0, 0)
        self.risk = Risk(self.exposure, self.instruments, lambda reason: None)
        self.greeks = GreekBook(limits)
        self.surface = Surface.empty()
        self.strategy = build(quoting, limits, has_surface=True)
        self.fills: list[VenueFill] = []
        self.requests = 0
        self.refused = 0
        self.floor = floor
        self._quoting = quoting
        self._limits = limits
        self._reaction_ns = round(reaction_s * 1e9)
        self._window = IndexWindow.of(quoting.protections)
        self._on_the_way: deque[Request] = deque()
        self._differs_since: dict[tuple[str, Side], float] = {}
        self._is_needed = not self.strategy.uses_book or self.greeks.is_limited
        self._count = 0
        self._fits = 0
        self._held: dict[str, float] | None = None
        self._set_up()

    def _set_up(self) -> None:
        first = next(iter(self.instruments.values()))
        self.exposure.max_position = steps_at_most(first, self._limits.max_position)
        self.exposure.max_exposure = steps_at_most(first, self._limits.max_exposure)
        self.risk.greeks = self.greeks
        self.exposure.on_worst = self._on_worst
        self._window.add(self.floor.now_s, self.floor.index)
        for name in self.instruments:
            self._learn(name)
            self.exposure.refresh(name)

    # -- one tenth of a second

    def step(self, changed: Iterable[str], *, quotes: bool = True) -> None:
        """What a cell would do on the news of this step; `quotes` False only watches."""
        self._arrive()
        touched = self._hear()
        index_came, tickers_came = self.floor.tick()
        if index_came:
            self._window.add(self.floor.now_s, self.floor.index)
        if self._is_needed and self.floor.steps % GREEKS_STEPS == 0:
            for name in self.instruments:
                self._learn(name)
        if not self.strategy.uses_book and self.floor.steps % REFIT_STEPS == 1:
            self._refit()
        if not quotes:
            return
        everybody = tickers_came or (index_came and not self.strategy.uses_book)
        told = set(self.instruments) if everybody else touched.union(name for name in changed if name in self.instruments)
        for name in self.instruments:
            if name in told:
                self._quote(name)

    # -- what things are worth

    def _refit(self) -> None:
        fitting = refit(self._evidence(), self.floor.now_s, previous=self.surface if self._fits else None)
        while True:
            try:
                next(fitting)
            except StopIteration as done:
                self.surface = done.value
                self._fits += 1
                return

    def _evidence(self) -> list[SmileQuote]:
        quotes = []
        for name, picture in self.floor.pictures.items():
            forward, instrument = self.forward_of(picture), picture.instrument
            others = self._others(picture)
            bid, ask = others.best(Side.BID), others.best(Side.ASK)
            quotes.append(
                SmileQuote(
                    instrument=name,
                    expiry_s=instrument.expiry_s,
                    strike=instrument.strike,
                    is_call=instrument.kind is OptionKind.CALL,
                    bid=None if bid is None else instrument.price_float(bid),
                    ask=None if ask is None else instrument.price_float(ask),
                    forward=forward,
                    at=self.floor.now_s,
                )
            )
        return quotes

    def forward_of(self, picture: Picture) -> float:
        """The ticker's, moved with the index since."""
        ticker = picture.ticker
        assert ticker is not None  # the floor wrote it
        assert ticker.forward is not None
        assert ticker.index is not None
        return ticker.forward * (self.floor.index / ticker.index if self._quoting.protections.index_reprice else 1.0)

    def fair(self, picture: Picture) -> FairValue | None:
        """As the valuation actor: own surface, else the venue's mark vol."""
        ticker = picture.ticker
        assert ticker is not None  # the floor wrote it
        vol = present(ticker.mark_vol)
        mark = None if vol is None else MarkVol(vol, ticker.ts_ms / 1000)
        value = self.surface.fair(picture.instrument, self.floor.now_s, self.forward_of(picture), mark)
        return value if isinstance(value, FairValue) else None

    def _learn(self, name: str) -> None:
        instrument, fair = self.instruments[name], self.fair(self.pictures[name])
        if fair is None:
            return
        is_call = instrument.kind is OptionKind.CALL
        t_years = (instrument.expiry_s - self.floor.now_s) / SECONDS_PER_YEAR
        terms = OptionTerms(fair.forward, instrument.strike, t_years, fair.vol, is_call)
        self.greeks.learn(name, str(instrument.expiry_s), metrics_of(fair.greeks, terms, self._limits))
        self._on_worst(name)

    def _on_worst(self, name: str) -> None:
        exposure, contracts = self.exposure, self.instruments[name].amount_float
        bids, asks = exposure.most(name)
        self._held = None
        self.greeks.update(name, contracts(exposure.position(name)), contracts(bids), contracts(asks))

    # -- deciding

    def _quote(self, name: str) -> None:
        pair = self._decide(name)
        if pair is None or not self._asks_for_something(pair):
            return
        answer = self.risk.review(pair)
        if isinstance(answer, RiskApproved):
            self._execute(answer.pair)
            self.exposure.release(name)
        else:
            self._execute(QuotePair(name, 0, None, None, pair.decided_at, answer.reason))

    def _decide(self, name: str) -> QuotePair | None:
        """As the quoter: nothing on a book older than our own last change, nothing where nothing differs."""
        picture, protections = self.pictures[name], self._quoting.protections
        if self.strategy.uses_book and not self._is_clean(name):
            return None
        market = Market.of(picture.instrument, self._others(picture), picture.ticker)
        now_s = self.floor.now_s
        fair = None if self.strategy.uses_book and not protections.max_pick_off else self.fair(picture)
        view = View(market, now_s, fair, self._window.moves(now_s))
        pair = decide(self.strategy, view, self._inventory(name), self._quoting, version=0, decided_at=now_s)
        bid, ask = self._resting(name, Side.BID), self._resting(name, Side.ASK)
        pair = pull_picked_off(pair, view, protections, bid, ask)
        return None if pair.bid == bid and pair.ask == ask else pair

    def _is_clean(self, name: str) -> bool:
        """Whether the book is younger than the last change of ours in it, so that we can take ourselves out of it."""
        if self.orders.in_flight(name):
            return False
        return self.pictures[name].book.ts_ms > self.orders.last_change_ms(name)

    def _others(self, picture: Picture) -> Book:
        return self.others.of(picture.instrument.name, picture.book, picture.book.ts_ms)

    def _asks_for_something(self, pair: QuotePair) -> bool:
        """Whether the desk would send anything if the gate left the pair as it is; spares a look at the limits."""
        return bool(self._plan(pair))

    def _inventory(self, name: str) -> Inventory:
        instrument, position = self.instruments[name], self.exposure.position(name)
        if self._held is None:
            self._held = self.greeks.held() if self._is_needed else {}
        return Inventory(position, instrument.amount_float(position), self._limits.max_position, **self._held)

    def _resting(self, name: str, side: Side) -> Quote | None:
        orders = [o for o in self.orders.working(name, side) if o.state.is_live]
        if len(orders) != 1 or orders[0].state is not OrderState.OPEN:
            return None
        return Quote(orders[0].price, orders[0].remaining)

    # -- sending

    def _execute(self, pair: QuotePair) -> None:
        """As the desk, without a budget."""
        instrument = self.instruments[pair.instrument]
        for action in self._plan(pair):
            self._send(action, instrument)

    def _plan(self, pair: QuotePair) -> list[Action]:
        instrument = self.instruments[pair.instrument]
        return plan(
            instrument,
            pair,
            self.orders.working(pair.instrument),
            needs_requote=lambda order, quote: self._differs(order, quote, instrument),
            must_renew=lambda order: False,
            native_amend=False,
        )

    def _differs(self, order: Order, quote: Quote, instrument: Instrument) -> bool:
        resting, key = Quote(order.price, order.remaining), (order.instrument, order.side)
        if resting == quote:
            self._differs_since.pop(key, None)
            return False
        now_s = self.floor.now_s
        since = self._differs_since.setdefault(key, now_s)
        threshold = threshold_ticks(instrument, self._quoting.requote_threshold, order.price)
        return needs_requote(order.side, quote, resting, threshold, now_s - since, self._quoting.refresh_s)

    def _send(self, action: Action, instrument: Instrument) -> None:
        now_s, order = self.floor.now_s, action.order
        if action.kind is ActionKind.CANCEL:
            assert order is not None  # a cancel names its order
            self.orders.cancelling(order, now_s)
        else:
            quote = action.quote
            assert quote is not None  # only cancels have none
            self._differs_since.pop((instrument.name, action.side), None)
            self._count += 1
            client_id = str(self._count)
            wanted = Wanted(instrument.name, action.side, quote.price, quote.amount, client_id, client_id, 0, 0)
            order = self.orders.placing(wanted, now_s, replaces=action.order)
        self.exposure.refresh(instrument.name)
        self.requests += 1
        filled = action.order.filled if action.order is not None else 0
        self._on_the_way.append(Request(self.floor.now_ns + self._reaction_ns, action, order, filled))

    def _arrive(self) -> None:
        while self._on_the_way and self._on_the_way[0].due_ns <= self.floor.now_ns:
            request = self._on_the_way.popleft()
            try:
                self._meet_the_engine(request)
            except Refusal as refusal:
                self._turned_away(request, str(refusal))

    def _meet_the_engine(self, request: Request) -> None:
        order, action, engine = request.order, request.action, self.floor.engine
        if action.kind is ActionKind.CANCEL:
            engine.cancel(MAKER, order.venue_id)
            return
        ticket = OrderRequest(
            instrument=order.instrument,
            side=order.side,
            price=order.price,
            amount=order.amount,
            post_only=True,
            label=order.client_id,
        )
        if action.order is None:
            engine.place(MAKER, ticket)
            return
        old = action.order
        answer = engine.replace(MAKER, ticket, order_id=old.venue_id, expected_filled=request.expected_filled)
        if answer.failure is not None:
            self._turned_away(request, str(answer.failure))
            self.orders.replacement_failed(old, old_gone=True, now=self.floor.now_s)
            self.exposure.refresh(order.instrument)

    def _turned_away(self, request: Request, reason: str) -> None:
        """Nothing new rests; what it was to replace has ended, or rests as before."""
        self.refused += 1
        order, old = request.order, request.action.order
        if request.action.kind is not ActionKind.CANCEL:
            self.orders.refused(order, reason, self.floor.now_ns // 1_000_000)
            if old is not None:
                self.orders.untouched(old)
        self.exposure.refresh(order.instrument)

    # -- hearing

    def _hear(self) -> set[str]:
        """The engine's news of our account; the instruments it was about."""
        touched = set()
        for event in self.floor.engine.drain():
            if isinstance(event, ev.OrderChanged):
                order = event.order
                news = VenueOrder(
                    client_id=order.label,
                    venue_id=order.order_id,
                    label=order.label,
                    instrument=order.instrument,
                    side=order.side,
                    price=order.price,
                    amount=order.amount,
                    filled=order.filled,
                    status=OrderStatus(order.status.value),
                    ts_ms=order.updated_ns // 1_000_000,
                )
                self.orders.apply_order(news)
                self.exposure.refresh(order.instrument)
                touched.add(order.instrument)
            elif isinstance(event, ev.Traded) and event.maker.account_id == MAKER:
                self._fill(event.maker)
                touched.add(event.maker.instrument)
        if self.floor.steps % (60 * TICKER_STEPS) == 0:
            self.orders.forget_settled(self.floor.now_ns // 1_000_000 - 60_000)
        return touched

    def _fill(self, fill: VenueFill) -> None:
        self.fills.append(fill)
        ours = Fill(
            trade_id=fill.trade_id,
            venue_id=fill.order_id,
            label=fill.label,
            instrument=fill.instrument,
            side=fill.side,
            price=fill.price,
            amount=fill.amount,
            fee=str(fill.fee),
            fee_currency="USDC",
            is_maker=True,
            ts_ms=fill.at_ns // 1_000_000,
        )
        if self.orders.apply_fill(ours):
            self.exposure.add_fill(fill.instrument, fill.side, fill.amount)
