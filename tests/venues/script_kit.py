"""A driver that plays a dialect's script against a fake venue: what every venue's tests of conversations share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.trading.errors import VenueRefused
from actors.venues.dialect import Call, Script
from actors.venues.dialogue import PAUSE


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


class Refusal:
    """A fake venue's error answer."""

    def __init__(self, code: int) -> None:
        self.code = code


def drive(script: Script[Any], venue: Callable[[Call, dict[str, Any]], Any]) -> tuple[Any, list[Call]]:
    """Play a script to its end: (what it returns, the calls it made). `venue` answers a value or a Refusal."""
    calls: list[Call] = []
    try:
        call = next(script)
        while True:
            if call is PAUSE:
                call = script.send(raw(None))
                continue
            calls.append(call)
            answer = venue(call, msgspec.json.decode(call.params))
            if isinstance(answer, Refusal):
                call = script.throw(VenueRefused(answer.code, "refused"))
            else:
                call = script.send(raw(answer))
    except StopIteration as stop:
        return stop.value, calls
