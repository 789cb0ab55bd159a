"""What is lost or late on its way to Deribit and back: no order beside another, none after the proof, none that lives on."""

from __future__ import annotations

import trio.testing
from cell_kit import Form, on_deribit
from late_frames import answers_lost, cancels_refused, killed_while_in_flight, overtaken_by_the_stop, wall_clock_ahead


@on_deribit
async def test_a_packet_that_is_overtaken_never_becomes_an_order_after_the_proof(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """Orders in flight when the stop comes arrive after the cancel and the question that overtook them."""
    await overtaken_by_the_stop(form)


@on_deribit
async def test_an_order_whose_answer_was_lost_keeps_its_place(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """It rests, neither answer nor notice tells; nothing is placed beside it before the venue was asked."""
    assert await answers_lost(form) >= 1


@on_deribit
async def test_a_cancel_that_was_refused_leaves_its_orders_counted(
    form: Form, autojump_clock: trio.testing.MockClock
) -> None:
    """They rest on at the venue: the table holds at least what can still be filled, until the venue shows them gone."""
    assert await cancels_refused(form) >= 1


@on_deribit
async def test_the_guard_waits_for_what_the_dead_have_sent(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """It asks while packets of a killed cell are still under way, and believes only a later answer."""
    await killed_while_in_flight(form)


@on_deribit
async def test_a_wrong_wall_clock_makes_no_deadline_later(form: Form, autojump_clock: trio.testing.MockClock) -> None:
    """Ours is two seconds ahead: what we send still dies at the venue within one."""
    await wall_clock_ahead(form)
