"""Flags, environment and TOML into one checked `Settings`, with the origin of every value kept.

Precedence: flag > environment > file > default. `[quoting]`, `[limits]` and `[mmp]` at the top of the file are merged
under every `[[cells]]`. Reads the TOML and key files; never the network, never a prompt. Invariant: `load` either
returns settings that pass every check which needs no venue, or raises one ConfigError with all problems found.
"""

from __future__ import annotations

import copy
import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from actors.console import checks, flags, shapes
from actors.console.flags import CommandLine, Flag
from actors.console.places import unwritable
from actors.console.secrets import Secret, remember_keys
from actors.console.settings import Settings
from actors.trading.errors import ConfigError

DEFAULT = "default"
SHARED = ("quoting", "limits", "mmp")
"""Sections that may stand at the top of the file, as defaults of every cell."""
KEY_SOURCES = ("venue.private_key", "venue.private_key_file", "venue.keystore")
FLAG, ENVIRONMENT, FILE = "flag", "environment", "file"
RIVALS = {
    "strikes": ("all_strikes", "instruments"),
    "all_strikes": ("strikes", "instruments"),
    "instruments": ("strikes", "all_strikes", "expiries"),
    "expiries": ("instruments",),
    "quoting.bid_only": ("quoting.ask_only",),
    "quoting.ask_only": ("quoting.bid_only",),
}
"""A flag of a cell puts its rivals in the file out of force; two rivals of one origin are an error."""
CHOICE = ("expiries", "strikes", "instruments")
"""What a cell quotes: of no account to a command that quotes nothing."""


@attrs.frozen
class RunOptions:
    """What belongs to one run and not to the configuration."""

    config: str | None = None
    dry_run: bool = False
    plain: bool = False
    verbose: bool = False
    summary: str | None = None
    """File for the run's figures as JSON."""


@attrs.frozen
class Effective:
    """The settings in force and where each value came from."""

    settings: Settings
    origins: dict[str, str]
    """By dotted path, e.g. "cells[0].quoting.size" -> "flag -size"; what is missing here is the default."""
    options: RunOptions = RunOptions()
    warnings: tuple[str, ...] = ()

    def origin(self, path: str) -> str:
        return self.origins.get(path, DEFAULT)


@attrs.define
class _Draft:
    """The values so far as a TOML tree, and their origins."""

    tree: dict[str, Any]
    origins: dict[str, str] = attrs.field(factory=dict)
    problems: list[str] = attrs.field(factory=list)
    faulted: set[str] = attrs.field(factory=set)
    """Paths whose value was unreadable and is left out: what is said of them already is enough."""

    def put(self, path: str, value: Any, origin: str) -> None:
        node: Any = self.tree
        *outer, last = _steps(path)
        for step in outer:
            node = node[step] if isinstance(step, int) else node.setdefault(step, {})
        node[last] = value
        for inner in [known for known in self.origins if known.startswith(f"{path}.")]:
            del self.origins[inner]
        self.origins[path] = origin

    def drop(self, path: str) -> None:
        node: Any = self.tree
        *outer, last = _steps(path)
        for step in outer:
            node = node[step] if isinstance(step, int) else node.get(step, {})
        node.pop(last, None)
        self.origins.pop(path, None)

    def get(self, path: str, default: Any = None) -> Any:
        node: Any = self.tree
        for step in _steps(path):
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return default
        return node


def _steps(path: str) -> list[str | int]:
    """ "cells[0].quoting" -> ["cells", 0, "quoting"]."""
    words = path.replace("[", ".").replace("]", "").split(".")
    return [int(word) if word.isdigit() else word for word in words]


def load(
    argv: Sequence[str], environ: Mapping[str, str], prog: str = "strikemaker run", *, is_choice_needed: bool = True
) -> Effective:
    """The configuration in force for a command line (without the command) and an environment.

    Without `is_choice_needed` nothing is said of what a cell would quote, be it missing or wrong.
    """
    line = flags.parse(argv, prog)
    draft = _Draft(read_toml(line.config) if line.config else {})
    draft.problems += shapes.problems(draft.tree, _file_name(line.config))
    if draft.problems:
        # Typed layers on top of a broken file would only repeat its errors; still tell of broken flags at once.
        raise ConfigError(*draft.problems, *_flag_problems(line))
    _note_origins(draft, f"{FILE} {_file_name(line.config)}")
    _merge_shared(draft)
    _overlay_environment(draft, line, environ)
    _overlay_flags(draft, line)
    if line.settings and (misfits := shapes.problems(draft.tree, "-set")):
        raise ConfigError(*draft.problems, *misfits)
    settings = shapes.structure(draft.tree, Settings)
    for _, value, _ in shapes.values(settings):
        remember_keys(value if isinstance(value, str) else "")
    if not is_choice_needed:
        draft.faulted |= {f"cells[{index}].{name}" for index in range(len(settings.cells)) for name in CHOICE}
    problems, warnings = checks.check(settings, draft.origins, draft.faulted)
    problems = [*draft.problems, *problems, *_missing_files(settings, draft, line)]
    if problems:
        raise ConfigError(*problems)
    return Effective(settings, draft.origins, _options(line), tuple(warnings + _warnings(draft, line)))


