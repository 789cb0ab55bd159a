"""Does the configuration make sense? Every check that needs no venue, each problem in one line.

A line names the field, the value and the fix, with the field as the operator wrote it: the flag, the environment name
or the file's key. Never reads anything but its arguments (and the strategies' own parameter lists). Invariant: all
problems are found in one pass, so that nobody mends a file ten times.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Callable, Container, Mapping
from urllib.parse import urlsplit

from actors.console import shapes
from actors.console.flags import FLAGS
from actors.console.keys import key_problem, wallet_problem
from actors.console.ranges import range_problem, shown
from actors.console.settings import CellSettings, Settings, VenueSettings
from actors.trading.errors import ConfigError
from actors.trading.lives import LONGEST_MMP_S
from actors.venues.names import expiry_text, parse_expiry, parse_name

EXPIRY_WORDS = ("nearest", "nearest-weekly", "nearest-monthly")
UNDERLYINGS = {"derive": ("ETH", "BTC"), "deribit": ("ETH", "BTC", "ETH_USDC", "BTC_USDC", "SOL_USDC", "XRP_USDC")}
TAG = re.compile(r"[A-Za-z0-9_]{1,16}")
"""No dash: labels are `sm-TAG-CELL-RUN`, and "main" would take the orders of "main-2" for its own."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
QUIET_TICKER_S = 4.5
"""Deribit: a quiet option's ticker comes every four seconds, as recorded; until then its silent book is as old as that."""

BY_PATH = {flag.path: flag.name for flag in FLAGS if flag.path}

Origins = Mapping[str, str]
Say = Callable[[str, str], None]
"""Takes a dotted path and "what is wrong; the fix"."""


def check(settings: Settings, origins: Origins, faulted: Container[str] = ()) -> tuple[list[str], list[str]]:
    """All problems but those of `faulted` paths, and all warnings. Writes expiries back as YYYYMMDD, the normal form."""
    problems: dict[str, str] = {}
    warnings: list[str] = []

    def say(path: str, words: str) -> None:
        # One line for one key: the first check to object says enough.
        if path not in faulted:
            problems.setdefault(path, f"{spoken(path, origins)}: {words}")

    _check_ranges(settings, say)
    _check_venue(settings, say)
    for index, cell in enumerate(settings.cells):
        _check_cell(cell, f"cells[{index}]", settings, say, warnings)
        _check_limits(cell, f"cells[{index}]", settings.venue.exchange, origins, say)
    _check_overlap(settings.cells, say)
    _check_processes(settings, say)
    return list(dict.fromkeys(problems.values())), warnings


def spoken(path: str, origins: Origins) -> str:
    """A key as the operator wrote it: "-size", "DERIVE_PRIVATE_KEY", "paper.toml: cells[0].quoting.size"."""
    level, _, name = origins.get(path, "").partition(" ")
    if level in ("flag", "environment"):
        return name if name != "-set" else f"-set {path}"
    if level == "file":
        return f"{name}: {path}"
    flag = BY_PATH.get(re.sub(r"^cells\[\d+\]", "cells", path))
    return f"-{flag}" if flag else path


# -- ranges, from the settings' own metadata


def _check_ranges(settings: Settings, say: Say) -> None:
    for path, value, field in shapes.values(settings):
        for one in value if isinstance(value, list) else [value]:
            words = range_problem(one, field.metadata)
            if words:
                say(path, words)


# -- the venue


def _check_venue(settings: Settings, say: Say) -> None:
    venue = settings.venue
    if venue.live and venue.test:
        say("venue.live", "contradicts venue.test; set one of them (test: the testnet, live: real money)")
    if not TAG.fullmatch(venue.tag):
        say("venue.tag", f"{shown(venue.tag)} is no tag; give 1 to 16 letters, digits or _ (no dash), e.g. main2")
    # Who is meant to log in at an address that is none need not be asked yet.
    is_key_needed = _check_url(settings, say) and settings.needs_key
    if venue.exchange == "derive":
        _check_wallet(venue, is_key_needed, say)
    _check_key(venue, is_key_needed, say)


def _check_url(settings: Settings, say: Say) -> bool:
    """False when there is something wrong with it."""
    url = settings.venue.url
    if not url:
        return True
    try:
        parts = urlsplit(url)
        _ = parts.port  # read on demand, and only then found wrong
    except ValueError as error:
        say("venue.url", f"{shown(url)}: {error}; give ws://HOST:PORT/PATH or wss://...")
        return False
    is_here = parts.hostname in LOOPBACK
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        say("venue.url", f"{shown(url)} is no WebSocket address; give ws://HOST:PORT/PATH or wss://...")
    elif settings.is_paper and not is_here:
        say("venue.url", f"{shown(url)} is not on this machine; an address elsewhere needs -live or -test")
    elif not settings.is_paper and parts.scheme == "ws" and not is_here:
        say("venue.url", f"{shown(url)} is not encrypted; give a wss:// address")
    else:
        return True
    return False


