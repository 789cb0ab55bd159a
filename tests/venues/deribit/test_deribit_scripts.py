"""Deribit's conversations: login, listing, subscriptions, reconciliation, protection, each against a scripted venue."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from deribit_kit import (
    KEY,
    LABEL,
    LINEAR,
    NAME,
    NOW_NS,
    ORDER_ID,
    PERP,
    Refusal,
    documented,
    drive,
    listing,
    maker,
    order_row,
    raw,
    trade_row,
)

from actors.trading.errors import ConfigError, NotGranted, OutcomeUnknown, StrikemakerError, VenueRefused
from actors.venues.deribit.auth import Credentials
from actors.venues.deribit.scripts import FRAME_BYTES, batches
from actors.venues.deribit.wire import DeribitDialect
from actors.venues.dialect import Call, MmpTerms, PlatformState, Pool, RateLimit

SECRET = KEY.partition(":")[2]
RECORDED_LIMITS = {
    "limits_per_currency": False,
    "non_matching_engine": {"rate": 20, "burst": 100},
    "matching_engine": {
        "trading": {"total": {"rate": 5, "burst": 20}},
        "spot": {"rate": 5, "burst": 20},
        "cancel_all": {"rate": 5, "burst": 20},
        "guaranteed_mass_quotes": {"rate": 2, "burst": 2},
        "maximum_mass_quotes": {"rate": 10, "burst": 10},
        "maximum_quotes": {"rate": 500, "burst": 500},
    },
}


def newcomer(**kwargs: Any) -> DeribitDialect:
    return DeribitDialect(lambda: NOW_NS, credentials=Credentials.parse(KEY), **kwargs)


class Account:
    """A venue's side of login and account, with the faults a test asks for."""

    def __init__(self, **summary: Any) -> None:
        self.scope = "account:read_write connection mainaccount trade:read_write"
        self.cod = False
        self.sticks = True
        self.refuses_refresh = False
        self.summary = {"id": 77, "mmp_enabled": True, "limits": RECORDED_LIMITS, "equity": 1.0, **summary}

    def __call__(self, call: Call, params: dict[str, Any]) -> Any:
        if call.method == "public/auth":
            if params["grant_type"] == "refresh_token" and self.refuses_refresh:
                return Refusal(13009)
            return {
                "access_token": "at",
                "refresh_token": "rt",
                "expires_in": 900,
                "scope": self.scope,
                "token_type": "bearer",
            }
        if call.method == "private/enable_cancel_on_disconnect":
            self.cod = self.sticks
            return "ok"
        return {
            "public/set_heartbeat": lambda: "ok",
            "public/status": lambda: {"locked": "false"},
            "private/get_cancel_on_disconnect": lambda: {"scope": params["scope"], "enabled": self.cod},
            "private/get_account_summary": lambda: self.summary,
        }[call.method]()


def test_login_proves_the_key_and_leaves_cancel_on_disconnect_on():
    """A signature instead of the secret; the switch is the connection's, and is seen to be on; limits are the account's."""
    account = Account()
    facts, calls = drive(newcomer().open_private(), account)
    login = json.loads(calls[0].params)
    stamp, nonce = login["timestamp"], login["nonce"]
    assert stamp == NOW_NS // 1_000_000
    assert login["signature"] == Credentials.parse(KEY).sign(f"{stamp}\n{nonce}\n")
    assert login["scope"] == "trade:read_write account:read_write"
    assert SECRET not in str(calls)
    assert "signature" not in str(calls)
    assert [json.loads(call.params) for call in calls if "cancel_on_disconnect" in call.method] == [
        {"scope": "connection"}
    ] * 2
    assert {"interval": 10} in [json.loads(call.params) for call in calls]
    assert (facts.account, facts.cancel_on_disconnect, facts.mmp_allowed, facts.mass_quote_allowed) == (
        "77",
        True,
        True,
        True,
    )
    assert facts.login_ends_s == 720
    assert facts.limits == {
        Pool.MATCHING: RateLimit(5, 20),
        Pool.OTHER: RateLimit(20, 100),
        Pool.BULK_CANCEL: RateLimit(5, 20),
        Pool.MASS_QUOTE: RateLimit(10, 10),
        Pool.QUOTES: RateLimit(500, 500),
    }


