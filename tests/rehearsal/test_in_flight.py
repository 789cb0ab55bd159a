""" "None rests" is said only of a moment after which nothing of ours can arrive at Derive any more."""

from __future__ import annotations

import trio.testing
from cell_kit import DERIVE
from late_frames import answers_lost, cancels_refused, killed_while_in_flight, overtaken_by_the_stop, wall_clock_ahead


async def test_a_packet_that_is_overtaken_on_its_way_never_becomes_an_order_after_the_proof(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Orders in flight when the stop comes arrive after the cancel and the question that overtook them."""
    await overtaken_by_the_stop(DERIVE)


async def test_an_order_whose_answer_was_lost_keeps_its_place(autojump_clock: trio.testing.MockClock) -> None:
    """It rests, neither answer nor notice tells; nothing is placed beside it before the venue was asked."""
    assert await answers_lost(DERIVE) == 2


async def test_a_cancel_that_was_refused_leaves_its_orders_counted(autojump_clock: trio.testing.MockClock) -> None:
    """They rest on at the venue: the table holds at least what can still be filled, until the venue shows them gone."""
    assert await cancels_refused(DERIVE) == 2


async def test_the_guard_waits_for_what_the_dead_have_sent(autojump_clock: trio.testing.MockClock) -> None:
    """It asks while packets of a killed cell are still under way, and believes only a later answer."""
    stage = await killed_while_in_flight(DERIVE)
    questions = [row for row in stage.exchange.ledger.of("request") if row["method"] == DERIVE.question]
    assert len([row for row in questions if row["session"] == 0]) < 8  # whoever comes next needs the budget


async def test_a_wrong_wall_clock_makes_no_deadline_later(autojump_clock: trio.testing.MockClock) -> None:
    """Ours is two seconds ahead: what we send still dies at the venue within one."""
    await wall_clock_ahead(DERIVE)
