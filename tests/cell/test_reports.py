"""What a cell tells of itself in turns is what it would tell in one go, in the order of the table."""

from __future__ import annotations

import msgspec
import trio
from cell_kit import Form, in_every_form, still
from test_collector import Explained

from actors.mailboxes import Snapshot
from actors.reports import Roll, gather_in_turns, snapshot


@in_every_form
async def test_told_in_turns_is_told_as_in_one_go(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """Letter for letter, as it leaves the process; and so it is after all but one have gone, and come back."""
    async with still(form, Explained()) as (_, cell):
        roll, everybody = Roll(), dict(cell.quoters)
        first = next(iter(everybody))
        for present in (everybody, {first: everybody[first]}, everybody):
            cell.quoters.clear()
            cell.quoters.update(present)
            gathered = await gather_in_turns(cell, roll)
            whole, in_turns = snapshot(cell), snapshot(cell, gathered)
            assert msgspec.json.encode(Snapshot(in_turns)) == msgspec.json.encode(Snapshot(whole))
            assert {row.instrument for row in whole.rows} == present.keys()
            order = [(cell.instruments[row.instrument].expiry_s, row.strike, row.kind) for row in whole.rows]
            assert order == sorted(order)
            assert any(row.terms for row in whole.rows)
