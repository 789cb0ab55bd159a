"""A value that is used but never shown, and a net that catches it if it gets loose all the same.

Owns `Secret`, whose repr, str, format and pickle give nothing away, and `redact`, which blanks every text that was ever
wrapped in one. Never reads files or the environment (`keys.py` does). Invariant: whatever was put into a `Secret` in
this process does not appear in the result of `redact`.
"""

from __future__ import annotations

import hashlib
import re
from typing import NoReturn

SHOWN_AS = "[secret]"
SHORTEST_REDACTED = 6
"""A shorter text than this is no secret worth the name, and blanking it would garble ordinary words."""

_known: set[str] = set()


class Secret:
    """Text that only `reveal` gives out; whoever calls that is about to use it, not to show it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        remember(text)

    def reveal(self) -> str:
        return self._text

    def fingerprint(self) -> str:
        """Eight hex digits that tell two secrets apart; tells nothing else of a text of good entropy."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:8]

    def __repr__(self) -> str:
        return SHOWN_AS

    def __format__(self, spec: str) -> str:
        return SHOWN_AS

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: hand it over by name, on a private pipe")


def remember(text: str) -> None:
    """From now on `redact` blanks this text, and the two halves of a `client_id:client_secret` with it."""
    bare = text.strip()
    for form in (bare, bare.removeprefix("0x"), bare.partition(":")[2]):
        if len(form) >= SHORTEST_REDACTED:
            _known.update((form, form.lower(), form.upper()))


def remember_keys(text: str) -> None:
    """Whatever looks like a private key, or is a whole `client_id:client_secret`, is never printed, wherever it stood."""
    for found in re.findall(r"(?:0x)?[0-9a-fA-F]{64}", text):
        remember(found)
    if re.fullmatch(r"[\w.-]+:[\w.+=-]{8,}", text):
        remember(text)


def redact(text: str) -> str:
    """`text` with every remembered secret blanked, longest first."""
    for form in sorted(_known, key=len, reverse=True):
        if form in text:
            text = text.replace(form, SHOWN_AS)
    return text
