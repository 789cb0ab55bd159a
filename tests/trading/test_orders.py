"""The order table: each row of ambiguity (lost, late, early, twice, out of order) has its test."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.trading.instruments import Side
from actors.trading.orders import FORGOTTEN_AT_ONCE, Order, OrderState, OrderTable
from actors.trading.quotes import Quote
from actors.venues.dialect import Fill, OrderRequest, OrderStatus, VenueOrder

NAME = "ETH-20261225-3000-C"


def request(client_id: str = "1", side: Side = Side.BID, price: int = 1000, amount: int = 10) -> OrderRequest:
    return OrderRequest(NAME, side, price, amount, client_id, "sm-main-eth0-1", 0, 1000)


def news(
    order: Order, status: OrderStatus = OrderStatus.OPEN, *, filled: int = 0, ts: int = 10, venue_id: str = ""
) -> VenueOrder:
    return VenueOrder(
        order.client_id,
        venue_id or f"v{order.client_id}",
        order.label,
        NAME,
        order.side,
        order.price,
        order.amount,
        filled,
        status,
        ts,
    )


def fill(order_venue_id: str, amount: int, trade_id: str = "t1", side: Side = Side.BID) -> Fill:
    return Fill(trade_id, order_venue_id, "sm-main-eth0-1", NAME, side, 1000, amount, "0.01", "USDC", True, 20)


def placed(table: OrderTable, client_id: str = "1", **kwargs: int) -> Order:
    order = table.placing(request(client_id, **kwargs), 0.0)
    table.apply_order(news(order))
    return order


def test_an_order_in_flight_counts_in_full_and_its_answer_makes_it_open() -> None:
    """Risk is taken when the request leaves, not when the answer comes."""
    table = OrderTable()
    order = table.placing(request(), 0.0)
    assert (order.state, table.worst(NAME, Side.BID), table.in_flight(NAME)) == (OrderState.PLACING, 10, True)
    table.apply_order(news(order))
    assert (order.state, table.worst(NAME, Side.BID), table.in_flight(NAME)) == (OrderState.OPEN, 10, False)


def test_what_is_told_of_a_twin_is_not_taken_for_its_order() -> None:
    """The same identity of ours under another of the venue's: its end and its fills are not those of the one we hold."""
    table = OrderTable()
    order = placed(table)
    twin = news(order, OrderStatus.CANCELLED, venue_id="twin", ts=20)
    assert table.known(twin) is None
    assert table.apply_order(twin) is None
    assert table.apply_fill(fill("twin", 10))
    assert (order.state, order.venue_id, order.seen_filled) == (OrderState.OPEN, "v1", 0)
    assert table.known(news(order)) is order


def test_a_fill_before_the_acknowledgement_is_held_until_the_order_is_known() -> None:
    """The trade names a venue id that we have not been told yet."""
    table = OrderTable()
    order = table.placing(request(), 0.0)
    assert table.apply_fill(fill("v1", 4))
    assert table.worst(NAME, Side.BID) == 10
    table.apply_order(news(order, filled=4))
    assert (order.seen_filled, order.remaining, table.worst(NAME, Side.BID)) == (4, 6, 6)


def test_a_fill_counts_once_however_often_it_is_told() -> None:
    """Trade ids decide, not messages."""
    table = OrderTable()
    order = placed(table)
    assert [table.apply_fill(fill("v1", 4)) for _ in range(3)] == [True, False, False]
    assert order.filled == 4


def test_a_cancel_notified_before_its_answer_ends_the_order_and_the_late_open_does_not_revive_it() -> None:
    """Notifications may precede and be overtaken; a final state is final."""
    table = OrderTable()
    order = placed(table)
    table.cancelling(order, 1.0)
    table.apply_order(news(order, OrderStatus.CANCELLED, ts=30))
    table.apply_order(news(order, OrderStatus.OPEN, ts=20))
    assert order.state is OrderState.CANCELLED
    assert table.working(NAME) == []


def test_a_cancel_before_the_acknowledgement_ends_the_order() -> None:
    """The venue's disconnect net, or an operator, can be faster than our own answer."""
    table = OrderTable()
    order = table.placing(request(), 0.0)
    table.apply_order(news(order, OrderStatus.CANCELLED))
    table.apply_order(news(order, OrderStatus.OPEN))
    assert order.state is OrderState.CANCELLED


