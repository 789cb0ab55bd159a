"""The path answers "does it await?": pure packages import no loop, socket, clock or chance of their own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PURE = sorted(
    {
        *ROOT.glob("actors/trading/**/*.py"),
        *(file for venue in ("derive", "deribit") for file in ROOT.glob(f"actors/venues/{venue}/*.py")),
        *(ROOT / "actors/venues" / f"{name}.py" for name in ("protocol", "pending", "proof", "dialect")),
        *(
            ROOT / "actors/venues/paper" / f"{name}.py"
            for name in ("engine", "entry", "matcher", "book", "accounts", "settlement", "market", "rivals", "takers")
        ),
    }
)
AWAITING = {"trio", "asyncio", "socket", "ssl", "subprocess", "threading", "time", "secrets", "websockets", "httpx2"}
SEEDED = {"Random"}
"""From `random` only the class may come, and only to be handed a seed."""


@pytest.mark.parametrize("file", PURE, ids=lambda file: str(file.relative_to(ROOT)))
def test_pure_modules_import_nothing_that_waits_or_varies(file: Path) -> None:
    """Clocks and seeds are passed in; whoever needs one of these belongs to another room."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.module == "random":
                assert {alias.name for alias in node.names} <= SEEDED
        assert not {name.partition(".")[0] for name in names} & AWAITING
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await)


def test_the_link_is_the_only_file_that_awaits_a_websocket() -> None:
    """Beside the link's own parts nobody imports the WebSocket library; the exchange speaks through another one."""
    own = {"websocket.py", "determinism.py"}  # the second replaces the library's random masks in rehearsals
    found = set()
    for file in ROOT.glob("actors/**/*.py"):
        text = file.read_text("utf-8")
        if "paper" not in file.parts and ("import websockets" in text or "from websockets" in text):
            found.add(file.name)
    assert found <= own