def test_two_logins_never_share_a_nonce():
    """Even within one millisecond."""
    dialect = newcomer()
    first, second = (json.loads(drive(dialect.open_private(), Account())[1][0].params) for _ in range(2))
    assert first["nonce"] != second["nonce"]
    assert first["signature"] != second["signature"]


def test_a_machine_without_a_clock_may_send_the_secret():
    """By name only, and still not shown."""
    _, calls = drive(newcomer(sends_secret=True).open_private(), Account())
    assert json.loads(calls[0].params)["client_secret"] == SECRET
    assert SECRET not in str(calls)


def test_a_switch_that_does_not_stick_stops_the_start():
    """What the connection says afterwards counts, not the ok."""
    account = Account()
    account.sticks = False
    with pytest.raises(StrikemakerError, match="still says it is off"):
        drive(newcomer().open_private(), account)


def test_a_narrower_scope_than_asked_for_stops_the_start():
    """With the names of what is missing."""
    account = Account()
    account.scope = "account:read_write connection trade:read"
    with pytest.raises(NotGranted, match=r"private_key: .* lacks trade:read_write .* API settings"):
        drive(newcomer().open_private(), account)
    with pytest.raises(NotGranted, match="lacks trade:read_write"):
        drive(newcomer().prove_rights(), account)


def test_credentials_that_are_not_taken_are_told_by_field_value_and_fix():
    """The id is shown, the secret never; over a socket as over HTTP."""
    for script in (newcomer().open_private(), newcomer().prove_rights(), newcomer().find_account()):
        with pytest.raises(NotGranted, match=r"private_key: Deribit does not take client id AMANDA .*copy both") as caught:
            drive(script, lambda call, params: Refusal(13004))
        assert SECRET not in str(caught.value)


def test_without_credentials_there_is_no_login():
    """A dialect for public data says so."""
    with pytest.raises(ConfigError, match="client_id:client_secret"):
        drive(DeribitDialect(lambda: NOW_NS).open_private(), Account())


def test_a_login_is_renewed_by_its_token_or_anew():
    """Before it ends; a refused token costs a login and nothing else."""
    account, dialect = Account(), newcomer()
    drive(dialect.open_private(), account)
    seconds, calls = drive(dialect.renew_login(), account)
    assert seconds == 720
    assert [json.loads(call.params) for call in calls] == [{"grant_type": "refresh_token", "refresh_token": "rt"}]
    assert "rt" not in str(calls).replace("SecretCall", "").replace("'public/auth'", "")
    account.refuses_refresh = True
    _, calls = drive(dialect.renew_login(), account)
    assert [json.loads(call.params)["grant_type"] for call in calls] == ["refresh_token", "client_signature"]


def test_limits_are_read_in_either_spelling_and_default_to_the_smallest_tier():
    """The documentation's account names the pools otherwise; one that says nothing is treated as the least."""
    example = documented("deribit-documented-methods.json")["private/get_account_summary"]["response"][0]["value"]["result"]
    facts, _ = drive(newcomer().find_account(), Account(limits=example["limits"]))
    assert facts.limits[Pool.MATCHING] == RateLimit(200, 250)
    assert facts.limits[Pool.OTHER] == RateLimit(1000, 1500)
    assert facts.limits[Pool.MASS_QUOTE] == RateLimit(10, 10)
    for nothing in (None, {}, {"matching_engine": {"trading": {"total": {"rate": 0, "burst": "many"}}}}):
        facts, _ = drive(newcomer().find_account(), Account(limits=nothing))
        assert facts.limits[Pool.MATCHING] == RateLimit(5, 20)
        assert not facts.mass_quote_allowed


