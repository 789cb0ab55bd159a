"""How a link dies, comes back, backs off and says goodbye, over in-memory streams and virtual time."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import trio
from link_kit import Venue, accept_by_hand, ask, make_link, moody, notice, silent, up
from trio.testing import wait_all_tasks_blocked

from actors.trading.errors import OutcomeUnknown
from actors.venues.link import Posted

# -- death and return


async def test_losing_the_connection_answers_everybody_at_once_and_comes_back(autojump_clock, nursery, venue, desk) -> None:
    """Every waiting call is lost in the same instant, then the owner is told, then the link is up again by itself."""
    venue.behaviour = silent
    link = await up(nursery, venue, desk)
    unknown = []

    async def caller() -> None:
        with pytest.raises(OutcomeUnknown):
            await link.call(ask())
        unknown.append(trio.current_time())

    nursery.start_soon(caller)
    for _ in range(5):
        assert link.post(ask(), desk.on_answer)
    await wait_all_tasks_blocked()
    begun = trio.current_time()
    await venue.sockets[0].aclose(1001, "maintenance")
    await desk.until(answers=5)
    await wait_all_tasks_blocked()
    assert unknown == [begun]
    assert trio.current_time() == begun
    assert all(posted.lost for posted in desk.answers)
    assert len(desk.downs) == 1
    assert "1001" in desk.downs[0]
    assert "maintenance" in desk.downs[0]
    await desk.until(ups=2)
    assert trio.current_time() - begun <= 2.0
    assert link.epoch == 2
    assert link.counts.reconnects == 1
    venue.behaviour = moody
    assert bytes(await link.call(ask("again"))) == b'"again"'


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 1013, 4000])
async def test_every_close_code_is_told_and_outlived(autojump_clock, nursery, venue, desk, code) -> None:
    """Whatever the venue closes with, the reply leaves (its close completes), and the link comes back."""
    link = await up(nursery, venue, desk)
    with trio.fail_after(5):
        if code == 1006:
            await trio.aclose_forcefully(venue.sockets[0]._stream)
        else:
            await venue.sockets[0].aclose(code)
    await desk.until(downs=1)
    assert ("EOF" if code == 1006 else str(code)) in desk.downs[0]
    await desk.until(ups=2)
    assert link.epoch == 2


async def test_callbacks_may_post_again_and_are_told_no(autojump_clock, nursery, venue, desk) -> None:
    """An order desk that answers a lost order with a new one gets a plain no while the link is down."""
    venue.behaviour = silent
    link = await up(nursery, venue, desk)
    again = []
    for _ in range(3):
        link.post(ask(), lambda posted: again.append(link.post(ask(), desk.on_answer)))
    link.drop()
    await desk.until(downs=1)
    assert again == [False] * 3
    assert desk.answers == []


async def test_drop_never_calls_back_from_inside(autojump_clock, nursery, venue, desk) -> None:
    """Dropping is a wish: answers as lost come from the link's own tasks, a moment later."""
    venue.behaviour = silent
    link = await up(nursery, venue, desk)
    assert link.post(ask(), desk.on_answer)
    link.drop("too late")
    assert (desk.answers, desk.downs) == ([], [])
    await desk.until(answers=1)
    assert desk.downs == ["too late"]


async def test_one_faulty_listener_costs_the_connection_and_nobody_his_answer(autojump_clock, nursery, venue, desk) -> None:
    """An answer's consumer that raises does not take away the answers of the others; the link reconnects."""
    venue.behaviour = silent
    link = await up(nursery, venue, desk)

    def burst(posted: Posted) -> None:
        raise ZeroDivisionError

    for consumer in (desk.on_answer, burst, desk.on_answer, burst, desk.on_answer):
        assert link.post(ask(), consumer)
    venue.behaviour = moody
    await venue.sockets[0].aclose()
    await desk.until(answers=3)
    await desk.until(ups=2)
    assert link.post(ask(), burst)
    assert link.post(ask("mute"), desk.on_answer)
    await desk.until(answers=4)
    assert "ZeroDivisionError" in desk.downs[1]


@pytest.mark.parametrize("which", ["on_notice", "on_up", "on_down", "on_heartbeat"])
async def test_faults_of_the_owner_do_not_leave_the_link(autojump_clock, nursery, venue, desk, which) -> None:
    """Any callback may raise once; the connection ends and the next one works."""
    faults = [RuntimeError("first time")]
    proper = getattr(desk, which, lambda heard: None)

    def once(*news: Any) -> Any:
        if faults:
            raise faults.pop()
        return proper(*news)

    link = make_link(desk, venue.connect, **{which: once})
    await nursery.start(link.run) if which != "on_up" else nursery.start_soon(link.run)
    await trio.sleep(3)
    for _ in range(2):
        await venue.sockets[-1].send_message(notice("x", 1))
        await venue.sockets[-1].send_message('{"method":"heartbeat","params":{"type":"heartbeat"}}')
        await trio.sleep(0.1)
        if which == "on_down":
            link.drop()
        await trio.sleep(3)
    assert faults == []
    assert link.is_up
    assert link.epoch == (3 if which == "on_down" else 2)


