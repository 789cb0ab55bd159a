"""Which Python counts as built to be quick, and what the doctor says of one that was not."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from actors.console import doctor, interpreter


@pytest.mark.parametrize(
    ("arguments", "prefix", "is_quick"),
    [
        ("'--enable-optimizations' '--with-lto'", "/usr/local", True),
        ("'--prefix=/home/me/.pyenv/versions/3.11.7' '--enable-shared'", "/home/me/.pyenv/versions/3.11.7", False),
        ("'--enable-shared' '--prefix=/usr'", "/usr", True),
        ("", "/opt/python", True),
        (None, "C:/Python311", True),
    ],
)
def test_who_is_quick(monkeypatch: pytest.MonkeyPatch, arguments: str | None, prefix: str, is_quick: bool) -> None:
    """By how it was configured; a distribution's is, and of one that does not say nothing bad is assumed."""
    monkeypatch.setattr(sysconfig, "get_config_var", {"CONFIG_ARGS": arguments}.get)
    monkeypatch.setattr(sys, "base_prefix", prefix)
    assert interpreter.is_quick() is is_quick


def test_the_doctor_says_so_and_is_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slower Python is told, and no reason not to run."""
    monkeypatch.setattr(interpreter, "is_quick", lambda: False)
    finding = next(iter(doctor.examine([])))
    assert finding.is_good
    assert "profile-guided" in finding.text


def test_it_can_be_asked_before_anything_is_installed() -> None:
    """By path, alone: another interpreter has none of our packages."""
    asked = subprocess.run([sys.executable, "-I", "-S", str(Path(interpreter.__file__))], capture_output=True, text=True)
    assert (asked.returncode, asked.stderr) == (interpreter.verdict(), "")


@pytest.mark.parametrize(("is_quick", "can_make", "status"), [(True, True, 0), (False, True, 1), (True, False, 2)])
def test_what_is_wrong_is_told_apart(monkeypatch: pytest.MonkeyPatch, is_quick: bool, can_make: bool, status: int) -> None:
    """One that only lacks a package of its distribution is not called slow."""
    monkeypatch.setattr(interpreter, "is_quick", lambda: is_quick)
    monkeypatch.setattr(interpreter, "can_make_environments", lambda: can_make)
    assert interpreter.verdict() == status
