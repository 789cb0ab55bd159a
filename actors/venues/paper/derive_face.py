"""The Derive face of the paper exchange: JSON-RPC text in, answers and notices out.

Owns the envelope, the table of methods, login and who may call what at which rate. The work is done by `DeriveOrders`,
`DeriveAccounts`, `DeriveMarket` and `DeriveChannels`; matching by the engine. Never awaits. Invariant: every request gets
exactly one answer (unless a fault swallows it), and what went wrong is a code of `derive_errors`, never a silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import attrs
import msgspec

from actors.trading.svi import SviSlice
from actors.venues.derive.sites import PAPER_CHAIN
from actors.venues.paper import derive_errors as codes
from actors.venues.paper import derive_params as p
from actors.venues.paper import events as ev
from actors.venues.paper.derive_accounts import DeriveAccounts
from actors.venues.paper.derive_channels import DeriveChannels
from actors.venues.paper.derive_errors import Refused, refused
from actors.venues.paper.derive_feeds import DeriveFeeds
from actors.venues.paper.derive_market import DeriveMarket
from actors.venues.paper.derive_orders import DeriveOrders, Held
from actors.venues.paper.derive_shapes import date_text
from actors.venues.paper.derive_signatures import VERIFYING_CONTRACT, domain_separator
from actors.venues.paper.derive_wallets import Caller, Wallets
from actors.venues.paper.exchange import Exchange
from actors.venues.paper.faults import RequestFault, S
from actors.venues.paper.rates import Pool, RateBook, derive_rates
from actors.venues.paper.sessions import HttpRequest, Reply, Session
from actors.venues.paper.tickets import Placed, Refusal

NO_REST = ("subscribe", "unsubscribe", "private/set_cancel_on_disconnect", "public/login")


@attrs.define
class DeriveSettings:
    chain_id: int = PAPER_CHAIN
    tier: str = "market_maker"
    strict_params: bool = True
    """Unknown fields in params are refused."""
    login_window_s: int = 600


class Envelope(msgspec.Struct):
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: int | str | None = None


class IdOnly(msgspec.Struct):
    id: int | str | None = None


class Ask(msgspec.Struct, frozen=True):
    """One request on its way through the face. `caller` None: not logged in."""

    id: int | str | None
    method: str
    params: msgspec.Raw
    session: Session | None
    peer: str
    caller: Caller | None


class Method(NamedTuple):
    params: type[msgspec.Struct]
    run: Callable[[Ask, Any], Any]
    pool: Pool = Pool.NON_MATCHING


SWALLOWED = object()
"""An answer that a fault took."""


class DeriveFace:
    venue = "derive"
    ws_path = "/v3/ws"
    rest_path = "/v3"

    def __init__(self, exchange: Exchange, settings: DeriveSettings, rates: RateBook | None = None) -> None:
        self._exchange = exchange
        self._engine = exchange.engine
        self._settings = settings
        self._rates = rates or derive_rates(settings.tier)
        clock = exchange.clock_ns
        self.wallets = Wallets(settings.login_window_s)
        self.market = DeriveMarket(self._engine, clock)
        self.feeds = DeriveFeeds(self._engine, clock, self._svi)
        self.channels = DeriveChannels(exchange, self.market, self.feeds)
        self.accounts = DeriveAccounts(self._engine, self.wallets, clock, settings.tier)
        self.orders = DeriveOrders(self._engine, self.wallets, domain_separator(settings.chain_id), clock)
        self._methods = self._public_methods() | self._private_methods() | self._order_methods()
        self._held: dict[str, tuple[Ask, Held]] = {}
        self._rest_count = 0

    # -- the table

    def _public_methods(self) -> dict[str, Method]:
        market, feeds = self.market, self.feeds

        def public(params: type[msgspec.Struct], run: Callable[[Any], Any]) -> Method:
            return Method(params, lambda ask, fields: run(fields))

        return {
            "public/login": Method(p.Login, self._login),
            "subscribe": Method(p.Channels, self._subscribe),
            "unsubscribe": Method(p.Channels, self._unsubscribe),
            "public/getRateLimits": Method(p.Empty, self._rate_limits),
            "public/get_time": public(p.Empty, market.time),
            "public/get_live_incidents": public(p.Empty, market.incidents),
            "public/get_all_instruments": public(p.ListInstruments, market.instruments),
            "public/get_instrument": public(p.ByInstrument, market.instrument),
            "public/get_all_live_instruments": public(p.Empty, market.live_names),
            "public/get_ticker": public(p.ByInstrument, market.ticker),
            "public/get_tickers": public(p.GetTickers, market.tickers),
            "public/get_all_currencies": public(p.Empty, feeds.currencies),
            "public/get_currency": public(p.ByCurrency, feeds.currency),
            "public/get_risk_universes": public(p.Empty, feeds.universes),
            "public/get_latest_signed_feeds": public(p.GetFeeds, feeds.feeds),
            "public/get_option_settlement_prices": public(p.ByCurrency, feeds.settlement_prices),
            "public/get_trade_history": public(p.PublicTrades, market.trades),
        }

    def _private_methods(self) -> dict[str, Method]:
        desk = self.accounts

        def private(params: type[msgspec.Struct], run: Callable[[Caller, Any], Any]) -> Method:
            return Method(params, lambda ask, fields: run(self._caller(ask), fields))

        return {
            "private/get_open_orders": private(p.BySubaccount, desk.open_orders),
            "private/get_trigger_orders": private(p.BySubaccount, desk.no_orders),
            "private/get_algo_orders": private(p.BySubaccount, desk.no_algo_orders),
            "private/get_order": private(p.GetOrder, desk.order),
            "private/get_order_history": private(p.OrderHistory, desk.order_history),
            "private/get_trade_history": private(p.TradeHistory, desk.trade_history),
            "private/get_positions": private(p.BySubaccount, desk.positions),
            "private/get_collaterals": private(p.BySubaccount, desk.collaterals),
            "private/get_subaccount": private(p.BySubaccount, desk.subaccount),
            "private/get_subaccounts": private(p.ByWallet, desk.subaccounts),
            "private/get_account": private(p.ByWallet, desk.account),
            "private/get_margin": private(p.GetMargin, desk.margin),
            "private/session_keys": private(p.ByWallet, desk.session_keys),
            "private/set_cancel_on_disconnect": private(p.SetCancelOnDisconnect, desk.set_cancel_on_disconnect),
            "private/set_mmp_config": private(p.SetMmp, desk.set_mmp),
            "private/get_mmp_config": private(p.MmpScope, desk.mmp),
            "private/reset_mmp": private(p.MmpScope, desk.reset_mmp),
        }

    def _order_methods(self) -> dict[str, Method]:
        desk = self.orders

        def order(params: type[msgspec.Struct], run: Callable[[Caller, Any], Any], pool: Pool = Pool.MATCHING) -> Method:
            return Method(params, lambda ask, fields: run(self._caller(ask), fields), pool)

        return {
            "private/order": order(p.OrderFields, desk.place),
            "private/replace": order(p.ReplaceFields, desk.replace),
            "private/cancel": order(p.Cancel, desk.cancel),
            "private/cancel_by_nonce": order(p.CancelByNonce, desk.cancel_by_nonce),
            "private/cancel_by_label": order(p.CancelByLabel, desk.cancel_by_label),
            "private/cancel_by_instrument": order(p.CancelByInstrument, desk.cancel_by_instrument),
            "private/cancel_all": order(p.CancelAll, desk.cancel_all, Pool.CANCEL_ALL),
            "private/order_debug": order(p.OrderFields, desk.debug, Pool.NON_MATCHING),
            "private/order_quote": order(p.OrderFields, desk.quote, Pool.NON_MATCHING),
        }

    # -- hearing

    def hear(self, session: Session, text: str) -> None:
        if text.strip() == "ping":
            self._exchange.deliver(session, "pong")
            return
        try:
            envelope = msgspec.json.decode(text, type=Envelope)
        except msgspec.DecodeError as wrong:
            self._garbled(session, text, wrong)
            return
        ask = Ask(envelope.id, envelope.method, envelope.params, session, session.peer, session.account)
        body = self._serve(ask)
        if body is not SWALLOWED:
            self._exchange.answer(session, body, id=ask.id, method=ask.method)

    def serve_http(self, peer: str, request: HttpRequest) -> Reply:
        """One REST request: the same methods by POST, with the signed headers in place of a login.

        The answer's id is the venue's own, since the request has none.
        """
        path, body = request.path, request.body
        if request.verb != "POST":
            return Reply(405, b'{"message":"POST only"}')
        self._rest_count += 1
        id_ = f"{self._rest_count:08x}-0000-4000-8000-000000000000"
        try:
            caller = self._rest_caller(path, request.headers)
            if path in NO_REST or not path.startswith(("public/", "private/")):
                raise Refused(codes.NO_METHOD, path)
            msgspec.json.decode(body or b"{}", type=dict[str, msgspec.Raw])
        except msgspec.DecodeError as wrong:
            answer: Any = {"id": id_, "error": Refused(codes.PARSE_ERROR, str(wrong)).as_json()}
        except Refused as no:
            answer = {"id": id_, "error": no.as_json()}
        else:
            answer = self._serve(Ask(id_, path, msgspec.Raw(body or b"{}"), None, peer, caller))
        if answer is SWALLOWED:
            return Reply(504, b"{}")
        text = self._exchange.answer(None, answer, id=id_, method=path)
        return Reply(200, text.encode())

    def _rest_caller(self, path: str, headers: dict[str, str]) -> Caller | None:
        if not path.startswith("private/"):
            return None
        names = ("x-derivewallet", "x-derivetimestamp", "x-derivesignature")
        missing = [name for name in names if not headers.get(name)]
        if missing:
            raise Refused(codes.NO_WALLET, f"missing header {missing[0]}")
        wallet, timestamp, signature = (headers[name] for name in names)
        return self.wallets.caller(wallet, timestamp, signature, self._exchange.clock_ns())

    def _garbled(self, session: Session, text: str, wrong: msgspec.DecodeError) -> None:
        """Not JSON (-32700), or JSON that is no request (-32600, with the id if it can be read)."""
        self._exchange.ledger.write("garbled", session=session.id, text=text[:2000])
        code = codes.BAD_REQUEST if isinstance(wrong, msgspec.ValidationError) else codes.PARSE_ERROR
        id_ = None
        if code == codes.BAD_REQUEST:
            try:
                id_ = msgspec.json.decode(text, type=IdOnly).id
            except msgspec.DecodeError:
                id_ = None
        self._exchange.answer(session, {"id": id_, "error": Refused(code, str(wrong)).as_json()}, id=id_, method="")

    # -- serving one request

    def _serve(self, ask: Ask) -> Any:
        """The whole answer, or SWALLOWED. Notices of what was done go out before or after it, as the settings say."""
        self._exchange.ledger.write(
            "request",
            session=ask.session.id if ask.session else 0,
            wallet=ask.caller.wallet.address if ask.caller else None,
            id=ask.id,
            method=ask.method,
            params=_readable(ask.params),
        )
        fault = self._exchange.faults.request(ask.method)
        if fault is not None and not fault.executed:
            return SWALLOWED if fault.silent else {"id": ask.id, "error": _fault_error(fault)}
        answer = self._outcome(ask, lambda: self._run(ask))
        if fault is not None:
            return SWALLOWED if fault.silent else {"id": ask.id, "error": _fault_error(fault)}
        if answer is not SWALLOWED and self._exchange.notices_first():
            self._exchange.tell()
        return answer

    def _outcome(self, ask: Ask, work: Callable[[], Any]) -> Any:
        try:
            result = work()
        except Refused as no:
            return {"id": ask.id, "error": no.as_json()}
        except Refusal as no:
            return {"id": ask.id, "error": refused(no).as_json()}
        except Exception as defect:
            self._exchange.note_defect(defect, ask.method)
            return {"id": ask.id, "error": Refused(codes.INTERNAL).as_json()}
        if isinstance(result, Held):
            if ask.session is not None:
                self._held[result.order_id] = (ask, result)
                return SWALLOWED
            pending = self._engine.order(p.read(ask.params, p.OrderFields, strict=False).subaccount_id, result.order_id)
            result = result.finish(Placed(pending))
        return {"id": ask.id, "result": result}

    def _run(self, ask: Ask) -> Any:
        method = self._methods.get(ask.method)
        if method is None:
            raise Refused(codes.NO_METHOD, ask.method)
        fields = p.read(ask.params, method.params, strict=self._settings.strict_params)
        subaccount_id = getattr(fields, "subaccount_id", None)
        if ask.method.startswith("private/"):
            caller = self._caller(ask)
            if subaccount_id is not None:
                caller.owns(subaccount_id)
        self._charge(ask, method.pool, fields)
        return method.run(ask, fields)

    def _caller(self, ask: Ask) -> Caller:
        if ask.caller is None:
            raise Refused(codes.NO_WALLET)
        return ask.caller

    def _charge(self, ask: Ask, pool: Pool, fields: msgspec.Struct) -> None:
        """By wallet after login, by address before; matching requests also by instrument."""
        who = ask.caller.wallet.address if ask.caller is not None else ask.peer
        instrument = getattr(fields, "instrument_name", None) or ""
        if isinstance(fields, p.CancelByLabel) and not instrument:
            pool = Pool.CANCEL_LABEL
        wait = self._rates.charge(
            self._exchange.clock_ns(), who, pool, instrument if pool is Pool.MATCHING else "", cost=1
        )
        if wait is not None:
            raise Refused(codes.RATE_LIMIT, f"Retry after {wait.ms} ms")

    # -- methods of the connection itself

    def _login(self, ask: Ask, fields: p.Login) -> list[int]:
        caller = self.wallets.caller(fields.wallet, fields.timestamp, fields.signature, self._exchange.clock_ns())
        if ask.session is not None:
            ask.session.account = caller
            self._exchange.ledger.write("login", session=ask.session.id, wallet=caller.wallet.address)
        return list(caller.wallet.subaccounts)

    def _subscribe(self, ask: Ask, fields: p.Channels) -> dict[str, Any]:
        assert ask.session is not None
        return self.channels.subscribe(ask.session, ask.caller, fields)

    def _unsubscribe(self, ask: Ask, fields: p.Channels) -> dict[str, Any]:
        assert ask.session is not None
        return self.channels.unsubscribe(ask.session, ask.caller, fields)

    def _rate_limits(self, ask: Ask, fields: p.Empty) -> dict[str, Any]:
        who = ask.caller.wallet.address if ask.caller is not None else ask.peer
        now = self._exchange.clock_ns()

        def points(pool: Pool) -> dict[str, Any]:
            state = self._rates.state(now, who, pool)
            return {
                "consumedPoints": state.consumed,
                "remainingPoints": state.remaining,
                "msBeforeNext": state.next_ms,
                "isFirstInDuration": state.consumed == 0,
            }

        return {
            "remaining_matching": points(Pool.MATCHING),
            "remaining_non_matching": points(Pool.NON_MATCHING),
            "remaining_per_endpoint": {
                "private/cancel_all": points(Pool.CANCEL_ALL),
                "private/cancel_by_label": points(Pool.CANCEL_LABEL),
            },
            "remaining_connections": None,
        }

    def _svi(self, underlying: str, expiry_s: int) -> SviSlice | None:
        world = self._exchange.world
        return None if world is None else world.svi(underlying, expiry_s)

    # -- what the exchange calls

    def refuse_connection(self, session: Session) -> None:
        error = Refused(codes.TOO_MANY_SOCKETS).as_json()
        self._exchange.answer(session, {"id": None, "error": error}, id=None, method="")

    def left(self, session: Session) -> None:
        """Any logged-in socket's drop fires the wallet's cancel-on-disconnect, late if a fault says so."""
        caller: Caller | None = session.account
        if caller is None or not caller.wallet.cancel_on_disconnect or self._exchange.is_stopped:
            return
        late_s = self._exchange.faults.late_cancel_s
        if late_s:
            self._exchange.faults.note("late_cancel", session=session.id, seconds=late_s)
            due = self._exchange.clock_ns() + round(late_s * S)
            self._exchange.at(due, lambda: self._pull(caller, session.id))
        else:
            self._pull(caller, session.id)

    def _pull(self, caller: Caller, session_id: int) -> None:
        gone = self._engine.cancel_owner(caller.wallet.address)
        self._exchange.ledger.write(
            "cancel_on_disconnect", session=session_id, wallet=caller.wallet.address, orders=len(gone)
        )
        self._exchange.tell()

    def shutting_down(self, orders_survive: bool) -> None:
        """A server's end pulls the orders of wallets with cancel-on-disconnect, and all when told that none survive."""
        for wallet in self.wallets.by_address.values():
            if wallet.cancel_on_disconnect or not orders_survive:
                self._engine.cancel_owner(wallet.address)

    def announce(self, events: Iterable[ev.Event]) -> None:
        events = list(events)
        for event in events:
            if isinstance(event, ev.OrderReleased):
                self._release(event)
        self.channels.announce(events)

    def _release(self, event: ev.OrderReleased) -> None:
        """The speed bump is over: the held answer goes out."""
        found = self._held.pop(event.order.order_id, None)
        if found is None:
            return
        ask, held = found
        outcome = event.refusal if event.refusal is not None else Placed(event.order, event.fills)
        body = self._outcome(ask, lambda: held.finish(outcome))
        if ask.session is not None:
            self._exchange.answer(ask.session, body, id=ask.id, method=ask.method)

    def publish(self, now_ns: int) -> None:
        self.channels.publish(now_ns)

    def ready_facts(self) -> dict[str, Any]:
        expiries = sorted({one.instrument.expiry_s for one in self._engine.live_listings() if one.instrument.expiry_s})
        accounts = [
            {
                "wallet": one.wallet,
                "subaccount_id": one.subaccount_id,
                "session_key": one.session_key,
                "session_address": one.session_address,
                "owner_key": one.owner_key,
            }
            for one in self.wallets.credentials
        ]
        return {
            "chain_id": self._settings.chain_id,
            "verifying_contract": VERIFYING_CONTRACT,
            "domain_separator": "0x" + domain_separator(self._settings.chain_id).hex(),
            "tier": self._settings.tier,
            **accounts[0],
            "accounts": accounts,
            "underlyings": self.feeds.underlyings(),
            "expiries": [date_text(expiry) for expiry in expiries],
        }


def _readable(raw: msgspec.Raw) -> Any:
    """Params for the ledger; what is no JSON stays text."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return bytes(raw).decode(errors="replace")


def _fault_error(fault: RequestFault) -> dict[str, Any]:
    return Refused(fault.code, fault.detail, fault.message).as_json()
