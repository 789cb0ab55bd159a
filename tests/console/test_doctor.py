"""The doctor finds what would break a run later, and says what to do about each."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from console_kit import GOOD_KEY, GOOD_WALLET

from actors.console import cli
from actors.console.doctor import Finding, examine
from actors.console.exits import Exit

FILE = '[[cells]]\nexpiries = ["20261225"]\nall_strikes = true\n'


def bad(argv: list[str]) -> list[Finding]:
    return [finding for finding in examine(argv) if not finding.is_good and finding.what != "packages"]


def test_a_good_configuration_has_no_bad_finding(toml: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    """Python, packages, clock, descriptors, configuration, run folder and ports are each told."""
    path = toml(FILE)
    assert bad([path]) == []
    cli.main(["doctor", path])
    shown = capsys.readouterr().out
    for what in ("python", "packages", "clock", "file descriptors", "configuration", "run folder", "paper.port"):
        assert what in shown


def test_a_port_in_use_is_found(toml: Callable[[str], str]) -> None:
    """A status page that could not start is told before the run."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        (finding,) = bad([toml(f"[status]\nport = {port}\n{FILE}")])
    assert finding.what == "status.port"
    assert f"127.0.0.1:{port} cannot be bound" in finding.text


def test_a_missing_expiry_does_not_hide_a_port_in_use(toml: Callable[[str], str]) -> None:
    """A file is looked at before it is complete: both are told."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        found = bad([toml(f"[status]\nport = {busy.getsockname()[1]}\n")])
    assert [finding.what for finding in found] == ["configuration", "configuration", "status.port"]


def test_a_key_file_open_to_others_is_found(toml: Callable[[str], str], tmp_path: Path) -> None:
    """With the command that mends it; a missing one is found too."""
    key = tmp_path / "key"
    key.write_text(GOOD_KEY)
    key.chmod(0o644)
    network = f'[venue]\ntest = true\nwallet = "{GOOD_WALLET}"\nprivate_key_file = '
    (finding,) = bad([toml(f'{network}"{key}"\n{FILE}')])
    assert finding.text == f"{key}: others may read it; run: chmod 600 {key}"
    (missing,) = bad([toml(f'{network}"{key}x"\n{FILE}')])
    assert missing.text.endswith("no such file")


def test_a_bad_configuration_is_found_and_fails(toml: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every problem is a finding, and the exit code says that there are some."""
    path = toml("[quoting]\nsise = 1\nsize = true")
    assert cli.main(["doctor", path]) == Exit.NOT_CONFIRMED
    shown = capsys.readouterr().out
    assert "did you mean size?" in shown
    assert "true is a switch" in " ".join(shown.split())
