"""How requests reach the Deribit face and by whose right: the envelope, HTTP, grants and scopes."""

from __future__ import annotations

import base64
import json
import random

import pytest
from deribit_desk import CALL, Client, Venue

from actors.venues.paper.deribit_clients import Clients, sign
from actors.venues.paper.deribit_params import Auth

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
