"""What a cell tells of itself: the snapshot for the live table and the figures of a whole run.

Reads the actors, changes nothing. Invariant: a row is of one moment, and so is everything beside the rows; only between two
handfuls of rows does anybody else have a turn.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from actors.console.listing import expiry_of
from actors.console.snapshots import BudgetLine, CellSnapshot, InstrumentRow, LinkLine
from actors.stalls import BINS_S
from actors.trading.books import others_only
from actors.trading.instruments import Instrument, Side
from actors.trading.orders import Order, OrderState, Standing
from actors.venues.dialect import Pool
from actors.venues.link import VenueLink

if TYPE_CHECKING:
    from actors.cell import Cell


ROWS_A_TURN = 20
_encode = msgspec.json.Encoder().encode


@attrs.define
class Gathered:
    """What is told of every instrument, one after the other."""

    rows: list[InstrumentRow] = attrs.field(factory=list)
    """Or each in the words it is to be sent in: to put a thousand into words at once takes milliseconds."""
    wanted: int = 0
    """Sides that should rest."""
    resting: int = 0

    def add(self, cell: Cell, name: str, *, in_words: bool = False) -> None:
        row = _row(cell, name, trio.current_time())
        self.rows.append(msgspec.Raw(_encode(row)) if in_words else row)  # type: ignore[arg-type]  # JSON either way
        self.wanted += _wanted(cell, name)
        self.resting += row.sides


class Roll:
    """Everybody in the order of the table, sorted again only when somebody has come or gone."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._members: set[str] = set()

    def call(self, cell: Cell) -> list[str]:
        if cell.quoters.keys() != self._members:
            self._names, self._members = _names(cell), set(cell.quoters)
        return self._names


async def gather_in_turns(cell: Cell, roll: Roll) -> Gathered:
    """A few at a time, and in words already: a thousand in one go would hold everybody up for tens of milliseconds."""
    gathered = Gathered()
    for number, name in enumerate(roll.call(cell)):
        if number % ROWS_A_TURN == 0:
            await trio.lowlevel.checkpoint()
        gathered.add(cell, name, in_words=True)
    await trio.lowlevel.checkpoint()
    return gathered


def _gather(cell: Cell) -> Gathered:
    gathered = Gathered()
    for name in _names(cell):
        gathered.add(cell, name)
    return gathered


def _names(cell: Cell) -> list[str]:
    return sorted(cell.quoters, key=lambda name: _order(cell.instruments[name]))


def snapshot(cell: Cell, gathered: Gathered | None = None) -> CellSnapshot:
    """The cell as it stands; `gathered` where that has been done already."""
    now = trio.current_time()
    desk, exposure = cell.desk, cell.risk.exposure
    board = gathered or _gather(cell)
    contracts = cell.contracts
    return CellSnapshot(
        cell=cell.label.cell,
        time_s=cell.clock.now_s(),
        uptime_s=now - cell.born_at,
        exchange=cell.access.exchange,
        network=cell.access.network,
        underlying=cell.settings.underlying,
        phase=cell.phase,
        phase_detail=cell.phase_detail,
        rows=board.rows,
        sides_wanted=board.wanted,
        sides_resting=board.resting,
        requests_per_s=min(desk.budget.per_second(Pool.MATCHING), 1e6),
        index=cell.market.index.price,
        position=contracts(sum(steps for name, steps in exposure.positions.items() if name in cell.instruments)),
        exposure=contracts(exposure.total),
        exposure_peak=contracts(exposure.peak),
        max_exposure=contracts(exposure.max_exposure),
        max_position=contracts(exposure.max_position),
        venue_gaps=dict(cell.valuation.comparison.gaps),
        budgets=[
            BudgetLine(pool.value, float(left), float(desk.budget.size(pool)), desk.budget.per_second(pool))
            for pool in Pool
            if (left := desk.budget.left(pool, now)) is not None
        ],
        links=[_link("public", cell.market.link, now), _link("private", desk.link, now)],
        requests=dict(desk.clerk.figures.requests),
        rejects=dict(desk.clerk.figures.rejects),
        fills=desk.clerk.figures.fills,
        volume=desk.clerk.figures.volume,
        fees=format(sum(desk.clerk.figures.fees.values()), "f"),
        restarts=cell.restarts,
        stalls=cell.stalls.stalls,
        worst_stall_ms=cell.stalls.worst_cpu_s * 1000,
        quarantined=sorted(cell.quarantined),
        warnings=[*cell.risk.halts.values(), *desk.blocks.values(), *_has_ended(cell)],
    )


def _has_ended(cell: Cell) -> list[str]:
    """A cell does not move on to another expiry: whoever watches is to know that it quotes no more."""
    is_over = bool(cell.instruments) and cell.ended.keys() >= cell.instruments.keys()
    return ["all its instruments have ended: nothing is quoted any more"] if is_over else []


