"""Books that are sent when they change: a ticker that shows other best prices than the book vouches for nothing."""

from __future__ import annotations

import trio
from cell_kit import ACCOUNT, ORDERS, quoting

from actors.cell import Cell
from actors.rehearsal.stage import Stage, open_stage
from actors.trading.instruments import Side
from actors.venues.paper.faults import FrameFault
from actors.venues.paper.tickets import OrderRequest

SETTLE_S = 3.0


def bid_by_hand(stage: Stage, name: str, price: int) -> None:
    """Somebody improves the best bid."""
    amount = stage.exchange.engine.listings[name].instrument.min_amount
    request = OrderRequest(instrument=name, side=Side.BID, amount=amount, price=price, post_only=True, label="by-hand")
    stage.exchange.engine.place(ACCOUNT, request)
    stage.exchange.tell()


def some_name(cell: Cell) -> str:
    """An instrument with room for a better bid."""
    for name, picture in cell.market.pictures.items():
        assert picture.book is not None
        bid, ask = picture.book.best(Side.BID), picture.book.best(Side.ASK)
        if bid is not None and ask is not None and ask - bid > 10:
            return name
    raise AssertionError("no room anywhere")


async def test_a_book_that_lost_a_change_grows_old_although_tickers_come(autojump_clock: trio.testing.MockClock) -> None:
    """Its frame was lost: the tickers show a better bid, so the book is not whole, and what stands on it is pulled."""
    settings = ORDERS.settings()
    async with open_stage(ORDERS.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        await quoting(cell)
        await trio.sleep(20)
        name = some_name(cell)
        picture = cell.market.pictures[name]
        assert cell.market.book_age_s(picture) < settings.cells[0].quoting.max_book_age_s
        assert any(order.instrument == name for order in cell.orders.live())
        as_of = cell.market.book_as_of_ms(picture)
        stage.exchange.faults.arm(FrameFault("drop", "out", match="book."))
        assert picture.book is not None
        bid_by_hand(stage, name, cell.instruments[name].onto_ladder((picture.book.best(Side.BID) or 0) + 5, Side.BID))
        await trio.sleep(settings.cells[0].quoting.max_book_age_s + SETTLE_S)
        assert cell.market.book_as_of_ms(picture) <= as_of + 4000
        assert not any(order.instrument == name for order in cell.orders.live())
        assert any(order.instrument != name for order in cell.orders.live())
        nursery.cancel_scope.cancel()
