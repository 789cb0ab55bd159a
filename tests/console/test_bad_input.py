"""Each bad input gets one clear line that names field, value and fix, and exit code 2; nothing is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from console_kit import GOOD_KEY, GOOD_WALLET, problems

from actors.console import cli
from actors.console.exits import Exit

CHOICE = ["-expiry", "20261225", "-all-strikes"]
TESTNET = [*CHOICE, "-test", "-private-key", GOOD_KEY, "-wallet", GOOD_WALLET]

BAD_FLAGS = {
    "expiry missing": (
        ["-all-strikes"],
        "-expiry: is missing; give -expiry YYYYMMDD, or expiries in the file's [[cells]]",
    ),
    "expiry no date": (
        ["-expiry", "20261325", "-all-strikes"],
        '-expiry: "20261325" is no date; give YYYYMMDD (20261225), 25DEC26, or nearest-weekly',
    ),
    "expiry word mistyped": (
        ["-expiry", "nearest-weekli", "-all-strikes"],
        '-expiry: "nearest-weekli" is no date; did you mean nearest-weekly?',
    ),
    "neither strikes nor all": (
        ["-expiry", "20261225"],
        "-strikes: is missing; give -strikes 2800,3000,3200 or -all-strikes",
    ),
    "both strikes and all": (
        [*CHOICE, "-strikes", "2800"],
        "-strikes: contradicts all_strikes; give -strikes or -all-strikes, not both",
    ),
    "strike no number": (
        ["-expiry", "20261225", "-strikes", "2800,abc"],
        '-strikes: "abc" is no number; give one like 0.5',
    ),
    "negative strike": (
        ["-expiry", "20261225", "-strikes", "-2800"],
        "-strikes: -2800 is negative; give above 0",
    ),
    "negative size": ([*CHOICE, "-size", "-1"], "-size: -1 is negative; give above 0 contracts"),
    "size zero": ([*CHOICE, "-size", "0"], "-size: 0 is out of range; give above 0 contracts"),
    "size text": ([*CHOICE, "-size", "big"], '-size: "big" is no number; give one like 0.5'),
    "size not finite": ([*CHOICE, "-size", "nan"], '-size: "nan" is no finite number; give one like 0.5'),
    "min-spread text": ([*CHOICE, "-min-spread", "wide"], '-min-spread: "wide" is no number; give one like 0.5'),
    "min-spread negative": (
        [*CHOICE, "-min-spread", "-5"],
        "-min-spread: -5 is negative; give 0 or more, below 20000 bps of mid",
    ),
    "min-spread wider than the price": (
        [*CHOICE, "-min-spread", "20000"],
        "-min-spread: 20000 is out of range; give 0 or more, below 20000 bps of mid",
    ),
    "refresh zero": ([*CHOICE, "-refresh", "0"], "-refresh: 0 is out of range; give above 0 s"),
    "duration text": (
        [*CHOICE, "-duration", "soon"],
        '-duration: "soon" is no time; give seconds, or 90s, 5m, 2h',
    ),
    "max-exposure negative": (
        [*CHOICE, "-max-exposure", "-1"],
        "-max-exposure: -1 is negative; give above 0 contracts",
    ),
    "subaccount text": ([*CHOICE, "-subaccount", "x"], '-subaccount: "x" is no whole number; give one like 3'),
    "unknown exchange": (
        [*CHOICE, "-exchange", "derivit"],
        '-exchange: "derivit" is none of derive, deribit; did you mean deribit?',
    ),
    "unknown underlying": (
        [*CHOICE, "-underlying", "DOGE"],
        '-underlying: "DOGE" is not traded here; choose ETH or BTC',
    ),
    "unknown underlying on deribit": (
        [*CHOICE, "-exchange", "deribit", "-underlying", "DOGE_USDC"],
        '-underlying: "DOGE_USDC" is not traded here; choose ETH, BTC, ETH_USDC, BTC_USDC, SOL_USDC or XRP_USDC',
    ),
    "unknown strategy": (
        [*CHOICE, "-strategy", "imrpove"],
        "-strategy: no strategy 'imrpove'; choose one of ",
    ),
    "unknown tier": (
        [*CHOICE, "-tier", "vip"],
        '-tier: "vip" is none of trader, market_maker; choose one',
    ),
    "both sides only": (
        [*CHOICE, "-bid-only", "-ask-only"],
        "-bid-only: contradicts ask_only; give one of them, or none to quote both sides",
    ),
    "unknown flag": ([*CHOICE, "-sise", "3"], "-sise: unknown flag; did you mean -size?"),
    "unknown flag like nothing": ([*CHOICE, "--zzzz"], "-zzzz: unknown flag; see --help for those there are"),
    "flag without value": ([*CHOICE, "-size"], "-size: has no value; give one after it, e.g. -size CONTRACTS"),
    "switch with value": ([*CHOICE, "-plain=3"], "-plain: is a switch and takes no value; leave the value out"),
    "two files": (["a.toml", "b.toml"], "b.toml: not understood; one CONFIG.toml, and flags with a dash"),
    "live and test": ([*CHOICE, "-live", "-test"], "-test and -live: contradict each other; give one of them"),
    "elsewhere without live": (
        [*CHOICE, "-url", "wss://api.example.org/ws"],
        '-url: "wss://api.example.org/ws" is not on this machine; an address elsewhere needs -live or -test',
    ),
    "url no socket": (
        [*CHOICE, "-url", "http://127.0.0.1:8080"],
        '-url: "http://127.0.0.1:8080" is no WebSocket address; give ws://HOST:PORT/PATH or wss://...',
    ),
    "url unencrypted": (
        [*TESTNET, "-url", "ws://testnet.example.org/ws"],
        '-url: "ws://testnet.example.org/ws" is not encrypted; give a wss:// address',
    ),
    "wallet missing": (
        [*CHOICE, "-test", "-private-key", GOOD_KEY],
        "-wallet: is missing; give -wallet or DERIVE_WALLET_ADDRESS (the address that owns the account)",
    ),
    "paper exchange elsewhere on this machine": (
        [*CHOICE, "-url", "ws://127.0.0.1:8765/v3/ws", "-private-key", GOOD_KEY],
        "-wallet: is missing; give -wallet or DERIVE_WALLET_ADDRESS (the address that owns the account)",
    ),
    "wallet too short": (
        [*CHOICE, "-wallet", "0x1234"],
        "-wallet: is no address: it has 4 hex digits; give 0x and 40 of them",
    ),
    "wallet is a key": (
        [*CHOICE, "-wallet", GOOD_KEY],
        "-wallet: is no address: it has 64 hex digits (64 is a private key: keep that secret); give 0x and 40 of them",
    ),
    "wallet no hex": ([*CHOICE, "-wallet", "my wallet"], "-wallet: is no address; give 0x and 40 hex digits"),
    "wallet mistyped": (
        [*CHOICE, "-wallet", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAee"],
        "-wallet: has a wrong checksum: a digit or the case of a letter is mistyped; copy it again",
    ),
    "key missing": (
        [*CHOICE, "-test", "-wallet", GOOD_WALLET],
        "-private-key: is missing; give DERIVE_PRIVATE_KEY, -private-key-file or -keystore",
    ),
    "key too short": (
        [*CHOICE, "-private-key", "0x12"],
        "-private-key: is no private key: it has 2 hex digits; give 0x and 64 of them",
    ),
    "key no hex": (
        [*CHOICE, "-private-key", "correct horse"],
        "-private-key: is no private key: it has characters that are not hex digits; give 0x and 64 hex digits",
    ),
    "key is a wallet": (
        [*CHOICE, "-private-key", GOOD_WALLET],
        "-private-key: is no private key: it has 40 hex digits (40 is an address: give the key, not the wallet);"
        " give 0x and 64 of them",
    ),
    "key beyond the curve": (
        [*CHOICE, "-private-key", "f" * 64],
        "-private-key: is no private key: the number is outside the curve's range; give a key made by a wallet",
    ),
    "two key sources": (
        [*CHOICE, "-private-key", GOOD_KEY, "-keystore", "k.json"],
        "-private-key: is given together with keystore; give one of them",
    ),
    "deribit key without id": (
        [*CHOICE, "-exchange", "deribit", "-test", "-private-key", "justasecret"],
        "-private-key: has no client id; give client_id:client_secret, or the secret here and the id in client_id",
    ),
    "deribit keystore": (
        [*CHOICE, "-exchange", "deribit", "-keystore", "k.json"],
        "-keystore: holds an Ethereum key, which Deribit does not use; give DERIBIT_PRIVATE_KEY",
    ),
    "instruments and expiry": (
        [*CHOICE, "-instruments", "ETH-20261225-2800-C"],
        "-instruments: already says expiry and strike; leave out expiries, strikes and all_strikes",
    ),
    "instrument of another underlying": (
        ["-exchange", "deribit", "-instruments", "ETH_USDC-25DEC26-2800-C"],
        '-instruments: "ETH_USDC-25DEC26-2800-C" is on ETH_USDC, this cell on ETH; give underlying ETH_USDC',
    ),
    "no instrument": (
        ["-exchange", "deribit", "-instruments", "ETH-25DEC26-2800-X"],
        '-instruments: "ETH-25DEC26-2800-X" is no instrument; give names like ETH-20261225-2800-C or ETH-25DEC26-2800-C',
    ),
    "a perpetual to quote": (
        ["-exchange", "deribit", "-instruments", "ETH-PERPETUAL"],
        '-instruments: "ETH-PERPETUAL" is a perpetual; name options',
    ),
    "chain not there": (
        [*CHOICE, "-chain", "nowhere/chain.csv.gz"],
        "-chain: nowhere/chain.csv.gz: no such file; give a recorded chain",
    ),
    "summary nowhere": (
        [*CHOICE, "-summary", "nowhere/run.json"],
        "-summary: nowhere/run.json: its folder does not exist; make it first",
    ),
    "set without value": (
        [*CHOICE, "-set", "quoting.size"],
        "-set quoting.size: is not KEY=VALUE; e.g. -set quoting.order_life_s=600",
    ),
    "set unknown key": (
        [*CHOICE, "-set", "limits.max_positon=3"],
        "-set: limits.max_positon: unknown key; did you mean max_position?",
    ),
    "set wrong type": (
        [*CHOICE, "-set", "supervision.guard=perhaps"],
        '-set: supervision.guard: "perhaps" is text; give true or false',
    ),
    "set of one cell": (
        [*CHOICE, "-set", "cells[0].quoting.size=x"],
        '-set: cells[0].quoting.size: "x" is text; give a number (contracts)',
    ),
    "set of a cell that is not there": (
        [*CHOICE, "-set", "cells[7].quoting.size=1"],
        "-set cells[7].quoting.size: there is no such key; see docs/configuration.md",
    ),
    "set to 2000 brackets": ([*CHOICE, "-set", "quoting.size=" + "[" * 2000], '-set: quoting.size: "[[['),
    "set to a number of a thousand hex digits": (
        [*CHOICE, "-set", "paper.seed=0x" + "f" * 1000],
        "-set paper.seed: is far too large; give a smaller number",
    ),
    "seed of 5000 digits": ([*CHOICE, "-seed", "9" * 5000], '-seed: "[secret]'),
    "wallet set to a key": (
        [*CHOICE, "-set", f"venue.wallet={GOOD_KEY}"],
        "-set venue.wallet: is no address: it has 64 hex digits (64 is a private key: keep that secret); ",
    ),
    "subaccount is a key": ([*CHOICE, "-subaccount", GOOD_KEY], f'-subaccount: "{GOOD_KEY}" is no whole number'),
    "tag with a dash": (
        [*CHOICE, "-set", "venue.tag=main-2"],
        '-set venue.tag: "main-2" is no tag; give 1 to 16 letters, digits or _ (no dash), e.g. main2',
    ),
    "tag too long": ([*CHOICE, "-set", "venue.tag=" + "m" * 17], f'-set venue.tag: "{"m" * 17}" is no tag; '),
    "tag empty": ([*CHOICE, "-set", "venue.tag="], '-set venue.tag: "" is no tag; '),
    "url half in brackets": ([*CHOICE, "-url", "ws://[::1"], '-url: "ws://[::1": Invalid IPv6 URL; give ws://HOST:'),
    "url port no number": ([*CHOICE, "-url", "ws://127.0.0.1:abc"], '-url: "ws://127.0.0.1:abc": Port could not be'),
    "url port too high": (
        [*CHOICE, "-url", "ws://127.0.0.1:99999999"],
        '-url: "ws://127.0.0.1:99999999": Port out of range 0-65535; give ws://HOST:PORT/PATH or wss://...',
    ),
    "summary a folder": ([*CHOICE, "-summary", "."], "-summary: .: is a folder; give the name of a file"),
    "ledger a folder": ([*CHOICE, "-ledger", "."], "-ledger: .: is a folder; give the name of a file"),
    "no run folder": ([*CHOICE, "-set", "journal.folder="], "-set journal.folder: is empty; name a folder, e.g. runs"),
    "heart beats too quick": (
        [*CHOICE, "-set", "supervision.heartbeat_s=0.01"],
        "-set supervision.heartbeat_s: 0.01 is out of range; give 0.05 or more s",
    ),
    "file of nobody": (["~nobody-at-all/my.toml"], "~nobody-at-all/my.toml: no such file; give the path of a TOML file"),
    "heartbeats": (
        [*CHOICE, "-set", "supervision.heartbeat_bound_s=1"],
        "-set supervision.heartbeat_bound_s: 1 s leaves no room for a late beat; give at least twice heartbeat_s (1)",
    ),
}


@pytest.mark.parametrize("case", BAD_FLAGS)
def test_a_bad_flag_gets_one_clear_line_and_exit_code_2(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line's mistakes are each told in one line on stderr, and nothing is printed on stdout."""
    argv, expected = BAD_FLAGS[case]
    code = cli.main(["market-maker", *argv])
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert code == Exit.BAD_INPUT
    assert out == ""
    assert len(lines) == 1
    assert lines[0].startswith(f"strikemaker: {expected}".replace(GOOD_KEY, "[secret]"))


