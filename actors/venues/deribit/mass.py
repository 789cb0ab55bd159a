"""Deribit's mass quotes: one call for many instruments of an index, and what its answer proves side by side.

Owns the text of `mass_quote`, the numbering of its quote ids, and the way back from a quote's order to our identity of
it: a quote carries no label, but its quote id, instrument and side are ours alone. The quote set is the run's label, so
that one cheap call pulls the run. What only moves is sent as a price without an amount, which changes nothing where
nothing rests any more: no side can fill twice. Reference: deribit.md 4.6. Invariant: every side sent has one outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from actors.trading.instruments import Side
from actors.venues.deribit import rows
from actors.venues.deribit.calls import CallWriter, call
from actors.venues.deribit.codes import AMBIGUOUS, COD_NOT_ENABLED, MASS_QUOTES_DISABLED, MMP_REQUIRED
from actors.venues.deribit.decode import FrameReader
from actors.venues.deribit.names import index_of
from actors.venues.deribit.outcomes import refusal_text
from actors.venues.deribit.terms import Board
from actors.venues.dialect import Call, MassSide, Outcome, Pool, VenueOrder

REMEMBERED = 64
"""Quote ids kept per instrument and side: the one that rests, and as many refused attempts to move it."""
_DIRECTION = {Side.BID: "buy", Side.ASK: "sell"}
_NAME = {Side.BID: "bid", Side.ASK: "ask"}

_result = rows.reader(rows.MassResult)


class MassQuotes:
    """One account's mass quotes; satisfies `MassQuoting`."""

    most_instruments = 100

    def __init__(self, board: Board, reader: FrameReader, writer: CallWriter) -> None:
        self.is_on = False
        self._board = board
        self._reader = reader
        self._writer = writer
        self._ours: dict[tuple[str, str], dict[str, str]] = {}
        """(instrument, direction) -> quote id -> our identity of the order."""
        reader.identify_quote = self.identify

    def group(self, underlying: str) -> str:
        """The protection group of our quotes; a group belongs to one index."""
        return f"sm-{self._board.index_name(underlying, index_of(underlying))}"

    # -- what is sent

    def write(self, sides: Sequence[MassSide], run_label: str, reject_ms: int) -> Call:
        quote_id = self._writer.next_number()
        entries: dict[str, list[str]] = {}
        for each in sides:
            self._remember(each, quote_id)
            entries.setdefault(each.instrument, []).append(self._side(each))
        quotes = ",".join(
            f'{{"instrument_name":"{name}","quote_set_id":"{run_label}",{",".join(texts)}}}'
            for name, texts in entries.items()
        )
        group = self.group(self._board.known(sides[0].instrument).instrument.underlying)
        text = (
            f'{{"quote_id":"{quote_id}","mmp_group":"{group}","detailed":true,"wait_for_response":true,'
            f'"valid_until":{reject_ms},"quotes":[{quotes}]}}'
        )
        return Call("private/mass_quote", text.encode(), Pool.MASS_QUOTE, "mass_quote")

    def _side(self, side: MassSide) -> str:
        name, order = _NAME[side.side], side.order
        if order is None:
            return f'"{name}":{{"amount":0}}'
        instrument = self._board.known(side.instrument).instrument
        amount = "" if side.moves else f'"amount":{instrument.amount_text(order.amount)},'
        price = instrument.price_text(order.price)
        return f'"{name}":{{{amount}"price":{price},"post_only":true,"reject_post_only":true}}'

    def _remember(self, side: MassSide, quote_id: str) -> None:
        if side.order is None:
            return
        ids = self._ours.setdefault((side.instrument, _DIRECTION[side.side]), {})
        ids[quote_id] = side.client_id
        while len(ids) > REMEMBERED:
            del ids[next(iter(ids))]

    def cancel_run(self, run_label: str) -> Call:
        """Billed like a single cancel (deribit.md section 5)."""
        params = {"cancel_type": "quote_set_id", "quote_set_id": run_label}
        return call("private/cancel_quotes", params, kind="cancel_ours", pool=Pool.MATCHING)

    # -- what comes back

    def identify(self, row: rows.OrderRow) -> str:
        """Our identity of a quote's order; empty when this process did not send it."""
        return self._ours.get((row.instrument_name, row.direction), {}).get(row.quote_id or "", "")

    def read(
        self, sides: Sequence[MassSide], result: msgspec.Raw | None, error: tuple[int, str, str] | None
    ) -> list[Outcome]:
        """A call refused as a whole changed nothing; of one that was read, a side that is not mentioned is unknown."""
        if error is not None:
            return [_refused(each, error) for each in sides]
        try:
            answer = _result.decode(result or b"")
            return [self._outcome(each, answer) for each in sides]
        except ValueError:
            return [Outcome(unknown=True)] * len(sides)

    def _outcome(self, side: MassSide, answer: rows.MassResult) -> Outcome:
        place = side.instrument, _DIRECTION[side.side]
        orders = [self._order(row, side) for row in answer.orders if (row.instrument_name, row.direction) == place]
        fills = [self._reader.fill(row) for row in answer.trades if (row.instrument_name, row.direction) == place]
        for failed in answer.errors:
            if (failed.instrument_name, failed.side) == (side.instrument, _NAME[side.side]):
                no = _refused(side, (failed.error.code, failed.error.message, ""))
                return msgspec.structs.replace(no, orders=tuple(orders), fills=tuple(fills))
        return Outcome(tuple(orders), tuple(fills), unknown=not orders)

    def _order(self, row: rows.OrderRow, side: MassSide) -> VenueOrder:
        """What rests after the call is what we asked for in it, also where the venue left its quote id out."""
        order = self._reader.order(row)
        if side.order is not None and not order.client_id and not order.status.is_final:
            return msgspec.structs.replace(order, client_id=side.client_id)
        return order

    def is_withdrawn(self, code: int) -> bool:
        return code in (MASS_QUOTES_DISABLED, MMP_REQUIRED, COD_NOT_ENABLED)


def _refused(side: MassSide, error: tuple[int, str, str]) -> Outcome:
    """A side that failed may have taken the quote that rested there with it: never claimed, always asked."""
    if error[0] in AMBIGUOUS:
        return Outcome(unknown=True)
    why = (error[0], refusal_text(*error))
    return Outcome(refused=why, cancel_refused=why if side.order is None else None)