def test_the_guard_finds_the_account_and_changes_nothing():
    """One question; an account without protection has no mass quotes either."""
    facts, calls = drive(newcomer().find_account(), Account(mmp_enabled=False))
    assert [call.method for call in calls] == ["private/get_account_summary"]
    assert (facts.cancel_on_disconnect, facts.mmp_allowed, facts.mass_quote_allowed) == (False, False, False)
    assert facts.login_ends_s == math.inf
    assert any("not enabled" in line for line in newcomer().tell_operator(facts))


def test_a_public_link_never_logs_in_but_for_raw_books():
    """And a raw one arms nothing that could cancel."""
    methods = [call.method for call in drive(newcomer().open_public(), Account())[1]]
    assert methods == ["public/set_heartbeat", "public/status"]
    methods = [call.method for call in drive(newcomer(books="raw").open_public(), Account())[1]]
    assert methods == ["public/auth", "public/set_heartbeat", "public/status"]
    with pytest.raises(ConfigError, match="grouped"):
        newcomer(books="all")


def test_a_public_link_logs_in_where_the_venue_asks_for_it():
    """In a storm it answers nobody it does not know; whoever has no credentials hears of it."""
    account = Account()
    known: list[str] = []

    def venue(call: Call, params: dict[str, Any]) -> Any:
        if call.method == "public/auth":
            known.append(params["grant_type"])
        return Refusal(11056) if call.method == "public/set_heartbeat" and not known else account(call, params)

    methods = [call.method for call in drive(newcomer().open_public(), venue)[1]]
    assert methods == ["public/set_heartbeat", "public/auth", "public/set_heartbeat", "public/status"]
    known.clear()
    with pytest.raises(VenueRefused, match="11056"):
        drive(DeribitDialect(lambda: NOW_NS).open_public(), venue)
    with pytest.raises(VenueRefused, match="10028"):
        drive(newcomer().open_public(), lambda call, params: Refusal(10028))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"locked": "false"}, PlatformState(True, "")),
        ({"locked": "true"}, PlatformState(False, "the venue is locked")),
        ({"locked": True}, PlatformState(False, "the venue is locked")),
        ({"locked": "partial", "locked_indices": ["eth_usd"]}, PlatformState(False, "eth_usd is locked")),
        ({"locked": "partial", "locked_indices": ["btc_usd"]}, PlatformState(True, "")),
        ({"locked": "partial", "locked_currencies": ["ETH"]}, PlatformState(False, "eth_usd is locked")),
        ({"locked": "partial", "locked_currencies": ["BTC"]}, PlatformState(True, "")),
        (Refusal(11051), PlatformState(True, "")),
    ],
)
def test_what_was_missed_while_away_is_told_with_the_first_market_data(status: Any, expected: PlatformState):
    """A lock that came or went during a reconnect is news once; the private link's news does not swallow it."""
    dialect = maker()
    drive(dialect.open_public(), lambda call, params: status if call.method == "public/status" else "ok")
    changes = raw({"orders": [], "trades": []})
    assert list(dialect.decode_notice("subscription", "user.changes.option.ETH.raw", changes)) == []
    index = raw({"index_name": "eth_usd", "price": 2400.0, "timestamp": 1})
    assert next(iter(dialect.decode_notice("subscription", "deribit_price_index.eth_usd", index))) == expected
    assert len(list(dialect.decode_notice("subscription", "deribit_price_index.eth_usd", index))) == 1


# -- instruments and channels


def test_the_listing_is_asked_for_once_in_all():
    """Options in one dear request, the perpetual in a cheap one; what cannot be read or is closed is left out."""
    broken = listing(instrument_name="ETH-25DEC26-1-C", option_type="both")
    closed = listing(instrument_name="ETH-25DEC26-2-C", is_active=False)

    def venue(call: Call, params: dict[str, Any]) -> Any:
        return [listing(), broken, closed] if call.method == "public/get_instruments" else PERP

    dialect = newcomer()
    found, calls = drive(dialect.load_instruments("ETH"), venue)
    assert [one.name for one in found] == [NAME, "ETH-PERPETUAL"]
    assert [json.loads(call.params) for call in calls] == [
        {"currency": "ETH", "kind": "option", "expired": False},
        {"instrument_name": "ETH-PERPETUAL"},
    ]
    assert len(dialect.board.unreadable) == 1
    assert dialect.shared_channels("ETH")[0] == "deribit_price_index.eth_usd"


