"""The market-data actor, one per cell: public link to books, tickers and the index; the crier hears what changed.

Owns the picture of every instrument of the cell and knows how fresh each is. Never decides, never logs per tick, never
logs in (on Derive any logged-in socket's drop would fire cancel-on-disconnect). Invariant: a picture is only what the
venue sent since the link last came up; whatever died with the link counts as not heard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import attrs
import trio
from loguru import logger

from actors.clock import Clock
from actors.mailboxes import Doorbell
from actors.trading.books import Book
from actors.trading.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from actors.trading.instruments import Instrument, Side
from actors.venues.dialect import (
    BookGap,
    BookUpdate,
    Dialect,
    IndexUpdate,
    InstrumentState,
    Listed,
    PlatformState,
    Script,
    TickerUpdate,
)
from actors.venues.link import VenueLink
from actors.venues.protocol import Notice

FEED_LAG_MS = 250
"""A book that is sent when it changes is sent within this (every 100 ms, and travel)."""
AHEAD_MS = 5_000
"""A stamp further ahead than this of every clock we know is none: believed, it would stop all later news as overtaken, and
move the venue's clock, by which proofs are judged."""
LEAP = 2.0
"""An index that at once doubles or halves is believed when the next print says so too."""
RELIST_S = 30.0
"""How often the listing is asked again where the venue does not announce new strikes."""


@attrs.define(eq=False)
class Picture:
    """The latest of one instrument. `heard_at`: trio's clock, seconds, of the last book; -inf since the link fell."""

    instrument: Instrument
    book: Book | None = None
    ticker: TickerUpdate | None = None
    heard_at: float = -math.inf
    ticker_at: float = -math.inf
    """When the last ticker was heard."""
    vouched_at: float = -math.inf
    """When a ticker last showed the best prices that the book has; `vouched_ms` by the venue's clock."""
    vouched_ms: int = 0
    tradable: bool = True
    state: str = ""
    bell: Doorbell = attrs.field(factory=Doorbell)

    def agrees(self, ticker: TickerUpdate) -> bool:
        """A ticker with other best prices shows that something of the book is missing, or on its way."""
        if self.book is None:
            return False
        best = self.book.best(Side.BID) or 0, self.book.best(Side.ASK) or 0
        return best == (ticker.best_bid, ticker.best_ask)


@attrs.define(eq=False)
class Index:
    """The underlying's index; `ts_ms` the venue's clock."""

    price: float | None = None
    ts_ms: int = 0
    heard_at: float = -math.inf


