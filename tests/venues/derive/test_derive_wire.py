"""Derive's orders: what is sent, and what is concluded from what comes back."""

from __future__ import annotations

import itertools
import re
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from derive_kit import (
    IN_FLIGHT,
    NAME,
    NOW_NS,
    OPTION,
    OWNER,
    RESTING,
    SIGNER,
    SUBACCOUNT,
    maker,
    order_row,
    params,
    raw,
    sample,
    trade_row,
    wish,
)
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.trading.errors import ConfigError, StrikemakerError
from actors.trading.instruments import FeeSchedule, Side
from actors.venues.derive import signing
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import Call, Dialect, OrderStatus, Pool


def test_the_dialect_is_one():
    """A static promise, kept at run time too: every member of the contract exists."""
    dialect: Dialect = maker()
    wanted = {name for name in vars(Dialect) if not name.startswith("_")} | set(Dialect.__annotations__)
    assert {name for name in wanted if not hasattr(dialect, name)} == set()


# -- orders


def test_an_order_is_written_with_everything_a_maker_needs():
    """Post-only, refused when it would cross, labelled, with the venue-side time limits."""
    call = maker().place(wish(mmp=True))
    body = params(call)
    signature = body.pop("signature")
    assert re.fullmatch("0x[0-9a-f]{130}", signature)
    assert body == {
        "subaccount_id": SUBACCOUNT,
        "instrument_name": NAME,
        "direction": "buy",
        "order_type": "limit",
        "time_in_force": "post_only",
        "reject_post_only": True,
        "signer": SIGNER,
        "max_fee": "7.340000",
        "limit_price": "100.5",
        "amount": "0.10",
        "nonce": "1795338000123456007",
        "signature_expiry_sec": 1_795_338_900,
        "reject_timestamp": 1_795_338_001_123,
        "mmp": True,
        "label": "mm-ETH-1",
    }
    assert (call.method, call.pool, call.kind, call.instrument) == ("private/order", Pool.MATCHING, "place", NAME)


def recovered(body: dict[str, Any], instrument: Any, chain_id: int) -> str:
    """Rebuild what was signed from the frame's strings alone, through eth-account, and recover the signer."""
    from eth_abi import encode

    def e18(field: str) -> int:
        return int(Decimal(body[field]).scaleb(18))

    data = encode(
        ["address", "uint256", "int256", "int256", "uint256", "uint256", "bool"],
        [
            instrument.asset_address,
            instrument.sub_id,
            *(e18(field) for field in ("limit_price", "amount", "max_fee")),
            body["subaccount_id"],
            body["direction"] == "buy",
        ],
    )
    kinds = {"subaccountId": "uint256", "nonce": "uint256", "module": "address", "data": "bytes"}
    kinds |= {"expiry": "uint256", "owner": "address", "signer": "address"}
    typed = encode_typed_data(
        {"name": "Matching", "version": "1.0", "chainId": chain_id, "verifyingContract": signing.MATCHING_CONTRACT},
        {"Action": [{"name": name, "type": kind} for name, kind in kinds.items()]},
        {
            "subaccountId": body["subaccount_id"],
            "nonce": int(body["nonce"]),
            "module": signing.TRADE_MODULE,
            "data": data,
            "expiry": body["signature_expiry_sec"],
            "owner": OWNER,
            "signer": body["signer"],
        },
    )
    return str(Account.recover_message(typed, signature=body["signature"]))


