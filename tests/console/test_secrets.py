"""A key is never shown: not in a repr, an error, a plan, a log line or a traceback, however malformed it is."""

from __future__ import annotations

import io
import pickle
import random
import string
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from console_kit import GOOD_KEY, GOOD_WALLET
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loguru import logger

from actors.console import cli, config, keys, logs, plan
from actors.console.secrets import Secret, redact
from actors.console.settings import VenueSettings
from actors.trading.errors import ConfigError

CHOICE = ["-expiry", "20261225", "-all-strikes"]
SECRETS = st.one_of(
    st.text(string.hexdigits, min_size=30, max_size=70),
    st.text(string.hexdigits.lower(), min_size=64, max_size=64).map(lambda digits: "0x" + digits),
    st.text(string.ascii_letters + string.digits + "+/_", min_size=20, max_size=60),
)


def everything_shown(argv: list[str], environ: dict[str, str]) -> str:
    """All text that a load gives rise to: the errors, or the settings, origins, warnings and plan."""
    try:
        effective = config.load(argv, environ)
    except ConfigError as error:
        return f"{error!r} {error} {error.problems}"
    rows = [str(row) for row in plan.configuration(effective)]
    return f"{effective!r} {effective.settings} {rows} {keys.fingerprint(effective.settings.venue)}"


@given(SECRETS)
@settings(max_examples=40, deadline=None)
def test_no_random_secret_appears_in_any_error_or_repr(secret: str) -> None:
    """Whatever is given as a key, by flag or environment, well-formed or not, its text comes out nowhere."""
    for exchange, name in (("derive", "DERIVE_PRIVATE_KEY"), ("deribit", "DERIBIT_PRIVATE_KEY")):
        given_as = secret if exchange == "derive" else f"my-id:{secret}"
        argv = [*CHOICE, "-exchange", exchange]
        for shown in (
            everything_shown([*argv, "-private-key", given_as], {}),
            everything_shown(argv, {name: given_as}),
            everything_shown([*argv, "-test", "-size", "x"], {name: given_as}),
            everything_shown([*argv, "-wallet", GOOD_WALLET, "-test"], {name: given_as}),
        ):
            assert secret not in shown
            assert secret.removeprefix("0x") not in shown


@given(SECRETS)
@settings(max_examples=40, deadline=None)
def test_a_secret_shows_itself_only_to_reveal(secret: str) -> None:
    """repr, str, format, attrs and exceptions with it inside say [secret]."""
    wrapped = Secret(secret)
    holder = VenueSettings(private_key=wrapped)
    for shown in (repr(wrapped), str(wrapped), f"{wrapped}", f"{wrapped:>80}", repr(holder), str(ValueError(wrapped))):
        assert secret not in shown
    assert wrapped.reveal() == secret
    assert wrapped == Secret(secret)
    assert wrapped.fingerprint() not in secret
    assert attrs.evolve(holder, live=True).private_key == wrapped


def test_a_secret_is_not_pickled() -> None:
    """A secret travels on purpose or not at all."""
    with pytest.raises(TypeError):
        pickle.dumps(Secret(GOOD_KEY))


@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=60, deadline=None)
def test_redact_blanks_what_was_ever_a_secret(secret: str, before: str, after: str) -> None:
    """In any text, with or without 0x, in either case."""
    Secret(secret)
    for form in (secret, secret.removeprefix("0x"), secret.upper(), secret.lower()):
        assert form not in redact(before + form + after)


