"""Public methods and channels of the Derive face: listings, tickers, books, rhythm, and who may join what."""

from __future__ import annotations

import json
import math
import random
from decimal import Decimal

import pytest
from derive_desk import CALL, EXPIRY_S, PERP, PUT, Client, Venue

from actors.venues.paper.derive_market import venue_greeks
from actors.venues.paper.events import InstrumentState
from actors.venues.paper.faults import ChannelFault


def test_instruments_are_paged_and_sorted_downwards(guest: Client) -> None:
    """Names fall, pages hold what they say, and every number is text."""
    params = {"instrument_type": "option", "expired": False, "currency": "ETH"}
    whole = guest.call("public/get_all_instruments", **params)
    assert [one["instrument_name"] for one in whole["instruments"]] == [PUT, CALL]
    page = guest.call("public/get_all_instruments", **params, page=2, page_size=1)
    assert [one["instrument_name"] for one in page["instruments"]] == [CALL]
    assert page["pagination"] == {"num_pages": 2, "count": 2}
    call = page["instruments"][0]
    assert (call["tick_size"], call["amount_step"], call["minimum_amount"]) == ("0.1", "0.01", "0.1")
    assert (call["pro_rata_fraction"], call["fifo_min_allocation"], call["base_fee"]) == ("0.8", "10", "0.5")
    assert call["option_details"]["strike"] == "3000"
    perp = guest.call("public/get_instrument", instrument_name=PERP)
    assert perp["scheduled_deactivation"] == 9_223_372_036_854_775_807
    assert perp["option_details"] is None


def test_an_empty_listing_is_an_error_not_an_empty_list(guest: Client) -> None:
    """12001 where nothing is found, as for an unknown name; a page beyond the end is empty."""
    assert guest.code("public/get_all_instruments", instrument_type="erc20", expired=True) == 12001
    assert guest.code("public/get_all_instruments", instrument_type="option", expired=True) == 12001
    assert guest.code("public/get_all_instruments", instrument_type="option") == -32602
    assert guest.code("public/get_all_instruments", instrument_type="option", expired=False, page=0) == -32602
    assert guest.code("public/get_instrument", instrument_name="ETH-X") == 12001
    beyond = guest.call("public/get_all_instruments", instrument_type="option", expired=False, page=9)
    assert beyond["instruments"] == []


def test_a_spot_market_is_listed_but_closed(guest: Client) -> None:
    """Clients that load every kind of instrument find one of each; risk universes name their collateral."""
    [spot] = guest.call("public/get_all_instruments", instrument_type="erc20", expired=False)["instruments"]
    assert (spot["instrument_name"], spot["is_active"]) == ("ETH-USDC", False)
    [universe] = guest.call("public/get_risk_universes")
    assert universe["managers"][0]["collaterals"][0]["name"] == "USDC"


