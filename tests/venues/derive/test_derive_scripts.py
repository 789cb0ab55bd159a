"""Derive's conversations: login, listing, subscriptions, reconciliation, protection, each against a scripted venue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from derive_kit import (
    KEY_HEX,
    NAME,
    NOW_NS,
    OPTION,
    OWNER,
    SIGNER,
    SUBACCOUNT,
    Refusal,
    drive,
    maker,
    order_row,
    raw,
    trade_row,
)
from eth_account import Account
from eth_account.messages import encode_defunct

from actors.trading.errors import ConfigError, OutcomeUnknown, StrikemakerError, VenueRefused
from actors.trading.instruments import OptionKind
from actors.venues.derive.signing import SigningKey
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import Call, MmpTerms, MmpTripped, Pool, PublishedSmile, RateLimit

Venue = Callable[[Call, dict[str, Any]], Any]

EXPIRING = {"public_session_key": SIGNER.lower(), "expiry_sec": 1_800_000_000, "label": "mm"}


def newcomer(**kwargs: Any) -> DeriveDialect:
    return DeriveDialect(lambda: NOW_NS, key=SigningKey.from_hex(KEY_HEX), wallet=OWNER.lower(), **kwargs)


class Wallet:
    """A venue's side of login and account, with the faults a test asks for."""

    def __init__(self, **account: Any) -> None:
        self.enabled = False
        self.sticks = True
        self.keys: Any = {"public_session_keys": [EXPIRING]}
        self.limits: Any = {"remaining_matching": {"consumedPoints": 3, "remainingPoints": 2}}
        self.account = {
            "wallet": OWNER,
            "subaccount_ids": [4, SUBACCOUNT],
            "fallback_subaccount_id": 4,
            "websocket_matching_tps": 500,
            "websocket_non_matching_tps": 250,
            "websocket_option_tps": 10,
            "websocket_perp_tps": 10,
            "per_endpoint_tps": {},
            "fee_info": {},
            **account,
        }

    def __call__(self, call: Call, params: dict[str, Any]) -> Any:
        if call.method == "private/set_cancel_on_disconnect":
            self.enabled = params["enabled"] if self.sticks else self.enabled
            return "ok"
        return {
            "public/login": lambda: self.account["subaccount_ids"],
            "private/get_account": lambda: {**self.account, "cancel_on_disconnect": self.enabled},
            "private/session_keys": lambda: self.keys,
            "public/getRateLimits": lambda: self.limits,
        }[call.method]()


