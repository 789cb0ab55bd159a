"""A stage for engine tests: one engine on a clock the test turns, a few instruments, a maker and the house."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any, TypeVar

import attrs
import pytest

from actors.trading.instruments import FeeSchedule, Instrument, LadderStep, Numeraire, OptionKind, Side
from actors.venues.paper.engine import Engine
from actors.venues.paper.events import Event
from actors.venues.paper.rules import VenueRules, deribit_rules, derive_rules
from actors.venues.paper.tickets import Order, OrderRequest, Placed, Reason, Reference, Refusal, TimeInForce

BID, ASK = Side.BID, Side.ASK
SECOND = 1_000_000_000
EXPIRY_S = 1_797_580_800
"""18 December 2026, 08:00 UTC."""
NOW_S = EXPIRY_S - 20 * 86_400 + 3600
MAKER, RIVAL, TAKER = 1, 900, 901
CALL, PUT, PERP = "ETH-20261218-2600-C", "ETH-20261218-2600-P", "ETH-PERP"
E = TypeVar("E", bound=Event)


def derive_option(name: str = CALL, strike: float = 2600.0, kind: OptionKind = OptionKind.CALL) -> Instrument:
    """ETH option as Derive lists it: tick 0.1, step 0.01, minimum 0.1, maximum 10000."""
    return Instrument(
        name, "derive", "ETH", Decimal("0.1"), Decimal("0.01"), 10, 1_000_000, kind, strike, EXPIRY_S, "ETH-USD",
        deactivation_s=EXPIRY_S - 60, fees=FeeSchedule(0.0001, 0.0003, 0.5, 0.125),
    )  # fmt: skip


def derive_perp() -> Instrument:
    return Instrument(
        PERP, "derive", "ETH", Decimal("0.01"), Decimal("0.001"), 100, 10_000_000, index_name="ETH-USD",
        fees=FeeSchedule(0.0001, 0.0003, 0.01, 0.0),
    )  # fmt: skip


def deribit_option(name: str = "ETH-18DEC26-2600-C", kind: OptionKind = OptionKind.CALL) -> Instrument:
    """Inverse ETH option: tick 0.0001, from 0.005 on 0.0005; whole coins."""
    return Instrument(
        name, "deribit", "ETH", Decimal("0.0001"), Decimal(1), 1, 100_000, kind, 2600.0, EXPIRY_S, "eth_usd",
        deactivation_s=EXPIRY_S, ladder=(LadderStep(50, 5),), numeraire=Numeraire.COIN,
        fees=FeeSchedule(0.0003, 0.0003, 0.0, 0.125),
    )  # fmt: skip


def deribit_perp() -> Instrument:
    """Inverse perpetual: the amount is US dollars, money is coin."""
    return Instrument(
        "ETH-PERPETUAL", "deribit", "ETH", Decimal("0.05"), Decimal(1), 1, 10_000_000, index_name="eth_usd",
        numeraire=Numeraire.COIN, fees=FeeSchedule(0.00015, 0.00035),
    )  # fmt: skip


@attrs.define
class Stage:
    rules: VenueRules
    now_ns: int = NOW_S * SECOND
    engine: Engine = attrs.field(init=False)
    nonce: int = 0
    seen: list[Event] = attrs.Factory(list)

    def __attrs_post_init__(self) -> None:
        self.engine = Engine(self.rules, lambda: self.now_ns, random.Random(7))
        self.engine.open_account(RIVAL, house=True)
        self.engine.open_account(TAKER, house=True)

    def maker(self, account_id: int = MAKER, owner: str = "0xmaker", cash: str = "100000", currency: str = "USDC") -> None:
        self.engine.open_account(account_id, owner=owner, cash={currency: Decimal(cash)})

    def list(self, instrument: Instrument, mark: str = "100", **reference: Any) -> None:
        self.engine.list_instrument(instrument)
        self.mark(instrument.name, mark, **reference)

    def mark(self, name: str, mark: str, **reference: Any) -> None:
        values: dict[str, Any] = {"forward": Decimal(2600), "mark_vol": 0.6, "delta": 0.5, "vega": 2.0, **reference}
        self.engine.set_reference(name, Reference(mark=Decimal(mark), **values))

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)

    def request(self, side: Side, price: int | None, amount: int, instrument: str = CALL, **fields: Any) -> OrderRequest:
        """A sound order of the maker: fresh nonce, ten minutes of life, a fee cap that always holds."""
        self.nonce += 1
        fields = {"nonce": self.now_ns + self.nonce, "signer": "0xkey", "max_fee": Decimal(1000), **fields}
        fields.setdefault("signature_expiry_s", self.now_ns // SECOND + 600)
        if not self.rules.needs_nonce:
            fields.update(nonce=0, signature_expiry_s=0, max_fee=None)
        return OrderRequest(instrument=instrument, side=side, amount=amount, price=price, **fields)

    def put(self, side: Side, price: int | None, amount: int, account: int = MAKER, **fields: Any) -> Placed:
        return self.engine.place(account, self.request(side, price, amount, **fields))

    def house(self, side: Side, price: int, amount: int, account: int = RIVAL, **fields: Any) -> Order:
        return self.put(side, price, amount, account, signature_expiry_s=0, max_fee=None, nonce=0, **fields).order

    def hit(self, side: Side, price: int, amount: int, instrument: str = CALL) -> Placed:
        """A house taker's immediate-or-cancel."""
        request = self.request(side, price, amount, instrument, tif=TimeInForce.IOC, nonce=0, max_fee=None)
        return self.engine.place(TAKER, request)

    def told(self, kind: type[E]) -> list[E]:
        """The events of one kind since the last call of `told` or `forget`."""
        self.seen += self.engine.drain()
        found = [event for event in self.seen if isinstance(event, kind)]
        self.seen = [event for event in self.seen if not isinstance(event, kind)]
        return found

    def forget(self) -> None:
        self.engine.drain()
        self.seen.clear()

    def book(self, name: str = CALL) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        book = self.engine.listing(name).book
        return book.levels(BID), book.levels(ASK)


def derive_stage(*, cash: str = "100000", **rules: Any) -> Stage:
    """Call, put and perpetual at an index of 2600, marks at 100 (1000 ticks), maker with cash."""
    stage = Stage(attrs.evolve(derive_rules(), **rules))
    stage.engine.set_index("ETH-USD", Decimal(2600))
    stage.list(derive_option())
    stage.list(derive_option(PUT, kind=OptionKind.PUT), delta=-0.5)
    stage.list(derive_perp(), "2600", delta=1.0, vega=0.0)
    stage.maker(cash=cash)
    stage.forget()
    return stage


def deribit_stage(*, cash: str = "1000", **rules: Any) -> Stage:
    """An inverse call at 0.04 (400 ticks) and the perpetual, index 2600, maker with coin."""
    stage = Stage(attrs.evolve(deribit_rules(), **rules))
    stage.engine.set_index("eth_usd", Decimal(2600))
    stage.list(deribit_option(), "0.04")
    stage.list(deribit_perp(), "2600", delta=1.0, vega=0.0)
    stage.maker(cash=cash, currency="ETH")
    stage.forget()
    return stage


def refused(reason: Reason) -> Any:
    """`with refused(Reason.X) as info:` a refusal of exactly that reason."""
    return pytest.raises(Refusal, match=f"^{reason.value}")
