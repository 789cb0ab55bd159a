"""What the Deribit face keeps of each connection: who logged in, heartbeats, cancel-on-disconnect, subscriptions.

Owns login and logout of a socket, `test_request` and the close that follows silence, and what a lost connection pulls. The
tokens are `deribit_clients`', the channels `deribit_channels`' and `deribit_feeds`'. Invariant: a connection that had
cancel-on-disconnect on leaves none of the orders that came on it, however it ended, but for a logout.
"""

from __future__ import annotations

from typing import Any

import attrs
import msgspec

from actors.venues.paper import deribit_errors as codes
from actors.venues.paper import deribit_params as p
from actors.venues.paper.deribit_channels import DeribitChannels, Unknown
from actors.venues.paper.deribit_clients import Caller, Clients, Grant
from actors.venues.paper.deribit_errors import Refused, bad_param
from actors.venues.paper.deribit_feeds import DeribitFeeds, frame
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.faults import S
from actors.venues.paper.sessions import Session

NORMAL_CLOSE = 1000
HEARTBEAT_CLOSE = 4000
LEAST_HEARTBEAT_S = 10
MAX_CHANNELS = 500
MAX_CHANNEL_LABEL = 16
SWALLOWED = object()
"""An answer that is not given: a fault took it, or the method has none."""


@attrs.define(eq=False)
class Line:
    """One socket."""

    session: Session
    heard_ns: int
    caller: Caller | None = None
    has_cod: bool = False
    beat_ns: int = 0
    """Heartbeat interval; 0: none."""
    next_beat_ns: int = 0
    tested_ns: int = 0
    """When a test_request went out that is not answered yet; 0: none."""
    is_ending: bool = False
    """Out of credits: it ends once its answer is out."""
    was_pulled: bool = False
    """Cancel-on-disconnect has fired."""
    welcomes: list[tuple[str, str, Any]] = attrs.field(factory=list)
    """(channel, label, data) for a newcomer, to be said beside the answer."""


class Ask(msgspec.Struct, frozen=True):
    """One request on its way through the face. `caller` None: nobody known; `line` None: it came over HTTP."""

    id: Any
    method: str
    params: dict[str, Any]
    peer: str
    came_ns: int
    caller: Caller | None = None
    line: Line | None = None

    @property
    def session_id(self) -> int:
        return self.line.session.id if self.line is not None else 0

    @property
    def owner(self) -> str | None:
        """Whose request it is, for the ledger."""
        return str(self.caller.user_id) if self.caller is not None else None