@given(SECRETS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_secret_reaches_a_log_line_or_a_traceback(tmp_path_factory: pytest.TempPathFactory, secret: str) -> None:
    """Even code that logs a key by mistake, or raises with it, does not get it into a sink."""
    Secret(secret)
    stream, heard = io.StringIO(), list[str]()
    file = tmp_path_factory.mktemp("log") / "run.log"
    logs.set_up("DEBUG", stream=stream, file=file, on_line=lambda level, text, at: heard.append(text))
    try:
        logger.warning("signing with {}", secret)
        try:
            raise ValueError(f"bad key {secret}")
        except ValueError:
            logger.exception("it failed")
    finally:
        logger.remove()
    for shown in (stream.getvalue(), file.read_text(), "".join(heard)):
        assert "it failed" in shown
        assert secret not in shown


def test_a_key_in_the_wrong_place_on_the_command_line_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A key typed where a file or a flag belongs is blanked in the complaint."""
    for words in (
        ["run", GOOD_KEY],
        ["run", "x.toml", GOOD_KEY],
        [GOOD_KEY],
        ["run", "-wallte", GOOD_KEY],
        ["run", "-x=" + GOOD_KEY],
    ):
        assert cli.main(words) == 2
        out, err = capsys.readouterr()
        assert GOOD_KEY[2:] not in out + err


CELL = '[[cells]]\nexpiries = ["20261225"]\nall_strikes = true\n'
ON_TESTNET = f'[venue]\ntest = true\nwallet = "{GOOD_WALLET}"\n'
STRAY: dict[str, Callable[[str], tuple[str, list[str], dict[str, str]]]] = {
    "private_key_file": lambda key: (f'{ON_TESTNET}private_key_file = "{key}"\n{CELL}', [], {}),
    "keystore": lambda key: (f'{ON_TESTNET}keystore = "{key}"\n{CELL}', [], {}),
    "keystore without 0x": lambda key: (f'{ON_TESTNET}keystore = "{key[2:]}"\n{CELL}', [], {}),
    "several venues": lambda key: (f'[[venue]]\nprivate_key = "{key}"\n{CELL}', [], {}),
    "venue": lambda key: (f'venue = "{key}"\n{CELL}', [], {}),
    "subaccount": lambda key: (f'[venue]\nsubaccount = "{key}"\n{CELL}', [], {}),
    "subaccount without quotes": lambda key: (f"[venue]\nsubaccount = {key}\n{CELL}", [], {}),
    "tag": lambda key: (f'[venue]\ntag = "{key}"\n{CELL}', [], {}),
    "set wallet": lambda key: (CELL, ["-set", f"venue.wallet={key}"], {}),
    "set subaccount": lambda key: (CELL, ["-set", f"venue.subaccount={key}"], {}),
    "key file of the environment": lambda key: (f"{ON_TESTNET}{CELL}", [], {"DERIVE_PRIVATE_KEY_FILE": key}),
    "wallet of the environment": lambda key: (CELL, [], {"DERIVE_WALLET_ADDRESS": key}),
    "subaccount of the environment": lambda key: (CELL, [], {"DERIVE_SUBACCOUNT_ID": key}),
    "deribit's key file": lambda key: (
        f'[venue]\nexchange = "deribit"\ntest = true\n{CELL}', [], {"DERIBIT_PRIVATE_KEY_FILE": f"my-id:{key[2:34]}"}
    ),
    "deribit's key file of the file": lambda key: (
        f'[venue]\nexchange = "deribit"\ntest = true\nprivate_key_file = "my-id:{key[2:34]}"\n{CELL}', [], {}
    ),
    "deribit's key as a word": lambda key: (CELL, [f"my-id:{key[2:34]}"], {}),
    "deribit's key to set": lambda key: (CELL, ["-set", f"my-id:{key[2:34]}"], {}),
}  # fmt: skip
"""Where a key may end up by mistake: the file's text, further words, the environment."""


@pytest.mark.parametrize("command", ["run", "doctor"])
@pytest.mark.parametrize("place", STRAY)
def test_a_key_in_the_wrong_place_is_refused_and_no_piece_of_it_printed(
    place: str,
    command: str,
    toml: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not twelve digits in a row, hex or decimal, whatever is complained of. The key is new, so nothing knows it yet."""
    key = f"0x{random.SystemRandom().getrandbits(252) | 1 << 251:064x}"
    text, words, environ = STRAY[place](key)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert cli.main([command, toml(text), *words]) == (2 if command == "run" else 1)
    out, err = capsys.readouterr()
    shown = "".join((out + err).split())
    for form in (key[2:], str(int(key, 16))):
        assert not [at for at in range(len(form) - 11) if form[at : at + 12] in shown]


def test_a_key_in_place_of_its_file_is_not_in_the_plan(toml: Callable[[str], str]) -> None:
    """On paper no key is read, so nobody refuses it; the list of values in force blanks it."""
    for exchange, key in (("derive", f"0x{random.SystemRandom().getrandbits(252):064x}"), ("deribit", "my-id:Xk3jPq9Lm2sT")):
        argv = [toml(f'[venue]\nexchange = "{exchange}"\nprivate_key_file = "{key}"\n{CELL}')]
        (row,) = (row for row in plan.configuration(config.load(argv, {})) if row.path == "venue.private_key_file")
        assert "secret" in row.value
        assert not any(part in row.value for part in (key, key[-12:]))


# -- files and keystores


def test_a_key_file_must_be_private(tmp_path: Path) -> None:
    """A key file that others may read is refused, with the command that mends it."""
    file = tmp_path / "key"
    file.write_text(GOOD_KEY + "\n")
    file.chmod(0o640)
    venue = VenueSettings(private_key_file=str(file))
    with pytest.raises(ConfigError, match="chmod 600"):
        keys.unlock(venue, lambda prompt: "")
    file.chmod(0o600)
    assert keys.unlock(venue, lambda prompt: "").reveal() == GOOD_KEY


@pytest.mark.parametrize(
    ("content", "expected"),
    [("", "is empty"), ("0x1234", "has 4 hex digits"), ("hello", "not hex digits"), (b"\xff\xfe\x00", "is not text")],
)
def test_a_bad_key_file_is_told_without_its_content(tmp_path: Path, content: str | bytes, expected: str) -> None:
    """What is wrong with the file is said; what is in it is not."""
    file = tmp_path / "key"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        keys.unlock(VenueSettings(private_key_file=str(file)), lambda prompt: "")
    assert expected in str(caught.value)
    assert not content or str(content) not in str(caught.value)


def test_a_key_file_that_can_be_none_is_told(tmp_path: Path) -> None:
    """A folder, and the home of somebody who is not there."""
    for path, expected in ((str(tmp_path), "is no file"), ("~nobody-at-all/key", "is no path"), ("a\0/b", "is no path")):
        with pytest.raises(ConfigError, match=expected):
            keys.unlock(VenueSettings(private_key_file=path), lambda prompt: "")


def test_a_keystore_without_a_terminal_asks_for_the_password_file(tmp_path: Path) -> None:
    """Under a service manager nobody types; and nobody is asked for the password of a keystore that is not there."""

    def no_terminal(prompt: str) -> str:
        raise EOFError

    store = tmp_path / "keystore.json"
    store.write_text("{}")
    with pytest.raises(ConfigError, match="keystore_password_file: is missing, and no terminal to ask"):
        keys.unlock(VenueSettings(keystore=str(store)), no_terminal)
    for path in (f"{store}x", "~nobody-at-all/keystore.json"):
        with pytest.raises(ConfigError, match=f"keystore {path}: no such file"):
            keys.unlock(VenueSettings(keystore=path), lambda prompt: pytest.fail("asked"))


def test_a_missing_key_file_is_told(tmp_path: Path) -> None:
    """The path and the reason are named."""
    with pytest.raises(ConfigError, match="No such file"):
        keys.unlock(VenueSettings(private_key_file=str(tmp_path / "none")), lambda prompt: "")


def test_a_keystore_opens_with_its_password_from_the_prompt_or_a_file(tmp_path: Path) -> None:
    """An encrypted V3 keystore gives the key; a wrong password and a file that is none are told apart."""
    import json

    store = tmp_path / "keystore.json"
    store.write_text(json.dumps(Account.encrypt(GOOD_KEY, "opensesame", iterations=2)))
    venue = VenueSettings(keystore=str(store))
    assert keys.unlock(venue, lambda prompt: "opensesame").reveal() == GOOD_KEY
    with pytest.raises(ConfigError, match="the password is wrong"):
        keys.unlock(venue, lambda prompt: "guess")
    password = tmp_path / "password"
    password.write_text("opensesame\n")
    password.chmod(0o600)
    with_file = VenueSettings(keystore=str(store), keystore_password_file=str(password))
    assert keys.unlock(with_file, lambda prompt: pytest.fail("asked")).reveal() == GOOD_KEY
    store.write_text("{}")
    with pytest.raises(ConfigError, match="is no V3 keystore"):
        keys.unlock(with_file, lambda prompt: "")


def test_the_fingerprint_tells_who_signs_and_no_more() -> None:
    """Derive shows the signer's public address, Deribit the client id and a hash of the secret."""
    derive = keys.fingerprint(VenueSettings(private_key=Secret(GOOD_KEY)))
    assert derive == f"signer {Account.from_key(GOOD_KEY).address}"
    deribit = keys.fingerprint(VenueSettings(exchange="deribit", private_key=Secret("my-id:my-long-secret")))
    assert deribit.startswith("client id my-id, secret #")
    assert "my-long-secret" not in deribit


def test_a_deribit_secret_and_its_id_become_one() -> None:
    """However they were given, the venue gets client_id:client_secret."""
    for venue in (
        VenueSettings(exchange="deribit", client_id="my-id", private_key=Secret("my-secret")),
        VenueSettings(exchange="deribit", private_key=Secret("my-id:my-secret")),
    ):
        assert keys.unlock(venue, lambda prompt: "").reveal() == "my-id:my-secret"
