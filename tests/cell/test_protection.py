"""Market-maker protection over the wire: set before the first order, a trip halts, the thaw resumes."""

from __future__ import annotations

from decimal import Decimal

import trio
from cell_kit import DERIVE, SMALL, Form, in_every_form, in_order

from actors.console.settings import CellSettings, LimitSettings, MmpSettings, Settings
from actors.protection import terms_of
from actors.rehearsal.stage import open_stage
from actors.venues.dialect import Pool


@in_every_form
async def test_protection_is_set_before_the_first_order_and_a_trip_is_waited_out(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """The freeze halts quoting at once; after it the cell quotes again, and too many trips within the hour end that."""
    settings = form.settings()
    settings.cells[0].mmp = MmpSettings(enabled=True, interval_s=5, frozen_s=10, amount_limit=form.least, max_trips=1)
    async with open_stage(form.paper(world={**SMALL, "taker_rate_per_s": 4.0})) as stage:
        cell = stage.cell(settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            with trio.fail_after(3600):
                while not cell.protection.trips:
                    await trio.sleep(0.1)
                assert "mmp" in cell.risk.halts
                tripped_ms = cell.clock.now_ms()
                while "mmp" in cell.risk.halts:
                    await trio.sleep(0.1)
                times = [row["t"] // 10**6 for row in form.sent(stage)]
                assert not [t for t in times if tripped_ms + 100 < t < tripped_ms + 9_000]
                while cell.protection.trips < 2:
                    await trio.sleep(0.1)
                assert "mmp trips" in cell.risk.halts
            nursery.cancel_scope.cancel()
        asked = in_order(stage)
        assert asked.index("private/set_mmp_config") < min(asked.index(one) for one in form.ordering if one in asked)
        assert cell.proof.confirmed


async def test_what_the_cell_asks_beside_orders_is_counted_too(autojump_clock: trio.testing.MockClock) -> None:
    """A trader has 25 questions in five seconds: whatever the private link has sent since the venue named its count."""
    settings = DERIVE.settings()
    settings.cells[0].mmp = MmpSettings(enabled=True)
    paper = DERIVE.paper(world={**SMALL, "taker_rate_per_s": 4.0})
    async with open_stage(paper) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        with trio.fail_after(3):
            while not cell.desk.may_send:
                await trio.sleep(0.01)
        rows = stage.exchange.ledger.records
        login = next(row for row in rows if row["kind"] == "login")
        asked = [row["method"] for row in rows if row["kind"] == "request" and row["session"] == login["session"]]
        uncounted = ("public/login", "private/cancel_by_label", "private/order")
        left = cell.desk.budget.left(Pool.OTHER, trio.current_time())
        assert left == cell.desk.budget.size(Pool.OTHER) - len([method for method in asked if method not in uncounted])
        nursery.cancel_scope.cancel()


def test_the_terms_are_those_of_all_cells_of_an_underlying_together() -> None:
    """The venue keeps one configuration for the account: whichever cell sets it, it is the same."""
    mmp = MmpSettings(enabled=True, interval_s=5, frozen_s=30)
    cells = [
        CellSettings("ETH", mmp=mmp, limits=LimitSettings(max_exposure=10.0)),
        CellSettings("ETH", mmp=mmp, limits=LimitSettings(max_exposure=4.0)),
        CellSettings("BTC", mmp=mmp, limits=LimitSettings(max_exposure=1.0)),
    ]
    terms = terms_of(Settings(cells=cells), "ETH")
    assert terms is not None
    assert (terms.amount_limit, terms.interval_ms, terms.frozen_ms) == (Decimal(7), 5000, 30000)
    assert terms_of(Settings(cells=[CellSettings("ETH")]), "ETH") is None
