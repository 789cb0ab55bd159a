"""Deribit's credentials: what they sign, what they refuse, and that they show nothing."""

from __future__ import annotations

import base64

import pytest
from deribit_kit import KEY

from actors.trading.errors import ConfigError, NotGranted
from actors.venues.deribit.auth import Credentials, SecretCall, require_scope

SECRET = KEY.partition(":")[2]


def test_the_published_vector_is_signed_as_published():
    """Stamp, nonce and empty data, each followed by its newline but the last."""
    login = Credentials.parse(KEY).by_signature(1_576_074_319_000, "1iqt2wls")
    assert login["signature"] == "56590594f97921b09b18f166befe0d1319b198bbcdad7ca73382de2f88fe9aa1"
    assert (login["grant_type"], login["client_id"], login["data"]) == ("client_signature", "AMANDA", "")
    assert SECRET not in str(login)


@pytest.mark.parametrize("text", ["", "AMANDA", ":SECRET", "AMANDA:", "AMANDA: SECRET", "AMANDA:SEC RET"])
def test_what_is_no_key_is_refused_without_being_shown(text: str):
    """The message says what one looks like, and not a letter of what was given."""
    with pytest.raises(ConfigError, match="client_id:client_secret") as caught:
        Credentials.parse(text)
    assert "SEC" not in str(caught.value)
    assert "AMANDA" not in str(caught.value)


def test_nothing_that_holds_the_secret_shows_it():
    """Neither the credentials nor a call made of them."""
    credentials = Credentials.parse(KEY)
    login = SecretCall("public/auth", str(credentials.by_secret()).encode())
    assert SECRET.encode() in login.params
    for shown in (repr(credentials), str(credentials), repr(login), str(login), f"{[login]}"):
        assert SECRET not in shown
    assert "AMANDA" in repr(credentials)


def test_an_http_header_signs_verb_path_and_body():
    """One changed character anywhere is another signature; the basic form is the plain pair."""
    credentials = Credentials.parse(KEY)
    header = credentials.rest_header(1000, "n", "post", "/api/v2/private/cancel", "{}")
    signature = credentials.sign("1000\nn\nPOST\n/api/v2/private/cancel\n{}\n")
    assert header == f"deri-hmac-sha256 id=AMANDA,ts=1000,sig={signature},nonce=n"
    others = {
        credentials.rest_header(1001, "n", "POST", "/api/v2/private/cancel", "{}"),
        credentials.rest_header(1000, "m", "POST", "/api/v2/private/cancel", "{}"),
        credentials.rest_header(1000, "n", "POST", "/api/v2/private/cancel_all", "{}"),
        credentials.rest_header(1000, "n", "POST", "/api/v2/private/cancel", "{ }"),
    }
    assert len(others | {header}) == 5
    assert base64.b64decode(credentials.basic_header().removeprefix("Basic ")).decode() == KEY


def test_a_key_without_the_rights_is_refused_by_their_names():
    """Reading is not writing; more than needed is fine."""
    require_scope("account:read_write block_trade:read connection mainaccount trade:read_write wallet:read")
    with pytest.raises(NotGranted, match=r"lacks trade:read_write \(it has account:read_write trade:read\)"):
        require_scope("account:read_write trade:read")
    with pytest.raises(NotGranted, match=r"trade:read_write and account:read_write \(it has nothing"):
        require_scope("")
