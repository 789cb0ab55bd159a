"""Our Derive client against the paper exchange's Derive face: two implementations of one reference, joined in memory."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from derive_desk import CALL, PUT, Client, Venue

from actors.trading.errors import StrikemakerError, VenueRefused
from actors.trading.instruments import Side
from actors.trading.lives import LONGEST_MMP_S, LONGEST_S
from actors.venues.derive.rest import DeriveRest
from actors.venues.derive.signing import SigningKey
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import (
    AccountFacts,
    BookUpdate,
    Call,
    Fill,
    MmpTerms,
    MmpTripped,
    News,
    OrderRequest,
    OrderStatus,
    Outcome,
    Script,
    TickerUpdate,
    VenueOrder,
)
from actors.venues.paper.derive_face import PAPER_CHAIN
from actors.venues.protocol import Answer, JsonRpc, Notice


class Maker:
    """Our dialect on one socket of the paper exchange, without the socket."""

    def __init__(self, venue: Venue, *, slot: int = 3) -> None:
        credentials = venue.face.wallets.credentials[0]
        self.venue = venue
        self.dialect = DeriveDialect(
            venue.clock_ns,
            key=SigningKey.from_hex(credentials.session_key),
            wallet=credentials.wallet,
            chain_id=PAPER_CHAIN,
            slot=slot,
        )
        self._rpc = JsonRpc()
        self.session = venue.exchange.enter("127.0.0.1")
        self.news: list[News] = []

    def call(self, call: Call) -> Answer:
        number, frame = self._rpc.request(call)
        self.venue.exchange.hear(self.session, frame.decode())
        answers = [each for each in self.take() if each.id == number]
        assert len(answers) == 1
        return answers[0]

    def take(self) -> list[Answer]:
        answers = []
        for text in self.session.due(self.venue.clock_ns()):
            heard = self._rpc.receive(text)
            if isinstance(heard, Answer):
                answers.append(heard)
            elif isinstance(heard, Notice):
                self.news += self.dialect.decode_notice(heard.method, heard.channel, heard.data)
        return answers

    def follow(self, script: Script[Any]) -> Any:
        try:
            call = next(script)
            while True:
                answer = self.call(call)
                if answer.error is not None:
                    call = script.throw(VenueRefused(*answer.error))
                else:
                    assert answer.result is not None
                    call = script.send(answer.result)
        except StopIteration as stop:
            return stop.value

    def trade(self, call: Call | None) -> Outcome:
        assert call is not None
        answer = self.call(call)
        return self.dialect.read_outcome(call, answer.result, answer.error)

    def wish(self, price: int, *, amount: int = 10, instrument: str = CALL, **more: Any) -> OrderRequest:
        """A bid that lives ten minutes."""
        now_ns = self.venue.clock_ns()
        values: dict[str, Any] = {
            "client_id": self.dialect.next_client_id(now_ns, "run"),
            "label": "run",
            "expires_s": now_ns // 10**9 + 600,
            "reject_ms": now_ns // 10**6 + 1000,
        }
        return OrderRequest(instrument, Side.BID, price, amount, **{**values, **more})

    def heard(self, kind: type) -> list[Any]:
        self.take()
        return [each for each in self.news if isinstance(each, kind)]


@pytest.fixture
def maker(venue: Venue) -> Maker:
    """Logged in, with instruments, market data and private channels joined."""
    one = Maker(venue)
    one.follow(one.dialect.open_private())
    listed = one.follow(one.dialect.load_instruments("ETH"))
    channels = [channel for each in listed for channel in one.dialect.instrument_channels(each)]
    assert one.follow(one.dialect.subscribe(channels + one.dialect.shared_channels("ETH"), private=False)) == []
    assert one.follow(one.dialect.subscribe(one.dialect.private_channels("ETH"), private=True)) == []
    one.dialect.note_reference(CALL, 3000.0, 100.0)
    one.dialect.note_reference(PUT, 3000.0, 100.0)
    return one


def test_login_finds_the_account_and_leaves_the_net_on(venue: Venue):
    """Cancel-on-disconnect is on afterwards, and off again when the account gets its own setting back."""
    one = Maker(venue)
    facts: AccountFacts = one.follow(one.dialect.open_private())
    assert facts.account == str(venue.face.wallets.credentials[0].subaccount_id)
    assert (facts.cancel_on_disconnect, facts.restore_cancel_on_disconnect) == (True, False)
    assert one.follow(one.dialect.find_account()).cancel_on_disconnect
    one.follow(one.dialect.close_private(facts))
    assert not one.follow(one.dialect.find_account()).cancel_on_disconnect
    assert abs(one.follow(one.dialect.server_time()) - venue.clock_ns() // 10**6) <= 1


def test_the_listing_is_read_to_the_last_field(maker: Maker, venue: Venue):
    """What the exchange holds is what we learned, grid, fees, times and signing words."""
    for name in (CALL, PUT, "ETH-PERP"):
        ours = maker.dialect.board.known(name).instrument
        theirs = venue.engine.listing(name).instrument
        for field in ("tick", "amount_step", "min_amount", "max_amount", "kind", "strike", "expiry_s", "index_name"):
            assert getattr(ours, field) == getattr(theirs, field), field
        assert (ours.fees, ours.sub_id, ours.asset_address) == (theirs.fees, theirs.sub_id, theirs.asset_address)
    assert maker.dialect.board.unreadable == []


def test_an_order_of_ours_is_accepted_seen_replaced_and_cancelled(maker: Maker):
    """The signature is recovered there; answer, notice, query and book speak of the same order."""
    placed = maker.trade(maker.dialect.place(maker.wish(990)))
    assert placed.refused is None
    (order,) = placed.orders
    assert (order.status, order.price, order.amount, order.label) == (OrderStatus.OPEN, 990, 10, "run")
    assert order in maker.heard(VenueOrder)
    assert maker.follow(maker.dialect.open_orders("ETH")) == [order]
    assert maker.follow(maker.dialect.order_state(order.client_id, "", CALL, 0)) == order
    moved = maker.trade(maker.dialect.replace(maker.wish(985), order, 0))
    old, new = moved.orders
    assert (old.venue_id, old.status) == (order.venue_id, OrderStatus.CANCELLED)
    assert (new.price, new.replaces) == (985, order.venue_id)
    (gone,) = maker.trade(maker.dialect.cancel(new)).orders
    assert gone.status is OrderStatus.CANCELLED
    assert maker.follow(maker.dialect.open_orders("ETH")) == []
    ended = maker.follow(maker.dialect.order_state(new.client_id, new.venue_id, CALL, 0))
    assert ended.status is OrderStatus.CANCELLED


def test_a_fill_is_heard_counted_and_held(maker: Maker, venue: Venue):
    """The notice, the history and the position agree, the fee to its last digit."""
    (order,) = maker.trade(maker.dialect.place(maker.wish(990))).orders
    venue.client(1).place("sell", "99", "0.1", time_in_force="ioc")
    (fill,) = maker.heard(Fill)
    assert (fill.venue_id, fill.side, fill.price, fill.amount, fill.is_maker) == (order.venue_id, Side.BID, 990, 10, True)
    assert Decimal(fill.fee) == Decimal("0.03")
    assert maker.follow(maker.dialect.fills_since(0, "ETH")) == [fill]
    assert maker.follow(maker.dialect.positions("ETH")) == {CALL: 10}
    late = maker.trade(maker.dialect.cancel(order))
    assert late.cancel_refused is not None
    assert late.cancel_refused[0] in (11003, 11004, 11006)


def test_a_replacement_that_meets_a_fill_does_not_trade_twice(maker: Maker, venue: Venue):
    """Filled in part since we looked: the old order goes, the new one is not made, and the answer says so."""
    (order,) = maker.trade(maker.dialect.place(maker.wish(990, amount=20))).orders
    venue.client(1).place("sell", "99", "0.1", time_in_force="ioc")
    proof = maker.trade(maker.dialect.replace(maker.wish(985), order, 0))
    assert proof.refused is not None
    assert (proof.refused[0], proof.old_gone, proof.unknown) == (11028, True, False)
    assert [each.status for each in proof.orders] == [OrderStatus.CANCELLED]
    assert maker.follow(maker.dialect.open_orders("ETH")) == []
    again = maker.trade(maker.dialect.replace(maker.wish(985), order, 10))
    assert again.refused is not None
    assert again.cancel_refused is not None
    assert not again.old_gone


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reject_ms": 1}, 11022),
        ({"amount": 5}, 11012),
        ({"expires_s": 1}, 11011),
    ],
)
def test_what_the_exchange_refuses_comes_back_by_its_code(maker: Maker, changes: dict[str, Any], code: int):
    """Each a plain refusal that leaves nothing behind."""
    proof = maker.trade(maker.dialect.place(maker.wish(990, **changes)))
    assert proof.refused is not None
    assert proof.refused[0] == code
    assert maker.follow(maker.dialect.open_orders("ETH")) == []


@pytest.mark.parametrize("ahead_s", [0.0, 0.5, 2.0])
def test_the_longest_life_under_protection_is_taken_though_our_clock_is_ahead(
    maker: Maker, venue: Venue, ahead_s: float
):
    """The venue takes 900 s at most by its own clock; without protection an hour is nowhere near its bound."""
    for mmp, longest_s in ((True, LONGEST_MMP_S), (False, LONGEST_S)):
        expires_s = int(venue.clock_ns() / 1e9 + ahead_s + longest_s)
        assert maker.trade(maker.dialect.place(maker.wish(500, expires_s=expires_s, mmp=mmp))).refused is None


def test_a_post_only_order_that_would_cross_is_refused(maker: Maker, venue: Venue):
    """11008, and a replace into the same price loses the old order."""
    venue.client(1).place("sell", "101", "1")
    (order,) = maker.trade(maker.dialect.place(maker.wish(990))).orders
    assert (maker.trade(maker.dialect.place(maker.wish(1010))).refused or (0,))[0] == 11008
    proof = maker.trade(maker.dialect.replace(maker.wish(1010), order, 0))
    assert proof.refused is not None
    assert (proof.refused[0], proof.old_gone) == (11008, True)


def test_the_fee_cap_just_satisfies_the_exchange(maker: Maker):
    """At the noted index it passes; from a far lower one, and without the base fee, it is refused."""
    assert maker.trade(maker.dialect.place(maker.wish(990))).refused is None
    listed = maker.dialect.board.known(CALL).instrument
    maker.dialect.learn([attrs.evolve(listed, fees=attrs.evolve(listed.fees, base=0.0))])
    assert maker.trade(maker.dialect.place(maker.wish(989))).refused is None
    maker.dialect.note_reference(CALL, 1500.0, 0.0)
    refused = maker.trade(maker.dialect.place(maker.wish(988))).refused
    assert refused is not None
    assert refused[0] == 11023


def test_a_nonce_the_venue_will_not_take_proves_nothing(maker: Maker):
    """It may have been used by an earlier copy of the same request: unknown, and then asked for."""
    assert maker.trade(maker.dialect.place(maker.wish(990, client_id="1"))).unknown
    assert maker.follow(maker.dialect.open_orders("ETH")) == []


def test_one_label_pulls_everything_of_ours_and_nothing_else(maker: Maker, venue: Venue):
    """Both instruments, one call, the operator's manual order untouched."""
    manual = Client(venue, 0)
    manual.login()
    kept = manual.place("buy", "90", "1", label="by hand")
    for instrument in (CALL, PUT):
        assert maker.trade(maker.dialect.place(maker.wish(980, instrument=instrument))).refused is None
    (pull,) = maker.dialect.cancel_ours("run", "ETH")
    assert maker.trade(pull).count is None
    assert [order.venue_id for order in maker.follow(maker.dialect.open_orders("ETH"))] == [kept["order_id"]]
    (everything,) = maker.dialect.cancel_account()
    assert maker.trade(everything).refused is None
    assert maker.follow(maker.dialect.open_orders("ETH")) == []


