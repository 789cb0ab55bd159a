"""The faults of a paper exchange that runs as a process, pulled over HTTP: `POST /paper/LEVER` with a JSON object.

Owns the reading of those requests; the misbehaviour itself is `faults.py`'s. There only when the exchange was started with
`--levers`: a client of the venue must not find it. Invariant: a lever that is malformed changes nothing.

Levers: `frame` (a `FrameFault`), `request` (a `RequestFault`), `channel` (a `ChannelFault`), `kill` {session_id?, abrupt?},
`restart` {down_s?, orders_survive?}, `maintenance` {on}, `late_cancel` {seconds}, `clear` {}, `struck` {} (the counts).
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.venues.paper.faults import ChannelFault, Faults, FrameFault, RequestFault
from actors.venues.paper.sessions import Reply

LEVERS_PATH = "/paper/"


class Kill(msgspec.Struct, forbid_unknown_fields=True):
    session_id: int | None = None
    abrupt: bool = True


class Restart(msgspec.Struct, forbid_unknown_fields=True):
    down_s: float = 1.0
    orders_survive: bool = True


class Maintenance(msgspec.Struct, forbid_unknown_fields=True):
    on: bool


class LateCancel(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


SHAPES: dict[str, type[Any]] = {
    "frame": FrameFault,
    "request": RequestFault,
    "channel": ChannelFault,
    "kill": Kill,
    "restart": Restart,
    "maintenance": Maintenance,
    "late_cancel": LateCancel,
    "clear": Nothing,
    "struck": Nothing,
}


def pull(faults: Faults, lever: str, body: bytes) -> Reply:
    """Do what a request says; the answer holds the counts of what struck so far."""
    shape = SHAPES.get(lever)
    if shape is None:
        return Reply(404, b'{"message":"no such lever"}')
    try:
        asked = msgspec.json.decode(body or b"{}", type=shape)
    except msgspec.DecodeError as wrong:
        return Reply(400, msgspec.json.encode({"message": str(wrong)}))
    _do(faults, asked, lever)
    return Reply(200, msgspec.json.encode({"struck": dict(faults.struck)}))


def _do(faults: Faults, asked: Any, lever: str) -> None:
    if isinstance(asked, FrameFault | RequestFault | ChannelFault):
        faults.arm(asked)
    elif isinstance(asked, Kill):
        faults.kill(asked.session_id, abrupt=asked.abrupt)
    elif isinstance(asked, Restart):
        faults.restart(asked.down_s, orders_survive=asked.orders_survive)
    elif isinstance(asked, Maintenance):
        faults.maintenance(asked.on)
    elif isinstance(asked, LateCancel):
        faults.late_cancel_s = asked.seconds
    elif lever == "clear":
        faults.clear()
