"""The shell scripts: they parse, install once, pass every setting on, and say clearly what they lack."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted([*ROOT.glob("scripts/*.sh"), ROOT / ".ci" / "run"])
RUN = ROOT / "scripts" / "run_market_maker.sh"

FAKE_PYTHON = """#!/bin/sh
# Stands in for the environment's Python: says what it would have run.
case "$1" in
    -c) exit 0 ;;
    *) printf '%s\\n' "$@"; printf 'pid %s\\n' "$$" ;;
esac
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the scripts beside an environment that counts as installed and only echoes its arguments."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    stamp = subprocess.run(
        ["bash", "-c", ". scripts/setup_env.sh; fingerprint"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / ".venv" / ".installed-run").write_text(stamp + "\n")
    return tmp_path


def run(folder: Path, *argv: str, script: str = "run_market_maker.sh", **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        ["bash", f"scripts/{script}", *argv], cwd=folder, env=clean | environ, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_parses_and_can_be_run(script: Path) -> None:
    """bash finds no syntax error; what is run directly is executable and has a shebang."""
    subprocess.run(["bash", "-n", str(script)], check=True)
    if script.name != "setup_env.sh":
        assert script.stat().st_mode & stat.S_IXUSR
        assert script.read_text().startswith("#!/usr/bin/env bash\n")


def test_without_arguments_the_paper_configuration_is_run(installed: Path) -> None:
    """No arguments, no settings: configs/paper.toml and nothing else."""
    done = run(installed)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:-1] == ["supervisor.py", "configs/paper.toml"]


def test_every_setting_of_the_environment_becomes_its_flag(installed: Path) -> None:
    """EXPIRY ... CONFIG are passed on as flags, and further flags follow them."""
    done = run(
        installed,
        "--duration",
        "5",
        EXPIRY="20261225",
        STRIKES="2800,3000",
        ALL_STRIKES="false",
        SIZE="0.2",
        SPREAD_BPS="20",
        MIN_SPREAD="50",
        REFRESH="2",
        MAX_POSITION="3",
        MAX_EXPOSURE="4",
        IMPROVEMENT="0.2",
        IMPROVEMENT_REFERENCE_SIZE="1",
        UNDERLYING="BTC",
        EXCHANGE="deribit",
        TEST="true",
        DRY_RUN="1",
        CONFIG="configs/other.toml",
    )
    assert " ".join(done.stdout.splitlines()[:-1]) == (
        "supervisor.py configs/other.toml -expiry 20261225 -strikes 2800,3000 -size 0.2 -spread 20 -min-spread 50"
        " -refresh 2 -max-position 3 -max-exposure 4 -improvement 0.2 -improvement-reference-size 1 -underlying BTC"
        " -exchange deribit -test -dry-run --duration 5"
    )


def test_the_flags_that_the_script_passes_exist() -> None:
    """The script and the command line cannot drift apart."""
    import re

    from actors.console.flags import BY_NAME

    named = re.findall(r"^(?:value_of|switch_of) [A-Z_]+ ([a-z-]+)$", RUN.read_text(), re.MULTILINE)
    assert len(named) == 15
    assert set(named) <= set(BY_NAME)


@pytest.mark.parametrize(("text", "expected"), [("yes", True), ("ON", True), ("0", False), ("", False)])
def test_switches_understand_yes_and_no(installed: Path, text: str, expected: bool) -> None:
    """1, true, yes and on are yes; 0, false, no, off and nothing are no."""
    assert ("-all-strikes" in run(installed, ALL_STRIKES=text).stdout.splitlines()) is expected


def test_a_switch_that_is_neither_is_one_clear_line(installed: Path) -> None:
    """Nothing is started on a setting that was not understood."""
    done = run(installed, TEST="maybe")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "strikemaker: TEST=maybe: is neither yes nor no; give true or false\n"


