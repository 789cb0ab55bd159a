"""Derive's conversations once connected: reconciliation, protection, published smiles, each against a scripted venue."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from derive_answers import TERMS, Orders, listed, newcomer
from derive_kit import NAME, OWNER, SUBACCOUNT, Refusal, drive, maker, order_row, raw, trade_row

from actors.trading.errors import OutcomeUnknown, VenueRefused
from actors.venues.dialect import Call, MmpTerms, MmpTripped, Pool, PublishedSmile

# -- truth


def test_open_orders_are_those_of_the_underlying_whoever_placed_them():
    """Others' orders and other labels are reported too; other underlyings are not; unlearned names do not break it."""
    stray = order_row(order_id="s", instrument_name="ETH-20270101-1-P", limit_price="3.14", amount="0.123", label="hand")
    answer = {"subaccount_id": 1, "orders": [order_row(), stray, order_row(instrument_name="BTC-PERP")]}
    orders, _ = drive(maker().open_orders("ETH"), lambda *_: answer)
    assert [(order.venue_id, order.label) for order in orders] == [(order_row()["order_id"], "mm-ETH-1"), ("s", "hand")]
    assert (orders[1].price, orders[1].amount) == (3_140_000_000_000, 123_000_000_000)


def test_orders_that_cannot_be_read_are_no_empty_list():
    """A failed query is not flat."""
    for answer in ({"orders": [order_row(limit_price="100.55")]}, {"orders": [order_row(direction="up")]}, {}):
        with pytest.raises(OutcomeUnknown):
            drive(maker().open_orders("ETH"), lambda *_, answer=answer: answer)


def test_open_orders_that_came_in_part_are_no_answer():
    """An order on a page nobody read would be taken for gone."""
    answer = {"orders": [order_row()], "pagination": {"num_pages": 2, "count": 1001}}
    with pytest.raises(OutcomeUnknown, match="in part"):
        drive(maker().open_orders("ETH"), lambda *_: answer)
    whole = {**answer, "pagination": {"num_pages": 1, "count": 1}}
    assert len(drive(maker().open_orders("ETH"), lambda *_: whole)[0]) == 1


def test_pages_of_fills_end_where_nothing_more_comes():
    """A count of pages that is wrong must not be asked to its end."""
    answers = [[trade_row()], []]
    asked: list[int] = []

    def venue(call: Call, params: dict[str, Any]) -> Any:
        asked.append(params["page"])
        return {"trades": answers.pop(0), "pagination": {"num_pages": 10**9, "count": 1}}

    fills, _ = drive(maker().fills_since(0, "ETH"), venue)
    assert [fill.trade_id for fill in fills] == [trade_row()["trade_id"]]
    assert asked == [1, 2]


def test_an_order_is_found_by_whatever_is_known_of_it():
    """By id at once; without one among the resting by nonce; else in the history, page by page; else there is no trace."""
    nonce, since = order_row()["nonce"], 1_795_338_000_000
    ended = order_row(order_status="cancelled")
    other = order_row(order_id="x", nonce="1")
    by_id, calls = drive(maker().order_state(nonce, "id", NAME, since), Orders(by_id=ended))
    assert (by_id.status.value, len(calls)) == ("cancelled", 1)
    resting, calls = drive(maker().order_state(nonce, "", NAME, since), Orders(resting=[other, order_row()]))
    assert (resting.client_id, len(calls)) == (nonce, 1)
    found, calls = drive(maker().order_state(nonce, "gone", NAME, since), Orders(history=[[other], [ended], [other]]))
    assert found.status.value == "cancelled"
    assert [call.method.partition("/")[2] for call in calls] == [
        "get_order",
        "get_open_orders",
        "get_order_history",
        "get_order_history",
    ]
    assert drive(maker().order_state(nonce, "", NAME, since), Orders(history=[[other]]))[0] is None
    with pytest.raises(VenueRefused):
        drive(maker().order_state(nonce, "id", NAME, since), lambda *_: Refusal(-32000))


def test_positions_are_signed_steps_of_the_underlying():
    """Zero ones are left out; an instrument no longer listed is asked for by name."""
    gone = "ETH-20261122-2800-P"
    rows = [(NAME, "-0.3"), (gone, "1.25"), ("BTC-PERP", "1"), ("ETH-20261225-2900-C", "0")]
    asked: list[str] = []

    def venue(call: Call, params: dict[str, Any]) -> Any:
        if call.method == "public/get_instrument":
            asked.append(params["instrument_name"])
            return listed(instrument_name=params["instrument_name"], is_active=False)
        return {"positions": [{"instrument_name": name, "amount": amount} for name, amount in rows]}

    held, _ = drive(maker().positions("ETH"), venue)
    assert held == {NAME: -30, gone: 125}
    assert asked == [gone, "ETH-20261225-2900-C"]


