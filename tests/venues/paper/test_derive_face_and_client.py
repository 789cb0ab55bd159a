"""The product's own Derive client against the face: two independent readings of one protocol must agree."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from derive_desk import CALL, PERP, PUT, Client, Venue
from derive_signer import recover_order
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.trading.errors import VenueRefused
from actors.trading.instruments import Side
from actors.trading.venue_smile import venue_vol
from actors.venues.derive.signing import SigningKey
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import Call, Fill, OrderRequest, OrderStatus, Outcome, Script, VenueOrder
from actors.venues.paper.derive_face import PAPER_CHAIN


class Maker:
    """The real dialect, its frames carried to the face by hand."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.wire = Client(venue, 0)
        self.dialect = DeriveDialect(
            venue.clock_ns,
            key=SigningKey.from_hex(self.wire.account.session_key),
            wallet=self.wire.account.wallet,
            chain_id=PAPER_CHAIN,
        )
        self.facts = self.converse(self.dialect.open_private())
        self.instruments = {one.name: one for one in self.converse(self.dialect.load_instruments("ETH"))}
        for name in self.instruments:
            self.dialect.note_reference(name, 3000.0, 100.0)

    def send(self, call: Call) -> dict[str, Any]:
        answer = self.wire.ask(call.method, **json.loads(call.params))
        assert answer is not None
        return answer

    def converse(self, script: Script[Any]) -> Any:
        call = next(script)
        while True:
            answer = self.send(call)
            try:
                if "error" in answer:
                    error = answer["error"]
                    call = script.throw(VenueRefused(error["code"], error["message"], error["data"] or ""))
                else:
                    call = script.send(msgspec.Raw(msgspec.json.encode(answer["result"])))
            except StopIteration as done:
                return done.value

    def do(self, call: Call) -> Outcome:
        answer = self.send(call)
        if "error" in answer:
            error = answer["error"]
            return self.dialect.read_outcome(call, None, (error["code"], error["message"], error["data"] or ""))
        return self.dialect.read_outcome(call, msgspec.Raw(msgspec.json.encode(answer["result"])), None)

    def wish(self, side: Side, price: str, amount: str, name: str = CALL) -> OrderRequest:
        one = self.instruments[name]
        now_ns = self.venue.now_ns
        return OrderRequest(
            instrument=name,
            side=side,
            price=one.price_ticks(price),
            amount=one.amount_steps(amount),
            client_id=self.dialect.next_client_id(now_ns, "run-7"),
            label="run-7",
            expires_s=now_ns // 10**9 + 600,
            reject_ms=now_ns // 10**6 + 1000,
        )

    def news(self, channel: str) -> list[Any]:
        found: list[Any] = []
        for data in self.wire.heard(channel):
            found += self.dialect.decode_notice("subscription", channel, msgspec.Raw(msgspec.json.encode(data)))
        return found


@pytest.fixture
def maker() -> Maker:
    return Maker(Venue())


def test_login_switches_cancel_on_disconnect_on_and_leaving_restores_it(maker: Maker) -> None:
    """The client's conversation logs in, reads its limits and the wallet's former setting, and puts that back."""
    assert maker.facts.cancel_on_disconnect
    wallet = maker.venue.face.wallets.find(maker.wire.account.wallet)
    assert wallet.cancel_on_disconnect
    maker.converse(maker.dialect.close_private(maker.facts))
    assert wallet.cancel_on_disconnect is maker.facts.restore_cancel_on_disconnect is False


def test_listings_cross_the_wire_unharmed(maker: Maker) -> None:
    """Tick, step, minimum, fees, address and sub id of each instrument arrive as they are listed."""
    for name in (CALL, PUT, PERP):
        listed, read = maker.venue.engine.listing(name).instrument, maker.instruments[name]
        for what in ("tick", "amount_step", "min_amount", "max_amount", "kind", "strike", "expiry_s", "sub_id", "fees"):
            assert getattr(read, what) == getattr(listed, what), what
        assert read.asset_address == listed.asset_address


