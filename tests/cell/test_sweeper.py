"""The guard's way to none: single HTTP requests, never more of them than the account may send."""

from __future__ import annotations

import random
from typing import Any

import trio
from cell_kit import DERIVE, MASS, ORDERS, SMALL, Form, in_every_form, quote_and_vanish, quoting, resting

from actors.rehearsal.nets import MemoryPosts
from actors.rehearsal.stage import Stage, open_stage
from actors.sweeper import Sweeper, until_none
from actors.venues.rest import RestLink

BURST, RATE = 20, 5
"""Of single cancels: what the smallest Deribit account may send at once, and each second."""
RATE_CODES = (10028, -32000)
"""Deribit's and Derive's."""


def posts(stage: Stage, since: int) -> list[dict[str, Any]]:
    return [row for row in stage.exchange.ledger.records[since:] if row["kind"] == "request" and row["session"] == 0]


def hurried(stage: Stage, since: int) -> list[str]:
    """Answers that say "too many"."""
    answers = [row for row in stage.exchange.ledger.records[since:] if row["kind"] == "answer" and row["session"] == 0]
    return [str(row["body"]) for row in answers if row["body"].get("error", {}).get("code") in RATE_CODES]


@in_every_form
async def test_what_the_dead_left_is_swept_within_the_account_s_budget(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """More orders than the smallest account may cancel at once: all are gone, none was asked for too fast, none refused."""
    settings = form.settings()
    settings.supervision.stop_timeout_s = 2.0
    paper = form.paper(world={**SMALL, "strikes": 9}, tier="trader", frozen=True)
    async with open_stage(paper) as stage:
        cell = stage.cell(settings)

        async def full() -> None:
            await quoting(cell, 30)
            await trio.sleep(20)  # a full bucket again

        left = await quote_and_vanish(stage, cell, full)
        assert len(left) > BURST
        seen = len(stage.exchange.ledger.records)
        access = stage.access(settings)
        wire = MemoryPosts(stage, (0.001, 0.002), random.Random(1), lambda: True)
        async with RestLink(access.rest_form(stage.clock), 5.0, transport=lambda: wire) as rest:
            took_s = await until_none(Sweeper(settings, access, stage.clock, rest))
        assert resting(stage) == {}
        assert hurried(stage, seen) == []
        cancels = [row["t"] / 1e9 for row in posts(stage, seen) if row["method"] == "private/cancel"]
        assert bool(cancels) == (form is not DERIVE)  # one label covers all there
        for first, start_s in enumerate(cancels):
            assert all(
                count <= BURST + 1 + RATE * (at_s - start_s) for count, at_s in enumerate(cancels[first:], 1)
            )
        if form is ORDERS:
            assert len(cancels) >= len(left)
            assert took_s < 2 + (len(left) - BURST) / RATE + 2
        if form is MASS:
            assert len(cancels) < len(left)
