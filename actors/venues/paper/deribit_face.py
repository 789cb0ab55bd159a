"""The Deribit face of the paper exchange: JSON-RPC text or HTTP in, answers and notices out.

Owns the envelope, the proof of identity over HTTP, credits and what exceeding them brings, and the answers that wait for
the speed bump. The table of methods is `deribit_methods`', the work its modules'; matching is the engine's. Never awaits.
Invariant: every request gets exactly one answer (but a logout, or where a fault swallows it), no secret or token reaches
the ledger, and what went wrong is a code of `deribit_errors`, never a silence.
"""

from __future__ import annotations

import base64
import binascii
import random
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import attrs
import msgspec

from actors.venues.names import expiry_text
from actors.venues.paper import deribit_errors as codes
from actors.venues.paper import deribit_params as p
from actors.venues.paper import events as ev
from actors.venues.paper.deribit_accounts import DeribitAccounts
from actors.venues.paper.deribit_channels import DeribitChannels
from actors.venues.paper.deribit_clients import Caller, Clients
from actors.venues.paper.deribit_credits import pool_of, tier_of
from actors.venues.paper.deribit_errors import Refused, refused
from actors.venues.paper.deribit_feeds import DeribitFeeds
from actors.venues.paper.deribit_lines import SWALLOWED, Ask, Line, Lines
from actors.venues.paper.deribit_market import DeribitMarket
from actors.venues.paper.deribit_methods import Desk, table
from actors.venues.paper.deribit_orders import DeribitOrders, Held
from actors.venues.paper.deribit_quotes import DeribitQuotes
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.faults import RequestFault
from actors.venues.paper.rates import Pool, RateBook, deribit_rates
from actors.venues.paper.sessions import HttpRequest, Reply, Session
from actors.venues.paper.tickets import Placed, Refusal

SECRETS = ("client_secret", "access_token", "refresh_token", "signature")
HIDDEN = "(hidden)"
FAULT_CODES = {"rate_limit": codes.TOO_MANY_REQUESTS, -32603: codes.INTERNAL, 9000: codes.TIMED_OUT, 9001: codes.TIMED_OUT}
"""The venue-neutral faults in Deribit's numbers, by name or by the number they are armed with."""


@attrs.define
class DeribitSettings:
    """What the venue leaves open, or differs by account, is a field here; the strict reading is the default."""

    seed: int = 1
    tier: str = "market_maker"
    testnet: bool = True
    token_life_s: int = 900
    signature_window_s: int = 60
    ends_session_on_10028: bool = True
    any_request_is_life: bool = False
    edits_inherit: bool = False
    mmp_config_as_list: bool = True
    null_profit_of_opens: bool = False
    raw_needs_login: bool = True
    agg2_ms: int = 1000
    max_frame: int = 32_768
    """Bytes of a frame or POST body."""
    idle_s: int = 600


@attrs.define(eq=False)
class Waiting:
    """An answer that waits for its orders' turn after the speed bump."""

    ask: Ask
    held: Held
    outcomes: dict[str, Placed | Refusal] = attrs.field(factory=dict)
    reply: Reply | None = None
    """Over HTTP: the answer once it is there."""

    def fetch(self) -> Reply:
        return self.reply or Reply(504, b"{}", self.fetch)