@settings(max_examples=60, deadline=None)
@given(
    side=st.sampled_from(Side),
    price=st.integers(1, 10**7),
    amount=st.integers(1, 10**6),
    tick=st.sampled_from(["0.1", "1", "0.0005", "0.01", "1E+1"]),
    step=st.sampled_from(["0.01", "0.00001", "1"]),
    index=st.floats(0.01, 200_000),
    nonce=st.integers(10**18, 2**63 - 1),
    expiry=st.integers(1, 2**33),
    old_filled=st.integers(0, 10**6),
)
def test_the_strings_of_a_frame_are_exactly_what_was_signed(
    side: Side, price: int, amount: int, tick: str, step: str, index: float, nonce: int, expiry: int, old_filled: int
):
    """Whoever rebuilds the words from the JSON alone recovers our signer; no string has an exponent or 13 decimals."""
    instrument = attrs.evolve(OPTION, tick=Decimal(tick), amount_step=Decimal(step))
    dialect = maker(instrument, chain_id=31337)
    dialect.note_reference(NAME, index, 0.0)
    order = wish(side=side, price=price, amount=amount, client_id=str(nonce), expires_s=expiry)
    placed, replaced = params(dialect.place(order)), params(dialect.replace(order, RESTING, old_filled))
    for body in (placed, replaced):
        assert recovered(body, instrument, 31337) == SIGNER
        assert instrument.price_ticks(body["limit_price"]) == price
        assert instrument.amount_steps(body["amount"]) == amount
        assert body["direction"] == ("buy" if side is Side.BID else "sell")
        for field in ("limit_price", "amount", "max_fee", *(["expected_filled_amount"] if body is replaced else [])):
            assert re.fullmatch(r"\d+(\.\d{1,12})?", body[field])
    assert instrument.amount_steps(replaced["expected_filled_amount"]) == old_filled


@settings(max_examples=100)
@given(
    index=st.decimals("1.1", "200000", places=2),
    taker=st.sampled_from(["0.0003", "0.0005", "0"]),
    base=st.sampled_from(["0.5", "0", "0.01"]),
    least=st.integers(1, 1000),
)
def test_the_fee_cap_holds_for_any_size_and_is_no_larger_than_it_must_be(index: Decimal, taker: str, base: str, least: int):
    """3 x taker rate x index + base fee / minimum, rounded up at six decimals."""
    fees = FeeSchedule(0.0001, float(taker), float(base), 0.125)
    dialect = maker(attrs.evolve(OPTION, fees=fees, min_amount=least))
    dialect.note_reference(NAME, 1.0, 0.0)
    dialect.note_reference(NAME, float(index), 0.0)
    cap = Decimal(params(dialect.place(wish()))["max_fee"])
    exact = 3 * Decimal(taker) * index + Decimal(base) / (least * OPTION.amount_step)
    assert exact <= cap < exact + Decimal("0.000001")


def test_the_fee_cap_follows_index_and_mark_beyond_one_percent():
    """Small moves change nothing; the larger of index and mark counts; nonsense is not followed."""
    dialect = maker()

    def cap(index: float, mark: float) -> str:
        dialect.note_reference(NAME, index, mark)
        return str(params(dialect.place(wish()))["max_fee"])

    assert cap(2625.0, 0.0) == "7.340000"
    assert cap(2630.0, 0.0) == "7.367000"
    assert cap(2630.0, 3000.0) == "7.700000"
    assert cap(2000.0, 0.0) == "6.800000"
    for nonsense in (float("nan"), float("inf"), 0.0, -5.0):
        assert cap(nonsense, 0.0) == "6.800000"


def test_without_an_index_nothing_is_signed():
    """An order of an instrument whose index was never seen, or that was never listed, raises in words."""
    dialect = DeriveDialect(lambda: NOW_NS, key=maker().key, wallet=OWNER)
    with pytest.raises(StrikemakerError, match="not a listed instrument"):
        dialect.place(wish())
    dialect.learn([OPTION])
    with pytest.raises(StrikemakerError, match="no subaccount"):
        dialect.place(wish())
    dialect.adopt(SUBACCOUNT)
    with pytest.raises(StrikemakerError, match="no index price"):
        dialect.place(wish())


def test_a_changed_subaccount_or_listing_reaches_the_next_order():
    """Prepared parts of frames are written again when what they hold changes."""
    dialect = maker()
    assert params(dialect.place(wish()))["limit_price"] == "100.5"
    dialect.adopt(7)
    before = params(dialect.place(wish()))["max_fee"]
    dialect.learn([attrs.evolve(OPTION, fees=attrs.evolve(OPTION.fees, taker_rate=0.01))])
    body = params(dialect.place(wish()))
    assert body["subaccount_id"] == 7
    assert float(body["max_fee"]) > float(before)


