"""Signs orders as ccxt's create_order does, from the strings of price and amount to the signature, nothing else of it."""

from typing import Any

import ccxt  # type: ignore[import-not-found]

from benchmarks.peer_scripts.answering import Work, serve


def prepare(order: dict[str, Any]) -> Work:
    """ccxt's own functions in the order its create_order calls them; the nonce varies."""
    venue = ccxt.derive({"privateKey": order["key"], "walletAddress": order["signer"]})
    typehash = venue.base16_to_binary(order["action_typehash"][2:])
    kinds = ["address", "uint", "int", "int", "uint", "uint", "bool"]

    def scaled(text: str) -> Any:
        return venue.convert_to_big_int(venue.parse_units(text))

    def sign(nonce: int) -> Any:
        payload = [
            order["asset"],
            venue.convert_to_big_int(order["sub_id"]),
            scaled(order["price"]),
            scaled(order["amount"]),
            scaled(order["max_fee"]),
            order["subaccount_id"],
            True,
        ]
        data_hash = venue.hash(venue.eth_abi_encode(kinds, payload), "keccak", "binary")
        action = [typehash, order["subaccount_id"], nonce, order["module"], data_hash, order["expiry_s"]]
        return venue.sign_order([*action, order["owner"], order["signer"]], venue.privateKey)

    return sign


if __name__ == "__main__":
    serve(prepare)