def _check_wallet(venue: VenueSettings, is_needed: bool, say: Say) -> None:
    problem = wallet_problem(venue.wallet) if venue.wallet else ""
    if problem:
        say("venue.wallet", problem)
    elif not venue.wallet and is_needed:
        say("venue.wallet", "is missing; give -wallet or DERIVE_WALLET_ADDRESS (the address that owns the account)")


def _check_key(venue: VenueSettings, is_needed: bool, say: Say) -> None:
    sources = [path for path in ("private_key", "private_key_file", "keystore") if getattr(venue, path)]
    if len(sources) > 1:
        say(f"venue.{sources[0]}", f"is given together with {sources[1]}; give one of them")
    if venue.private_key:
        problem = key_problem(venue.exchange, venue.private_key, venue.client_id)
        if problem:
            say("venue.private_key", problem)
    elif not sources and is_needed:
        name = "DERIVE_PRIVATE_KEY" if venue.exchange == "derive" else "DERIBIT_PRIVATE_KEY"
        say("venue.private_key", f"is missing; give {name}, -private-key-file or -keystore")
    if venue.exchange == "deribit" and venue.keystore:
        say("venue.keystore", "holds an Ethereum key, which Deribit does not use; give DERIBIT_PRIVATE_KEY")


# -- cells


def _check_cell(cell: CellSettings, at: str, settings: Settings, say: Say, warnings: list[str]) -> None:
    known = UNDERLYINGS.get(settings.venue.exchange, ())
    if known and cell.underlying not in known:
        choice = f"{', '.join(known[:-1])} or {known[-1]}"
        say(f"{at}.underlying", f"{shown(cell.underlying)} is not traded here; choose {choice}")
    _check_choice(cell, at, say)
    if cell.quoting.bid_only and cell.quoting.ask_only:
        say(f"{at}.quoting.bid_only", "contradicts ask_only; give one of them, or none to quote both sides")
    _check_strategy(cell, at, say)
    _check_sizes(cell, at, warnings)
    _check_patience(cell, at, settings.venue.exchange, warnings)
    life_s = cell.quoting.order_life_s or 0.0
    if settings.venue.exchange == "derive" and cell.mmp.enabled and life_s > LONGEST_MMP_S:
        life = f"{life_s:g}"
        say(
            f"{at}.quoting.order_life_s",
            f"{life} s is too long under mmp; give at most {LONGEST_MMP_S:g}, or switch mmp off",
        )


def _check_choice(cell: CellSettings, at: str, say: Say) -> None:
    if cell.instruments:
        if cell.strikes or cell.all_strikes or cell.expiries:
            say(f"{at}.instruments", "already says expiry and strike; leave out expiries, strikes and all_strikes")
        for name in cell.instruments:
            _check_name(name, cell.underlying, f"{at}.instruments", say)
        return
    if not cell.expiries:
        say(f"{at}.expiries", "is missing; give -expiry YYYYMMDD, or expiries in the file's [[cells]]")
    if cell.strikes and cell.all_strikes:
        say(f"{at}.strikes", "contradicts all_strikes; give -strikes or -all-strikes, not both")
    elif not (cell.strikes or cell.all_strikes):
        say(f"{at}.strikes", "is missing; give -strikes 2800,3000,3200 or -all-strikes")
    for position, text in enumerate(cell.expiries):
        try:
            cell.expiries[position] = normal_expiry(text)
        except ValueError as error:
            say(f"{at}.expiries", str(error))


def _check_name(text: str, underlying: str, path: str, say: Say) -> None:
    try:
        name = parse_name(text)
    except ValueError:
        examples = f"{underlying}-20261225-2800-C or {underlying}-25DEC26-2800-C"
        say(path, f"{shown(text)} is no instrument; give names like {examples}")
        return
    if name.kind is None:
        say(path, f"{shown(text)} is a perpetual; name options")
    elif name.underlying != underlying:
        say(path, f"{shown(text)} is on {name.underlying}, this cell on {underlying}; give underlying {name.underlying}")


def normal_expiry(text: str) -> str:
    """YYYYMMDD of an expiry in either venue's spelling; `EXPIRY_WORDS` stay as they are. ValueError with the fix."""
    word = text.strip()
    if word.lower() in EXPIRY_WORDS:
        return word.lower()
    with contextlib.suppress(ValueError):
        return expiry_text(parse_expiry(word))
    near = difflib.get_close_matches(word.lower(), EXPIRY_WORDS, 1)
    fix = f"did you mean {near[0]}?" if near else "give YYYYMMDD (20261225), 25DEC26, or nearest-weekly"
    raise ValueError(f"{shown(text)} is no date; {fix}")


