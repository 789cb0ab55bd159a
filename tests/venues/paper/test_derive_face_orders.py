"""Orders over the Derive face: what rests, what is refused and by which code, replace and cancels, signatures."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from derive_desk import CALL, EXPIRY_S, PERP, PUT, CallError, Client, Venue
from derive_signer import sign_login

from actors.venues.paper.derive_wallets import SessionKey
from actors.venues.paper.events import InstrumentState


def test_a_signed_order_rests_and_is_told(venue: Venue, maker: Client) -> None:
    """The answer echoes nonce (as text), label and signature; the private channel and the ledger tell the same order."""
    channel = f"{maker.subaccount}.orders"
    maker.call("subscribe", channels=[channel])
    signed = maker.signed("sell", "105.5", "0.25")
    order = maker.call("private/order", **signed)["order"]
    assert order["nonce"] == signed["nonce"]
    assert (order["order_status"], order["limit_price"], order["amount"]) == ("open", "105.5", "0.25")
    assert (order["label"], order["signature"], order["signer"]) == ("run-1", signed["signature"], maker.signer)
    assert maker.heard(channel) == [[order]]
    assert maker.resting() == [order]
    rows = venue.exchange.ledger.of("order")
    assert [(row["order_id"], row["status"], row["price"]) for row in rows] == [(order["order_id"], "open", "105.5")]


def test_both_owner_and_session_key_may_sign_and_the_prefix_does_not_matter(venue: Venue) -> None:
    """Signatures with and without 0x are accepted, from the owner as from the key."""
    for owner in (True, False):
        client = venue.client(0, owner=owner)
        signed = client.signed()
        assert client.code("private/order", **signed) == 0
        bare = client.signed("buy", "98")
        assert client.code("private/order", **{**bare, "signature": bare["signature"][2:]}) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"limit_price": "99.1"},
        {"amount": "1.01"},
        {"max_fee": "999"},
        {"nonce": "1766000000000999999"},
        {"signature_expiry_sec": EXPIRY_S - 5000},
        {"direction": "sell"},
        {"instrument_name": PUT},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_signed_field_that_differs_from_the_signature_is_14014(maker: Client, change: dict[str, object]) -> None:
    """Price, amount, fee, nonce, expiry, side and instrument are in the hash; the answer shows what was rebuilt."""
    with pytest.raises(CallError) as error:
        maker.call("private/order", **{**maker.signed(), **change})
    assert error.value.code == 14014
    assert "rebuilt" in str(error.value.data)
    assert maker.resting() == []


def test_fields_outside_the_signature_may_differ(maker: Client) -> None:
    """Label, time in force, protection and deadline are not signed."""
    signed = maker.signed()
    changed = {**signed, "label": "other", "time_in_force": "gtc", "mmp": True, "reject_timestamp": 1_766_000_001_000}
    assert maker.code("private/order", **changed) == 0


def test_somebody_elses_key_cannot_sign(maker: Client, other: Client) -> None:
    """A signer who is no key of this wallet is 14023, a signature of another key under our signer 14014."""
    assert maker.code("private/order", **maker.signed(signer=other.signer)) == 14023
    signed = maker.signed()
    assert maker.code("private/order", **{**signed, "signature": other.signed(nonce=signed["nonce"])["signature"]}) == 14014


def test_keys_expire_outlive_and_lack_scopes(venue: Venue, maker: Client) -> None:
    """14030 for a dead key, 14038 for an order that outlives it, 14031 for a missing scope."""
    wallet = venue.face.wallets.find(maker.account.wallet)
    key = wallet.keys[maker.signer.lower()]
    now_s = venue.now_ns // 1_000_000_000
    key.expiry_s = now_s + 500
    assert maker.code("private/order", **maker.signed()) == 14038
    key.expiry_s = now_s
    assert maker.code("private/order", **maker.signed()) == 14030
    assert maker.code("public/login", **maker.login_params()) == 14030
    key.expiry_s, key.scopes = now_s + 10_000, ("trade:orderbook:perp",)
    assert maker.code("private/order", **maker.signed()) == 14031
    assert maker.code("private/order", **maker.signed("buy", "2990", "1", PERP)) == 0
    assert maker.code("private/set_cancel_on_disconnect", enabled=True) == 14031
    key.scopes = ()
    assert maker.code("private/cancel_all", subaccount_id=maker.subaccount) == 14031


REFUSED = [
    ("off step", {"amount": "1.001"}, 11012),
    ("below minimum", {"amount": "0.05"}, 11012),
    ("above maximum", {"amount": "20000"}, 11012),
    ("off tick", {"price": "99.05"}, 11013),
    ("zero price", {"price": "0"}, 11013),
    ("short life", {"signature_expiry_sec": 1_766_000_200}, 11011),
    ("too long life", {"signature_expiry_sec": 1_766_000_000 + 200 * 86_400}, 11011),
    ("long life with protection", {"mmp": True, "signature_expiry_sec": 1_766_000_000 + 1200}, 11011),
    ("old nonce", {"nonce": "1500000000000000000"}, 11018),
    ("millisecond nonce", {"nonce": "1766000000000"}, 11018),
    ("nonce far ahead", {"nonce": "1766009999000000000"}, 11018),
    ("low fee cap", {"max_fee": "0.1"}, 11023),
    ("past its deadline", {"reject_timestamp": 1_765_999_999_999}, 11022),
    ("reduce-only at rest", {"reduce_only": True}, 11024),
    ("nothing to reduce", {"reduce_only": True, "time_in_force": "ioc"}, 11025),
    ("post-only market order", {"order_type": "market"}, 11010),
    ("nothing to take", {"time_in_force": "ioc"}, 11009),
    ("unfilled fill-or-kill", {"time_in_force": "fok"}, 11014),
    ("unknown instrument", {}, 12001),
    ("foreign subaccount", {"subaccount_id": 1}, 14001),
    ("no address", {"signer": "0x12"}, 14013),
    ("wrong checksum", {"signer": "0x56F231CCB1CA5Ab8EEc8AbE858E28d916A6B8bE9"}, 14012),
    ("atomic", {"is_atomic_signing": True}, 14033),
    ("trigger", {"trigger_type": "stoploss", "trigger_price": "90"}, 11053),
    ("more than the account can carry", {"amount": "9000", "direction": "sell"}, 11000),
]


@pytest.mark.parametrize(("fields", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_wrong_order_is_refused_by_its_code_and_leaves_nothing(
    maker: Client, fields: dict[str, object], code: int
) -> None:
    """Each defect draws its own number, and no order rests afterwards."""
    if code == 12001:
        order = {**maker.signed(), "instrument_name": "ETH-20251226-9999-C"}
    elif code in (14013, 14012, 14001):
        order = {**maker.signed(), **fields}
    else:
        order = maker.signed(**fields)  # type: ignore[arg-type]
    assert maker.code("private/order", **order) == code
    if code != 14001:
        assert maker.resting() == []


def test_malformed_parameters_are_32602(maker: Client) -> None:
    """Missing, mistyped, unknown and badly written fields are named in the refusal."""
    good = maker.signed()
    bad = [
        {key: value for key, value in good.items() if key != "amount"},
        {**good, "direction": "up"},
        {**good, "nonce": int(good["nonce"])},
        {**good, "nonce": "12x"},
        {**good, "amount": "1E+3"},
        {**good, "amount": "1.0000000000001"},
        {**good, "amount": True},
        {**good, "signature_expiry_sec": "soon"},
        {**good, "postonly": True},
    ]
    assert [maker.code("private/order", **order) for order in bad] == [-32602] * len(bad)
    assert maker.code("private/order", **good) == 0


def test_numbers_may_come_as_json_numbers(maker: Client) -> None:
    """A request may send a decimal as a number; it means what its text says."""
    signed = maker.signed("buy", "99.5", "0.5")
    order = maker.call("private/order", **{**signed, "limit_price": 99.5, "amount": 0.5})["order"]
    assert (order["limit_price"], order["amount"]) == ("99.5", "0.5")


def test_a_nonce_serves_once(maker: Client) -> None:
    """A second order with the same nonce is 11017, whatever else it says."""
    first = maker.signed()
    maker.call("private/order", **first)
    assert maker.code("private/order", **maker.signed("buy", "98", nonce=first["nonce"])) == 11017


def test_post_only_is_refused_or_slides(maker: Client, other: Client) -> None:
    """A crossing post-only is 11008, or with reject_post_only false rests one tick from the opposite best."""
    other.place("sell", "101", "1")
    assert maker.code("private/order", **maker.signed("buy", "101")) == 11008
    slid = maker.place("buy", "102", "1", reject_post_only=False)
    assert (slid["limit_price"], slid["signed_limit_price"]) == ("100.9", "102")


def test_an_own_order_is_never_met(maker: Client) -> None:
    """Crossing oneself is 11007."""
    maker.place("sell", "101", "1")
    assert maker.code("private/order", **maker.signed("buy", "101", time_in_force="gtc")) == 11007


def test_a_fill_is_told_to_both_sides_and_to_the_tape(venue: Venue, maker: Client, other: Client) -> None:
    """Taker's answer holds the trade, maker's channels tell order, trade and balance; fees go by the index."""
    for client in (maker, other):
        client.call("subscribe", channels=[f"{client.subaccount}.{what}" for what in ("orders", "trades", "balances")])
    maker.call("subscribe", channels=[f"trades.{CALL}", "trades.option.ETH"])
    resting = maker.place("sell", "101", "2")
    answer = other.call("private/order", **other.signed("buy", "101", "0.5", time_in_force="gtc"))
    [trade] = answer["trades"]
    assert (answer["order"]["order_status"], answer["order"]["average_price"]) == ("filled", "101")
    assert (trade["liquidity_role"], trade["trade_price"], trade["trade_amount"]) == ("taker", "101", "0.5")
    assert trade["trade_fee"] == "0.95"  # 0.5 base + 0.0003 x 3000 x 0.5
    [[own]] = maker.heard(f"{maker.subaccount}.trades")
    assert (own["trade_id"], own["liquidity_role"], own["trade_fee"]) == (trade["trade_id"], "maker", "0.15")
    assert own["order_id"] == resting["order_id"]
    assert own["label"] == "run-1"
    told = maker.heard(f"{maker.subaccount}.orders")[-1][-1]
    assert (told["order_status"], told["filled_amount"], told["order_fee"]) == ("open", "0.5", "0.15")
    balances = {row["name"]: row for batch in maker.heard(f"{maker.subaccount}.balances") for row in batch}
    assert balances[CALL]["new_balance"] == "-0.5"
    assert balances["USDC"]["update_type"] == "trade"
    rows = maker.heard(f"trades.{CALL}")[0]
    assert [row["liquidity_role"] for row in rows] == ["maker", "taker"]
    assert maker.heard("trades.option.ETH")[0] == rows
    assert len(venue.exchange.ledger.of("fill")) == 2


def test_a_partly_filled_immediate_order_ends_cancelled(maker: Client, other: Client) -> None:
    """What an IOC could not get is cancelled with its own reason."""
    maker.place("sell", "101", "0.5")
    order = other.place("buy", "101", "2", time_in_force="ioc")
    assert (order["order_status"], order["filled_amount"]) == ("cancelled", "0.5")
    assert order["cancel_reason"] == "ioc_or_market_partial_fill"


# -- replace


def test_replace_gives_a_new_order_and_names_the_old(maker: Client) -> None:
    """By order id and by nonce: one answer holds the cancelled and the new order."""
    old = maker.place("buy", "99")
    answer = maker.call("private/replace", order_id_to_cancel=old["order_id"], **maker.signed("buy", "99.5"))
    assert answer["cancelled_order"]["order_status"] == "cancelled"
    assert answer["order"]["replaced_order_id"] == old["order_id"]
    assert answer["create_order_error"] is None
    again = maker.call("private/replace", nonce_to_cancel=answer["order"]["nonce"], **maker.signed("buy", "99.6"))
    assert [order["order_id"] for order in maker.resting()] == [again["order"]["order_id"]]


def test_replace_of_an_order_that_is_gone_makes_nothing(maker: Client) -> None:
    """A cancelled, a filled or an unknown old order is an error, and no new order is born."""
    old = maker.place()
    maker.call("private/cancel", subaccount_id=maker.subaccount, order_id=old["order_id"], instrument_name=CALL)
    assert maker.code("private/replace", order_id_to_cancel=old["order_id"], **maker.signed()) in (11003, 11006)
    assert maker.code("private/replace", order_id_to_cancel="nobody", **maker.signed()) == 11006
    assert maker.code("private/replace", **maker.signed()) == -32602
    assert maker.resting() == []


def test_a_replace_whose_new_half_fails_still_has_cancelled_the_old(maker: Client, other: Client) -> None:
    """The failure travels inside a successful result; the old order stays cancelled."""
    other.place("sell", "101", "1")
    old = maker.place("buy", "99")
    answer = maker.call("private/replace", order_id_to_cancel=old["order_id"], **maker.signed("buy", "101"))
    assert answer["order"] is None
    assert answer["create_order_error"]["code"] == 11008
    assert answer["cancelled_order"]["order_status"] == "cancelled"
    assert maker.resting() == []


def test_replace_guards_against_filling_twice(maker: Client, other: Client) -> None:
    """An expected fill that differs is 11028 in the same place."""
    old = maker.place("sell", "101", "1")
    other.place("buy", "101", "0.4", time_in_force="ioc")
    answer = maker.call(
        "private/replace",
        order_id_to_cancel=old["order_id"],
        expected_filled_amount="0",
        **maker.signed("sell", "102", "1"),
    )
    assert answer["create_order_error"]["code"] == 11028
    assert maker.resting() == []
    old = maker.place("sell", "101", "1")
    other.place("buy", "101", "0.4", time_in_force="ioc")
    answer = maker.call(
        "private/replace",
        order_id_to_cancel=old["order_id"],
        expected_filled_amount="0.4",
        **maker.signed("sell", "102", "0.6"),
    )
    assert answer["order"]["order_status"] == "open"


# -- cancels


def test_cancel_answers_the_order_and_the_second_time_why_not(maker: Client) -> None:
    """A cancelled order is 11003 when cancelled again, an unknown one 11006."""
    order = maker.place()
    params = {"subaccount_id": maker.subaccount, "order_id": order["order_id"], "instrument_name": CALL}
    answer = maker.call("private/cancel", **params)
    assert (answer["order_status"], answer["cancel_reason"]) == ("cancelled", "user_request")
    assert maker.code("private/cancel", **params) in (11003, 11006)
    assert maker.code("private/cancel", **{**params, "order_id": "0"}) == 11006


def test_cancel_by_nonce_burns_a_nonce_it_does_not_find(maker: Client) -> None:
    """0 orders cancelled, and the order that was still in flight can no longer be born."""
    late = maker.signed()
    params = {"subaccount_id": maker.subaccount, "instrument_name": CALL, "nonce": late["nonce"]}
    assert maker.call("private/cancel_by_nonce", **params) == {"cancelled_orders": 0}
    assert maker.code("private/order", **late) == 11017
    order = maker.place()
    assert maker.call("private/cancel_by_nonce", **{**params, "nonce": order["nonce"]}) == {"cancelled_orders": 1}


def test_bulk_cancels_reach_what_they_say_and_nothing_else(maker: Client, other: Client) -> None:
    """By label (-1 without an instrument), by instrument, all: other labels and other accounts stay."""
    for label, instrument in (("a", CALL), ("a", PUT), ("b", CALL), ("b", PUT)):
        maker.place("buy", "90", "1", instrument, label=label)
    other.place("buy", "89", "1", label="a")
    mine = {"subaccount_id": maker.subaccount}
    assert maker.call("private/cancel_by_label", label="a", instrument_name=CALL, **mine) == {"cancelled_orders": 1}
    assert maker.call("private/cancel_by_label", label="a", **mine) == {"cancelled_orders": -1}
    assert sorted(order["label"] for order in maker.resting()) == ["b", "b"]
    assert maker.call("private/cancel_by_instrument", instrument_name=PUT, **mine) == {"cancelled_orders": 1}
    assert maker.call("private/cancel_all", **mine) == "ok"
    assert maker.resting() == []
    assert len(other.resting()) == 1


# -- deadlines, protection, states


def test_an_order_dies_with_its_signature(venue: Venue, maker: Client) -> None:
    """At the signed second the resting order ends as expired and says so."""
    maker.call("subscribe", channels=[f"{maker.subaccount}.orders"])
    maker.place()
    maker.heard(f"{maker.subaccount}.orders")
    venue.later(599)
    assert len(maker.resting()) == 1
    venue.later(1)
    assert maker.resting() == []
    assert maker.heard(f"{maker.subaccount}.orders")[0][0]["order_status"] == "expired"


def test_protection_trips_freezes_and_thaws_on_demand(maker: Client, other: Client) -> None:
    """Fills beyond the limit pull every protected order; new ones are 11015 until reset; others' orders stay."""
    config = {"subaccount_id": maker.subaccount, "currency": "ETH", "mmp_interval": 5000, "mmp_frozen_time": 0}
    echoed = maker.call("private/set_mmp_config", **config, mmp_amount_limit="0.5")
    assert (echoed["mmp_amount_limit"], echoed["mmp_delta_limit"]) == ("0.5", "0")
    maker.place("sell", "101", "2", mmp=True)
    maker.place("buy", "90", "1", PUT, mmp=True)
    plain = maker.place("buy", "80", "1", PUT)
    other.place("buy", "101", "1", time_in_force="ioc")
    assert [order["order_id"] for order in maker.resting()] == [plain["order_id"]]
    assert maker.code("private/order", **maker.signed("sell", "103", mmp=True)) == 11015
    [status] = maker.call("private/get_mmp_config", subaccount_id=maker.subaccount)
    assert status["is_frozen"] is True
    assert maker.call("private/reset_mmp", subaccount_id=maker.subaccount, currency="ETH") == "ok"
    assert maker.code("private/order", **maker.signed("sell", "103", mmp=True)) == 0