def test_expired_instruments_are_listed_apart(venue: Venue, guest: Client) -> None:
    """After settlement the live listing is empty, the expired one holds the price, and its channels are no more."""
    running = venue.client(0)
    channels = [f"orderbook.{CALL}.1.10", f"ticker_slim.{CALL}.100", f"trades.{CALL}"]
    running.call("subscribe", channels=channels)
    venue.later(EXPIRY_S - venue.now_ns // 10**9 + 60)
    assert venue.engine.listing(CALL).state is InstrumentState.DELIVERED
    assert guest.code("public/get_all_instruments", instrument_type="option", expired=False) == 12001
    assert guest.code("subscribe", channels=channels) == 13000
    gone = guest.call("public/get_all_instruments", instrument_type="option", expired=True)
    assert [one["is_active"] for one in gone["instruments"]] == [False, False]
    prices = guest.call("public/get_option_settlement_prices", currency="ETH")
    assert prices["expiries"] == [{"expiry_date": "20251226", "utc_expiry_sec": EXPIRY_S, "price": "3000"}]
    assert guest.call("public/get_all_live_instruments") == [PERP]


def test_tickers_tell_absence_as_zero(venue: Venue, guest: Client) -> None:
    """No side, no vol: "0"; mark and forward rounded to their display ticks; the map has no name inside."""
    venue.mark(CALL, "100.04")
    maker = venue.client(0)
    maker.place("buy", "99.5", "1.5")
    found = guest.call("public/get_tickers", instrument_type="option", currency="ETH", expiry_date=20251226)["tickers"]
    assert set(found) == {CALL, PUT}
    call = found[CALL]
    assert (call["b"], call["B"], call["a"], call["A"], call["M"]) == ("99.5", "1.5", "0", "0", "100")
    assert call["option_pricing"]["ai"] == "0"
    assert 0.4 < float(call["option_pricing"]["bi"]) < 0.7
    assert (found[PUT]["b"], found[PUT]["option_pricing"]["bi"]) == ("0", "0")
    assert guest.call("public/get_ticker", instrument_name=CALL) == call
    assert guest.call("public/get_tickers", instrument_type="option", currency="ETH", expiry_date="20251226")
    assert guest.code("public/get_tickers", instrument_type="option", currency="ETH") == -32602
    assert guest.code("public/get_tickers", instrument_type="perp", expiry_date=20251226) == -32602
    perp = guest.call("public/get_tickers", instrument_type="perp")["tickers"][PERP]
    assert perp["option_pricing"] is None
    assert perp["f"] == "0"


def test_the_venues_greeks_are_finite_differences() -> None:
    """Recomputed from a published ticker of the reference: forward 1992.6, a put at 0.51 of vol."""
    row = venue_greeks(2600.0, 2600.0, 30 / 365, 0.6, True)
    assert row["d"] == pytest.approx(0.5343 + 0.5 * 0.000891 * 2.6, rel=2e-3)
    assert row["t"] < 0 < row["v"]
    assert row["r"] == pytest.approx((30 / 365) * 178.1, rel=1e-2)
    assert set(venue_greeks(2600.0, 2600.0, 0.0, 0.6, True).values()) == {0.0}


def test_feeds_and_currencies_tell_index_and_forward(guest: Client) -> None:
    """Spot, forward difference by expiry, and the currency's own row; an unknown currency is 12002."""
    feeds = guest.call("public/get_latest_signed_feeds", currency="ETH")
    assert feeds["spot_data"]["ETH"]["price"] == "3000"
    assert feeds["fwd_data"]["ETH"][str(EXPIRY_S)]["fwd_diff"] == "10"
    assert guest.call("public/get_currency", currency="ETH")["spot_price"] == "3000"
    assert [row["currency"] for row in guest.call("public/get_all_currencies")] == ["ETH"]
    assert guest.code("public/get_currency", currency="DOGE") == 12002
    assert guest.code("public/get_latest_signed_feeds", currency="DOGE") == 12002


def test_the_smile_of_a_synthetic_world_gives_back_the_marked_vols() -> None:
    """The published SVI, read as the reference says, is the vol in the tickers of the same expiry."""
    venue = Venue(is_empty=False, frozen=True)
    guest = venue.client(login=False)
    expiry_s = max(one.instrument.expiry_s for one in venue.engine.live_listings())
    feed = guest.call("public/get_latest_signed_feeds", currency="ETH", expiry=expiry_s)["vol_data"]["ETH"][str(expiry_s)]
    a, b, rho, m, sigma, forward, years = (
        float(feed["vol_data"][f"SVI_{key}"]) for key in ("a", "b", "rho", "m", "sigma", "fwd", "refTau")
    )
    checked = 0
    for listing in venue.engine.live_listings():
        one = listing.instrument
        if one.expiry_s != expiry_s or listing.reference is None:
            continue
        k = math.log(one.strike / forward)
        variance = a + b * (rho * (k - m) + math.sqrt((k - m) ** 2 + sigma**2))
        assert math.sqrt(variance / years) == pytest.approx(listing.reference.mark_vol, rel=1e-4)
        checked += 1
    assert checked > 20


def test_the_public_tape_has_both_rows_of_a_trade(venue: Venue, guest: Client) -> None:
    """Maker and taker share the id; wallets are public; filters and pages work."""
    maker, taker = venue.client(0), venue.client(1)
    maker.place("sell", "101", "1")
    taker.place("buy", "101", "1", time_in_force="ioc")
    rows = guest.call("public/get_trade_history", instrument_name=CALL)["trades"]
    assert {row["liquidity_role"] for row in rows} == {"maker", "taker"}
    assert {row["trade_id"] for row in rows} == {rows[0]["trade_id"]}
    assert {row["wallet"] for row in rows} == {maker.account.wallet, taker.account.wallet}
    assert guest.call("public/get_trade_history", instrument_name=PUT)["trades"] == []
    assert guest.call("public/get_trade_history", currency="ETH", page_size=1)["pagination"]["num_pages"] == 2


# -- the envelope


def test_ids_are_echoed_whatever_they_are(guest: Client) -> None:
    """Text and numbers come back as they went in; a missing one comes back as null."""
    for raw, echoed in (('"a-1"', "a-1"), ("7", 7)):
        guest.say(f'{{"jsonrpc":"2.0","id":{raw},"method":"public/get_time","params":{{}}}}')
        [frame] = guest.take()
        assert frame["id"] == echoed
    guest.say('{"method":"public/get_time"}')
    [frame] = guest.take()
    assert frame["id"] is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -32700),
        ("", -32700),
        ("[]", -32600),
        ('{"id":3,"params":{}}', -32600),
        ('{"id":3,"method":5}', -32600),
        ('{"id":3,"method":"public/nothing"}', -32601),
        ('{"id":3,"method":"public/get_instrument","params":[]}', -32602),
        ('{"id":3,"method":"public/get_instrument","params":{}}', -32602),
        ('{"id":3,"method":"private/get_open_orders","params":{"subaccount_id":30001}}', 14020),
    ],
)
def test_wrong_envelopes_draw_the_standard_codes(guest: Client, text: str, code: int) -> None:
    """Bad JSON, no request, no method, bad params, no login: each has its number, with the id where it can be read."""
    guest.say(text)
    [answer] = guest.take()
    assert answer["error"]["code"] == code
    assert answer["id"] == (3 if '"id":3' in text else None)


