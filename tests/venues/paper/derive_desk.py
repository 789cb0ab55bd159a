"""A Derive exchange without a world or a socket, and a client of it that signs with eth-account.

Instruments and prices are set by hand and the clock stands still until moved: what happens is what the test does.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from derive_signer import sign_login, sign_order
from face_desk import CallError, QuietVenue, Socket

from actors.trading.instruments import FeeSchedule, Instrument, OptionKind
from actors.venues.paper.derive_face import PAPER_CHAIN, DeriveFace
from actors.venues.paper.derive_signatures import OrderAction
from actors.venues.paper.listings import Reference

__all__ = ["CallError"]

NOW_S = 1_766_000_000
EXPIRY_S = 1_766_736_000  # 26 December 2025, 08:00 UTC
ETH_OPTION = "0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4"
CALL = "ETH-20251226-3000-C"
PUT = "ETH-20251226-3000-P"
PERP = "ETH-PERP"


def option(strike: int, kind: OptionKind) -> Instrument:
    return Instrument(
        name=f"ETH-20251226-{strike}-{kind.value}",
        venue="derive",
        underlying="ETH",
        tick=Decimal("0.1"),
        amount_step=Decimal("0.01"),
        min_amount=10,
        max_amount=1_000_000,
        kind=kind,
        strike=float(strike),
        expiry_s=EXPIRY_S,
        index_name="ETH-USD",
        activation_s=NOW_S - 86_400,
        deactivation_s=EXPIRY_S - 60,
        fees=FeeSchedule(0.0001, 0.0003, 0.5, 0.125),
        asset_address=ETH_OPTION,
        sub_id=EXPIRY_S + ((strike * 10**8) << 32) + ((1 << 95) if kind is OptionKind.CALL else 0),
    )


def perpetual() -> Instrument:
    return Instrument(
        name=PERP,
        venue="derive",
        underlying="ETH",
        tick=Decimal("0.01"),
        amount_step=Decimal("0.001"),
        min_amount=100,
        max_amount=10_000_000,
        index_name="ETH-USD",
        activation_s=NOW_S - 86_400,
        fees=FeeSchedule(0.0001, 0.0003, 0.01),
        asset_address="0xAf65752C4643E25C02F693f9D4FE19cF23a095E3",
    )


class Venue(QuietVenue[DeriveFace]):
    """Two options and the perpetual, an index of 3000, marks of 100; account 0 is the maker, 1 somebody else."""

    def __init__(self, clock_ns: Callable[[], int] | None = None, **run: Any) -> None:
        super().__init__(DeriveFace, NOW_S, clock_ns, **run)

    def list_by_hand(self) -> None:
        self.engine.set_index("ETH-USD", Decimal(3000))
        for one in (option(3000, OptionKind.CALL), option(3000, OptionKind.PUT), perpetual()):
            self.engine.list_instrument(one)
        for name, mark in ((CALL, "100"), (PUT, "100"), (PERP, "3000")):
            self.mark(name, mark)

    def mark(self, name: str, mark: str) -> None:
        self.engine.set_reference(
            name,
            Reference(mark=Decimal(mark), forward=Decimal(3010), mark_vol=0.6, delta=0.5, gamma=0.001, vega=1.0, theta=-3.0),
        )

    def client(self, account: int = 0, *, login: bool = True, owner: bool = False) -> Client:
        one = Client(self, account, owner)
        if login:
            one.login()
        return one


class Signer:
    """One account's keys: logins and orders, signed; sends nothing."""

    def __init__(self, venue: Venue, account: int = 0, owner: bool = False) -> None:
        self.venue = venue
        self.account = venue.face.wallets.credentials[account]
        self.key = self.account.owner_key if owner else self.account.session_key
        self.signer = self.account.wallet if owner else self.account.session_address
        self.subaccount = self.account.subaccount_id
        self._nonce = venue.clock_ns()

    def login_params(self) -> dict[str, Any]:
        timestamp = self.venue.clock_ns() // 1_000_000
        return {"wallet": self.account.wallet, "timestamp": timestamp, "signature": sign_login(self.key, timestamp)}

    def headers(self) -> dict[str, str]:
        """The signed headers of a REST request."""
        login = self.login_params()
        return {
            "X-DeriveWallet": login["wallet"],
            "X-DeriveTimestamp": str(login["timestamp"]),
            "X-DeriveSignature": login["signature"],
        }

    def nonce(self) -> str:
        self._nonce += 1_000
        return str(self._nonce)

    def signed(
        self, direction: str = "buy", price: str = "99", amount: str = "1", instrument: str = CALL, **fields: Any
    ) -> dict[str, Any]:
        """A whole signed order; `fields` are set before signing, so a changed one is signed too."""
        listing = self.venue.engine.listing(instrument).instrument
        order: dict[str, Any] = {
            "subaccount_id": self.subaccount,
            "instrument_name": instrument,
            "direction": direction,
            "amount": amount,
            "limit_price": price,
            "max_fee": "1000",
            "nonce": self.nonce(),
            "signature_expiry_sec": self.venue.clock_ns() // 1_000_000_000 + 600,
            "signer": self.signer,
            "time_in_force": "post_only",
            "label": "run-1",
            **fields,
        }
        action = OrderAction(
            subaccount_id=order["subaccount_id"],
            nonce=int(order["nonce"]),
            expiry_s=order["signature_expiry_sec"],
            owner=self.account.wallet,
            signer=order["signer"],
            asset=listing.asset_address,
            sub_id=listing.sub_id,
            limit_price=Decimal(order["limit_price"]),
            amount=Decimal(order["amount"]),
            max_fee=Decimal(order["max_fee"]),
            is_bid=direction == "buy",
        )
        return {**order, "signature": sign_order(self.key, PAPER_CHAIN, action)}


class Client(Signer, Socket):
    """One socket of one account."""

    def __init__(self, venue: Venue, account: int = 0, owner: bool = False) -> None:
        Signer.__init__(self, venue, account, owner)
        Socket.__init__(self, venue.exchange, venue.clock_ns)

    def code(self, method: str, **params: Any) -> int:
        """The error code the call draws; 0 when it succeeds."""
        try:
            self.call(method, **params)
        except CallError as error:
            return error.code
        return 0

    def login(self, **changes: Any) -> Any:
        return self.call("public/login", **{**self.login_params(), **changes})

    def place(self, *args: Any, **fields: Any) -> dict[str, Any]:
        """Place an order and return it as the answer shows it."""
        return dict(self.call("private/order", **self.signed(*args, **fields))["order"])

    def resting(self) -> list[dict[str, Any]]:
        return list(self.call("private/get_open_orders", subaccount_id=self.subaccount)["orders"])
