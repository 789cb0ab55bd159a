"""Deribit's requests: orders, edits and cancels written in one go, and the plain ones.

Owns the text of every request and the pool it is billed to (deribit.md section 5). On the way of an order nothing goes
through a JSON encoder but its label: the parts that do not change are written once per instrument. Every order is
post-only and says what to do when it cannot be: without `reject_post_only` the venue would move the price silently.
Invariant: prices and amounts on the wire are the plain decimals of whole ticks and steps.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.trading.errors import ConfigError
from actors.trading.instruments import BID
from actors.venues.deribit.names import currency_of
from actors.venues.deribit.terms import Board
from actors.venues.dialect import Call, OrderRequest, Pool
from actors.venues.names import underlying_of

MAX_LABEL = 64
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def call(method: str, params: dict[str, Any], *, kind: str = "query", pool: Pool = Pool.OTHER) -> Call:
    """A request off the hot path."""
    return Call(method, msgspec.json.encode(params), pool, kind)


class CallWriter:
    """Writes the calls of one account; numbers its labels."""

    def __init__(self, board: Board, first_number: int = 0) -> None:
        self._board = board
        self._last_number = first_number

    def next_label(self, now_ns: int, run_label: str) -> str:
        """`run_label` and a number that rises even when the clock stands or steps, and over restarts under one label."""
        self._last_number = max(self._last_number, now_ns // 1000)
        label = f"{run_label}-{self.next_number()}"
        if len(label) > MAX_LABEL:
            raise ConfigError(f"order label {label!r}: longer than {MAX_LABEL} characters; shorten the tag")
        return label

    def next_number(self) -> str:
        """What no label or quote id has been called before."""
        self._last_number += 1
        return base36(self._last_number)

    # -- orders

    def place(self, order: OrderRequest) -> Call:
        terms = self._board.known(order.instrument)
        protected = ',"mmp":true' if order.mmp else ""
        text = (
            f"{terms.order_head}{self._amount_and_price(order)},"
            f'"label":{msgspec.json.encode(order.label).decode()},"valid_until":{order.reject_ms}{protected}}}'
        )
        method = "private/buy" if order.side is BID else "private/sell"
        return Call(method, text.encode(), Pool.MATCHING, "place", order.instrument)

    def edit(self, order: OrderRequest, venue_id: str) -> Call:
        """`order.amount` is the new total, what was filled included. Whether it is under protection cannot be changed."""
        text = (
            f'{{"order_id":"{venue_id}",{self._amount_and_price(order)},'
            f'"post_only":true,"reject_post_only":true,"valid_until":{order.reject_ms}}}'
        )
        return Call("private/edit", text.encode(), Pool.MATCHING, "amend", order.instrument)

    def _amount_and_price(self, order: OrderRequest) -> str:
        instrument = self._board.known(order.instrument).instrument
        return f'"amount":{instrument.amount_text(order.amount)},"price":{instrument.price_text(order.price)}'

    # -- cancels

    def cancel(self, venue_id: str, instrument: str) -> Call:
        return Call("private/cancel", f'{{"order_id":"{venue_id}"}}'.encode(), Pool.MATCHING, "cancel", instrument)

    def cancel_label(self, label: str, instrument: str) -> Call:
        """With the currency, without which it would be billed like a cancel of everything."""
        params = {"label": label, "currency": currency_of(underlying_of(instrument))}
        return Call("private/cancel_by_label", msgspec.json.encode(params), Pool.MATCHING, "cancel", instrument)

    def cancel_account(self) -> Call:
        return call("private/cancel_all", {}, kind="cancel_account", pool=Pool.BULK_CANCEL)


def base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"