def test_other_units_never_reach_who_counts_in_the_old_ones():
    """Prices and amounts are held as integers all over the process: a new tick under them would change every order."""
    dialect = maker()
    dialect.learn([attrs.evolve(OPTION, tick=Decimal("0.5"), amount_step=Decimal("1"))])
    assert params(dialect.place(wish()))["limit_price"] == "100.5"


def test_a_replacement_names_the_old_order_and_its_expected_fill():
    """By venue id once there is one, by nonce before; never both."""
    body = params(maker().replace(wish(), RESTING, 3))
    assert (body["order_id_to_cancel"], body["expected_filled_amount"]) == (RESTING.venue_id, "0.03")
    assert "nonce_to_cancel" not in body
    body = params(maker().replace(wish(), IN_FLIGHT, 0))
    assert (body["nonce_to_cancel"], body["expected_filled_amount"]) == (IN_FLIGHT.client_id, "0.00")
    assert "order_id_to_cancel" not in body


def test_cancels_draw_from_the_pools_they_cost():
    """Single cancels cost matching requests; the run's label has a pool of its own and names no instrument."""
    dialect = maker()
    assert params(dialect.cancel(RESTING)) == {
        "subaccount_id": SUBACCOUNT,
        "instrument_name": NAME,
        "order_id": RESTING.venue_id,
    }
    burn = {"subaccount_id": SUBACCOUNT, "instrument_name": NAME, "nonce": IN_FLIGHT.client_id}
    assert params(dialect.cancel(IN_FLIGHT)) == burn == params(dialect.burn(IN_FLIGHT.client_id, NAME))
    (ours,) = dialect.cancel_ours("mm-ETH-1", "ETH")
    assert params(ours) == {"subaccount_id": SUBACCOUNT, "label": "mm-ETH-1"}
    (everything,) = dialect.cancel_account()
    assert params(everything)["cancel_trigger_orders"] is params(everything)["cancel_algo_orders"] is True
    pools = [dialect.cancel(RESTING).pool, dialect.cancel(IN_FLIGHT).pool, ours.pool, everything.pool]
    assert pools == [Pool.MATCHING, Pool.MATCHING, Pool.BULK_CANCEL, Pool.BULK_CANCEL]


def test_labels_are_escaped_and_bounded():
    """A label that JSON must escape arrives as it was meant; one that is too long is refused."""
    assert params(maker().place(wish(label='a"b\\c')))["label"] == 'a"b\\c'
    with pytest.raises(ConfigError, match="longer than 64"):
        maker().place(wish(label="x" * 65))


@given(steps=st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=50), slot=st.integers(0, 999))
def test_nonces_rise_and_keep_their_slot_whatever_the_clock_does(steps: list[int], slot: int):
    """Standing still, stepping back or leaping ahead: no nonce repeats, each ends with its process's slot."""
    dialect, now = DeriveDialect(lambda: NOW_NS, slot=slot), NOW_NS
    nonces = []
    for step in steps:
        now += step
        nonces.append(int(dialect.next_client_id(now, "run")))
    assert all(a < b for a, b in itertools.pairwise(nonces))
    assert {nonce % 1000 for nonce in nonces} == {slot}
    assert all(len(str(nonce)) == 19 for nonce in nonces)


def test_a_nonce_is_the_clock_in_nanoseconds():
    """Microseconds of the present with the slot in place of the last three digits."""
    assert DeriveDialect(lambda: NOW_NS, slot=7).next_client_id(NOW_NS, "run") == "1795338000123456007"
    with pytest.raises(ConfigError, match="slot"):
        DeriveDialect(lambda: NOW_NS, slot=1000)


# -- outcomes

PLACE, REPLACE, CANCEL, BURN, PULL, ALL = range(6)


def outcome(dialect: DeriveDialect, call: Call, result: Any = None, error: tuple[int, str, str] | None = None) -> Any:
    return dialect.read_outcome(call, None if error else raw(result), error)


