"""Who we are on Deribit: an API key's id and secret, what they sign, and what a login must have granted.

Owns the key's text and shows it to nobody: not in a repr, an error or a call's own description. Pure: stamps and nonces
are handed in. Reference: deribit.md section 2. Invariant: the secret itself leaves this module only in the parameters
of a login by secret, which is asked for by name; every other form carries a signature.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Any

import attrs

from actors.trading.errors import ConfigError, NotGranted
from actors.venues.deribit.codes import INVALID_CREDENTIALS, SCOPE_EXCEEDED
from actors.venues.dialect import Call

SCOPES = ("trade:read_write", "account:read_write")
"""What a maker needs: orders; positions, limits and protection."""
SCOPE_WANTED = " ".join(SCOPES)


class SecretCall(Call, frozen=True):
    """A call whose parameters are nobody's business: they hold a secret, a token or a signature."""

    def __repr__(self) -> str:
        return f"SecretCall({self.method!r})"


@attrs.frozen
class Credentials:
    """One API key. Made by `parse`."""

    client_id: str
    _secret: str = attrs.field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """Of "client_id:client_secret"; ConfigError, without any of the text, when it is not that."""
        client_id, colon, secret = text.strip().partition(":")
        if not (client_id and colon and secret) or any(c.isspace() for c in text.strip()):
            raise ConfigError("private key: is no Deribit API key; give client_id:client_secret as Deribit shows them")
        return cls(client_id, secret)

    def not_taken(self) -> NotGranted:
        """The venue's "no", in words for the operator. The id is no secret."""
        return NotGranted(
            INVALID_CREDENTIALS,
            f"private_key: Deribit does not take client id {self.client_id} with this secret ({INVALID_CREDENTIALS});"
            " copy both again (the testnet's keys are not the live ones), and look whether this machine's clock is right",
        )

    def sign(self, text: str) -> str:
        """HMAC-SHA256 of the text under the secret, lower-case hex."""
        return hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def by_signature(self, stamp_ms: int, nonce: str) -> dict[str, Any]:
        """Parameters of a login that proves the secret without sending it; the stamp may be 60 s off at most."""
        return {
            "grant_type": "client_signature",
            "client_id": self.client_id,
            "timestamp": stamp_ms,
            "nonce": nonce,
            "data": "",
            "signature": self.sign(f"{stamp_ms}\n{nonce}\n"),
        }

    def by_secret(self) -> dict[str, Any]:
        """Parameters of a login that sends the secret: for a machine whose clock cannot be trusted."""
        return {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self._secret}

    def rest_header(self, stamp_ms: int, nonce: str, verb: str, path: str, body: str) -> str:
        """`Authorization` of one HTTP request; `path` with query, as in the request line."""
        signed = self.sign(f"{stamp_ms}\n{nonce}\n{verb.upper()}\n{path}\n{body}\n")
        return f"deri-hmac-sha256 id={self.client_id},ts={stamp_ms},sig={signed},nonce={nonce}"

    def basic_header(self) -> str:
        """`Authorization` by the secret itself: for a machine whose clock cannot be trusted."""
        return "Basic " + b64encode(f"{self.client_id}:{self._secret}".encode()).decode()


def require_scope(granted: str) -> None:
    """NotGranted names what the key may not do; a granted scope can be narrower than the one asked for."""
    held = granted.split()
    missing = [scope for scope in SCOPES if scope not in held]
    if missing:
        held_of_those = [scope for scope in held if scope.partition(":")[0] in ("trade", "account")]
        raise NotGranted(
            SCOPE_EXCEEDED,
            f"private_key: this API key lacks {' and '.join(missing)} (it has {' '.join(held_of_those) or 'nothing'});"
            " give it that scope in Deribit's API settings",
        )