@attrs.define(eq=False)
class Lines:
    exchange: Exchange
    clients: Clients
    channels: DeribitChannels
    feeds: DeribitFeeds
    any_request_is_life: bool = False
    """Whether any request answers a test_request, or `public/test` alone."""
    idle_s: int = 600
    """A connection with cancel-on-disconnect and without heartbeats that says nothing for this long is closed."""
    _lines: dict[int, Line] = attrs.field(factory=dict)

    def of(self, session: Session) -> Line:
        line = self._lines.get(session.id)
        if line is None:
            line = self._lines[session.id] = Line(session, self.exchange.clock_ns())
        return line

    def heard(self, line: Line, method: str) -> None:
        line.heard_ns = self.exchange.clock_ns()
        if self.any_request_is_life or method == "public/test":
            line.tested_ns = 0

    def needed(self, ask: Ask) -> Line:
        """The socket of a method that is for sockets only."""
        if ask.line is None:
            raise Refused(codes.NEEDS_WEBSOCKET)
        return ask.line

    # -- login

    def auth(self, ask: Ask, fields: p.Auth) -> dict[str, Any]:
        return self._granted(ask, self.clients.grant(fields, ask.session_id, self.exchange.clock_ns()), fields.state)

    def fork(self, ask: Ask, fields: p.Fork) -> dict[str, Any]:
        now_ns = self.exchange.clock_ns()
        return self.clients.forked(fields.refresh_token, fields.session_name, fields.scope, now_ns).as_json(None)

    def swap(self, ask: Ask, fields: p.Swap) -> dict[str, Any]:
        now_ns = self.exchange.clock_ns()
        grant = self.clients.swapped(fields.refresh_token, fields.subject_id, fields.scope, ask.session_id, now_ns)
        return self._granted(ask, grant, None)

    def _granted(self, ask: Ask, grant: Grant, state: str | None) -> dict[str, Any]:
        """From here on the socket needs no token in its requests."""
        if ask.line is not None:
            if ask.line.caller is None:
                ask.line.has_cod = grant.caller.user.cod_default
            ask.line.caller = grant.caller
            self.exchange.ledger.write("login", session=ask.session_id, wallet=str(grant.caller.user_id))
        return grant.as_json(state)

    def logout(self, ask: Ask, caller: Caller, fields: p.Logout) -> Any:
        """The socket closes without an answer, and without pulling orders."""
        line = self.needed(ask)
        if fields.invalidate_token:
            self.clients.revoke(caller)
        line.has_cod = False
        line.session.doom("logout", code=NORMAL_CLOSE)
        return SWALLOWED

    # -- heartbeats

    def set_heartbeat(self, ask: Ask, fields: p.Heartbeat) -> str:
        line = self.needed(ask)
        if fields.interval < LEAST_HEARTBEAT_S:
            raise bad_param("interval", f"must be at least {LEAST_HEARTBEAT_S}")
        line.beat_ns = round(float(fields.interval) * S)
        line.next_beat_ns, line.tested_ns = self.exchange.clock_ns() + line.beat_ns, 0
        return "ok"

    def disable_heartbeat(self, ask: Ask, fields: p.Empty) -> str:
        line = self.needed(ask)
        line.beat_ns = line.tested_ns = 0
        return "ok"

    def publish(self, now_ns: int) -> None:
        for line in list(self._lines.values()):
            if line.beat_ns:
                self._beat(line, now_ns)
            elif line.has_cod and now_ns - line.heard_ns > self.idle_s * S:
                line.session.doom("idle", code=NORMAL_CLOSE)

    def _beat(self, line: Line, now_ns: int) -> None:
        """A heartbeat each interval; who is silent for one is asked, once, and closed an interval later."""
        if line.tested_ns and now_ns - line.tested_ns >= line.beat_ns:
            if not line.session.doomed:
                line.session.doom("heartbeat close", code=HEARTBEAT_CLOSE)
                self._cancel_on_disconnect(line)  # nobody is there to wait for: the goodbye may take its time
            return
        if now_ns >= line.next_beat_ns:
            line.next_beat_ns = now_ns + line.beat_ns
            self._say(line, "heartbeat")
        if not line.tested_ns and now_ns - line.heard_ns >= line.beat_ns:
            line.tested_ns = now_ns
            self._say(line, "test_request")

    def _say(self, line: Line, kind: str) -> None:
        body = {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}}
        self.exchange.whisper(line.session, "heartbeat", body)

    # -- cancel on disconnect

    def enable_cod(self, ask: Ask, caller: Caller, fields: p.Cod) -> str:
        return self._set_cod(ask, caller, fields, True)

    def disable_cod(self, ask: Ask, caller: Caller, fields: p.Cod) -> str:
        return self._set_cod(ask, caller, fields, False)

    def _set_cod(self, ask: Ask, caller: Caller, fields: p.Cod, on: bool) -> str:
        """Of this connection, or of every new one of the account."""
        if fields.scope == "account":
            caller.needs("account", "read_write")
            caller.user.cod_default = on
        else:
            self.needed(ask).has_cod = on
        return "ok"

    def cod(self, ask: Ask, caller: Caller, fields: p.Cod) -> dict[str, Any]:
        on = caller.user.cod_default if fields.scope == "account" else self.needed(ask).has_cod
        return {"scope": fields.scope, "enabled": on}

    def left(self, session: Session) -> None:
        """The socket is gone: its tokens die, and with cancel-on-disconnect its orders, late if a fault says so."""
        line = self._lines.pop(session.id, None)
        self.clients.left(session.id)
        if line is not None and not self.exchange.is_stopped:
            self._cancel_on_disconnect(line)

    def _cancel_on_disconnect(self, line: Line) -> None:
        if not line.has_cod:
            return
        late_s = self.exchange.faults.late_cancel_s
        if late_s:
            self.exchange.faults.note("late_cancel", session=line.session.id, seconds=late_s)
            self.exchange.at(self.exchange.clock_ns() + round(late_s * S), lambda: self._pull(line))
        else:
            self._pull(line)

    def _pull(self, line: Line) -> None:
        gone = self.exchange.engine.cancel_connection(line.session.id)
        if not gone and line.was_pulled:
            return
        line.was_pulled = True
        owner = str(line.caller.user_id) if line.caller is not None else None
        self.exchange.ledger.write("cancel_on_disconnect", session=line.session.id, wallet=owner, orders=len(gone))
        self.exchange.tell()

    def pull_all(self) -> None:
        """The venue goes away: every connection is lost."""
        for line in list(self._lines.values()):
            if line.has_cod:
                self._pull(line)

    # -- subscriptions

    def subscribe(self, ask: Ask, fields: p.Channels) -> list[str]:
        """Those that were understood, in the venue's own order; the rest is left out without a word."""
        line = self.needed(ask)
        if len(fields.channels) > MAX_CHANNELS:
            raise bad_param("channels", f"more than {MAX_CHANNELS} channels")
        if len(fields.label) > MAX_CHANNEL_LABEL:
            raise bad_param("label", f"more than {MAX_CHANNEL_LABEL} characters")
        self.channels.require(fields.channels, ask.caller is not None)
        self.exchange.tell()
        joined = []
        for channel in dict.fromkeys(fields.channels):
            try:
                data = self._join(line, ask.caller, channel, fields.label)
            except Unknown:
                continue
            joined.append(channel)
            if data is not None:
                line.welcomes.append((channel, fields.label, data))
        return sorted(joined, reverse=True)

    def _join(self, line: Line, caller: Caller | None, channel: str, label: str) -> Any:
        if self.exchange.faults.leaves_out(channel):
            raise Unknown(channel)
        if not channel.startswith("user."):
            return self.channels.join(line.session, channel)
        if caller is None:
            raise Unknown(channel)
        return self.feeds.join(line.session, caller, channel, label)

    def unsubscribe(self, ask: Ask, fields: p.Channels) -> list[str]:
        """Those that were held."""
        line = self.needed(ask)
        gone = []
        for channel in dict.fromkeys(fields.channels):
            held = [key for key in line.session.channels if key == channel or key.endswith(f"/{channel}")]
            for key in held:
                self.exchange.sessions.quit(line.session, key)
            if held:
                gone.append(channel)
        return sorted(gone, reverse=True)

    def unsubscribe_all(self, ask: Ask, fields: p.Empty) -> str:
        line = self.needed(ask)
        for key in list(line.session.channels):
            self.exchange.sessions.quit(line.session, key)
        return "ok"

    def greet(self, line: Line) -> None:
        """Say what newcomers are told: the snapshots of the channels just joined."""
        welcomes, line.welcomes = line.welcomes, []
        for channel, label, data in welcomes:
            self.exchange.whisper(line.session, channel, frame(channel, data, label))
