"""A child that says what nobody can read: its own end, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from actors import pipes
from actors.console.settings import Settings
from actors.hosting import Hosted
from actors.mailboxes import Birth
from actors.venues.access import Access

SAYS = {
    "another type": b'{"type":"Snapshot","cell":{"cell":"eth0","phase":null}}\n',
    "no JSON": b"Traceback (most recent call last):\n",
    "no text": b"\xff\xfe\x00\n",
    "no end": b"x" * 70_000,
}
BABBLER = """
import os, pathlib, time
os.write(1, b'{"type":"Ready"}\\n')
said = pathlib.Path(__file__).with_name("said").read_bytes()
while said:
    said = said[os.write(1, said):]
time.sleep(600)
"""


def birth() -> Birth:
    return Birth(Settings(), Access("derive", "paper", "ws://127.0.0.1:1/", "http://127.0.0.1:1/"), "run", "", name="eth0")


@pytest.mark.parametrize("said", SAYS.values(), ids=SAYS)
async def test_a_line_that_cannot_be_read_is_the_end_of_that_child_alone(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed, for it would go on quoting; whoever keeps it hears of a death like any other, without a last word."""
    (tmp_path / "babbler.py").write_text(BABBLER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "said").write_bytes(said)
    monkeypatch.setattr(pipes, "MAX_LINE", 65_536)
    child = Hosted("babbler", birth(), new_session=True, on_event=lambda level, text: None)
    with trio.fail_after(30):
        status = await child.live()
    assert status == -9
    assert child.ready is not None, "what could be read was heard"
    assert child.farewell is None
    assert child.killed_for == "cannot be understood"
    assert not child.is_alive
