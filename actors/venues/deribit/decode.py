"""From Deribit's frames to typed news: which channel says what, and what the account's rows mean.

Owns the choice of a reader per channel (the public feeds' are in `feeds`), the rows of orders and trades, and what of the
venue is closed. Keeps the instruments it was taught and their running books. Invariant: a row of ours is either decoded
exactly or raises ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from actors.trading.instruments import Side
from actors.venues.deribit import rows
from actors.venues.deribit.feeds import GONE_STATES, Decoder, market_decoder, read_index, read_state
from actors.venues.deribit.listings import read_instrument
from actors.venues.deribit.names import currency_of
from actors.venues.deribit.terms import Board
from actors.venues.dialect import (
    AccountState,
    Fill,
    Listed,
    MmpTripped,
    News,
    OrderStatus,
    PlatformState,
    SettledPrice,
    VenueOrder,
)
from actors.venues.units import decimal_of

_STATUS = {
    "untriggered": OrderStatus.WAITING,
    "triggered": OrderStatus.WAITING,
    "filled": OrderStatus.FILLED,
    "cancelled": OrderStatus.CANCELLED,
    "rejected": OrderStatus.REJECTED,
}
"""Whatever else (open, speed_bumped, values to come) is alive for all we know."""

_SIDE = {"buy": Side.BID, "sell": Side.ASK}
LOCK_CHANNEL = "user.lock"
EVERY_CURRENCY = "ALL"
SETTLED_CHANNEL = "instrument.state.any.any"
"""Joined by the private link only, where a delivery means that the account's position is gone."""

_state = rows.reader(rows.StateRow)
_platform = rows.reader(rows.PlatformRow)
_mmp_trigger = rows.reader(rows.MmpTriggerRow)
_changes = rows.reader(rows.Changes)
_lock = rows.reader(rows.LockRow)

Identify = Callable[[rows.OrderRow], str]
"""Our identity of a mass quote's order, which carries no label; empty when it is none of ours."""


def _nobody(_row: rows.OrderRow) -> str:
    return ""


