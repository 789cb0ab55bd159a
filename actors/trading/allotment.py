"""Who gets room when `max_exposure` cannot hold every instrument: nearest the money first.

Owns that one priority and nothing else; the risk gate enforces it. Never awaits, keeps no state. Invariant: what is
granted, together with what is held, never adds up to more than `max_exposure`, unless the positions alone do already
(then nothing is granted, and only reducing is left).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

from actors.console.settings import LimitSettings
from actors.trading.instruments import Instrument


def allot_exposure(
    instruments: Iterable[Instrument],
    money: float | None,
    limits: LimitSettings,
    *,
    size: float | None = None,
    positions: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Room by instrument name, in its steps: what bid and ask may each show beyond the position held. 0 is "no room".

    `money` is the forward (or the index), in the strikes' currency; None: the middle strike stands for it. `size` is
    contracts a side; None: the instrument's minimum. Each instrument is granted one size (cut to what is left, as long
    as that still reaches its minimum); what remains after that belongs to whoever is filled first.
    """
    ordered = by_distance(instruments, money)
    held = positions or {}
    left = Fraction(str(limits.max_exposure)) - sum(
        (abs(held.get(one.name, 0)) * Fraction(one.amount_step) for one in ordered), Fraction(0)
    )
    granted = {}
    for one in ordered:
        step = Fraction(one.amount_step)
        room = min(left, Fraction(str(limits.max_position)) - abs(held.get(one.name, 0)) * step)
        steps = min(size_steps(one, size), max(0, math.floor(room / step)))
        granted[one.name] = steps if steps >= one.min_amount else 0
        left -= granted[one.name] * step
    return granted


def by_distance(instruments: Iterable[Instrument], money: float | None) -> list[Instrument]:
    """Nearest the money first, by the logarithm of strike over forward; then the earlier expiry, then calls."""
    options = [one for one in instruments if one.kind is not None]
    if money is None or money <= 0:
        strikes = sorted(one.strike for one in options)
        money = strikes[len(strikes) // 2] if strikes else 1.0
    centre = money
    return sorted(options, key=lambda one: (abs(math.log(one.strike / centre)), one.expiry_s, one.kind or "", one.name))


def size_steps(instrument: Instrument, size: float | None) -> int:
    """Contracts to whole steps, down; None is the instrument's minimum."""
    if size is None:
        return instrument.min_amount
    return math.floor(Fraction(str(size)) / Fraction(instrument.amount_step))
