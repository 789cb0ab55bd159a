"""The operator's key: where it comes from, whether it can be one, and who it makes us.

Reads the key file, the keystore and the password prompt, and nothing else; shows addresses and fingerprints, never a
key. Precedence between sources is `config.py`'s. Invariant: no message that leaves this module holds any text of a key,
not even of a malformed one.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from actors.console.secrets import Secret, remember
from actors.console.settings import VenueSettings
from actors.trading.errors import ConfigError
from actors.venues.derive.signing import SigningKey, checksum_address

Ask = Callable[[str], str]


def key_problem(exchange: str, key: Secret, client_id: str = "") -> str:
    """What is wrong with the form of a key and how to mend it; empty when nothing is."""
    return _derive_key_problem(key.reveal()) if exchange == "derive" else _deribit_key_problem(key.reveal(), client_id)


def _derive_key_problem(text: str) -> str:
    digits = text.removeprefix("0x")
    if not re.fullmatch(r"[0-9a-fA-F]*", digits):
        return "is no private key: it has characters that are not hex digits; give 0x and 64 hex digits"
    if len(digits) != 64:
        hint = " (40 is an address: give the key, not the wallet)" if len(digits) == 40 else ""
        return f"is no private key: it has {len(digits)} hex digits{hint}; give 0x and 64 of them"
    try:
        SigningKey.from_hex(digits)
    except ConfigError:
        return "is no private key: the number is outside the curve's range; give a key made by a wallet"
    return ""


def _deribit_key_problem(text: str, client_id: str) -> str:
    name, _, secret = text.rpartition(":")
    if not (name or client_id):
        return "has no client id; give client_id:client_secret, or the secret here and the id in client_id"
    if not secret or any(c.isspace() for c in text):
        return "is no API key; give client_id:client_secret as Deribit shows them"
    return ""


def wallet_problem(wallet: str) -> str:
    """What is wrong with the form of a wallet's address; empty when nothing is. Checks the EIP-55 letter case."""
    digits = wallet.removeprefix("0x")
    if not wallet.startswith("0x") or not re.fullmatch(r"[0-9a-fA-F]*", digits):
        return "is no address; give 0x and 40 hex digits"
    if len(digits) != 40:
        hint = " (64 is a private key: keep that secret)" if len(digits) == 64 else ""
        return f"is no address: it has {len(digits)} hex digits{hint}; give 0x and 40 of them"
    is_mixed = digits not in (digits.lower(), digits.upper())
    if is_mixed and wallet != checksum_address(bytes.fromhex(digits)):
        return "has a wrong checksum: a digit or the case of a letter is mistyped; copy it again"
    return ""


def named(path: str) -> str:
    """The path of a file that is not there, unless it may be a key that was put where its file belongs."""
    return path if "/" in path else "(a name without a folder, not repeated here)"


def read_private_file(path: str, what: str) -> Secret:
    """The first line of a file that only its owner may read. ConfigError otherwise, without any of its contents."""
    try:
        file = Path(path).expanduser()
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{what} {path}: is no file; give the path of a file that holds the key")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"{what} {path}: others than its owner may read it; run: chmod 600 {path}")
        lines = file.read_text("utf-8").strip().splitlines()
    except FileNotFoundError:
        fix = "cannot be read (No such file or directory); give the path of a readable file"
        raise ConfigError(f"{what} {named(path)}: {fix}") from None
    except OSError as error:
        raise ConfigError(f"{what} {path}: cannot be read ({error.strerror}); give the path of a readable file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{what} {path}: is not text; give a file with the key on its first line") from None
    except (ValueError, RuntimeError):  # a NUL in it; ~somebody who is not there
        raise ConfigError(f"{what} {path}: is no path; give the path of a readable file") from None
    if not lines:
        raise ConfigError(f"{what} {path}: is empty; put the key on its first line")
    return Secret(lines[0].strip())


def open_keystore(path: str, password: Secret) -> Secret:
    """The key in an encrypted V3 keystore (Web3 Secret Storage). Takes about a second by design of the format."""
    from eth_account import Account

    try:
        store = json.loads(Path(os.path.expanduser(path)).read_text("utf-8"))
        key = "0x" + bytes(Account.decrypt(store, password.reveal())).hex()
    except OSError as error:
        raise ConfigError(f"keystore {path}: cannot be read ({error.strerror}); give the path of a V3 keystore") from None
    except (ValueError, KeyError, TypeError, NotImplementedError, RecursionError) as error:
        if "MAC" in str(error):
            raise ConfigError(f"keystore {path}: the password is wrong; check keystore_password_file") from None
        raise ConfigError(f"keystore {path}: is no V3 keystore (JSON with a crypto section); make one anew") from None
    return Secret(key)


def unlock(venue: VenueSettings, ask: Ask) -> Secret:
    """The credentials themselves, from whichever one source is set, whole: on Deribit always client_id:client_secret.

    `ask` prompts for a keystore's password where no file gives it. ConfigError when the source cannot be read or what
    it holds is malformed. An empty Secret when no source is set.
    """
    key = venue.private_key
    if venue.private_key_file:
        key = read_private_file(venue.private_key_file, "private_key_file")
        problem = key_problem(venue.exchange, key, venue.client_id)
        if problem:
            raise ConfigError(f"private_key_file {venue.private_key_file}: {problem}")
    elif venue.keystore:
        if not os.path.isfile(os.path.expanduser(venue.keystore)):  # before anybody is asked for a password
            raise ConfigError(f"keystore {named(venue.keystore)}: no such file; give the path of a V3 keystore")
        key = open_keystore(venue.keystore, _password(venue, ask))
    if venue.exchange == "deribit" and key and ":" not in key.reveal():
        return Secret(f"{venue.client_id}:{key.reveal()}")
    return key


def _password(venue: VenueSettings, ask: Ask) -> Secret:
    if venue.keystore_password_file:
        return read_private_file(venue.keystore_password_file, "keystore_password_file")
    try:
        typed = ask(f"Password of keystore {venue.keystore}: ")
    except EOFError:
        raise ConfigError("keystore_password_file: is missing, and no terminal to ask for the password; give it") from None
    remember(typed)
    return Secret(typed)


def signer_address(key: Secret) -> str:
    """The public address of a Derive signing key, EIP-55."""
    return SigningKey.from_hex(key.reveal()).address


def fingerprint(venue: VenueSettings) -> str:
    """What may be shown of the key: enough to tell it from another, nothing that helps a thief."""
    key = venue.private_key
    if not key:
        return "keystore, not opened" if venue.keystore else "none"
    if venue.exchange == "derive":
        return f"signer {signer_address(key)}"
    name = venue.client_id or key.reveal().rpartition(":")[0]
    return f"client id {name}, secret #{key.fingerprint()}"