def figures(cell: Cell) -> dict[str, Any]:
    """What `--summary` writes of one cell, proof excepted."""
    desk, exposure = cell.desk, cell.risk.exposure
    return {
        "instruments_quoted": len(cell.quoted_ever),
        "requests": dict(desk.clerk.figures.requests),
        "rejects": dict(desk.clerk.figures.rejects),
        "fills": desk.clerk.figures.fills,
        "volume": round(desk.clerk.figures.volume, 12),
        "fees": {currency: format(fee, "f") for currency, fee in desk.clerk.figures.fees.items()},
        "exposure": cell.contracts(exposure.total),
        "exposure_peak": cell.contracts(exposure.peak),
        "positions": {
            name: cell.instruments[name].amount_float(steps)
            for name, steps in exposure.positions.items()
            if steps and name in cell.instruments
        },
        "restarts": cell.restarts,
        "stalls": cell.stalls.stalls,
        "worst_stall_ms": round(cell.stalls.worst_cpu_s * 1000, 3),
        "gaps_ms": {
            **{f"{bound * 1000:g}": count for bound, count in zip(BINS_S, cell.stalls.cpu, strict=False)},
            "more": cell.stalls.cpu[-1],
        },
        "quarantined": sorted(cell.quarantined),
        "alarms": cell.truth.alarms,
        "reconnects": cell.market.link.counts.reconnects + desk.link.counts.reconnects,
        "not_quoted": {name: reason for name, reason in sorted(why_not(cell).items()) if reason},
    }


def why_not(cell: Cell) -> dict[str, str]:
    """Why an instrument shows less than two sides; empty for one that shows both."""
    reasons = dict(cell.no_room)
    for name, quoter in cell.quoters.items():
        reasons[name] = quoter.refused or (quoter.wish.reason if quoter.wish else "no market data yet")
    return reasons


def _order(instrument: Instrument) -> tuple[int, float, str]:
    return instrument.expiry_s, instrument.strike, instrument.kind or ""


def _row(cell: Cell, name: str, now: float) -> InstrumentRow:
    quoter, instrument = cell.quoters[name], cell.instruments[name]
    picture = quoter.picture
    standing = cell.orders.standing(name)
    bid, ask = _resting(standing, Side.BID), _resting(standing, Side.ASK)
    others = None if picture.book is None else others_only(picture.book, standing.own + cell.orders.foreign(name))
    ages = [now - order.priced_at for order in (bid, ask) if order is not None]
    wish = quoter.wish
    return InstrumentRow(
        instrument=name,
        strike=instrument.strike,
        kind=str(instrument.kind or ""),
        expiry=expiry_of(instrument),
        market_bid=_price(instrument, others.best(Side.BID) if others else None),
        market_ask=_price(instrument, others.best(Side.ASK) if others else None),
        bid=_price(instrument, bid.price if bid else None),
        bid_size=instrument.amount_float(bid.remaining) if bid else 0.0,
        ask=_price(instrument, ask.price if ask else None),
        ask_size=instrument.amount_float(ask.remaining) if ask else 0.0,
        mark=picture.ticker.mark if picture.ticker else None,
        position=instrument.amount_float(cell.risk.exposure.position(name)),
        quote_age_s=max(ages) if ages else None,
        state=_state(cell, name, bid, ask),
        reason=quoter.refused or (wish.reason if wish else ""),
        terms=wish.terms if wish else {},
        decimals=_decimals(instrument.tick_float),
    )


@functools.lru_cache
def _decimals(tick: float) -> int:
    """Of a price that is a multiple of `tick`."""
    return max(0, -math.floor(math.log10(tick) + 1e-9))


def _state(cell: Cell, name: str, bid: Order | None, ask: Order | None) -> str:
    if name in cell.quarantined:
        return "quarantined"
    if name in cell.ended:
        return "ended"
    if bid is not None and ask is not None:
        return "quoting"
    if bid is not None or ask is not None:
        return "bid only" if ask is None else "ask only"
    wish = cell.quoters[name].wish
    if cell.risk.halts:
        return "halted"
    if wish is not None and wish.reason.startswith("stale"):
        return "stale"
    if wish is not None and wish.bid is None and wish.ask is None:
        return "not quoted"
    return "waiting"


def _wanted(cell: Cell, name: str) -> int:
    wish = None if name in cell.ended or name in cell.quarantined else cell.quoters[name].wish
    return 0 if wish is None else (wish.bid is not None) + (wish.ask is not None)


def _resting(standing: Standing, side: Side) -> Order | None:
    """The oldest of ours that the venue has heard of."""
    return next((order for order in standing.live if order.side is side and order.state is not OrderState.PLACING), None)


def _price(instrument: Instrument, ticks: int | None) -> float | None:
    return None if ticks is None else instrument.price_float(ticks)


def _link(name: str, link: VenueLink, now: float) -> LinkLine:
    heard = link.last_heard
    trip = link.counts.round_trip_s
    return LinkLine(
        name=name,
        state="connected" if link.is_up else link.state,
        last_frame_age_s=now - heard if math.isfinite(heard) else None,
        reconnects=link.counts.reconnects,
        latency_ms=trip * 1000 if math.isfinite(trip) else None,
    )
