"""Ledger rows as the paper exchange writes them, for doctoring: a clean little day of one maker, row by row."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from actors.rehearsal.judge import Claim, Terms

ACCOUNT, WALLET, NAME = 30_001, "0xA6", "ETH-20261127-3000-C"
LABEL = "sm-main-cell0-r1"
T0 = 1_795_338_000_000_000_000
Row = dict[str, Any]


@attrs.define
class Book:
    """Writes rows; every method is one thing that happened, a tenth of a second after the last."""

    rows: list[Row] = attrs.field(factory=list)
    now: int = T0
    orders: int = 0

    def write(self, kind: str, **body: Any) -> Row:
        row = {"n": len(self.rows), "t": self.now, "w": self.now, "kind": kind, **body}
        self.rows.append(row)
        return row

    def later(self, seconds: float = 0.1) -> Book:
        self.now += round(seconds * 1e9)
        return self

    def opening(self) -> Book:
        """Two connections, the listing, a login, the first reading of the fills."""
        self.write("ledger", version=1, venue="derive", seed=1)
        self.write("open", session=1, peer="stage-1")
        self.write("open", session=2, peer="stage-2")
        listed = {"instrument_name": NAME, "tick_size": "0.1", "amount_step": "0.01"}
        self.answer(1, "public/get_all_instruments", result={"instruments": [listed]})
        self.write("login", session=2, wallet=WALLET)
        self.request(2, "private/get_trade_history", {"subaccount_id": ACCOUNT})
        return self.market()

    def market(self, bid: str = "90.0", ask: str = "95.0") -> Book:
        self.later()
        data = {"instrument_name": NAME, "timestamp": self.now // 10**6, "bids": [[bid, "5"]], "asks": [[ask, "5"]]}
        for channel, body in ((f"orderbook.{NAME}.1.10", data), ("spot_feed.ETH", {})):
            self.write("notice", channel=channel, sessions=[1], body={"params": {"channel": channel, "data": body}})
        return self

    def request(self, session: int, method: str, params: Row) -> Row:
        return self.write("request", session=session, wallet=WALLET, id=len(self.rows), method=method, params=params)

    def answer(self, session: int, method: str, *, result: Any = None, code: int = 0) -> Row:
        body = {"error": {"code": code, "message": "no"}} if code else {"result": result}
        return self.write("answer", session=session, id=len(self.rows), method=method, body=body)

    def asks(self, side: str = "buy", price: str = "91.0", amount: str = "0.20", **changes: Any) -> Row:
        """The request for an order of ours."""
        params = {
            "direction": side,
            "instrument_name": NAME,
            "limit_price": price,
            "amount": amount,
            "time_in_force": "post_only",
            "reject_timestamp": self.now // 10**6 + 1000,
            "nonce": str(self.now // 1000 * 1000 + 10),
            "label": LABEL,
        }
        return self.request(2, "private/order", {**params, **changes})

    def order(self, order_id: str, status: str = "open", *, label: str = LABEL, **changes: Any) -> Row:
        body = {
            "account": ACCOUNT,
            "order_id": order_id,
            "instrument": NAME,
            "side": "bid",
            "price": "91.0",
            "amount": "0.20",
            "filled": "0.00",
            "status": status,
            "reason": "user_request" if status == "cancelled" else "",
            "label": label,
        }
        return self.write("order", **{**body, **changes})

    def rests(self, order_id: str, side: str = "bid", price: str = "91.0", amount: str = "0.20") -> Book:
        """Asked for and taken."""
        self.asks("buy" if side == "bid" else "sell", price, amount)
        self.order(order_id, side=side, price=price, amount=amount)
        return self.later()

    def fill(self, order_id: str, amount: str = "0.20", *, side: str = "bid", maker: int = ACCOUNT, taker: int = 9) -> Book:
        both = {"trade_id": f"t{len(self.rows)}", "instrument": NAME, "price": "91.0", "amount": amount, "fee": "0.01"}
        other = "ask" if side == "bid" else "bid"
        ours = LABEL if maker == ACCOUNT else ""
        self.write("fill", account=maker, order_id=order_id, side=side, role="maker", label=ours, **both)
        taken = LABEL if taker == ACCOUNT else ""
        self.write("fill", account=taker, order_id="x", side=other, role="taker", label=taken, **both)
        return self.later()

    def fault(self, kind: str, **facts: Any) -> Row:
        return self.write("fault", fault=kind, **facts)


def terms(**changes: Any) -> Terms:
    usual: dict[str, Any] = {
        "account": ACCOUNT,
        "ours": "sm-main-",
        "cell": "sm-main-cell0-",
        "max_position": Decimal("0.4"),
        "max_exposure": Decimal("0.4"),
        "max_book_age_s": 2.0,
        "max_index_age_s": 3.0,
    }
    return Terms(**{**usual, **changes})


def claim(at_ns: int, position: str = "0.20", fees: str = "0.01", fills: int = 1) -> Claim:
    return Claim(at_ns, LABEL, ("stage-1", "stage-2"), {NAME: Decimal(position)}, Decimal(fees), fills)
