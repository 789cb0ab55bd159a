"""What an answer to an order call proves on Deribit, case by case (deribit.md sections 4.1 to 4.5 and 6).

Owns the judgement, never the order table. The traps it exists for: an edit that would cross *cancels* the order, which
comes as a success with a cancelled order in it; "not open any more" on a cancel is news of the order's end and not of
its fills; 13888 means too late as well as unknown. Invariant: an answer that cannot be read proves nothing, so its
outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actors.venues.deribit import rows
from actors.venues.deribit.codes import AMBIGUOUS, POST_ONLY_REJECT, explain
from actors.venues.deribit.decode import FrameReader
from actors.venues.dialect import Call, OrderStatus, Outcome

Reading = Callable[[FrameReader, msgspec.Raw], Outcome]

_placed = rows.reader(rows.Placed)
_order = rows.reader(rows.OrderRow)
_count = rows.reader(int)


def read_outcome(reader: FrameReader, call: Call, result: msgspec.Raw | None, error: tuple[int, str, str] | None) -> Outcome:
    """Exactly one of `result` and `error` (code, message, data) is given."""
    if error is not None:
        return _refusal(call, error)
    reading = _READINGS.get(call.method)
    if reading is None or result is None:
        return Outcome()
    try:
        return reading(reader, result)
    except ValueError:
        return Outcome(unknown=True)


def refusal_text(code: int, message: str, data: str = "") -> str:
    """Our words for the code, then the venue's."""
    said = ": ".join(part for part in (message, data) if part)
    return f"{explain(code)} ({said})" if said else explain(code)


def _refusal(call: Call, error: tuple[int, str, str]) -> Outcome:
    """Of an edit it leaves the order's fate to be asked for: as it was, ended in some way, or cancelled by the crossing."""
    code = error[0]
    if code in AMBIGUOUS:
        return Outcome(unknown=True)
    why = (code, refusal_text(*error))
    return Outcome(refused=why, cancel_refused=why if call.kind == "cancel" else None)


def _read_placed(reader: FrameReader, result: msgspec.Raw) -> Outcome:
    placed = _placed.decode(result)
    return Outcome((reader.order(placed.order),), tuple(map(reader.fill, placed.trades)))


def _read_edited(reader: FrameReader, result: msgspec.Raw) -> Outcome:
    outcome = _read_placed(reader, result)
    order = outcome.orders[0]
    if order.status is not OrderStatus.CANCELLED:
        return outcome
    code = POST_ONLY_REJECT if order.reason == "edit_post_only_reject" else 0
    return Outcome(outcome.orders, outcome.fills, refused=(code, refusal_text(code, order.reason)), old_gone=True)


def _read_cancelled(reader: FrameReader, result: msgspec.Raw) -> Outcome:
    return Outcome((reader.order(_order.decode(result)),))


def _read_count(_reader: FrameReader, result: msgspec.Raw) -> Outcome:
    return Outcome(count=_count.decode(result))


_READINGS: dict[str, Reading] = {
    "private/buy": _read_placed,
    "private/sell": _read_placed,
    "private/edit": _read_edited,
    "private/cancel": _read_cancelled,
    "private/cancel_by_label": _read_count,
    "private/cancel_all": _read_count,
}