class DeribitFace:
    venue = "deribit"
    ws_path = "/ws/api/v2"
    rest_path = "/api/v2"

    def __init__(self, exchange: Exchange, settings: DeribitSettings, rates: RateBook | None = None) -> None:
        self._exchange = exchange
        self._engine = exchange.engine
        self._settings = settings
        self._rates = rates or deribit_rates(tier_of(settings.tier))
        self.clients = Clients(random.Random(f"tokens {settings.seed}"), settings.token_life_s, settings.signature_window_s)
        self.market = DeribitMarket(self._engine, exchange.clock_ns)
        self.orders = DeribitOrders(self._engine, self.market, settings.edits_inherit, settings.null_profit_of_opens)
        self.accounts = DeribitAccounts(self._engine, self.market, self.orders, tier_of(settings.tier))
        self.quotes = DeribitQuotes(self._engine, self.market, self.orders, settings.mmp_config_as_list)
        self.channels = DeribitChannels(exchange, self.market, settings.agg2_ms, settings.raw_needs_login)
        self.feeds = DeribitFeeds(exchange, self.market, self.accounts, self.channels.intervals)
        self.lines = Lines(exchange, self.clients, self.channels, self.feeds, settings.any_request_is_life, settings.idle_s)
        self._methods = table(Desk(self.market, self.orders, self.quotes, self.accounts, self.lines))
        self._waiting: dict[str, Waiting] = {}

    # -- hearing

    def hear(self, session: Session, text: str) -> None:
        came_ns, line = self._exchange.clock_ns(), self.lines.of(session)
        try:
            ask = self._read(line, text, came_ns)
        except Refused as no:
            self._exchange.ledger.write("garbled", session=session.id, text=_harmless(text))
            self._answer(Ask(_id_of(text), "", {}, session.peer, came_ns, None, line), {"error": no.as_json()})
            return
        self.lines.heard(line, ask.method)
        outcome = self._serve(ask)
        first = outcome is not SWALLOWED and self._exchange.notices_first()
        if first:
            self._exchange.tell()
            self.lines.greet(line)
        if outcome is not SWALLOWED:
            self._answer(ask, outcome)
        self.lines.greet(line)
        if line.is_ending:
            session.doom("too many requests")

    def _read(self, line: Line, text: str, came_ns: int) -> Ask:
        """The frame as a request of whoever sent it; an access token in its params speaks before the socket's login."""
        if len(text) > self._settings.max_frame or len(text.encode()) > self._settings.max_frame:
            raise Refused(codes.BAD_REQUEST, message="request entity too large")
        body = _decoded(text.encode())
        method, params = body.get("method"), body.get("params", {})
        if not isinstance(method, str) or not isinstance(params, dict) or not isinstance(body.get("id"), int | str | None):
            raise Refused(codes.BAD_REQUEST)
        return Ask(body.get("id"), method, params, line.session.peer, came_ns, line.caller, line)

    def serve_http(self, peer: str, request: HttpRequest) -> Reply:
        """One HTTP request: GET with the method in the path and a query, POST with all of it in a JSON body."""
        came_ns = self._exchange.clock_ns()
        ask = Ask(None, request.path, {}, peer, came_ns)
        try:
            ask = self._http_ask(peer, request, came_ns)
            outcome = self._serve(ask)
        except Refused as no:
            outcome = {"error": no.as_json()}
        if isinstance(outcome, Waiting):
            return outcome.fetch()
        return Reply(504, b"{}") if outcome is SWALLOWED else self._reply(ask, outcome)

    def _reply(self, ask: Ask, outcome: dict[str, Any]) -> Reply:
        text = self._answer(ask, outcome)
        error = outcome.get("error")
        status = 200 if error is None else 429 if error["code"] == codes.TOO_MANY_REQUESTS else 400
        return Reply(status, text.encode())

    def _http_ask(self, peer: str, request: HttpRequest, came_ns: int) -> Ask:
        if request.verb not in ("GET", "POST"):
            raise Refused(codes.REFUSED_REQUEST, "GET or POST only")
        id_, method, params = None, request.path, dict(parse_qsl(request.query, keep_blank_values=True))
        if request.verb == "POST" and request.body:
            if len(request.body) > self._settings.max_frame:
                raise Refused(codes.BAD_REQUEST, message="request entity too large")
            body = _decoded(request.body)
            id_ = body.get("id")
            method, params = body.get("method", ""), body.get("params", {})
        if not method or not isinstance(params, dict) or request.path not in ("", method):
            raise Refused(codes.REFUSED_REQUEST, "method missing, or not that of the path")
        caller = self._http_caller(request)
        return Ask(id_, method, params, peer, came_ns, caller)

    def _http_caller(self, request: HttpRequest) -> Caller | None:
        """By the Authorization header: a token, the secret itself, or a signature of the request."""
        kind, _, proof = request.headers.get("authorization", "").partition(" ")
        now_ns = self._exchange.clock_ns()
        if kind.lower() == "bearer":
            return self.clients.caller(proof.strip(), 0, now_ns)
        if kind.lower() == "basic":
            return self.clients.of_key(self.clients.key_of(*_basic(proof)), now_ns)
        if kind == "deri-hmac-sha256":
            fields = dict(part.strip().partition("=")[::2] for part in proof.split(","))
            query = f"?{request.query}" if request.query else ""
            uri = f"{self.rest_path}/{request.path}".rstrip("/") + query
            stamp, nonce = fields.get("ts", ""), fields.get("nonce", "")
            text = f"{stamp}\n{nonce}\n{request.verb}\n{uri}\n{request.body.decode(errors='replace')}\n"
            key = self.clients.check_signature(fields.get("id", ""), stamp, text, fields.get("sig", ""), now_ns)
            return self.clients.of_key(key, now_ns)
        return None

    # -- serving one request

    def _serve(self, ask: Ask) -> Any:
        """`result` or `error` of the answer, or SWALLOWED."""
        self._exchange.ledger.write(
            "request", session=ask.session_id, wallet=ask.owner, id=ask.id, method=ask.method, params=_redacted(ask.params)
        )
        fault = self._exchange.faults.request(ask.method)
        if fault is not None and not fault.executed:
            return SWALLOWED if fault.silent else self._faulty(ask, fault)
        outcome = self._outcome(ask, lambda: self._run(ask))
        if fault is not None:
            return SWALLOWED if fault.silent else self._faulty(ask, fault)
        return outcome

    def _faulty(self, ask: Ask, fault: RequestFault) -> dict[str, Any]:
        code = FAULT_CODES.get(fault.name, FAULT_CODES.get(fault.code, fault.code))
        message = fault.message if code == fault.code else ""
        if code == codes.TOO_MANY_REQUESTS:
            self._end(ask)
        return {"error": Refused(code, fault.detail or "", message=message).as_json()}

    def _outcome(self, ask: Ask, work: Callable[[], Any]) -> Any:
        try:
            result = work()
        except Refused as no:
            if no.code == codes.TOO_MANY_REQUESTS:
                self._end(ask)
            return {"error": no.as_json()}
        except Refusal as no:
            return {"error": refused(no).as_json()}
        except Exception as defect:
            self._exchange.note_defect(defect, ask.method)
            return {"error": Refused(codes.INTERNAL).as_json()}
        if isinstance(result, Held):
            return self._hold(ask, result)
        return result if result is SWALLOWED else {"result": result}

    def _end(self, ask: Ask) -> None:
        """Out of credits: the session ends once its answer is out."""
        if ask.line is not None and self._settings.ends_session_on_10028:
            ask.line.is_ending = True

    def _hold(self, ask: Ask, held: Held) -> Any:
        """The answer comes after the speed bump: a socket hears it then, an HTTP request waits for it."""
        waiting = Waiting(ask, held)
        self._waiting.update(dict.fromkeys(held.order_ids, waiting))
        return SWALLOWED if ask.line is not None else waiting

    def _run(self, ask: Ask) -> Any:
        caller = self._speaker(ask)
        method = self._methods.get(ask.method)
        self._charge(ask, caller)
        if method is None:
            raise Refused(codes.NO_METHOD)
        params = {name: value for name, value in ask.params.items() if name != "access_token"}
        fields = p.read(params, method.params, lax=ask.line is None)
        if isinstance(fields, p.MassQuote):
            self._charge_quotes(ask, caller, fields)
        return method.run(msgspec.structs.replace(ask, caller=caller), fields)

    def _speaker(self, ask: Ask) -> Caller | None:
        """Whose request it is; a token that is bad or too old is refused where one is needed."""
        now_ns = self._exchange.clock_ns()
        token = ask.params.get("access_token")
        if token is not None:
            return self.clients.caller(str(token), ask.session_id, now_ns)
        caller = ask.caller
        if caller is not None and caller.expires_ns <= now_ns:
            if ask.method.startswith("private/"):
                raise Refused(codes.UNAUTHORIZED, "token expired")
            return None
        return caller

    # -- credits

    def _charge(self, ask: Ask, caller: Caller | None) -> None:
        """By user after login, by address before; a mass quote over its rate is refused, anything else ends the session."""
        pool = pool_of(ask.method, ask.params)
        wait = self._rates.charge(self._exchange.clock_ns(), self._payer(ask, caller), pool)
        if wait is not None:
            raise Refused(codes.TOO_MANY_QUOTES if pool is Pool.MASS_QUOTE else codes.TOO_MANY_REQUESTS)

    def _charge_quotes(self, ask: Ask, caller: Caller | None, fields: p.MassQuote) -> None:
        count = sum((quote.bid is not None) + (quote.ask is not None) for quote in fields.quotes)
        wait = self._rates.charge(self._exchange.clock_ns(), self._payer(ask, caller), Pool.QUOTES, cost=count)
        if wait is not None:
            raise Refused(codes.TOO_MANY_QUOTES)

    @staticmethod
    def _payer(ask: Ask, caller: Caller | None) -> str:
        return str(caller.user_id) if caller is not None else ask.peer

    # -- answering

    def _answer(self, ask: Ask, outcome: dict[str, Any]) -> str:
        out_us, in_us = self._exchange.clock_ns() // 1000, ask.came_ns // 1000
        body = {
            "jsonrpc": "2.0",
            **({"id": ask.id} if ask.id is not None else {}),
            **outcome,
            "usIn": in_us,
            "usOut": out_us,
            "usDiff": out_us - in_us,
            "testnet": self._settings.testnet,
        }
        session = ask.line.session if ask.line is not None else None
        return self._exchange.answer(session, body, record=_redacted(body), id=ask.id, method=ask.method)

    # -- what the exchange calls

    def refuse_connection(self, session: Session) -> None:
        """The 33rd socket of an address; the venue turns it off before the upgrade, here it is told and closed."""
        line = self.lines.of(session)
        no = Refused(codes.TOO_MANY_REQUESTS, "too many connections")
        self._answer(Ask(None, "", {}, session.peer, self._exchange.clock_ns(), None, line), {"error": no.as_json()})

    def left(self, session: Session) -> None:
        self.lines.left(session)

    def shutting_down(self, orders_survive: bool) -> None:
        self.lines.pull_all()
        if not orders_survive:
            for user_id in self.clients.users:
                self._engine.cancel_owner(str(user_id))

    def lock(self, user_id: int, locked: bool) -> None:
        """Lock a user by hand: its orders stay, new ones are refused."""
        self.clients.users[user_id].is_locked = locked
        self.feeds.note_lock(user_id, locked)

    def announce(self, events: Iterable[ev.Event]) -> None:
        events = list(events)
        self.channels.announce(events)
        self.feeds.announce(events)
        for event in events:
            if isinstance(event, ev.OrderReleased):
                self._release(event)

    def _release(self, event: ev.OrderReleased) -> None:
        """An order's speed bump is over; the answer goes out when all its orders are through."""
        waiting = self._waiting.pop(event.order.order_id, None)
        if waiting is None:
            return
        waiting.outcomes[event.order.order_id] = event.refusal or Placed(event.order, event.fills)
        if len(waiting.outcomes) < len(waiting.held.order_ids):
            return
        outcomes = [waiting.outcomes[one] for one in waiting.held.order_ids]
        outcome = self._outcome(waiting.ask, lambda: waiting.held.finish(outcomes))
        if waiting.ask.line is None:
            waiting.reply = self._reply(waiting.ask, outcome)
        else:
            self._answer(waiting.ask, outcome)

    def publish(self, now_ns: int) -> None:
        self.channels.publish(now_ns)
        self.feeds.publish(now_ns)
        self.lines.publish(now_ns)

    def ready_facts(self) -> dict[str, Any]:
        """Key texts are `client_id:client_secret`; anybody can derive them from the seed."""
        accounts = [
            {
                "user_id": key.user.user_id,
                "client_id": key.client_id,
                "session_key": _key_text(key.client_id, key.secret),
                "read_only_key": _key_text(*_named(self.clients.read_only_key(key.user.user_id))),
            }
            for key in self.clients.test_keys
        ]
        live = [listing.instrument for listing in self._engine.live_listings()]
        expiries = sorted({one.expiry_s for one in live if one.expiry_s})
        return {
            "tier": self._settings.tier,
            **accounts[0],
            "accounts": accounts,
            "underlyings": sorted({one.underlying for one in live}),
            "expiries": [expiry_text(expiry) for expiry in expiries],
        }