def test_a_defect_of_ours_is_an_internal_error_and_the_exchange_lives() -> None:
    """An exception while serving is answered -32603 and recorded; the next request is served."""
    venue = Venue(fail_on_defect=False)
    guest = venue.client(login=False)
    venue.engine.listings["broken"] = None  # type: ignore[assignment]
    assert guest.code("public/get_all_instruments", instrument_type="option", expired=False) == -32603
    assert guest.call("public/get_time")
    assert [row["method"] for row in venue.exchange.ledger.of("defect")][-1] == "public/get_all_instruments"


# -- logging in


def test_login_checks_who_signed_and_when(venue: Venue) -> None:
    """Unknown wallets, foreign signatures, stale and mistyped timestamps are refused; text timestamps are fine."""
    client, stranger = Client(venue, 0), Client(venue, 1)
    good = client.login_params()
    assert client.code("public/login", **{**good, "wallet": "0x" + "11" * 20}) == 14000
    assert client.code("public/login", **{**good, "wallet": "0x12"}) == 14013
    assert client.code("public/login", **{**good, "signature": stranger.login_params()["signature"]}) == 14014
    assert client.code("public/login", **{**good, "timestamp": good["timestamp"] + 1}) == 14014
    assert client.code("public/login", **{**good, "timestamp": "soon"}) == -32602
    venue.now_ns += 700 * 10**9
    assert client.code("public/login", **good) == 14014
    fresh = client.login_params()
    assert client.call("public/login", **{**fresh, "timestamp": str(fresh["timestamp"])}) == [client.subaccount]
    assert client.call("public/login", **{**client.login_params(), "wallet": client.account.wallet.lower()})


# -- channels


