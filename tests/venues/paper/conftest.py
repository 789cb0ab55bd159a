"""What most of the paper exchange's tests begin with: a venue with its customers, or a stage for the engine.

Which venue a test of a face gets is the matter of its module: it imports the `Venue` of one desk or the other.
"""

from __future__ import annotations

from typing import Any

import pytest
from engine_stage import Stage, derive_stage


@pytest.fixture
def venue(request: pytest.FixtureRequest) -> Any:
    """A fresh exchange, of the desk that the test's module imports."""
    return request.module.Venue()


@pytest.fixture
def maker(venue: Any) -> Any:
    return venue.client(0)


@pytest.fixture
def other(venue: Any) -> Any:
    return venue.client(1)


@pytest.fixture
def guest(venue: Any) -> Any:
    """A socket that has not logged in."""
    return venue.client(0, login=False)


@pytest.fixture
def stage() -> Stage:
    """The engine under Derive's rules; where Deribit's are meant, the module says so."""
    return derive_stage()
