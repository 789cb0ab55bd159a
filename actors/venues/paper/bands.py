"""How far from its mark an instrument may trade: the venues' price bands, as fitted to recorded ones.

Owns the fits; neither venue publishes its formula (both uncertain). The recorded bands look like a repricing with the
forward moved by 1.5 % and the vol by some points, so the width is built from delta and vega. Pure. Invariant: the band
holds the mark, and its lower edge is positive.
"""

from __future__ import annotations

from decimal import Decimal

from actors.trading.instruments import Instrument, Numeraire
from actors.venues.paper.tickets import Reference

Band = tuple[Decimal, Decimal]
FORWARD_MOVE = 0.015


def derive_band(instrument: Instrument, reference: Reference, index: Decimal) -> Band:
    """Options: 1.5 % of the forward by delta, 15 points of vol, at least 0.2 % of the index; perpetuals 2 % of mark."""
    if instrument.kind is None:
        return _around(instrument, reference.mark, float(reference.mark) * 0.02)
    forward = float(reference.forward or index)
    width = max(FORWARD_MOVE * forward * abs(reference.delta) + 15 * reference.vega, 0.002 * float(index))
    low, high = _around(instrument, reference.mark, width)
    return max(low, reference.mark * 3 / 20), high


def deribit_band(instrument: Instrument, reference: Reference, index: Decimal) -> Band:
    """Options: 1.5 % (linear: 2.4 %) of the forward, 1.5 % more by delta, 20 points of vol; perpetuals 1.5 % of mark."""
    if instrument.kind is None:
        return _around(instrument, reference.mark, float(reference.mark) * 0.015)
    forward = float(reference.forward or index)
    coin = instrument.numeraire is Numeraire.COIN
    width = (0.015 if coin else 0.024) + FORWARD_MOVE * abs(reference.delta)
    width += 20 * reference.vega / forward if forward else 0.0
    return _around(instrument, reference.mark, width if coin else width * forward)


def _around(instrument: Instrument, mark: Decimal, width: float) -> Band:
    reach = Decimal(f"{width:.12f}")
    return max(instrument.tick, mark - reach), max(instrument.tick, mark + reach)
