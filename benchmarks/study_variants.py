"""The makers that the study compares: `improve`, `theoretical` with everything, and it with one thing less each.

Owns their settings. `PARAMETERS` and `PROTECTIONS` were chosen on tuning seeds, never on those that results are told of.
Invariant: a variant called "no x" differs from `full` in x alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from actors.console.settings import ProtectionSettings, QuotingSettings
from benchmarks.study_terms import SIZE

PARAMETERS: dict[str, float] = {
    "base_bps": 0.0,
    "vol_of_vol_points": 0.0,
    "adverse_weight": 0.0,
    "expiry_bps": 0.0,
    "depth_bps": 0.0,
    "doubt_weight": 0.0,
    "required_edge": 0.3,
    "inside_best": 0.1,
    "position_skew": 0.75,
    "vega_skew": 0.75,
}
PROTECTIONS: dict[str, Any] = {
    "index_reprice": True,
    "fast_move_bps": 8.0,
    "fast_window_s": 2.0,
    "max_pick_off": 0.25,
    "vol_widening": 0.25,
    "min_edge": 0.2,
    "min_delta": 0.03,
    "max_delta": 0.75,
    "vega_per_side": 0.75,
}
THROUGH_MARK = 2.0
"""A quote of a surface that errs less than the venue's mark need not stop at the mark."""


def improve() -> QuotingSettings:
    """At its most competitive: the shipped minimum spread of a tenth would keep it out of this market."""
    return QuotingSettings(strategy="improve", size=SIZE, min_spread_bps=0.0)


def shipped_improve() -> QuotingSettings:
    return QuotingSettings(strategy="improve", size=SIZE)


def shipped_theoretical() -> QuotingSettings:
    return QuotingSettings(strategy="theoretical", size=SIZE, min_spread_bps=0.0)


def full() -> QuotingSettings:
    return QuotingSettings(
        strategy="theoretical",
        size=SIZE,
        min_spread_bps=0.0,
        max_through_mark=THROUGH_MARK,
        params=dict(PARAMETERS),
        protections=ProtectionSettings(**PROTECTIONS),
    )


def _less(**protections: Any) -> Callable[[], QuotingSettings]:
    def build() -> QuotingSettings:
        everything = full()
        return attrs.evolve(everything, protections=attrs.evolve(everything.protections, **protections))

    return build


def _other(**parameters: float) -> Callable[[], QuotingSettings]:
    def build() -> QuotingSettings:
        everything = full()
        return attrs.evolve(everything, params=everything.params | parameters)

    return build


def wide(edge: float) -> QuotingSettings:
    """A fixed distance from fair and nothing else, to see that fills thin out with it."""
    parameters = PARAMETERS | {"required_edge": edge, "inside_best": -1.0, "position_skew": 0.0, "vega_skew": 0.0}
    return attrs.evolve(full(), params=parameters, protections=ProtectionSettings(), max_through_mark=1e6)


SWITCHED_OFF: dict[str, Callable[[], QuotingSettings]] = {
    "no skew": _other(position_skew=0.0, vega_skew=0.0),
    "no index reprice": _less(index_reprice=False),
    "no fast-market pull": _less(fast_move_bps=None),
    "no pick-off gauge": _less(max_pick_off=None),
    "no volatility widening": _less(vol_widening=0.0),
    "no minimum edge": _less(min_edge=None),
    "no delta range": _less(min_delta=None, max_delta=None),
    "no size by vega": _less(vega_per_side=None),
    "no protection at all": _less(
        index_reprice=False,
        fast_move_bps=None,
        max_pick_off=None,
        vol_widening=0.0,
        min_edge=None,
        min_delta=None,
        max_delta=None,
        vega_per_side=None,
    ),
    "no bound inside the best": _other(inside_best=-1.0),
}
VARIANTS: dict[str, Callable[[], QuotingSettings]] = {"improve": improve, "full": full, **SWITCHED_OFF}
