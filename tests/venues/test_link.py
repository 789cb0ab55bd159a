"""The link over in-memory streams and virtual time: every promise of its header, and each trap of its WebSocket library."""

from __future__ import annotations

import trio
from link_kit import Desk, Venue, ask, make_link, notice


async def test_a_call_is_answered_and_notices_arrive(autojump_clock, nursery):
    """A question gets its answer, and what the venue publishes reaches the owner as raw text."""
    venue, desk = Venue(nursery), Desk()
    link = make_link(desk, venue.connect)
    await nursery.start(link.run)
    assert link.is_up
    assert link.epoch == 1
    assert link.state == "up"
    assert bytes(await link.call(ask("public/test"))) == b'"public/test"'
    await venue.sockets[0].send_message(notice("ticker", {"a": 1}))
    await trio.testing.wait_all_tasks_blocked()
    assert desk.notices == [("ticker", '{"a": 1}')]
    assert venue.headers[0]["user-agent"].startswith("strikemaker/")
    await link.aclose()
    assert link.state == "closed"
