"""`strikemaker doctor [CONFIG.toml] [flags]`: is this machine fit to run, before any order depends on it?

Looks at Python, the pinned packages, the clock's resolution, the configuration, key files, the run folder and ports.
Sends nothing to any venue. Invariant: every finding that is not good names what to do about it.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import attrs
from rich.table import Table
from rich.text import Text

from actors.console import config, interpreter, keys
from actors.console.config import Effective
from actors.console.exits import Exit
from actors.console.page import Page
from actors.console.secrets import redact
from actors.console.settings import Settings
from actors.trading.errors import ConfigError

PROG = "strikemaker doctor"
OLDEST_PYTHON = (3, 11)
LEAST_DISK_BYTES = 200_000_000
LEAST_DESCRIPTORS = 256


@attrs.frozen
class Finding:
    what: str
    is_good: bool
    text: str


def main(argv: Sequence[str]) -> int:
    """Prints every finding; 0 when all are good, 1 otherwise."""
    findings = list(examine(argv))
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        mark = Text("good", style="green") if finding.is_good else Text("BAD", style="bold red")
        table.add_row(mark, Text(finding.what), Text(redact(finding.text)))
    Page().print(table)
    return Exit.OK if all(finding.is_good for finding in findings) else Exit.NOT_CONFIRMED


def examine(argv: Sequence[str]) -> Iterator[Finding]:
    yield _python()
    yield _packages()
    yield _clock()
    yield _descriptors()
    try:
        effective = config.load(argv, os.environ, PROG) if argv else None
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", False, problem)
        effective = _without_choice(argv)
        if effective is None:
            return
    else:
        told = f"{len(effective.settings.cells)} cell(s), {effective.settings.network}" if effective else "not given"
        yield Finding("configuration", True, told)
    for warning in effective.warnings if effective else ():
        yield Finding("configuration", False, warning)
    settings = effective.settings if effective else Settings()
    yield from _key_files(settings)
    yield _folder(Path(settings.journal.folder))
    yield from _ports(settings)


def _without_choice(argv: Sequence[str]) -> Effective | None:
    """A doctor is asked about files before they are complete: a missing expiry must not hide a port that is in use."""
    try:
        return config.load(argv, os.environ, PROG, is_choice_needed=False)
    except ConfigError:
        return None


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Finding("python", False, f"{version} is too old; use 3.11 or newer")
    return Finding("python", True, version if interpreter.is_quick() else f"{version}, {interpreter.REMARK}")


def _packages() -> Finding:
    """Against the pins in our own metadata; ranges are pip's business at installation."""
    try:
        wanted = [text for text in metadata.requires("strikemaker") or [] if "extra ==" not in text]
    except metadata.PackageNotFoundError:
        return Finding(
            "packages", False, "strikemaker is not installed here; run scripts/run_market_maker.sh or pip install ."
        )
    wrong = [text for text in map(_package_problem, wanted) if text]
    return Finding("packages", not wrong, "; ".join(wrong) or f"{len(wanted)} requirements met")


def _package_problem(requirement: str) -> str:
    found = re.match(r"([A-Za-z0-9_.-]+)==([^\s;]+)$", requirement.strip())
    if not found:
        return ""
    name, pinned = found.groups()
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} {pinned} is missing; install again"
    return "" if version == pinned else f"{name} is {version}, not {pinned}; install again"


def _clock() -> Finding:
    """What can be seen from here; the offset from the venue's clock is checked at login."""
    year = time.gmtime().tm_year
    good = 2026 <= year < 2100 and time.get_clock_info("monotonic").resolution <= 1e-3
    return Finding("clock", good, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()) + ("" if good else "; set it (NTP)"))


def _descriptors() -> Finding:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    good = soft == resource.RLIM_INFINITY or soft >= LEAST_DESCRIPTORS
    return Finding("file descriptors", good, f"{soft} allowed" + ("" if good else "; raise with ulimit -n 1024"))


def _key_files(settings: Settings) -> Iterator[Finding]:
    for name in ("private_key_file", "keystore", "keystore_password_file"):
        path = getattr(settings.venue, name)
        if not path:
            continue
        file = Path(os.path.expanduser(path))
        if not file.is_file():
            yield Finding(name, False, f"{keys.named(path)}: no such file")
        elif file.stat().st_mode & 0o077:
            yield Finding(name, False, f"{path}: others may read it; run: chmod 600 {path}")
        else:
            yield Finding(name, True, f"{path}: readable by its owner only")


def _folder(folder: Path) -> Finding:
    at = next((place for place in (folder, *folder.absolute().parents) if place.exists()), Path("/"))
    if not os.access(at, os.W_OK):
        return Finding("run folder", False, f"{folder}: {at} is not writable; change journal.folder")
    free = shutil.disk_usage(at).free
    good = free >= LEAST_DISK_BYTES
    return Finding("run folder", good, f"{folder}: {free / 1e9:.1f} GB free" + ("" if good else "; make room"))


def _ports(settings: Settings) -> Iterator[Finding]:
    wanted = [("status.port", settings.status.port)]
    if settings.is_paper and not settings.venue.url:
        wanted.append(("paper.port", settings.paper.port))
    for name, port in wanted:
        if port is not None:
            yield _port(name, settings.paper.host, port)


def _port(name: str, host: str, port: int) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding(name, False, f"{host}:{port} cannot be bound ({error.strerror}); choose another or 0")
    return Finding(name, True, f"{host}:{port} is free" if port else "any free port")
