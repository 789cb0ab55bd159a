"""Derive's customers on the paper exchange: wallets, their subaccounts and session keys, and who a signature speaks for.

Owns login checks, key scopes and the wallet's settings. Test keys are made here from the seed; they leave only through
`credentials`, never through a ledger or a log. Keeps no order and no money. Invariant: a `Caller` exists only for a
signature that was verified.
"""

from __future__ import annotations

from typing import Any

import attrs

from actors.venues.paper import derive_errors as codes
from actors.venues.paper.derive_errors import Refused
from actors.venues.paper.derive_signatures import (
    WordError,
    address_bytes,
    address_of,
    checksum,
    keccak,
    login_digest,
    recover,
    same_address,
)

KEY_LIFE_S = 365 * 86_400
PARENTS: dict[str, tuple[str, ...]] = {
    "trade:orderbook:spot": ("trade:orderbook:all", "trade:all", "admin"),
    "trade:orderbook:perp": ("trade:orderbook:all", "trade:all", "admin"),
    "trade:orderbook:option": ("trade:orderbook:all", "trade:all", "admin"),
    "trade:all": ("admin",),
}
"""A scope and what else grants it."""


@attrs.define(eq=False)
class SessionKey:
    address: str
    expiry_s: int
    scopes: tuple[str, ...] = ("trade:all",)
    subaccount_ids: tuple[int, ...] = ()
    """Empty: all, present and future."""
    label: str = ""
    registered_s: int = 0

    def grants(self, scope: str) -> bool:
        return any(held == scope or held in PARENTS.get(scope, ()) for held in self.scopes)

    @property
    def may_trade(self) -> bool:
        return any(held == "admin" or held.startswith("trade:") for held in self.scopes)

    def as_json(self) -> dict[str, Any]:
        return {
            "public_session_key": self.address,
            "expiry_sec": self.expiry_s,
            "protocol_scopes": list(self.scopes),
            "offchain_scopes": ["account_info"],
            "subaccount_ids": list(self.subaccount_ids),
            "label": self.label,
            "ip_whitelist": [],
            "registered_sec": self.registered_s,
        }


@attrs.define(eq=False)
class Wallet:
    address: str
    subaccounts: list[int]
    created_s: int
    keys: dict[str, SessionKey] = attrs.field(factory=dict)
    """By address in lower case."""
    cancel_on_disconnect: bool = False
    """Persists: a setting of the wallet, not of a socket."""

    def key(self, address: str) -> SessionKey | None:
        return self.keys.get(address.lower())

    def is_owner(self, address: str) -> bool:
        return same_address(address, self.address)


@attrs.frozen
class Caller:
    """Who a request comes from. `key` None: the owner itself."""

    wallet: Wallet
    key: SessionKey | None

    def needs(self, scope: str) -> None:
        if self.key is not None and not self.key.grants(scope):
            raise Refused(codes.KEY_SCOPE, f"{scope} is required")

    def needs_any_trade(self) -> None:
        if self.key is not None and not self.key.may_trade:
            raise Refused(codes.KEY_SCOPE, "a trade scope is required")

    def owns(self, subaccount_id: int) -> None:
        if subaccount_id not in self.wallet.subaccounts:
            raise Refused(codes.NO_SUBACCOUNT, str(subaccount_id))
        if self.key is not None and self.key.subaccount_ids and subaccount_id not in self.key.subaccount_ids:
            raise Refused(codes.KEY_SCOPE, f"the key is not for subaccount {subaccount_id}")

    def is_wallet(self, address: str | None) -> None:
        if address is not None and not same_address(address, self.wallet.address):
            raise Refused(codes.WALLET_DIFFERS, address)


@attrs.frozen
class Credentials:
    """A test account's keys, for whoever is to trade on it. Throwaway by construction: anybody can derive them."""

    wallet: str
    subaccount_id: int
    owner_key: str = attrs.field(repr=False)
    session_key: str = attrs.field(repr=False)
    session_address: str = ""


@attrs.define(eq=False)
class Wallets:
    """All customers, by address in lower case."""

    login_window_s: int = 600
    """How far a login's timestamp may be from the venue's clock."""
    by_address: dict[str, Wallet] = attrs.field(factory=dict)
    credentials: list[Credentials] = attrs.field(factory=list)

    def open_test_account(self, seed: int, number: int, subaccount_ids: list[int], now_s: int) -> Wallet:
        """A wallet with one session key of a year, both private keys derived from the seed."""
        owner_key = keccak(f"strikemaker paper owner {seed} {number}".encode())
        session_key = keccak(f"strikemaker paper session {seed} {number}".encode())
        wallet = Wallet(address_of(owner_key), list(subaccount_ids), now_s)
        key = SessionKey(address_of(session_key), now_s + KEY_LIFE_S, label="paper", registered_s=now_s)
        self.add_key(wallet, key)
        self.by_address[wallet.address.lower()] = wallet
        self.credentials.append(
            Credentials(wallet.address, subaccount_ids[0], "0x" + owner_key.hex(), "0x" + session_key.hex(), key.address)
        )
        return wallet

    def add_key(self, wallet: Wallet, key: SessionKey) -> None:
        wallet.keys[key.address.lower()] = key

    def find(self, address: str) -> Wallet:
        require_address(address)
        wallet = self.by_address.get(address.lower())
        if wallet is None:
            raise Refused(codes.NO_ACCOUNT, address)
        return wallet

    def caller(self, address: str, timestamp: int | str, signature: str, now_ns: int) -> Caller:
        """Check a login (or the headers of a REST request): who signed the timestamp's decimal text?"""
        wallet = self.find(address)
        text = str(timestamp)
        if not (text.isascii() and text.isdigit()):
            raise Refused(codes.BAD_PARAMS, "timestamp is no integer of milliseconds")
        if abs(int(text) * 1_000_000 - now_ns) > self.login_window_s * 1_000_000_000:
            raise Refused(codes.BAD_SIGNATURE, f"timestamp {text} is out of its window")
        signer = recover(login_digest(text), signature)
        if signer is not None and wallet.is_owner(signer):
            return Caller(wallet, None)
        key = wallet.key(signer) if signer is not None else None
        if key is None:
            raise Refused(codes.BAD_SIGNATURE, f"recovered {signer or 'nobody'}, neither the owner nor a session key")
        require_unexpired(key, now_ns)
        return Caller(wallet, key)

    def signer(self, wallet: Wallet, address: str, expiry_s: int, now_ns: int) -> SessionKey | None:
        """Check an order's `signer` field: the owner (None) or a live session key that outlives the order."""
        require_address(address)
        if wallet.is_owner(address):
            return None
        key = wallet.key(address)
        if key is None:
            raise Refused(codes.NOT_A_SIGNER, address)
        require_unexpired(key, now_ns)
        if expiry_s > key.expiry_s:
            raise Refused(codes.ORDER_OUTLIVES_KEY, f"key {key.expiry_s}, order {expiry_s}")
        return key


def require_unexpired(key: SessionKey, now_ns: int) -> None:
    if key.expiry_s * 1_000_000_000 <= now_ns:
        raise Refused(codes.KEY_EXPIRED, str(key.expiry_s))


def require_address(text: str) -> None:
    """An address in one case, or with the right checksum."""
    try:
        raw = address_bytes(text)
    except WordError:
        raise Refused(codes.NOT_AN_ADDRESS, text[:64]) from None
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != checksum(raw):
        raise Refused(codes.NOT_CHECKSUMMED, text)