def _options(line: CommandLine) -> RunOptions:
    return RunOptions(
        config=line.config,
        dry_run=line.has("dry-run"),
        plain=line.has("plain"),
        verbose=line.has("verbose"),
        summary=line.given.get("summary"),
    )


# -- the file


def read_toml(path: str) -> dict[str, Any]:
    """The file as a tree. ConfigError with the line where the syntax breaks, or with near names when it is missing."""
    file = Path(os.path.expanduser(path))  # which leaves ~somebody who is not there as it stands
    try:
        text = file.read_text("utf-8-sig")
        remember_keys(text)
        return tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{_near_files(file)}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give a TOML file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is no valid TOML: {error}") from None


def _near_files(file: Path) -> str:
    around = sorted(found.name for found in file.parent.glob("*.toml")) if file.parent.is_dir() else []
    near = difflib.get_close_matches(file.name, around, 1)
    if near:
        return f"; did you mean {file.with_name(near[0])}?"
    return f"; there are: {', '.join(around)}" if around else "; give the path of a TOML file (examples in configs/)"


def _file_name(path: str | None) -> str:
    return Path(path).name if path else ""


def _note_origins(draft: _Draft, origin: str) -> None:
    for path in _leaves(draft.tree, ""):
        draft.origins[path] = origin


def _leaves(node: Any, path: str) -> Iterator[str]:
    """Dotted paths of everything that is a value in the tree; a list of tables is walked, a list of values is one."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(node, list) and node and isinstance(node[0], dict):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{path}[{index}]")
    else:
        yield path


def _merge_shared(draft: _Draft) -> None:
    """The shared sections go under every cell, and are gone from the top; there is at least one cell."""
    shared = {name: draft.tree.pop(name) for name in SHARED if name in draft.tree}
    cells = draft.tree.setdefault("cells", [])
    if not cells:
        cells.append({})
    for index, cell in enumerate(cells):
        for section, values in shared.items():
            _merge_section(draft, section, f"cells[{index}].{section}", cell.setdefault(section, {}), values)
    for path in [path for path in draft.origins if path.split(".")[0] in SHARED]:
        del draft.origins[path]


def _merge_section(draft: _Draft, top: str, path: str, own: dict[str, Any], shared: dict[str, Any]) -> None:
    same_strategy = own.get("strategy", shared.get("strategy")) == shared.get("strategy")
    for name, value in shared.items():
        if name == "params" and not same_strategy:
            continue  # parameters of another strategy mean nothing here
        if isinstance(value, dict):
            _merge_section(draft, f"{top}.{name}", f"{path}.{name}", own.setdefault(name, {}), value)
        elif name not in own:
            own[name] = copy.deepcopy(value)
            draft.origins[f"{path}.{name}"] = draft.origins[f"{top}.{name}"]


# -- environment and flags


def _overlay_environment(draft: _Draft, line: CommandLine, environ: Mapping[str, str]) -> None:
    exchange = line.given.get("exchange") or draft.get("venue.exchange", "derive")
    for name, path, belongs_to in flags.ENVIRONMENT:
        text = environ.get(name, "").strip()
        remember_keys(text)
        if text and belongs_to == exchange:
            _set(draft, path, _kind_of(path), text, f"{ENVIRONMENT} {name}", name)


def _kind_of(path: str) -> str:
    return next((flag.kind for flag in flags.FLAGS if flag.path == path), "text")


def _overlay_flags(draft: _Draft, line: CommandLine) -> None:
    for word in line.settings:
        _overlay_setting(draft, word)
    for name, text in line.given.items():
        flag = flags.BY_NAME[name]
        for path in _targets(draft, flag, name):
            _set(draft, path, flag.kind, text, f"{FLAG} -{name}", f"-{name}")
    _choose_network(draft, line)


def _targets(draft: _Draft, flag: Flag, name: str) -> list[str]:
    """The paths a flag sets: one, or one in each cell."""
    if not flag.path.startswith("cells."):
        return [flag.path] if flag.path else []
    cells = draft.tree["cells"]
    if len(cells) > 1 and name in ("strikes", "underlying", "instruments"):
        draft.problems.append(
            f"-{name}: the file has {len(cells)} cells and this cannot say which is meant; change it in the file"
        )
        return []
    return [flag.path.replace("cells.", f"cells[{index}].", 1) for index in range(len(cells))]


def _set(draft: _Draft, path: str, kind: str, text: str, origin: str, spoken: str) -> None:
    try:
        value = shapes.read(kind, text)
    except ValueError as error:
        draft.problems.append(f"{spoken}: {error}")
        draft.faulted.add(path)
        return
    _silence_rivals(draft, path, origin)
    draft.put(path, value, origin)


def _silence_rivals(draft: _Draft, path: str, origin: str) -> None:
    """What the file says to the contrary is overridden, not contradicted."""
    level = origin.split()[0]
    if path in KEY_SOURCES:
        rivals = [other for other in KEY_SOURCES if other != path]
    else:
        cell, _, name = path.partition(".")
        rivals = [f"{cell}.{other}" for other in RIVALS.get(name, ())]
    for rival in rivals:
        if draft.origins.get(rival, level).split()[0] != level:
            draft.drop(rival)


def _overlay_setting(draft: _Draft, word: str) -> None:
    """--set KEY=VALUE; shared sections mean every cell."""
    path, equals, text = word.partition("=")
    path = path.strip()
    if not equals or not path:
        draft.problems.append(f"-set {word}: is not KEY=VALUE; e.g. -set quoting.order_life_s=600")
        return
    value = _setting_value(path, text)
    paths = [path]
    if path.split(".")[0] in SHARED:
        paths = [f"cells[{index}].{path}" for index in range(len(draft.tree["cells"]))]
    trial: dict[str, Any] = {}
    shapes.plant(trial, path.replace("[", ".").replace("]", "").split("."), value)
    found = shapes.problems(trial, "-set") if "[" not in path else []
    draft.problems += found
    for target in [] if found else paths:
        try:
            draft.put(target, value, f"{FLAG} -set")
        except (KeyError, IndexError, TypeError, AttributeError):
            draft.problems.append(f"-set {path}: there is no such key; see docs/configuration.md")


def _setting_value(path: str, text: str) -> Any:
    """A TOML value, or plain text where it is none; the word as it stands where the key is text: an address is no number."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text.strip()
    field = shapes.field_of(path)
    is_text = field is not None and field.type in (str, Secret)
    return text.strip() if is_text and not isinstance(value, str) else value


