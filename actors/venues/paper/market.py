"""The paper exchange's world: index, fair values, other makers and takers of one underlying, from a single seed.

Owns the world's clock and the order in which things happen: index, then marks, then rivals, then whoever comes to trade.
The world's time runs `speed` times the venue's; expiries and everything a client sees stay on the venue's clock, which is
passed in. Never awaits, never reads a clock. Invariant: the index at a world time depends on the seed alone, however often
`step` is called; and who comes to trade, when and with what wish does not depend on who quotes.
"""

from __future__ import annotations

import math
from random import Random

import attrs

from actors.trading.instruments import OptionKind
from actors.trading.svi import SviSlice
from actors.venues.paper import catalogue
from actors.venues.paper.chain import ListedChain, ListedQuote
from actors.venues.paper.fair import FIXING_S, Line, Slice
from actors.venues.paper.index_path import IndexPath
from actors.venues.paper.rivals import RecordedWidth, Rival
from actors.venues.paper.smile import RecordedSmile, expected_variance
from actors.venues.paper.takers import Arrival, Takers
from actors.venues.paper.terms import Pit, Reference, WorldSettings

__all__ = ["Pit", "Reference", "World", "WorldSettings"]

_MARK_S = 1.0
"""An expiry is priced in full, and its references published, this often (world time),"""
_MARK_MOVE = 5e-4
"""or at once when its forward moved by this fraction."""
_SURVEY_S = 60.0
_MINUTE_S = 60


