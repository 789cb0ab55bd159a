"""Derive's nonces: each one once per signer, and only near the clock.

Owns what was used. A nonce is UTC nanoseconds; the order between nonces does not matter. Invariant: no nonce is accepted
twice from one signer, nor after its account burnt it by cancelling it unseen.
"""

from __future__ import annotations

from actors.venues.paper.accounts import Account
from actors.venues.paper.rules import SECOND, VenueRules
from actors.venues.paper.tickets import OrderRequest, Reason, Refusal


class NonceBook:
    def __init__(self, rules: VenueRules) -> None:
        self._back_ns = rules.nonce_back_s * SECOND
        self._ahead_ns = rules.nonce_ahead_s * SECOND
        self._used: dict[str, set[int]] = {}

    def check(self, account: Account, request: OrderRequest, now_ns: int) -> None:
        """Refusal NONCE_WINDOW or NONCE_USED."""
        nonce = request.nonce
        if not now_ns - self._back_ns <= nonce <= now_ns + self._ahead_ns:
            raise Refusal(Reason.NONCE_WINDOW, str(nonce))
        if nonce in account.burnt_nonces or nonce in self._used.get(self._signer(account, request), ()):
            raise Refusal(Reason.NONCE_USED, str(nonce))

    def use(self, account: Account, request: OrderRequest) -> None:
        self._used.setdefault(self._signer(account, request), set()).add(request.nonce)

    @staticmethod
    def _signer(account: Account, request: OrderRequest) -> str:
        return request.signer or account.owner