def test_linear_options_are_found_under_their_quote_currency():
    """Those of other coins are there too, and are not ours; no perpetual is no reason to stop."""
    other = {**LINEAR, "instrument_name": "SOL_USDC-21SEP26-100-P"}

    def venue(call: Call, params: dict[str, Any]) -> Any:
        return [LINEAR, other] if call.method == "public/get_instruments" else Refusal(13020)

    dialect = newcomer()
    found, calls = drive(dialect.load_instruments("XRP_USDC"), venue)
    assert [one.name for one in found] == ["XRP_USDC-21SEP26-1d25-P"]
    assert json.loads(calls[0].params)["currency"] == "USDC"
    assert dialect.private_channels("XRP_USDC")[:2] == ["user.changes.option.USDC.raw", "user.mmp_trigger.xrp_usdc"]
    assert dialect.shared_channels("XRP_USDC")[1] == "instrument.state.option.USDC"


def test_channels_are_joined_in_few_frames_that_the_venue_can_take():
    """At most 500 and 32 kB each; nothing is lost or asked twice; what the echo leaves out is said."""
    channels = [f"book.ETH-25DEC26-{strike}-C.none.20.100ms" for strike in range(1200)]
    dropped = {channels[3], channels[1100]}

    def venue(call: Call, params: dict[str, Any]) -> Any:
        return [one for one in reversed(params["channels"]) if one not in dropped]

    refused, calls = drive(newcomer().subscribe(channels, private=False), venue)
    assert set(refused) == dropped
    assert [one for call in calls for one in json.loads(call.params)["channels"]] == channels
    assert {call.method for call in calls} == {"public/subscribe"}
    assert max(len(call.params) for call in calls) < 32_000
    assert len(calls) == 3
    _, calls = drive(newcomer().unsubscribe(channels[:2], private=True), lambda call, params: [])
    assert [call.method for call in calls] == ["private/unsubscribe"]


def test_long_names_are_cut_by_bytes():
    """Five hundred of them would not fit a frame."""
    long = [f"{'x' * 200}{number}" for number in range(400)]
    parts = list(batches(long, 500))
    assert [one for part in parts for one in part] == long
    assert all(sum(len(one) + 3 for one in part) <= FRAME_BYTES for part in parts)
    assert list(batches([], 500)) == []


# -- truth


def test_open_orders_are_the_underlyings_own_with_quotes():
    """Asked by currency; a linear coin's neighbours are left out; a row that cannot be read makes the answer unknown."""
    listed = [order_row(), order_row(order_id="2", instrument_name="ETH-PERPETUAL", price=2400.0, amount=10.0)]
    listed += [order_row(order_id="3", label="", quote=True, quote_set_id="sm-main-cell0-r1", mmp=True)]
    listed += [order_row(order_id="4", instrument_name="BTC-25DEC26-1-C")]
    found, calls = drive(maker().open_orders("ETH"), lambda *_: listed)
    assert [(order.venue_id, order.label) for order in found] == [(ORDER_ID, LABEL), ("2", LABEL), ("3", "sm-main-cell0-r1")]
    assert found[2].client_id == ""
    assert json.loads(calls[0].params) == {"currency": "ETH"}
    for nonsense in ([order_row(price=0.04251)], {"orders": []}):
        with pytest.raises(OutcomeUnknown):
            drive(maker().open_orders("ETH"), lambda *_, answer=nonsense: answer)


