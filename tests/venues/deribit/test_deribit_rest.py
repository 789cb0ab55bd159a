"""The HTTP form of Deribit's calls: what the guard posts, and what an answer proves."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from deribit_kit import KEY, ORDER_ID, maker, order_row

from actors.trading.errors import OutcomeUnknown, VenueRefused
from actors.venues.deribit.auth import Credentials
from actors.venues.deribit.rest import DeribitRest
from actors.venues.deribit.sites import MAINNET, TESTNET, rest_url_of
from actors.venues.dialect import Call

NOW_MS = 1_795_338_000_123
CANCEL = Call("private/cancel", f'{{"order_id":"{ORDER_ID}"}}'.encode(), kind="cancel")


def form(**kwargs: bool) -> DeribitRest:
    return DeribitRest(TESTNET.rest_url + "/", Credentials.parse(KEY), lambda: NOW_MS * 1_000_000 + 7, **kwargs)


def test_a_private_post_is_signed_by_itself():
    """Over the very path and body that are sent; never with the secret in it."""
    url, headers, body = form().request(CANCEL)
    assert url == "https://test.deribit.com/api/v2/private/cancel"
    sent = json.loads(body)
    assert (sent["method"], sent["params"]) == ("private/cancel", {"order_id": ORDER_ID})
    match = re.fullmatch(r"deri-hmac-sha256 id=AMANDA,ts=(\d+),sig=([0-9a-f]{64}),nonce=(\w+)", headers["Authorization"])
    assert match
    stamp, signature, nonce = match.groups()
    assert stamp == str(NOW_MS)
    text = f"{stamp}\n{nonce}\nPOST\n/api/v2/private/cancel\n{body.decode()}\n"
    assert signature == Credentials.parse(KEY).sign(text)
    assert "SECRECT" not in repr((form(), url, headers, body))


def test_a_public_post_is_not_signed_and_a_basic_one_only_when_asked_for():
    """There is no account in the first."""
    _, headers, _ = form().request(Call("public/get_time"))
    assert "Authorization" not in headers
    assert form(is_basic=True).request(CANCEL)[1]["Authorization"].startswith("Basic ")


def test_without_credentials_nothing_private_is_posted():
    """It is refused here, in words."""
    with pytest.raises(VenueRefused, match="needs credentials"):
        DeribitRest(TESTNET.rest_url, None, lambda: 0).request(CANCEL)


def test_answers_are_results_or_errors_as_on_the_socket():
    """Whatever HTTP status carries the error; the same judgement applies to them."""
    dialect = maker()
    body = msgspec.json.encode({"id": 1, "result": order_row(order_state="cancelled"), "usIn": 1, "testnet": True})
    result, error = form().answer(200, body)
    assert error is None
    assert [order.venue_id for order in dialect.read_outcome(CANCEL, result, error).orders] == [ORDER_ID]
    body = msgspec.json.encode({"id": 1, "error": {"code": 11044, "message": "not_open_order"}})
    assert form().answer(400, body) == (None, (11044, "not_open_order", ""))


def test_a_gateways_page_proves_nothing_unless_it_turned_the_request_away():
    """Behind a 502 the exchange may have acted; 429 is the rate limit, as Deribit numbers it."""
    with pytest.raises(OutcomeUnknown):
        form().answer(502, b"<html>")
    with pytest.raises(VenueRefused) as caught:
        form().answer(429, b"<html>")
    assert caught.value.code == 10028


def test_a_paper_exchanges_rest_address_lies_beside_its_socket():
    """As the real ones do."""
    for site in (MAINNET, TESTNET):
        assert rest_url_of(site.ws_url) == site.rest_url
    assert rest_url_of("ws://127.0.0.1:8080/ws/api/v2") == "http://127.0.0.1:8080/api/v2"