def call_of(kind: int) -> Call:
    dialect = maker()
    return [
        dialect.place(wish()),
        dialect.replace(wish(), RESTING, 0),
        dialect.cancel(RESTING),
        dialect.cancel(IN_FLIGHT),
        *dialect.cancel_ours("run", "ETH"),
        *dialect.cancel_account(),
    ][kind]


def test_the_recorded_order_answer_is_read_although_it_is_v2():
    """An integer nonce, nulls and fields that have gone make no difference."""
    dialect = maker()
    dialect.learn([attrs.evolve(OPTION, name="ETH-USDC", kind=None, tick=Decimal("0.01"))])
    answer = sample("private/order answer (spot, mainnet)")["result"]
    (order,) = outcome(dialect, dialect.place(wish()), answer).orders
    assert (order.client_id, order.price, order.amount) == ("17796074552590", 2122, 10)


def test_a_placed_order_may_have_traded_at_once():
    """The answer carries the order and its immediate fills."""
    answer = {"order": order_row(filled_amount="0.04"), "trades": [trade_row()]}
    proof = outcome(maker(), call_of(PLACE), answer)
    assert [order.filled for order in proof.orders] == [4]
    assert [fill.amount for fill in proof.fills] == [4]
    assert proof.refused is None
    assert not proof.unknown


def test_a_replacement_reports_both_orders():
    """The old one cancelled, the new one open and naming the old."""
    old = order_row(order_status="cancelled", cancel_reason="user_request")
    new = order_row(order_id="new", replaced_order_id=old["order_id"], filled_amount="0.04")
    answer = {"cancelled_order": old, "order": new, "trades": [trade_row(order_id="new")], "create_order_error": None}
    proof = outcome(maker(), call_of(REPLACE), answer)
    assert [order.status for order in proof.orders] == [OrderStatus.CANCELLED, OrderStatus.OPEN]
    assert proof.orders[1].replaces == old["order_id"]
    assert len(proof.fills) == 1
    assert (proof.refused, proof.old_gone, proof.unknown) == (None, False, False)


@pytest.mark.parametrize("code", [11000, 11008, 11028])
def test_a_replacement_whose_new_half_failed_is_a_refusal_inside_a_success(code: int):
    """The old order is gone, the new one was never made, and the code is the new one's."""
    answer = {
        "cancelled_order": order_row(order_status="cancelled"),
        "order": None,
        "trades": [],
        "create_order_error": {"code": code, "message": "m", "data": None},
    }
    proof = outcome(maker(), call_of(REPLACE), answer)
    assert proof.refused is not None
    assert proof.refused[0] == code
    assert proof.old_gone
    assert not proof.unknown
    assert [order.status for order in proof.orders] == [OrderStatus.CANCELLED]


def test_a_replacement_whose_new_half_is_in_doubt_is_unknown():
    """An ambiguous code inside the success, or neither order nor error: the old is gone, of the new nothing is known."""
    old = order_row(order_status="cancelled")
    error = {"code": 9000, "message": "m", "data": "d"}
    for answer in ({"cancelled_order": old, "create_order_error": error}, {"cancelled_order": old}):
        proof = outcome(maker(), call_of(REPLACE), answer)
        assert proof.unknown
        assert proof.old_gone


@pytest.mark.parametrize("code", [11003, 11004, 11005, 11006, 11016])
def test_a_replacement_that_found_no_order_proves_neither_life_nor_death_of_it(code: int):
    """The new order was not made; that the old one ended is hearsay."""
    proof = outcome(maker(), call_of(REPLACE), error=(code, "m", ""))
    assert proof.refused is not None
    assert proof.cancel_refused is not None
    assert proof.refused[0] == proof.cancel_refused[0] == code
    assert not proof.old_gone
    assert not proof.unknown


