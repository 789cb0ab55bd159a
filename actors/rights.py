"""What an account must be allowed for what its operator wants, and the words when it is not.

Owns the comparison of a cell's settings with the facts of a login. Asks nothing itself. Invariant: every refusal names the
setting and what to give instead.
"""

from __future__ import annotations

from actors.console.settings import CellSettings
from actors.trading.errors import NotGranted
from actors.venues.dialect import AccountFacts

NO_MASS = "quote_mode: mass quotes are not granted to this account; give orders or auto, or ask the venue to enable them"
NO_PROTECTION = "mmp.enabled: market-maker protection is not granted to this account; give false, or ask the venue for it"


def require_rights(cell: CellSettings, facts: AccountFacts) -> None:
    """NotGranted when the account may not do what this cell is asked to do."""
    if cell.mmp.enabled and not facts.mmp_allowed:
        raise NotGranted(0, NO_PROTECTION)
    if cell.quoting.quote_mode == "mass" and not facts.mass_quote_allowed:
        raise NotGranted(0, NO_MASS)
