"""Whose setting cancel-on-disconnect was, over kills and restarts."""

from __future__ import annotations

from pathlib import Path

from actors.left_on import LeftOn


def test_a_killed_run_is_remembered_until_it_was_set_back(tmp_path: Path) -> None:
    """Found off: ours. Found on afterwards: still ours, until a clean stop; then it is the operator's own."""
    first = LeftOn(tmp_path, "site wallet")
    assert first.former(is_on=False) is False
    second = LeftOn(tmp_path, "site wallet")
    assert second.former(is_on=True) is False
    second.forget()
    assert LeftOn(tmp_path, "site wallet").former(is_on=True) is True


def test_wallets_are_kept_apart_and_a_broken_note_is_none(tmp_path: Path) -> None:
    """Another wallet's note says nothing of this one; a file that cannot be read claims nothing."""
    LeftOn(tmp_path, "site one").former(is_on=False)
    assert LeftOn(tmp_path, "site two").former(is_on=True) is True
    (tmp_path / "left-on.json").write_text("{")
    assert LeftOn(tmp_path, "site one").former(is_on=True) is True
