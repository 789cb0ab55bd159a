"""Writes docs/configuration.md from the settings' own metadata, so that it cannot say anything else than the code.

`python scripts/make_docs.py` writes it, `--check` only says whether it is current (a test does the same).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from actors.console.exits import MEANINGS  # noqa: E402
from actors.console.flags import ENVIRONMENT, FLAGS  # noqa: E402
from actors.console.ranges import range_words  # noqa: E402
from actors.console.secrets import Secret  # noqa: E402
from actors.console.settings import QuotingSettings, Settings  # noqa: E402
from actors.trading import strategies  # noqa: E402

TARGET = ROOT / "docs" / "configuration.md"
SECTIONS = {
    "venue": "Which venue, which account, how long to wait for it.",
    "cells": "One `[[cells]]` for each underlying (and its expiries) to quote; each is a process of its own.",
    "cells.quoting": "What is quoted. At the top as `[quoting]` for all cells, or as `[cells.quoting]` for one.",
    "cells.quoting.protections": "When a quote is pulled or widened to protect it. `[quoting.protections]` for all cells.",
    "cells.limits": "What may be risked. At the top as `[limits]`, or as `[cells.limits]`.",
    "cells.mmp": "Market-maker protection by the venue. At the top as `[mmp]`, or as `[cells.mmp]`.",
    "supervision": "When something dies.",
    "paper": "The built-in paper exchange. Nothing here matters on a real venue.",
    "journal": "What is kept of a run.",
    "status": "What is shown of a run.",
}


def render() -> str:
    """The whole page."""
    parts = [_intro(), _flags(), _environment(), _sections(), _strategies(), _exits()]
    return "\n".join("\n".join(part) for part in parts)


def _intro() -> Iterator[str]:
    yield """# Configuration

*Made from the code by `scripts/make_docs.py`; change the code, not this page.*

Settings come from a TOML file, from the environment and from flags: **flag > environment > file > default**.
`strikemaker run CONFIG.toml --dry-run` shows every value in force and where it came from, every instrument that would be
quoted, and exits. As much of what is wrong as can be told at once is told at once, one line each, with exit code 2. (A file
that is no TOML, or holds values of the wrong type, is mended first.) Examples are in `configs/`.

**Where orders go.** Without `live = true` (or `--live`) and without `test = true` (or `-test`) everything runs on the paper
exchange. `-test` goes to the testnet and needs no `--live`. `--paper` overrides both. `-test` overrides `live = true` in the
file. `-live` does not override `test = true`: change the file. The first line of every run says which it is.

**Expiries** are written `20261225` or `25DEC26`. Because listed expiries move with the calendar there are also three words:
`nearest` (the first expiry with at least an hour left to quote), `nearest-weekly` (the first such Friday) and
`nearest-monthly` (the first such last Friday of a month). They are resolved against the venue's listing at the start.

**Which instruments.** Each cell needs `expiries` with either `strikes` or `all_strikes`; or, instead of these,
`instruments` by name (`ETH-20261225-2800-C` and `ETH-25DEC26-2800-C` are the same).
When `max_exposure` cannot hold one `size` of each, the instruments nearest the money are quoted, the rest get no room.

