"""Connections of the Deribit face: envelope, HTTP form, grants, scopes, heartbeats, cancel on disconnect, credits."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from deribit_desk import CALL, CallError, Client, Venue

from actors.venues.paper.deribit_clients import Clients, sign
from actors.venues.paper.deribit_params import Auth
from actors.venues.paper.faults import FrameFault


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def maker(venue: Venue) -> Client:
    return venue.client(0)


@pytest.fixture
def guest(venue: Venue) -> Client:
    return venue.client(0, login=False)


# -- the envelope


def test_an_answer_has_exactly_the_recorded_envelope(venue: Venue, guest: Client) -> None:
    """jsonrpc, id, result and the four of the venue's own; times are microseconds; ids keep their type."""
    answer = guest.ask("public/get_time")
    assert answer is not None
    assert list(answer) == ["jsonrpc", "id", "result", "usIn", "usOut", "usDiff", "testnet"]
    assert (answer["usIn"], answer["usDiff"], answer["testnet"]) == (venue.now_ns // 1000, 0, True)
    guest.say('{"jsonrpc":"2.0","id":"a","method":"public/get_time","params":{}}')
    assert guest.take()[0]["id"] == "a"


def test_a_failure_has_error_in_place_of_result_and_names_the_parameter(guest: Client) -> None:
    """As recorded: -32602 with reason and param."""
    answer = guest.ask("public/ticker")
    assert answer is not None
    assert answer["error"] == {
        "code": -32602,
        "message": "Invalid params",
        "data": {"reason": "value required", "param": "instrument_name"},
    }
    assert "result" not in answer
    assert list(answer) == ["jsonrpc", "id", "error", "usIn", "usOut", "usDiff", "testnet"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -32700),
        ("[]", -32600),
        ('{"id":3,"method":5}', -32600),
        ('{"id":3,"method":"public/nothing"}', -32601),
        ('{"id":3,"method":"public/test","params":[]}', -32600),
        ('{"id":3,"method":"public/ticker","params":{"instrument_name":null}}', -32602),
        ('{"id":3,"method":"public/get_order_book","params":{"instrument_name":"ETH-PERPETUAL","depth":"5"}}', -32602),
        ('{"id":3,"method":"private/get_positions","params":{}}', 10000),
    ],
)
def test_what_is_no_sound_request_is_told_so(guest: Client, text: str, code: int) -> None:
    """By its code, with the id where it could be read."""
    guest.say(text)
    [answer] = guest.take()
    assert answer["error"]["code"] == code
    assert answer.get("id") == (3 if '"id":3' in text else None)


def test_unknown_parameters_pass(guest: Client) -> None:
    """Clients send more than is asked for."""
    assert guest.call("public/get_index_price", index_name="eth_usd", extra=1)["index_price"] == 2600.0


def test_a_frame_beyond_32_kilobytes_is_too_large(guest: Client) -> None:
    """A long subscription list is refused as a whole."""
    error = guest.error("public/subscribe", channels=["x" * 100] * 400)
    assert (error["code"], error["message"]) == (-32600, "request entity too large")
    assert guest.code("public/subscribe", channels=[f"a{n}" for n in range(501)]) == -32602


# -- HTTP


def test_http_takes_text_for_every_type(venue: Venue) -> None:
    """A query string places an order: numbers and booleans arrive as text."""
    key = venue.face.clients.test_keys[0]
    proof = "Basic " + base64.b64encode(f"{key.client_id}:{key.secret}".encode()).decode()
    query = f"instrument_name={CALL}&amount=5&price=0.03&post_only=true&reject_post_only=1&mmp=false&label=q"
    status, answer = venue.http("GET", f"/api/v2/private/buy?{query}", authorization=proof)
    order = answer["result"]["order"]
    assert (status, order["post_only"], order["reject_post_only"], order["mmp"]) == (200, True, True, False)
    status, answer = venue.http("GET", "/api/v2/private/buy?amount=five", authorization=proof)
    assert (status, answer["error"]["code"]) == (400, -32602)


