"""The configuration page is made from the code and says what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from actors.console import shapes
from actors.console.exits import MEANINGS, Exit
from actors.console.flags import FLAGS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "configuration.md"


def test_the_configuration_page_is_current() -> None:
    """Whoever changes a key, a flag or a default also runs scripts/make_docs.py."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_docs.py"), "--check"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_names_every_key_and_flag() -> None:
    """Nothing that can be set is left out."""
    text = PAGE.read_text("utf-8")
    missing = [path for path, _ in shapes.key_paths() if f"| `{path.rpartition('.')[2]}` |" not in text]
    assert missing == []
    assert [flag.name for flag in FLAGS if f"| `-{flag.name}" not in text] == []


def test_every_exit_code_has_a_meaning() -> None:
    """Scripts may rely on each of them."""
    assert set(MEANINGS) == set(Exit)