def test_an_instrument_that_is_not_live_is_11021(venue: Venue, maker: Client) -> None:
    """Locked by hand, or the whole venue under maintenance: nothing new, and the incident is listed."""
    venue.engine.set_state(CALL, InstrumentState.LOCKED)
    assert maker.code("private/order", **maker.signed()) == 11021
    venue.exchange.faults.maintenance(True)
    assert maker.code("private/order", **maker.signed("buy", "90", "1", PUT)) == 11021
    assert maker.call("public/get_live_incidents")["incidents"][0]["severity"] == "high"
    venue.exchange.faults.maintenance(False)
    assert maker.code("private/order", **maker.signed("buy", "90", "1", PUT)) == 0


def test_too_many_open_orders_is_11019() -> None:
    """The count of resting orders is bounded."""
    venue = Venue(max_open_orders=3)
    maker = venue.client(0)
    for price in ("90", "91", "92"):
        maker.place("buy", price)
    assert maker.code("private/order", **maker.signed("buy", "93")) == 11019


# -- faults seen by a client


def test_lying_answers_do_what_they_say_and_no_more(venue: Venue, maker: Client) -> None:
    """9000 may hide a resting order, a lost request leaves none, a swallowed answer leaves one without a word."""
    faults = venue.exchange.faults
    faults.unknown_outcome("private/order", executed=True)
    assert maker.code("private/order", **maker.signed("buy", "90")) == 9000
    assert len(maker.resting()) == 1
    faults.unknown_outcome("private/order", code=9001, executed=False)
    assert maker.code("private/order", **maker.signed("buy", "91")) == 9001
    assert len(maker.resting()) == 1
    faults.swallow_answer("private/order")
    assert maker.ask("private/order", **maker.signed("buy", "92")) is None
    assert len(maker.resting()) == 2
    faults.lose_request("private/order")
    assert maker.ask("private/order", **maker.signed("buy", "93")) is None
    assert len(maker.resting()) == 2
    faults.rate_limit("private/cancel_all", retry_ms=700)
    with pytest.raises(CallError, match="Retry after 700 ms") as error:
        maker.call("private/cancel_all", subaccount_id=maker.subaccount)
    assert error.value.code == -32000
    struck = venue.exchange.faults.struck
    assert sum(struck.values()) == 5 == len(venue.exchange.ledger.of("fault"))