def test_a_post_names_its_method_in_the_body(venue: Venue) -> None:
    """At the bare path or at the method's own; a body without a method is 11050."""
    body = {"jsonrpc": "2.0", "id": 7, "method": "public/get_index_price", "params": {"index_name": "eth_usd"}}
    for path in ("/api/v2", "/api/v2/public/get_index_price"):
        status, answer = venue.http("POST", path, body)
        assert (status, answer["id"], answer["result"]["index_price"]) == (200, 7, 2600.0)
    assert venue.http("POST", "/api/v2/public/get_time", {"params": {}})[1]["error"]["code"] == 11050
    assert venue.http("POST", "/api/v2/public/get_time", body)[1]["error"]["code"] == 11050
    assert venue.http("DELETE", "/api/v2/public/get_time")[1]["error"]["code"] == 11050
    assert venue.http("POST", "/api/v2", b"{")[1]["error"]["code"] == -32700
    assert venue.http("POST", "/api/v2", b"x" * 40_000)[1]["error"]["code"] == -32600


def test_http_knows_its_callers_in_three_ways(venue: Venue) -> None:
    """Bearer, Basic and a signature of the whole request; a changed request does not match its signature."""
    key = venue.face.clients.test_keys[0]
    target = f"/api/v2/private/get_open_orders_by_instrument?instrument_name={CALL}"
    stamp = venue.now_ns // 1_000_000
    signature = sign(key.secret, f"{stamp}\nn1\nGET\n{target}\n\n")
    signed = f"deri-hmac-sha256 id={key.client_id},ts={stamp},sig={signature},nonce=n1"
    assert venue.http("GET", target, authorization=signed)[0] == 200
    assert venue.http("GET", target + "&type=all", authorization=signed)[1]["error"]["code"] == 13004
    login = f"client_id={key.client_id}&client_secret={key.secret}"
    granted = venue.http("GET", f"/api/v2/public/auth?grant_type=client_credentials&{login}")[1]["result"]
    assert venue.http("GET", target, authorization=f"Bearer {granted['access_token']}")[0] == 200
    assert venue.http("GET", f"{target}&access_token={granted['access_token']}")[0] == 200
    assert venue.http("GET", target, authorization="Bearer x")[1]["error"]["code"] == 13009
    assert venue.http("GET", target)[1]["error"]["code"] == 10000
    for proof in ("Basic eA==", "Basic !"):
        assert venue.http("GET", target, authorization=proof)[1]["error"]["code"] == 13004


def test_what_needs_a_socket_is_refused_over_http(venue: Venue) -> None:
    """10030 for subscriptions, heartbeats and cancel-on-disconnect of a connection."""
    key = venue.face.clients.test_keys[0]
    proof = "Basic " + base64.b64encode(f"{key.client_id}:{key.secret}".encode()).decode()
    for path in (
        "public/subscribe?channels=[%22book.x.raw%22]",
        "public/set_heartbeat?interval=30",
        "private/enable_cancel_on_disconnect",
        "private/logout",
    ):
        assert venue.http("GET", f"/api/v2/{path}", authorization=proof)[1]["error"]["code"] == 10030
    assert venue.http("GET", "/other")[0] == 404


# -- grants and scopes


def test_the_published_signature_vector_is_reproduced() -> None:
    """HMAC-SHA256 over timestamp, nonce and data, two newlines always."""
    signed = sign("AMANDASECRECT", "1576074319000\n1iqt2wls\n")
    assert signed == "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1"