def test_subscribing_answers_per_channel(venue: Venue, guest: Client) -> None:
    """Good ones join, bad ones get a text; all bad is 13000, a private one without a login 14022."""
    good = [f"orderbook.{CALL}.1.10", f"ticker_slim.{CALL}.100", "spot_feed.ETH", f"trades.{CALL}", "trades.option.ETH"]
    bad = [f"orderbook.{CALL}.2.10", f"ticker_slim.{CALL}.50", "spot_feed.DOGE", "trades.spot.ETH", "trades.X", "what"]
    answer = guest.call("subscribe", channels=good + bad)
    assert answer["current_subscriptions"] == good
    assert [name for name, status in answer["status"].items() if status == "ok"] == good
    assert guest.code("subscribe", channels=bad) == 13000
    assert guest.code("subscribe", channels=[]) == 13000
    assert guest.code("subscribe", channels=[f"{venue.client(0).subaccount}.orders"]) == 14022
    left = guest.call("unsubscribe", channels=[good[0], "what"])
    assert left["status"] == {good[0]: "ok", "what": "not subscribed"}
    assert left["remaining_subscriptions"] == good[1:]
    assert guest.call("unsubscribe")["remaining_subscriptions"] == []


def test_a_channel_may_be_refused_alone(venue: Venue) -> None:
    """In the status, beside those that joined; where none did it is 13000."""
    client = venue.client(0)
    wanted = [f"{client.subaccount}.{what}" for what in ("orders", "trades", "balances")]
    venue.exchange.faults.arm(ChannelFault(".trades"))
    answer = client.call("subscribe", channels=wanted)
    assert answer["status"] == {wanted[0]: "ok", wanted[1]: "Internal error", wanted[2]: "ok"}
    assert answer["current_subscriptions"] == [wanted[0], wanted[2]]
    assert client.code("subscribe", channels=[wanted[1]]) == 13000


def test_nobody_joins_another_accounts_channels(venue: Venue) -> None:
    """The other wallet's subaccount is 14022 although one is logged in."""
    maker, other = venue.client(0), venue.client(1)
    assert maker.code("subscribe", channels=[f"{other.subaccount}.orders"]) == 14022
    assert maker.call("subscribe", channels=[f"{maker.subaccount}.orders"])["current_subscriptions"]


def test_a_book_is_told_every_tenth_of_a_second_while_it_changes(venue: Venue) -> None:
    """Many changes within the interval are one snapshot; publish ids rise; depth and grouping are obeyed."""
    maker = venue.client(0)
    fine, coarse = f"orderbook.{CALL}.1.1", f"orderbook.{CALL}.10.10"
    maker.call("subscribe", channels=[fine, coarse])
    venue.later(0.02)
    maker.heard(fine)
    maker.heard(coarse)
    for price in ("98.1", "98.2", "98.3"):
        maker.place("buy", price)
    for _ in range(6):
        venue.later(0.02)
    [book] = maker.heard(fine)
    assert (book["bids"], book["asks"]) == ([["98.3", "1"]], [])
    [grouped] = maker.heard(coarse)
    assert grouped["bids"] == [["98", "3"]]
    maker.place("buy", "98.4")
    venue.later(0.12)
    [later] = maker.heard(fine)
    assert later["publish_id"] > book["publish_id"]
    assert later["timestamp"] - book["timestamp"] >= 100


def test_a_ticker_comes_at_its_interval_and_a_spot_feed_with_the_index(venue: Venue) -> None:
    """A 1000 ms ticker never comes faster; the spot feed follows the index."""
    guest = venue.client(login=False)
    slow, quick, spot = f"ticker_slim.{CALL}.1000", f"ticker_slim.{CALL}.100", "spot_feed.ETH"
    guest.call("subscribe", channels=[slow, quick, spot])
    for step in range(100):
        venue.engine.set_index("ETH-USD", Decimal(3000 + step))
        venue.later(0.02)
    slow_times = [data["timestamp"] for data in guest.heard(slow)]
    quick_times = [data["timestamp"] for data in guest.heard(quick)]
    assert len(slow_times) == 2
    assert 18 <= len(quick_times) <= 20
    feeds = [data["feeds"]["ETH"]["price"] for data in guest.heard(spot)]
    assert feeds == sorted(feeds)
    assert 9 <= len(feeds) <= 11