class FrameReader:
    """Turns notifications and rows into news."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.decoders: dict[str, Decoder] = {}
        """By channel, as far as bound."""
        self.identify_quote: Identify = _nobody
        self.must_tell_platform = False
        """A conversation asked for the platform's state: to be told with the next market data."""
        self._is_closed: set[str] = set()
        """Why the venue takes no orders at all."""
        self._locked: set[str] = set()
        """Indices that are locked, ours or not."""
        self._account_locks: set[str] = set()
        """Currencies in which the account is locked, ours or not."""

    def decoder(self, channel: str) -> Decoder:
        """A decoder bound to its channel's instrument, once per channel; one not yet learned is looked for again.

        It gives nothing for channels not known, and raises ValueError on malformed data.
        """
        words = channel.split(".")
        kind = words[0]
        if kind in ("book", "ticker") and len(words) > 2:
            terms = self._board.get(words[1])
            if terms is None:
                self._board.strays.add(words[1])
                return _nothing
            decoder = market_decoder(kind, len(words), terms, channel)
        else:
            decoder = self._shared_decoder(channel, words)
        self.decoders[channel] = decoder
        return decoder

    def _shared_decoder(self, channel: str, words: list[str]) -> Decoder:
        if channel == SETTLED_CHANNEL:
            return self._settled
        if channel == "platform_state":
            return self._platform
        if channel == LOCK_CHANNEL:
            return self._account_lock
        by_words: dict[tuple[str, ...], Decoder] = {
            ("deribit_price_index",): read_index,
            ("instrument", "state"): read_state,
            ("instrument", "creation"): self._created,
            ("user", "changes"): self._changes,
            ("user", "mmp_trigger"): _read_mmp_trigger,
        }
        return by_words.get(tuple(words[:2])) or by_words.get(tuple(words[:1])) or _nothing

    # -- the venue

    def _created(self, data: msgspec.Raw) -> Iterable[News]:
        instrument, is_active = read_instrument(data)
        if not is_active:
            return ()
        self._board.learn([instrument])
        return (Listed(instrument),)

    def _settled(self, data: msgspec.Raw) -> Iterable[News]:
        """How much left the account is not said: zero."""
        row = _state.decode(data)
        return (SettledPrice(row.instrument_name, 0),) if row.state in GONE_STATES else ()

    def _platform(self, data: msgspec.Raw) -> Iterable[News]:
        row = _platform.decode(data)
        if row.maintenance is not None:
            (self._is_closed.add if row.maintenance else self._is_closed.discard)("maintenance")
        elif row.price_index:
            (self._locked.add if is_true(row.locked) else self._locked.discard)(row.price_index)
        else:
            return ()
        return (self.platform(),)

    def note_platform(self, is_locked: bool, indices: Iterable[str]) -> None:
        """The venue's state as asked for; to be told with the next market data."""
        self._is_closed = {"the venue is locked"} if is_locked else set()
        self._locked = set(indices)
        self.must_tell_platform = True

    def platform(self) -> PlatformState:
        """As it concerns the instruments we were taught."""
        self.must_tell_platform = False
        ours = {terms.instrument.index_name for terms in self._board.all()}
        why = sorted(self._is_closed) + [f"{name} is locked" for name in sorted(self._locked & ours)]
        return PlatformState(not why, ", ".join(why))

    # -- the account

    def _account_lock(self, data: msgspec.Raw) -> Iterable[News]:
        row = _lock.decode(data)
        if row.currency == EVERY_CURRENCY and not is_locked(row):
            self._account_locks.clear()
        (self._account_locks.add if is_locked(row) else self._account_locks.discard)(row.currency)
        return (self.account(),)

    def note_account(self, locks: Iterable[rows.LockRow]) -> AccountState:
        """As asked for: whatever is not on the list is not locked."""
        self._account_locks = {row.currency for row in locks if is_locked(row)}
        return self.account()

    def account(self) -> AccountState:
        """As it concerns the instruments we were taught."""
        ours = {EVERY_CURRENCY, *(currency_of(terms.instrument.underlying) for terms in self._board.all())}
        locked = sorted(self._account_locks & ours)
        return AccountState(not locked, f"locked by the venue or its owner ({', '.join(locked)})" if locked else "")

    def _changes(self, data: msgspec.Raw) -> Iterable[News]:
        """Orders first, so that a fill finds the order it belongs to."""
        changes = _changes.decode(data)
        news: list[News] = [self.order(row) for row in changes.orders if self._board.is_known(row.instrument_name)]
        news += [self.fill(row) for row in changes.trades if self._board.is_known(row.instrument_name)]
        return news

    def order(self, row: rows.OrderRow) -> VenueOrder:
        """An order row; of an instrument never learned, price and amount count in 1e-12. A quote's label is its set."""
        terms = self._board.any(row.instrument_name)
        label = row.label or (row.quote_set_id if row.quote else "") or ""
        return VenueOrder(
            client_id=self.identify_quote(row) if row.quote else label,
            venue_id=row.order_id,
            label=label,
            instrument=row.instrument_name,
            side=side_of(row.direction),
            price=0 if row.price is None or row.price == "market_price" else terms.ticks[row.price],
            amount=terms.steps[row.amount],
            filled=terms.steps[row.filled_amount or 0.0],
            status=_STATUS.get(row.order_state, OrderStatus.OPEN),
            ts_ms=row.last_update_timestamp,
            reason=row.cancel_reason or "",
            average_price=row.average_price or 0.0,
            mmp=row.mmp,
        )

    def fill(self, row: rows.TradeRow) -> Fill:
        """A trade row of the account. A block trade's price may lie off the grid; it is cut down to it."""
        terms = self._board.any(row.instrument_name)
        steps = terms.steps[row.amount]
        if steps <= 0 or not row.trade_id:
            raise ValueError(f"trade {row.trade_id!r} of {row.amount} is none")
        return Fill(
            trade_id=row.trade_id,
            venue_id=row.order_id,
            label=row.label or row.quote_set_id or "",
            instrument=row.instrument_name,
            side=side_of(row.direction),
            price=terms.loose_ticks[row.price],
            amount=steps,
            fee=f"{decimal_of(row.fee, 'fee'):f}",
            fee_currency=row.fee_currency,
            is_maker=row.liquidity == "M",
            ts_ms=row.timestamp,
            index=row.index_price or 0.0,
            mark=row.mark_price or 0.0,
        )


def _nothing(_data: msgspec.Raw) -> Iterable[News]:
    return ()


def side_of(direction: str) -> Side:
    side = _SIDE.get(direction)
    if side is None:
        raise ValueError(f"direction {direction!r} is neither buy nor sell")
    return side


def is_locked(row: rows.LockRow) -> bool:
    return is_true(row.locked) or is_true(row.enabled)


def is_true(flag: bool | str | None) -> bool:
    """A flag that one source writes as a bool and another as a word; "partial" is not all."""
    return flag is True or (isinstance(flag, str) and flag.lower() == "true")


def _read_mmp_trigger(data: msgspec.Raw) -> Iterable[News]:
    """A trip among block RFQs froze no order of ours."""
    row = _mmp_trigger.decode(data)
    return () if row.block_rfq else (MmpTripped(row.frozen_until, row.mmp_group or row.index_name),)
