"""What must hold whatever is sent: books never cross, amounts and money are conserved, one final state an order."""

from __future__ import annotations

import contextlib
import random
from decimal import Decimal
from typing import Any

import pytest
from engine_stage import (
    ASK,
    BID,
    CALL,
    MAKER,
    PERP,
    PUT,
    RIVAL,
    SECOND,
    TAKER,
    Stage,
    deribit_option,
    deribit_stage,
    derive_stage,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.trading.instruments import Side
from actors.venues.paper.events import BalanceChanged, OrderChanged, Traded
from actors.venues.paper.mmp import MmpConfig
from actors.venues.paper.tickets import EditRequest, Order, OrderType, Refusal, TimeInForce

INVERSE, INVERSE_PERP = deribit_option().name, "ETH-PERPETUAL"
OTHER = 2
ACCOUNTS = [MAKER, OTHER, RIVAL, TAKER]

place = st.fixed_dictionaries(
    {
        "account": st.sampled_from(ACCOUNTS),
        "which": st.integers(0, 2),
        "side": st.sampled_from([BID, ASK]),
        "offset": st.integers(-6, 6),
        "size": st.integers(1, 60),
        "tif": st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]),
        "post_only": st.booleans(),
        "slide": st.booleans(),
        "mmp": st.booleans(),
        "market": st.sampled_from([False, False, True]),
        "reduce_only": st.sampled_from([False, False, False, False, True]),
    }
)
ACTIONS = ["place"] * 12 + ["replace", "replace", "edit", "edit", "cancel", "cancel_all", "time"]
step = st.tuples(st.sampled_from(ACTIONS), place)


def chance_script(seed: int, length: int) -> list[tuple[str, dict[str, Any]]]:
    """A long script from a seed, denser than what is drawn by search."""
    rng = random.Random(seed)
    return [
        (
            rng.choice(ACTIONS[:-1] * 5 + ACTIONS[-1:]),
            {
                "account": rng.choice(ACCOUNTS),
                "which": rng.randrange(3),
                "side": rng.choice([BID, ASK]),
                "offset": rng.randint(-6, 6),
                "size": rng.randint(1, 60),
                "tif": rng.choice([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]),
                "post_only": rng.random() < 0.3,
                "slide": rng.random() < 0.5,
                "mmp": rng.random() < 0.5,
                "market": rng.random() < 0.2,
                "reduce_only": rng.random() < 0.1,
            },
        )
        for _ in range(length)
    ]