def test_an_orders_fate_is_asked_by_id_then_label_then_history():
    """Until one of them knows it; none of them is None."""
    asked: list[str] = []

    def venue(call: Call, params: dict[str, Any]) -> Any:
        asked.append(call.method)
        if call.method == "private/get_order_state":
            return Refusal(10004)
        if call.method == "private/get_order_state_by_label":
            assert params == {"currency": "ETH", "label": LABEL}
            return []
        assert params["include_unfilled"] is True
        return [order_row(label="other"), order_row(order_state="cancelled")]

    order, _ = drive(maker().order_state(LABEL, ORDER_ID, NAME, 0), venue)
    assert order.status.is_final
    assert asked == [
        "private/get_order_state",
        "private/get_order_state_by_label",
        "private/get_order_history_by_instrument",
    ]
    order, calls = drive(maker().order_state(LABEL, "", NAME, 0), lambda call, params: [order_row()])
    assert order.client_id == LABEL
    assert len(calls) == 1
    assert drive(maker().order_state(LABEL, "", NAME, 0), lambda call, params: [])[0] is None
    assert drive(maker().order_state("", ORDER_ID, NAME, 0), lambda call, params: Refusal(10004))[0] is None
    with pytest.raises(VenueRefused):
        drive(maker().order_state("", ORDER_ID, NAME, 0), lambda call, params: Refusal(13009))


def test_positions_are_signed_steps_and_closed_ones_are_left_out():
    """A closed one may linger at zero; one in an instrument no longer listed is asked for by name."""
    old = "ETH-21NOV26-2000-P"
    rows = [
        {"instrument_name": NAME, "size": -3.0, "direction": "sell", "kind": "option"},
        {"instrument_name": "ETH-25DEC26-3000-C", "size": 0.0, "direction": "zero"},
        {"instrument_name": old, "size": 2.0, "direction": "buy"},
        {"instrument_name": "BTC-25DEC26-1-C", "size": 9.0},
    ]

    def venue(call: Call, params: dict[str, Any]) -> Any:
        return listing(instrument_name=old, is_active=False) if call.method == "public/get_instrument" else rows

    held, calls = drive(maker().positions("ETH"), venue)
    assert held == {NAME: -3, old: 2}
    assert [call.method for call in calls] == ["private/get_positions", "public/get_instrument"]


