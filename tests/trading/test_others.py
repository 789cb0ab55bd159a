"""Telling our orders from others' while the venue's book is older than what we know of ourselves."""

from __future__ import annotations

from actors.trading.books import Book
from actors.trading.instruments import Side
from actors.trading.orders import OrderTable
from actors.trading.others import KEPT_MS, OthersBooks
from actors.venues.dialect import OrderRequest, OrderStatus, VenueOrder

THEIRS = (1000, 50)


def rests(orders: OrderTable, client_id: str, price: int, ts_ms: int) -> VenueOrder:
    """The venue's word that an order of ours rests."""
    news = VenueOrder(client_id, f"v{client_id}", "main", "X", Side.BID, price, 10, 0, OrderStatus.OPEN, ts_ms)
    orders.apply_order(news)
    return news


def place(orders: OrderTable, client_id: str, price: int, *, replaces: str = "") -> None:
    old = next((o for o in orders.live() if o.client_id == replaces), None)
    orders.placing(OrderRequest("X", Side.BID, price, 10, client_id, "main", 0, 0), 0.0, replaces=old)


def book(ts_ms: int, *ours: int) -> Book:
    """Somebody's bid at 1000, and ours at the prices given."""
    return Book((*((price, 10) for price in ours), THEIRS), (), ts_ms)


def test_a_replaced_order_still_in_the_book_is_not_somebody_elses() -> None:
    """Between the replacement and the next book the maker sees what it saw before, not its own old price as a rival."""
    orders = OrderTable()
    others = OthersBooks(orders)
    place(orders, "1", 1001)
    rests(orders, "1", 1001, 100)
    assert others.of("X", book(200, 1001), 200).bids == (THEIRS,)
    place(orders, "2", 1005, replaces="1")
    rests(orders, "2", 1005, 300)
    assert others.of("X", book(250, 1001), 250).bids == (THEIRS,)
    assert others.of("X", book(400, 1005), 400).bids == (THEIRS,)


def test_a_book_of_the_millisecond_of_our_change_must_show_it() -> None:
    """It may have been taken just before: only one that shows both our sides as they stand is certain."""
    orders = OrderTable()
    others = OthersBooks(orders)
    place(orders, "1", 1001)
    rests(orders, "1", 1001, 100)
    asked = VenueOrder("2", "v2", "main", "X", Side.ASK, 1100, 10, 0, OrderStatus.OPEN, 100)
    orders.placing(OrderRequest("X", Side.ASK, 1100, 10, "2", "main", 0, 0), 0.0)
    orders.apply_order(asked)
    before, after = Book((THEIRS,), ((1200, 5),), 100), Book(((1001, 10), THEIRS), ((1100, 10), (1200, 5)), 100)
    assert not others.can_tell("X", before, 100)
    assert others.can_tell("X", after, 100)
    assert not others.can_tell("X", after, 99)
    assert others.can_tell("X", before, 101)
    assert not others.can_tell("X", Book(((1001, 10), THEIRS), ((1100, 9),), 100), 100)


def test_a_kept_picture_is_given_up_when_it_grows_old() -> None:
    """With requests always under way no book is ever certain; then the newest counts, ours taken out as well as known."""
    orders = OrderTable()
    others = OthersBooks(orders)
    place(orders, "1", 1001)
    rests(orders, "1", 1001, 100)
    others.of("X", book(200, 1001), 200)
    place(orders, "2", 1002, replaces="1")
    moved = Book(((1001, 10), (990, 70)), (), 300)
    assert others.of("X", moved, 300).bids == (THEIRS,)
    late = Book(((1001, 10), (990, 70)), (), 201 + KEPT_MS)
    assert others.of("X", late, late.ts_ms).bids == ((990, 70),)


def test_without_orders_of_ours_the_book_is_everybody_elses() -> None:
    """Nothing is kept back from a maker who has nothing there."""
    others = OthersBooks(OrderTable())
    assert others.of("X", book(5), 5).bids == (THEIRS,)
    moved = Book(((990, 1),), (), 6)
    assert others.of("X", moved, 6).bids == ((990, 1),)
