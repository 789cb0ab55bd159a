"""The commands: `strikemaker run`, `market-maker`, `paper`, `cancel-all`, `rehearse`, `report` and the rest.

Splits off the command, hands the rest to the module that carries it out (imported only then: `--version` must not load
scipy), and turns errors into one line each and an exit code. Decides nothing else. Invariant: bad input never shows a
traceback, and no line printed here holds a secret.
"""

from __future__ import annotations

import difflib
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from actors.console.exits import Exit
from actors.console.flags import two_dashes
from actors.console.secrets import redact, remember_keys
from actors.trading.errors import ConfigError, NotGranted, StrikemakerError, VenueRefused, VenueUnreachable

NAME = "strikemaker"


@attrs.frozen
class Command:
    name: str
    help: str
    """Said in the list of commands."""
    carry_out: Callable[[Sequence[str]], int]


def run(argv: Sequence[str]) -> int:
    return _make_market(argv, f"{NAME} run")


def market_maker(argv: Sequence[str]) -> int:
    return _make_market(argv, f"{NAME} market-maker")


def _make_market(argv: Sequence[str], prog: str) -> int:
    from actors.console import config, keys

    effective = config.load(argv, os.environ, prog)
    for warning in effective.warnings:
        complain(f"warning: {warning}")
    if effective.settings.needs_key:
        venue = effective.settings.venue
        venue.private_key = keys.unlock(venue, getpass.getpass)
        venue.private_key_file = venue.keystore = ""
    import supervisor

    return int(supervisor.run(effective, effective.options))


def paper(argv: Sequence[str]) -> int:
    from actors.venues.paper.run import carry_out

    return carry_out(argv)


def report(argv: Sequence[str]) -> int:
    from actors.console.flags import OneLineParser
    from actors.console.report_surface import report_surface

    parser = OneLineParser(f"{NAME} report", description="Reports on recorded data.", allow_abbrev=False)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="surface")
    surface = kinds.add_parser("surface", help="fit a recorded chain and score the fit", allow_abbrev=False)
    surface.add_argument("--chain", required=True, type=Path, metavar="FILE", help="recorded chain, .csv or .csv.gz")
    surface.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    surface.add_argument("--html", type=Path, metavar="FILE", help="write pictures here (beside the JSON)")
    given = parser.parse_args(argv)
    return report_surface(given.chain, given.json, given.html)


def rehearse(argv: Sequence[str]) -> int:
    from actors.rehearsal.command import main as perform

    return perform(argv)


def doctor(argv: Sequence[str]) -> int:
    from actors.console.doctor import main as examine

    return examine(argv)


def explain(argv: Sequence[str]) -> int:
    from actors.console.explain import main as tell

    return tell(argv)


def cancel_all(argv: Sequence[str]) -> int:
    from actors.console.cancel_all import main as cancel

    return cancel(argv)


def reset_mmp(argv: Sequence[str]) -> int:
    from actors.console.reset_mmp import main as reset

    return reset(argv)


COMMANDS = (
    Command("run", "make markets as a configuration file says (flags override it)", run),
    Command("market-maker", "the same from flags alone: -expiry 20261225 -strikes 2800,3000", market_maker),
    Command("paper", "run the paper exchange alone, for any client", paper),
    Command("report", "report surface --chain FILE: fit a recorded chain and show the smiles", report),
    Command("rehearse", "seeded disasters on a virtual clock, judged by the exchange's ledger", rehearse),
    Command("explain", "show the terms that made an instrument's quotes in the latest run", explain),
    Command("cancel-all", "cancel every order of ours by hand, with proof; --scope account: the operator's too", cancel_all),
    Command("reset-mmp", "end a freeze of market-maker protection by hand", reset_mmp),
    Command("doctor", "check this machine: Python, packages, clock, key files, configuration, ports", doctor),
)
BY_NAME = {command.name: command for command in COMMANDS}


def main(argv: Sequence[str] | None = None) -> int:
    """The console script. Returns an `Exit` code; never raises for what an operator or a venue did."""
    words = list(sys.argv[1:] if argv is None else argv)
    _remember_keys(words)
    try:
        return _printed(words)
    except ConfigError as error:
        for problem in error.problems:
            complain(problem)
        return Exit.BAD_INPUT
    except VenueUnreachable as error:
        complain(f"venue unreachable: {error}")
        return Exit.UNREACHABLE
    except NotGranted as error:
        complain(str(error))
        return Exit.REFUSED
    except VenueRefused as error:
        complain(f"venue refused: {error}")
        return Exit.REFUSED
    except StrikemakerError as error:
        complain(f"{type(error).__name__}: {error}")
        return Exit.NOT_CONFIRMED
    except KeyboardInterrupt:
        complain("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (a pager, `head`): nothing is wrong.
        _give_up_output()
        return Exit.OK
    except OSError as error:
        complain(f"{error.filename or 'output'}: {error.strerror}")
        if not error.filename:
            _give_up_output()
        return Exit.NOT_CONFIRMED


def _give_up_output() -> None:
    """What still waits to be printed would only fail once more at the interpreter's end, with lines of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _printed(words: list[str]) -> int:
    """Carries out the command, its output really written: OSError where that fails, also of a command's help."""
    try:
        code = _dispatch(words)
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "-help", "--help", "help"):
        print(usage())
        return Exit.OK if words else Exit.BAD_INPUT
    if words[0] in ("-version", "--version", "version"):
        print(f"{NAME} {version()}")
        return Exit.OK
    command = BY_NAME.get(words[0])
    if command is None:
        raise ConfigError(_unknown_command(words[0]))
    return command.carry_out(two_dashes(words[1:]))


def _unknown_command(word: str) -> str:
    if word.endswith(".toml"):
        return f"{word}: is a file, not a command; did you mean: {NAME} run {word}"
    near = difflib.get_close_matches(word, BY_NAME, 1)
    return f"{word}: unknown command; " + (f"did you mean {near[0]}?" if near else f"there are: {', '.join(BY_NAME)}")


def usage() -> str:
    width = max(len(command.name) for command in COMMANDS)
    lines = [f"  {command.name:<{width}}  {command.help}" for command in COMMANDS]
    return "\n".join(
        [
            f"usage: {NAME} COMMAND [...]",
            "",
            *lines,
            "",
            f"{NAME} COMMAND --help tells the flags of a command; one dash or two, as you like.",
            "Without --live and without -test everything runs on the built-in paper exchange.",
        ]
    )


def version() -> str:
    from importlib import metadata

    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def complain(line: str) -> None:
    """One line on stderr, without any secret."""
    print(redact(f"{NAME}: {line}"), file=sys.stderr, flush=True)


def _remember_keys(words: Sequence[str]) -> None:
    """Whatever looks like a private key on the command line is never printed, wherever it stands."""
    for word in words:
        remember_keys(word)


if __name__ == "__main__":
    sys.exit(main())
