"""Market channels of the Deribit face: which there are, who may join, what they publish.

Owns the grammar of channel names, the joined publications and the fan-out of the engine's public events. Private channels
are `deribit_feeds`'. Builds frames, sends through the exchange. Invariant: a channel nobody listens to costs nothing, and
one that is not understood is left out of the answer, as on the venue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from actors.venues.paper import events as ev
from actors.venues.paper.deribit_errors import RAW_NEEDS_LOGIN, Refused
from actors.venues.paper.deribit_market import DeribitMarket
from actors.venues.paper.deribit_publications import (
    Batch,
    BookFeed,
    Incremental,
    Publication,
    Repeated,
    Told,
    grouped_json,
)
from actors.venues.paper.deribit_shapes import MS, index_number, mark_number, plain, top_json
from actors.venues.paper.events import InstrumentState
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.listings import Listing
from actors.venues.paper.sessions import Session
from actors.venues.paper.tickets import Refusal

SECOND_NS = 1_000_000_000
GROUPS = ("none", "1", "2", "5", "10", "25", "100", "250")
DEPTHS = ("1", "10", "20")
TICKER_REFRESH_NS = 4 * SECOND_NS
"""A quiet instrument's ticker comes this often, as recorded."""
FIXING_S = 1800
TICK_S = 60


class Unknown(ValueError):
    """Not a channel of this face."""


