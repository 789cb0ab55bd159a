"""Deribit's public feeds, one notification at a time: books whole or by changes, tickers, the index, states.

Owns what each field of market data means; bound by `decode` to the instrument of its channel. Sizes and others' prices
are cut to the grid; a book's prices must lie on it, or its levels could not be told apart. Reference: deribit.md 3.3 to
3.8. Invariant: what is absent is None (or zero ticks), never a price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from actors.venues.deribit import rows
from actors.venues.deribit.terms import Terms
from actors.venues.dialect import BookGap, BookUpdate, IndexUpdate, InstrumentState, News, TickerUpdate
from actors.venues.units import present

OPEN_STATES = frozenset(("open", "started"))
GONE_STATES = frozenset(("delivered", "archivized", "closed", "terminated"))

Decoder = Callable[[msgspec.Raw], Iterable[News]]

_ticker = rows.reader(rows.TickerRow)
_book = rows.reader(rows.BookRow)
_grouped = rows.reader(rows.GroupedRow)
_index = rows.reader(rows.IndexRow)
_state = rows.reader(rows.StateRow)


def market_decoder(kind: str, words: int, terms: Terms, channel: str) -> Decoder:
    if kind == "ticker":
        return partial(read_ticker, terms)
    if words > 3:
        return partial(read_grouped, terms)
    return partial(read_running, terms, channel)


# -- books


def read_grouped(terms: Terms, data: msgspec.Raw) -> tuple[BookUpdate]:
    """A whole book, best first."""
    book = _grouped.decode(data)
    bids, asks = terms.levels.of(book.bids), terms.levels.of(book.asks)
    return (BookUpdate(terms.instrument.name, book.timestamp, bids, asks),)


def read_running(terms: Terms, channel: str, data: msgspec.Raw) -> Iterable[News]:
    """A snapshot or a change of a book; a change that does not follow is told once, then a snapshot is waited for."""
    row = _book.decode(data)
    book, was_trusted = terms.book, terms.book.last_id is not None
    bids, asks = _changes_of(terms, row.bids), _changes_of(terms, row.asks)
    # A new instrument's first message may be a change of nothing; very old frames carry no type.
    if row.type == "snapshot" or not row.prev_change_id:
        book.start(row.change_id, bids, asks)
    elif not book.follow(row.prev_change_id, row.change_id, bids, asks):
        return (BookGap(terms.instrument.name, (channel,)),) if was_trusted else ()
    return (BookUpdate(terms.instrument.name, row.timestamp, *book.levels()),)


def _changes_of(terms: Terms, listed: list[tuple[str, rows.Num, rows.Num]]) -> list[tuple[str, int, int]]:
    ticks, steps = terms.ticks, terms.loose_steps
    return [(action, ticks[price], steps[amount]) for action, price, amount in listed]


# -- the rest of the market


def read_ticker(terms: Terms, data: msgspec.Raw) -> tuple[News, ...]:
    """A ticker, and the instrument's state when it is another than before. Vols come in percent. A mark of 0.0 is a far
    option's rounded price: None here, to be recomputed from vol and forward."""
    row = _ticker.decode(data)
    ticks, vol = terms.loose_ticks, present(row.mark_iv)
    state = row.state or terms.state
    ticker = TickerUpdate(
        terms.instrument.name,
        row.timestamp,
        ticks[row.best_bid_price or 0.0],
        ticks[row.best_ask_price or 0.0],
        present(row.mark_price),
        None if vol is None else vol / 100.0,
        present(row.underlying_price),
        present(row.index_price),
        1.0,
        ticks[row.min_price or 0.0],
        ticks[row.max_price or 0.0],
        not state or state in OPEN_STATES,
    )
    if state == terms.state:
        return (ticker,)
    before, terms.state = terms.state, state
    return (ticker, instrument_state(terms.instrument.name, state)) if before else (ticker,)


def read_index(data: msgspec.Raw) -> Iterable[News]:
    row = _index.decode(data)
    return (IndexUpdate(row.index_name, row.timestamp, row.price),) if present(row.price) else ()


def read_state(data: msgspec.Raw) -> Iterable[News]:
    row = _state.decode(data)
    return (instrument_state(row.instrument_name, row.state),)


def instrument_state(name: str, state: str) -> InstrumentState:
    return InstrumentState(name, state in OPEN_STATES, state in GONE_STATES, state)
