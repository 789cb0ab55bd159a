"""The crier: has the quoters look at what is new, a few at a time and in order.

Owns the line of those who are still to look. A thousand bells rung at once would all be answered before the loop looks at
a socket again, and the first new order would leave after the last decision; so a handful looks, and then everybody else
has a turn: the desk, the links. They look in the crier's own turn, for waking a task for each would be work that decides
nothing; who cannot (busy, crashed, at his end) has his bell rung. News that comes alone does not even wait for the crier.
Decides nothing. Invariant: whoever is owed news keeps his place in the line however much newer news comes, and looks once
for all of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice

import trio

from actors.mailboxes import CALM_S, Doorbell

A_TURN = 8
"""Quoters who look in one scheduling pass: about a millisecond of decisions, and two of signing what comes of them."""


class Crier:
    """`act` has one quoter look, False where he cannot; `ring` rings his bell then."""

    def __init__(self, act: Callable[[str], bool], ring: Callable[[str], None]) -> None:
        self._act = act
        self._ring = ring
        self._owed: dict[str, None] = {}
        self._bell = Doorbell()
        self._calm_from = -math.inf

    def tell_one(self, name: str, now: float) -> None:
        """News of one instrument, at `now` by trio's clock: looked at in the caller's turn if it comes alone."""
        if now >= self._calm_from and not self._owed and self._act(name):
            self._calm_from = trio.current_time() + CALM_S
            return
        self._calm_from = now + CALM_S
        self.tell((name,))

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
                    if not self._act(name):
                        self._ring(name)
                await trio.lowlevel.checkpoint()
