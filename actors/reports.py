"""What a cell tells of itself: the snapshot for the live table and the figures of a whole run.

Reads the actors, changes nothing, never awaits. Invariant: every figure of one snapshot is of one moment, for nothing
here yields.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio

from actors.console.listing import expiry_of
from actors.console.snapshots import BudgetLine, CellSnapshot, InstrumentRow, LinkLine
from actors.market_data import Picture
from actors.stalls import BINS_S
from actors.trading.books import Book, others_only
from actors.trading.instruments import Instrument, Side
from actors.trading.orders import Order, OrderState
from actors.venues.dialect import Pool
from actors.venues.link import VenueLink

if TYPE_CHECKING:
    from actors.cell import Cell


ROWS_A_TURN = 20


async def rows_in_turns(cell: Cell) -> list[InstrumentRow]:
    """Every instrument's row, a few at a time: a thousand in one go would hold everybody up for tens of milliseconds."""
    rows = []
    for number, name in enumerate(_names(cell), 1):
        rows.append(_row(cell, name, trio.current_time()))
        if number % ROWS_A_TURN == 0:
            await trio.lowlevel.checkpoint()
    return rows


def _names(cell: Cell) -> list[str]:
    return sorted(cell.quoters, key=lambda name: _order(cell.instruments[name]))


def snapshot(cell: Cell, rows: list[InstrumentRow] | None = None) -> CellSnapshot:
    """The cell as it stands; `rows` where they have been made already."""
    now = trio.current_time()
    desk, exposure = cell.desk, cell.risk.exposure
    if rows is None:
        rows = [_row(cell, name, now) for name in _names(cell)]
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
        rows=rows,
        sides_wanted=sum(_wanted(cell, name) for name in cell.quoters),
        sides_resting=sum(row.sides for row in rows),
        requests_per_s=min(desk.budget.per_second(Pool.MATCHING), 1e6),
        index=cell.market.index.price,
        position=contracts(sum(exposure.positions.get(n, 0) for n in cell.instruments)),
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
        warnings=[*cell.risk.halts.values(), *desk.blocks.values()],
    )


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
    resting = {
        side: [o for o in cell.orders.working(name, side) if o.state.is_live and o.state is not OrderState.PLACING]
        for side in Side
    }
    bid, ask = _first(resting[Side.BID]), _first(resting[Side.ASK])
    others = _others(cell, name, picture)
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
        terms=dict(wish.terms) if wish else {},
        decimals=max(0, -math.floor(math.log10(instrument.tick_float) + 1e-9)),
    )


def _others(cell: Cell, name: str, picture: Picture) -> Book | None:
    if picture.book is None:
        return None
    return others_only(picture.book, cell.orders.resting(name) + cell.orders.foreign(name))


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
    wish = cell.quoters[name].wish
    return 0 if wish is None else (wish.bid is not None) + (wish.ask is not None)


def _first(orders: list[Order]) -> Order | None:
    return orders[0] if orders else None


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
