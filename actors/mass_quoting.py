"""The choice between single orders and mass quotes: made once after login by what is asked for and what the venue grants,
and once more if the venue takes it back.

Owns the order of the steps (granted? protection set? only then quoted so) and what is said when it cannot be had. Sends
no quote: the desk does. Invariant: quotes leave in mass only after the venue has echoed the protection they need.
"""

from __future__ import annotations

from loguru import logger

from actors.order_desk import OrderDesk
from actors.protection import Protection
from actors.rights import NO_MASS
from actors.trading.errors import NotGranted, VenueRefused
from actors.venues.dialect import AccountFacts


async def begin(desk: OrderDesk, protection: Protection, facts: AccountFacts | None, mode: str) -> str:
    """Chooses how to quote ("orders" or "mass") and sets up protection for it. NotGranted where `mode` cannot be had."""
    mass = desk.dialect.mass
    granted = mass is not None and facts is not None and facts.mass_quote_allowed
    if mode == "mass" and not granted:
        raise NotGranted(0, NO_MASS)
    if mass is None or not granted or mode == "orders":
        await protection.set_up()
        return "orders"
    mass.is_on = True
    protection.insist()
    try:
        await protection.set_up()
    except VenueRefused as refusal:
        if mode == "mass":
            words = f"quote_mode: mass quotes need protection (mmp), which was refused ({refusal}); "
            words += "mend mmp, or give orders or auto"
            raise NotGranted(refusal.code, words) from None
        logger.warning("no mass quotes: their protection was refused ({})", refusal)
        mass.is_on = False
        protection.relent()
        await protection.set_up()
        return "orders"
    desk.quote_in_mass(mass)
    return "mass"


def withdrawn(desk: OrderDesk, protection: Protection, mode: str, code: int, meaning: str) -> None:
    """The venue takes no more mass quotes, in the middle of a run: single orders from here on, where `mode` allows it.

    What rests was born in a mass quote and can never be edited: the connection is dropped, and the next one begins by
    sweeping it away.
    """
    if mode == "mass":
        desk.clerk.give_up(NotGranted(code, NO_MASS))
        return
    desk.clerk.on_event("warning", f"mass quotes are withdrawn ({meaning}): going on with single orders")
    protection.start_anew()
    desk.link.drop("mass quotes are withdrawn")