BAD_FILES = {
    "unknown key": ("[quoting]\nsise = 1", "my.toml: quoting.sise: unknown key; did you mean size?"),
    "unknown table": ("[quotting]\nsize = 1", "my.toml: quotting: unknown key; did you mean quoting?"),
    "unknown key in a cell": (
        '[[cells]]\nexpiry = "20261225"',
        "my.toml: cells[0].expiry: unknown key; did you mean expiries?",
    ),
    "text for a number": ('[quoting]\nsize = "1"', 'my.toml: quoting.size: "1" is text; give a number (contracts)'),
    "switch for a number": (
        "[limits]\nmax_position = true",
        "my.toml: limits.max_position: true is a switch; give a number (contracts)",
    ),
    "number for a switch": ("[venue]\nlive = 1", "my.toml: venue.live: 1 is a number; give true or false"),
    "number for text": ("[venue]\nexchange = 1", "my.toml: venue.exchange: 1 is a number; give text, in quotes"),
    "fraction for a whole number": (
        "[paper]\nseed = 1.5",
        "my.toml: paper.seed: 1.5 is a number; give a whole number",
    ),
    "one value for a list": (
        '[[cells]]\nexpiries = "20261225"',
        'my.toml: cells[0].expiries: "20261225" is text; give a list, e.g. ["20261225"]',
    ),
    "wrong item in a list": (
        "[[cells]]\nexpiries = [20261225]",
        "my.toml: cells[0].expiries[0]: 20261225 is a number; give text, in quotes",
    ),
    "value for a table": ("venue = 3", "my.toml: venue: 3 is a number; give a table"),
    "one table for cells": (
        '[cells]\nunderlying = "ETH"',
        "my.toml: cells: is one table; write its heading with two brackets, as in [[cells]]",
    ),
    "several tables for one": (
        "[[venue]]\nlive = true",
        "my.toml: venue: is a list; write its heading with single brackets, as in [venue]",
    ),
    "nul in the run folder": (
        '[journal]\nfolder = "a\\u0000b"\n[[cells]]\nexpiries = ["20261225"]\nall_strikes = true',
        "my.toml: journal.folder: holds a NUL character; leave it out",
    ),
    "nul in the ledger": (
        '[paper]\nledger = "a\\u0000b"\n[[cells]]\nexpiries = ["20261225"]\nall_strikes = true',
        "my.toml: paper.ledger: holds a NUL character; leave it out",
    ),
    "text for a parameter": (
        '[quoting.params]\nrisk = "much"',
        'my.toml: quoting.params: risk = "much" is text; give a number',
    ),
    "negative limit": (
        '[limits]\nmax_position = -1\n[[cells]]\nexpiries = ["20261225"]\nall_strikes = true',
        "my.toml: cells[0].limits.max_position: -1 is negative; give above 0 contracts",
    ),
    "not finite": (
        'duration_s = inf\n[[cells]]\nexpiries = ["20261225"]\nall_strikes = true',
        "my.toml: duration_s: inf is no finite number; give above 0 s",
    ),
    "secret of a wrong type": (
        "[venue]\nprivate_key = 12345678",
        "my.toml: venue.private_key: is a number; give text, in quotes",
    ),
    "both networks": (
        '[venue]\nlive = true\ntest = true\nwallet = "0x' + "ab" * 20 + '"\nprivate_key = "' + GOOD_KEY + '"\n'
        '[[cells]]\nexpiries = ["20261225"]\nall_strikes = true',
        "my.toml: venue.live: contradicts venue.test; set one of them (test: the testnet, live: real money)",
    ),
    "the same expiry twice": (
        '[[cells]]\nexpiries = ["20261225"]\nall_strikes = true\n[[cells]]\nexpiries = ["25DEC26"]\nstrikes = [3000]',
        "my.toml: cells[1].expiries: ETH 20261225 is already quoted by cells[0]; name it once",
    ),
    "mmp with long-lived orders": (
        '[quoting]\norder_life_s = 1200\n[mmp]\nenabled = true\n[[cells]]\nexpiries = ["20261225"]\nall_strikes = true',
        "my.toml: cells[0].quoting.order_life_s: 1200 s is too long under mmp; give at most 890, or switch mmp off",
    ),
    "unknown parameter of a strategy": (
        '[quoting]\nparams = { risk = 1.0 }\n[[cells]]\nexpiries = ["20261225"]\nall_strikes = true',
        "my.toml: cells[0].quoting.params.risk: unknown to improve; it has: none",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_gets_one_clear_line(case: str, toml: Callable[[str], str]) -> None:
    """The file's mistakes are named with the file, the key's path, the value and the fix."""
    text, expected = BAD_FILES[case]
    found = problems([toml(text)])
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_broken_toml_is_told_with_its_line(toml: Callable[[str], str]) -> None:
    """A syntax error names the file and the place."""
    (line,) = problems([toml("[venue]\nexchange = derive\n")])
    assert "my.toml: is no valid TOML: " in line
    assert "line 2" in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[venue]\ntag = "\xff"\n', "is not UTF-8 text (byte 15); save it as UTF-8"),
        (b"[paper]\nseed = " + b"9" * 5000, "is no valid TOML: "),
        (b"[paper]\nseed = " + b"[" * 2000, "is no valid TOML: "),
    ],
    ids=["not UTF-8", "5000 digits", "2000 brackets"],
)
def test_what_no_reader_of_toml_takes_is_told_in_one_line(
    content: bytes, expected: str, toml: Callable[[str], str]
) -> None:
    """Bytes that are no text, numbers and nestings without measure: the file is named, and nothing of it repeated."""
    path = toml("")
    Path(path).write_bytes(content)
    (line,) = problems([path])
    assert line.startswith(f"{path}: {expected}")
    assert len(line) < len(path) + 250


