"""Deribit's mass quotes: one call for many sides, and an outcome of its own for each of them."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from deribit_kit import NAME, OPTION, ORDER_ID, maker, order_row, raw, trade_row, wish

from actors.trading.instruments import Side
from actors.venues.deribit.mass import REMEMBERED
from actors.venues.deribit.wire import DeribitDialect
from actors.venues.dialect import Call, MassSide, OrderStatus, Outcome, Pool, VenueOrder

OTHER = "ETH-25DEC26-3000-P"
RUN = "sm-main-cell0-r1"


def quoter() -> DeribitDialect:
    dialect = maker()
    dialect.learn([attrs.evolve(OPTION, name=OTHER)])
    return dialect


def placed(name: str = NAME, side: Side = Side.BID, client_id: str = "a", *, moves: bool = False) -> MassSide:
    return MassSide(name, side, client_id, wish(instrument=name, side=side, client_id=client_id), moves)


def away(name: str = NAME, side: Side = Side.BID, client_id: str = "a") -> MassSide:
    return MassSide(name, side, client_id)


def write(dialect: DeribitDialect, *sides: MassSide) -> Call:
    assert dialect.mass is not None
    return dialect.mass.write(sides, RUN, 1_795_338_001_123)


def read(dialect: DeribitDialect, sides: list[MassSide], result: Any = None, error: Any = None) -> list[Outcome]:
    assert dialect.mass is not None
    return dialect.mass.read(sides, None if error else raw(result), error)


def quote_row(quote_id: str, **changes: Any) -> dict[str, Any]:
    return order_row(**{"label": "", "quote": True, "quote_id": quote_id, "quote_set_id": RUN, "mmp": True, **changes})


def test_many_sides_leave_in_one_call_an_entry_per_instrument():
    """Placed with size, moved by price alone, taken away by a size of zero; the set is the run, the group the index's."""
    dialect = quoter()
    call = write(dialect, placed(), placed(side=Side.ASK, client_id="b", moves=True), away(OTHER))
    assert (call.method, call.pool, call.kind) == ("private/mass_quote", Pool.MASS_QUOTE, "mass_quote")
    sent = json.loads(call.params)
    promise = {"post_only": True, "reject_post_only": True}
    assert sent.pop("quote_id")
    assert sent == {
        "mmp_group": "sm-eth_usd",
        "detailed": True,
        "wait_for_response": True,
        "valid_until": 1_795_338_001_123,
        "quotes": [
            {
                "instrument_name": NAME,
                "quote_set_id": RUN,
                "bid": {"amount": 5, "price": 0.0425, **promise},
                "ask": {"price": 0.0425, **promise},
            },
            {"instrument_name": OTHER, "quote_set_id": RUN, "bid": {"amount": 0}},
        ],
    }


def test_quote_ids_never_repeat_not_even_over_lives():
    """A resting quote of an earlier life must not be taken for one of this."""
    dialect = quoter()
    ids = [json.loads(write(dialect, placed()).params)["quote_id"] for _ in range(3)]
    assert len(set(ids)) == 3
    label = dialect.next_client_id(1, "r")
    assert label.rpartition("-")[2] not in ids


def test_each_side_hears_its_own_outcome():
    """One rests, one crossed, one is not mentioned and therefore unknown; fills go where they belong."""
    dialect = quoter()
    sides = [placed(), placed(side=Side.ASK, client_id="b"), placed(OTHER, client_id="c")]
    quote_id = json.loads(write(dialect, *sides).params)["quote_id"]
    answer = {
        "orders": [quote_row(quote_id, filled_amount=2.0)],
        "trades": [trade_row(label="", quote_set_id=RUN)],
        "errors": [{"instrument_name": NAME, "side": "ask", "error": {"code": 11054, "message": "post_only_reject"}}],
    }
    bid, ask, other = read(dialect, sides, answer)
    assert [(order.client_id, order.venue_id, order.label, order.filled) for order in bid.orders] == [
        ("a", ORDER_ID, RUN, 2)
    ]
    assert [(fill.venue_id, fill.label) for fill in bid.fills] == [(ORDER_ID, RUN)]
    assert ask.refused is not None
    assert (ask.refused[0], ask.old_gone, ask.cancel_refused, ask.orders) == (11054, False, None, ())
    assert other == Outcome(unknown=True)


