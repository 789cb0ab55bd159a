"""The exchange of one study run: the paper venue's engine and world in this process, without protocol, server or clock.

Owns the run's time and what the venue publishes: books each tenth of a second, the index twice a second (the Derive face
does five times, which only costs time here), tickers each second. Nonces, signature lives and fee caps are not asked of
the maker; matching, post-only, fees and margin are the engine's own. The mark it publishes strays from the truth as a
rival's view does: an exact one would make the rule against quoting through the mark an oracle. Invariant: when a taker
comes and what it wants does not depend on the maker.
"""

from __future__ import annotations

import math
import random
from decimal import Decimal

import attrs

from actors.rehearsal.stage import START_NS
from actors.trading.books import Book
from actors.trading.instruments import Instrument, OptionKind, Side
from actors.venues.dialect import TickerUpdate
from actors.venues.paper.engine import Engine
from actors.venues.paper.listings import Listing
from actors.venues.paper.market import World, WorldSettings
from actors.venues.paper.pit import EnginePit
from actors.venues.paper.rules import derive_rules

MAKER = 30_001
CASH = Decimal(1_000_000)
STEP_NS = 100_000_000
INDEX_STEPS = 5
TICKER_STEPS = 10
DEPTH = 10
MARK_REVERSION_S = 120.0


@attrs.define(eq=False)
class Picture:
    """The newest of one option that the venue has published; `book` holds everybody's orders."""

    listing: Listing
    book: Book = attrs.field(factory=lambda: Book((), (), 0))
    ticker: TickerUpdate | None = None
    seen: int = 0
    """Change id of `book`."""

    @property
    def instrument(self) -> Instrument:
        return self.listing.instrument


class BlurredMark:
    """The venue's opinion of volatility less the truth: one part of all strikes that reverts, one of each that stays."""

    def __init__(self, std_vol_points: float, seed: int) -> None:
        self._std = 0.01 * std_vol_points
        self._rng = random.Random(f"mark {seed}")
        self._view = self._rng.gauss(0.0, self._std)
        self._biases: dict[str, float] = {}

    def revert(self, passed_s: float) -> None:
        keep = math.exp(-passed_s / MARK_REVERSION_S)
        self._view = keep * self._view + self._rng.gauss(0.0, self._std * math.sqrt(1.0 - keep * keep))

    def error(self, name: str) -> float:
        """In vol (0.01 is a point)."""
        if name not in self._biases:
            self._biases[name] = self._rng.gauss(0.0, self._std)
        return self._view + self._biases[name]


class StudyFloor:
    def __init__(self, settings: WorldSettings, seed: int, mark_std_vol_points: float) -> None:
        rules = attrs.evolve(derive_rules(), needs_nonce=False, needs_expiry=False, checks_max_fee=False)
        self.now_ns = START_NS
        self.steps = 0
        self._blur = BlurredMark(mark_std_vol_points, seed)
        self.engine = Engine(rules, lambda: self.now_ns, random.Random(f"engine {seed}"))
        self.world = World(settings, "derive", EnginePit(self.engine), seed)
        self.account = self.engine.open_account(MAKER, cash={"USDC": CASH})
        self.world.open(self.now_ns)
        self.index = self.world.index
        self.pictures = {
            name: Picture(listing) for name, listing in self.engine.listings.items() if listing.instrument.kind is not None
        }
        self._look_at_books()
        self._write_tickers()

    @property
    def now_s(self) -> float:
        return self.now_ns / 1e9

    def near_the_money(self, part: float) -> list[str]:
        """Out-of-the-money options with strikes within `part` of the index, and both at the money."""
        chosen = []
        for name, picture in self.pictures.items():
            distance = picture.instrument.strike / self.index - 1
            out = distance >= -1e-3 if picture.instrument.kind is OptionKind.CALL else distance <= 1e-3
            if out and abs(distance) <= part:
                chosen.append(name)
        return chosen

    def step(self) -> list[str]:
        """A tenth of a second passes; whose book changed."""
        self.now_ns += STEP_NS
        self.steps += 1
        self.world.step(self.now_ns)
        if self.steps % INDEX_STEPS == 0:
            self.index = self.world.index
        if self.steps % TICKER_STEPS == 0:
            self._write_tickers()
        return self._look_at_books()

    def tick(self) -> tuple[bool, bool]:
        """Whether this step brought an index price, and tickers."""
        return self.steps % INDEX_STEPS == 0, self.steps % TICKER_STEPS == 0

    def _look_at_books(self) -> list[str]:
        """Books that changed, and once a second all of them: the venue says again what it said."""
        changed = []
        ms, again = self.now_ns // 1_000_000, self.steps % TICKER_STEPS == 0
        for name, picture in self.pictures.items():
            book = picture.listing.book
            if again or book.change_id != picture.seen:
                picture.seen = book.change_id
                picture.book = Book(tuple(book.levels(Side.BID, DEPTH)), tuple(book.levels(Side.ASK, DEPTH)), ms)
                changed.append(name)
        return changed

    def _write_tickers(self) -> None:
        """Mark and mark vol err together; the vega that joins them is per vol point."""
        ms, index = self.now_ns // 1_000_000, self.world.index
        self._blur.revert(TICKER_STEPS * STEP_NS / 1e9)
        for name, picture in self.pictures.items():
            said = picture.listing.reference
            assert said is not None  # the world speaks of whatever it lists
            error = self._blur.error(name)
            picture.ticker = TickerUpdate(
                instrument=name,
                ts_ms=ms,
                mark=max(float(said.mark) + 100.0 * error * said.vega, picture.instrument.tick_float),
                mark_vol=max(said.mark_vol + error, 0.01),
                forward=float(said.forward),
                index=index,
            )