def test_login_proves_the_key_and_leaves_cancel_on_disconnect_on():
    """The stamp is signed as a wallet would; the switch is set, then seen to be set; the limits are the account's own."""
    wallet, dialect = Wallet(), newcomer()
    facts, calls = drive(dialect.open_private(), wallet)
    assert wallet.enabled
    login = calls[0].params.decode()
    assert f'"wallet":"{OWNER}"' in login
    stamp = str(NOW_NS // 1_000_000)
    assert f'"timestamp":{stamp}' in login
    expected = Account.sign_message(encode_defunct(text=stamp), KEY_HEX).signature.hex().removeprefix("0x")
    assert expected in login
    assert facts.account == str(SUBACCOUNT)
    assert facts.limits == {
        Pool.MATCHING: RateLimit(500, 2500),
        Pool.OTHER: RateLimit(250, 1250),
        Pool.BULK_CANCEL: RateLimit(10, 10),
    }
    assert facts.per_instrument == RateLimit(10, 50)
    assert (facts.cancel_on_disconnect, facts.restore_cancel_on_disconnect) == (True, False)
    assert facts.key_expires_s == 1_800_000_000
    assert dialect.private_channels("ETH") == [f"{SUBACCOUNT}.{what}" for what in ("orders", "trades", "balances")]


def test_a_wallet_that_had_cancel_on_disconnect_keeps_it():
    """Nothing is switched at either end; one that had it off gets it back off after the proof."""
    wallet = Wallet()
    wallet.enabled = True
    facts, calls = drive(newcomer().open_private(), wallet)
    assert [call.method for call in calls].count("private/set_cancel_on_disconnect") == 0
    assert drive(newcomer().close_private(facts), wallet)[1] == []
    wallet.enabled = False
    facts, _ = drive(newcomer().open_private(), wallet)
    drive(newcomer().close_private(facts), wallet)
    assert not wallet.enabled


def test_a_switch_that_does_not_stick_stops_the_start():
    """What the account says afterwards counts, not the ok."""
    wallet = Wallet()
    wallet.sticks = False
    with pytest.raises(StrikemakerError, match="still says it is off"):
        drive(newcomer().open_private(), wallet)


def test_a_refused_login_is_the_callers_to_hear():
    """A bad signature ends the script with the venue's code."""
    with pytest.raises(VenueRefused) as caught:
        drive(newcomer().open_private(), lambda call, params: Refusal(14014))
    assert caught.value.code == 14014


def test_a_session_key_whose_expiry_is_kept_from_us_does_not_stop_the_start():
    """No right to list keys, or a list without ours: 0, not known."""
    for keys in (Refusal(14031), {"public_session_keys": []}, ["another shape"]):
        wallet = Wallet()
        wallet.keys = keys
        assert drive(newcomer().open_private(), wallet)[0].key_expires_s == 0


def test_what_a_former_process_spent_counts_against_the_next():
    """The venue's window outlives us; a venue that will not say is believed to have counted nothing."""
    wallet = Wallet()
    assert drive(newcomer().open_private(), wallet)[0].spent == {Pool.MATCHING: 3, Pool.OTHER: 0}
    wallet.limits = Refusal(-32601)
    assert drive(newcomer().open_private(), wallet)[0].spent == {}


def test_the_owners_own_key_has_no_expiry():
    """And nobody asks for one."""
    owner = SigningKey.from_hex(KEY_HEX)
    dialect = DeriveDialect(lambda: NOW_NS, key=owner, wallet=owner.address)
    facts, calls = drive(dialect.open_private(), Wallet())
    assert facts.key_expires_s == 0
    assert "private/session_keys" not in [call.method for call in calls]


@pytest.mark.parametrize(
    ("ids", "wanted", "problem"),
    [
        ([4], None, "none that can trade"),
        ([4, 5, 6], None, "5, 6"),
        ([4, 5, 6], 7, "7 is not the wallet's: it has 5, 6"),
        ([4, 5], 4, "fallback, which cannot trade: it has 5"),
    ],
)
def test_an_ambiguous_or_unknown_subaccount_is_a_matter_for_the_operator(ids: list[int], wanted: int | None, problem: str):
    """The message names those there are."""
    with pytest.raises(ConfigError, match=problem):
        drive(newcomer(subaccount=wanted).open_private(), Wallet(subaccount_ids=ids))


def test_a_wanted_subaccount_is_taken_among_several():
    """No need for it to be the only one."""
    facts, _ = drive(newcomer(subaccount=6).open_private(), Wallet(subaccount_ids=[4, 5, 6]))
    assert facts.account == "6"


def test_an_account_that_tells_little_gets_the_smallest_limits():
    """Absent or odd figures mean the default tier; a listed pool of the label cancel is believed."""
    silent = Wallet(websocket_matching_tps=None, websocket_non_matching_tps=0, websocket_option_tps=None)
    silent.account["per_endpoint_tps"] = {"private/cancel_by_label": 4, "odd": {"x": 1}}
    facts, _ = drive(newcomer().open_private(), silent)
    assert facts.limits[Pool.MATCHING] == facts.limits[Pool.OTHER] == RateLimit(1, 5)
    assert facts.limits[Pool.BULK_CANCEL] == RateLimit(4, 4)
    assert facts.per_instrument is None


def test_finding_the_account_changes_nothing():
    """The guard's REST session asks and switches nothing."""
    facts, calls = drive(newcomer().find_account(), Wallet())
    assert {call.method for call in calls} == {"private/get_account", "private/session_keys"}
    assert (facts.account, facts.cancel_on_disconnect) == (str(SUBACCOUNT), False)


def test_an_account_of_another_shape_is_unknown():
    """Nothing is concluded from what cannot be read."""
    with pytest.raises(OutcomeUnknown, match="private/get_account"):
        drive(newcomer().find_account(), lambda call, params: {"surprise": 1})


@pytest.mark.parametrize("wallet", ["0x12", "ETH", "0x" + "1" * 41, OWNER.replace("F", "f", 1)])
def test_a_malformed_wallet_is_refused_at_once(wallet: str):
    """Before anything is sent, naming the field."""
    with pytest.raises(ConfigError, match="wallet"):
        DeriveDialect(lambda: NOW_NS, wallet=wallet)


def test_public_sockets_say_nothing_first():
    """A login there would widen what cancel-on-disconnect reacts to."""
    assert drive(newcomer().open_public(), Wallet())[1] == []
    assert newcomer().keep_alive() is None


# -- listing


def listed(**changes: Any) -> dict[str, Any]:
    row = {
        "instrument_name": NAME,
        "instrument_type": "option",
        "is_active": True,
        "scheduled_activation": 1_795_000_000,
        "scheduled_deactivation": 1_798_185_540,
        "base_currency": "ETH",
        "quote_currency": "USDC",
        "tick_size": "0.1",
        "minimum_amount": "0.1",
        "maximum_amount": "10000",
        "amount_step": "0.01",
        "base_asset_address": OPTION.asset_address,
        "base_asset_sub_id": str(OPTION.sub_id),
        "maker_fee_rate": "0.0001",
        "taker_fee_rate": "0.0003",
        "base_fee": "0.5",
        "mark_price_fee_rate_cap": "0.125",
        "pro_rata_fraction": "0.8",
        "option_details": {
            "index": "ETH-USD",
            "expiry": 1_798_185_600,
            "strike": "2800",
            "option_type": "C",
            "settlement_price": None,
        },
        "perp_details": None,
        "erc20_details": None,
    }
    return {**row, **changes}


PERP = listed(
    instrument_name="ETH-PERP",
    tick_size="0.01",
    amount_step="0.001",
    option_details=None,
    perp_details={"index": "ETH-USD"},
    base_asset_sub_id="0",
    mark_price_fee_rate_cap=None,
    scheduled_deactivation=2**63 - 1,
)


def listing(options: list[dict[str, Any]], per_page: int = 2) -> Venue:
    def answer(call: Call, params: dict[str, Any]) -> Any:
        rows = options if params["instrument_type"] == "option" else [PERP]
        if not rows:
            return Refusal(12001)
        start = (params["page"] - 1) * per_page
        pages = -(-len(rows) // per_page)
        return {"instruments": rows[start : start + per_page], "pagination": {"num_pages": pages, "count": len(rows)}}

    return answer


def test_all_pages_of_a_listing_are_read():
    """Every active option and the perpetual, with their grids, fees and times; inactive ones are left out."""
    options = [listed(instrument_name=f"ETH-20261225-{strike}-C") for strike in range(2000, 2005)]
    options += [listed(instrument_name="ETH-20261225-9000-C", is_active=False), listed()]
    dialect = newcomer()
    instruments, calls = drive(dialect.load_instruments("ETH"), listing(options))
    assert len(instruments) == 7
    assert len(calls) == 5
    by_name = {each.name: each for each in instruments}
    option, perp = by_name[NAME], by_name["ETH-PERP"]
    assert option == attrs.evolve(OPTION, activation_s=1_795_000_000, deactivation_s=1_798_185_540)
    assert (perp.kind, perp.strike, perp.expiry_s, perp.sub_id, perp.fees.cap) == (None, 0.0, 0, 0, 0.0)
    assert (perp.tick, perp.min_amount, perp.index_name) == (Decimal("0.01"), 100, "ETH-USD")
    assert dialect.instrument_channels(option) == [f"orderbook.{NAME}.1.10", f"ticker_slim.{NAME}.1000"]
    assert dialect.shared_channels("ETH") == ["spot_feed.ETH"]


def test_nothing_listed_is_an_error_code_and_an_empty_list():
    """12001 is Derive's empty answer; any other refusal is one."""
    assert [each.name for each in drive(newcomer().load_instruments("ETH"), listing([]))[0]] == ["ETH-PERP"]
    with pytest.raises(VenueRefused):
        drive(newcomer().load_instruments("ETH"), lambda call, params: Refusal(-32000))


@pytest.mark.parametrize(
    "oddity",
    [
        {"tick_size": "0"},
        {"tick_size": "1e-13"},
        {"amount_step": "nan"},
        {"minimum_amount": "0.105"},
        {"base_asset_address": "0x12"},
        {"option_details": {"index": "ETH-USD", "expiry": 1, "strike": "1", "option_type": "X"}},
        {"instrument_name": None},
    ],
)
def test_one_unreadable_listing_does_not_hide_the_others(oddity: dict[str, Any]):
    """It is left out, and the reason kept."""
    dialect = newcomer()
    other = listed(instrument_name="ETH-20261225-3000-C")
    found, _ = drive(dialect.load_instruments("ETH"), listing([listed(**oddity), other]))
    assert [each.name for each in found] == ["ETH-20261225-3000-C", "ETH-PERP"]
    assert len(dialect.board.unreadable) == 1


def test_trailing_zeros_of_a_grid_mean_nothing():
    """0.10 is 0.1 and 10.0 is ten; numbers without quotes are read as well."""
    row = listed(tick_size="0.10", amount_step="10.0", minimum_amount=20, maximum_amount="1000")
    found, _ = drive(newcomer().load_instruments("ETH"), listing([row]))
    assert (found[0].price_text(1005), found[0].amount_text(2), found[0].min_amount) == ("100.5", "20", 2)
    assert found[0].kind is OptionKind.CALL


def subscriber(bad: set[str], code: int = -32602) -> Venue:
    """A venue that refuses a whole request for one bad name."""
    joined: list[str] = []

    def answer(call: Call, params: dict[str, Any]) -> Any:
        if bad & set(params["channels"]):
            return Refusal(code)
        joined.extend(params["channels"])
        return {"status": dict.fromkeys(params["channels"], "ok"), "current_subscriptions": joined}

    return answer


def test_one_bad_channel_does_not_keep_the_others_out():
    """A refused batch is halved until the bad names stand alone; they are what is returned."""
    channels = [f"ticker_slim.{number}.1000" for number in range(120)]
    bad = {channels[3], channels[77]}
    refused, calls = drive(newcomer().subscribe(channels, private=False), subscriber(bad))
    assert set(refused) == bad
    assert len(calls) < 30
    everything, calls = drive(newcomer().subscribe(channels, private=False), subscriber(set()))
    assert everything == []
    assert len(calls) == 3
    with pytest.raises(VenueRefused):
        drive(newcomer().subscribe(channels, private=False), subscriber(bad, code=-32000))


def test_a_channel_counts_as_joined_by_its_status_or_by_the_list_of_those_joined():
    """The recorded answer refuses one by its own text; a name joined before is no failure."""
    answer = {"status": {"a": "ok", "b": "already subscribed", "c": "Invalid enum"}, "current_subscriptions": ["a", "b"]}
    assert drive(newcomer().subscribe(["a", "b", "c", "d"], private=True), lambda *_: answer)[0] == ["c", "d"]
    assert drive(newcomer().unsubscribe(["a"], private=False), lambda *_: Refusal(13000))[0] is None


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


class Orders:
    """A venue with one order somewhere: known by id, resting, or on a page of the history."""

    def __init__(self, by_id: Any = None, resting: list[Any] | None = None, history: list[list[Any]] | None = None) -> None:
        self.by_id, self.resting, self.history = by_id, resting or [], history or []

    def __call__(self, call: Call, params: dict[str, Any]) -> Any:
        if call.method == "private/get_order":
            return self.by_id or Refusal(11006)
        if call.method == "private/get_open_orders":
            return {"orders": self.resting}
        page = params["page"]
        orders = self.history[page - 1] if page <= len(self.history) else []
        return {"orders": orders, "pagination": {"num_pages": len(self.history), "count": 9}}


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


TERMS = MmpTerms("ETH", 5000, 30_000, Decimal("2.5"), Decimal("0"))


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


def every_conversation() -> list[Call]:
    """The calls of every script here, for the check against the schema."""
    calls: list[Call] = []
    dialect = maker()
    wallet = Wallet()
    facts, made = drive(newcomer().open_private(), wallet)
    calls += made + drive(newcomer().close_private(facts), wallet)[1]
    calls += drive(newcomer().load_instruments("ETH"), listing([listed()]))[1]
    calls += drive(dialect.subscribe(["a"], private=False), subscriber(set()))[1]
    calls += drive(dialect.unsubscribe(["a"], private=False), lambda *_: {})[1]
    calls += drive(dialect.open_orders("ETH"), lambda *_: {"orders": []})[1]
    calls += drive(dialect.order_state("1", "id", NAME, 0), Orders(history=[[]]))[1]
    calls += drive(dialect.fills_since(0, "ETH"), lambda *_: {"trades": []})[1]
    calls += smiles()[1] + smiles(expiries=(1, 2))[1]
    calls += drive(dialect.server_time(), lambda *_: 1)[1]
    calls += drive(dialect.set_mmp(TERMS), lambda *_: {})[1]
    calls += drive(dialect.get_mmp("ETH"), lambda *_: [])[1]
    calls += drive(dialect.reset_mmp("ETH"), lambda *_: "ok")[1]
    stray = {"positions": [{"instrument_name": "ETH-20270101-1-P", "amount": "1"}]}
    answers = {"private/get_positions": stray, "public/get_instrument": listed()}
    return calls + drive(maker().positions("ETH"), lambda call, _: answers[call.method])[1]
