"""The REST form of Derive's calls: what the guard posts, and what an answer proves."""

from __future__ import annotations

import json

import msgspec
import pytest
from derive_kit import KEY_HEX, NAME, OWNER, SUBACCOUNT, maker, order_row
from eth_account import Account
from eth_account.messages import encode_defunct

from actors.trading.errors import ConfigError, OutcomeUnknown, VenueRefused
from actors.venues.derive.rest import DeriveRest
from actors.venues.derive.signing import SigningKey
from actors.venues.derive.sites import TESTNET
from actors.venues.dialect import Call

NOW_MS = 1_795_338_000_123


def form(wallet: str = OWNER.lower()) -> DeriveRest:
    return DeriveRest(TESTNET.rest_url + "/", SigningKey.from_hex(KEY_HEX), wallet, lambda: NOW_MS * 1_000_000 + 7)


def test_a_private_post_is_signed_by_itself():
    """The wallet, a stamp and a signature over it that recovers to the key; never the key."""
    (call,) = maker().cancel_ours("run", "ETH")
    url, headers, body = form().request(call)
    assert url == "https://testnet.api.derive.xyz/v3/private/cancel_by_label"
    assert json.loads(body) == {"subaccount_id": SUBACCOUNT, "label": "run"}
    assert (headers["X-DeriveWallet"], headers["X-DeriveTimestamp"]) == (OWNER, str(NOW_MS))
    message = encode_defunct(text=str(NOW_MS))
    assert Account.recover_message(message, signature=headers["X-DeriveSignature"]) == form().key.address
    assert headers["User-Agent"]
    assert KEY_HEX[2:] not in repr((form(), url, headers, body))


def test_a_public_post_is_not_signed():
    """There is no account in it."""
    _, headers, body = form().request(Call("public/get_time"))
    assert body == b"{}"
    assert not [name for name in headers if name.startswith("X-Derive")]


def test_a_malformed_wallet_is_refused_before_anything_is_posted():
    """With the field's name."""
    with pytest.raises(ConfigError, match="wallet"):
        form("0x12")


def test_answers_are_results_or_errors_as_on_the_socket():
    """Whatever HTTP status carries the error; the same judgement applies to them."""
    dialect, cancel = maker(), Call("private/cancel")
    body = msgspec.json.encode({"id": 1, "result": order_row(order_status="cancelled")})
    result, error = form().answer(200, body)
    assert error is None
    assert [order.instrument for order in dialect.read_outcome(cancel, result, error).orders] == [NAME]
    for status in (200, 400, 500):
        body = msgspec.json.encode({"id": 1, "error": {"code": 11006, "message": "gone", "data": None}})
        assert form().answer(status, body) == (None, (11006, "gone", ""))


def test_a_gateways_page_proves_nothing_unless_it_turned_the_request_away():
    """Behind a 502 the exchange may have acted; a 403 never reached it; 429 is the rate limit."""
    for status, body in ((502, b"<html>"), (200, b""), (200, b'{"id":1}'), (504, b"{}")):
        with pytest.raises(OutcomeUnknown):
            form().answer(status, body)
    for status, code in ((403, 403), (429, -32000)):
        with pytest.raises(VenueRefused) as caught:
            form().answer(status, b"<html>")
        assert caught.value.code == code