def test_a_byte_order_mark_is_passed_over(toml: Callable[[str], str]) -> None:
    """Some editors write one before the first key."""
    path = toml("")
    Path(path).write_bytes(b'\xef\xbb\xbf[[cells]]\nexpiries = ["20261225"]\nall_strikes = true\n')
    assert problems([path]) == ()


def test_a_missing_file_suggests_its_neighbour(toml: Callable[[str], str]) -> None:
    """A mistyped path is answered with the file that was probably meant."""
    path = toml("")
    (line,) = problems([path.replace("my.toml", "mi.toml")])
    assert line.endswith(f"no such file; did you mean {path}?")


def test_all_problems_are_told_at_once(toml: Callable[[str], str]) -> None:
    """Nobody mends a configuration ten times: flags, file and contradictions come in one answer."""
    path = toml('[quoting]\nsize = -1\nimprovement = -2\n[[cells]]\nexpiries = ["x"]')
    found = problems([path, "-refresh", "never", "-wallet", "0x12"])
    assert {line.rpartition(": ")[0].rpartition(".")[2].partition(":")[0] for line in found} >= {"size", "improvement"}
    assert len(found) == 6
    assert any(line.startswith("-refresh") for line in found)
    assert any(line.startswith("-wallet") for line in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[limits]\nmax_position = 5.0\nmax_exposure = 2.0", "max_position: 5 is above max_exposure 2"),
        ("[limits]\nmax_scenario_loss = 100.0\nscenario_spot = []", "scenario_spot: is empty, and max_scenario_loss is set"),
        ('[quoting]\nquote_mode = "mass"', "quote_mode: mass quotes are Deribit's"),
        ("[quoting.protections]\nmin_delta = 0.8\nmax_delta = 0.2", "min_delta: 0.8 is above max_delta 0.2"),
        ('[quoting]\nstrategy = "portfolio_vega"', "max_vega: is missing; portfolio_vega quotes inside a vega limit"),
        ('[quoting]\nstrategy = "glft"\n[quoting.params]\nin_vol = 1', "sigma: 0 with in_vol = 1"),
    ],
)
def test_limits_and_strategies_that_cannot_work_are_told_at_once(
    text: str, expected: str, toml: Callable[[str], str]
) -> None:
    """One line with the key: limits that contradict each other, a strategy without what it needs."""
    path = toml(f'{text}\n[[cells]]\nexpiries = ["nearest"]\nall_strikes = true')
    found = problems([path])
    assert len(found) == 1
    assert expected in found[0]


