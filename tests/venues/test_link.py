"""What a link does for its owner while it is up: questions, answers, scripts, the opening; against an independent server."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import pytest
import trio
from link_kit import ask, make_link, moody, notice, refusal_of, result_of, silent, up
from loguru import logger
from trio.testing import wait_all_tasks_blocked

from actors.trading.errors import ConfigError, OutcomeUnknown, VenueRefused, VenueUnreachable
from actors.venues.dialect import Call
from actors.venues.link import Posted

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


async def test_an_error_that_is_nobodys_answer_is_told_in_the_log(autojump_clock, nursery, venue, desk) -> None:
    """Too many sockets, say: the venue names no request, and hangs up; without a word nobody would know why."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(line.record["message"]), level="WARNING")

    async def complain(socket: Any, request: dict[str, Any]) -> None:
        await socket.send_message(refusal_of({"id": None}, -32100, "too many sockets"))
        await socket.send_message(refusal_of({"id": 9999}, 11006, "of a question of nobody's"))

    venue.behaviour = complain
    link = await up(nursery, venue, desk)
    assert link.post(ask(), desk.on_answer)
    await trio.sleep(1)
    logger.remove(sink)
    assert [line for line in lines if "-32100" in line and "too many sockets" in line]
    assert not [line for line in lines if "11006" in line]


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


# -- scripts and the opening


def haggle(offers: list[str]) -> Generator[Call, msgspec.Raw, list[str]]:
    """Asks each in turn, goes on after a refusal, returns what it heard."""
    heard = []
    for offer in offers:
        try:
            heard.append(bytes((yield ask(offer))).decode())
        except VenueRefused as refusal:
            heard.append(f"refused {refusal.code}")
    return heard


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