def test_a_burnt_nonce_never_becomes_an_order(maker: Maker):
    """Before it arrives: burnt, and refused when it does. After: cancelled by it."""
    late = maker.wish(990)
    call = maker.dialect.place(late)
    burnt = maker.trade(maker.dialect.burn(late.client_id, CALL))
    assert (burnt.count, burnt.old_gone) == (0, True)
    assert maker.trade(call).unknown
    assert maker.follow(maker.dialect.open_orders("ETH")) == []
    (order,) = maker.trade(maker.dialect.place(maker.wish(990))).orders
    assert maker.trade(maker.dialect.burn(order.client_id, CALL)).count == 1


def test_protection_trips_and_is_reset(maker: Maker, venue: Venue):
    """Set, read back, tripped by a fill over the limit, heard as a trip with its end, reset."""
    terms = MmpTerms("ETH", 5_000, 30_000, Decimal("0.1"), Decimal(0))
    maker.follow(maker.dialect.set_mmp(terms))
    assert maker.follow(maker.dialect.get_mmp("ETH")) == terms
    for price in (990, 985):
        assert maker.trade(maker.dialect.place(maker.wish(price, amount=20, mmp=True))).refused is None
    venue.client(1).place("sell", "99", "0.2", time_in_force="ioc")
    (trip,) = maker.heard(MmpTripped)
    assert (trip.scope, trip.until_ms) == ("ETH", venue.clock_ns() // 10**6 + 30_000)
    assert maker.follow(maker.dialect.get_mmp("ETH")).is_frozen
    refused = maker.trade(maker.dialect.place(maker.wish(980, mmp=True))).refused
    assert refused is not None
    assert refused[0] == 11015
    maker.follow(maker.dialect.reset_mmp("ETH"))
    assert maker.trade(maker.dialect.place(maker.wish(980, mmp=True))).refused is None


def test_books_and_tickers_arrive_as_news(maker: Maker, venue: Venue):
    """Our own bid and somebody's offer in ticks and steps; the vol and forward that the exchange holds."""
    maker.trade(maker.dialect.place(maker.wish(990)))
    venue.client(1).place("sell", "101", "1")
    venue.later(1.5)
    book = [each for each in maker.heard(BookUpdate) if each.instrument == CALL][-1]
    assert (tuple(book.bids), tuple(book.asks)) == (((990, 10),), ((1010, 100),))
    ticker = [each for each in maker.heard(TickerUpdate) if each.instrument == CALL][-1]
    assert (ticker.best_bid, ticker.best_ask, ticker.mark, ticker.index) == (990, 1010, 100.0, 3000.0)
    assert ticker.mark_vol is not None
    assert ticker.forward == 3010.0


def test_another_chains_signature_is_worthless(venue: Venue):
    """An order signed for mainnet is refused by the paper exchange: nothing of paper could ever trade for real."""
    one = Maker(venue)
    one.dialect = DeriveDialect(
        venue.clock_ns, key=one.dialect.key, wallet=venue.face.wallets.credentials[0].wallet, chain_id=1
    )
    one.follow(one.dialect.open_private())
    one.follow(one.dialect.load_instruments("ETH"))
    with pytest.raises(StrikemakerError, match="no index price"):
        one.dialect.place(one.wish(990))
    one.dialect.note_reference(CALL, 3000.0, 100.0)
    refused = one.trade(one.dialect.place(one.wish(990))).refused
    assert refused is not None
    assert refused[0] == 14014


def test_the_rest_form_is_accepted(venue: Venue):
    """A signed POST is answered as on a socket, and read by the same judgement."""
    credentials = venue.face.wallets.credentials[0]
    key = SigningKey.from_hex(credentials.session_key)
    form = DeriveRest("http://127.0.0.1/v3", key, credentials.wallet, venue.clock_ns)
    url, headers, body = form.request(Call("private/get_account", b'{"wallet":"%b"}' % credentials.wallet.encode()))
    headers = {name.lower(): value for name, value in headers.items()}  # as the server hands them in
    reply = venue.exchange.serve_http("127.0.0.1", "POST", url.removeprefix("http://127.0.0.1"), headers, body)
    result, error = form.answer(reply.status, reply.body)
    assert error is None
    assert result is not None
    assert str(credentials.subaccount_id) in bytes(result).decode()