@pytest.mark.parametrize("code", [-32000, 11012, 11013, 14014])
def test_a_replacement_refused_before_its_cancel_says_nothing_of_the_old_order(code: int):
    """Only the request was refused."""
    proof = outcome(maker(), call_of(REPLACE), error=(code, "m", "Retry after 200 ms"))
    assert proof.refused is not None
    assert proof.refused[0] == code
    assert (proof.cancel_refused, proof.old_gone) == (None, False)


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize("code", [9000, 9001, 9002, -32603])
def test_codes_that_mean_the_venue_does_not_know_make_everything_unknown(kind: int, code: int):
    """Neither a refusal nor a success is concluded."""
    proof = outcome(maker(), call_of(kind), error=(code, "m", ""))
    assert proof.unknown
    assert (proof.refused, proof.cancel_refused, proof.old_gone) == (None, None, False)


def test_a_refused_order_says_why_in_words():
    """The code, our meaning of it and the venue's own words."""
    proof = outcome(maker(), call_of(PLACE), error=(11013, "Invalid price", "tick"))
    assert proof.refused == (11013, "bad price: off tick or out of the band (Invalid price: tick)")
    assert proof.cancel_refused is None


def test_a_cancel_answers_the_order_or_a_refusal_that_proves_nothing():
    """The order as it ended; of a refusal both kinds are set, and nothing is gone."""
    (order,) = outcome(maker(), call_of(CANCEL), order_row(order_status="cancelled", filled_amount="0.02")).orders
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, 2)
    proof = outcome(maker(), call_of(CANCEL), error=(11006, "m", ""))
    assert proof.cancel_refused is not None
    assert proof.cancel_refused == proof.refused
    assert not proof.old_gone


@pytest.mark.parametrize(("count", "gone", "counted"), [(1, True, 1), (0, True, 0), (-1, False, None)])
def test_a_burnt_nonce_can_rest_no_more(count: int, gone: bool, counted: int | None):
    """Zero means burnt as well; a count that was not made proves nothing."""
    proof = outcome(maker(), call_of(BURN), {"cancelled_orders": count})
    assert (proof.old_gone, proof.count) == (gone, counted)


@pytest.mark.parametrize(("count", "counted"), [(-1, None), (0, 0), (12, 12)])
def test_a_bulk_cancel_counts_only_where_the_venue_did(count: int, counted: int | None):
    """-1 is neither an error nor a number; cancel_all says just ok."""
    assert outcome(maker(), call_of(PULL), {"cancelled_orders": count}).count == counted
    assert outcome(maker(), call_of(ALL), "ok").count is None


@pytest.mark.parametrize("kind", [PLACE, REPLACE, CANCEL, BURN, PULL])
@pytest.mark.parametrize("result", [None, [], {"order": {"order_id": 5}}, "ok", {"cancelled_order": {}}])
def test_an_answer_that_cannot_be_read_proves_nothing(kind: int, result: Any):
    """Whatever shape it has, the outcome is unknown."""
    proof = maker().read_outcome(call_of(kind), msgspec.Raw(msgspec.json.encode(result)), None)
    assert proof.unknown
    assert (proof.orders, proof.refused) == ((), None)


def test_codes_are_explained_and_sorted():
    """Known codes in words, unlisted ones too; wrong keys are fatal, a crossing post-only is not."""
    dialect = maker()
    assert dialect.explain(11008) == "post-only order would cross the market"
    assert dialect.explain(11105) == "RFQ refused"
    assert dialect.explain(424242) == "unlisted error"
    assert all(dialect.is_fatal(code) for code in (14000, 14014, 14023, 14030, 16000, 11027))
    assert not any(dialect.is_fatal(code) for code in (-32000, 9000, 11000, 11008, 11015, 14038))


@pytest.mark.parametrize(
    ("details", "seconds"),
    [("Retry after 20 ms", 0.02), ("Retry after 4500 ms", 4.5), ("retry after 999ms", 0.999), ("", None), ("later", None)],
)
def test_when_to_ask_again_is_read_from_the_refusal(details: str, seconds: float | None):
    """The venue knows when its window ends; a second is too long for what has 20 ms to wait, and too short for 4.5 s."""
    assert maker().retry_s(-32000, details) == seconds