def test_a_signature_logs_in_within_a_minute(venue: Venue, guest: Client) -> None:
    """Timestamps come as number or text; a wrong one, or one that is too old, is 13004."""
    key = guest.key
    for stamp in (venue.now_ns // 1_000_000, str(venue.now_ns // 1_000_000 - 59_000)):
        fields = {"client_id": key.client_id, "timestamp": stamp, "nonce": "n", "data": ""}
        signature = sign(key.secret, f"{stamp}\nn\n")
        assert guest.call("public/auth", grant_type="client_signature", signature=signature, **fields)["access_token"]
        assert guest.code("public/auth", grant_type="client_signature", signature=signature[::-1], **fields) == 13004
    old = venue.now_ns // 1_000_000 - 61_000
    fields = {"client_id": key.client_id, "timestamp": old, "nonce": "n", "signature": sign(key.secret, f"{old}\nn\n")}
    assert guest.code("public/auth", grant_type="client_signature", **fields) == 13004


def test_wrong_credentials_and_grants_are_refused(guest: Client) -> None:
    """13004 for the secret, -32602 for a grant that is none."""
    wrong = {"client_id": guest.key.client_id, "client_secret": "x"}
    assert guest.code("public/auth", grant_type="client_credentials", **wrong) == 13004
    assert guest.code("public/auth", grant_type="client_credentials", client_id="x", client_secret="x") == 13004
    assert guest.code("public/auth", grant_type="magic") == -32602
    assert guest.code("private/get_positions") == 10000


def test_a_refresh_token_renews_and_the_former_dies(venue: Venue, guest: Client) -> None:
    """Of a connection; and an access token that is over is 13009 until it was renewed."""
    first = guest.login(state="mine")
    assert (first["state"], first["token_type"], first["expires_in"]) == ("mine", "bearer", 900)
    venue.later(901)
    assert guest.code("private/get_positions") == 13009
    second = guest.call("public/auth", grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert guest.call("private/get_positions") == []
    assert guest.code("public/auth", grant_type="refresh_token", refresh_token=first["refresh_token"]) == 13004
    assert guest.code("private/get_positions", access_token=first["access_token"]) == 13009
    assert guest.call("private/get_positions", access_token=second["access_token"]) == []


def test_a_connections_token_is_bound_to_it_a_named_session_is_not(venue: Venue, maker: Client, guest: Client) -> None:
    """And a connection's token dies with its socket."""
    bound = maker.login()["access_token"]
    assert guest.code("private/get_positions", access_token=bound) == 13009
    named = maker.login("session:desk")
    assert "session:desk" in named["scope"]
    assert guest.call("private/get_positions", access_token=named["access_token"]) == []
    forked = guest.call("public/fork_token", refresh_token=named["refresh_token"], session_name="other")
    assert "session:other" in forked["scope"]
    bound_refresh = maker.login()["refresh_token"]
    assert guest.code("public/fork_token", refresh_token=bound_refresh, session_name="other") == -32602
    user = maker.user_id
    assert guest.call("public/exchange_token", refresh_token=named["refresh_token"], subject_id=user)["access_token"]
    assert guest.code("public/exchange_token", refresh_token=named["refresh_token"], subject_id=1) == -32602
    maker.drop()
    assert guest.code("public/auth", grant_type="refresh_token", refresh_token=bound_refresh) == 13004


def test_scopes_narrow_and_what_they_lack_is_forbidden(venue: Venue) -> None:
    """A token never holds more than its key; 13021 says which scope was wanted."""
    reader = venue.client(0, scope="trade:read account:none")
    granted = reader.login("trade:read_write")
    assert "trade:read_write" in granted["scope"]
    reader.login("trade:read account:none expires:60")
    assert reader.call("private/get_open_orders") == []
    error = reader.error("private/buy", instrument_name=CALL, amount=1, price=0.03)
    assert (error["code"], error["data"]["reason"]) == (13021, "required scope: trade:read_write")
    assert reader.code("private/get_account_summary", currency="ETH") == 13021
    only = venue.face.clients.read_only_key(reader.user_id)
    login = {"grant_type": "client_credentials", "client_id": only.client_id, "client_secret": only.secret}
    assert "trade:read " in reader.call("public/auth", scope="trade:read_write", **login)["scope"] + " "
    assert reader.code("private/cancel_all") == 13021
    assert reader.code("private/set_self_trading_config", mode="cancel_maker", extended_to_subaccounts=False) == 13021
    assert reader.code("private/enable_cancel_on_disconnect", scope="account") == 13021


def test_no_more_than_sixteen_named_sessions_live() -> None:
    """The oldest is evicted."""
    clients = Clients(random.Random(1))
    key = clients.open_test_account(1, 0, 30_001, 0)
    login = {"grant_type": "client_credentials", "client_id": key.client_id, "client_secret": key.secret}
    grants = [clients.grant(Auth(**login, scope=f"session:s{n}"), 0, 10) for n in range(17)]
    with pytest.raises(Exception, match="13009"):
        clients.caller(grants[0].access, 0, 20)
    assert clients.caller(grants[1].access, 0, 20).session_name == "s1"


def test_no_secret_or_token_reaches_the_ledger(venue: Venue, guest: Client) -> None:
    """Logins, refreshes, tokens in params and garbled frames included."""
    granted = guest.login()
    guest.call("private/get_positions", access_token=granted["access_token"])
    guest.call("public/auth", grant_type="refresh_token", refresh_token=granted["refresh_token"])
    guest.say('{"client_secret": "' + guest.key.secret)
    written = json.dumps(venue.exchange.ledger.records)
    for secret in (guest.key.secret, granted["access_token"], granted["refresh_token"]):
        assert secret not in written
    assert guest.key.secret not in repr(guest.key)


# -- heartbeats


def beats(client: Client) -> list[str]:
    client.take()
    found = [frame["params"]["type"] for frame in client.others if frame.get("method") == "heartbeat"]
    client.others.clear()
    return found


def test_a_silent_client_is_asked_and_then_closed_with_4000(venue: Venue, maker: Client) -> None:
    """One interval of silence draws a test_request; another one the close."""
    assert maker.code("public/set_heartbeat", interval=9) == -32602
    assert maker.call("public/set_heartbeat", interval=10) == "ok"
    venue.later(10)
    assert beats(maker) == ["heartbeat", "test_request"]
    venue.later(9)
    assert not maker.session.doomed
    venue.later(1.1)
    assert (maker.session.doomed, maker.session.close_code) == ("heartbeat close", 4000)


def test_orders_go_with_the_missed_heartbeat_and_not_with_the_goodbye(venue: Venue, maker: Client) -> None:
    """Whoever does not answer may not close either: two intervals, and nothing rests."""
    maker.call("private/enable_cancel_on_disconnect")
    maker.buy()
    maker.call("public/set_heartbeat", interval=10)
    venue.later(10)
    venue.later(9.9)
    assert venue.engine.open_orders(maker.user_id)
    venue.later(0.2)
    assert venue.engine.open_orders(maker.user_id) == []
    assert maker.session.doomed == "heartbeat close"


def test_public_test_is_the_answer_other_requests_are_not(venue: Venue, maker: Client) -> None:
    """The strict reading; a busy client is never asked."""
    maker.call("public/set_heartbeat", interval=10)
    venue.later(10)
    assert maker.call("public/test")["version"]
    venue.later(5)
    maker.call("public/get_time")
    venue.later(5)
    assert beats(maker) == ["heartbeat", "test_request", "heartbeat"]
    venue.later(10)
    maker.call("public/get_time")
    venue.later(10)
    assert maker.session.doomed == "heartbeat close"
    lenient = Venue(face={"any_request_is_life": True}).client()
    lenient.call("public/set_heartbeat", interval=10)
    lenient.venue.later(10)
    lenient.call("public/get_time")
    lenient.venue.later(10)
    assert not lenient.session.doomed


def test_heartbeats_can_be_switched_off(venue: Venue, maker: Client) -> None:
    """No beat, no close."""
    maker.call("public/set_heartbeat", interval=10)
    maker.call("public/disable_heartbeat")
    venue.later(60)
    assert beats(maker) == []
    assert not maker.session.doomed


# -- cancel on disconnect


def test_only_orders_of_that_very_connection_are_pulled(venue: Venue, maker: Client) -> None:
    """Not those of the same user's other socket, and not those that came over HTTP."""
    maker.call("private/enable_cancel_on_disconnect")
    assert maker.call("private/get_cancel_on_disconnect") == {"scope": "connection", "enabled": True}
    second = venue.client(0)
    second.call("private/subscribe", channels=["user.orders.any.any.raw"])
    mine, other = maker.buy(), second.buy(0.029)
    second.heard("user.orders.any.any.raw")
    maker.drop()
    [told] = second.heard("user.orders.any.any.raw")
    assert (told["order_id"], told["cancel_reason"]) == (mine["order_id"], "cancel_on_disconnect")
    assert second.resting() == [other["order_id"]]


def test_without_it_or_after_a_logout_orders_stay(venue: Venue, maker: Client) -> None:
    """A logout closes the socket without an answer and without pulling anything."""
    second = venue.client(0)
    second.buy()
    second.drop()
    maker.call("private/enable_cancel_on_disconnect")
    maker.buy(0.029)
    assert maker.ask("private/logout") is None
    assert (maker.session.doomed, maker.session.close_code) == ("logout", 1000)
    maker.drop()
    assert len(venue.client(0).resting()) == 2


def test_the_accounts_default_holds_for_new_connections(venue: Venue, maker: Client) -> None:
    """Set once, it is on wherever the account logs in afterwards, until that connection says otherwise."""
    maker.call("private/enable_cancel_on_disconnect", scope="account")
    assert maker.call("private/get_cancel_on_disconnect", scope="connection")["enabled"] is False
    second = venue.client(0)
    assert second.call("private/get_cancel_on_disconnect", scope="account")["enabled"] is True
    second.buy()
    second.drop()
    assert maker.resting() == []
    third = venue.client(0)
    third.call("private/disable_cancel_on_disconnect")
    third.buy()
    third.drop()
    assert len(maker.resting()) == 1


def test_silence_without_heartbeats_loses_the_connection(venue: Venue, maker: Client) -> None:
    """After ten minutes, where cancel-on-disconnect is on."""
    maker.call("private/enable_cancel_on_disconnect")
    venue.later(599)
    assert not maker.session.doomed
    venue.later(2)
    assert maker.session.doomed == "idle"


def test_a_late_cancel_is_late_and_a_restart_pulls_too(venue: Venue) -> None:
    """The fault delays the pull; a venue that restarts loses every connection."""
    venue.exchange.faults.late_cancel_s = 2.0
    first = venue.client(0)
    first.call("private/enable_cancel_on_disconnect")
    first.buy()
    first.drop()
    watch = venue.client(0)
    venue.later(1.9)
    assert len(watch.resting()) == 1
    venue.later(0.2)
    assert watch.resting() == []
    watch.call("private/enable_cancel_on_disconnect")
    watch.buy()
    venue.exchange.faults.restart(1.0)
    assert venue.engine.open_orders(watch.user_id) == []


# -- credits


def test_a_spent_pool_answers_10028_and_ends_the_session() -> None:
    """Each pool for itself: the matching one is empty, the other is not."""
    venue = Venue(tier="4")
    maker, second = venue.client(0), venue.client(0)
    codes = [maker.ask("private/cancel", order_id="x") for _ in range(21)]
    assert [answer["error"]["code"] for answer in codes if answer] == [10004] * 20 + [10028]
    assert maker.session.doomed == "too many requests"
    assert second.call("private/get_open_orders") == []
    venue.later(1)
    assert second.code("private/cancel", order_id="x") == 10004


@pytest.mark.parametrize(
    ("method", "params", "burst"),
    [
        ("public/subscribe", {"channels": []}, 10),
        ("public/get_instruments", {"currency": "BTC"}, 50),
        ("private/cancel_all", {}, 20),
        ("private/cancel_by_label", {"label": "x"}, 20),
        ("private/get_transaction_log", {"currency": "ETH", "start_timestamp": 1, "end_timestamp": 2}, 8),
        ("public/get_time", {}, 100),
    ],
)
def test_every_pool_has_its_own_burst(method: str, params: dict[str, Any], burst: int) -> None:
    """As the account's limits and the venue's table of costs say; a login is the address's."""
    client = Venue(tier="4").client()
    for _ in range(burst):
        answer = client.ask(method, **params)
        assert answer is not None
        assert "result" in answer
    assert client.code(method, **params) == 10028


def test_limits_are_told_with_the_account(venue: Venue) -> None:
    """The summary's pools are those that are charged."""
    limits = Venue(tier="trader").client().call("private/get_account_summary", currency="ETH", extended=True)["limits"]
    assert limits["matching_engine"]["trading"]["total"] == {"rate": 5, "burst": 20}
    assert limits["non_matching_engine"] == {"rate": 20, "burst": 100}
    assert limits["matching_engine"]["maximum_quotes"] == {"rate": 500, "burst": 500}
    assert limits["limits_per_currency"] is False


# -- misbehaviour


def test_faults_speak_the_venues_numbers(venue: Venue, maker: Client) -> None:
    """Neutral faults become 10028 (with the end of the session), 13888 and 11094; a given code is kept."""
    faults = venue.exchange.faults
    faults.unknown_outcome("private/buy")
    assert maker.code("private/buy", instrument_name=CALL, amount=1, price=0.03) == 13888
    assert len(maker.resting()) == 1
    faults.refuse("private/cancel_all")
    assert maker.code("private/cancel_all") == 11094
    faults.refuse("private/cancel_all", code=10047, message="matching_engine_queue_full")
    assert maker.code("private/cancel_all") == 10047
    faults.swallow_answer("private/cancel_all")
    assert maker.ask("private/cancel_all") is None
    assert maker.resting() == []
    faults.rate_limit("public/get_time")
    assert maker.code("public/get_time") == 10028
    assert maker.session.doomed == "too many requests"


def test_notices_may_come_before_the_answer() -> None:
    """Or after it, as the exchange is told."""
    order = {}
    for notices in ("before", "after"):
        maker = Venue(notices=notices).client()
        maker.call("private/subscribe", channels=["user.orders.any.any.raw"])
        order_terms = {"instrument_name": CALL, "amount": 1, "price": 0.03}
        maker.say(json.dumps({"id": 99, "method": "private/buy", "params": order_terms}))
        order[notices] = ["notice" if "method" in frame else "answer" for frame in maker.take()]
    assert order == {"before": ["notice", "answer"], "after": ["answer", "notice"]}


def test_answers_may_come_out_of_order(venue: Venue, maker: Client) -> None:
    """A reordering fault on answers alone: ids are all a client can go by."""
    venue.exchange.faults.arm(FrameFault("reorder", match='"usOut"'))
    for id_ in range(100, 110):
        maker.say(json.dumps({"id": id_, "method": "public/get_time", "params": {}}))
    arrived = []
    for _ in range(30):
        venue.later(0.01)
        arrived += [frame["id"] for frame in maker.take()]
    assert sorted(arrived) == list(range(100, 110))
    assert arrived != sorted(arrived)


def test_too_many_sockets_of_one_address_are_turned_off() -> None:
    """Told and closed."""
    venue = Venue(max_connections_per_ip=1)
    venue.client(login=False)
    second = venue.client(login=False)
    assert second.take()[0]["error"]["code"] == 10028
    assert second.session.doomed == "too many connections"


def test_the_ready_facts_log_in(venue: Venue) -> None:
    """`client_id:client_secret` of each account, and a key that may only read."""
    facts = venue.face.ready_facts()
    client_id, secret = facts["accounts"][1]["session_key"].split(":")
    guest = venue.client(login=False)
    login = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    assert guest.call("public/auth", **login)
    assert guest.call("private/get_account_summary", currency="ETH", extended=True)["id"] == facts["accounts"][1]["user_id"]
    assert facts["expiries"] == ["20261218"]
    with pytest.raises(CallError):
        guest.call("public/auth", **{**login, "client_secret": "x"})
