"""Every order a cell sends is checked again by software that shares nothing with its signer.

The paper exchange has already recovered each signer in its own way; here eth-account re-encodes the typed data from the
JSON fields and recovers it, and its pure-Python backend (no C library at all) one in a thousand.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import trio
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys import KeyAPI
from eth_keys.backends import NativeECCBackend
from eth_utils.crypto import keccak

from actors.rehearsal.stage import open_stage, paper_settings
from actors.venues.paper.run import PaperRun

MODULE = "0xB8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b"
VERIFIER = "0xeB8d770ec18DB98Db922E9D83260A585b9F0DeAD"
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


def e18(text: str) -> int:
    return int(Decimal(text).scaleb(18))


def trade_words(params: dict[str, Any], listing: dict[str, Any]) -> bytes:
    """The seven words of derive.md 1.3, from the JSON alone."""
    numbers = [
        int(listing["base_asset_address"], 16),
        int(listing["base_asset_sub_id"]),
        e18(params["limit_price"]),
        e18(params["amount"]),
        e18(params["max_fee"]),
        params["subaccount_id"],
        int(params["direction"] == "buy"),
    ]
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def signable(params: dict[str, Any], listing: dict[str, Any], owner: str, chain_id: int) -> Any:
    domain = {"name": "Matching", "version": "1.0", "chainId": chain_id, "verifyingContract": VERIFIER}
    action = {
        "subaccountId": params["subaccount_id"],
        "nonce": int(params["nonce"]),
        "module": MODULE,
        "data": trade_words(params, listing),
        "expiry": params["signature_expiry_sec"],
        "owner": owner,
        "signer": params["signer"],
    }
    return encode_typed_data(domain, TYPES, action)


async def orders_of_a_run(seconds: float) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], dict[str, Any]]:
    """Order requests, listings by name and the exchange's ready line of one run."""
    paper = PaperRun(seed=8, keep_records=True, world={"strikes": 5, "dailies": 0, "weeklies": 0})
    async with open_stage(paper) as stage:
        cell = stage.cell(paper_settings())
        with trio.move_on_after(seconds):
            await cell.run()
        rows = stage.exchange.ledger.records
        methods = ("private/order", "private/replace")
        orders = [r["params"] for r in rows if r["kind"] == "request" and r["method"] in methods]
        listings = {
            one["instrument_name"]: one
            for r in rows
            if r["kind"] == "answer" and r.get("method") == "public/get_all_instruments"
            for one in r["body"]["result"]["instruments"]
        }
        refused = [r for r in rows if r["kind"] == "answer" and (r["body"].get("error") or {}).get("code") == 14014]
        assert refused == []
        return orders, listings, stage.facts


async def test_an_independent_encoder_recovers_the_signer_of_every_order(autojump_clock: trio.testing.MockClock) -> None:
    """Price, amount, fee, nonce and expiry in the JSON are exactly what was signed, by the key that is named."""
    orders, listings, facts = await orders_of_a_run(90)
    assert len(orders) > 100
    for params in orders:
        message = signable(params, listings[params["instrument_name"]], facts["wallet"], facts["chain_id"])
        assert Account.recover_message(message, signature=params["signature"]) == params["signer"]
    pure = KeyAPI(NativeECCBackend())
    for params in orders[::1000]:
        message = signable(params, listings[params["instrument_name"]], facts["wallet"], facts["chain_id"])
        raw = bytes.fromhex(params["signature"].removeprefix("0x"))
        digest = keccak(b"\x19" + message.version + message.header + message.body)
        signature = pure.Signature(raw[:64] + bytes([raw[64] - 27]))
        assert signature.recover_public_key_from_msg_hash(digest).to_checksum_address() == params["signer"]
