"""What an answer to an order call proves on Derive, case by case (derive.md sections 4.1 to 4.3 and 6).

Owns the judgement, never the order table. The traps it exists for: a `replace` that succeeded in cancelling and failed
in creating is a *success* on the wire; a refused cancel says nothing of the order; -1 is a count that nobody counted;
some errors mean that the venue does not know. Invariant: an answer that cannot be read proves nothing, so its outcome
is unknown.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actors.venues.derive import rows
from actors.venues.derive.codes import ALREADY_ENDED, AMBIGUOUS, explain
from actors.venues.derive.decode import FrameReader
from actors.venues.dialect import Call, Outcome, VenueOrder

Reading = Callable[[FrameReader, msgspec.Raw], Outcome]

_placed = rows.reader(rows.Placed)
_replaced = rows.reader(rows.Replaced)
_order = rows.reader(rows.OrderRow)
_count = rows.reader(rows.CancelledCount)


def read_outcome(
    reader: FrameReader, call: Call, result: msgspec.Raw | None, error: tuple[int, str, str] | None
) -> Outcome:
    """Exactly one of `result` and `error` (code, message, data) is given."""
    if error is not None:
        return _refusal(call.method, error)
    reading = _READINGS.get(call.method)
    if reading is None or result is None:
        return Outcome()
    try:
        return reading(reader, result)
    except ValueError:
        return Outcome(unknown=True)


def refusal_text(code: int, message: str, data: str) -> str:
    """Our words for the code, then the venue's."""
    said = ": ".join(part for part in (message, data) if part)
    return f"{explain(code)} ({said})" if said else explain(code)


def _refusal(method: str, error: tuple[int, str, str]) -> Outcome:
    """A JSON-RPC error. Of a replace it means: no new order, and the old one is as it was, or ended in some way; of a
    cancel both refusals are set, since there it is the request itself that was refused."""
    code = error[0]
    if code in AMBIGUOUS:
        return Outcome(unknown=True)
    why = (code, refusal_text(*error))
    if method == "private/order":
        return Outcome(refused=why)
    if method == "private/replace":
        return Outcome(refused=why, cancel_refused=why if code in ALREADY_ENDED else None)
    return Outcome(refused=why, cancel_refused=why)


def _read_placed(reader: FrameReader, result: msgspec.Raw) -> Outcome:
    placed = _placed.decode(result)
    return Outcome((reader.order(placed.order),), tuple(map(reader.fill, placed.trades)))


def _read_replaced(reader: FrameReader, result: msgspec.Raw) -> Outcome:
    """The old order is gone in every success envelope; whether there is a new one is a matter of its own."""
    answer = _replaced.decode(result)
    orders: list[VenueOrder] = [reader.order(row) for row in (answer.cancelled_order, answer.order) if row is not None]
    fills = tuple(map(reader.fill, answer.trades or ()))
    failed = answer.create_order_error
    if failed is None:
        return Outcome(tuple(orders), fills, old_gone=answer.order is None, unknown=answer.order is None)
    if failed.code in AMBIGUOUS:
        return Outcome(tuple(orders), fills, old_gone=True, unknown=True)
    why = (failed.code, refusal_text(failed.code, failed.message, "" if failed.data is None else str(failed.data)))
    return Outcome(tuple(orders), fills, refused=why, old_gone=True)


def _read_cancelled(reader: FrameReader, result: msgspec.Raw) -> Outcome:
    return Outcome((reader.order(_order.decode(result)),))


def _read_burnt(_reader: FrameReader, result: msgspec.Raw) -> Outcome:
    """0: nothing rested under this nonce and nothing can any more; 1: it rested and was cancelled, its fill unsaid."""
    count = _count.decode(result).cancelled_orders
    return Outcome(old_gone=count >= 0, count=count if count >= 0 else None)


def _read_count(_reader: FrameReader, result: msgspec.Raw) -> Outcome:
    count = _count.decode(result).cancelled_orders
    return Outcome(count=count if count >= 0 else None)


_READINGS: dict[str, Reading] = {
    "private/order": _read_placed,
    "private/replace": _read_replaced,
    "private/cancel": _read_cancelled,
    "private/cancel_by_nonce": _read_burnt,
    "private/cancel_by_label": _read_count,
    "private/cancel_by_instrument": _read_count,
}
