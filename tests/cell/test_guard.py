"""The guard's own defects: nothing that goes wrong beside a proof may end it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from actors import guard
from actors.child import Child
from actors.console.settings import CellSettings, Settings
from actors.mailboxes import Acting, Birth, Message
from actors.run_folder import RunFolder
from actors.venues.access import Access


class Heard:
    """Of a pipe, what the guard says into it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> bool:
        self.messages.append(message)
        return True


class StrangeSweeper:
    """Asked who it is, the venue says what no decoder foresaw; asked for orders, it shows some, and then none."""

    def __init__(self, *_: Any) -> None:
        self.in_flight_s = 0.2
        self.asked_who = 0
        self._shown = [2, 1, 0]

    async def identify(self) -> None:
        self.asked_who += 1
        raise KeyError("result")

    async def learn(self) -> None:
        raise AssertionError("nobody is known yet")

    async def sweep_all(self) -> int:
        await trio.sleep(0.05)
        return self._shown.pop(0) if len(self._shown) > 1 else self._shown[0]


async def test_a_defect_in_getting_ready_does_not_end_a_proof_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Born into a run whose supervisor dies before it is ready: it still proves. Its run's folder is kept meanwhile."""
    sweeper, others = StrangeSweeper(), []

    async def sweep_and_let_another_start() -> int:
        others.append(RunFolder(settings).path)
        return await StrangeSweeper.sweep_all(sweeper)

    monkeypatch.setattr(sweeper, "sweep_all", sweep_and_let_another_start)
    monkeypatch.setattr(guard, "Sweeper", lambda *_: sweeper)
    settings = Settings(cells=[CellSettings()])
    settings.journal.folder, settings.journal.keep_runs = str(tmp_path), 1
    folder = tmp_path / "20260101T000000.000Z"
    folder.mkdir()
    access = Access("derive", "paper", "ws://127.0.0.1:1/", "http://127.0.0.1:1/", wallet="0x" + "ab" * 20, key="1f" * 32)
    heard: Any = Heard()
    child = Child(Birth(settings, access, "run", str(folder), name="guard"), heard)
    child.parent_died = True
    with trio.fail_after(20):
        farewell = await guard.work(child)
    assert (farewell.confirmed, farewell.open_orders) == (True, 0)
    assert [type(message) for message in heard.messages] == [Acting], "it was never ready"
    assert sweeper.asked_who > 1, "and went on trying"
    assert len(others) >= 3
    assert b'"confirmed":true' in (folder / "journal-guard.jsonl").read_bytes()