def test_the_script_becomes_the_supervisor(installed: Path) -> None:
    """exec: the process that was started is the one that gets the signals."""
    with subprocess.Popen(
        ["bash", "scripts/run_market_maker.sh"], cwd=installed, stdout=subprocess.PIPE, text=True
    ) as started:
        out, _ = started.communicate(timeout=30)
    assert out.splitlines()[-1] == f"pid {started.pid}"


def test_it_can_be_called_from_anywhere(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A configuration named relative to where one stands is found."""
    here = tmp_path_factory.mktemp("elsewhere")
    (here / "mine.toml").write_text("")
    done = subprocess.run(
        ["bash", str(installed / "scripts" / "run_market_maker.sh")],
        cwd=here,
        env={"PATH": os.environ["PATH"], "CONFIG": "mine.toml"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.splitlines()[1] == f"{here}/mine.toml"


def test_a_changed_requirement_installs_again(installed: Path) -> None:
    """The stamp is a hash of setup.cfg: as soon as that differs, the environment is not current."""
    ask = ["bash", "-c", '. scripts/setup_env.sh; is_current ""']
    assert subprocess.run(ask, cwd=installed).returncode == 0
    (installed / "setup.cfg").write_text((installed / "setup.cfg").read_text() + "\n")
    assert subprocess.run(ask, cwd=installed).returncode != 0


def test_a_running_environment_does_not_count_as_one_for_tests(installed: Path) -> None:
    """The smaller set of packages does not cover the larger one; the other way round it does."""
    ask = ["bash", "-c", ". scripts/setup_env.sh; is_current test"]
    assert subprocess.run(ask, cwd=installed).returncode != 0
    venv = installed / ".venv"
    (venv / ".installed-run").rename(venv / ".installed-test")
    assert subprocess.run(ask, cwd=installed).returncode == 0
    assert run(installed).returncode == 0


def test_an_old_or_missing_python_is_told_with_what_to_do(installed: Path) -> None:
    """One line names what was found, the next how to get what is needed."""
    shutil.rmtree(installed / ".venv")
    bin_folder = installed / "bin"
    bin_folder.mkdir()
    for tool in ("bash", "cat", "cksum", "tr", "head", "dirname", "env"):
        found = shutil.which(tool)
        assert found is not None
        (bin_folder / tool).symlink_to(found)
    none = run(installed, PATH=str(bin_folder))
    assert none.returncode == 2
    assert none.stderr.splitlines()[0] == "strikemaker: Python 3.11 or newer is needed; found none"
    old = bin_folder / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.8.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    too_old = run(installed, PATH=str(bin_folder))
    assert too_old.returncode == 2
    assert "found only: python3 (Python 3.8.2)" in too_old.stderr
    assert "apt install python3" in too_old.stderr


def stand_in(folder: Path, *, is_quick: bool) -> Path:
    """Something on the PATH that goes by python3.11, is new enough, and was built as told."""
    python = folder / "python3.11"
    folder.mkdir()
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || exit {0 if is_quick else 1}\n')
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("first_is_quick", "second_is_quick", "wish", "chosen"),
    [
        (False, True, "", "second"),
        (True, True, "", "first"),
        (False, False, "", "first"),
        (False, True, "first", "first"),
        (True, True, "second", "second"),
    ],
)
def test_of_two_pythons_of_a_name_the_quick_one_is_taken(
    tmp_path: Path, first_is_quick: bool, second_is_quick: bool, wish: str, chosen: str
) -> None:
    """The first on the PATH that was built optimised, else the first; what PYTHON names is taken as it is."""
    place = {
        "first": stand_in(tmp_path / "first", is_quick=first_is_quick),
        "second": stand_in(tmp_path / "second", is_quick=second_is_quick),
    }
    environ = {"PATH": f"{tmp_path}/first:{tmp_path}/second"}
    if wish:
        environ["PYTHON"] = str(place[wish])
    bash = shutil.which("bash")
    assert bash is not None
    ask = [bash, "-c", ". scripts/setup_env.sh; find_python"]
    found = subprocess.run(ask, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30)
    assert (found.returncode, found.stdout) == (0, f"{place[chosen]}\n")
