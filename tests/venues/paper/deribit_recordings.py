"""Recorded and documented messages of Deribit, for comparing key sets; tests skip where the files are not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[4] / "shared" / "data"
SESSION = HOME / "deribit-ws-session-2021-07-22.jsonl"
METHODS = HOME / "deribit-documented-methods.json"
NOTIFICATIONS = HOME / "deribit-documented-notifications.json"
needs_recordings = pytest.mark.skipif(not SESSION.exists(), reason="the recordings are not beside this repository")


def recorded() -> list[dict[str, Any]]:
    """The frames received in the recorded session."""
    rows = [json.loads(line) for line in SESSION.read_text().splitlines()]
    return [row["msg"] for row in rows if row["dir"] == "recv"]


def documented(method: str) -> Any:
    """The result in the documentation's example of a method; of a list its first row."""
    result = json.loads(METHODS.read_text())[method]["response"][0]["value"]["result"]
    return result[0] if isinstance(result, list) else result


def documented_notice(channel: str) -> Any:
    """The data of a documented notification; of a list its first row."""
    data = json.loads(NOTIFICATIONS.read_text())[channel][0]["params"]["data"]
    return data[0] if isinstance(data, list) else data
