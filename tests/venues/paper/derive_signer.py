"""Derive orders signed by eth-account and encoded by eth-abi: independent of both signing codes of the product."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from eth_abi import encode
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_keys import KeyAPI
from eth_keys.backends import NativeECCBackend
from eth_utils import keccak

from actors.venues.paper.derive_signatures import OrderAction

TYPES = {
    "Action": [
        {"name": "subaccountId", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "module", "type": "address"},
        {"name": "data", "type": "bytes"},
        {"name": "expiry", "type": "uint256"},
        {"name": "owner", "type": "address"},
        {"name": "signer", "type": "address"},
    ]
}


def domain_of(chain_id: int) -> dict[str, Any]:
    return {
        "name": "Matching",
        "version": "1.0",
        "chainId": chain_id,
        "verifyingContract": "0xeB8d770ec18DB98Db922E9D83260A585b9F0DeAD",
    }


def action_message(action: OrderAction) -> dict[str, Any]:
    words = (
        action.asset,
        action.sub_id,
        *(int(f"{value:.12f}".replace(".", "")) * 10**6 for value in (action.limit_price, action.amount, action.max_fee)),
        action.subaccount_id,
        action.is_bid,
    )
    types = ["address", "uint256", "int256", "int256", "uint256", "uint256", "bool"]
    return {
        "subaccountId": action.subaccount_id,
        "nonce": action.nonce,
        "module": action.module,
        "data": encode(types, words),
        "expiry": action.expiry_s,
        "owner": action.owner,
        "signer": action.signer,
    }


def sign_order(key: str, chain_id: int, action: OrderAction) -> str:
    return "0x" + Account.sign_typed_data(key, domain_of(chain_id), TYPES, action_message(action)).signature.hex()


def sign_login(key: str, timestamp: int) -> str:
    return "0x" + Account.sign_message(encode_defunct(text=str(timestamp)), key).signature.hex()


def recover_order(
    params: dict[str, Any], owner: str, asset: str, sub_id: int, chain_id: int, *, pure_python: bool = False
) -> str:
    """Who signed an order, from the JSON of its request alone: encoded by eth-abi, recovered by eth-account.

    `pure_python`: by the backend that shares no C library with the signer (5 ms).
    """
    action = OrderAction(
        subaccount_id=params["subaccount_id"],
        nonce=int(params["nonce"]),
        expiry_s=params["signature_expiry_sec"],
        owner=owner,
        signer=params["signer"],
        asset=asset,
        sub_id=sub_id,
        limit_price=Decimal(str(params["limit_price"])),
        amount=Decimal(str(params["amount"])),
        max_fee=Decimal(str(params["max_fee"])),
        is_bid=params["direction"] == "buy",
    )
    text = encode_typed_data(domain_of(chain_id), TYPES, action_message(action))
    if not pure_python:
        return str(Account.recover_message(text, signature=params["signature"]))
    raw = bytes.fromhex(params["signature"].removeprefix("0x"))
    digest = keccak(b"\x19" + text.version + text.header + text.body)
    signature = KeyAPI.Signature(raw[:64] + bytes((raw[64] - 27,)))
    return KeyAPI(NativeECCBackend).ecdsa_recover(digest, signature).to_checksum_address()