def test_fills_come_oldest_first_and_once():
    """Newest first on the wire, over pages that shift while they are read: no double, none missed, BTC left out."""
    rows = [trade_row(trade_id=str(number), timestamp=1000 + number // 2) for number in range(7)][::-1]
    pages = [rows[:3], rows[2:5], [*rows[5:], trade_row(trade_id="b", instrument_name="BTC-PERP")]]

    def venue(call: Call, params: dict[str, Any]) -> Any:
        assert params["from_timestamp"] == 900
        return {"trades": pages[params["page"] - 1], "pagination": {"num_pages": 3, "count": 8}}

    fills, calls = drive(maker().fills_since(900, "ETH"), venue)
    assert [fill.trade_id for fill in fills] == [str(number) for number in range(7)]
    assert len(calls) == 3


def test_the_venues_clock_is_milliseconds():
    """As it answers."""
    assert drive(newcomer().server_time(), lambda *_: 1_795_338_000_123)[0] == 1_795_338_000_123


# -- market-maker protection


def test_protection_is_set_read_and_reset():
    """The whole configuration goes out as plain decimals; what is read back compares equal; none is None."""
    sent: dict[str, Any] = {}

    def venue(call: Call, params: dict[str, Any]) -> Any:
        if call.method == "private/set_mmp_config":
            sent.update(params)
            return params
        if call.method == "private/reset_mmp":
            return "ok"
        return [{**sent, "is_frozen": True, "mmp_unfreeze_time": 77}, {"currency": "BTC"}] if sent else []

    dialect = maker()
    assert drive(dialect.get_mmp("ETH"), venue)[0] is None
    drive(dialect.set_mmp(TERMS), venue)
    assert (sent["mmp_amount_limit"], sent["mmp_interval"], sent["mmp_frozen_time"]) == ("2.5", 5000, 30_000)
    now = drive(dialect.get_mmp("ETH"), venue)[0]
    assert now == MmpTerms("ETH", 5000, 30_000, Decimal("2.5"), Decimal("0"), True, 77)
    assert drive(dialect.reset_mmp("ETH"), venue)[0] is None


def test_a_trips_end_is_known_once_the_freeze_is():
    """The cancel's time and the length of the freeze."""
    dialect = maker()
    drive(dialect.set_mmp(TERMS), lambda *_: {})
    row = order_row(order_status="cancelled", cancel_reason="mmp_trigger", last_update_timestamp=1_000)
    news = list(dialect.decode_notice("subscription", f"{SUBACCOUNT}.orders", raw([row])))
    assert news[-1] == MmpTripped(31_000, "ETH")


# -- published smiles

EXPIRY_S = 1_800_000_000


SVI = {"SVI_a": "0.004", "SVI_b": "0.02", "SVI_rho": "-0.3", "SVI_m": "0.01", "SVI_sigma": "0.12", "SVI_fwd": "3000.5"}


def feed(expiry: int, **changes: Any) -> dict[str, Any]:
    """One expiry's volatility feed as the schema has it; `changes` to its SVI, None takes a field away."""
    svi = {**SVI, "SVI_refTau": "0.1", **changes}
    return {
        "currency": "ETH",
        "expiry": expiry,
        "confidence": "1",
        "timestamp": EXPIRY_S - 864_000,
        "deadline": EXPIRY_S,
        "signatures": {"signers": [OWNER], "signatures": ["0x" + "ab" * 65]},
        "vol_data": {key: value for key, value in svi.items() if value is not None},
    }


def smiles(*found: dict[str, Any], expiries: Sequence[int] = (EXPIRY_S,)) -> tuple[list[PublishedSmile], list[Call]]:
    """What is read of an answer with these feeds, and what was asked."""
    answer = {"spot_data": {}, "vol_data": {"ETH": {str(one["expiry"]): one for one in found}, "BTC": {"1": {}}}}
    read, calls = drive(newcomer().published_smiles("ETH", expiries), lambda *_: answer)
    return read, calls


def test_published_smiles_are_one_request_within_the_other_budget():
    """However many expiries; one alone is named. Every number comes as it was sent, and nobody logs in for it."""
    read, calls = smiles(feed(EXPIRY_S), feed(EXPIRY_S + 1))
    assert read == [PublishedSmile(EXPIRY_S, 0.004, 0.02, -0.3, 0.01, 0.12, 3000.5, 0.1, EXPIRY_S - 864_000)]
    assert [(call.method, call.pool) for call in calls] == [("public/get_latest_signed_feeds", Pool.OTHER)]
    assert msgspec.json.decode(calls[0].params) == {"currency": "ETH", "expiry": EXPIRY_S}
    read, calls = smiles(feed(EXPIRY_S), feed(EXPIRY_S + 1), expiries=(EXPIRY_S, EXPIRY_S + 1))
    assert [one.expiry_s for one in read] == [EXPIRY_S, EXPIRY_S + 1]
    assert [msgspec.json.decode(call.params) for call in calls] == [{"currency": "ETH"}]


def test_a_smile_is_read_in_any_likely_spelling():
    """Numbers or text, seconds or milliseconds, with or without the reference time."""
    plain = smiles(feed(EXPIRY_S))[0]
    assert smiles(feed(EXPIRY_S, SVI_a=0.004, SVI_fwd=3000.5))[0] == plain
    assert smiles({**feed(EXPIRY_S), "timestamp": (EXPIRY_S - 864_000) * 1000})[0] == plain
    assert smiles(feed(EXPIRY_S, SVI_refTau=None))[0] == [msgspec.structs.replace(plain[0], t_years=0.0)]


@pytest.mark.parametrize(
    "wrong",
    [{"SVI_rho": "-300000000000000000"}, {"SVI_b": "-0.1"}, {"SVI_fwd": "0"}, {"SVI_a": "x"}, {"SVI_m": None}],
    ids=str,
)
def test_what_is_no_smile_is_left_out_alone(wrong: dict[str, Any]):
    """Other units are not guessed at, and one expiry that cannot be read does not hide the next."""
    read, _ = smiles(feed(EXPIRY_S, **wrong), feed(EXPIRY_S + 1), expiries=(EXPIRY_S, EXPIRY_S + 1))
    assert [one.expiry_s for one in read] == [EXPIRY_S + 1]


@pytest.mark.parametrize("answer", [{}, {"vol_data": {}}, {"vol_data": {"ETH": None}}], ids=str)
def test_a_venue_may_have_no_smile_to_show(answer: dict[str, Any]):
    """Nothing published is an empty list."""
    assert drive(newcomer().published_smiles("ETH", [EXPIRY_S]), lambda *_: answer)[0] == []
