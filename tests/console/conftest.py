"""Fixtures of the console's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from console_kit import write_toml


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], str]:
    """Writes a configuration file named my.toml and gives its path."""
    return lambda text: write_toml(tmp_path, text)