**The key** is given by exactly one of: the environment, a file that only its owner may read (`private_key_file`), an
encrypted V3 keystore (`keystore`, its password from a file or the prompt), the TOML file, or `-private-key` (which draws a
warning, for `ps` shows it). It is never printed or logged; the dry run shows the signer's address, or on Deribit the
client id. The paper exchange needs none.
"""


def _flags() -> Iterator[str]:
    yield "## Flags\n"
    yield "With one dash or two, with or without a file (`strikemaker market-maker -expiry ...`)."
    yield "A flag of a cell applies to every cell of the file.\n"
    yield from _table(("flag", "sets", "meaning (default)"), [_flag_row(flag) for flag in FLAGS])


def _flag_row(flag: Any) -> tuple[str, str, str]:
    spelled = f"-{flag.name}" + (f" {flag.shown}" if flag.shown else "")
    return f"`{spelled}`", f"`{flag.path.replace('cells.', '')}`" if flag.path else "this run", flag.help


def _environment() -> Iterator[str]:
    yield "## Environment\n"
    rows = [(f"`{name}`", f"`{path}`", f"read when the exchange is {exchange}") for name, path, exchange in ENVIRONMENT]
    rows.append(("`LOGURU_LEVEL`", "log level", "TRACE, DEBUG, INFO (default), WARNING or ERROR; `--verbose` is DEBUG"))
    yield from _table(("name", "sets", "when"), rows)
    yield "`scripts/run_market_maker.sh` also takes these and passes them on as flags:\n"
    yield from _table(("name", "flag"), _script_rows())


def _script_rows() -> list[tuple[str, str]]:
    script = (ROOT / "scripts" / "run_market_maker.sh").read_text("utf-8")
    found = re.findall(r"^(?:value_of|switch_of) ([A-Z_]+) ([a-z-]+)$", script, re.MULTILINE)
    return [(f"`{name}`", f"`-{flag}`") for name, flag in found] + [("`CONFIG`", "the file (`configs/paper.toml`)")]


def _sections() -> Iterator[str]:
    yield "## The file\n"
    top = [_key_row(field) for field in attrs.fields(_resolved(Settings)) if "help" in field.metadata]
    yield "### At the top\n"
    yield from _table(("key", "default", "unit", "range", "meaning"), top)
    yield from _walk(Settings, "")


def _walk(kind: Any, path: str) -> Iterator[str]:
    for field in attrs.fields(_resolved(kind)):
        inner = get_args(field.type)[0] if get_origin(field.type) is list else field.type
        if not attrs.has(inner):
            continue
        here = f"{path}.{field.name}".strip(".")
        brackets = "[[cells]]" if here == "cells" else f"[{here}]"
        yield f"### `{brackets}`\n"
        yield f"{SECTIONS[here]}\n"
        rows = [_key_row(one) for one in attrs.fields(_resolved(inner)) if "help" in one.metadata]
        yield from _table(("key", "default", "unit", "range", "meaning"), rows)
        yield from _walk(inner, here)


def _resolved(kind: Any) -> Any:
    return attrs.resolve_types(kind)


def _key_row(field: Any) -> tuple[str, str, str, str, str]:
    meta = field.metadata
    bounded = any(meta.get(name) is not None for name in ("low", "above", "high", "below"))
    allowed = ", ".join(f"`{one}`" for one in meta.get("choices") or ()) or (
        range_words({**meta, "unit": ""}) if bounded else ""
    )
    return f"`{field.name}`", _default(field), meta.get("unit", ""), allowed, meta["help"]


def _default(field: Any) -> str:
    value = field.default
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        value = value.factory()
    if value is None or value == "" or isinstance(value, Secret):
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _strategies() -> Iterator[str]:
    yield "## Strategies and their parameters\n"
    yield "`strategy` in `[quoting]` names one; its parameters stand in `[quoting.params]`.\n"
    for name in strategies.names():
        module = strategies.find(QuotingSettings(strategy=name))
        yield f"### `{name}`\n"
        yield f"{(module.__doc__ or '').strip().splitlines()[0]}\n"
        rows = [_key_row(field) for field in attrs.fields(module.Parameters)]
        columns = ("parameter", "default", "unit", "range", "meaning")
        yield from _table(columns, rows) if rows else ["No parameters of its own.\n"]


def _exits() -> Iterator[str]:
    yield "## Exit codes\n"
    yield from _table(("code", "meaning"), [(f"`{int(code)}`", words) for code, words in MEANINGS.items()])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


METRICS_HEAD = """# Metrics

`[status] port` serves them at `/metrics` on loopback, in Prometheus' text format; `/healthz` answers 200 while everything
that should quote does, and 503 with one reason a line otherwise. Made from the code by `scripts/make_docs.py`.

"""


def render_metrics() -> str:
    from actors.metrics import table

    return METRICS_HEAD + table()


def main(argv: Sequence[str]) -> int:
    pages = {TARGET: render(), TARGET.with_name("metrics.md"): render_metrics()}
    is_current = True
    for file, body in pages.items():
        text = body.rstrip("\n") + "\n"
        if "--check" in argv:
            is_same = file.exists() and file.read_text("utf-8") == text
            print(f"{file.name} is {'current' if is_same else 'out of date: run python scripts/make_docs.py'}")
            is_current = is_current and is_same
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
            print(f"wrote {file.name}")
    return 0 if is_current else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