def test_each_listener_hears_the_same_and_the_ledger_writes_it_once(venue: Venue) -> None:
    """One notice, two listeners, one row naming both."""
    first, second = venue.client(login=False), venue.client(login=False)
    channel = f"orderbook.{CALL}.1.10"
    for guest in (first, second):
        guest.call("subscribe", channels=[channel])
    venue.later(0.1)
    assert first.heard(channel) == second.heard(channel)
    rows = [row for row in venue.exchange.ledger.of("notice") if row["channel"] == channel]
    assert [row["sessions"] for row in rows] == [[first.session.id, second.session.id]]


# -- rate limits


def test_the_trader_tier_is_five_matching_requests_in_five_seconds() -> None:
    """The sixth is -32000 with the wait in its data, costs nothing, and is possible again after that wait."""
    venue = Venue(tier="trader")
    maker = venue.client(0)
    orders = [maker.signed("buy", str(90 + n)) for n in range(7)]
    codes = [maker.code("private/order", **order) for order in orders[:6]]
    assert codes == [0, 0, 0, 0, 0, -32000]
    answer = maker.ask("private/order", **orders[5])
    assert answer is not None
    assert answer["error"]["data"].startswith("Retry after ")
    wait_ms = int(answer["error"]["data"].split()[2])
    venue.later(wait_ms / 1000)
    assert maker.code("private/order", **orders[5]) == 0
    assert len(maker.resting()) == 6


def test_limits_are_by_wallet_and_by_instrument(venue: Venue) -> None:
    """A market maker's single instrument has its own bucket; another wallet is not affected."""
    maker, other = venue.client(0), venue.client(1)
    params = {"subaccount_id": maker.subaccount, "instrument_name": CALL}
    codes = [maker.code("private/cancel_by_instrument", **params) for _ in range(60)]
    assert codes == [0] * 50 + [-32000] * 10
    assert maker.code("private/cancel_by_instrument", **{**params, "instrument_name": PUT}) == 0
    assert other.code("private/cancel_by_instrument", **{**params, "subaccount_id": other.subaccount}) == 0
    second = venue.client(0)
    assert second.code("private/cancel_by_instrument", **params) == -32000


def test_bulk_cancels_have_their_own_pools(venue: Venue) -> None:
    """cancel_all one a second, cancel_by_label without an instrument ten, neither from the matching pool."""
    maker = venue.client(0)
    mine = {"subaccount_id": maker.subaccount}
    assert [maker.code("private/cancel_all", **mine) for _ in range(2)] == [0, -32000]
    labels = [maker.code("private/cancel_by_label", label="x", **mine) for _ in range(12)]
    assert labels == [0] * 10 + [-32000] * 2
    limits = maker.call("public/getRateLimits")
    assert limits["remaining_matching"]["remainingPoints"] == 2500
    assert limits["remaining_per_endpoint"]["private/cancel_by_label"]["remainingPoints"] == 0


def test_the_account_tells_its_limits() -> None:
    """Both tiers show in get_account what they allow."""
    for tier, matching, instrument in (("trader", 1, 1), ("market_maker", 500, 10)):
        maker = Venue(tier=tier).client(0)
        account = maker.call("private/get_account", wallet=maker.account.wallet)
        assert (account["websocket_matching_tps"], account["websocket_option_tps"]) == (matching, instrument)
        assert account["cancel_on_disconnect"] is False


def test_random_text_never_breaks_the_face(venue: Venue, guest: Client) -> None:
    """Whatever bytes of a request are lost or changed, there is one answer and the exchange lives."""
    rng = random.Random(4)
    whole = json.dumps({"id": 1, "method": "private/order", "params": venue.client(0).signed()})
    for _ in range(300):
        tail = rng.choice(["", "}", '"', "\x00", "é", whole[rng.randrange(len(whole)) :]])
        cut = whole[: rng.randrange(len(whole))] + tail
        guest.say(cut)
        assert len(guest.take()) == 1
    assert guest.call("public/get_time")
