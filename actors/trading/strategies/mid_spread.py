"""A fixed spread around the mid of others: mid plus and minus mid x spread_bps / 20000.

Without a mid (a side of the market is empty) both sides are quoted around the mark at the fallback distance, as
`improve` quotes an empty side. Invariant: the wish is symmetric about its centre.
"""

from __future__ import annotations

import attrs

from actors.console.settings import LimitSettings, QuotingSettings
from actors.trading.strategies import Inventory, View, Wish, no_wish
from actors.trading.strategies.improve import fallback_distance, is_crossed, mid_of_others


@attrs.frozen
class Parameters:
    """None of its own: the keys of `[quoting]` say it all."""


@attrs.frozen
class MidSpread:
    settings: QuotingSettings
    uses_book: bool = True
    needs_surface: bool = False

    def quote(self, view: View, inventory: Inventory) -> Wish:
        if is_crossed(view.market):
            return no_wish("others' book is locked or crossed")
        mid = mid_of_others(view.market)
        if mid is not None:
            return _around("mid", mid, mid * self.settings.spread_bps / 20_000)
        distance = fallback_distance(view, self.settings)
        if view.mark is None or distance is None:
            return no_wish("a side of the market is empty and there is no mark to quote it from")
        return _around("mark", view.mark, distance)


def _around(name: str, centre: float, half: float) -> Wish:
    return Wish(centre - half, centre + half, terms={name: centre, "half_spread": half})


def build(parameters: Parameters, settings: QuotingSettings, limits: LimitSettings) -> MidSpread:
    return MidSpread(settings)