def test_wrong_types_in_the_file_do_not_hide_bad_flags(toml: Callable[[str], str]) -> None:
    """Even when the file's shape is wrong, the flags are read and complained of."""
    found = problems([toml("[quoting]\nsize = true"), "-refresh", "never"])
    assert len(found) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rnu", "x.toml"], "rnu: unknown command; did you mean run?"),
        (["my.toml"], "my.toml: is a file, not a command; did you mean: strikemaker run my.toml"),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped command gets one line and exit code 2."""
    assert cli.main(words) == Exit.BAD_INPUT
    assert capsys.readouterr().err == f"strikemaker: {expected}\n"


def test_no_command_shows_the_usage_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """`strikemaker` alone says what there is; asked for help, it succeeds."""
    assert cli.main([]) == Exit.BAD_INPUT
    assert "market-maker" in capsys.readouterr().out
    assert cli.main(["--help"]) == Exit.OK
    assert cli.main(["-version"]) == Exit.OK


@pytest.mark.parametrize("name", list(cli.BY_NAME))
def test_every_command_tells_its_flags(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """COMMAND -help works with one dash, exits with 0 and starts nothing."""
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "-help"])
    assert ended.value.code == 0
    assert f"usage: strikemaker {name}" in capsys.readouterr().out
