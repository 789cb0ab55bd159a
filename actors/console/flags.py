"""The flags of the command line and the names in the environment: one table that says which key each one sets.

Splits the command line into flag and text; values are still words here (`config.py` types them). Every flag works with
one dash or two. Never reads a file. Invariant: every flag and environment name of the product is in this table, and
`docs/configuration.md` is made from it.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import NoReturn

import attrs

from actors.trading.errors import ConfigError


@attrs.frozen
class Flag:
    """One flag: the key it sets (empty: an option of the run itself), and how its text is read."""

    name: str
    path: str
    kind: str
    """text, number, whole, switch, words (comma separated), numbers, seconds."""
    help: str
    shown: str = ""
    """What stands for the value in the help."""
    group: str = "quoting"


FLAGS = (
    Flag("expiry", "cells.expiries", "words", "expiry to quote; several with commas, or nearest-weekly", "YYYYMMDD"),
    Flag("strikes", "cells.strikes", "numbers", "strikes to quote, calls and puts of each", "2800,3000,3200"),
    Flag("all-strikes", "cells.all_strikes", "switch", "every strike of the expiry, new listings too"),
    Flag(
        "instruments",
        "cells.instruments",
        "words",
        "single instruments by name, in place of expiry and strikes",
        "NAME,NAME",
    ),
    Flag(
        "underlying",
        "cells.underlying",
        "text",
        "ETH or BTC; on Deribit also ETH_USDC, BTC_USDC, SOL_USDC or XRP_USDC (ETH)",
        "NAME",
    ),
    Flag("strategy", "cells.quoting.strategy", "text", "quoting strategy (improve)", "NAME"),
    Flag("spread", "cells.quoting.spread_bps", "number", "spread in bps of mid (10)", "BPS"),
    Flag("size", "cells.quoting.size", "number", "contracts a side (the venue's minimum; 0.1 on Derive ETH)", "CONTRACTS"),
    Flag(
        "refresh",
        "cells.quoting.refresh_s",
        "seconds",
        "check every quote again after this; seconds, or 90s, 5m, 2h (1)",
        "TIME",
    ),
    Flag("min-spread", "cells.quoting.min_spread_bps", "number", "never narrower than this, bps of mid (1000)", "BPS"),
    Flag(
        "improvement",
        "cells.quoting.improvement",
        "number",
        "inside the best of others by this, quote currency (0.10)",
        "MONEY",
    ),
    Flag(
        "improvement-reference-size",
        "cells.quoting.improvement_reference_size",
        "number",
        "only a level with at least this counts as best (0: any)",
        "CONTRACTS",
    ),
    Flag(
        "requote-threshold",
        "cells.quoting.requote_threshold",
        "number",
        "smallest price difference corrected (one tick)",
        "MONEY",
    ),
    Flag("bid-only", "cells.quoting.bid_only", "switch", "quote bids only"),
    Flag("ask-only", "cells.quoting.ask_only", "switch", "quote asks only"),
    Flag("max-position", "cells.limits.max_position", "number", "limit per instrument (1.0)", "CONTRACTS", "limits"),
    Flag(
        "max-exposure",
        "cells.limits.max_exposure",
        "number",
        "limit over all instruments (10.0)",
        "CONTRACTS",
        "limits",
    ),
    Flag("exchange", "venue.exchange", "text", "derive or deribit (derive)", "derive|deribit", "venue"),
    Flag("paper", "", "switch", "the built-in paper exchange, whatever the file says (the default)", group="venue"),
    Flag("test", "venue.test", "switch", "the venue's public testnet", group="venue"),
    Flag("live", "venue.live", "switch", "real money", group="venue"),
    Flag("url", "venue.url", "text", "WebSocket address in place of the built-in one", "WS_URL", "venue"),
    Flag(
        "private-key",
        "venue.private_key",
        "text",
        "signing key; better DERIVE_PRIVATE_KEY or DERIBIT_PRIVATE_KEY",
        "KEY",
        "venue",
    ),
    Flag("private-key-file", "venue.private_key_file", "text", "file that holds the key", "FILE", "venue"),
    Flag("keystore", "venue.keystore", "text", "encrypted V3 keystore", "FILE", "venue"),
    Flag("keystore-password-file", "venue.keystore_password_file", "text", "file with its password", "FILE", "venue"),
    Flag(
        "client-id",
        "venue.client_id",
        "text",
        "Deribit: id of the API key, if not written before the secret",
        "ID",
        "venue",
    ),
    Flag("wallet", "venue.wallet", "text", "Derive: owner's address (or DERIVE_WALLET_ADDRESS)", "0x...", "venue"),
    Flag("subaccount", "venue.subaccount", "whole", "Derive: subaccount id (or DERIVE_SUBACCOUNT_ID)", "ID", "venue"),
    Flag("seed", "paper.seed", "whole", "seed of the paper world", "N", "paper exchange"),
    Flag("speed", "paper.speed", "number", "how much faster the paper world runs", "X", "paper exchange"),
    Flag("chain", "paper.chain", "text", "recorded chain to load into the paper exchange", "FILE", "paper exchange"),
    Flag("tier", "paper.tier", "text", "trader or market_maker", "TIER", "paper exchange"),
    Flag("ledger", "paper.ledger", "text", "file for the paper exchange's ledger", "FILE", "paper exchange"),
    Flag("status-port", "status.port", "whole", "web page, /metrics and /healthz on this loopback port", "PORT", "run"),
    Flag("duration", "duration_s", "seconds", "stop by itself after this; seconds, or 90s, 5m, 2h", "TIME", "run"),
    Flag("summary", "", "text", "write the run's figures as JSON when it ends", "FILE", "run"),
    Flag("dry-run", "", "switch", "print what would be done, with the origin of every value, and exit", group="run"),
    Flag("plain", "", "switch", "log lines in place of the live table", group="run"),
    Flag("verbose", "", "switch", "log every quote and placement", group="run"),
    Flag("set", "", "settings", "any key of the file, e.g. --set supervision.guard=true (repeatable)", "KEY=VALUE", "run"),
)
BY_NAME = {flag.name: flag for flag in FLAGS}

ENVIRONMENT = (
    ("DERIVE_PRIVATE_KEY", "venue.private_key", "derive"),
    ("DERIVE_PRIVATE_KEY_FILE", "venue.private_key_file", "derive"),
    ("DERIVE_KEYSTORE", "venue.keystore", "derive"),
    ("DERIVE_KEYSTORE_PASSWORD_FILE", "venue.keystore_password_file", "derive"),
    ("DERIVE_WALLET_ADDRESS", "venue.wallet", "derive"),
    ("DERIVE_SUBACCOUNT_ID", "venue.subaccount", "derive"),
    ("DERIBIT_PRIVATE_KEY", "venue.private_key", "deribit"),
    ("DERIBIT_PRIVATE_KEY_FILE", "venue.private_key_file", "deribit"),
    ("DERIBIT_CLIENT_ID", "venue.client_id", "deribit"),
)
"""Environment name, the key it sets, and the exchange it belongs to: another exchange's names are not looked at."""


