"""Channels of the Derive face: who may join which, what is published on them and when.

Owns subscribe and unsubscribe, the rhythm of market data (a whole snapshot every interval while it changes, else every
second) and the fan-out of the engine's events to the private channels. Builds frames, sends through the exchange. Never
answers anything but the two calls. Invariant: a private channel is joined only by a session whose login owns it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from actors.venues.paper import derive_errors as codes
from actors.venues.paper import events as ev
from actors.venues.paper.derive_errors import Refused
from actors.venues.paper.derive_feeds import DeriveFeeds
from actors.venues.paper.derive_market import DeriveMarket
from actors.venues.paper.derive_params import Channels
from actors.venues.paper.derive_shapes import MS, book_json, kind_of, order_json, plain, trade_json
from actors.venues.paper.derive_wallets import Caller
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.sessions import Session
from actors.venues.paper.tickets import Refusal

SECOND_NS = 1_000_000_000
BOOK_NS = 100 * MS
SPOT_NS = 200 * MS
GROUPS = {"1": 1, "10": 10, "100": 100}
DEPTHS = {"1", "10", "20", "100"}
INTERVALS = {"100": 100 * MS, "1000": 1000 * MS}
TYPES = ("option", "perp", "erc20")
PRIVATE_TAILS = ("orders", "trades", "balances", "quotes", "best.quotes")


@attrs.define(eq=False)
class Publication:
    """One joined market channel: what it shows, how often, and when it last did."""

    interval_ns: int
    version: Callable[[], Any]
    data: Callable[[], dict[str, Any]]
    next_ns: int = 0
    sent_ns: int = 0
    sent_version: Any = None

    def due(self, now_ns: int) -> bool:
        """Changed since, or a second old; looked at no more often than the interval."""
        if now_ns < self.next_ns:
            return False
        self.next_ns = now_ns + self.interval_ns
        version = self.version()
        if version == self.sent_version and now_ns - self.sent_ns < SECOND_NS:
            return False
        self.sent_version, self.sent_ns = version, now_ns
        return True


class UnknownChannel(ValueError):
    """Not a channel, or none that can be joined; the text goes into the subscribe answer."""


class DeriveChannels:
    def __init__(self, exchange: Exchange, market: DeriveMarket, feeds: DeriveFeeds) -> None:
        self._exchange = exchange
        self._engine = exchange.engine
        self._market = market
        self._feeds = feeds
        self._running: dict[str, Publication] = {}

    # -- joining and leaving

    def subscribe(self, session: Session, caller: Caller | None, fields: Channels) -> dict[str, Any]:
        """Each channel answers "ok" or an error; all bad is 13000, a private one without its login 14022."""
        wanted = fields.channels or []
        if not wanted:
            raise Refused(codes.NO_CHANNELS, "channels may not be empty")
        status: dict[str, str] = {}
        joined = []
        for channel in wanted:
            try:
                if self._exchange.faults.leaves_out(channel):
                    raise UnknownChannel("Internal error")
                self._admit(channel, caller)
            except UnknownChannel as wrong:
                status[channel] = str(wrong)
            else:
                status[channel] = "ok"
                joined.append(channel)
        if not joined:
            raise Refused(codes.NO_CHANNELS, "; ".join(f"{channel}: {why}" for channel, why in status.items())[:500])
        for channel in joined:
            self._exchange.sessions.join(session, channel)
            if channel in self._running:
                self._running[channel].sent_ns = 0
        return {"status": status, "current_subscriptions": list(session.channels)}

    def unsubscribe(self, session: Session, caller: Caller | None, fields: Channels) -> dict[str, Any]:
        """Without a list: from everything."""
        status = {}
        for channel in list(session.channels) if fields.channels is None else fields.channels:
            status[channel] = "ok" if channel in session.channels else "not subscribed"
            self._exchange.sessions.quit(session, channel)
        return {"status": status, "remaining_subscriptions": list(session.channels)}

    def _admit(self, channel: str, caller: Caller | None) -> None:
        head, _, tail = channel.partition(".")
        if head.isdigit() and tail.removesuffix(".settled") and self._is_private(tail):
            self._admit_private(int(head), caller)
        elif head.lower().startswith("0x") and tail == "rfqs":
            if caller is None:
                raise Refused(codes.CHANNEL_REFUSED, channel)
            caller.is_wallet(head)
        elif head != "trades" and head not in ("auctions", "margin"):
            fresh = self._publication(channel)  # also where it runs: what it shows may be gone by now
            self._running.setdefault(channel, fresh)
        else:
            self._admit_tape(channel)

    def _is_private(self, tail: str) -> bool:
        return tail in PRIVATE_TAILS or tail.startswith("trades.")

    def _admit_private(self, subaccount_id: int, caller: Caller | None) -> None:
        if caller is None:
            raise Refused(codes.CHANNEL_REFUSED, "log in first")
        if subaccount_id not in caller.wallet.subaccounts:
            raise Refused(codes.CHANNEL_REFUSED, str(subaccount_id))

    def _admit_tape(self, channel: str) -> None:
        parts = channel.split(".")
        if channel in ("auctions.watch", "margin.watch"):
            return
        if parts[0] == "trades" and len(parts) == 2:
            self._listing(parts[1])
        elif parts[0] != "trades" or len(parts) not in (3, 4) or parts[1] not in TYPES:
            raise UnknownChannel("Invalid channel")

    def _publication(self, channel: str) -> Publication:
        parts = channel.split(".")
        if parts[0] == "ticker_slim" and len(parts) == 3 and parts[2] in INTERVALS:
            return self._ticker(parts[1], INTERVALS[parts[2]])
        if parts[0] == "orderbook" and len(parts) == 4 and parts[2] in GROUPS and parts[3] in DEPTHS:
            return self._book(parts[1], GROUPS[parts[2]], int(parts[3]))
        if parts[0] == "spot_feed" and len(parts) == 2:
            return self._spot(parts[1])
        raise UnknownChannel("Invalid channel")

    def _listing(self, name: str) -> Any:
        try:
            listing = self._engine.listing(name)
        except Refusal:
            raise UnknownChannel("Instrument not found") from None
        if listing.state is ev.InstrumentState.DELIVERED:
            raise UnknownChannel("Instrument not found")
        return listing

    def _ticker(self, name: str, interval_ns: int) -> Publication:
        listing, market = self._listing(name), self._market

        def data() -> dict[str, Any]:
            snapshot = market.snapshot(listing)
            return {"timestamp": snapshot["t"], "instrument_ticker": snapshot}

        return Publication(interval_ns, lambda: market.version(listing), data)

    def _book(self, name: str, group: int, depth: int) -> Publication:
        listing, clock_ns = self._listing(name), self._exchange.clock_ns
        return Publication(
            BOOK_NS, lambda: listing.book.change_id, lambda: book_json(listing, group, depth, clock_ns() // MS)
        )

    def _spot(self, currency: str) -> Publication:
        feeds, indices = self._feeds, self._engine.indices
        if f"{currency}-USD" not in indices:
            raise UnknownChannel("Currency not found")
        return Publication(SPOT_NS, lambda: indices[f"{currency}-USD"], lambda: feeds.spot_feed(currency))

    # -- publishing

    def publish(self, now_ns: int) -> None:
        """Every joined market channel whose time has come; one nobody listens to any more is forgotten."""
        sessions = self._exchange.sessions
        for channel, publication in list(self._running.items()):
            if not sessions.heard(channel):
                del self._running[channel]
            elif publication.due(now_ns):
                self._notify(channel, publication.data(), market=True)

    def announce(self, events: Iterable[ev.Event]) -> None:
        """The engine's events as notices: per channel one array, elements in the order of happening."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            for channel, row in self._rows(event):
                rows.setdefault(channel, []).append(row)
        for channel, data in rows.items():
            self._notify(channel, data, market=channel.startswith("trades."))

    def _rows(self, event: ev.Event) -> list[tuple[str, dict[str, Any]]]:
        if isinstance(event, ev.OrderChanged):
            order = event.order
            channel = f"{order.account_id}.orders"
            if not self._exchange.sessions.heard(channel):
                return []
            return [(channel, order_json(self._engine.listing(order.instrument).instrument, order))]
        if isinstance(event, ev.Traded):
            return self._trade_rows(event)
        if isinstance(event, ev.BalanceChanged):
            row = {
                "name": event.name,
                "previous_balance": plain(event.previous),
                "new_balance": plain(event.new),
                "update_type": event.why.value,
            }
            return [(f"{event.account_id}.balances", row)]
        return []

    def _trade_rows(self, trade: ev.Traded) -> list[tuple[str, dict[str, Any]]]:
        one = self._engine.listing(trade.maker.instrument).instrument
        rows = []
        for fill in (trade.maker, trade.taker):
            channel = f"{fill.account_id}.trades"
            if self._exchange.sessions.heard(channel):
                rows.append((channel, trade_json(one, fill)))
        for row in self._market.public_rows(trade):
            rows.append((f"trades.{one.name}", row))
            rows.append((f"trades.{kind_of(one)}.{one.underlying}", row))
        return rows

    def _notify(self, channel: str, data: Any, *, market: bool) -> None:
        body = {"method": "subscription", "params": {"channel": channel, "data": data}}
        self._exchange.notify(channel, body, market=market)
