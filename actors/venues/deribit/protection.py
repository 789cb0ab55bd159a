"""Deribit's market-maker protection: its terms set, read back and reset, for plain orders and for a mass-quote group.

Owns the translation between our terms (milliseconds, an underlying) and the venue's (seconds, an index). A window opens
with the first fill after the last one ended and does not slide. Reference: deribit.md 4.9. Invariant: a limit that was
rounded is rounded down, so that protection is never weaker than asked for.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Any

import attrs

from actors.trading.errors import VenueRefused
from actors.venues.deribit import rows
from actors.venues.deribit.calls import call
from actors.venues.deribit.codes import BAD_REQUEST
from actors.venues.deribit.mass import MassQuotes
from actors.venues.deribit.names import index_of
from actors.venues.deribit.terms import Board
from actors.venues.dialect import MmpTerms, Script
from actors.venues.dialogue import ask

FINEST_LIMIT = Decimal("0.0001")
MOST_QUANTITY = {"btc_usd": Decimal(500), "eth_usd": Decimal(5000)}
"""More the venue does not take as a quantity; of other indices it is not known."""


class Protection:
    """The scripts of one account. Mass quotes have a group's configuration, plain orders the one without a group."""

    def __init__(self, board: Board, quotes: MassQuotes) -> None:
        self._board = board
        self._quotes = quotes

    def set_mmp(self, terms: MmpTerms) -> Script[MmpTerms]:
        """Replaces the whole protection of the index (and of the group). VenueRefused when the account has none."""
        scope = self._scope(terms.currency)
        terms = _cut(terms, MOST_QUANTITY.get(scope["index_name"]))
        params: dict[str, Any] = {
            **scope,
            "interval": terms.interval_ms // 1000,
            "frozen_time": terms.frozen_ms // 1000,
            "max_quote_quantity": float(terms.quote_limit),
        }
        limits = {
            "quantity_limit": terms.amount_limit,
            "delta_limit": terms.delta_limit,
            "vega_limit": terms.vega_limit,
        }
        params.update((name, float(value)) for name, value in limits.items() if value)
        try:
            yield call("private/set_mmp_config", params, kind="mmp")
        except VenueRefused as refusal:
            if refusal.code != BAD_REQUEST:
                raise
            raise VenueRefused(
                refusal.code, "market-maker protection is not enabled for this account", "ask Deribit, or switch mmp off"
            ) from None
        return terms

    def get_mmp(self, currency: str) -> Script[MmpTerms | None]:
        """None where no protection was ever set, or it was removed. `unfreeze_ms` of one frozen for good is 0: by hand."""
        scope = self._scope(currency)
        configs = yield from ask(call("private/get_mmp_config", scope, kind="mmp"), list[rows.MmpRow] | rows.MmpRow)  # type: ignore[arg-type]
        listed = configs if isinstance(configs, list) else [configs]
        config = next((each for each in listed if _fits(each, scope)), None)
        if config is None:
            return None
        frozen = yield from ask(call("private/get_mmp_status", scope, kind="mmp"), list[rows.MmpStatusRow])
        freeze = next((each for each in frozen if _fits(each, scope)), None)
        return MmpTerms(
            currency,
            int(config.interval * 1000),
            int(config.frozen_time * 1000),
            config.quantity_limit or Decimal(0),
            config.delta_limit or Decimal(0),
            freeze is not None,
            freeze.frozen_until if freeze is not None else 0,
            config.vega_limit or Decimal(0),
            config.max_quote_quantity or Decimal(0),
        )

    def reset_mmp(self, currency: str) -> Script[None]:
        """Both configurations: who resets by hand need not know how we quote. What was never set has nothing to reset."""
        index = self._scope(currency)["index_name"]
        refusals: list[VenueRefused] = []
        for scope in ({"index_name": index}, {"index_name": index, "mmp_group": self._quotes.group(currency)}):
            try:
                yield call("private/reset_mmp", scope, kind="mmp")
            except VenueRefused as refusal:
                refusals.append(refusal)
        if len(refusals) > 1:
            raise refusals[0]

    def _scope(self, currency: str) -> dict[str, Any]:
        scope = {"index_name": self._board.index_name(currency, index_of(currency))}
        return {**scope, "mmp_group": self._quotes.group(currency)} if self._quotes.is_on else scope


def _fits(row: rows.MmpRow | rows.MmpStatusRow, scope: dict[str, Any]) -> bool:
    return (row.index_name, row.mmp_group or "") == (scope["index_name"], scope.get("mmp_group", ""))


def _cut(terms: MmpTerms, most: Decimal | None) -> MmpTerms:
    """As the venue can keep them: quantities no larger than it takes, limits of four decimals at most, never nothing."""

    def kept(value: Decimal, bound: Decimal | None = None) -> Decimal:
        value = value if bound is None else min(value, bound)
        return value and max(FINEST_LIMIT, value.quantize(FINEST_LIMIT, ROUND_FLOOR))

    return attrs.evolve(
        terms,
        amount_limit=kept(terms.amount_limit, most),
        quote_limit=kept(terms.quote_limit or terms.amount_limit, most),
        delta_limit=kept(terms.delta_limit),
        vega_limit=kept(terms.vega_limit),
    )
