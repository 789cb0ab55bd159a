"""Private channels of the Deribit face: orders, trades, changes, portfolio, protection and locks of one user.

Owns the grammar of `user.*` names, who may join, and the gathering of a user's events into notices. Channels of different
users (or labels) share a name on the wire and are told apart by a key inside. Invariant: a notice reaches only sessions
that joined with a login of its user, and an order waiting in the speed bump is not told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from actors.venues.paper import events as ev
from actors.venues.paper.deribit_accounts import DeribitAccounts
from actors.venues.paper.deribit_channels import Unknown
from actors.venues.paper.deribit_clients import Caller
from actors.venues.paper.deribit_errors import Refused
from actors.venues.paper.deribit_market import DeribitMarket
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.listings import Listing
from actors.venues.paper.sessions import Session
from actors.venues.paper.tickets import OrderStatus

PORTFOLIO_NS = 1_000_000_000
STREAMS = ("orders", "trades", "changes")
Row = dict[str, Any]


@attrs.define(eq=False)
class Changed:
    """What happened in one instrument since the last notice: orders by id, trades, and whether the position moved."""

    orders: dict[str, Row] = attrs.field(factory=dict)
    trades: list[Row] = attrs.field(factory=list)
    is_moved: bool = False


@attrs.define(eq=False)
class Feed:
    """One joined private channel of one user."""

    key: str
    user_id: int
    channel: str
    label: str
    stream: str
    """orders, trades, changes, portfolio, mmp_trigger, lock."""
    fits: Callable[[Listing], bool]
    scope: str = ""
    """Currency of a portfolio, index of a protection; empty: any."""
    interval_ns: int = 0
    next_ns: int = 0
    changed: dict[str, Changed] = attrs.field(factory=dict)
    is_stale: bool = False
    """A portfolio whose money moved."""

    def of(self, name: str) -> Changed:
        return self.changed.setdefault(name, Changed())


class DeribitFeeds:
    def __init__(
        self, exchange: Exchange, market: DeribitMarket, accounts: DeribitAccounts, intervals: dict[str, int]
    ) -> None:
        self._exchange = exchange
        self._engine = exchange.engine
        self._market = market
        self._accounts = accounts
        self._intervals = intervals
        self._feeds: dict[str, Feed] = {}

    # -- joining

    def key_of(self, caller: Caller, channel: str, label: str) -> str:
        return f"{caller.user_id}/{label}/{channel}"

    def join(self, session: Session, caller: Caller, channel: str, label: str) -> Any:
        """Join; a portfolio greets its newcomer. Unknown for a name that is none or a scope that is not held."""
        key = self.key_of(caller, channel, label)
        if key not in self._feeds:
            self._feeds[key] = self._feed(key, caller, channel, label)
        if key in session.channels:
            return None
        self._exchange.sessions.join(session, key)
        feed = self._feeds[key]
        return self._accounts.portfolio(caller.user_id, feed.scope) if feed.stream == "portfolio" and feed.scope else None

    def _feed(self, key: str, caller: Caller, channel: str, label: str) -> Feed:
        _, *rest = channel.split(".")
        try:
            feed = self._parse(key, caller, channel, label, rest)
        except (Refused, IndexError, KeyError):
            raise Unknown(channel) from None
        if not caller.may("account" if feed.stream in ("portfolio", "lock") else "trade", "read"):
            raise Unknown(channel)
        return feed

    def _parse(self, key: str, caller: Caller, channel: str, label: str, rest: list[str]) -> Feed:
        stream, *where = rest
        if stream in STREAMS and len(where) in (2, 3):
            interval = self._intervals[where[-1]]
            return Feed(key, caller.user_id, channel, label, stream, self._fits(where[:-1]), interval_ns=interval)
        if stream == "portfolio" and len(where) == 1:
            self._market.wanted(where[0], "any")
            scope = "" if where[0] == "any" else where[0].upper()
            return Feed(key, caller.user_id, channel, label, stream, _everything, scope, PORTFOLIO_NS)
        if stream == "mmp_trigger" and len(where) == 1:
            if where[0] != "any":
                self._market.index_of(where[0])
            return Feed(key, caller.user_id, channel, label, stream, _everything, "" if where[0] == "any" else where[0])
        if stream == "lock" and not where:
            return Feed(key, caller.user_id, channel, label, stream, _everything)
        raise Unknown(channel)

    def _fits(self, where: list[str]) -> Callable[[Listing], bool]:
        """One instrument, or a kind and a currency."""
        if len(where) == 2:
            return self._market.wanted(where[1], where[0])
        name = self._market.listing(where[0]).name
        return lambda listing: listing.name == name

    # -- gathering

    def announce(self, events: Iterable[ev.Event]) -> None:
        """Gather a call's events; raw channels are told at once, one message for each instrument."""
        if not self._feeds:
            return
        for event in events:
            if isinstance(event, ev.OrderChanged):
                self._note_order(event)
            elif isinstance(event, ev.Traded):
                self._note_trade(event)
            elif isinstance(event, ev.BalanceChanged):
                self._note_balance(event)
            elif isinstance(event, ev.MmpTripped):
                self._note_trip(event)
        for feed in list(self._feeds.values()):
            if not feed.interval_ns and feed.changed:
                self._flush(feed)

    def _streams_of(self, user_id: int, listing: Listing) -> list[Feed]:
        return [
            feed
            for feed in self._feeds.values()
            if feed.user_id == user_id and feed.stream in STREAMS and feed.fits(listing) and self._heard(feed)
        ]

    def _heard(self, feed: Feed) -> bool:
        return self._exchange.sessions.heard(feed.key)

    def _note_order(self, event: ev.OrderChanged) -> None:
        order = event.order
        self._spoil(order.account_id)
        if order.status is OrderStatus.PENDING:
            return
        feeds = self._streams_of(order.account_id, self._engine.listing(order.instrument))
        if feeds:
            row = self._accounts.orders.order(order)
            for feed in feeds:
                if feed.stream != "trades":
                    feed.of(order.instrument).orders[order.order_id] = row

    def _note_trade(self, event: ev.Traded) -> None:
        for fill in (event.maker, event.taker):
            feeds = self._streams_of(fill.account_id, self._engine.listing(fill.instrument))
            if not feeds:
                continue
            row = self._accounts.trade(fill)
            for feed in feeds:
                if feed.stream != "orders":
                    changed = feed.of(fill.instrument)
                    changed.trades.append(row)
                    changed.is_moved = True

    def _note_balance(self, event: ev.BalanceChanged) -> None:
        """A delivery takes a position away without a trade."""
        self._spoil(event.account_id)
        if event.why is ev.BalanceUpdate.OPTION_SETTLEMENT and event.name in self._engine.listings:
            for feed in self._streams_of(event.account_id, self._engine.listing(event.name)):
                if feed.stream == "changes":
                    feed.of(event.name).is_moved = True

    def _note_trip(self, event: ev.MmpTripped) -> None:
        data: Row = {"frozen_until": event.frozen_until_ms, "index_name": event.scope}
        if event.group:
            data["mmp_group"] = event.group
        self._tell(event.account_id, "mmp_trigger", data, lambda feed: feed.scope in ("", event.scope))

    def note_lock(self, user_id: int, locked: bool) -> None:
        self._tell(user_id, "lock", {"locked": locked, "currency": "ALL"}, lambda feed: True)

    def _tell(self, user_id: int, stream: str, data: Row, fits: Callable[[Feed], bool]) -> None:
        for feed in list(self._feeds.values()):
            if feed.user_id == user_id and feed.stream == stream and fits(feed):
                self.say(feed, data)

    def _spoil(self, user_id: int) -> None:
        for feed in self._feeds.values():
            if feed.user_id == user_id and feed.stream == "portfolio":
                feed.is_stale = True

    # -- telling

    def publish(self, now_ns: int) -> None:
        """What waited for its interval; a channel nobody listens to any more is forgotten."""
        for key, feed in list(self._feeds.items()):
            if not self._heard(feed):
                del self._feeds[key]
            elif (feed.changed or feed.is_stale) and now_ns >= feed.next_ns:
                feed.next_ns = now_ns + feed.interval_ns
                self._flush(feed)

    def _flush(self, feed: Feed) -> None:
        if feed.stream == "portfolio":
            feed.is_stale = False
            cash = self._engine.account(feed.user_id).cash
            for currency in [feed.scope] if feed.scope else list(cash):
                self.say(feed, self._accounts.portfolio(feed.user_id, currency))
            return
        gathered, feed.changed = feed.changed, {}
        if feed.stream == "changes":
            for name, changed in gathered.items():
                self.say(feed, self._changes(feed.user_id, name, changed))
        elif feed.stream == "trades":
            self._say_some(feed, [row for changed in gathered.values() for row in changed.trades])
        else:
            self._say_orders(feed, [row for changed in gathered.values() for row in changed.orders.values()])

    def _changes(self, user_id: int, name: str, changed: Changed) -> Row:
        positions = [self._accounts.position_of(user_id, name)] if changed.is_moved else []
        return {
            "instrument_name": name,
            "orders": list(changed.orders.values()),
            "trades": changed.trades,
            "positions": positions,
        }

    def _say_orders(self, feed: Feed, rows: list[Row]) -> None:
        """A raw channel has one order a message, the others an array."""
        if feed.interval_ns:
            self._say_some(feed, rows)
            return
        for row in rows:
            self.say(feed, row)

    def _say_some(self, feed: Feed, rows: list[Row]) -> None:
        if rows:
            self.say(feed, rows)

    def say(self, feed: Feed, data: Any) -> None:
        self._exchange.notify(feed.key, frame(feed.channel, data, feed.label), market=False)


def frame(channel: str, data: Any, label: str = "") -> dict[str, Any]:
    params: Row = {"channel": channel, "data": data}
    if label:
        params["label"] = label
    return {"jsonrpc": "2.0", "method": "subscription", "params": params}


def _everything(listing: Listing) -> bool:
    return True