def test_a_fill_after_the_cancel_is_still_counted() -> None:
    """The cancel says how much was filled; until that trade is seen it stays at risk."""
    table = OrderTable()
    order = placed(table)
    table.apply_order(news(order, OrderStatus.CANCELLED, filled=3, ts=30))
    assert table.worst(NAME, Side.BID) == 3
    assert table.apply_fill(fill("v1", 3))
    assert table.worst(NAME, Side.BID) == 0
    assert table.working(NAME) == []


def test_a_lost_answer_leaves_an_unknown_order_that_still_counts_until_evidence() -> None:
    """Unknown holds its risk; a sighting makes it open again, a proof ends it."""
    table = OrderTable()
    order = table.placing(request(), 0.0)
    table.lost(order, 5.0)
    assert (order.state, table.worst(NAME, Side.BID), table.unknown()) == (OrderState.UNKNOWN, 10, [order])
    table.apply_order(news(order, filled=2))
    assert (order.state, order.remaining) == (OrderState.OPEN, 8)
    table.lost(order, 6.0)
    table.proven_gone(order, "burnt", 700)
    assert (order.state, table.worst(NAME, Side.BID)) == (OrderState.CANCELLED, 0)
    assert table.last_change_ms(NAME) == 700, "a book from before the proof may still show it"


def test_a_refused_cancel_is_neither_life_nor_death() -> None:
    """11003 and its like may mean filled, cancelled or expired: unknown until asked."""
    table = OrderTable()
    order = placed(table)
    table.cancelling(order, 1.0)
    table.cancel_refused(order, 1.1)
    assert order.state is OrderState.UNKNOWN
    assert table.worst(NAME, Side.BID) == 10


def test_a_request_refused_unread_leaves_the_order_as_it_was() -> None:
    """A rate limit says nothing about the order."""
    table = OrderTable()
    order = placed(table)
    table.cancelling(order, 1.0)
    table.untouched(order)
    assert order.state is OrderState.OPEN


def test_a_guarded_replacement_counts_the_larger_half() -> None:
    """The venue lets at most one of both fill, so the sum would be too much and the new one alone too little."""
    table = OrderTable()
    old = placed(table)
    new = table.placing(request("2", amount=15), 1.0, replaces=old)
    assert (old.state, table.worst(NAME, Side.BID)) == (OrderState.REPLACING, 15)
    table.apply_order(news(new))
    assert (old.state, new.state, table.worst(NAME, Side.BID)) == (OrderState.CANCELLED, OrderState.OPEN, 15)


def test_a_replacement_whose_new_half_fails_has_still_cancelled_the_old_order() -> None:
    """Derive's create_order_error: believing the old one alive would mean quoting on air."""
    table = OrderTable()
    old = placed(table)
    new = table.placing(request("2"), 1.0, replaces=old)
    table.refused(new, "post-only would cross", 40)
    table.replacement_failed(old, old_gone=True, now=1.1)
    assert (new.state, old.state, table.worst(NAME, Side.BID)) == (OrderState.REJECTED, OrderState.CANCELLED, 0)
    assert table.last_change_ms(NAME) == 40


def test_a_replacement_refused_because_the_old_order_was_gone_leaves_that_one_unknown() -> None:
    """The refusal says that the cancel failed, not whether the order was filled, cancelled or expired."""
    table = OrderTable()
    old = placed(table)
    new = table.placing(request("2"), 1.0, replaces=old)
    table.refused(new, "already filled")
    table.replacement_failed(old, old_gone=False, now=1.1)
    assert (old.state, table.worst(NAME, Side.BID)) == (OrderState.UNKNOWN, 10)


def test_a_replacement_racing_a_fill_of_the_old_order_ends_with_the_fill_counted() -> None:
    """The old one fills while the replacement is on its way; the new half is refused."""
    table = OrderTable()
    old = placed(table)
    new = table.placing(request("2"), 1.0, replaces=old)
    table.apply_fill(fill("v1", 10))
    table.apply_order(news(old, OrderStatus.FILLED, filled=10, ts=30))
    table.refused(new, "already filled")
    table.replacement_failed(old, old_gone=False, now=1.1)
    assert (old.state, old.seen_filled, table.worst(NAME, Side.BID)) == (OrderState.FILLED, 10, 0)


