"""Puts this folder's kits within reach of the folders below, and a venue and a desk before the tests of links."""

from __future__ import annotations

import pytest
import trio
from link_kit import Desk, Venue


@pytest.fixture
async def venue(nursery: trio.Nursery) -> Venue:
    return Venue(nursery)


@pytest.fixture
def desk() -> Desk:
    return Desk()