class World:
    """One underlying on one venue. `open` once, then `step` as often as you like, in rising time."""

    def __init__(
        self, settings: WorldSettings, venue: str, pit: Pit, seed: int, chain: ListedChain | None = None
    ) -> None:
        if chain is not None:
            settings = attrs.evolve(
                settings, underlying=chain.underlying, spot_usd=chain.index, vol_annual=chain.typical_vol
            )
        self.settings = settings
        self.arrivals = 0
        self._seed = seed
        self._pit = pit
        self._chain = chain
        self._spec = catalogue.spec_of(venue, settings.underlying)
        self._path = IndexPath(settings, self._dice("index"))
        self._takers = Takers(settings, self._dice("takers"))
        self._rivals = [
            Rival(n, settings, self._dice(f"rival {n}"), blurred=chain is None)
            for n in range(len(settings.rival_delay_s))
        ]
        self._dealer = self._dice("order of pricing")
        self._slices: dict[int, Slice] = {}
        """By expiry, rising; the perpetual is 0."""
        self._lines: dict[str, tuple[Slice, Line]] = {}
        self._opened_s = 0.0
        self._now_s = 0.0
        self._world_s = 0.0
        self._next_roll_s = 0
        self._next_minute = 0
        self._index_sent = 0.0
        self._index_sent_s = -math.inf
        self._surveyed_s = 0.0

    # -- what is true, for figures and for judging

    @property
    def index(self) -> float:
        return self._path.price(self._world_s)

    @property
    def instruments(self) -> list[str]:
        return list(self._lines)

    def fair_usd(self, instrument: str) -> float:
        """The true value of one unit now, quote currency."""
        part, line = self._lines[instrument]
        return line.value_usd(part.forward_for(self.index))

    def svi(self, expiry_s: int) -> SviSlice | None:
        """The smile of an expiry where the world is synthetic."""
        return self._slices[expiry_s].svi

    # -- time

    def open(self, now_ns: int) -> None:
        """List everything, publish everything, and let the rivals put up their first quotes."""
        self._now_s = self._opened_s = now_ns / 1e9
        self._next_minute = int(self._now_s // _MINUTE_S) + 1
        self._path.extend(0.0)
        self._list_perpetual()
        if self._chain is None:
            self._list_calendar()
        else:
            self._list_chain(self._chain)
        self._publish_index()
        for part in self._slices.values():
            self._reprice(part)
        self._takers.survey(list(self._slices.values()))
        for rival in self._rivals:
            rival.look(0.0, self._trading(), self._path, self._pit)

    def step(self, now_ns: int) -> list[Arrival]:
        """Bring the world up to the venue's clock; returns the takers that traded meanwhile."""
        now_s = now_ns / 1e9
        if self.settings.frozen:
            self._stand_still(now_s)
            return []
        target = (now_s - self._opened_s) * self.settings.speed
        self._path.extend(target)
        traded = []
        while self._takers.next_s <= target:
            self._move_to(max(self._takers.next_s, self._world_s))
            arrival = self._takers.arrive(self._world_s, self._path, self._pit)
            if arrival is not None:
                traded.append(arrival)
        self._move_to(target)
        self._path.forget(target)
        self.arrivals += len(traded)
        return traded

    def _stand_still(self, now_s: float) -> None:
        """A frozen market says once a second what it always said."""
        self._now_s = now_s
        self._retire()
        if now_s - self._index_sent_s < _MARK_S:
            return
        self._publish_index()
        for part in self._slices.values():
            self._publish(part)

    def _move_to(self, world_s: float) -> None:
        """Index, calendar, marks and rivals as of a world time that has come."""
        self._world_s = world_s
        self._now_s = self._opened_s + world_s / self.settings.speed
        index = self._path.price(world_s)
        self._retire()
        self._fix(index)
        if index != self._index_sent:
            self._publish_index()
        self._follow_calendar()
        for part in self._slices.values():
            moved = abs(part.forward_for(index) - part.forward_at) > _MARK_MOVE * part.forward_at
            if moved or world_s >= part.pricing_due_s:
                self._reprice(part)
        if world_s - self._surveyed_s >= _SURVEY_S:
            self._surveyed_s = world_s
            self._takers.survey(self._trading())
        trading = self._trading()
        for rival in self._rivals:
            rival.look(world_s, trading, self._path, self._pit)

    def _fix(self, index: float) -> None:
        """Venue minutes that passed: prints of the settlement mean for the expiry in its last half hour."""
        while self._next_minute * _MINUTE_S <= self._now_s:
            at = self._next_minute * _MINUTE_S
            for part in self._slices.values():
                if part.expiry_s and part.expiry_s - FIXING_S < at <= part.expiry_s:
                    part.note_fixing(index)
            self._next_minute += 1

    def _trading(self) -> list[Slice]:
        return [part for part in self._slices.values() if not part.is_closed]

    # -- publishing

    def _publish_index(self) -> None:
        self._index_sent, self._index_sent_s = self.index, self._now_s
        self._pit.set_index(self._spec.index_name, self._index_sent)

    def _reprice(self, part: Slice) -> None:
        """In full; expiries take turns, so that no step has to price them all."""
        part.pricing_due_s = self._world_s + _MARK_S * (1.0 if part.pricing_due_s else self._dealer.uniform(0.5, 1.5))
        part.set_clock(self._now_s)
        part.reprice(self.index, self._path.variance(self._world_s))
        self._publish(part)

    def _publish(self, part: Slice) -> None:
        for line in part.lines:
            self._pit.set_reference(line.name, part.reference(line))

    # -- listing

    def _dice(self, what: str) -> Random:
        """An own stream for each purpose, so that a change in one leaves the others alone."""
        return Random(f"{self._seed}/{self.settings.underlying}/{what}")

    def _list_perpetual(self) -> None:
        part = Slice(0, self.settings)
        self._slices[0] = part
        self._list_line(part, Line(catalogue.perpetual(self._spec, self.settings.underlying, int(self._opened_s))))

    def _list_line(self, part: Slice, line: Line, recorded: RecordedWidth | None = None) -> None:
        part.lines.append(line)
        self._lines[line.name] = (part, line)
        self._pit.list(line.instrument)
        for rival in self._rivals:
            rival.meet(line, recorded)

    def _list_calendar(self) -> None:
        """Expiries that the calendar asks for and that are not there yet."""
        self._next_roll_s = catalogue.next_roll_s(self._now_s)
        for expiry in catalogue.expiries(self._now_s, self.settings):
            if expiry not in self._slices and expiry - self._spec.closes_before_s > self._now_s:
                self._list_expiry(expiry)

    def _list_expiry(self, expiry_s: int) -> None:
        part = Slice(expiry_s, self.settings, closes_s=expiry_s - self._spec.closes_before_s)
        part.set_clock(self._now_s)
        variance = self._path.variance(self._world_s)
        deviation = math.sqrt(expected_variance(self.settings, variance, part.t_years))
        forward = part.forward_for(self.index)
        part.grid = catalogue.strike_grid(forward, deviation, self.settings.strikes)
        self._slices[expiry_s] = part
        self._list_strikes(part, catalogue.strikes_around(forward, part.grid, self.settings.strikes))

    def _list_strikes(self, part: Slice, strikes: tuple[float, ...]) -> None:
        for strike in strikes:
            for kind in OptionKind:
                self._list_line(
                    part,
                    Line(
                        catalogue.option(
                            self._spec, self.settings.underlying, part.expiry_s, strike, kind, int(self._now_s)
                        )
                    ),
                )

    def _follow_calendar(self) -> None:
        """New dailies at the roll, new strikes where the forward wandered; a recorded chain stays as it is."""
        if self._chain is not None:
            return
        if self._now_s >= self._next_roll_s:
            self._list_calendar()
            self._surveyed_s = -math.inf
        for part in self._trading():
            if part.expiry_s and self._world_s >= part.pricing_due_s:
                self._extend_strikes(part)

    def _extend_strikes(self, part: Slice) -> None:
        listed = tuple(sorted({line.strike for line in part.lines}))
        margin = max(self.settings.strikes // 3, 1)
        new = catalogue.missing_strikes(listed, part.forward_for(self.index), part.grid, margin)
        if new:
            self._list_strikes(part, new)
            part.pricing_due_s = self._world_s
            self._surveyed_s = -math.inf

    def _retire(self) -> None:
        """Rivals and takers leave an expiry when its trading ends; at the expiry itself it is gone."""
        for expiry, part in list(self._slices.items()):
            if expiry and self._now_s >= part.closes_s and not part.is_closed:
                part.is_closed = True
                self._surveyed_s = -math.inf
                for rival in self._rivals:
                    rival.forget(part)
            if expiry and self._now_s >= expiry:
                for line in part.lines:
                    del self._lines[line.name]
                del self._slices[expiry]

    # -- a recorded chain

    def _list_chain(self, chain: ListedChain) -> None:
        for expiry in chain.expiries:
            part = Slice(expiry.expiry_s, self.settings, closes_s=expiry.expiry_s - self._spec.closes_before_s)
            part.index_ratio = expiry.forward / chain.index
            part.recorded = RecordedSmile(expiry.smile)
            self._slices[expiry.expiry_s] = part
            for quote in expiry.quotes:
                part.lines.append(Line(quote.instrument))
            part.set_clock(self._now_s)
            part.reprice(self.index, self._path.variance(self._world_s))
            lines, part.lines = part.lines, []
            for line, quote in zip(lines, expiry.quotes, strict=True):
                self._list_line(part, line, _agree(line, quote, part.forward))


def _agree(line: Line, quote: ListedQuote, forward: float) -> RecordedWidth:
    """Make the line's fair value the recorded mark, and measure the recorded quote from there."""
    unit = forward if line.coin else 1.0
    if quote.mark is not None:
        line.residual_usd = quote.mark * unit - line.fair_usd
        line.fair_usd = quote.mark * unit
    price = line.instrument.price_float
    return RecordedWidth(
        down_usd=line.fair_usd - price(quote.bid) * unit if quote.bid else None,
        up_usd=price(quote.ask) * unit - line.fair_usd if quote.ask else None,
    )
