"""Signs orders with the exchange's own package, derive-action-signing, given version 3's constants."""

from decimal import Decimal
from typing import Any

from derive_action_signing import SignedAction, TradeModuleData  # type: ignore[import-not-found]

from benchmarks.peer_scripts.answering import Work, serve


def prepare(order: dict[str, Any]) -> Work:
    """The order's fields as the package takes them; the nonce varies."""

    def sign(nonce: int) -> Any:
        action = SignedAction(
            subaccount_id=order["subaccount_id"],
            owner=order["owner"],
            signer=order["signer"],
            signature_expiry_sec=order["expiry_s"],
            nonce=nonce,
            module_address=order["module"],
            module_data=TradeModuleData(
                asset_address=order["asset"],
                sub_id=int(order["sub_id"]),
                limit_price=Decimal(order["price"]),
                amount=Decimal(order["amount"]),
                max_fee=Decimal(order["max_fee"]),
                recipient_id=order["subaccount_id"],
                is_bid=True,
            ),
            DOMAIN_SEPARATOR=order["domain_separator"],
            ACTION_TYPEHASH=order["action_typehash"],
        )
        return action.sign(order["key"])

    return sign


if __name__ == "__main__":
    serve(prepare)