def _check_strategy(cell: CellSettings, at: str, say: Say) -> None:
    from actors.trading import strategies

    try:
        strategies.build(cell.quoting, cell.limits, has_surface=True)
    except ConfigError as error:
        for problem in error.problems:
            path, _, words = problem.partition(": ")
            say(f"{at}.{path}", words)
    own = cell.quoting.protections
    for low, high in (("min_delta", "max_delta"), ("min_days", "max_days")):
        least, most = getattr(own, low), getattr(own, high)
        if least is not None and most is not None and least > most:
            say(f"{at}.quoting.protections.{low}", f"{least:g} is above {high} {most:g}: nothing would be quoted")


def _check_limits(cell: CellSettings, at: str, exchange: str, origins: Origins, say: Say) -> None:
    """Limits that contradict each other, and what only the other venue has. A default contradicts nobody."""
    limits = cell.limits
    both = (f"{at}.limits.{name}" for name in ("max_position", "max_exposure"))
    are_given = all(origins.get(path, "default") != "default" for path in both)
    if are_given and limits.max_position > limits.max_exposure > 0:
        bound = f"{limits.max_position:g} is above max_exposure {limits.max_exposure:g}, the sum over all instruments"
        say(f"{at}.limits.max_position", f"{bound}; lower it, or raise max_exposure")
    if limits.max_scenario_loss is not None:
        for name in ("scenario_spot", "scenario_vol"):
            if not getattr(limits, name):
                say(f"{at}.limits.{name}", "is empty, and max_scenario_loss is set; give shocks like [-0.1, 0.0, 0.1]")
    if exchange == "derive" and cell.quoting.quote_mode == "mass":
        say(f"{at}.quoting.quote_mode", "mass quotes are Deribit's; leave it out, or give auto")


def _check_sizes(cell: CellSettings, at: str, warnings: list[str]) -> None:
    size, limits = cell.quoting.size, cell.limits
    smallest = min(limits.max_position, limits.max_exposure)
    if size is not None and size > smallest > 0:
        name = "max_position" if smallest == limits.max_position else "max_exposure"
        warnings.append(f"{at}: size {size:g} is above {name} {smallest:g}: quotes are cut to what the limit leaves")


def _check_patience(cell: CellSettings, at: str, exchange: str, warnings: list[str]) -> None:
    """A bound that the venue's own rhythm breaks pulls quotes for nothing."""
    age_s = cell.quoting.max_book_age_s
    if exchange == "deribit" and age_s < QUIET_TICKER_S:
        warnings.append(
            f"{at}.quoting.max_book_age_s: {age_s:g} s is shorter than Deribit may be silent about a quiet option "
            f"({QUIET_TICKER_S:g} s): its quotes will be pulled and placed again; 5 or more keeps them"
        )


def _check_overlap(cells: list[CellSettings], say: Say) -> None:
    """Two cells that quote the same expiry would trade with each other."""
    seen: dict[tuple[str, str], int] = {}
    for index, cell in enumerate(cells):
        for expiry in cell.expiries:
            first = seen.setdefault((cell.underlying, expiry), index)
            if first != index:
                say(
                    f"cells[{index}].expiries",
                    f"{cell.underlying} {expiry} is already quoted by cells[{first}]; name it once",
                )


# -- processes


def _check_processes(settings: Settings, say: Say) -> None:
    watch, paper = settings.supervision, settings.paper
    if watch.heartbeat_bound_s < 2 * watch.heartbeat_s:
        bound = f"{watch.heartbeat_bound_s:g} s leaves no room for a late beat"
        say("supervision.heartbeat_bound_s", f"{bound}; give at least twice heartbeat_s ({watch.heartbeat_s:g})")
    if watch.backoff_max_s < watch.backoff_s:
        say("supervision.backoff_max_s", f"{watch.backoff_max_s:g} is below backoff_s {watch.backoff_s:g}; give more")
    if paper.host not in LOOPBACK:
        say("paper.host", f"{shown(paper.host)} is not on this machine; give 127.0.0.1")
    if not settings.journal.folder.strip():
        say("journal.folder", "is empty; name a folder, e.g. runs")
    if settings.venue.idle_s <= settings.venue.ping_s:
        say("venue.idle_s", f"{settings.venue.idle_s:g} is not above ping_s; give more than {settings.venue.ping_s:g}")
