"""What one signed Derive order costs: ours against the exchange's own package, ccxt, eth-account and bare libsecp256k1.

Every variant signs the same orders (the nonce varies) with the same key, and all signatures must come out equal, so
nobody skips work. "Bare" is one recoverable ECDSA signature over a finished digest, the physical limit of any of them.
`run` is called by `python -m benchmarks sign`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import coincurve
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data

from actors.venues.derive import signing
from benchmarks.peers import Peer, start_peers
from benchmarks.rounds import Variant, interleave, one_core, print_table, timed

KEY = "0x2ae8be44db8a590d20bffbe3b6872df9b569147d3bf6801a35a28281a4816bbd"
"""A published throwaway key of the exchange's testnet."""

ORDER: dict[str, Any] = {
    "key": KEY,
    "signer": signing.SigningKey.from_hex(KEY).address,
    "owner": "0x8772185a1516f0d61fC1c2524926BfC69F95d698",
    "subaccount_id": 30769,
    "asset": "0x4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4",
    "sub_id": "39614081266355540835774234624",
    "price": "100.5",
    "amount": "0.1",
    "max_fee": "7.34",
    "expiry_s": 1_795_338_900,
    "module": signing.TRADE_MODULE,
    "domain_separator": "0x" + signing.domain_separator(1).hex(),
    "action_typehash": "0x" + signing.ACTION_TYPEHASH.hex(),
}
FIRST_NONCE = 1_795_338_000_123_456_000
PEERS = {
    "derive-action-signing + coincurve": ("derive-coincurve", "sign_official"),
    "derive-action-signing": ("derive", "sign_official"),
    "ccxt": ("ccxt", "sign_ccxt"),
}
OURS, BARE, ETH_ACCOUNT = "ours", "bare libsecp256k1", "eth-account"


def our_signer(key: signing.SigningKey) -> Callable[[int], str]:
    signer = signing.OrderSigner(key, ORDER["owner"], ORDER["subaccount_id"], 1)
    words = signing.asset_words(ORDER["asset"], int(ORDER["sub_id"]))
    price, amount, fee = (int(Decimal(ORDER[field]).scaleb(18)) for field in ("price", "amount", "max_fee"))
    return lambda nonce: signer.sign(words, price, amount, fee, True, nonce, ORDER["expiry_s"])


def bare_signature(key: coincurve.PrivateKey) -> Callable[[], object]:
    """One call into the C library, nothing converted."""
    sign: Any = lib.secp256k1_ecdsa_sign_recoverable
    context: Any = GLOBAL_CONTEXT.ctx
    signature: Any = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    digest, secret, null = signing.keccak(b"an order"), key.secret, ffi.NULL
    return lambda: sign(context, signature, digest, secret, null, null)


def eth_account_signature(nonce: int) -> str:
    """The whole EIP-712 encoding and signature by eth-account (with whatever backend it finds)."""
    kinds = ["address", "uint256", "int256", "int256", "uint256", "uint256", "bool"]
    numbers = [int(Decimal(ORDER[field]).scaleb(18)) for field in ("price", "amount", "max_fee")]
    payload = [ORDER["asset"], int(ORDER["sub_id"]), *numbers, ORDER["subaccount_id"], True]
    fields = {"subaccountId": "uint256", "nonce": "uint256", "module": "address", "data": "bytes"}
    fields |= {"expiry": "uint256", "owner": "address", "signer": "address"}
    message = encode_typed_data(
        {"name": "Matching", "version": "1.0", "chainId": 1, "verifyingContract": signing.MATCHING_CONTRACT},
        {"Action": [{"name": name, "type": kind} for name, kind in fields.items()]},
        {
            "subaccountId": ORDER["subaccount_id"],
            "nonce": nonce,
            "module": ORDER["module"],
            "data": encode(kinds, payload),
            "expiry": ORDER["expiry_s"],
            "owner": ORDER["owner"],
            "signer": ORDER["signer"],
        },
    )
    return str(Account.sign_message(message, KEY).signature.hex())


def peer_variant(peer: Peer, nonces: Iterator[int]) -> Variant:
    """The peer's own clock: the pipe is not part of the figure."""

    def run(times: int) -> float:
        answer = peer.ask({"numbers": list(itertools.islice(nonces, times))})
        return float(answer["us"])

    return run


def check_equal(ours: Callable[[int], str], peers: dict[str, Peer]) -> None:
    """All must sign three orders as we do, up to the spelling of the hex; ArithmeticError names the one that does not."""
    nonces = [FIRST_NONCE + number for number in range(3)]
    expected = [ours(nonce).removeprefix("0x") for nonce in nonces]
    made = {ETH_ACCOUNT: [eth_account_signature(nonce) for nonce in nonces]}
    made |= {name: peer.ask({"numbers": nonces})["made"] for name, peer in peers.items()}
    for name, signatures in made.items():
        if [each.lower().removeprefix("0x") for each in signatures] != expected:
            raise ArithmeticError(f"{name} signs otherwise: {signatures[0]} instead of {expected[0]}")


def run(rounds: int, quick: bool) -> dict[str, Any]:
    """Prints the table; {"ratios": how many times ours each costs, "medians": microseconds}."""
    key = signing.SigningKey.from_hex(KEY)
    ours = our_signer(key)
    nonces = itertools.count(FIRST_NONCE)
    with one_core(), contextlib.ExitStack() as stack:
        peers, absent = start_peers({} if quick else PEERS)
        for peer in peers.values():
            stack.callback(peer.close)
            peer.ask(ORDER)
        check_equal(ours, peers)
        variants: dict[str, tuple[Variant, int]] = {
            BARE: (timed(bare_signature(coincurve.PrivateKey(bytes.fromhex(KEY[2:])))), 200),
            OURS: (timed(lambda: ours(next(nonces))), 200),
            ETH_ACCOUNT: (timed(lambda: eth_account_signature(next(nonces))), 10),
            **{name: (peer_variant(peer, nonces), 10) for name, peer in peers.items()},
        }
        medians = interleave(variants, rounds)
    print_table("One Derive order, signed", medians, OURS, absent)
    ratios = {name: medians.ratio(name, OURS) for name in variants if name not in (OURS, BARE)}
    ratios["ours / " + BARE] = medians.ratio(OURS, BARE)
    return {"ratios": ratios, "medians": {name: medians[name] for name in variants}, "absent": sorted(absent)}