def test_an_unknown_replacement_keeps_the_pair_at_its_larger_half() -> None:
    """Neither half is known, but the venue's guard still holds for the pair."""
    table = OrderTable()
    old = placed(table)
    new = table.placing(request("2", amount=12), 1.0, replaces=old)
    table.lost(new, 2.0)
    table.lost(old, 2.0)
    assert table.worst(NAME, Side.BID) == 12


def test_an_amendment_counts_the_larger_amount_until_it_is_confirmed() -> None:
    """Same id, other terms: both may be true until the venue says which."""
    table = OrderTable()
    order = placed(table)
    table.amending(order, Quote(1001, 14), 1.0)
    assert table.worst(NAME, Side.BID) == 14
    late = news(order, ts=11)
    table.apply_order(late)
    assert order.state is OrderState.AMENDING
    table.apply_order(VenueOrder("1", "v1", order.label, NAME, Side.BID, 1001, 14, 0, OrderStatus.OPEN, 12))
    assert (order.state, order.price, order.remaining) == (OrderState.OPEN, 1001, 14)


def test_orders_that_are_not_ours_are_remembered_as_the_operators() -> None:
    """They are no reference for a price, and never touched."""
    table = OrderTable()
    manual = VenueOrder("9", "v9", "mine", NAME, Side.ASK, 2000, 5, 0, OrderStatus.OPEN, 1)
    assert table.apply_order(manual) is None
    table.note_foreign(manual)
    assert table.foreign(NAME) == [(Side.ASK, 2000, 5)]
    table.note_foreign(VenueOrder("9", "v9", "mine", NAME, Side.ASK, 2000, 5, 5, OrderStatus.FILLED, 2))
    assert table.foreign(NAME) == []


def test_a_client_id_is_never_used_twice() -> None:
    """Two orders under one identity could never be told apart again."""
    table = OrderTable()
    placed(table)
    with pytest.raises(ValueError, match="used before"):
        table.placing(request(), 1.0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "fill", "cancel", "lost", "refuse", "replace", "final", "untouched", "refused_cancel"]),
        st.integers(0, 5),
        st.integers(1, 10),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_comes_in_whatever_order_the_worst_case_covers_what_the_venue_could_still_fill(
    steps: list[tuple[str, int, int]],
) -> None:
    """A venue that is always allowed to fill what it holds never takes us past what the table said was at risk."""
    table, venue = OrderTable(), _Venue()
    for number, (what, pick, amount) in enumerate(steps):
        venue.do(table, what, pick, amount, number)
        assert table.worst(NAME, Side.BID) >= venue.could_still_fill()
        assert len({o.client_id for o in table.working(NAME)}) == len(table.working(NAME))


class _Venue:
    """The truth: what really rests. Tells the table only what a venue could truthfully tell."""

    def __init__(self) -> None:
        self.resting: dict[str, int] = {}
        self.orders: list[Order] = []

    def could_still_fill(self) -> int:
        return sum(self.resting.values())

    def do(self, table: OrderTable, what: str, pick: int, amount: int, number: int) -> None:
        if what == "open" or not self.orders:
            order = table.placing(request(f"n{number}", amount=amount), float(number))
            self.orders.append(order)
            self.resting[order.client_id] = amount
            table.apply_order(news(order, ts=number))
            return
        order = self.orders[pick % len(self.orders)]
        left = self.resting.get(order.client_id, 0)
        if what == "fill" and left:
            taken = min(left, amount)
            self.resting[order.client_id] = left - taken
            table.apply_fill(fill(f"v{order.client_id}", taken, f"t{number}"))
        elif what == "final" and left:
            self.resting[order.client_id] = 0
            table.apply_order(
                news(order, OrderStatus.CANCELLED, filled=order.amount - left, ts=number)
            )
        elif what == "cancel":
            table.cancelling(order, float(number))
        elif what == "untouched":
            table.untouched(order)
        elif what == "refused_cancel":
            table.cancel_refused(order, float(number))
        elif what == "lost":
            table.lost(order, float(number))
        elif what == "replace" and order.state is OrderState.OPEN and left:
            new = table.placing(request(f"n{number}", amount=amount), float(number), replaces=order)
            self.orders.append(new)
            if pick % 2:
                self.resting[order.client_id] = 0
                self.resting[new.client_id] = amount
                table.apply_order(news(new, ts=number))
            else:
                table.refused(new, "no")
                table.replacement_failed(order, old_gone=False, now=float(number))