@attrs.frozen
class CommandLine:
    """The command line as words: the file, what each flag was given, and every `--set KEY=VALUE`."""

    config: str | None
    given: dict[str, str]
    """By flag name without dashes; a switch that was set is "true"."""
    settings: tuple[str, ...]

    def has(self, name: str) -> bool:
        return name in self.given


class OneLineParser(argparse.ArgumentParser):
    """argparse that says what is wrong in one line, as a ConfigError. Make it with allow_abbrev=False, to guess nothing."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(plain_words(message))


def plain_words(message: str) -> str:
    """argparse's complaint in the operator's words."""
    for pattern, words in _COMPLAINTS:
        found = re.match(pattern, message)
        if found:
            return words.format(found[1], example(found[1]), *found.groups()[1:])
    return message


_COMPLAINTS = (
    (r"argument --([\w-]+): expected one argument", "-{0}: has no value; give one after it, e.g. -{0} {1}"),
    (r"argument --([\w-]+): ignored explicit argument", "-{0}: is a switch and takes no value; leave the value out"),
    (r"the following arguments are required: --([\w-]+)", "-{0}: is missing; give -{0} {1}"),
    (r"the following arguments are required: ([\w-]+)", "{0}: is missing; see --help"),
    (r"argument --([\w-]+): invalid int value: (.*)", "-{0}: {2} is no whole number; give one like 3"),
    (r"argument --([\w-]+): invalid float value: (.*)", "-{0}: {2} is no number; give one like 0.5"),
    (r"argument --([\w-]+): invalid choice: (.*) \(choose from (.*)\)", "-{0}: {2} is none of {3}; choose one"),
    (r"unrecognized arguments: (.*)", "{0}: not understood; see --help"),
)


def example(name: str) -> str:
    flag = BY_NAME.get(name)
    return flag.shown if flag and flag.shown else "VALUE"


def two_dashes(argv: Sequence[str]) -> list[str]:
    """-flag becomes --flag; numbers, single letters and what follows `--` stay as they are."""
    words: list[str] = []
    for position, word in enumerate(argv):
        if word == "--":
            return words + list(argv[position:])
        words.append("-" + word if re.match(r"-[A-Za-z][\w-]", word) else word)
    return words


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Every flag of the table, grouped as in the help."""
    groups = {name: parser.add_argument_group(name) for name in dict.fromkeys(flag.group for flag in FLAGS)}
    for flag in FLAGS:
        group, spelled, target = groups[flag.group], f"--{flag.name}", f"flag:{flag.name}"
        if flag.kind == "switch":
            group.add_argument(spelled, dest=target, action="store_const", const="true", help=flag.help)
        elif flag.kind == "settings":
            group.add_argument(spelled, dest=target, action="append", metavar=flag.shown, help=flag.help)
        else:
            group.add_argument(spelled, dest=target, metavar=flag.shown, help=flag.help)


def run_parser(prog: str = "strikemaker run") -> OneLineParser:
    parser = OneLineParser(prog, description="Quote option strikes on Derive or Deribit.", allow_abbrev=False)
    parser.add_argument("config", nargs="?", metavar="CONFIG.toml", help="configuration; every flag overrides it")
    add_flags(parser)
    return parser


def parse(argv: Sequence[str], prog: str = "strikemaker run") -> CommandLine:
    """The command line as words. ConfigError names every unknown flag, with the nearest known one."""
    found, rest = run_parser(prog).parse_known_args(two_dashes(argv))
    if rest:
        raise ConfigError(*unknown(rest, list(BY_NAME)))
    given = {key.removeprefix("flag:"): value for key, value in vars(found).items() if value is not None}
    settings = tuple(given.pop("set", ()))
    return CommandLine(given.pop("config", None), given, settings)


def unknown(rest: Sequence[str], known: Sequence[str]) -> list[str]:
    """A line for each word that is no flag; the value after an unknown flag is passed over."""
    lines = []
    for position, word in enumerate(rest):
        if word.startswith("--"):
            name = word.removeprefix("--").partition("=")[0]
            near = difflib.get_close_matches(name, known, 1)
            fix = f"did you mean -{near[0]}?" if near else "see --help for those there are"
            lines.append(f"-{name}: unknown flag; {fix}")
        elif not (position and rest[position - 1].startswith("--")):
            lines.append(f"{word}: not understood; one CONFIG.toml, and flags with a dash")
    return lines