def test_a_notification_before_the_answer_finds_the_order_it_speaks_of():
    """By quote id, instrument and side; a quote of another process is nobody's."""
    dialect = quoter()
    quote_id = json.loads(write(dialect, placed()).params)["quote_id"]
    rows = [quote_row(quote_id), quote_row("before", order_id="2"), quote_row(quote_id, direction="sell", order_id="3")]
    news = list(dialect.decode_notice("subscription", "user.changes.option.ETH.raw", raw({"orders": rows})))
    assert [order.client_id for order in news if isinstance(order, VenueOrder)] == ["a", "", ""]


def test_a_quote_taken_away_ends_with_its_row():
    """Where nothing rested there is no row, and so no proof; an error on it is a refused cancel."""
    dialect = quoter()
    (outcome,) = read(dialect, [away()], {"orders": [quote_row("q", order_state="cancelled", cancel_reason="user_request")]})
    assert outcome.orders[0].status is OrderStatus.CANCELLED
    assert read(dialect, [away()], {"orders": []}) == [Outcome(unknown=True)]
    failed = {"errors": [{"instrument_name": NAME, "side": "bid", "error": {"code": 10004, "message": "order_not_found"}}]}
    (outcome,) = read(dialect, [away()], failed)
    assert outcome.refused == outcome.cancel_refused is not None


def test_what_rests_after_the_call_is_ours_without_its_quote_id_too():
    """The identity comes from the call where the venue leaves it out."""
    dialect = quoter()
    write(dialect, placed())
    (outcome,) = read(dialect, [placed()], {"orders": [{**quote_row("q"), "quote_id": None}]})
    assert outcome.orders[0].client_id == "a"


def test_a_call_refused_as_a_whole_is_refused_side_by_side():
    """Nothing changed then; where the venue itself does not know, nobody does; nonsense proves nothing."""
    dialect, sides = quoter(), [placed(), away(OTHER)]
    first, second = read(dialect, sides, error=(13903, "too_many_quotes", ""))
    assert first.refused is not None
    assert (first.refused[0], first.cancel_refused) == (13903, None)
    assert second.cancel_refused is not None
    assert read(dialect, sides, error=(13888, "timed_out", "")) == [Outcome(unknown=True)] * 2
    for nonsense in ("ok", {"orders": [{}]}, {"orders": [quote_row("q", price=0.04251)]}):
        assert read(dialect, sides, nonsense)[0].unknown


@pytest.mark.parametrize(
    ("code", "withdrawn"), [(13902, True), (13040, True), (13042, True), (13903, False), (13030, False)]
)
def test_only_some_refusals_end_mass_quoting(code: int, withdrawn: bool):
    """Too many, or a freeze, is for now; no right, no group, no cancel-on-disconnect is for good."""
    mass = quoter().mass
    assert mass is not None
    assert mass.is_withdrawn(code) is withdrawn


def test_one_call_pulls_the_run_once_quotes_leave_in_mass():
    """And not before: with single orders there is no such call."""
    dialect = quoter()
    assert dialect.mass is not None
    assert dialect.cancel_ours(RUN, "ETH") == []
    dialect.mass.is_on = True
    (call,) = dialect.cancel_ours(RUN, "ETH")
    assert (call.method, call.pool) == ("private/cancel_quotes", Pool.MATCHING)
    assert json.loads(call.params) == {"cancel_type": "quote_set_id", "quote_set_id": RUN}


def test_identities_are_kept_for_a_long_row_of_refused_moves_and_no_longer():
    """The resting quote keeps the id that made it while later ones fail."""
    dialect = quoter()
    ids = [json.loads(write(dialect, placed(client_id=str(n))).params)["quote_id"] for n in range(REMEMBERED + 1)]
    rows = [quote_row(ids[0]), quote_row(ids[1]), quote_row(ids[-1])]
    news = dialect.decode_notice("subscription", "user.changes.option.ETH.raw", raw({"orders": rows}))
    assert [order.client_id for order in news if isinstance(order, VenueOrder)] == ["", "1", str(REMEMBERED)]


def test_protection_follows_the_way_we_quote():
    """Mass quotes live under the group's configuration."""
    dialect = quoter()
    assert dialect.mass is not None
    assert b"mmp_group" not in next(dialect.get_mmp("ETH")).params
    dialect.mass.is_on = True
    assert json.loads(next(dialect.get_mmp("ETH")).params) == {"index_name": "eth_usd", "mmp_group": "sm-eth_usd"}