def _choose_network(draft: _Draft, line: CommandLine) -> None:
    """-paper beats all, -test beats a file's live; to go live against a file that says test, change the file."""
    asked = [name for name in ("paper", "test", "live") if line.has(name)]
    if len(asked) > 1:
        draft.problems.append(f"-{asked[0]} and -{asked[1]}: contradict each other; give one of them")
        draft.drop("venue.live")
        draft.drop("venue.test")
    elif asked in (["paper"], ["test"]):
        for name in {"live", "test"} - set(asked):
            if draft.get(f"venue.{name}"):
                draft.put(f"venue.{name}", False, f"{FLAG} -{asked[0]}")
    elif asked == ["live"] and draft.get("venue.test"):
        draft.problems.append("-live: the file says venue.test = true; take that out of the file to trade real money")
        draft.drop("venue.live")


def _missing_files(settings: Settings, draft: _Draft, line: CommandLine) -> list[str]:
    """What a run would only stumble over later: a chain that is not there, files that could not be written."""
    found = []
    chain = settings.paper.chain
    if chain and "\0" not in chain and not Path(chain).is_file():
        found.append(f"{checks.spoken('paper.chain', draft.origins)}: {chain}: no such file; give a recorded chain")
    for where, path in (
        ("-summary", line.given.get("summary", "")),
        (checks.spoken("paper.ledger", draft.origins), settings.paper.ledger),
    ):
        problem = unwritable(path)
        if problem:
            found.append(f"{where}: {path}: {problem}")
    return found


def _flag_problems(line: CommandLine) -> list[str]:
    """What is wrong with the flags by themselves."""
    found = []
    for name, text in line.given.items():
        try:
            shapes.read(flags.BY_NAME[name].kind, text)
        except ValueError as error:
            found.append(f"-{name}: {error}")
    return found


def _warnings(draft: _Draft, line: CommandLine) -> list[str]:
    found = []
    if line.has("private-key") or draft.origins.get("venue.private_key") == f"{FLAG} -set":
        found.append(
            "-private-key: everybody on this machine can read it with ps; use DERIVE_PRIVATE_KEY / DERIBIT_PRIVATE_KEY,"
            " -private-key-file or -keystore"
        )
    origin = draft.origins.get("venue.private_key", "")
    if line.config and origin.startswith(FILE) and Path(line.config).expanduser().stat().st_mode & 0o077:
        found.append(f"{line.config}: holds a private key and others may read it; run: chmod 600 {line.config}")
    return found
