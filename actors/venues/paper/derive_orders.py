"""Order methods of the Derive face: place, replace, cancel in its five forms, debug and quote.

Owns the step from signed JSON to the engine's `OrderRequest`: conversion to ticks and steps, the signer's rights, and the
signature, rebuilt here from the very fields of the JSON and checked at the engine's bidding (after fees, before
protection). Decides nothing about matching. Invariant: no order reaches a book unless its signature recovers to its
`signer`, and that signer is the wallet's owner or one of its live keys.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_UP, Decimal
from typing import Any

import attrs

from actors.trading.instruments import Instrument, Side
from actors.venues.paper import derive_errors as codes
from actors.venues.paper.derive_errors import Refused, refused
from actors.venues.paper.derive_params import (
    Cancel,
    CancelAll,
    CancelByInstrument,
    CancelByLabel,
    CancelByNonce,
    OrderFields,
    ReplaceFields,
    nonce_of,
)
from actors.venues.paper.derive_shapes import amount, number, order_json, plain, trade_json
from actors.venues.paper.derive_signatures import (
    ACTION_TYPEHASH,
    TRADE_MODULE,
    OrderAction,
    WordError,
    keccak,
    recover,
    same_address,
)
from actors.venues.paper.derive_wallets import Caller, Wallets
from actors.venues.paper.engine import Engine
from actors.venues.paper.listings import Listing
from actors.venues.paper.tickets import (
    Order,
    OrderRequest,
    OrderType,
    Placed,
    Refusal,
    Replaced,
    TimeInForce,
)

SIDES = {"buy": Side.BID, "sell": Side.ASK}
MICRO = Decimal("0.000001")


@attrs.frozen
class Held:
    """An answer that waits for the speed bump: `finish` turns the released order into the result."""

    order_id: str
    finish: Callable[[Placed | Refusal], Any]


@attrs.define(eq=False)
class DeriveOrders:
    engine: Engine
    wallets: Wallets
    separator: bytes
    clock_ns: Callable[[], int]

    # -- new orders

    def place(self, caller: Caller, fields: OrderFields) -> Any:
        request = self._request(caller, fields)
        placed = self.engine.place(fields.subaccount_id, request, self._verifier(caller, fields))
        if placed.pending:
            return Held(placed.order.order_id, self._finish_place)
        return self._placed(placed)

    def replace(self, caller: Caller, fields: ReplaceFields) -> Any:
        """Cancels first; a failure of the new half leaves the old order cancelled and travels inside the result.

        A request that is wrong by itself (ticks, nonce, signature, ...) is refused before anything is cancelled.
        """
        if (fields.order_id_to_cancel is None) == (fields.nonce_to_cancel is None):
            raise Refused(codes.BAD_PARAMS, "exactly one of order_id_to_cancel and nonce_to_cancel is required")
        request = self._request(caller, fields)
        expected = fields.expected_filled_amount
        replaced = self.engine.replace(
            fields.subaccount_id,
            request,
            order_id=fields.order_id_to_cancel,
            nonce=None if fields.nonce_to_cancel is None else nonce_of(fields.nonce_to_cancel),
            expected_filled=None if expected is None else self._listing(fields.instrument_name).amount_of(expected),
            verify=self._verifier(caller, fields),
        )
        return self._replaced(replaced)

    def _replaced(self, replaced: Replaced) -> Any:
        result: dict[str, Any] = {
            "cancelled_order": self._order(replaced.cancelled),
            "order": None,
            "trades": [],
            "create_order_error": None,
        }
        if replaced.failure is not None:
            result["create_order_error"] = refused(replaced.failure).as_json()
        elif replaced.placed is not None and replaced.placed.pending:
            return Held(replaced.placed.order.order_id, lambda outcome: self._finish_replace(result, outcome))
        elif replaced.placed is not None:
            result.update(self._placed(replaced.placed))
        return result

    def _finish_place(self, outcome: Placed | Refusal) -> Any:
        if isinstance(outcome, Refusal):
            raise refused(outcome)
        return self._placed(outcome)

    def _finish_replace(self, result: dict[str, Any], outcome: Placed | Refusal) -> Any:
        if isinstance(outcome, Refusal):
            return {**result, "create_order_error": refused(outcome).as_json()}
        return {**result, **self._placed(outcome)}

    def _placed(self, placed: Placed) -> dict[str, Any]:
        instrument = self.engine.listing(placed.order.instrument).instrument
        trades = [trade_json(instrument, fill) for fill in placed.fills]
        return {"order": order_json(instrument, placed.order), "trades": trades}

    def _order(self, order: Order) -> dict[str, Any]:
        return order_json(self.engine.listing(order.instrument).instrument, order)

    def _listing(self, name: str) -> Listing:
        return self.engine.listing(name)

    def _request(self, caller: Caller, fields: OrderFields) -> OrderRequest:
        """The JSON as the engine wants it; refuses what the paper exchange does not simulate."""
        if fields.is_atomic_signing:
            raise Refused(codes.NO_ATOMIC)
        if fields.trigger_type or fields.trigger_price is not None or fields.algo_type:
            raise Refused(codes.TRIGGER_TYPE, "trigger and algo orders are not simulated")
        if fields.order_type == "market" and fields.time_in_force == "post_only":
            raise Refused(11010)
        listing = self._listing(fields.instrument_name)
        instrument = listing.instrument
        caller.needs(f"trade:orderbook:{'option' if instrument.kind is not None else 'perp'}")
        is_post_only = fields.time_in_force == "post_only"
        return OrderRequest(
            instrument=fields.instrument_name,
            side=SIDES[fields.direction],
            amount=listing.amount_of(fields.amount),
            price=listing.price_of(fields.limit_price),
            order_type=OrderType(fields.order_type),
            tif=TimeInForce.GTC if is_post_only else TimeInForce(fields.time_in_force),
            post_only=is_post_only,
            reject_post_only=fields.reject_post_only,
            reduce_only=fields.reduce_only,
            mmp=fields.mmp,
            label=fields.label,
            nonce=nonce_of(fields.nonce),
            signer=fields.signer,
            signature=fields.signature,
            signature_expiry_s=fields.signature_expiry_sec,
            max_fee=fields.max_fee,
            reject_after_ms=fields.reject_timestamp,
        )

    # -- signatures

    def _verifier(self, caller: Caller, fields: OrderFields) -> Callable[[], None]:
        """The check the engine calls in its place; raises Refused, which the engine lets through."""

        def verify() -> None:
            key = self.wallets.signer(caller.wallet, fields.signer, fields.signature_expiry_sec, self.clock_ns())
            if key is not None:
                Caller(caller.wallet, key).owns(fields.subaccount_id)
            action = self._action(caller, fields)
            found = self._recovered(action, fields.signature)
            if found is None or not same_address(found, fields.signer):
                digest = action.digest(self.separator).hex()
                raise Refused(
                    codes.BAD_SIGNATURE,
                    f"rebuilt typed data hash 0x{digest}; recovered {found or 'nobody'}, expected {fields.signer}",
                )

        return verify

    def _action(self, caller: Caller, fields: OrderFields) -> OrderAction:
        instrument = self._listing(fields.instrument_name).instrument
        return OrderAction(
            subaccount_id=fields.subaccount_id,
            nonce=nonce_of(fields.nonce),
            expiry_s=fields.signature_expiry_sec,
            owner=caller.wallet.address,
            signer=fields.signer,
            asset=instrument.asset_address,
            sub_id=instrument.sub_id,
            limit_price=fields.limit_price,
            amount=fields.amount,
            max_fee=fields.max_fee,
            is_bid=fields.direction == "buy",
        )

    def _recovered(self, action: OrderAction, signature: str) -> str | None:
        try:
            return recover(action.digest(self.separator), signature)
        except WordError as wrong:
            raise Refused(codes.BAD_PARAMS, str(wrong)) from None

    def debug(self, caller: Caller, fields: OrderFields) -> dict[str, Any]:
        """What `private/order` would rebuild and recover; places nothing."""
        action = self._action(caller, fields)
        recovered = self._recovered(action, fields.signature)
        data = action.encoded_data()
        return {
            "encoded_data": "0x" + data.hex(),
            "encoded_data_hashed": "0x" + keccak(data).hex(),
            "action_hash": "0x" + action.struct_hash().hex(),
            "action_typehash": "0x" + ACTION_TYPEHASH.hex(),
            "typed_data_hash": "0x" + action.digest(self.separator).hex(),
            "domain_separator": "0x" + self.separator.hex(),
            "module": TRADE_MODULE,
            "owner": caller.wallet.address,
            "expected_signer": fields.signer,
            "recovered_signer": recovered,
            "input_data": {
                "subaccount_id": action.subaccount_id,
                "nonce": fields.nonce,
                "module": TRADE_MODULE,
                "expiry": action.expiry_s,
                "owner": action.owner,
                "signer": action.signer,
                "data": {
                    "asset_address": action.asset,
                    "asset_sub_id": str(action.sub_id),
                    "limit_price": plain(action.limit_price),
                    "desired_amount": plain(action.amount),
                    "worst_fee": plain(action.max_fee),
                    "recipient_id": action.subaccount_id,
                    "is_bid": action.is_bid,
                },
            },
        }

    # -- cancels

    def cancel(self, caller: Caller, fields: Cancel) -> dict[str, Any]:
        caller.needs_any_trade()
        return self._order(self.engine.cancel(fields.subaccount_id, fields.order_id, fields.instrument_name))

    def cancel_by_nonce(self, caller: Caller, fields: CancelByNonce) -> dict[str, int]:
        """0 when no order had the nonce; it is burnt then, so that an order still in flight cannot be born with it."""
        caller.needs_any_trade()
        gone = self.engine.cancel_by_nonce(fields.subaccount_id, fields.instrument_name, nonce_of(fields.nonce))
        return {"cancelled_orders": len(gone)}

    def cancel_by_label(self, caller: Caller, fields: CancelByLabel) -> dict[str, int]:
        """-1 without an instrument: sent to every engine, not awaited."""
        caller.needs_any_trade()
        if fields.instrument_name is not None:
            self._listing(fields.instrument_name)
        gone = self.engine.cancel_by_label(fields.subaccount_id, fields.label, instrument=fields.instrument_name)
        return {"cancelled_orders": -1 if fields.instrument_name is None else len(gone)}

    def cancel_by_instrument(self, caller: Caller, fields: CancelByInstrument) -> dict[str, int]:
        caller.needs_any_trade()
        self._listing(fields.instrument_name)
        gone = self.engine.cancel_by_instrument(fields.subaccount_id, fields.instrument_name)
        return {"cancelled_orders": len(gone)}

    def cancel_all(self, caller: Caller, fields: CancelAll) -> str:
        caller.needs_any_trade()
        self.engine.cancel_where(fields.subaccount_id)
        return "ok"

    # -- a quote for an order

    def quote(self, caller: Caller, fields: OrderFields) -> dict[str, Any]:
        """What an order would do against the book as it stands: fills, fee and the max_fee to sign."""
        listing = self._listing(fields.instrument_name)
        instrument = listing.instrument
        side = SIDES[fields.direction]
        steps, cost = self._walk(listing, side, listing.amount_of(fields.amount), listing.price_of(fields.limit_price))
        average = Decimal(cost) / steps * instrument.tick if steps else Decimal(0)
        margin = self.engine.margins(fields.subaccount_id, "USDC").initial
        crosses_post_only = fields.time_in_force == "post_only" and steps > 0
        return {
            "is_valid": not crosses_post_only,
            "invalid_reason": "Post only order would cross the market" if crosses_post_only else None,
            "estimated_fee": plain(self._taker_fee(listing, steps)),
            "estimated_fill_amount": amount(instrument, steps),
            "estimated_fill_price": plain(average),
            "estimated_order_status": "filled" if steps == listing.amount_of(fields.amount) else "open",
            "estimated_realized_pnl": "0",
            "estimated_realized_pnl_excl_fees": "0",
            "max_amount": amount(instrument, instrument.max_amount),
            "pre_initial_margin": number(margin),
            "post_initial_margin": number(margin - side * instrument.amount_float(steps) * float(average)),
            "post_liquidation_price": None,
            "suggested_max_fee": plain(self._suggested_max_fee(listing)),
        }

    def _walk(self, listing: Listing, side: Side, wanted: int, limit: int) -> tuple[int, int]:
        """Steps that would fill at once, and their cost in ticks x steps."""
        filled = cost = 0
        for ticks, steps in listing.book.levels(side.other):
            if (ticks - limit) * side > 0 or filled == wanted:
                break
            taken = min(steps, wanted - filled)
            filled += taken
            cost += taken * ticks
        return filled, cost

    def _taker_fee(self, listing: Listing, steps: int) -> Decimal:
        if not steps:
            return Decimal(0)
        one = listing.instrument
        fee = Decimal(str(one.fees.taker_rate)) * listing.index
        if one.fees.cap and listing.reference is not None:
            fee = min(fee, Decimal(str(one.fees.cap)) * listing.reference.mark)
        return fee * steps * one.amount_step + Decimal(str(one.fees.base))

    def _suggested_max_fee(self, listing: Listing) -> Decimal:
        """3 x taker rate x max(index, mark) + base fee / smallest amount, rounded up at 6 decimals."""
        one: Instrument = listing.instrument
        mark = listing.reference.mark if listing.reference is not None else Decimal(0)
        smallest = one.min_amount * one.amount_step
        fee = 3 * Decimal(str(one.fees.taker_rate)) * max(listing.index, mark) + Decimal(str(one.fees.base)) / smallest
        return fee.quantize(MICRO, rounding=ROUND_UP)
