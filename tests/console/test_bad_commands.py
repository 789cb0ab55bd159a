"""The commands beside `run`: one line for what is wrong, the exit code that is documented, and a reader that goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from console_kit import ROOT, environment, gone, told

from actors.console import cli
from actors.console.exits import Exit

BAD_WORDS = {
    "paper, unknown flag": (["paper", "-frozenn"], "--frozenn: not understood; see --help"),
    "paper, flag without value": (["paper", "-port"], "-port: has no value; give one after it, e.g. -port VALUE"),
    "paper, no port": (["paper", "-port", "x"], "-port: 'x' is no whole number; give one like 3"),
    "paper, no speed": (["paper", "-speed", "x"], "-speed: 'x' is no number; give one like 0.5"),
    "paper, no tier": (["paper", "-tier", "vip"], "-tier: 'vip' is none of 'trader', "),
    "paper, port too high": (["paper", "-port", "65536"], "--port 65536: give 0 (any free port) to 65535"),
    "paper, negative port": (["paper", "-port", "-1"], "--port -1: give 0 (any free port) to 65535"),
    "paper, no accounts": (["paper", "-accounts", "0"], "--accounts 0: give 1 or more"),
    "paper, ledger nowhere": (
        ["paper", "-ledger", "nowhere/rows.jsonl"],
        "--ledger nowhere/rows.jsonl: its folder does not exist; make it first",
    ),
    "paper, ledger a folder": (["paper", "-ledger", "."], "--ledger .: is a folder; give the name of a file"),
    "paper, no underlying": (["paper", "-underlying", "DOGE"], "paper exchange: no DOGE on derive; there are ETH, BTC"),
    "paper, a key as a word": (["paper", "my-id:Xk3jPq9Lm2sT"], "[secret]: not understood; see --help"),
    "rehearse, unknown flag": (["rehearse", "-runns", "3"], "--runns 3: not understood; see --help"),
    "rehearse, no runs": (["rehearse", "-runs", "x"], "-runs: 'x' is no whole number; give one like 3"),
    "rehearse, no venue": (["rehearse", "-venue", "x"], "-venue: 'x' is none of 'derive', 'deribit'; choose one"),
    "rehearse, report nowhere": (
        ["rehearse", "-runs", "1", "-json", "nowhere/report.json"],
        "nowhere/report.json: its folder does not exist; make it first",
    ),
    "rehearse, report a folder": (
        ["rehearse", "-runs", "1", "-json", "."],
        ".: is a folder; give the name of a file",
    ),
    "explain, unknown flag": (["explain", "ETH-X", "-runn", "x"], "--runn x: not understood; see --help"),
}


@pytest.mark.parametrize("case", BAD_WORDS)
def test_a_bad_word_to_another_command_gets_one_line_and_exit_code_2(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No page of usage, no traceback, and nothing is started."""
    words, expected = BAD_WORDS[case]
    assert cli.main(words) == Exit.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.replace("[[secret]]", "[secret]").startswith(f"strikemaker: {expected}")


@pytest.mark.parametrize("content", [b"", b"[{", b"[1]", b'[{"cell": 3}]'])
def test_a_status_file_that_was_cut_short_is_told_by_explain(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine went down while it was written: one line, with the file's name."""
    (tmp_path / "status.json").write_bytes(content)
    assert cli.main(["explain", "ETH-20261225-2800-C", "-run", str(tmp_path)]) == Exit.BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"strikemaker: {tmp_path / 'status.json'}: cannot be read (")
    assert line.endswith("; name another run with --run")


def test_cancel_all_explains_its_scope(capsys: pytest.CaptureFixture[str]) -> None:
    """Its help is its own: the flags of a run are not what an operator in a hurry looks for."""
    for word in ("-h", "-help", "--help"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["cancel-all", "my.toml", word])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert "--scope account" in shown
        assert "-improvement" not in shown


# -- on a venue that answers


@pytest.fixture(scope="module")
def exchange() -> Iterator[dict[str, Any]]:
    """A Deribit paper exchange, named twice what it lists: its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "actors.console.cli", "paper", "--venue", "deribit", "--frozen",
         "--underlying", "ETH", "--underlying", "ETH"],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    facts: dict[str, Any] = msgspec.json.decode(process.stdout.readline())
    yield facts
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()


def at(exchange: dict[str, Any], key: str) -> list[str]:
    patience = "venue.give_up_after_s=2"
    return ["-exchange", "deribit", "-url", exchange["ws_url"], "-private-key", key, "-set", patience]


def test_cancel_all_and_reset_mmp_need_no_expiry(
    exchange: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Account and key are enough: what is quoted is of no account to either."""
    words = at(exchange, exchange["accounts"][0]["session_key"])
    assert cli.main(["cancel-all", *words]) == Exit.OK
    assert "confirmed: zero orders of tag main rest in ETH" in capsys.readouterr().out
    assert cli.main(["reset-mmp", *words]) == Exit.OK
    assert capsys.readouterr().out.startswith("ETH: ")


def test_cancel_all_with_wrong_credentials_says_refused(
    exchange: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The venue did answer: exit code 4, not that of one that is not there."""
    client_id = exchange["accounts"][0]["session_key"].partition(":")[0]
    assert cli.main(["cancel-all", *at(exchange, f"{client_id}:not-the-secret-of-it")]) == Exit.REFUSED
    assert capsys.readouterr().err.startswith("strikemaker: private_key: Deribit does not take client id ")


# -- what is printed, and where to


@pytest.mark.parametrize("environ", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["held back", "at once"])
@pytest.mark.parametrize(
    "words", [["--help"], ["cancel-all", "--help"], ["run", "--help"], ["doctor"]], ids=lambda words: words[0]
)
def test_a_reader_that_goes_away_is_no_error(words: list[str], environ: dict[str, str]) -> None:
    """As with `| head -1`: no traceback, no remark of the interpreter at its end, exit code 0."""
    assert told(words, gone(), **environ) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("words", [["--help"], ["cancel-all", "--help"], ["doctor"]], ids=lambda words: words[0])
def test_output_that_cannot_be_written_is_told_in_one_line(words: list[str]) -> None:
    """A full disk: exit code 1, and not a second complaint when the interpreter ends."""
    full = os.open("/dev/full", os.O_WRONLY)
    assert told(words, full) == (1, "strikemaker: output: No space left on device\n")


@pytest.mark.parametrize("level", ["debug", "FOO"])
def test_a_log_level_in_small_letters_or_of_no_meaning_stops_nobody(level: str, toml: Callable[[str], str]) -> None:
    """Every process reads it: the maker and the exchange it starts."""
    path = toml('[[cells]]\nexpiries = ["nearest"]\nall_strikes = true\n')
    code, err = told(["run", path, "--dry-run"], os.open(os.devnull, os.O_WRONLY), LOGURU_LEVEL=level)
    assert (code, err) == (0, "")
