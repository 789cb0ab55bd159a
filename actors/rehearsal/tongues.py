"""How each venue's ledger says things: orders asked for, grids, channels, books, the numbers that matter to the judge.

Owns the reading of requests, answers and notices that differ between the faces of the paper exchange; the rows of what
the engine did are the same for all. Pure, and written from the protocol references, not from our own clients: the judge
must not read with the eyes of those it judges. Invariant: an order request is told as one `Asked` per order it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

import attrs

Row = dict[str, Any]
NEVER_MS = 1 << 62
"""The deadline of an order without one."""
NONCE_SLOTS = 1000
"""The last three digits of a Derive nonce tell processes apart."""
US_NS = 1000
MS_NS = 1_000_000
MOST_AHEAD_MS = 1000
"""How far ahead of its sending an order's deadline may lie."""


@attrs.frozen
class Asked:
    """One order as it was asked for. `tag`: its label, or the quote set of a quote; "" when it cannot be known."""

    instrument: str
    tag: str
    price: Decimal | None
    """None: as it was."""
    amount: Decimal | None
    is_plain: bool
    """Post-only, refused rather than moved, not reduce-only."""
    deadline_ms: int
    """Venue's clock; afterwards it takes no effect."""
    maker_ns: int | None = None
    """When it was sent by the makers' wall clock, where the request tells."""
    venue_ns: int | None = None
    """The same by what the makers took for the venue's clock."""


@attrs.frozen
class Grid:
    """Prices and amounts that may be asked for: from each bound upwards its own tick."""

    ticks: tuple[tuple[Decimal, Decimal], ...]
    """(above this price, tick), rising."""
    step: Decimal

    def has_price(self, price: Decimal) -> bool:
        tick = [tick for above, tick in self.ticks if price > above or above == 0][-1]
        return price > 0 and not price % tick

    def has_amount(self, amount: Decimal) -> bool:
        return amount > 0 and not amount % self.step


@attrs.frozen
class Known:
    """What is remembered of every order that ever rested on the account."""

    tag: str
    instrument: str


STRANGER = Known("", "")


class Tongue(Protocol):
    """What the judge must understand of a venue."""

    rate_limited: int
    self_crossing: int
    reads_fills: str
    """The method by which a cell reads its trades."""
    takes_twice: bool
    """A request for an order that is heard twice makes two orders."""

    def orders(self, row: Row, known: Mapping[str, Known]) -> tuple[Asked, ...]:
        """What a request asks to be placed, replaced or edited; `known`: every order so far, by id."""

    def grids(self, source: str, content: Any) -> Iterator[tuple[str, Grid]]:
        """Instruments that an answer (`source`: its method) or a notice (its channel) lists."""

    def subjects(self, channel: str) -> tuple[str, ...]:
        """What a notice tells about: "book NAME" (whole books, and what proves that one has not changed), "index X"."""

    def is_book(self, channel: str) -> bool:
        """Whether the notice is a whole book (bids and asks, best first)."""


def _sent_ns(deadline_ms: int) -> int | None:
    """Deadlines are laid as far ahead as they may be."""
    return (deadline_ms - MOST_AHEAD_MS) * MS_NS if deadline_ms != NEVER_MS else None


class DeriveTongue:
    rate_limited = -32000
    self_crossing = 11007
    reads_fills = "private/get_trade_history"
    takes_twice = False

    def orders(self, row: Row, known: Mapping[str, Known]) -> tuple[Asked, ...]:
        if row["method"] not in ("private/order", "private/replace"):
            return ()
        asked = row["params"]
        nonce, deadline_ms = asked.get("nonce"), int(asked.get("reject_timestamp", NEVER_MS))
        return (
            Asked(
                instrument=asked["instrument_name"],
                tag=str(asked.get("label", "")),
                price=Decimal(asked["limit_price"]),
                amount=Decimal(asked["amount"]),
                is_plain=asked["time_in_force"] == "post_only" and not asked.get("reduce_only"),
                deadline_ms=deadline_ms,
                maker_ns=int(nonce) // NONCE_SLOTS * US_NS if nonce else None,
                venue_ns=_sent_ns(deadline_ms),
            ),
        )

    def grids(self, source: str, content: Any) -> Iterator[tuple[str, Grid]]:
        if source == "public/get_all_instruments" and content:
            for each in content["instruments"]:
                ticks = ((Decimal(0), Decimal(each["tick_size"])),)
                yield each["instrument_name"], Grid(ticks, Decimal(each["amount_step"]))

    def subjects(self, channel: str) -> tuple[str, ...]:
        words = channel.split(".")
        names = {"orderbook": "book", "spot_feed": "index"}
        return (f"{names[words[0]]} {words[1]}",) if words[0] in names else ()

    def is_book(self, channel: str) -> bool:
        return channel.startswith("orderbook.")


class DeribitTongue:
    rate_limited = 10028
    self_crossing = 10003
    reads_fills = "private/get_user_trades_by_currency_and_time"
    takes_twice = True

    def orders(self, row: Row, known: Mapping[str, Known]) -> tuple[Asked, ...]:
        method, asked = row["method"], row["params"]
        if method in ("private/buy", "private/sell"):
            return (self._one(asked, asked, str(asked.get("label", ""))),)
        if method == "private/edit":
            edited = known.get(str(asked.get("order_id", "")), STRANGER)
            return (self._one(asked, asked, edited.tag, edited.instrument),)
        if method == "private/mass_quote":
            return tuple(self._quotes(asked))
        return ()

    def _quotes(self, asked: Row) -> Iterator[Asked]:
        for quote in asked["quotes"]:
            for side in ("bid", "ask"):
                if quote.get(side) is not None and quote[side].get("amount") != 0:
                    yield self._one(asked, quote[side], str(quote.get("quote_set_id", "")), quote["instrument_name"])

    def _one(self, whole: Row, asked: Row, tag: str, name: str = "") -> Asked:
        deadline_ms = int(whole.get("valid_until", NEVER_MS))
        return Asked(
            instrument=name or str(asked.get("instrument_name", "")),
            tag=tag,
            price=_number(asked.get("price")),
            amount=_number(asked.get("amount")),
            is_plain=bool(asked.get("post_only") and asked.get("reject_post_only") and not asked.get("reduce_only")),
            deadline_ms=deadline_ms,
            venue_ns=_sent_ns(deadline_ms),
        )

    def grids(self, source: str, content: Any) -> Iterator[tuple[str, Grid]]:
        if not content or not source.startswith(("public/get_instrument", "instrument.creation.")):
            return
        for each in content if isinstance(content, list) else (content,):
            steps = [(_exact(step["above_price"]), _exact(step["tick_size"])) for step in each["tick_size_steps"]]
            ticks = ((Decimal(0), _exact(each["tick_size"])), *steps)
            yield each["instrument_name"], Grid(ticks, _exact(each["min_trade_amount"]))

    def subjects(self, channel: str) -> tuple[str, ...]:
        words = channel.split(".")
        if words[0] in ("book", "ticker"):  # a book that does not change says nothing: its ticker shows the feed lives
            return (f"book {words[1]}",)
        return (f"index {words[1].upper().removesuffix('_USD')}",) if words[0] == "deribit_price_index" else ()

    def is_book(self, channel: str) -> bool:
        return channel.startswith("book.") and channel.count(".") > 2


def _exact(number: Any) -> Decimal:
    return Decimal(str(number))


def _number(value: Any) -> Decimal | None:
    return None if value is None else _exact(value)


TONGUES: dict[str, Tongue] = {"derive": DeriveTongue(), "deribit": DeribitTongue()}
