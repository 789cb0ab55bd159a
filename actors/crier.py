"""The crier: news that concerns every quoter, told a few at a time, nearest the money first.

Owns the list of those who are still to be told. A thousand bells rung at once would all be answered before the loop looks
at a socket again, and the first new order would leave after the last decision; so a handful is told, and then everybody
else has a turn: those quoters, the desk, the links. Decides nothing. Invariant: whoever is owed the news keeps his place
in the line however much newer news comes, and is told once for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import trio

from actors.mailboxes import Doorbell

A_TURN = 8
"""Quoters told in one scheduling pass: about a millisecond of decisions, and two of signing what comes of them."""


class Crier:
    """`ring` tells one quoter."""

    def __init__(self, ring: Callable[[str], None]) -> None:
        self._ring = ring
        self._owed: dict[str, None] = {}
        self._bell = Doorbell()

    def tell(self, names: Iterable[str]) -> None:
        """These are to hear that something changed, the first of them first."""
        for name in names:
            self._owed[name] = None
        self._bell.ring()

    async def cry(self) -> None:
        """Forever."""
        while True:
            await self._bell.wait()
            while self._owed:
                for name in list(islice(self._owed, A_TURN)):
                    del self._owed[name]
                    self._ring(name)
                await trio.lowlevel.checkpoint()
