"""How a connection to Derive opens: login and account, listing, subscriptions, each against a scripted venue."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from derive_answers import Wallet, listed, listing, newcomer, subscriber
from derive_kit import KEY_HEX, NAME, NOW_NS, OPTION, OWNER, SUBACCOUNT, Refusal, drive
from eth_account import Account
from eth_account.messages import encode_defunct

from actors.trading.errors import ConfigError, OutcomeUnknown, StrikemakerError, VenueRefused
from actors.trading.instruments import OptionKind
from actors.venues.derive.signing import SigningKey
from actors.venues.derive.wire import DeriveDialect
from actors.venues.dialect import Call, Pool, RateLimit

# -- login and account


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
    """A signature that is bad twice ends the script with the venue's code; anything else does at once."""
    for code, logins in ((14014, 2), (14000, 1)):
        asked: list[str] = []

        def venue(call: Call, params: dict[str, Any], *, code: int = code, asked: list[str] = asked) -> Any:
            asked.append(call.method)
            return Refusal(code)

        with pytest.raises(VenueRefused) as caught:
            drive(newcomer().open_private(), venue)
        assert caught.value.code == code
        assert asked == ["public/login"] * logins


def test_a_signature_that_is_refused_once_is_given_again():
    """14014 is fatal, and a run does not end by one mishap of the venue's."""
    wallet, refused = Wallet(), [Refusal(14014)]
    facts, calls = drive(newcomer().open_private(), lambda call, params: refused.pop() if refused else wallet(call, params))
    assert [call.method for call in calls[:3]] == ["public/login", "public/login", "private/get_account"]
    assert facts.cancel_on_disconnect


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


# -- listing and subscriptions


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
        {"option_details": {"index": "ETH-USD", "expiry": 1_798_185_600, "strike": "0", "option_type": "C"}},
        {"option_details": {"index": "ETH-USD", "expiry": 1_798_185_600, "strike": "-2800", "option_type": "C"}},
        {"option_details": {"index": "ETH-USD", "expiry": 1_798_185_600, "strike": "inf", "option_type": "C"}},
        {"option_details": {"index": "ETH-USD", "expiry": 0, "strike": "2800", "option_type": "C"}},
        {"option_details": {"index": "ETH-USD", "expiry": 1_798_185_600_000, "strike": "2800", "option_type": "C"}},
        {"maker_fee_rate": "nan"},
        {"taker_fee_rate": "inf"},
        {"base_fee": "nan"},
        {"mark_price_fee_rate_cap": "inf"},
        {"tick_size": "1e999999"},
        {"maximum_amount": "1e999999"},
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


def test_channels_that_are_all_bad_cost_one_request_each_batch():
    """13000 says that of all of them: halving would ask a hundred times, and a trader may ask 25 times in 5 s."""
    channels = [f"orderbook.ETH-20251225-{number}-C.1.10" for number in range(100)]
    refused, calls = drive(newcomer().subscribe(channels, private=False), lambda *_: Refusal(13000))
    assert refused == channels
    assert len(calls) == 2


def test_a_channel_counts_as_joined_by_its_status_or_by_the_list_of_those_joined():
    """The recorded answer refuses one by its own text; a name joined before is no failure."""
    answer = {"status": {"a": "ok", "b": "already subscribed", "c": "Invalid enum"}, "current_subscriptions": ["a", "b"]}
    assert drive(newcomer().subscribe(["a", "b", "c", "d"], private=True), lambda *_: answer)[0] == ["c", "d"]
    assert drive(newcomer().unsubscribe(["a"], private=False), lambda *_: Refusal(13000))[0] is None