class MarketData:
    """Feeds pictures. `connect` makes the public link out of the opening script and the notice callback."""

    def __init__(
        self,
        dialect: Dialect,
        underlying: str,
        clock: Clock,
        connect: Callable[[Callable[[], Script[None]], Callable[[Notice], None], Callable[[str], None]], VenueLink],
        wanted: Callable[[Instrument], bool],
        on_listed: Callable[[Instrument], None],
    ) -> None:
        self.dialect = dialect
        self.underlying = underlying
        self.pictures: dict[str, Picture] = {}
        self.listing: dict[str, Instrument] = {}
        self.index = Index()
        self.venue_open = True
        self.venue_reason = ""
        self.malformed = 0
        self.relisted = ""
        """Why the pictures count in units that are the venue's no more; empty while they do not."""
        self._leapt = 0.0
        """An index price that was not believed yet."""
        self.on_index: Callable[[float], None] | None = None
        self.on_venue: Callable[[bool, str], None] | None = None
        self.on_changed: Callable[[str, float], None] = lambda name, now: self.ring(name)
        """Told of each instrument with news, and trio's clock; whoever listens sees to it that `ring` follows."""
        self._clock = clock
        self._wanted = wanted
        self._on_listed = on_listed
        self._gaps: set[str] = set()
        self._resync = Doorbell()
        self.link = connect(self._opening, self.on_notice, self._on_down)

    # -- the awaiting part

    async def load(self) -> list[Instrument]:
        """Reads the whole listing of the underlying; the link must be up."""
        listed = await self.link.follow(self.dialect.load_instruments(self.underlying))
        self.listing = {i.name: i for i in listed}
        for instrument in listed:
            self._compare(instrument)
        return listed

    async def follow(self, instruments: Iterable[Instrument]) -> None:
        """Adds instruments to the feed; after a reconnect the link joins all channels again by itself."""
        fresh = [i for i in instruments if i.name not in self.pictures]
        for instrument in fresh:
            self.pictures[instrument.name] = Picture(instrument)
        channels = [c for i in fresh for c in self.dialect.instrument_channels(i)]
        if len(fresh) == len(self.pictures):
            channels += self.dialect.shared_channels(self.underlying)
        self._report(await self.link.follow(self.dialect.subscribe(channels, private=False)))

    async def watch_listing(self) -> None:
        """New strikes: asked for where the venue does not announce them, and else after each connection but the first: what
        was announced meanwhile nobody heard."""
        heard = self.link.epoch
        while True:
            await trio.sleep(RELIST_S)
            epoch = self.link.epoch
            if self.dialect.lists_by_channel and epoch == heard:
                continue
            try:
                known = set(self.listing)
                for instrument in await self.load():
                    if instrument.name not in known and self._wanted(instrument):
                        self._on_listed(instrument)
                heard = epoch
            except (VenueUnreachable, OutcomeUnknown, VenueRefused) as exc:
                logger.warning("listing could not be read again: {}", exc)

    async def mend_gaps(self) -> None:
        """Leaves and joins the channels of books that lost their thread."""
        while True:
            await self._resync.wait()
            channels, self._gaps = sorted(self._gaps), set()
            try:
                await self.link.follow(self.dialect.unsubscribe(channels, private=False))
                self._report(await self.link.follow(self.dialect.subscribe(channels, private=False)))
            except (VenueUnreachable, OutcomeUnknown, VenueRefused) as exc:
                logger.warning("books could not be joined again ({}), dropping the link", exc)
                self.link.drop()

    def ring(self, name: str) -> None:
        """Its quoter is to look again."""
        self.pictures[name].bell.ring()

    # -- news, synchronously from the link's reader

    def on_notice(self, notice: Notice) -> None:
        try:
            for news in self.dialect.decode_notice(notice.method, notice.channel, notice.data):
                match news:
                    case BookUpdate():
                        self._on_book(news)
                    case TickerUpdate():
                        self._on_ticker(news)
                    case IndexUpdate():
                        self._on_index(news)
                    case BookGap():
                        self._on_gap(news)
                    case InstrumentState():
                        self._on_state(news)
                    case PlatformState():
                        self._on_platform(news)
                    case Listed():
                        self._on_new(news.instrument)
        except ValueError as exc:
            self.malformed += 1
            if self.malformed <= 10 or self.malformed % 1000 == 0:
                logger.warning("malformed market data on {} ({} so far): {}", notice.channel, self.malformed, exc)

    def _on_book(self, news: BookUpdate) -> None:
        picture = self.pictures.get(news.instrument)
        if picture is None or (picture.book is not None and news.ts_ms < picture.book.ts_ms):
            return  # not ours to quote, or overtaken on the way
        now = self._believe(news.ts_ms)
        picture.heard_at = now
        self._clock.hear_venue(news.ts_ms, now)
        picture.book = Book.of(news)
        self.on_changed(news.instrument, now)

    def _on_ticker(self, news: TickerUpdate) -> None:
        picture = self.pictures.get(news.instrument)
        if picture is None or (picture.ticker is not None and news.ts_ms < picture.ticker.ts_ms):
            return
        now = self._believe(news.ts_ms)
        picture.ticker_at, picture.ticker = now, news
        if picture.agrees(news):
            picture.vouched_at, picture.vouched_ms = now, news.ts_ms
        if news.is_open != picture.tradable and news.is_open is False:
            picture.tradable = False
        self.on_changed(news.instrument, now)

    def _on_index(self, news: IndexUpdate) -> None:
        if news.ts_ms < self.index.ts_ms:
            return
        now = self._believe(news.ts_ms)
        before, self._leapt = (self._leapt, self.index.price), news.price
        if self.index.price is not None and not any(old and 1 / LEAP < news.price / old < LEAP for old in before):
            raise ValueError(f"the index leaps from {self.index.price:g} to {news.price:g}")
        self.index.price, self.index.ts_ms, self.index.heard_at = news.price, news.ts_ms, now
        self._clock.hear_venue(news.ts_ms, self.index.heard_at)
        if self.on_index is not None:
            self.on_index(news.price)

    def _believe(self, ts_ms: int) -> float:
        """Trio's clock, of news with this stamp; ValueError for a stamp of the future."""
        now, ahead_ms = trio.current_time(), ts_ms - self._clock.now_ms()
        if ahead_ms > AHEAD_MS and ts_ms - self._clock.venue_ms(now) > AHEAD_MS:
            raise ValueError(f"stamped {ahead_ms / 1000:.1f} s ahead of every clock")
        return now

    def _on_gap(self, news: BookGap) -> None:
        picture = self.pictures.get(news.instrument)
        if picture is not None:
            picture.book = None
            picture.heard_at = -math.inf
            self._gaps.update(news.channels)
            self._resync.ring()
            self.on_changed(news.instrument, trio.current_time())

    def _on_state(self, news: InstrumentState) -> None:
        picture = self.pictures.get(news.instrument)
        if picture is not None:
            picture.tradable, picture.state = news.tradable, news.state
            self.on_changed(news.instrument, trio.current_time())

    def _on_platform(self, news: PlatformState) -> None:
        self.venue_open, self.venue_reason = news.tradable, news.reason
        if self.on_venue is not None:
            self.on_venue(news.tradable, news.reason)

    def _compare(self, listed: Instrument) -> None:
        """What is quoted may change its fees or its end, not what its prices and amounts mean."""
        picture = self.pictures.get(listed.name)
        if picture is not None and picture.instrument.units != listed.units:
            self.relisted = f"{listed.name} is listed in other units than it was"

    def _on_new(self, instrument: Instrument) -> None:
        self._compare(instrument)
        if instrument.name not in self.listing:
            self.listing[instrument.name] = instrument
            if self._wanted(instrument):
                self._on_listed(instrument)

    # -- the link

    def _opening(self) -> Script[None]:
        yield from self.dialect.open_public()
        if self.pictures:
            now_s = self._clock.now_s()
            alive = [p.instrument for p in self.pictures.values() if not 0 < p.instrument.expiry_s <= now_s]
            channels = [c for one in alive for c in self.dialect.instrument_channels(one)]
            channels += self.dialect.shared_channels(self.underlying)
            self._report((yield from self.dialect.subscribe(channels, private=False)))

    def _on_down(self, reason: str) -> None:
        """Nothing heard so far is worth anything now: every quoter is told and pulls."""
        self.index.heard_at = -math.inf
        for name, picture in self.pictures.items():
            picture.heard_at = picture.vouched_at = -math.inf
            picture.ticker, picture.tradable, picture.state = None, True, ""  # what it has become its next ticker says
            self.on_changed(name, trio.current_time())

    def _report(self, missing: list[str]) -> None:
        for channel in missing:
            logger.warning("the venue did not accept channel {}", channel)

    # -- freshness

    def ages_s(self, picture: Picture) -> tuple[float, float, float]:
        """Ages of the book, the index and the ticker, by one look at each clock: every quote is checked by them twice."""
        now, now_ms, ticker = trio.current_time(), self._clock.now_ms(), picture.ticker
        ticker_age = math.inf if ticker is None else max(now - picture.ticker_at, (now_ms - ticker.ts_ms) / 1000)
        return self._book_age_s(picture, now, now_ms), self._index_age_s(now, now_ms), ticker_age

    def book_age_s(self, picture: Picture) -> float:
        return self.ages_s(picture)[0]

    def index_age_s(self) -> float:
        return self._index_age_s(trio.current_time(), self._clock.now_ms())

    def _index_age_s(self, now: float, now_ms: int) -> float:
        """Infinite before the first print, and since the link fell: it was heard infinitely long ago."""
        heard_s, written_s = now - self.index.heard_at, (now_ms - self.index.ts_ms) / 1000
        return heard_s if heard_s > written_s else written_s

    def _book_age_s(self, picture: Picture, now: float, now_ms: int) -> float:
        """Age of the book: since it was heard, or since the venue wrote it if that is longer (a delayed feed is old)."""
        if picture.book is None or picture.heard_at == -math.inf:
            return math.inf
        if not self.dialect.republishes_books:
            # A silent book is a book that did not change, as long as the tickers, which do come, agree with it.
            return now - max(picture.heard_at, picture.vouched_at)
        heard_s, written_s = now - picture.heard_at, (now_ms - picture.book.ts_ms) / 1000
        return heard_s if heard_s > written_s else written_s

    def book_as_of_ms(self, picture: Picture) -> int:
        """Up to when, on the venue's clock, the book is known to be whole: later changes of ours are not in it yet.

        Where a silent book is one that did not change, a later ticker that agrees with it shows that nothing came after.
        """
        if picture.book is None:
            return 0
        if self.dialect.republishes_books:
            return picture.book.ts_ms
        return max(picture.book.ts_ms, picture.vouched_ms - FEED_LAG_MS)