class Play:
    """Runs a script of steps on one stage and keeps what it saw."""

    def __init__(self, stage: Stage, names: list[str], middle: dict[str, int], unit: dict[str, int]) -> None:
        self.stage = stage
        self.names, self.middle, self.unit = names, middle, unit
        self.orders: dict[str, Order] = {}
        self.finals: dict[str, int] = {}
        self.traded: dict[str, int] = {}
        self.fees: dict[str, Decimal] = {}
        self.trades: set[str] = set()

    def run(self, script: list[tuple[str, dict[str, Any]]]) -> None:
        for action, fields in script:
            with contextlib.suppress(Refusal):
                self._act(action, fields)
            self._look()
        self.stage.pass_s(1000)
        self.stage.engine.advance()
        self._look()

    def _act(self, action: str, fields: dict[str, Any]) -> None:
        engine, account = self.stage.engine, fields["account"]
        open_orders = engine.open_orders(account)
        if action == "time":
            self.stage.pass_s(fields["size"] * 10)
            engine.advance()
        elif action == "cancel_all":
            engine.cancel_where(account)
        elif action == "place":
            engine.place(account, self._request(fields))
        elif open_orders:
            order = open_orders[fields["size"] % len(open_orders)]
            if action == "cancel":
                engine.cancel(account, order.order_id)
            elif action == "replace":
                engine.replace(account, self._request(fields), order_id=order.order_id)
            else:
                price = self.middle[order.instrument] + 5 * fields["offset"]
                engine.edit(account, order.order_id, EditRequest(amount=fields["size"] * self.unit[order.instrument],
                                                                 price=price, post_only=fields["post_only"]))  # fmt: skip

    def _request(self, fields: dict[str, Any]) -> Any:
        name = self.names[fields["which"] % len(self.names)]
        taking = fields["tif"] is not TimeInForce.GTC
        return self.stage.request(
            fields["side"], self.middle[name] + 5 * fields["offset"], fields["size"] * self.unit[name], name,
            order_type=OrderType.MARKET if fields["market"] and taking else OrderType.LIMIT, tif=fields["tif"],
            post_only=fields["post_only"] and not taking, reject_post_only=not fields["slide"],
            mmp=fields["mmp"] and not fields["market"], reduce_only=fields["reduce_only"] and taking,
        )  # fmt: skip

    def _look(self) -> None:
        for account in ACCOUNTS:
            self.orders.update({order.order_id: order for order in self.stage.engine.open_orders(account)})
        for event in self.stage.engine.drain():
            if isinstance(event, OrderChanged):
                self._see_order(event.order)
            elif isinstance(event, Traded):
                self._see_trade(event)
        for name in self.names:
            self._see_book(name)

    def _see_order(self, order: Order) -> None:
        assert order.order_id not in self.finals, "nothing follows a final state"
        if order.status.final:
            self.finals[order.order_id] = 1
        assert 0 <= order.filled <= order.amount

    def _see_trade(self, trade: Traded) -> None:
        maker, taker = trade.maker, trade.taker
        assert trade.maker.trade_id not in self.trades
        self.trades.add(maker.trade_id)
        assert (maker.price, maker.amount, maker.side) == (taker.price, taker.amount, taker.side.other)
        assert maker.amount > 0
        currency = self.stage.engine.listing(maker.instrument).valuer.currency
        for fill in (maker, taker):
            self.traded[fill.order_id] = self.traded.get(fill.order_id, 0) + fill.amount
            self.fees[currency] = self.fees.get(currency, Decimal(0)) + fill.fee
            assert fill.fee >= 0

    def _see_book(self, name: str) -> None:
        book = self.stage.engine.listing(name).book
        bid, ask = book.best(BID), book.best(ASK)
        assert bid is None or ask is None or bid < ask, "crossed"
        for side in (BID, ASK):
            resting: dict[int, int] = {}
            for account in ACCOUNTS:
                for order in self.stage.engine.open_orders(account, name):
                    if order.side is side:
                        assert order.remaining > 0
                        resting[order.price] = resting.get(order.price, 0) + order.remaining
            assert dict(book.levels(side)) == resting

    def check(self, start: dict[str, Decimal]) -> None:
        """At the end: fills match orders, and no money or contract was made or lost."""
        engine = self.stage.engine
        for order_id, amount in self.traded.items():
            if order_id in self.orders:
                assert self.orders[order_id].filled == amount
        for name in self.names:
            assert sum(engine.account(account).amount(name) for account in ACCOUNTS) == 0
            longs = sum(max(0, engine.account(account).amount(name)) for account in ACCOUNTS)
            assert engine.listing(name).stats.open_interest == longs
        for currency, before in start.items():
            cash = sum((engine.account(a).cash.get(currency, Decimal(0)) for a in ACCOUNTS), Decimal(0))
            perps = [engine.account(a).positions.get(name) for a in ACCOUNTS for name in self.names]
            owed = sum((p.cost for p in perps if p is not None and not p.valuer.is_option), Decimal(0))
            assert cash - owed == before - self.fees.get(currency, Decimal(0))


def play_derive(script: list[tuple[str, dict[str, Any]]]) -> Play:
    """Options by blend and a perpetual, protected orders, replaces, expiries."""
    stage = derive_stage()
    stage.maker(OTHER, owner="0xother")
    stage.engine.set_mmp(MAKER, MmpConfig(scope="ETH", interval_ms=60_000, frozen_ms=30_000, amount_limit=Decimal(40)))
    unit = {CALL: 37, PUT: 100, PERP: 100}
    play = Play(stage, [CALL, PUT, PERP], {CALL: 1000, PUT: 1000, PERP: 260_000}, unit)
    play.run(script)
    play.check({"USDC": Decimal(200_000)})
    return play


