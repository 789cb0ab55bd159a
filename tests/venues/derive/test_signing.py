"""Derive's signatures against recorded vectors and against an independent EIP-712 implementation."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest
from derive_kit import KEY_HEX, OWNER, SIGNER, reference
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.trading.errors import ConfigError
from actors.venues.derive import signing
from actors.venues.derive.signing import OrderSigner, SigningKey, asset_words, checksum_address, domain_separator

SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def e18(text: str) -> int:
    return int(Decimal(text).scaleb(18))


def sign_case(case: dict[str, Any], chain_id: int) -> str:
    trade = case["trade"]
    signer = OrderSigner(SigningKey.from_hex(case["private_key"]), case["owner"], case["subaccount_id"], chain_id)
    return signer.sign(
        asset_words(trade["asset"], int(trade["sub_id"])),
        e18(trade["limit_price"]),
        e18(trade["amount"]),
        e18(trade["max_fee"]),
        trade["is_bid"],
        int(case["nonce"]),
        case["signature_expiry_sec"],
    )


def test_the_recorded_orders_are_reproduced_to_the_byte():
    """Signatures of the vectors whose domain is known come out identical, the venue-confirmed one among them."""
    cases = [case for case in reference("derive-signing-vectors.json")["cases"] if case["domain"]]
    assert len(cases) == 2
    for case in cases:
        assert sign_case(case, case["domain"]["chainId"]) == case["signature"], case["id"]


def test_every_intermediate_hash_of_the_vectors_is_reproduced():
    """Payload, its hash, the struct hash, the digest and the signature over it agree, for any domain separator."""
    vectors = reference("derive-signing-vectors.json")
    assert "0x" + signing.ACTION_TYPEHASH.hex() == vectors["action_typehash"]
    for case in vectors["cases"]:
        trade = case["trade"]
        key = SigningKey.from_hex(case["private_key"])
        assert key.address == case["signer"]
        trace = signing.trace_trade(
            asset_words(trade["asset"], int(trade["sub_id"])),
            e18(trade["limit_price"]),
            e18(trade["amount"]),
            e18(trade["max_fee"]),
            trade["is_bid"],
            nonce=int(case["nonce"]),
            expiry_s=case["signature_expiry_sec"],
            subaccount=case["subaccount_id"],
            owner=case["owner"],
            signer=case["signer"],
            domain=bytes.fromhex(case["domain_separator"][2:]),
            module=case["module"],
        )
        assert "0x" + trace.encoded_data.hex() == case["encoded_data"]
        assert "0x" + trace.encoded_data_hash.hex() == case["encoded_data_hash"]
        assert "0x" + trace.action_hash.hex() == case["action_hash"]
        assert "0x" + trace.typed_data_hash.hex() == case["typed_data_hash"]
        assert key.sign_digest(trace.typed_data_hash) == case["signature"]
        assert signing.recover_address(trace.typed_data_hash, bytes.fromhex(case["signature"][2:])) == case["signer"]


@pytest.mark.parametrize(
    ("chain_id", "separator"),
    [
        (1, "da616dfabb88681b08e1592820a41d55ddc62d68de110e327ae99d734506fe19"),
        (11155111, "24d674cd5f2b9d564691c51e9d88f649b99246a2244dd74ce27b96578d773e85"),
    ],
)
def test_the_domain_of_each_network_is_computed(chain_id: int, separator: str):
    """Mainnet's and testnet's separators follow from name, version, chain and contract."""
    assert domain_separator(chain_id).hex() == separator


ACTION_FIELDS = [
    ("subaccountId", "uint256"),
    ("nonce", "uint256"),
    ("module", "address"),
    ("data", "bytes"),
    ("expiry", "uint256"),
    ("owner", "address"),
    ("signer", "address"),
]


def independent_signature(key_hex: str, chain_id: int, data: bytes, message: dict[str, Any]) -> str:
    """The same order through eth-account's own EIP-712 encoder."""
    typed = encode_typed_data(
        domain_data={
            "name": "Matching",
            "version": "1.0",
            "chainId": chain_id,
            "verifyingContract": signing.MATCHING_CONTRACT,
        },
        message_types={"Action": [{"name": name, "type": kind} for name, kind in ACTION_FIELDS]},
        message_data={**message, "module": signing.TRADE_MODULE, "data": data},
    )
    return "0x" + Account.sign_message(typed, key_hex).signature.hex().removeprefix("0x")


