"""Market-maker protection over the wire: set before the first order, a trip halts, the thaw resumes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from cell_kit import DERIVE, SMALL, Form, in_every_form, in_order, on_deribit, quoting

from actors.console.settings import CellSettings, LimitSettings, MmpSettings, Settings
from actors.protection import terms_of
from actors.rehearsal.stage import open_stage
from actors.trading.errors import ConfigError
from actors.venues.dialect import MmpTerms, Pool, Script

OTHERWISE = [{"interval_ms": 1000}, {"frozen_ms": 0}, {"amount_limit": 9}, {"delta_limit": 1}]
Asking = Callable[[str], Script[MmpTerms | None]]


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


@on_deribit
@pytest.mark.parametrize(
    ("asked", "kept"),
    [({"amount_limit": 6000.0}, "keeps no more than 5000"), ({"amount_limit": 1.00005}, "keeps no more than 1.0000 ")],
    ids=str,
)
async def test_what_the_venue_cannot_keep_is_cut_with_a_warning(
    form: Form, asked: dict[str, float], kept: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Also where it comes from the other limits: a large account is protected less widely, and quotes."""
    settings = form.settings()
    settings.cells[0].mmp = MmpSettings(enabled=True, **asked)
    settings.cells[0].limits.max_position = settings.cells[0].limits.max_exposure = 9000.0
    said: list[str] = []
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings)
        cell.on_event = lambda level, text: said.append(text)
        nursery.start_soon(cell.run)
        with trio.fail_after(30):
            while not form.sent(stage):
                await trio.sleep(0.1)
        assert len([text for text in said if text.startswith("mmp of ETH") and kept in text]) == 1
        nursery.cancel_scope.cancel()


@in_every_form
async def test_half_a_second_of_protection_is_a_whole_one(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """Venues keep whole seconds: cut down, there would be no protection, or a freeze until somebody ends it by hand."""
    settings = form.settings()
    settings.cells[0].mmp = MmpSettings(enabled=True, interval_s=0.5, frozen_s=0.5, amount_limit=10 * form.least)
    async with open_stage(form.paper(frozen=True)) as stage, trio.open_nursery() as nursery:
        cell = stage.cell(settings)
        nursery.start_soon(cell.run)
        with trio.fail_after(30):
            await quoting(cell)
        [guard] = stage.exchange.engine.account(30_001).guards.values()
        assert (guard.config.interval_ms, guard.config.frozen_ms) == (1000, 1000)
        nursery.cancel_scope.cancel()


@in_every_form
@pytest.mark.parametrize("other", OTHERWISE, ids=str)
async def test_a_protection_that_is_not_kept_as_asked_for_ends_the_start(
    form: Form, other: dict[str, Any], autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of it the venue keeps otherwise; no order has left."""
    settings = form.settings()
    settings.cells[0].mmp = MmpSettings(enabled=True, interval_s=5, frozen_s=30, amount_limit=50 * form.least)
    async with open_stage(form.paper(frozen=True)) as stage:
        cell = stage.cell(settings)
        monkeypatch.setattr(cell.dialect, "get_mmp", altered(cell.dialect.get_mmp, other))
        with pytest.RaisesGroup(ConfigError, flatten_subgroups=True, allow_unwrapped=True):
            with trio.fail_after(60):
                await cell.run()
        assert form.sent(stage) == []


def altered(get: Asking, other: dict[str, Any]) -> Asking:
    """What the venue keeps is other than it was asked for."""

    def get_mmp(currency: str) -> Script[MmpTerms | None]:
        held = yield from get(currency)
        return held and attrs.evolve(held, **other)

    return get_mmp