def play_deribit(script: list[tuple[str, dict[str, Any]]]) -> Play:
    """Inverse options and perpetual, edits in place, price-time."""
    stage = deribit_stage()
    stage.maker(OTHER, owner="other", cash="1000", currency="ETH")
    stage.engine.set_mmp(MAKER, MmpConfig(scope="eth_usd", interval_ms=60_000, frozen_ms=0, amount_limit=Decimal(40)))
    play = Play(stage, [INVERSE, INVERSE_PERP], {INVERSE: 400, INVERSE_PERP: 52_000}, {INVERSE: 1, INVERSE_PERP: 100})
    play.run(script)
    play.check({"ETH": Decimal(2000)})
    return play


@settings(max_examples=60, deadline=None)
@given(st.lists(step, min_size=15, max_size=50))
def test_derive_keeps_its_books_straight(script: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever is sent."""
    play_derive(script)


@settings(max_examples=60, deadline=None)
@given(st.lists(step, min_size=15, max_size=50))
def test_deribit_keeps_its_books_straight(script: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever is sent."""
    play_deribit(script)


@pytest.mark.parametrize("seed", range(6))
def test_long_runs_keep_their_books_straight(seed: int) -> None:
    """Four hundred steps in a dense market, with hundreds of trades."""
    assert len(play_derive(chance_script(seed, 400)).trades) > 50
    assert len(play_deribit(chance_script(seed, 400)).trades) > 50


@settings(max_examples=60, deadline=None)
@given(st.lists(step, min_size=10, max_size=40), st.integers(1, 40))
def test_the_bump_keeps_the_books_straight_too(script: list[tuple[str, dict[str, Any]]], bump_s: int) -> None:
    """Orders that wait are in no book, and all are answered in the end."""
    stage = derive_stage(speed_bump_ns=bump_s * SECOND)
    stage.maker(OTHER, owner="0xother")
    before = {order.order_id: order for order in stage.engine.open_orders(MAKER)}
    assert before == {}
    for action, fields in script:
        with contextlib.suppress(Refusal):
            Play(stage, [CALL, PUT], {CALL: 1000, PUT: 1000}, {CALL: 100, PUT: 100})._act(action, fields)
        book = stage.engine.listing(CALL).book
        bid, ask = book.best(BID), book.best(ASK)
        assert bid is None or ask is None or bid < ask
    stage.pass_s(1000)
    stage.engine.advance()
    for account in ACCOUNTS:
        assert all(order.status.value != "pending" for order in stage.engine.open_orders(account))
    assert sum(stage.engine.account(account).amount(CALL) for account in ACCOUNTS) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(step, min_size=10, max_size=40))
def test_the_same_script_is_the_same_story(script: list[tuple[str, dict[str, Any]]]) -> None:
    """Two runs give identical events, ids included: nothing depends on anything but clock and seed."""
    stories = []
    for _ in range(2):
        stage = derive_stage()
        stage.maker(OTHER, owner="0xother")
        play = Play(stage, [CALL, PUT], {CALL: 1000, PUT: 1000}, {CALL: 37, PUT: 100})
        events: list[str] = []
        for action, fields in script:
            try:
                play._act(action, fields)
            except Refusal as refusal:
                events.append(str(refusal))
            events += [_told(event) for event in stage.engine.drain()]
        stories.append(events)
    assert stories[0] == stories[1]


def _told(event: object) -> str:
    return repr(event)


def test_balances_chain_through_a_busy_minute() -> None:
    """Every balance event starts where the last of its name ended, and the last is what the account holds."""
    stage = derive_stage()
    last: dict[str, Decimal] = {"USDC": Decimal(100_000)}
    for i in range(60):
        side = Side.BID if i % 3 else Side.ASK
        stage.put(side, 1000 + side * (i % 7), 10 + i)
        stage.hit(side.other, 1000 + side * (i % 7), 5 + i)
        stage.engine.cancel_where(MAKER)
    for event in stage.told(BalanceChanged):
        assert event.previous == last.get(event.name, Decimal(0))
        last[event.name] = event.new
    account = stage.engine.account(MAKER)
    assert last["USDC"] == account.cash["USDC"]
    assert last[CALL] == account.amount(CALL) * Decimal("0.01")