def test_a_replacement_proven_never_to_have_been_says_nothing_of_the_old_order() -> None:
    """The request was lost on its way: the new half is buried, and the old one rests on and keeps its risk."""
    table = OrderTable()
    old = placed(table)
    new = table.placing(request("2", amount=10), 1.0, replaces=old)
    table.lost(new, 2.0)
    table.lost(old, 2.0)
    table.proven_gone(new, "settled by evidence", 5)
    assert old.state is OrderState.UNKNOWN
    assert table.worst(NAME, Side.BID) == 10


def test_fills_that_were_reported_and_not_yet_seen_come_on_top_of_a_replacement() -> None:
    """The position has moved by them at the venue, whatever the new half may still do."""
    table = OrderTable()
    old = placed(table)
    table.apply_order(news(old, filled=6, ts=11))
    table.placing(request("2", amount=10), 1.0, replaces=old)
    assert table.worst(NAME, Side.BID) == 16


def test_an_order_refused_as_a_double_and_then_seen_at_rest_is_held_again() -> None:
    """The refusal was that of a second copy of the request; the first had been taken."""
    table = OrderTable()
    order = table.placing(request(), 0.0)
    table.refused(order, "nonce used")
    table.apply_order(news(order))
    assert order.state is OrderState.OPEN
    assert table.worst(NAME, Side.BID) == 10


def test_an_edit_of_unknown_outcome_is_not_settled_by_the_old_price_alone() -> None:
    """The edit may still be on its way; once it is known to have failed, the order rests as it was."""
    table = OrderTable()
    order = placed(table)
    before = news(order, ts=20)
    table.amending(order, Quote(1001, 14), 1.0, reject_ms=2000)
    assert order.reject_ms == 2000
    table.lost(order, 1.5)
    table.apply_order(before)
    assert (order.state, table.worst(NAME, Side.BID)) == (OrderState.UNKNOWN, 14)
    table.edit_failed(order)
    table.apply_order(before)
    assert (order.state, order.price, table.worst(NAME, Side.BID)) == (OrderState.OPEN, 1000, 10)


def test_an_order_is_known_by_either_identity() -> None:
    """A query may give only the venue's; what carries neither is not ours."""
    table = OrderTable()
    order = placed(table)
    assert table.known(news(order)) is order
    assert table.known(VenueOrder("", "v1", "", NAME, Side.BID, 1, 1, 0, OrderStatus.OPEN, 1)) is order
    assert table.known(VenueOrder("", "v2", "", NAME, Side.BID, 1, 1, 0, OrderStatus.OPEN, 1)) is None


def test_a_venue_that_moves_the_old_order_instead_of_making_a_new_one_owes_its_fills_once() -> None:
    """The new record takes over the id, what was filled under it and what is still owed; nothing is left behind."""
    table = OrderTable()
    old = placed(table)
    table.apply_fill(fill("v1", 3))
    new = table.placing(request("2", price=1002, amount=7), 1.0, replaces=old)
    table.apply_order(VenueOrder("2", "v1", "sm-main-eth0-1", NAME, Side.BID, 1002, 10, 4, OrderStatus.OPEN, 30))
    assert (old.state.is_live, old.is_settled) == (False, True)
    assert (new.state, new.amount, new.remaining, new.at_risk) == (OrderState.OPEN, 10, 6, 7)
    table.apply_fill(fill("v1", 1, "t2"))
    assert (new.seen_filled, new.remaining, new.at_risk) == (4, 6, 6)
    assert table.working(NAME, Side.BID) == [new]


def ended(table: OrderTable, client_id: str, ts: int) -> Order:
    order = placed(table, client_id)
    table.apply_order(news(order, OrderStatus.CANCELLED, ts=ts))
    return order


def forget(table: OrderTable, before_ms: int) -> int:
    """Steps it took."""
    steps = 1
    while table.forget_settled(before_ms):
        steps += 1
    return steps


def test_only_what_can_no_longer_be_named_is_forgotten() -> None:
    """Ended and young, resting and old, ended but owing a fill: all of them may still be told of."""
    table = OrderTable()
    gone, resting, owing = ended(table, "1", 20), placed(table, "3"), placed(table, "4")
    table.apply_order(news(owing, OrderStatus.CANCELLED, filled=3, ts=30))
    young = ended(table, "2", 90)
    assert forget(table, 50) == 1
    assert [table.known(news(each)) for each in (gone, young, resting, owing)] == [None, young, resting, owing]
    assert table.apply_fill(fill("v4", 3))
    assert owing.is_settled
    forget(table, 100)
    assert [table.known(news(each)) for each in (owing, young, resting)] == [None, None, resting]


