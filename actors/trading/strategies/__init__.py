"""What a strategy is, what it sees and what it answers; and how one is found by its file's name.

A strategy is a file beside this one, with a class `Parameters` (attrs, of `settings.key`s) and a function
`build(parameters, settings, limits) -> Strategy`. It decides with its eyes on one instrument, purely: the same view and
inventory always give the same wish. It never rounds, never sizes and never knows what rests: `quoting.py` does that
once for all of them. Invariant: whatever a strategy wants, the shared rules of `quoting.py` are applied after it.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Protocol

import attrs
import msgspec

from actors.console.ranges import range_problem, range_words
from actors.console.settings import LimitSettings, QuotingSettings
from actors.trading.books import Kept, Market, fair_mark, present
from actors.trading.errors import ConfigError
from actors.trading.instruments import OptionKind
from actors.trading.pricing import SECONDS_PER_YEAR, Greeks, black76, greeks
from actors.trading.quotes import Terms
from actors.trading.settlement import index_share
from actors.trading.surface import FairValue


class IndexMoves(msgspec.Struct, frozen=True, gc=False):
    """How the index has moved lately; the actor keeps the window, a strategy only reads it."""

    price: float | None = None
    worst_move: float = 0.0
    """Largest absolute relative move inside the protection's window, a fraction."""
    vol_annual: float | None = None
    """Realised over the last minutes, an annual fraction; None while too little has been seen."""


class View(msgspec.Struct, frozen=True, dict=True):
    """Everything a strategy may know of one instrument's market at one moment."""

    market: Market
    now_s: float
    """UTC seconds."""
    fair: FairValue | None = None
    """Of the cell's surface; None where there is none, or it has no value of this option."""
    index_moves: IndexMoves = IndexMoves()

    @property
    def t_years(self) -> float:
        """To expiry in years of 365 days; never negative."""
        return max(0.0, (self.market.instrument.expiry_s - self.now_s) / SECONDS_PER_YEAR)

    @property
    def index_share(self) -> float:
        """The part of an index move that reaches the settlement value: falls from 1 over the last half hour."""
        return index_share(self.t_years * SECONDS_PER_YEAR)

    @Kept
    def mark(self) -> float | None:
        """See `fair_mark`; worked out once a view."""
        return fair_mark(self.market, self.t_years)

    @Kept
    def vol(self) -> float | None:
        """Annual: our surface's, else the venue's mark vol."""
        return present(self.fair.vol if self.fair is not None else self.market.mark_vol)

    @Kept
    def greeks(self) -> Greeks | None:
        """Money Greeks of one unit: the surface's, else at the mark vol and forward; None without, or at expiry."""
        if self.fair is not None:
            return self.fair.greeks
        terms = self._terms
        return None if terms is None or self.vol is None else greeks(*terms[:3], self.vol, *terms[3:])

    def money_at(self, vol: float) -> float | None:
        """The Black-76 premium of one unit in quote currency at another volatility."""
        terms = self._terms
        return None if terms is None else black76(*terms[:3], vol, *terms[3:])

    @Kept
    def _terms(self) -> tuple[float, float, float, bool, float] | None:
        """Forward, strike, years, is call, discount."""
        option, forward = self.market.instrument, present(self.market.forward)
        if forward is None or option.kind is None or self.t_years <= 0:
            return None
        is_call = option.kind is OptionKind.CALL
        return forward, option.strike, self.t_years, is_call, present(self.market.discount) or 1.0


class Inventory(msgspec.Struct, frozen=True, gc=False):
    """What we hold. Greeks are money Greeks of the cell's whole book: delta in units of the underlying, vega in quote
    currency per vol point, gamma in delta per quote currency, theta in quote currency a day."""

    position_steps: int = 0
    position: float = 0.0
    """Of this instrument, contracts, signed."""
    max_position: float = 1.0
    delta: float = 0.0
    gamma: float = 0.0
    vega: float = 0.0
    theta: float = 0.0
    local_gamma: float = 0.0
    """Gamma held near this strike in this expiry."""


class Wish(msgspec.Struct, frozen=True, gc=False):
    """Wanted prices in the instrument's premium, before any rounding; None is a side not wanted."""

    bid: float | None
    ask: float | None
    reason: str = ""
    """Why a side is missing, or what bent it, in words for the operator."""
    terms: Terms = {}


def no_wish(reason: str, terms: Terms | None = None) -> Wish:
    return Wish(None, None, reason, terms or {})


class Strategy(Protocol):
    @property
    def uses_book(self) -> bool:
        """True: after our own change no new quote until a newer book, for others may react to us (design law 4)."""

    @property
    def needs_surface(self) -> bool:
        """True: it quotes around fair values of our own only, never around the venue's mark."""

    def quote(self, view: View, inventory: Inventory) -> Wish: ...


# -- finding and building one


def names() -> list[str]:
    """Every strategy there is, by its file's name."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__))


def find(settings: QuotingSettings) -> ModuleType:
    """The file of the chosen strategy; ConfigError when there is none of that name."""
    known = names()
    if settings.strategy not in known:
        raise ConfigError(f"quoting.strategy: no strategy {settings.strategy!r}; choose one of {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{settings.strategy}")


def build(settings: QuotingSettings, limits: LimitSettings | None = None, *, has_surface: bool = False) -> Strategy:
    """The chosen strategy with its own parameters.

    `has_surface`: whether the cell has fair values of its own. ConfigError names every wrong parameter at once, and
    what a strategy needs that the configuration does not give.
    """
    module = find(settings)
    parameters = read_parameters(module.Parameters, settings.params, settings.strategy)
    strategy: Strategy = module.build(parameters, settings, limits or LimitSettings())
    if strategy.needs_surface and not has_surface:
        raise ConfigError(
            f"quoting.strategy: {settings.strategy} is told to quote around fair values of its own surface only, and"
            " this cell has none; set own_surface_only = 0 in quoting.params to fall back on the venue's mark"
        )
    return strategy


def read_parameters(kind: type, given: Mapping[str, float], strategy: str) -> Any:
    """`given` as an object of the strategy's `Parameters`; ConfigError with all problems."""
    fields = {field.name: field for field in attrs.fields(kind)}
    problems = [_problem(name, value, fields, strategy) for name, value in given.items()]
    wrong = [problem for problem in problems if problem]
    if wrong:
        raise ConfigError(*wrong)
    return kind(**{name: float(value) for name, value in given.items()})


def _problem(name: str, value: Any, fields: Mapping[str, Any], strategy: str) -> str:
    where = f"quoting.params.{name}"
    if name not in fields:
        near = difflib.get_close_matches(name, fields, 1)
        known = ", ".join(sorted(fields)) or "none"
        return f"{where}: unknown to {strategy}" + (f"; did you mean {near[0]}?" if near else f"; it has: {known}")
    meta = fields[name].metadata
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{where}: {value!r} is not a number; give {range_words(meta)}"
    wrong = range_problem(value, meta)
    return f"{where}: {wrong}" if wrong else ""
