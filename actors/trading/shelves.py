"""A table made of many small ones, for what a cell comes to hold by the hundred thousand.

A dict that grows is copied at once, and so is, every so often, one in which new entries take the place of old ones: 1.6 ms
at 44,000 orders, 15 ms at 350,000, and nobody looks at a socket meanwhile. A shelf's part of that is 0.1 to 0.2 ms. Never
awaits. Invariant: a key lies on one shelf, always the same, and a shelf holds a 256th of all, give or take what chance does.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

_SHELVES = 256
_LAST = _SHELVES - 1


class Shelves(Generic[T]):
    """By text."""

    __slots__ = ("_shelves",)

    def __init__(self) -> None:
        self._shelves: list[dict[str, T]] = [{} for _ in range(_SHELVES)]

    def get(self, key: str) -> T | None:
        return self._shelves[hash(key) & _LAST].get(key)

    def put(self, key: str, value: T) -> None:
        self._shelves[hash(key) & _LAST][key] = value

    def drop(self, key: str) -> None:
        """Nothing where it is not there."""
        self._shelves[hash(key) & _LAST].pop(key, None)
