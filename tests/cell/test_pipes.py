"""The pipe between two processes, with both ends in one."""

from __future__ import annotations

import os

import trio

from actors.mailboxes import AllDone, Farewell, Message
from actors.pipes import Pipe


def pair() -> tuple[Pipe, Pipe]:
    (first_in, second_out), (second_in, first_out) = os.pipe(), os.pipe()
    return Pipe(first_in, first_out), Pipe(second_in, second_out)


async def heard(pipe: Pipe) -> list[Message]:
    return [message async for message in pipe.inbox]


async def test_a_last_word_is_heard_after_hanging_up() -> None:
    """The supervisor closes its sending end: the guard reads end of file, acts, and its farewell still arrives."""
    supervisor, guard = pair()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await nursery.start(guard.run)
            supervisor.send(AllDone())
            await supervisor.flush(1)
            supervisor.close_sending()
            assert await heard(guard) == [AllDone()]
            assert guard.send(Farewell(True, 0))
            await guard.flush(1)
            guard.close()
            assert await heard(supervisor) == [Farewell(True, 0)]
            nursery.cancel_scope.cancel()


async def test_a_reader_that_is_gone_is_no_error() -> None:
    """What is sent to a dead process is dropped, and nobody is told by an exception."""
    supervisor, guard = pair()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            guard.close()
            assert await heard(supervisor) == []
            supervisor.send(AllDone())
            await supervisor.flush(0.2)
            nursery.cancel_scope.cancel()
    assert not supervisor.send(AllDone())
