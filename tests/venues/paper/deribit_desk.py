"""A desk at the paper exchange's Deribit face: an exchange on a clock the test turns, and customers who log in.

Lists by hand an inverse call and put, the perpetual and a linear option; account 0 is the maker, 1 somebody else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine_stage import EXPIRY_S, deribit_option, deribit_perp
from face_desk import CallError, QuietVenue, Socket

from actors.trading.instruments import FeeSchedule, Instrument, OptionKind
from actors.venues.paper.deribit_face import DeribitFace
from actors.venues.paper.sessions import Reply
from actors.venues.paper.tickets import Reference

__all__ = ["CallError"]

NOW_S = EXPIRY_S - 20 * 86_400 + 3600
CALL, PUT, PERP, LINEAR = "ETH-18DEC26-2600-C", "ETH-18DEC26-2600-P", "ETH-PERPETUAL", "XRP_USDC-18DEC26-1d25-C"
POST = {"post_only": True, "reject_post_only": True}


def linear_option() -> Instrument:
    """XRP_USDC as recorded: tick 0.0005 USDC, a thousand coins the least."""
    return Instrument(
        LINEAR, "deribit", "XRP_USDC", Decimal("0.0005"), Decimal(1000), 1, 10_000, OptionKind.CALL, 1.25, EXPIRY_S,
        "xrp_usdc", deactivation_s=EXPIRY_S, fees=FeeSchedule(0.0003, 0.0003, 0.0, 0.125),
    )  # fmt: skip


class Venue(QuietVenue[DeribitFace]):
    def __init__(self, clock_ns: Callable[[], int] | None = None, **run: Any) -> None:
        super().__init__(DeribitFace, NOW_S, clock_ns, **{"venue": "deribit", "speed_bump_ms": 0, **run})

    def list_by_hand(self) -> None:
        self.engine.set_index("eth_usd", Decimal(2600))
        self.engine.set_index("xrp_usdc", Decimal("1.3"))
        put = deribit_option(PUT, OptionKind.PUT)
        for one in (deribit_option(CALL), put, deribit_perp(), linear_option()):
            self.engine.list_instrument(one)
        self.mark(CALL, "0.04")
        self.mark(PUT, "0.04", delta=-0.5)
        self.mark(PERP, "2600", delta=1.0, vega=0.0)
        self.mark(LINEAR, "0.1", forward=Decimal("1.3"))

    def mark(self, name: str, mark: str, **reference: Any) -> None:
        values: dict[str, Any] = {"forward": Decimal(2600), "mark_vol": 0.6, "delta": 0.5, "gamma": 0.001, "vega": 2.0}
        self.engine.set_reference(name, Reference(mark=Decimal(mark), **{**values, "theta": -3.0, **reference}))

    def client(self, account: int = 0, *, login: bool = True, scope: str = "") -> Client:
        one = Client(self, account)
        if login:
            one.login(scope)
        return one

    def http(self, verb: str, target: str, body: Any = b"", **headers: str) -> tuple[int, dict[str, Any]]:
        """One HTTP request; status and decoded body."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply: Reply = self.exchange.serve_http("127.0.0.1", verb, target, headers, raw)
        return reply.status, json.loads(reply.body)


class Client(Socket):
    """One socket of one account."""

    def __init__(self, venue: Venue, account: int = 0) -> None:
        super().__init__(venue.exchange, venue.clock_ns)
        self.venue = venue
        self.key = venue.face.clients.test_keys[account]
        self.user_id = self.key.user.user_id

    def login(self, scope: str = "", **more: Any) -> Any:
        given = {"client_id": self.key.client_id, "client_secret": self.key.secret, **({"scope": scope} if scope else {})}
        return self.call("public/auth", grant_type="client_credentials", **given, **more)

    def error(self, method: str, **params: Any) -> dict[str, Any]:
        """The error the call draws; fails when it succeeds."""
        answer = self.ask(method, **params)
        assert answer is not None, f"{method} was not answered"
        assert "error" in answer, answer
        return dict(answer["error"])

    def code(self, method: str, **params: Any) -> int:
        return int(self.error(method, **params)["code"])

    def buy(self, price: float | None = 0.03, amount: float = 5, instrument: str = CALL, **more: Any) -> dict[str, Any]:
        """A placed bid as the answer shows it."""
        return self._place("private/buy", price, amount, instrument, more)

    def sell(self, price: float | None = 0.05, amount: float = 5, instrument: str = CALL, **more: Any) -> dict[str, Any]:
        return self._place("private/sell", price, amount, instrument, more)

    def _place(self, method: str, price: float | None, amount: float, instrument: str, more: Any) -> dict[str, Any]:
        priced = {} if price is None else {"price": price}
        return dict(self.call(method, instrument_name=instrument, amount=amount, **priced, **more)["order"])

    def resting(self) -> list[str]:
        return [order["order_id"] for order in self.call("private/get_open_orders")]
