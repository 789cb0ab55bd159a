"""Whose setting cancel-on-disconnect was, over kills and restarts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.left_on import LeftOn

ROOT = Path(__file__).resolve().parents[2]


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


def test_a_folder_that_takes_no_lock_costs_only_what_is_known_of_other_runs(tmp_path: Path) -> None:
    """A full disk must not keep a run from starting, nor from setting back what it switched on."""
    (tmp_path / "left-on.lock").mkdir()
    run = LeftOn(tmp_path, "site wallet")
    assert run.join()
    assert run.is_last(leaving=True)
    assert run.former(is_on=False) is False


LIVES = """
import sys
from pathlib import Path
from actors.left_on import LeftOn
run = LeftOn(Path(sys.argv[1]), sys.argv[2])
for line in sys.stdin:
    print(int(eval(line, {"run": run})), flush=True)
"""


class Run:
    """Another process that lives on a wallet: locks are a process's own, so two of them need two."""

    def __init__(self, folder: Path, who: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LIVES, str(folder), who], cwd=ROOT, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, call: str) -> bool:
        assert self._process.stdin is not None  # PIPE was asked for
        assert self._process.stdout is not None
        self._process.stdin.write(f"run.{call}\n")
        return bool(int(self._process.stdout.readline()))

    def kill(self) -> None:
        with self._process as process:
            process.kill()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[[str], Run]]:
    born: list[Run] = []

    def begin(who: str) -> Run:
        born.append(Run(tmp_path, who))
        return born[-1]

    yield begin
    for run in born:
        run.kill()


def test_the_last_run_on_a_wallet_sets_it_back_and_no_other(runs: Callable[[str], Run]) -> None:
    """Whoever did so earlier would take the venue's net from under the other; another wallet's runs are no others."""
    first, second, stranger = runs("site one"), runs("site one"), runs("site two")
    assert first.ask("join()")
    assert second.ask("join()")
    assert stranger.ask("join()")
    assert not first.ask("is_last()")
    assert not second.ask("is_last()"), "asking changes nothing: the first lives on"
    assert stranger.ask("is_last()")
    second.kill()
    assert first.ask("is_last()"), "a death lets go"
    newcomer = runs("site one")
    assert not newcomer.ask("join()"), "while it is being set back nobody begins"
    assert first.ask("join()")
    assert newcomer.ask("join()")


def test_of_two_that_stop_at_once_one_is_the_last(runs: Callable[[str], Run]) -> None:
    """Both have proven, and neither is gone when it asks: the setting would stay on."""
    first, second = runs("site one"), runs("site one")
    assert first.ask("join()")
    assert second.ask("join()")
    assert not first.ask("is_last(leaving=True)")
    assert second.ask("is_last(leaving=True)")
