"""The valuation actor, one per cell: forwards, the fitted surface, Greeks of the book, and how the index moves.

Owns the surface and when it is fitted (off the tick path, in steps of a few milliseconds); quoters read it by a plain
call. Never sends, never halts: it only knows. The fallback is explicit and the surface's own: smile -> venue's mark vol
-> no fair value. Invariant: quotes of ours are taken out of every book before it is evidence.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import trio

from actors.clock import Clock
from actors.comparison import Comparison
from actors.console.settings import CellSettings
from actors.market_data import MarketData, Picture
from actors.trading.books import Book, present
from actors.trading.greek_limits import GreekBook, OptionTerms, metrics_of
from actors.trading.instruments import Instrument, Numeraire, OptionKind, Side
from actors.trading.orders import OrderTable
from actors.trading.others import OthersBooks
from actors.trading.pricing import SECONDS_PER_YEAR, greeks
from actors.trading.protections import IndexWindow
from actors.trading.refit import refit
from actors.trading.settlement import index_share
from actors.trading.strategies import IndexMoves
from actors.trading.surface import FairValue, MarkVol, SmileQuote, Surface

REFIT_S = 2.0
"""From the end of one fit to the beginning of the next."""
GREEKS_S = 1.0
"""How often every instrument's Greeks are worked out again for the limits; a slice of them each tenth of it."""
BOOKS_A_STEP = 50
"""Books read in one step of gathering evidence: a millisecond at most."""
NEAR_STRIKES = 0.05
"""Strikes within this part of each other share their gamma."""