def _named(key: Any) -> tuple[str, str]:
    return key.client_id, key.secret


def _key_text(client_id: str, secret: str) -> str:
    return f"{client_id}:{secret}"


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(data)
    except msgspec.DecodeError:
        raise Refused(codes.PARSE_ERROR) from None
    if not isinstance(body, dict):
        raise Refused(codes.BAD_REQUEST)
    return body


def _id_of(text: str) -> Any:
    """The id of a frame that is no sound request, where it can be read."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    id_ = found.get("id") if isinstance(found, dict) else None
    return id_ if isinstance(id_, int | str) else None


def _basic(proof: str) -> tuple[str, str]:
    try:
        client_id, _, secret = base64.b64decode(proof, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused(codes.BAD_CREDENTIALS) from None
    return client_id, secret


def _redacted(value: Any) -> Any:
    """The same without secrets, for the ledger; an object without any is itself."""
    if not isinstance(value, dict):
        return value
    if not any(name in value for name in SECRETS) and not isinstance(value.get("result"), dict):
        return value
    return {name: HIDDEN if name in SECRETS else _redacted(inner) for name, inner in value.items()}


def _harmless(text: str) -> str:
    """What is left of a garbled frame that may hold a secret."""
    return HIDDEN if any(word in text for word in SECRETS) else text[:2000]
