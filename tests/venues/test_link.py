"""The link's promises to its owner, over in-memory streams and virtual time, against an independent WebSocket server."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import pytest
import trio
from link_kit import Desk, Venue, accept_by_hand, ask, make_link, notice, refusal_of, result_of
from loguru import logger
from trio.testing import wait_all_tasks_blocked

from actors.trading.errors import ConfigError, OutcomeUnknown, VenueRefused, VenueUnreachable
from actors.venues.dialect import Call
from actors.venues.link import Posted, VenueLink


async def silent(socket: Any, request: dict[str, Any]) -> None:
    """A venue that hears and never answers."""


@pytest.fixture
async def venue(nursery: trio.Nursery) -> Venue:
    return Venue(nursery)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def up(nursery: trio.Nursery, venue: Venue, desk: Desk, **named: Any) -> VenueLink:
    link = make_link(desk, venue.connect, **named)
    await nursery.start(link.run)
    return link


# -- questions and answers


async def test_a_call_is_answered_and_notices_arrive(autojump_clock, nursery, venue, desk) -> None:
    """A question gets its answer, and what the venue publishes reaches the owner as raw text."""
    link = await up(nursery, venue, desk)
    assert (link.is_up, link.epoch, link.state) == (True, 1, "up")
    assert bytes(await link.call(ask("public/test"))) == b'"public/test"'
    await venue.sockets[0].send_message(notice("ticker", {"a": 1}))
    await wait_all_tasks_blocked()
    assert desk.notices == [("ticker", '{"a": 1}')]
    assert venue.headers[0]["user-agent"].startswith("strikemaker/")
    assert "sec-websocket-extensions" not in venue.headers[0]
    await link.aclose()
    assert link.state == "closed"


async def test_answers_out_of_order_find_their_questions(autojump_clock, nursery, venue, desk) -> None:
    """Answers are matched by id alone."""

    async def shuffled(socket: Any, request: dict[str, Any]) -> None:
        await trio.sleep(request["params"]["wait"])
        await socket.send_message(result_of(request, request["params"]["wait"]))

    venue.behaviour = shuffled
    link = await up(nursery, venue, desk)
    for wait in (3, 1, 4, 2):
        assert link.post(ask(wait=wait), desk.on_answer)
    await desk.until(answers=4)
    assert [json.loads(bytes(posted.result)) for posted in desk.answers] == [1, 2, 3, 4]
    assert all(json.loads(posted.call.params)["wait"] == json.loads(bytes(posted.result)) for posted in desk.answers)


async def test_repeated_and_foreign_answers_are_counted_and_ignored(autojump_clock, nursery, venue, desk) -> None:
    """An answer given twice is heard once; one to a question never asked is nobody's."""

    async def twice(socket: Any, request: dict[str, Any]) -> None:
        await socket.send_message(result_of(request))
        await socket.send_message(result_of(request))
        await socket.send_message(result_of({"id": 9999, "method": "x"}))
        await socket.send_message(refusal_of({"id": None}, -32700, "Parse error"))

    venue.behaviour = twice
    link = await up(nursery, venue, desk)
    assert link.post(ask(), desk.on_answer)
    await trio.sleep(1)
    assert len(desk.answers) == 1
    assert link.counts.unmatched == 3
    assert link.is_up


async def test_a_refusal_is_raised_with_code_meaning_and_detail(autojump_clock, nursery, venue, desk) -> None:
    """The caller of `call` gets VenueRefused, the poster gets the same as a tuple."""

    async def refuse(socket: Any, request: dict[str, Any]) -> None:
        await socket.send_message(refusal_of(request, 11006, "not enough", {"need": 3}))

    venue.behaviour = refuse
    link = await up(nursery, venue, desk)
    with pytest.raises(VenueRefused) as caught:
        await link.call(ask())
    assert (caught.value.code, caught.value.meaning, caught.value.detail) == (11006, "not enough", '{"need": 3}')
    assert link.post(ask(), desk.on_answer)
    await desk.until(answers=1)
    assert desk.answers[0].error == (11006, "not enough", '{"need": 3}')
    assert (desk.answers[0].result, desk.answers[0].lost) == (None, False)