@pytest.mark.parametrize(("when", "first"), [("before", "notice"), ("after", "answer")])
def test_notices_may_precede_the_answer_that_caused_them(when: str, first: str) -> None:
    """Both orders of arrival exist, as told."""
    venue = Venue(notices=when)
    maker = venue.client(0)
    maker.call("subscribe", channels=[f"{maker.subaccount}.orders"])
    maker.say(json.dumps({"id": "x", "method": "private/order", "params": maker.signed()}))
    kinds = ["notice" if "params" in frame else "answer" for frame in maker.take()]
    assert (kinds[0], len(kinds)) == (first, 2)


def test_a_taker_in_the_speed_bump_is_answered_after_it() -> None:
    """The answer waits with the order; a cancel by the maker passes it."""
    venue = Venue(speed_bump_ms=150)
    maker, taker = venue.client(0), venue.client(1)
    order = maker.place("sell", "101")
    assert taker.ask("private/order", **taker.signed("buy", "101", time_in_force="ioc")) is None
    maker.call("private/cancel", subaccount_id=maker.subaccount, order_id=order["order_id"], instrument_name=CALL)
    venue.later(0.2)
    frames = [json.loads(text) for text in taker.session.due(venue.now_ns)]
    assert [frame["error"]["code"] for frame in frames] == [11009]


