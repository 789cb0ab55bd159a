"""Signs orders with the exchange's own package, derive-action-signing, given version 3's constants."""

from decimal import Decimal

from answering import serve
from derive_action_signing import SignedAction, TradeModuleData


def prepare(order):
    """The order's fields as the package takes them; the nonce varies."""

    def sign(nonce):
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