def test_an_orders_life_is_read_as_it_was(maker: Maker) -> None:
    """Placed, filled in part, replaced, cancelled: the client's reading of answers and notices equals the engine's truth."""
    maker.wire.call("subscribe", channels=[f"{maker.wire.subaccount}.{what}" for what in ("orders", "trades")])
    first = maker.wish(Side.ASK, "101", "2")
    [order] = maker.do(maker.dialect.place(first)).orders
    assert (order.client_id, order.status, order.filled) == (first.client_id, OrderStatus.OPEN, 0)
    taker = maker.venue.client(1)
    taker.place("buy", "101", "0.5", time_in_force="ioc")
    [fill] = [one for one in maker.news(f"{maker.wire.subaccount}.trades") if isinstance(one, Fill)]
    assert (fill.side, fill.amount, fill.is_maker, fill.fee) == (Side.ASK, 50, True, "0.15")
    told = [one for one in maker.news(f"{maker.wire.subaccount}.orders") if isinstance(one, VenueOrder)]
    assert told[-1].filled == 50
    second = maker.wish(Side.ASK, "102", "1.5")
    outcome = maker.do(maker.dialect.replace(second, told[-1], 50))
    assert outcome.refused is None
    assert {one.status for one in outcome.orders} == {OrderStatus.CANCELLED, OrderStatus.OPEN}
    [open_order] = maker.converse(maker.dialect.open_orders("ETH"))
    assert (open_order.client_id, open_order.price) == (second.client_id, 1020)
    assert maker.converse(maker.dialect.positions("ETH")) == {CALL: -50}
    assert [one.trade_id for one in maker.converse(maker.dialect.fills_since(0, "ETH"))] == [fill.trade_id]
    assert maker.do(maker.dialect.cancel(open_order)).refused is None
    state = maker.converse(maker.dialect.order_state(second.client_id, open_order.venue_id, CALL, 0))
    assert state.status is OrderStatus.CANCELLED


def test_a_failed_replacement_is_read_as_gone(maker: Maker) -> None:
    """The old order is certainly gone although no new one was made."""
    maker.venue.client(1).place("sell", "101", "1")
    [order] = maker.do(maker.dialect.place(maker.wish(Side.BID, "99", "1"))).orders
    outcome = maker.do(maker.dialect.replace(maker.wish(Side.BID, "101", "1"), order, 0))
    assert outcome.old_gone
    assert outcome.refused is not None
    assert outcome.refused[0] == 11008
    assert maker.converse(maker.dialect.open_orders("ETH")) == []


def test_our_cancels_spare_foreign_orders(maker: Maker) -> None:
    """The run's label pulls the run's orders, burning a nonce stops one in flight, the operator's order stays."""
    operator = maker.wire.place("buy", "80", "1", label="by hand")
    for price in ("90", "91"):
        maker.do(maker.dialect.place(maker.wish(Side.BID, price, "1")))
    late = maker.wish(Side.BID, "92", "1")
    burn = maker.dialect.burn(late.client_id, CALL)
    assert burn is not None
    assert maker.do(burn).count == 0
    born = maker.do(maker.dialect.place(late))
    assert born.refused is not None or born.unknown  # a nonce in use may be our own order's: the client asks on
    assert late.client_id not in {one.client_id for one in maker.converse(maker.dialect.open_orders("ETH"))}
    for call in maker.dialect.cancel_ours("run-7", "ETH"):
        maker.do(call)
    assert [one.venue_id for one in maker.converse(maker.dialect.open_orders("ETH"))] == [operator["order_id"]]


CROWD = Maker(Venue(is_empty=True, max_open_orders=100_000))


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from([CALL, PUT, PERP]),
    side=st.sampled_from(Side),
    offset=st.integers(1, 60),
    amount=st.integers(10, 5_000),
)
def test_every_order_of_the_client_is_accepted_and_its_signer_recovered_independently(
    name: str, side: Side, offset: int, amount: int
) -> None:
    """What the client signs is accepted here, and eth-account finds the same signer in the ledger's own row."""
    maker = CROWD
    maker.venue.later(0.2)
    one = maker.instruments[name]
    middle = Decimal(3000) if name == PERP else Decimal(100)
    steps = max(amount, one.min_amount)
    ticks = one.price_ticks(middle) - side * offset * (10 if name == PERP else 1)
    wish = maker.wish(side, one.price_text(ticks), one.amount_text(steps), name)
    outcome = maker.do(maker.dialect.place(wish))
    assert outcome.refused is None, outcome.refused
    params = maker.venue.exchange.ledger.of("request")[-1]["params"]
    listed = maker.venue.engine.listing(name).instrument
    facts = (maker.wire.account.wallet, listed.asset_address, listed.sub_id, PAPER_CHAIN)
    assert recover_order(params, *facts) == maker.wire.signer
    if offset == 1:
        assert recover_order(params, *facts, pure_python=True) == maker.wire.signer
    for call in maker.dialect.cancel_ours("run-7", "ETH"):
        maker.do(call)


def test_the_clients_reading_of_the_published_smile_is_the_marked_vol() -> None:
    """Every expiry of a synthetic world, asked for at once, over all strikes: the face's SVI is its tickers' vol."""
    venue = Venue(is_empty=False, frozen=True)
    maker = Maker(venue)
    options = [one for one in venue.engine.live_listings() if one.instrument.kind is not None]
    expiries = sorted({one.instrument.expiry_s for one in options})
    read = {smile.expiry_s: smile for smile in maker.converse(maker.dialect.published_smiles("ETH", expiries))}
    assert sorted(read) == expiries
    assert len(expiries) > 2
    for one in options:
        assert one.reference is not None
        seen = venue_vol(read[one.instrument.expiry_s], one.instrument.strike)
        assert seen == pytest.approx(one.reference.mark_vol, rel=1e-4)