def test_settlement_pays_and_clears_the_position(venue: Venue, maker: Client, other: Client) -> None:
    """At expiry the position is paid in cash at the mean of the index prints and is gone."""
    maker.place("sell", "101", "1", signature_expiry_sec=1_766_000_600)
    other.place("buy", "101", "1", time_in_force="ioc")
    maker.call("subscribe", channels=[f"{maker.subaccount}.balances"])
    venue.engine.set_index("ETH-USD", Decimal(3200))
    venue.later(EXPIRY_S - 1_766_000_000 + 120)
    [last] = [
        row
        for batch in maker.heard(f"{maker.subaccount}.balances")
        for row in batch
        if row["update_type"] == "option_settlement" and row["name"] == "USDC"
    ]
    paid = Decimal(last["previous_balance"]) - Decimal(last["new_balance"])
    assert paid == Decimal(200)
    assert maker.call("private/get_positions", subaccount_id=maker.subaccount)["positions"] == []
    assert maker.call("public/get_instrument", instrument_name=CALL)["option_details"]["settlement_price"] == "3200"


def test_a_late_key_still_logs_in(venue: Venue) -> None:
    """A key registered later works for login as for orders."""
    client = Client(venue, 0)
    wallet = venue.face.wallets.find(client.account.wallet)
    other = venue.face.wallets.credentials[1]
    wallet.keys[other.session_address.lower()] = SessionKey(other.session_address, 2_000_000_000)
    timestamp = venue.now_ns // 1_000_000
    signature = sign_login(other.session_key, timestamp)
    assert client.login(signature=signature) == [client.subaccount]