class DeribitChannels:
    def __init__(self, exchange: Exchange, market: DeribitMarket, agg2_ms: int, raw_needs_login: bool) -> None:
        self._exchange = exchange
        self._engine = exchange.engine
        self._market = market
        self._raw_needs_login = raw_needs_login
        self.intervals = {"raw": 0, "100ms": 100 * MS, "agg2": agg2_ms * MS}
        self._running: dict[str, Publication] = {}
        self._makers: dict[str, Callable[[list[str]], Publication]] = {
            "ticker": self._ticker,
            "incremental_ticker": self._incremental,
            "book": self._book,
            "quote": self._quote,
            "trades": self._trades,
            "deribit_price_index": self._index,
            "deribit_volatility_index": self._volatility,
            "estimated_expiration_price": self._expiration,
            "markprice": self._marks,
            "perpetual": self._perpetual,
            "instrument": self._instrument_events,
            "platform_state": self._platform,
        }

    # -- joining and leaving

    def require(self, channels: Iterable[str], logged_in: bool) -> None:
        """Raw data only for who is known; one such channel refuses the whole request."""
        if self._raw_needs_login and not logged_in and any(channel.endswith(".raw") for channel in channels):
            raise Refused(RAW_NEEDS_LOGIN)

    def join(self, session: Session, channel: str) -> Any:
        """Join, and the message for the newcomer (None: none, also when it was there already); Unknown when there is none.

        Call `exchange.tell()` before: the snapshot must not hold what others have yet to be told.
        """
        fresh = self._publication(channel)  # also where it runs: what it shows may be gone by now
        if channel in session.channels:
            return None
        self._exchange.sessions.join(session, channel)
        return self._running.setdefault(channel, fresh).welcome()

    def _publication(self, channel: str) -> Publication:
        head, *rest = channel.split(".")
        maker = self._makers.get(head)
        if maker is None:
            raise Unknown(channel)
        try:
            return maker(rest)
        except (Refused, IndexError, KeyError):
            raise Unknown(channel) from None

    # -- grammar

    def _listing(self, name: str) -> Listing:
        try:
            listing = self._engine.listing(name)
        except Refusal:
            raise Unknown(name) from None
        if listing.state is InstrumentState.DELIVERED:
            raise Unknown(name)
        return listing

    def _expect(self, rest: list[str], count: int) -> None:
        if len(rest) != count:
            raise Unknown(".".join(rest))

    def _ticker(self, rest: list[str]) -> Publication:
        self._expect(rest, 2)
        listing, market = self._listing(rest[0]), self._market
        return Repeated(
            self.intervals[rest[1]],
            lambda: market.version(listing),
            lambda: market.snapshot(listing),
            TICKER_REFRESH_NS,
        )

    def _incremental(self, rest: list[str]) -> Publication:
        self._expect(rest, 1)
        listing, market = self._listing(rest[0]), self._market
        return Incremental(SECOND_NS, lambda: market.snapshot(listing))

    def _book(self, rest: list[str]) -> Publication:
        listing, clock_ns = self._listing(rest[0]), self._exchange.clock_ns
        if len(rest) == 2:
            return BookFeed(listing, clock_ns, self.intervals[rest[1]])
        self._expect(rest, 4)
        _, group, depth, interval = rest
        if group not in GROUPS or depth not in DEPTHS or interval not in ("100ms", "agg2"):
            raise Unknown(".".join(rest))
        ticks = 1 if group == "none" else int(group)
        return Repeated(
            self.intervals[interval],
            lambda: listing.book.told_id,
            lambda: grouped_json(listing, ticks, int(depth), clock_ns() // MS),
        )

    def _quote(self, rest: list[str]) -> Publication:
        self._expect(rest, 1)
        listing, clock_ns = self._listing(rest[0]), self._exchange.clock_ns

        def data() -> dict[str, Any]:
            return {"timestamp": clock_ns() // MS, "instrument_name": listing.name, **top_json(listing)}

        return Repeated(0, lambda: top_json(listing), data)

    def _trades(self, rest: list[str]) -> Publication:
        if len(rest) == 2:
            listing = self._listing(rest[0])
            return Batch(self.intervals[rest[1]], lambda one: one is listing)
        self._expect(rest, 3)
        return Batch(self.intervals[rest[2]], self._market.wanted(rest[1], rest[0]))

    def _index(self, rest: list[str]) -> Publication:
        self._expect(rest, 1)
        market, name = self._market, rest[0]
        market.index_of(name)

        def data() -> dict[str, Any]:
            return {"timestamp": market.time_ms(), "price": index_number(market.index_of(name)), "index_name": name}

        return Repeated(SECOND_NS, lambda: None, data, SECOND_NS)

    def _volatility(self, rest: list[str]) -> Publication:
        """DVOL, roughly: the mark vol nearest the money about a month out."""
        self._expect(rest, 1)
        market, name = self._market, rest[0]
        market.index_of(name)

        def data() -> dict[str, Any]:
            return {"timestamp": market.time_ms(), "volatility": market.month_vol(name), "index_name": name}

        return Repeated(SECOND_NS, lambda: None, data, SECOND_NS)

    def _expiration(self, rest: list[str]) -> Publication:
        """The next delivery of an index: the mean of its fixings in the last half hour, the index before."""
        self._expect(rest, 1)
        market, name = self._market, rest[0]
        market.index_of(name)
        return Repeated(SECOND_NS, lambda: None, lambda: self._expected(name), SECOND_NS)

    def _expected(self, name: str) -> dict[str, Any]:
        now_s = self._exchange.clock_ns() // SECOND_NS
        live = [x.instrument for x in self._engine.live_listings() if x.instrument.index_name == name]
        expiry = min((one.expiry_s for one in live if one.expiry_s), default=0)
        mean, count = self._engine.settlement_mean(name, expiry)
        left = max(0, expiry - now_s)
        is_estimated = 0 < left <= FIXING_S
        price: Decimal = mean if is_estimated else self._market.index_of(name)
        told = {"seconds": left, "price": plain(price, 4), "is_estimated": is_estimated}
        if not is_estimated:
            return told
        return {**told, "left_ticks": FIXING_S // TICK_S - count, "total_ticks": FIXING_S // TICK_S}

    def _marks(self, rest: list[str]) -> Publication:
        self._expect(rest, 2)
        if rest[0] != "options":
            raise Unknown(".".join(rest))
        name = rest[1]
        self._market.index_of(name)
        return Repeated(SECOND_NS, lambda: None, lambda: self._mark_rows(name), SECOND_NS)

    def _mark_rows(self, index_name: str) -> list[dict[str, Any]]:
        now_ms = self._market.time_ms()
        return [
            {
                "instrument_name": x.name,
                "mark_price": mark_number(x),
                "iv": round(x.reference.mark_vol, 4),
                "timestamp": now_ms,
            }
            for x in self._engine.live_listings()
            if x.instrument.index_name == index_name and x.instrument.kind is not None and x.reference is not None
        ]

    def _perpetual(self, rest: list[str]) -> Publication:
        self._expect(rest, 2)
        listing, market = self._listing(rest[0]), self._market
        if listing.instrument.kind is not None:
            raise Unknown(".".join(rest))

        def data() -> dict[str, Any]:
            return {"timestamp": market.time_ms(), "interest": 0.0, "index_price": index_number(listing.index)}

        return Repeated(max(self.intervals[rest[1]], SECOND_NS), lambda: listing.index, data)

    def _instrument_events(self, rest: list[str]) -> Publication:
        self._expect(rest, 3)
        if rest[0] not in ("state", "creation"):
            raise Unknown(".".join(rest))
        return Told(self._market.wanted(rest[2], rest[1]))

    def _platform(self, rest: list[str]) -> Publication:
        if rest not in ([], ["public_methods_state"]):
            raise Unknown(".".join(rest))
        return Told()

    # -- publishing

    def publish(self, now_ns: int) -> None:
        """Every joined channel whose time has come; one nobody listens to any more is forgotten."""
        sessions = self._exchange.sessions
        for channel, publication in list(self._running.items()):
            if not sessions.heard(channel):
                del self._running[channel]
                continue
            data = publication.due(now_ns)
            if data is not None:
                self.say(channel, data)

    def announce(self, events: Iterable[ev.Event]) -> None:
        """The engine's public events, in order; trades of one call and channel as one array."""
        trades: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            if isinstance(event, ev.Traded):
                self._note_trade(event, trades)
            elif isinstance(event, ev.BookChanged):
                self._note_book(event)
            elif isinstance(event, ev.StateChanged):
                self._note_instrument("state", event.instrument, self._state(event.instrument, event.state.value))
            elif isinstance(event, ev.Listed):
                self._note_listed(event.instrument)
            elif isinstance(event, ev.Settled):
                self._market.note_settled(event.instrument, event.price)
            elif isinstance(event, ev.MaintenanceSwitched):
                self.say("platform_state", {"maintenance": event.on})
        for channel, rows in trades.items():
            self.say(channel, rows)

    def _note_trade(self, event: ev.Traded, told: dict[str, list[dict[str, Any]]]) -> None:
        row = self._market.take(event)
        listing = self._engine.listing(event.taker.instrument)
        for channel, publication in self._running.items():
            if isinstance(publication, Batch) and publication.fits(listing):
                rows = publication.rows if publication.interval_ns else told.setdefault(channel, [])
                rows.append(row)

    def _note_book(self, event: ev.BookChanged) -> None:
        channel = f"book.{event.instrument}.raw"
        feed = self._running.get(channel)
        if isinstance(feed, BookFeed) and self._exchange.sessions.heard(channel):
            self.say(channel, feed.raw(event))

    def _note_listed(self, name: str) -> None:
        self._note_instrument("creation", name, self._market.record(self._engine.listing(name)))
        self._note_instrument("state", name, self._state(name, "open"))

    def _state(self, name: str, state: str) -> dict[str, Any]:
        return {"timestamp": self._market.time_ms(), "state": state, "instrument_name": name}

    def _note_instrument(self, what: str, name: str, data: dict[str, Any]) -> None:
        listing = self._engine.listing(name)
        for channel, publication in self._running.items():
            if isinstance(publication, Told) and channel.startswith(f"instrument.{what}.") and publication.fits(listing):
                self.say(channel, data)

    def say(self, channel: str, data: Any) -> None:
        body = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
        self._exchange.notify(channel, body, market=True)