@settings(max_examples=60, deadline=None)
@given(
    secret=st.integers(1, SECP256K1_N - 1),
    asset=st.binary(min_size=20, max_size=20),
    sub_id=st.integers(0, 2**128 - 1),
    numbers=st.tuples(*[st.integers(0, 10**24).map(lambda pico: pico * 10**6)] * 3),
    is_bid=st.booleans(),
    nonce=st.integers(0, 2**63 - 1),
    expiry=st.integers(0, 2**40),
    subaccount=st.integers(0, 2**31),
    chain_id=st.sampled_from([1, 11155111, 31337]),
)
def test_random_orders_are_signed_as_an_independent_encoder_signs_them(
    secret: int,
    asset: bytes,
    sub_id: int,
    numbers: tuple[int, int, int],
    is_bid: bool,
    nonce: int,
    expiry: int,
    subaccount: int,
    chain_id: int,
):
    """eth-account lays the same words, gets the same digest and, signing deterministically, the same 65 bytes."""
    from eth_abi import encode

    price, amount, fee = numbers
    key_hex = f"0x{secret:064x}"
    key = SigningKey.from_hex(key_hex)
    assert key.address == Account.from_key(key_hex).address
    data = encode(
        ["address", "uint256", "int256", "int256", "uint256", "uint256", "bool"],
        ["0x" + asset.hex(), sub_id, price, amount, fee, subaccount, is_bid],
    )
    message = {"subaccountId": subaccount, "nonce": nonce, "expiry": expiry, "owner": OWNER, "signer": key.address}
    ours = OrderSigner(key, OWNER, subaccount, chain_id).sign(
        asset_words("0x" + asset.hex(), sub_id), price, amount, fee, is_bid, nonce, expiry
    )
    assert ours == independent_signature(key_hex, chain_id, data, message)
    assert int(ours[66:130], 16) <= SECP256K1_N // 2
    assert ours[-2:] in ("1b", "1c")


@given(stamp=st.integers(0, 2**63).map(str))
@settings(max_examples=20, deadline=None)
def test_the_login_signature_is_a_personal_message_over_the_stamp(stamp: str):
    """What a login sends is what any wallet signs for that text."""
    expected = Account.sign_message(encode_defunct(text=stamp), KEY_HEX).signature.hex().removeprefix("0x")
    assert SigningKey.from_hex(KEY_HEX).sign_text(stamp) == "0x" + expected


def test_nothing_negative_is_ever_signed():
    """A negative price, amount or fee raises instead of becoming a huge unsigned word."""
    signer = OrderSigner(SigningKey.from_hex(KEY_HEX), OWNER, 1, 1)
    words = asset_words(OWNER, 0)
    for numbers in ((-1, 1, 1), (1, -1, 1), (1, 1, -1)):
        with pytest.raises(OverflowError):
            signer.sign(words, *numbers, True, 1, 1)


@pytest.mark.parametrize("secret", ["", "0x1234", "00" * 32, "ff" * 32, "0x" + "g" * 64, "1" * 63, "é" * 64])
def test_a_malformed_key_is_refused_without_being_shown(secret: str):
    """The error says what was expected; neither it nor its causes hold the text."""
    with pytest.raises(ConfigError) as caught:
        SigningKey.from_hex(secret)
    assert "private key" in str(caught.value)
    assert caught.value.__cause__ is None
    if secret:
        assert secret.removeprefix("0x") not in repr(caught.value)


def test_a_key_never_shows_itself():
    """repr, str, formatting and pickling give away the fingerprint at most."""
    key = SigningKey.from_hex("  " + KEY_HEX[2:] + "\n")
    signer = OrderSigner(key, OWNER, 1, 1)
    for text in (repr(key), str(key), f"{key}", repr(signer), f"{signer}", key.fingerprint):
        assert KEY_HEX[2:12] not in text
    assert key.fingerprint == "0x8604…9e16"
    with pytest.raises(TypeError):
        pickle.dumps(key)


@given(raw_address=st.binary(min_size=20, max_size=20))
def test_addresses_are_spelt_with_the_checksum_wallets_use(raw_address: bytes):
    """EIP-55 as eth-utils spells it, and read back from every plain spelling."""
    from eth_utils import to_checksum_address

    spelt = checksum_address(raw_address)
    assert spelt == to_checksum_address(raw_address)
    for form in (spelt, spelt[2:], spelt.lower(), "0x" + spelt[2:].upper()):
        assert signing.address_bytes(form) == raw_address


def test_a_mistyped_address_is_noticed():
    """One letter in the wrong case means that somebody typed it: refused."""
    for wrong in (SIGNER.replace("D", "d", 1), SIGNER[:-1], SIGNER + "0", "0x" + "z" * 40, ""):
        with pytest.raises(ValueError, match=r"address|mistyped"):
            signing.address_bytes(wrong)


def test_a_signature_of_somebody_else_does_not_recover_to_the_signer():
    """Recovery tells keys apart, and refuses what is no signature."""
    digest = signing.keccak(b"an order")
    signed = bytes.fromhex(SigningKey.from_hex("11" * 32).sign_digest(digest)[2:])
    assert signing.recover_address(digest, signed) != SIGNER
    for bad in (signed[:64], signed[:64] + b"\x00", bytes(64) + b"\x1b"):
        with pytest.raises(ValueError, match="signature"):
            signing.recover_address(digest, bad)