async def test_no_answer_in_time_is_an_unknown_outcome(autojump_clock, nursery, venue, desk) -> None:
    """Each call has its own deadline, also when a later one has the earlier deadline, and a late answer is not heard."""

    async def late(socket: Any, request: dict[str, Any]) -> None:
        await trio.sleep(20)
        await socket.send_message(result_of(request))

    venue.behaviour = late
    link = await up(nursery, venue, desk)
    begun, ends = trio.current_time(), {}
    for timeout_s in (9.0, 3.0, 6.0, None):
        answered: Callable[[Posted], None] = lambda posted, key=timeout_s: ends.__setitem__(key, posted)  # noqa: E731
        assert link.post(ask(), lambda posted, tell=answered: (tell(posted), desk.on_answer(posted)), timeout_s)
    for count, elapsed in ((1, 3.0), (2, 5.0), (3, 6.0), (4, 9.0)):
        await desk.until(answers=count)
        assert trio.current_time() - begun == pytest.approx(elapsed)
    assert list(ends) == [3.0, None, 6.0, 9.0]
    assert all(posted.lost and posted.result is None for posted in ends.values())
    with pytest.raises(OutcomeUnknown, match="public/test"):
        await link.call(ask(), 2.0)
    await trio.sleep(60)
    assert link.counts.unmatched == 5
    assert link.counts.timeouts == 5
    assert len(desk.answers) == 4


async def test_a_link_that_is_not_up_takes_nothing(autojump_clock, nursery, venue, desk) -> None:
    """`post` says no and never calls back; `call` says that nothing was sent."""
    link = make_link(desk, venue.connect)
    assert not link.post(ask(), desk.on_answer)
    with pytest.raises(VenueUnreachable):
        await link.call(ask())
    await trio.sleep(100)
    assert desk.answers == []
    assert venue.dials == 0


async def test_a_cancelled_caller_leaves_the_link_in_order(autojump_clock, nursery, venue, desk) -> None:
    """Giving up on a question harms nobody, and its answer is not taken for another's."""

    async def slow(socket: Any, request: dict[str, Any]) -> None:
        await trio.sleep(1)
        await socket.send_message(result_of(request))

    venue.behaviour = slow
    link = await up(nursery, venue, desk)
    with trio.move_on_after(0.5) as patience:
        await link.call(ask("impatient"))
    assert patience.cancelled_caught
    assert bytes(await link.call(ask("patient"))) == b'"patient"'
    assert link.counts.unmatched == 0


async def test_too_many_waiting_calls_are_not_taken(autojump_clock, nursery, venue, desk) -> None:
    """The table of waiting calls is bounded; a refused post is not called back."""
    venue.behaviour = silent
    link = await up(nursery, venue, desk, max_pending=3)
    assert [link.post(ask(), desk.on_answer) for _ in range(5)] == [True, True, True, False, False]
    await desk.until(answers=3)
    await trio.sleep(10)
    assert len(desk.answers) == 3


async def test_the_round_trip_is_measured(autojump_clock, nursery, venue, desk) -> None:
    """The estimate settles on the venue's delay."""

    async def slow(socket: Any, request: dict[str, Any]) -> None:
        await trio.sleep(0.25)
        await socket.send_message(result_of(request))

    venue.behaviour = slow
    link = await up(nursery, venue, desk)
    assert math.isnan(link.counts.round_trip_s)
    for _ in range(4):
        await link.call(ask())
    assert link.counts.round_trip_s == pytest.approx(0.25)


async def test_what_is_queued_in_one_pass_leaves_in_one_write(autojump_clock, nursery, venue, desk) -> None:
    """Fifty orders of one tick are one system call, and the venue gets them in order."""
    link = await up(nursery, venue, desk)
    await wait_all_tasks_blocked()
    writes = link.counts.writes
    for number in range(50):
        assert link.post(ask(f"m/{number}"), desk.on_answer)
    await desk.until(answers=50)
    assert link.counts.writes == writes + 1
    assert venue.methods == [f"m/{number}" for number in range(50)]


# -- scripts


def haggle(offers: list[str]) -> Generator[Call, msgspec.Raw, list[str]]:
    """Asks each in turn, goes on after a refusal, returns what it heard."""
    heard = []
    for offer in offers:
        try:
            heard.append(bytes((yield ask(offer))).decode())
        except VenueRefused as refusal:
            heard.append(f"refused {refusal.code}")
    return heard


async def moody(socket: Any, request: dict[str, Any]) -> None:
    if request["method"] == "bad":
        await socket.send_message(refusal_of(request, 13, "no"))
    elif request["method"] != "mute":
        await socket.send_message(result_of(request))


async def test_a_script_is_driven_with_refusals_thrown_in(autojump_clock, nursery, venue, desk) -> None:
    """A script hears results, can survive a refusal, and its return value comes back; an empty one asks nothing."""
    venue.behaviour = moody
    link = await up(nursery, venue, desk)
    assert await link.follow(haggle(["a", "bad", "b"])) == ['"a"', "refused 13", '"b"']
    assert await link.follow(haggle([])) == []
    assert venue.methods == ["a", "bad", "b"]