async def test_cancelling_the_link_answers_everybody_and_closes_the_stream(autojump_clock, nursery, venue, desk) -> None:
    """A cancel is not an error: it goes through, but not before every waiting call was answered as lost."""
    venue.behaviour = silent
    link = make_link(desk, venue.connect)
    async with trio.open_nursery() as inner:
        await inner.start(link.run)
        assert link.post(ask(), desk.on_answer)
        await wait_all_tasks_blocked()
        inner.cancel_scope.cancel()
    assert [posted.lost for posted in desk.answers] == [True]
    assert desk.downs == ["cancelled"]
    assert link.state == "closed"
    assert not link.post(ask(), desk.on_answer)
    with trio.fail_after(1):
        while venue.sockets[0].closed is None:
            await trio.sleep(0.01)


# -- leaving


async def test_goodbye_is_said_and_run_ends(autojump_clock, nursery, venue, desk) -> None:
    """A clean close reaches the venue as code 1000, after everything queued before it."""
    link = make_link(desk, venue.connect)
    async with trio.open_nursery() as inner:
        await inner.start(link.run)
        assert link.post(ask("last"), desk.on_answer)
        await link.aclose()
    assert venue.methods == ["last"]
    assert venue.sockets[0].closed.code == 1000
    assert [posted.lost for posted in desk.answers] == [True]
    assert desk.downs == ["closed by us"]
    await link.aclose()


async def test_goodbye_to_a_deaf_venue_is_bounded(autojump_clock, nursery, desk) -> None:
    """A venue that never answers the close costs the bound, not more, also when everything is being cancelled."""

    venue = Venue(nursery)

    async def frozen(stream: trio.abc.Stream) -> None:
        await accept_by_hand(stream)
        await trio.sleep_forever()

    venue.serve = frozen  # type: ignore[method-assign]
    link = make_link(desk, venue.connect)
    async with trio.open_nursery() as inner:
        await inner.start(link.run)
        begun = trio.current_time()
        await link.aclose(0.5)
        assert trio.current_time() - begun == pytest.approx(0.5)
    link = make_link(desk, venue.connect)
    with trio.CancelScope() as scope:
        await nursery.start(link.run)
        begun = trio.current_time()
        scope.cancel()
        await link.aclose(0.5)
    assert trio.current_time() - begun == pytest.approx(0.5)
    await wait_all_tasks_blocked()
    assert link.state == "closed"


async def test_goodbye_while_connecting_or_waiting_ends_the_link(autojump_clock, nursery, desk) -> None:
    """Closing does not wait for a dial or for a back-off."""

    async def refuse() -> trio.abc.Stream:
        raise OSError("refused")

    for connect in (trio.sleep_forever, refuse):
        link = make_link(desk, connect, backoff_s=50)
        async with trio.open_nursery() as inner:
            inner.start_soon(link.run)
            await trio.sleep(1)
            begun = trio.current_time()
            await link.aclose()
        assert trio.current_time() == begun
        assert link.state == "closed"


# -- back-off


async def test_backing_off_doubles_within_jitter_and_is_bounded(autojump_clock, nursery, desk) -> None:
    """Each pause lies between half and all of 1, 2, 4 ... 60 s; two links do not return in step."""

    async def attempts(seed: int) -> list[float]:
        times: list[float] = []

        async def refuse() -> trio.abc.Stream:
            times.append(trio.current_time())
            raise OSError("refused")

        link = make_link(desk, refuse, seed=seed)
        with trio.move_on_after(400):
            await link.run()
        return [later - earlier for earlier, later in itertools.pairwise(times)]

    pauses = await attempts(1)
    for number, pause in enumerate(pauses):
        longest = min(60.0, 2.0**number)
        assert longest / 2 <= pause <= longest
    assert len(pauses) >= 10
    assert len({round(pause, 3) for pause in pauses}) == len(pauses)
    assert pauses == pytest.approx(await attempts(1))
    assert pauses[0] != pytest.approx((await attempts(2))[0])


async def test_the_back_off_starts_afresh_only_after_a_settled_connection(autojump_clock, nursery, venue, desk) -> None:
    """A venue that accepts and hangs up at once is left alone longer and longer; one good stretch forgives."""
    link = make_link(desk, venue.connect, settled_s=10)
    ups: list[float] = []
    downs: list[float] = []

    async def flap() -> None:
        for number, stay in enumerate((0.1, 0.1, 0.1, 0.1, 30.0, 0.1), 1):
            await desk.until(ups=number)
            ups.append(trio.current_time())
            await trio.sleep(stay)
            downs.append(trio.current_time())
            link.drop()
        await desk.until(ups=7)
        ups.append(trio.current_time())

    nursery.start_soon(link.run)
    await flap()
    pauses = [later - earlier for earlier, later in zip(downs, ups[1:], strict=True)]
    for pause, longest in zip(pauses, (1, 2, 4, 8, 1, 2), strict=True):
        assert longest / 2 <= pause <= longest + 0.01


async def test_a_drop_during_the_pause_ends_the_pause(autojump_clock, nursery, venue, desk) -> None:
    """Whoever knows that the venue is back need not wait for the back-off."""
    link = await up(nursery, venue, desk, backoff_s=50)
    link.drop()
    await desk.until(downs=1)
    await wait_all_tasks_blocked()
    begun = trio.current_time()
    link.drop()
    await desk.until(ups=2)
    assert trio.current_time() == begun
