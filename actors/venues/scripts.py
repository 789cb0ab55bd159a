"""Driving a script: the one place where a conversation written as a generator meets something that can ask.

Owns nothing; awaits what it is given, and others' turn where a script pauses. Invariant: the script is closed when this
returns, however it returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import trio

from actors.trading.errors import VenueRefused
from actors.venues.dialect import Call, Script
from actors.venues.dialogue import PAUSE

T = TypeVar("T")


async def _others_turn() -> msgspec.Raw:
    await trio.lowlevel.checkpoint()
    return msgspec.Raw(b"")


async def drive(script: Script[T], ask: Callable[[Call], Awaitable[msgspec.Raw]]) -> T:
    """Results are sent into the script, refusals thrown into it; a lost answer or a lost link ends it."""
    try:
        call = next(script)
        while True:
            try:
                result = await (ask(call) if call is not PAUSE else _others_turn())
            except VenueRefused as refusal:
                call = script.throw(refusal)
            else:
                call = script.send(result)
    except StopIteration as finished:
        value: T = finished.value
        return value
    finally:
        script.close()
