"""The crier: who tells the quoters that there is news, a few at a time and in order.

Owns the line of those who are still to be told. A thousand bells rung at once would all be answered before the loop looks
at a socket again, and the first new order would leave after the last decision; so a handful is told, and then everybody
else has a turn: those quoters, the desk, the links. News that comes alone is acted on at once, without a pass of the
scheduler. Decides nothing. Invariant: whoever is owed news keeps his place in the line however much newer news comes, and
is told once for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import trio

from actors.mailboxes import CALM_S, Doorbell

A_TURN = 8
"""Quoters told in one scheduling pass: about a millisecond of decisions, and two of signing what comes of them."""
TURN_S = 0.001
"""News of single instruments within this long counts as one burst."""


class Crier:
    """`ring` tells one quoter; `act` has one act in the caller's own turn, False where he cannot."""

    def __init__(self, ring: Callable[[str], None], act: Callable[[str], bool] = lambda name: False) -> None:
        self._ring = ring
        self._act = act
        self._owed: dict[str, None] = {}
        self._bell = Doorbell()
        self._turn_at = -TURN_S
        self._told = 0
        self._calm_from = -TURN_S

    def tell_one(self, name: str, now: float) -> None:
        """News of one instrument, at `now` by trio's clock: acted on at once if it comes alone, told at once if few do."""
        if now >= self._calm_from and not self._owed and self._act(name):
            self._calm_from = trio.current_time() + CALM_S
            return
        self._calm_from = now + CALM_S
        if now - self._turn_at > TURN_S:
            self._turn_at, self._told = now, 0
        if self._told < A_TURN and not self._owed:
            self._told += 1
            self._ring(name)
        else:
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
                    self._ring(name)
                await trio.lowlevel.checkpoint()