class Valuation:
    """What the cell believes things are worth. `is_needed`: a strategy asks; without, only Greek limits want a fit."""

    def __init__(
        self, cell: CellSettings, market: MarketData, orders: OrderTable, clock: Clock, *, is_needed: bool
    ) -> None:
        self.surface = Surface.empty()
        self.book = GreekBook(cell.limits)
        self.is_needed = is_needed or self.book.is_limited
        self.fits = 0
        self.refresh_exposure: Callable[[str], None] = lambda name: None
        self._cell = cell
        self._market = market
        self.others = OthersBooks(orders)
        self._clock = clock
        self.comparison = Comparison(market, orders, self.fair, is_wanted=is_needed)
        self._window = IndexWindow.of(cell.quoting.protections)

    # -- asked by quoters, synchronously

    def on_index(self, price: float) -> None:
        self._window.add(self._clock.now_s(), price)

    def moves(self, picture: Picture) -> IndexMoves:
        """Without its price where the ticker has that move in it already."""
        told = self._window.moves(self._clock.now_s())
        return msgspec.structs.replace(told, price=None) if self._leads(picture) else told

    def _leads(self, picture: Picture) -> bool:
        """The ticker came after the last print of the index, which would move it back and not on. By our clock: whether the
        venue stamps both feeds by the same one is not known."""
        return picture.ticker_at > self._market.index.heard_at

    def forward_of(self, picture: Picture) -> float | None:
        """The expiry's forward now: the ticker's, moved with the index since the ticker was written; in the last half
        hour with the part of it that the settlement's average has still to take in."""
        ticker, index = picture.ticker, self._market.index.price
        if ticker is None or (forward := present(ticker.forward)) is None:
            return None
        then = present(ticker.index)
        if index is None or then is None or self._leads(picture) or not self._cell.quoting.protections.index_reprice:
            return forward
        return forward * (1.0 + self._index_share(picture.instrument) * (index / then - 1.0))

    def fair(self, picture: Picture) -> FairValue | None:
        """Own surface, else the venue's mark vol; None when neither is to be had (or nobody needs it)."""
        if not self.is_needed:
            return None
        forward, ticker = self.forward_of(picture), picture.ticker
        if forward is None or ticker is None:
            return None
        vol = present(ticker.mark_vol)
        mark = None if vol is None else MarkVol(vol, ticker.ts_ms / 1000)
        value = self.surface.fair(picture.instrument, self._clock.now_s(), forward, mark)
        return value if isinstance(value, FairValue) else None

    def coin_value(self, instrument: Instrument) -> float:
        """Quote currency per unit of this instrument's premium, by the index; 1 where the premium is money already."""
        index = self._market.index.price
        return 1.0 if instrument.numeraire is Numeraire.QUOTE or index is None else index

    def local_gamma(self, instrument: Instrument) -> float:
        """Gamma held near this strike in this expiry, delta per quote currency."""

        def is_near(name: str) -> bool:
            picture = self._market.pictures.get(name)
            if picture is None or picture.instrument.expiry_s != instrument.expiry_s:
                return False
            return abs(picture.instrument.strike / instrument.strike - 1) <= NEAR_STRIKES

        return self.book.local_gamma(is_near)

    # -- the awaiting part

    async def fit(self) -> None:
        """Refits forever; a step of the fit is a few milliseconds, then everybody else has a turn."""
        while True:
            await trio.sleep(REFIT_S)
            if not self.is_needed:
                continue
            evidence = await self._evidence()
            fitting = refit(evidence, self._clock.now_s(), previous=self.surface if self.fits else None)
            while True:
                try:
                    next(fitting)
                except StopIteration as done:
                    self.surface = done.value
                    self.fits += 1
                    break
                await trio.lowlevel.checkpoint()

    async def measure(self) -> None:
        """Keeps every instrument's metrics fresh for the limits, a slice at a time; forever, where somebody needs them."""
        slices = 10
        while self.is_needed:
            for part in range(slices):
                await trio.sleep(GREEKS_S / slices)
                for name in list(self._market.pictures)[part::slices]:
                    self.learn(name)

    def learn(self, name: str) -> None:
        """One instrument's metrics, from the fair value it would be quoted at."""
        picture = self._market.pictures[name]
        terms = self._terms(picture)
        if terms is None:
            return
        instrument = picture.instrument
        own = greeks(terms.forward, terms.strike, terms.t_years, terms.vol, terms.is_call, terms.discount)
        share = self._index_share(instrument)
        metrics = metrics_of(own, terms, self._cell.limits, instrument.contract_size, share)
        self.book.learn(name, str(instrument.expiry_s), metrics)
        self.refresh_exposure(name)

    # -- inside

    def _index_share(self, instrument: Instrument) -> float:
        return 1.0 if instrument.kind is None else index_share(instrument.expiry_s - self._clock.now_s())

    def _terms(self, picture: Picture) -> OptionTerms | None:
        instrument, ticker = picture.instrument, picture.ticker
        if ticker is None or instrument.kind is None:
            return None
        fair = self.fair(picture)
        forward = fair.forward if fair is not None else self.forward_of(picture)
        vol = fair.vol if fair is not None else present(ticker.mark_vol)
        t_years = (instrument.expiry_s - self._clock.now_s()) / SECONDS_PER_YEAR
        if forward is None or vol is None or t_years <= 0:
            return None
        is_call = instrument.kind is OptionKind.CALL
        return OptionTerms(forward, instrument.strike, t_years, vol, is_call, present(ticker.discount) or 1.0)

    async def _evidence(self) -> list[SmileQuote]:
        """Others' best prices in quote currency, from books that are fresh; a few at a time, as the fit itself."""
        now_s, quotes = self._clock.now_s(), []
        for number, (name, picture) in enumerate(list(self._market.pictures.items())):
            if number % BOOKS_A_STEP == 0:
                await trio.lowlevel.checkpoint()
            forward, book, instrument = self.forward_of(picture), picture.book, picture.instrument
            if book is None or forward is None or instrument.kind is None or not self._is_fresh(picture):
                continue
            others = self.others.of(name, book, self._market.book_as_of_ms(picture))
            unit = forward if instrument.numeraire is Numeraire.COIN else 1.0
            quotes.append(
                SmileQuote(
                    instrument=name,
                    expiry_s=instrument.expiry_s,
                    strike=instrument.strike,
                    is_call=instrument.kind is OptionKind.CALL,
                    bid=_money(instrument, others, Side.BID, unit),
                    ask=_money(instrument, others, Side.ASK, unit),
                    forward=forward,
                    at=now_s,
                )
            )
        return quotes

    def _is_fresh(self, picture: Picture) -> bool:
        return self._market.book_age_s(picture) <= self._cell.quoting.max_book_age_s


def _money(instrument: Instrument, book: Book, side: Side, unit: float) -> float | None:
    best = book.best(side)
    return None if best is None else instrument.price_float(best) * unit
