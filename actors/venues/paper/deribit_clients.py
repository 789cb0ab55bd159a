"""Deribit's customers on the paper exchange: users, API keys, tokens and their scopes, and who may do what.

Owns the three grants, token life and the narrowing of scopes. Test keys are made here from the seed; they leave only
through `ready_facts` and the answers of `public/auth`, never through a ledger or a log. Keeps no order and no money. Pure:
the clock and the random source of tokens are passed in. Invariant: a `Caller` exists only for a secret or token that was
verified, and its scope never exceeds its key's.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from typing import Any

import attrs

from actors.venues.paper.deribit_errors import (
    BAD_CREDENTIALS,
    BAD_PARAMS,
    FORBIDDEN,
    UNAUTHORIZED,
    Refused,
    bad_param,
)
from actors.venues.paper.deribit_params import Auth, milliseconds

SECOND = 1_000_000_000
MS = 1_000_000
LEVELS = ("none", "read", "read_write")
FULL = {
    "account": "read_write",
    "trade": "read_write",
    "wallet": "read",
    "block_trade": "none",
    "block_rfq": "none",
    "custody": "none",
}
READ_ONLY = {**FULL, "account": "read", "trade": "read"}
MAX_SESSIONS = 16
"""Named sessions of one key; the oldest goes when there are more."""


@attrs.define(eq=False)
class User:
    """One (sub)account and its switches."""

    user_id: int
    name: str
    created_ms: int
    mmp_enabled: bool = True
    mass_quotes_enabled: bool = True
    cod_default: bool = False
    """Cancel on disconnect of new connections."""
    is_locked: bool = False
    self_trading_mode: str = "reject_taker"
    self_trading_extended: bool = False


@attrs.frozen
class ApiKey:
    client_id: str
    secret: str = attrs.field(repr=False)
    user: User
    scope: dict[str, str] = attrs.field(factory=lambda: dict(FULL))


@attrs.frozen
class Caller:
    """Who a request comes from, and what its token allows. `session_name` empty: bound to its connection."""

    key: ApiKey
    scope: dict[str, str]
    session_name: str
    session_id: int
    """The socket a connection token belongs to; 0: taken over HTTP."""
    expires_ns: int

    @property
    def user(self) -> User:
        return self.key.user

    @property
    def user_id(self) -> int:
        return self.key.user.user_id

    def may(self, what: str, level: str) -> bool:
        return LEVELS.index(self.scope.get(what, "none")) >= LEVELS.index(level)

    def needs(self, what: str, level: str) -> None:
        if not self.may(what, level):
            raise Refused(FORBIDDEN, f"required scope: {what}:{level}")

    def scope_text(self) -> str:
        held = [f"{what}:{level}" for what, level in sorted(self.scope.items())]
        return " ".join([f"session:{self.session_name}" if self.session_name else "connection", *held, "mainaccount"])


@attrs.frozen
class Grant:
    caller: Caller
    access: str = attrs.field(repr=False)
    refresh: str = attrs.field(repr=False)
    life_s: int

    def as_json(self, state: str | None) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "expires_in": self.life_s,
            "token_type": "bearer",
            "scope": self.caller.scope_text(),
            "enabled_features": [],
            "sid": f"{self.caller.user_id}.{self.caller.session_id}",
            "mandatory_tfa_status": "disabled",
        }
        if state is not None:
            answer["state"] = state
        return answer


def sign(secret: str, text: str) -> str:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@attrs.define(eq=False)
class Clients:
    """All users, keys and live tokens."""

    rng: random.Random
    token_life_s: int = 900
    signature_window_s: int = 60
    users: dict[int, User] = attrs.field(factory=dict)
    keys: dict[str, ApiKey] = attrs.field(factory=dict)
    test_keys: list[ApiKey] = attrs.field(factory=list)
    """One with full rights for each test account, in order."""
    _access: dict[str, Grant] = attrs.field(factory=dict, repr=False)
    _refresh: dict[str, Grant] = attrs.field(factory=dict, repr=False)

    # -- customers

    def open_test_account(self, seed: int, number: int, user_id: int, now_ms: int) -> ApiKey:
        """A user with one full and one read-only key, both derived from the seed."""
        user = User(user_id, f"paper_{user_id}", now_ms)
        self.users[user_id] = user
        full = self.add_key(user, f"{seed} {number}", FULL)
        self.add_key(user, f"{seed} {number} read only", READ_ONLY)
        self.test_keys.append(full)
        return full

    def add_key(self, user: User, salt: str, scope: dict[str, str]) -> ApiKey:
        """An API key of eight and forty-three characters, as the venue's."""
        name = hashlib.sha256(f"strikemaker paper client {salt}".encode()).hexdigest()[:8].upper()
        secret = hashlib.sha256(f"strikemaker paper secret {salt}".encode()).hexdigest()[:43].upper()
        key = self.keys[name] = ApiKey(name, secret, user, dict(scope))
        return key

    def read_only_key(self, user_id: int) -> ApiKey:
        return next(k for k in self.keys.values() if k.user.user_id == user_id and k.scope["trade"] == "read")

    # -- grants

    def grant(self, fields: Auth, session_id: int, now_ns: int) -> Grant:
        """A fresh token for a verified secret, signature or refresh token."""
        if fields.grant_type == "refresh_token":
            return self.refreshed(fields.refresh_token, session_id, fields.scope, now_ns)
        if fields.grant_type == "client_credentials":
            key = self.key_of(fields.client_id, fields.client_secret)
        elif fields.grant_type == "client_signature":
            key = self._signed(fields, now_ns)
        else:
            raise bad_param("grant_type", "must be client_credentials, client_signature or refresh_token")
        return self._issue(key, fields.scope, session_id, now_ns)

    def key_of(self, client_id: str, secret: str) -> ApiKey:
        key = self.keys.get(client_id)
        if key is None or not hmac.compare_digest(key.secret.encode(), secret.encode()):
            raise Refused(BAD_CREDENTIALS)
        return key

    def _signed(self, fields: Auth, now_ns: int) -> ApiKey:
        text = f"{fields.timestamp}\n{fields.nonce}\n{fields.data}"
        return self.check_signature(fields.client_id, fields.timestamp, text, fields.signature, now_ns)

    def check_signature(self, client_id: str, timestamp: int | str, text: str, signature: str, now_ns: int) -> ApiKey:
        """The key whose secret signed `text`; refused when wrong, or when the timestamp is out of its window."""
        key = self.keys.get(client_id)
        if key is None or not hmac.compare_digest(sign(key.secret, text).encode(), signature.encode()):
            raise Refused(BAD_CREDENTIALS)
        if abs(milliseconds(timestamp, "timestamp") * MS - now_ns) > self.signature_window_s * SECOND:
            raise Refused(BAD_CREDENTIALS, "timestamp out of its window", "timestamp")
        return key

    def refreshed(self, token: str, session_id: int, scope: str, now_ns: int) -> Grant:
        """The former token of a connection dies; a named session keeps its name."""
        old = self._grant_of(token)
        if old.caller.session_name:
            scope = f"{scope} session:{old.caller.session_name}"
        else:
            self._forget(old)
        return self._issue(old.caller.key, scope, session_id, now_ns, within=old.caller.scope)

    def forked(self, token: str, session_name: str, scope: str, now_ns: int) -> Grant:
        """Another named session; only from a named one."""
        old = self._grant_of(token)
        if not old.caller.session_name:
            raise Refused(BAD_PARAMS, "only session tokens can be forked", "refresh_token")
        return self._issue(old.caller.key, f"{scope} session:{session_name}", 0, now_ns, within=old.caller.scope)

    def swapped(self, token: str, subject_id: int, scope: str, session_id: int, now_ns: int) -> Grant:
        """A token of the same main account's other user: here every user stands alone, so only one's own."""
        old = self._grant_of(token)
        if subject_id != old.caller.user_id:
            raise Refused(BAD_PARAMS, "not a subaccount of yours", "subject_id")
        return self._issue(old.caller.key, scope, session_id, now_ns, within=old.caller.scope)

    def _grant_of(self, refresh: str) -> Grant:
        old = self._refresh.get(refresh)
        if old is None:
            raise Refused(BAD_CREDENTIALS, "invalid_token", "refresh_token")
        return old

    def _issue(self, key: ApiKey, wanted: str, session_id: int, now_ns: int, within: dict[str, str] | None = None) -> Grant:
        words = wanted.split()
        name = next((word.removeprefix("session:") for word in words if word.startswith("session:")), "")
        life_s = self.token_life_s
        for word in words:
            if word.startswith("expires:") and word.removeprefix("expires:").isdigit():
                life_s = min(int(word.removeprefix("expires:")), 31_536_000)
        caller = Caller(key, narrowed(within or key.scope, words), name, session_id, now_ns + life_s * SECOND)
        grant = Grant(caller, self._token("1", now_ns), self._token("2", now_ns), life_s)
        self._access[grant.access] = self._refresh[grant.refresh] = grant
        if name:
            self._evict(key)
        return grant

    def _evict(self, key: ApiKey) -> None:
        named = [grant for grant in self._access.values() if grant.caller.key is key and grant.caller.session_name]
        names = list(dict.fromkeys(grant.caller.session_name for grant in named))
        for grant in named:
            if grant.caller.session_name in names[:-MAX_SESSIONS]:
                self._forget(grant)

    def _token(self, version: str, now_ns: int) -> str:
        return f"{now_ns // MS}.{version}{self.rng.getrandbits(48):012x}.{self.rng.getrandbits(512):0128x}"

    # -- tokens

    def caller(self, access: str, session_id: int, now_ns: int) -> Caller:
        """Who holds this access token; a connection's token is good on its own socket only."""
        grant = self._access.get(access)
        if grant is None or grant.caller.expires_ns <= now_ns:
            raise Refused(UNAUTHORIZED, "invalid_token")
        if not grant.caller.session_name and grant.caller.session_id not in (0, session_id):
            raise Refused(UNAUTHORIZED, "invalid_token")
        return grant.caller

    def of_key(self, key: ApiKey, now_ns: int) -> Caller:
        """One HTTP request that brought its own proof."""
        return Caller(key, dict(key.scope), "", 0, now_ns + SECOND)

    def left(self, session_id: int) -> None:
        """A socket is gone, and with it the tokens that were bound to it."""
        for grant in list(self._access.values()):
            if not grant.caller.session_name and grant.caller.session_id == session_id:
                self._forget(grant)

    def revoke(self, caller: Caller) -> None:
        """Logout: every token of the same connection or session."""
        for grant in list(self._access.values()):
            other = grant.caller
            is_mate = other.key is caller.key and other.session_name == caller.session_name
            if is_mate and (caller.session_name or other.session_id == caller.session_id):
                self._forget(grant)

    def _forget(self, grant: Grant) -> None:
        self._access.pop(grant.access, None)
        self._refresh.pop(grant.refresh, None)


def narrowed(held: dict[str, str], words: list[str]) -> dict[str, str]:
    """What is held, cut to what was asked for; a category not named stays as it is held."""
    granted = dict(held)
    for word in words:
        what, _, level = word.partition(":")
        if what in granted and level in LEVELS:
            granted[what] = min(granted[what], level, key=LEVELS.index)
    return granted