def test_fills_are_read_to_the_last_page_and_counted_once():
    """Pages overlap in their last moment; a page full of one moment does not stop the reading."""
    trades = [trade_row(trade_id=f"ETH-{n}", timestamp=1000 + n // 4) for n in range(20)]
    trades.append(trade_row(trade_id="ETH-x", instrument_name="BTC-25DEC26-1-C", timestamp=1003))
    trades.sort(key=lambda row: row["timestamp"])

    def venue(call: Call, params: dict[str, Any]) -> Any:
        assert params["sorting"] == "asc"
        page = [row for row in trades if row["timestamp"] >= params["start_timestamp"]]
        return {"trades": page[:6], "has_more": len(page) > 6}

    fills, _ = drive(maker().fills_since(1000, "ETH"), venue)
    assert [fill.trade_id for fill in fills] == [f"ETH-{n}" for n in range(20)]
    assert [fill.ts_ms for fill in fills] == sorted(fill.ts_ms for fill in fills)
    assert drive(maker().fills_since(0, "ETH"), lambda *_: {"trades": [], "has_more": False})[0] == []
    with pytest.raises(OutcomeUnknown):
        drive(maker().fills_since(0, "ETH"), lambda *_: [])


def test_the_venues_clock_is_read_in_milliseconds():
    """As an integer, however it is printed."""
    assert drive(maker().server_time(), lambda *_: 1.795338e12)[0] == 1_795_338_000_000


def test_nothing_is_restored_at_the_end():
    """Cancel-on-disconnect ends with its connection."""
    facts, _ = drive(newcomer().open_private(), Account())
    assert drive(newcomer().close_private(facts), Account())[1] == []


# -- protection

TERMS = MmpTerms("ETH", 5000, 30_000, Decimal("2.5"), Decimal("1.23456"), vega_limit=Decimal(0), quote_limit=Decimal(2))


def test_protection_is_set_in_the_venues_units_and_read_back_in_ours():
    """Seconds, an index, limits cut down to four decimals; a limit that is not set is left out."""
    stored: dict[str, Any] = {}
    resets: list[dict[str, Any]] = []

    def venue(call: Call, params: dict[str, Any]) -> Any:
        if call.method == "private/set_mmp_config":
            stored.update(params)
            return params
        if call.method == "private/get_mmp_config":
            return [{"index_name": "btc_usd", "interval": 1, "frozen_time": 1}, stored]
        if call.method == "private/get_mmp_status":
            return [{"index_name": "eth_usd", "frozen_until": 0}]
        resets.append(params)
        return "ok" if "mmp_group" not in params else Refusal(11050)

    dialect = maker()
    drive(dialect.set_mmp(TERMS), venue)
    assert stored == {
        "index_name": "eth_usd",
        "interval": 5,
        "frozen_time": 30,
        "max_quote_quantity": 2.0,
        "quantity_limit": 2.5,
        "delta_limit": 1.2345,
    }
    held, _ = drive(dialect.get_mmp("ETH"), venue)
    assert (held.interval_ms, held.frozen_ms, held.amount_limit, held.delta_limit) == (
        5000,
        30_000,
        Decimal("2.5"),
        Decimal("1.2345"),
    )
    assert held.is_frozen
    assert held.unfreeze_ms == 0, "until reset by hand"
    drive(dialect.reset_mmp("ETH"), venue)
    assert resets == [{"index_name": "eth_usd"}, {"index_name": "eth_usd", "mmp_group": "sm-eth_usd"}]
    with pytest.raises(VenueRefused):
        drive(dialect.reset_mmp("ETH"), lambda *_: Refusal(11050))


@pytest.mark.parametrize(
    ("amount", "quote", "sent"),
    [
        ("2.5", "2", (2.5, 2.0)),
        ("6000", "9000", (5000.0, 5000.0)),
        ("6000", "0", (5000.0, 5000.0)),
        ("1.00005", "2.99999", (1.0, 2.9999)),
        ("0.00005", "1", (0.0001, 1.0)),
    ],
)
def test_quantities_of_protection_are_cut_to_what_the_venue_takes(amount: str, quote: str, sent: tuple[float, float]):
    """Refused for its size it would not be there at all; what was asked for in the end is returned."""
    terms = MmpTerms("ETH", 5000, 30_000, Decimal(amount), Decimal(0), quote_limit=Decimal(quote))
    asked, calls = drive(maker().set_mmp(terms), lambda call, params: params)
    params = json.loads(calls[0].params)
    assert (params["quantity_limit"], params["max_quote_quantity"]) == sent
    assert (float(asked.amount_limit), float(asked.quote_limit)) == sent


def test_protection_as_the_documentation_shows_it_is_read():
    """As an object or an array, of a group that is not ours."""
    for answer in ([], [{"index_name": "eth_usd", "mmp_group": "other", "interval": 1, "frozen_time": 0}]):
        assert drive(maker().get_mmp("ETH"), lambda *_, given=answer: given)[0] is None
    one = {"index_name": "eth_usd", "interval": 1, "frozen_time": 0, "quantity_limit": 3}
    held, _ = drive(maker().get_mmp("ETH"), lambda call, params: one if "config" in call.method else [])
    assert (held.amount_limit, held.is_frozen) == (Decimal(3), False)


def test_an_account_without_protection_hears_it_in_words():
    """The venue only says that the request was bad."""
    with pytest.raises(VenueRefused, match="not enabled for this account"):
        drive(maker().set_mmp(TERMS), lambda *_: Refusal(11050))
    with pytest.raises(VenueRefused, match="refused"):
        drive(maker().set_mmp(TERMS), lambda *_: Refusal(10000))


def test_no_smiles_are_published_and_none_are_asked_for() -> None:
    """The dialect says so itself: no request, an empty answer."""
    assert not DeribitDialect.publishes_smiles
    assert drive(maker().published_smiles("ETH", [1_800_000_000]), lambda *_: None) == ([], [])
