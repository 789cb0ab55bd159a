"""The exchange's own reading of Derive signatures, against published vectors and against eth-account."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from derive_signer import TYPES, action_message, domain_of
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.paper.derive_errors import MESSAGES, REASON_CODES
from actors.venues.paper.derive_signatures import (
    ACTION_TYPEHASH,
    OrderAction,
    WordError,
    address_of,
    checksum,
    domain_separator,
    login_digest,
    recover,
    scaled,
)
from actors.venues.paper.tickets import Reason

VECTORS = Path(__file__).parents[4] / "shared" / "reference" / "derive-signing-vectors.json"
KEY = bytes.fromhex("2ae8be44db8a590d20bffbe3b6872df9b569147d3bf6801a35a28281a4816bbd")


def published_cases() -> list[dict[str, object]]:
    if not VECTORS.exists():
        return []
    return list(json.loads(VECTORS.read_text())["cases"])


def action_of(case: dict[str, object]) -> OrderAction:
    trade = case["trade"]
    assert isinstance(trade, dict)
    return OrderAction(
        subaccount_id=int(str(case["subaccount_id"])),
        nonce=int(str(case["nonce"])),
        expiry_s=int(str(case["signature_expiry_sec"])),
        owner=str(case["owner"]),
        signer=str(case["signer"]),
        asset=trade["asset"],
        sub_id=int(trade["sub_id"]),
        limit_price=Decimal(trade["limit_price"]),
        amount=Decimal(trade["amount"]),
        max_fee=Decimal(trade["max_fee"]),
        is_bid=trade["is_bid"],
    )


@pytest.mark.skipif(not VECTORS.exists(), reason="the published signing vectors are not beside this repository")
@pytest.mark.parametrize("case", published_cases(), ids=lambda case: str(case["id"]))
def test_published_vectors_are_rebuilt_to_the_byte_and_recover_their_signer(case: dict[str, object]) -> None:
    """Payload, struct hash and digest of each published order are rebuilt exactly, and its signature gives its signer."""
    action = action_of(case)
    separator = bytes.fromhex(str(case["domain_separator"])[2:])
    assert "0x" + action.encoded_data().hex() == case["encoded_data"]
    assert "0x" + action.struct_hash().hex() == case["action_hash"]
    assert "0x" + action.digest(separator).hex() == case["typed_data_hash"]
    assert recover(action.digest(separator), str(case["signature"])) == case["signer"]
    assert recover(action.digest(separator), str(case["signature"]).removeprefix("0x")) == case["signer"]


def test_the_constants_of_the_domain_are_the_published_ones() -> None:
    """Typehash and the two real networks' domain separators equal those of the reference."""
    assert ACTION_TYPEHASH.hex() == "4d7a9f27c403ff9c0f19bce61d76d82f9aa29f8d6d4b0c5474607d9770d1af17"
    assert domain_separator(1).hex() == "da616dfabb88681b08e1592820a41d55ddc62d68de110e327ae99d734506fe19"
    assert domain_separator(11155111).hex() == "24d674cd5f2b9d564691c51e9d88f649b99246a2244dd74ce27b96578d773e85"


decimals = st.decimals(min_value=0, max_value=10**9, places=12, allow_nan=False, allow_infinity=False)


@settings(max_examples=15, deadline=None)
@given(
    price=decimals,
    amount=decimals,
    fee=decimals,
    is_bid=st.booleans(),
    nonce=st.integers(0, 2**63),
    sub_id=st.integers(0, 2**96),
)
def test_what_eth_account_signs_recovers_to_its_signer(
    price: Decimal, amount: Decimal, fee: Decimal, is_bid: bool, nonce: int, sub_id: int
) -> None:
    """Any order, encoded and signed by an independent library, recovers to its key here."""
    signer = address_of(KEY)
    action = OrderAction(
        subaccount_id=30769,
        nonce=nonce,
        expiry_s=1_900_000_000,
        owner="0x8772185a1516f0d61fC1c2524926BfC69F95d698",
        signer=signer,
        asset="0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4",
        sub_id=sub_id,
        limit_price=price,
        amount=amount,
        max_fee=fee,
        is_bid=is_bid,
    )
    signed = Account.sign_typed_data(KEY, domain_of(31337), TYPES, action_message(action))
    assert recover(action.digest(domain_separator(31337)), signed.signature.hex()) == signer


def test_a_login_signed_by_eth_account_recovers_to_its_signer() -> None:
    """The EIP-191 text of a timestamp is hashed as a wallet hashes it."""
    text = "1750000000000"
    signed = Account.sign_message(encode_defunct(text=text), KEY)
    assert recover(login_digest(text), signed.signature.hex()) == address_of(KEY)


@pytest.mark.parametrize("text", ["", "0x", "zz" * 65, "00" * 64, "00" * 65, "11" * 64 + "05", "ff" * 64 + "1b"])
def test_what_is_no_signature_recovers_to_nobody(text: str) -> None:
    """Garbage, wrong lengths, wrong v and points off the curve give None, never an exception."""
    assert recover(bytes(32), text) is None


def test_a_high_s_signature_is_refused() -> None:
    """The malleable twin of a good signature (order less s) recovers to nobody."""
    text = "1750000000000"
    raw = bytearray(Account.sign_message(encode_defunct(text=text), KEY).signature)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order - int.from_bytes(raw[32:64], "big")
    twin = bytes(raw[:32]) + s.to_bytes(32, "big") + bytes((55 - raw[64],))
    assert recover(login_digest(text), twin.hex()) is None


@pytest.mark.parametrize("text", ["0.0000000000001", "NaN", "Infinity", "1E+13"])
def test_a_value_the_protocol_cannot_keep_is_refused_not_rounded(text: str) -> None:
    """More than twelve decimals, and what is no number, never becomes a word."""
    with pytest.raises(WordError):
        scaled(Decimal(text))


def test_long_decimals_are_scaled_without_any_rounding() -> None:
    """Thirty digits survive although the default decimal context keeps only twenty-eight."""
    assert scaled(Decimal("123456789012345678.123456789012")) == 123456789012345678123456789012 * 10**6
    assert scaled(Decimal("-2.500000000000000")) == -2_500_000_000_000_000_000


def test_addresses_are_written_with_their_checksum() -> None:
    """EIP-55's own example comes out in its mixed case."""
    address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert checksum(bytes.fromhex(address[2:].lower())) == address


def test_every_reason_of_the_engine_has_a_code_and_every_code_a_message() -> None:
    """Nothing the engine refuses can surface as an internal error for want of a row in the table."""
    assert set(REASON_CODES) == set(Reason)
    assert set(REASON_CODES.values()) <= set(MESSAGES)
