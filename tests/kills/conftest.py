"""Fixtures of the kill tests: one exchange for each venue, and makers that are gone afterwards whatever happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kill_kit import Exchange, Maker, until
from kill_venues import VENUES

QUICK = ("-set", "supervision.heartbeat_s=0.3", "-set", "supervision.backoff_s=0.1", "-set", "supervision.backoff_max_s=0.2")


@pytest.fixture(scope="module", params=list(VENUES))
def exchange(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    venue = Exchange(tmp_path_factory.mktemp("exchange"), VENUES[request.param])
    yield venue
    venue.close()


@pytest.fixture
def start(exchange: Exchange, tmp_path: Path) -> Iterator[Callable[..., Maker]]:
    """Starts a maker on the exchange and waits until it quotes."""
    makers: list[Maker] = []

    def begin(*words: str, onto: int | None = None, resting: int = 6) -> Maker:
        makers.append(Maker(exchange, tmp_path / f"maker{len(makers)}", *QUICK, *words, onto=onto))
        return makers[-1].quoting(resting)

    yield begin
    for maker in makers:
        maker.close()
    until(lambda: exchange.reader.read().resting == 0, "nothing rests after the test")