def test_an_order_that_was_held_again_is_forgotten_after_its_last_end() -> None:
    """Refused as a double, seen at rest, cancelled: the first end of it is not the one that counts."""
    table = OrderTable()
    order = table.placing(request(), 0.0)
    table.refused(order, "double")
    table.apply_order(news(order, ts=20))
    assert order.state is OrderState.OPEN
    forget(table, 100)
    assert table.known(news(order)) is order
    table.apply_order(news(order, OrderStatus.CANCELLED, ts=120))
    forget(table, 100)
    assert table.known(news(order)) is order
    forget(table, 200)
    assert table.known(news(order)) is None


def test_forgetting_the_old_half_of_a_moved_order_leaves_the_new_one_its_identity() -> None:
    """Both carry the venue's id; a fill under it hours later is the live one's."""
    table = OrderTable()
    old = placed(table)
    new = table.placing(request("2", price=1002), 1.0, replaces=old)
    table.apply_order(VenueOrder("2", "v1", "sm-main-eth0-1", NAME, Side.BID, 1002, 10, 0, OrderStatus.OPEN, 30))
    forget(table, 1000)
    assert table.known(news(old)) is new
    assert table.apply_fill(fill("v1", 4))
    assert new.seen_filled == 4


def test_however_many_have_ended_a_step_forgets_a_few() -> None:
    """Ten minutes of a busy account are hundreds of thousands: in one step they would be a stall of a second."""
    table = OrderTable()
    orders = [ended(table, f"{number}", ts=20) for number in range(3 * FORGOTTEN_AT_ONCE)]
    assert forget(table, 50) >= 3
    assert not any(table.known(news(order)) for order in orders)


def test_an_operators_order_that_came_while_the_question_was_out_stays_known() -> None:
    """The answer was written before it; only what was known when it was asked, and is not shown, is gone."""
    table = OrderTable()
    by_hand = VenueOrder("", "h1", "", NAME, Side.BID, 900, 5, 0, OrderStatus.OPEN, 10)
    table.note_foreign(by_hand)
    known = table.foreign_ids()
    table.note_foreign(msgspec.structs.replace(by_hand, venue_id="h2", price=910))
    table.forget_foreign(known)
    assert table.foreign(NAME) == [(Side.BID, 910, 5)]
    assert table.foreign_ids() == {"h2"}


def test_news_from_before_what_is_known_settles_no_newer_edit() -> None:
    """An edit back to where the order was before looks, to late news of that time, as if it had been done already."""
    table = OrderTable()
    order = placed(table)
    first = news(order, ts=10)
    table.amending(order, Quote(1001, 5), 1.0)
    second = msgspec.structs.replace(first, price=1001, amount=5, ts_ms=20)
    table.apply_order(second)
    assert (order.state, order.price, order.amount) == (OrderState.OPEN, 1001, 5)
    table.amending(order, Quote(1000, 10), 2.0)
    table.apply_order(first)
    assert (order.state, order.price, table.worst(NAME, Side.BID)) == (OrderState.AMENDING, 1001, 10)
    table.apply_order(second)
    assert (order.state, table.worst(NAME, Side.BID)) == (OrderState.AMENDING, 10)
    table.apply_order(msgspec.structs.replace(first, ts_ms=30))
    assert (order.state, order.price, order.amount) == (OrderState.OPEN, 1000, 10)


def test_an_order_that_waits_for_its_trigger_is_in_no_book() -> None:
    """A stop put on by hand is no price of anybody's; one that has been open and waits again is taken out."""
    table = OrderTable()
    stop = VenueOrder("", "s1", "", NAME, Side.ASK, 0, 5, 0, OrderStatus.WAITING, 10)
    table.note_foreign(stop)
    assert table.foreign(NAME) == []
    assert not OrderStatus.WAITING.is_final
    table.note_foreign(msgspec.structs.replace(stop, price=2000, status=OrderStatus.OPEN, ts_ms=20))
    assert table.foreign(NAME) == [(Side.ASK, 2000, 5)]
    table.note_foreign(msgspec.structs.replace(stop, ts_ms=30))
    assert table.foreign(NAME) == []
