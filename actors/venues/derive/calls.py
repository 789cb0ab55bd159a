"""Derive's requests: orders signed and written in one go, cancels, and the plain ones.

Owns the account's signer and the text of every request. On the way of an order nothing goes through a JSON encoder: the
parts that do not change are written once per instrument and side. The pool of each call is Derive's (derive.md 5.1).
Invariant: the strings of a frame and the signed words come from the same entries of `Terms`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.trading.errors import ConfigError, StrikemakerError
from actors.trading.instruments import BID
from actors.venues.derive.signing import OrderSigner, SigningKey
from actors.venues.derive.terms import Board, Terms
from actors.venues.dialect import Call, OrderRequest, Pool

MAX_LABEL = 64


def call(method: str, params: dict[str, Any], *, kind: str = "query", pool: Pool = Pool.OTHER) -> Call:
    """A request off the hot path."""
    return Call(method, msgspec.json.encode(params), pool, kind)


class CallWriter:
    """Writes the calls of one account; `adopt` must have named the subaccount before anything private is written."""

    def __init__(self, board: Board, key: SigningKey | None, wallet: str, chain_id: int) -> None:
        self._board = board
        self._key = key
        self._wallet = wallet
        self._chain_id = chain_id
        self._labels: dict[str, str] = {}
        self._subaccount: int | None = None
        self._signer: OrderSigner | None = None

    @property
    def subaccount(self) -> int:
        if self._subaccount is None:
            raise StrikemakerError("the subaccount is not known yet: open_private or find_account comes first")
        return self._subaccount

    def adopt(self, subaccount: int) -> None:
        """Trade this subaccount from now on. Without a key only cancels and queries can be written."""
        if subaccount == self._subaccount:
            return
        self._subaccount = subaccount
        if self._key is not None:
            self._signer = OrderSigner(self._key, self._wallet, subaccount, self._chain_id)
        for terms in self._board.all():
            terms.frame_heads = None

    # -- orders

    def place(self, order: OrderRequest) -> Call:
        text = f"{self._order(order, self._board.known(order.instrument))}}}"
        return Call("private/order", text.encode(), Pool.MATCHING, "place", order.instrument)

    def replace(self, order: OrderRequest, venue_id: str, client_id: str, old_filled: int) -> Call:
        """The old order is named by its venue id, or by its nonce while it has none."""
        terms = self._board.known(order.instrument)
        filled = terms.amounts[old_filled][0]
        old = f'"order_id_to_cancel":"{venue_id}"' if venue_id else f'"nonce_to_cancel":"{client_id}"'
        text = f'{self._order(order, terms)},{old},"expected_filled_amount":"{filled}"}}'
        return Call("private/replace", text.encode(), Pool.MATCHING, "replace", order.instrument)

    def _order(self, order: OrderRequest, terms: Terms) -> str:
        """An order's parameters, signed, without the closing brace."""
        signer = self._signer
        if signer is None:
            raise StrikemakerError("no key or no subaccount to sign orders with")
        heads = terms.frame_heads or self._write_heads(terms, signer)
        is_bid = order.side is BID
        price, price_e18 = terms.prices[order.price]
        amount, amount_e18 = terms.amounts[order.amount]
        signature = signer.sign(
            terms.asset_words, price_e18, amount_e18, terms.max_fee_e18, is_bid, int(order.client_id), order.expires_s
        )
        label = self._labels.get(order.label) or self._quote_label(order.label)
        return (
            f'{heads[is_bid]}"limit_price":"{price}","amount":"{amount}","nonce":"{order.client_id}",'
            f'"signature_expiry_sec":{order.expires_s},"reject_timestamp":{order.reject_ms},'
            f'"mmp":{"true" if order.mmp else "false"},"label":{label},"signature":"{signature}"'
        )

    def _write_heads(self, terms: Terms, signer: OrderSigner) -> tuple[str, str]:
        """What orders of this instrument begin with, (sell, buy)."""
        terms.require_fee()
        fixed = (
            f'"subaccount_id":{self.subaccount},"instrument_name":"{terms.instrument.name}","order_type":"limit",'
            f'"time_in_force":"post_only","reject_post_only":true,"signer":"{signer.signer}",'
            f'"max_fee":"{terms.max_fee_text}",'
        )
        heads = (f'{{"direction":"sell",{fixed}', f'{{"direction":"buy",{fixed}')
        terms.frame_heads = heads
        return heads

    def _quote_label(self, label: str) -> str:
        if len(label) > MAX_LABEL:
            raise ConfigError(f"order label {label!r}: longer than {MAX_LABEL} characters")
        quoted = self._labels[label] = msgspec.json.encode(label).decode()
        return quoted

    # -- cancels

    def cancel(self, venue_id: str, instrument: str) -> Call:
        params = f'{{"subaccount_id":{self.subaccount},"instrument_name":"{instrument}","order_id":"{venue_id}"}}'
        return Call("private/cancel", params.encode(), Pool.MATCHING, "cancel", instrument)

    def burn(self, nonce: str, instrument: str) -> Call:
        params = f'{{"subaccount_id":{self.subaccount},"instrument_name":"{instrument}","nonce":"{nonce}"}}'
        return Call("private/cancel_by_nonce", params.encode(), Pool.MATCHING, "burn", instrument)

    def cancel_label(self, label: str) -> Call:
        """Without an instrument: sent and not awaited (-1), from a pool of its own."""
        params = {"subaccount_id": self.subaccount, "label": label}
        return call("private/cancel_by_label", params, kind="cancel_ours", pool=Pool.BULK_CANCEL)

    def cancel_account(self) -> Call:
        """Plain orders, triggers and algos alike; by default Derive would spare the last two."""
        params = {"subaccount_id": self.subaccount, "cancel_trigger_orders": True, "cancel_algo_orders": True}
        return call("private/cancel_all", params, kind="cancel_account", pool=Pool.BULK_CANCEL)