async def test_a_refusal_the_script_does_not_want_is_the_followers(autojump_clock, nursery, venue, desk) -> None:
    """An unhandled refusal, a lost answer and a link that is down all end the script, and it is closed."""
    venue.behaviour = moody
    link = await up(nursery, venue, desk)
    closed = []

    def naive(method: str) -> Generator[Call, msgspec.Raw, None]:
        try:
            yield ask(method)
        finally:
            closed.append(method)

    scripts = [naive(method) for method in ("bad", "mute", "late")]
    with pytest.raises(VenueRefused):
        await link.follow(scripts[0])
    with pytest.raises(OutcomeUnknown):
        await link.follow(scripts[1])
    await link.aclose()
    with pytest.raises(VenueUnreachable):
        await link.follow(scripts[2])
    assert closed == ["bad", "mute", "late"]


async def test_the_opening_script_comes_before_everything(autojump_clock, nursery, venue, desk) -> None:
    """Nobody can call before the login is through; its result is told and kept, and each connection logs in anew."""
    early: list[bool] = []
    venue.behaviour = moody

    def opening() -> Generator[Call, msgspec.Raw, list[str]]:
        early.append(link.post(ask("early"), desk.on_answer))
        return (yield from haggle(["login", "bad"]))

    link = make_link(desk, venue.connect, opening=opening)
    await nursery.start(link.run)
    assert link.facts == ['"login"', "refused 13"]
    assert desk.ups == [link.facts]
    link.drop()
    assert not link.is_up
    await desk.until(ups=2)
    assert early == [False, False]
    assert venue.methods == ["login", "bad"] * 2
    assert link.epoch == 2
    assert desk.downs == ["dropped by us"]


@pytest.mark.parametrize("fault", [VenueRefused(13004, "invalid credentials"), ConfigError("key: wrong")])
async def test_an_opening_refused_for_good_ends_the_link(autojump_clock, venue, desk, fault) -> None:
    """Retrying a wrong key helps nobody: `run` raises, once, and every call made meanwhile is answered."""

    def opening() -> Generator[Call, msgspec.Raw, None]:
        yield ask("login")
        raise fault

    link = make_link(desk, venue.connect, opening=opening, is_fatal=lambda code: code == 13004)
    with pytest.raises(type(fault)) as caught:
        await link.run()
    assert caught.value is fault
    assert venue.dials == 1
    assert link.state == "closed"
    assert desk.ups == desk.downs == []


@pytest.mark.parametrize("fault", [VenueRefused(-32000, "rate limit"), ValueError("odd result"), KeyError("scope")])
async def test_an_opening_that_fails_otherwise_is_tried_again(autojump_clock, nursery, venue, desk, fault) -> None:
    """A rate limit, or an answer nobody understands, costs a back-off and not the cell."""
    attempts = []

    def opening() -> Generator[Call, msgspec.Raw, str]:
        attempts.append(trio.current_time())
        yield ask("login")
        if len(attempts) < 3:
            raise fault
        return "in"

    link = await up(nursery, venue, desk, opening=opening, is_fatal=lambda code: code == 13004)
    assert len(attempts) == 3
    assert link.facts == "in"
    assert desk.downs == []


async def test_an_opening_that_hangs_is_given_up(autojump_clock, nursery, venue, desk) -> None:
    """The bound on connecting covers the login; it needs no answer to end."""
    venue.behaviour = silent
    link = make_link(desk, venue.connect, opening=lambda: haggle(["login"]), connect_timeout_s=8, request_timeout_s=60)
    nursery.start_soon(link.run)
    await trio.sleep(8.01)
    assert link.state.startswith("down: no connection within 8 s; next try in")
    assert len(venue.heard) == 1
    await trio.sleep(1.5)
    assert venue.dials == 2


async def test_a_dial_that_hangs_is_given_up(autojump_clock, nursery, desk) -> None:
    """So does it cover the dialling."""
    link = make_link(desk, trio.sleep_forever, connect_timeout_s=4)
    nursery.start_soon(link.run)
    await trio.sleep(4.01)
    assert link.state.startswith("down: no connection within 4 s")


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


async def test_no_secret_of_the_address_is_shown(autojump_clock, nursery, venue, desk) -> None:
    """State and log lines name the host and nothing behind it."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), level=0)
    link = await up(nursery, venue, desk)
    link.drop()
    await desk.until(downs=1)
    await link.aclose()
    logger.remove(sink)
    assert any("127.0.0.1" in line for line in lines)
    assert not any("token" in line for line in [*lines, link.state, repr(link)])


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
